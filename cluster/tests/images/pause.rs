use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::container::until;
use crate::unpack::unpacked;
use crate::{can_run, image};

#[test]
fn pause_ends_at_once_when_it_is_process_1_and_asked_to() {
    if !can_run() {
        return;
    }
    let pause = unpacked(image("pause")).join("pause");
    let mut namespace = Command::new("unshare").args(["--pid", "--fork", "--kill-child"]).arg(&pause).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", namespace.id());
    let mut pid = None;
    until("pause runs", || {
        pid = std::fs::read_to_string(&children).unwrap().trim().parse().ok();
        pid.is_some_and(|pid: i32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == pause))
    });
    kill(Pid::from_raw(pid.unwrap()), Signal::SIGTERM).unwrap();
    assert!(namespace.wait().unwrap().success());
}
