//! Waiting for a cluster's parts, and finding the one that is to blame.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::error::UpError;
use super::plan::{self, Process, Report};
use super::processes::ProcessId;
use super::{health, state};
use crate::tools;

/// How long a cluster may take from its first process to Ready nodes.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often its report is read.
pub(super) const ASK: Duration = Duration::from_millis(50);
/// A process that ended this often is said to fail, and not waited for any longer.
const RESTARTS: u32 = 8;

/// Waits until the named processes are ready; all of them when none is named.
pub(super) async fn wait_for_processes(folder: &Path, processes: &[Process], names: &[&str]) -> Result<(), UpError> {
    let awaited = |name: &str| names.is_empty() || names.contains(&name);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = health::report(folder);
        let mut waiting = report.processes.iter().filter(|process| awaited(&process.name) && !process.ready);
        if !report.processes.is_empty() && waiting.next().is_none() {
            return Ok(());
        }
        let supervised = state::read(folder).and_then(|state| state.supervisor).is_some_and(ProcessId::runs);
        if !supervised {
            return Err(ill(folder, "supervisor", ": it ended".to_owned()));
        }
        let failing = report.processes.iter().find(|process| process.restarts >= RESTARTS);
        if Instant::now() > deadline || failing.is_some() {
            return Err(not_ready(folder, &report, processes));
        }
        tokio::time::sleep(ASK).await;
    }
}

pub(super) async fn wait_for_nodes(folder: &Path, client: &kube::Client, component: &str) -> Result<(), UpError> {
    until(folder, component, "no node is Ready", async || health::nodes_are_ready(client).await).await
}

/// Waits until `met`; if it never is, `component` is to blame and `otherwise` says for what.
pub(super) async fn until(
    folder: &Path,
    component: &str,
    otherwise: &str,
    met: impl AsyncFn() -> bool,
) -> Result<(), UpError> {
    let deadline = Instant::now() + PATIENCE;
    while !met().await {
        if Instant::now() > deadline {
            return Err(ill(folder, component, format!(": {otherwise}")));
        }
        tokio::time::sleep(ASK).await;
    }
    Ok(())
}

/// The error for the first process, in starting order, that fails or is not ready.
fn not_ready(folder: &Path, report: &Report, processes: &[Process]) -> UpError {
    let of = |name: &str| report.processes.iter().find(|process| process.name == name);
    let failing = |process: &&Process| of(&process.name).is_none_or(|report| !report.ready);
    let Some(process) = processes.iter().find(failing) else {
        return ill(folder, "supervisor", String::new());
    };
    let report = of(&process.name);
    let why = report.and_then(|report| report.last_exit.as_ref().map(|exit| format!(" ({exit})")));
    ill(folder, if report.is_some() { &process.name } else { "supervisor" }, why.unwrap_or_default())
}

fn ill(folder: &Path, component: &str, why: String) -> UpError {
    let log = plan::log(folder, component);
    let text = std::fs::read(&log).unwrap_or_default();
    let tail = tools::last_lines(&String::from_utf8_lossy(&text), 12);
    UpError::NotReady { component: component.to_owned(), why, log, tail }
}
