//! Runs the system's programs: `mkfs.xfs`, `losetup`, `mount` and their like.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

/// The programs that the driver calls, each with the Debian package that brings it.
pub(crate) const PROGRAMS: [(&str, &str); 6] = [
    ("losetup", "mount"),
    ("mkfs.xfs", "xfsprogs"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("xfs_growfs", "xfsprogs"),
    ("xfs_io", "xfsprogs"),
];

/// Long enough for the log recovery of a large volume, shorter than the two minutes kubelet waits.
const LONGEST: Duration = Duration::from_secs(110);

/// A program that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It could not be started.
    #[error("cannot start {command}: {source}; install the package that brings it and look at PATH")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It took too long and was killed.
    #[error("{command} took longer than {} s and was stopped: look at the load of the disk", LONGEST.as_secs())]
    TooLong {
        /// The command line.
        command: String,
    },
    /// It ended with an error.
    #[error("{command} failed ({status}): {stderr}")]
    Failed {
        /// The command line.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// What it said.
        stderr: String,
    },
}

/// Runs a program to its end and returns what it wrote to standard output.
pub(crate) async fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<String, CommandError> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    let line = line(program, arguments);
    tracing::debug!(command = line, "running");
    let output = tokio::time::timeout(LONGEST, command.output())
        .await
        .map_err(|_| CommandError::TooLong { command: line.clone() })?
        .map_err(|source| CommandError::Start { command: line.clone(), source })?;
    finished(line, &output)
}

fn finished(command: String, output: &Output) -> Result<String, CommandError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(CommandError::Failed { command, status: output.status, stderr })
}

fn line<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> String {
    let words = arguments.iter().map(|argument| argument.as_ref().to_string_lossy());
    std::iter::once(program.into()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Where `program` lies in the directories of `path` (the value of `PATH`).
pub(crate) fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|directory| directory.join(program)).find(|file| Path::is_file(file))
}

#[cfg(test)]
mod tests {
    use super::{CommandError, find, run};

    #[tokio::test]
    async fn output_comes_back() {
        assert_eq!(run("printf", &["%s", "a b"]).await.unwrap(), "a b");
    }

    #[tokio::test]
    async fn a_failure_names_the_command_and_what_it_said() {
        let error = run("sh", &["-c", "echo no luck >&2; exit 3"]).await.unwrap_err();
        assert!(matches!(error, CommandError::Failed { .. }));
        let text = error.to_string();
        assert!(text.contains("sh -c") && text.contains("no luck") && text.contains('3'), "{text}");
    }

    #[tokio::test]
    async fn a_missing_program_is_told_apart() {
        let error = run::<&str>("no-such-program-here", &[]).await.unwrap_err();
        assert!(matches!(error, CommandError::Start { .. }));
    }

    #[test]
    fn programs_are_found_in_path_only() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("tool"), "").unwrap();
        assert!(find("tool", directory.path().as_os_str()).is_some());
        assert!(find("other", directory.path().as_os_str()).is_none());
    }
}
