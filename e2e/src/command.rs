//! Running a program to its end, with its output kept.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::failure::{Failure, Outcome};

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Whether its exit status was 0.
    pub success: bool,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs a program to its end, at most for `limit`, with `input` on its standard input.
///
/// # Errors
/// When it cannot be started, or does not end in time (it is then killed).
pub async fn run<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    environment: &[(&str, &str)],
    input: Option<&[u8]>,
    limit: Duration,
) -> Outcome<Finished> {
    let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect();
    let shown = format!("{} {}", program.display(), words.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::new(format!("{shown}: {error}")))?;
    let writer = child.stdin.take().zip(input.map(<[u8]>::to_vec));
    let feed = async move {
        if let Some((mut stdin, bytes)) = writer {
            // A program that ends without reading its input says why by itself.
            let _ = stdin.write_all(&bytes).await;
        }
    };
    let both = async { tokio::join!(child.wait_with_output(), feed).0 };
    let output = tokio::time::timeout(limit, both)
        .await
        .map_err(|_| Failure::new(format!("{shown}: did not end within {} s", limit.as_secs())))??;
    Ok(Finished {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

impl Finished {
    /// Its standard output.
    ///
    /// # Errors
    /// Both outputs, when its exit status was not 0.
    pub fn succeeded(self, what: &str) -> Outcome<String> {
        if self.success {
            Ok(self.stdout)
        } else {
            Err(Failure::new(format!("{what}: {}{}", self.stdout, self.stderr)))
        }
    }

    /// Its standard error.
    ///
    /// # Errors
    /// When its exit status was 0.
    pub fn refused(self, what: &str) -> Outcome<String> {
        if self.success { Err(Failure::new(format!("{what} was accepted: {}", self.stdout))) } else { Ok(self.stderr) }
    }
}
