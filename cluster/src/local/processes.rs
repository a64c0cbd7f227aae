//! Finding a cluster's processes again, without ever mistaking another process for one.
//!
//! Every process of a cluster inherits one environment variable with the cluster's folder, so that
//! what a killed `up` started is found though its pid was never written down. A pid that was
//! written down counts only together with the time at which it started.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// The variable in the environment of every process that belongs to a cluster: the cluster's folder.
/// `down` ends whoever has it.
pub const MARK: &str = "COMMONSCLOUD_CLUSTER_FOLDER";

/// A process, told apart from a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its pid.
    pub pid: i32,
    /// When it started, in clock ticks since the machine's start.
    pub started: u64,
}

impl ProcessId {
    /// The process that has this pid now.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, started) = state_and_start(&stat)?;
        (state != 'Z' && state != 'X').then_some(Self { pid, started })
    }

    /// Whether it still runs; a zombie does not.
    pub(super) fn runs(self) -> bool {
        u32::try_from(self.pid).ok().and_then(Self::of) == Some(self)
    }

    /// Ends it at once. One that is gone already is no error.
    pub(super) fn kill(self) {
        if self.runs() {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
    }
}

/// State and start time from a line of `/proc/PID/stat`. The command's name may hold blanks and
/// brackets, so fields are counted from the last bracket.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

/// All processes that carry the mark of the cluster in `folder`, this one excepted.
pub(super) fn marked(folder: &Path) -> Vec<ProcessId> {
    let mark = format!("{MARK}={}", folder.display());
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id() && carries(*pid, &mark))
        .filter_map(ProcessId::of)
        .collect()
}

fn carries(pid: u32, mark: &str) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_command_name_with_brackets_does_not_shift_the_fields() {
        let mut fields: Vec<String> = (4..=30).map(|field| field.to_string()).collect();
        fields[22 - 4] = "777".to_owned();
        let stat = format!("12 (a) b (c) S {}", fields.join(" "));
        assert_eq!(state_and_start(&stat), Some(('S', 777)));
    }

    #[test]
    fn only_processes_with_exactly_this_mark_are_found_and_killed() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        let spawn = |mark: &Path| Command::new("sleep").arg("600").env(MARK, mark).spawn().unwrap();
        let (mut ours, mut theirs) = (spawn(folder.path()), spawn(&other));
        // A program that was just executed has no environment for a moment: the kernel fills it in last.
        let begun = std::time::Instant::now();
        while !carries(ours.id(), &format!("{MARK}={}", folder.path().display())) && begun.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        let found = marked(folder.path());
        assert_eq!(found, [ProcessId::of(ours.id()).unwrap()]);
        found[0].kill();
        assert!(!ours.wait().unwrap().success());
        assert!(!found[0].runs());
        assert!(ProcessId::of(theirs.id()).is_some());
        theirs.kill().unwrap();
        theirs.wait().unwrap();
    }

    #[test]
    fn a_pid_that_another_process_has_now_is_not_killed() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let now = ProcessId::of(child.id()).unwrap();
        let earlier = ProcessId { started: now.started - 1, ..now };
        earlier.kill();
        assert!(now.runs());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
