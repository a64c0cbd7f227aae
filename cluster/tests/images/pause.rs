use std::path::Path;
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
    // The kernel drops a signal to process 1 that it does not handle yet.
    until("pause handles SIGTERM", || {
        pid = std::fs::read_to_string(&children).unwrap().trim().parse().ok();
        pid.is_some_and(|pid: i32| runs(pid, &pause) && handles(pid, Signal::SIGTERM))
    });
    kill(Pid::from_raw(pid.unwrap()), Signal::SIGTERM).unwrap();
    let mut ended = None;
    until("pause ends", || {
        ended = namespace.try_wait().unwrap();
        ended.is_some()
    });
    assert!(ended.unwrap().success());
}

fn runs(pid: i32, program: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program)
}

/// Whether the process has a handler for the signal: `SigCgt` in `/proc/PID/status`, a mask in hexadecimal.
fn handles(pid: i32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    caught & (1 << (signal as i32 - 1)) != 0
}
