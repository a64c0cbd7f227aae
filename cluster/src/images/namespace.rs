//! Runs a shell script in mount and pid namespaces of its own, so that a kill leaves neither mounts
//! nor processes behind.

use std::ffi::OsStr;
use std::process::{Command, Output};

use super::Error;

/// How much of a failed command's output is shown.
const LAST_LINES: usize = 15;

/// Runs `script` with the given environment added. The script dies with this process.
pub(super) fn run<'a>(
    step: &str,
    script: &str,
    environment: impl IntoIterator<Item = (&'a str, &'a OsStr)>,
) -> Result<(), Error> {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private"])
        .args(["--pid", "--fork", "--kill-child", "sh", "-euc"])
        .arg(format!("exec 2>&1 </dev/null\numask 022\n{script}"))
        .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C.UTF-8")
        .envs(environment);
    checked(step, &mut command).map(drop)
}

/// Runs a command to its end and returns what it printed.
pub(super) fn checked(step: &str, command: &mut Command) -> Result<Output, Error> {
    let output = command.output().map_err(|error| Error::Command {
        step: step.to_owned(),
        status: "not started".to_owned(),
        output: format!("{}: {error}", command.get_program().display()),
    })?;
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Command {
        step: step.to_owned(),
        status: output.status.to_string(),
        output: last_lines(&[&output.stdout[..], &output.stderr[..]].concat()),
    })
}

fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_shows_the_end_of_what_it_printed() {
        let error = checked("counting", Command::new("sh").args(["-c", "seq 100; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("counting failed (exit status: 3)"), "{text}");
        assert!(text.ends_with("\n100") && !text.contains("\n85\n"), "{text}");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = checked("looking", &mut Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("no-such-program"));
    }
}
