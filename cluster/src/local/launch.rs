//! Starting the supervisor so that it outlives the command that started it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::plan::Plan;
use super::processes::{MARK, ProcessId};
use super::state::StateError;
use super::supervisor;

/// The supervisor could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A file failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// This program's own path is unknown.
    #[error("the path of this program is unknown: {0}")]
    This(io::Error),
    /// A program could not be started.
    #[error("{program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended at once.
    #[error("the supervisor ended at once; see {0}")]
    Ended(PathBuf),
}

/// Puts this program into the cluster's folder: a cluster goes on with what it was started with,
/// though the original be built anew.
pub(super) fn keep_program(folder: &Path) -> Result<PathBuf, LaunchError> {
    let this = std::env::current_exe().map_err(LaunchError::This)?;
    let kept = program_in(folder);
    let failed = |source| LaunchError::State(StateError::file(&kept)(source));
    // On another file system a link is not to be had.
    std::fs::hard_link(&this, &kept).or_else(|_| std::fs::copy(&this, &kept).map(drop)).map_err(failed)?;
    Ok(kept)
}

fn program_in(folder: &Path) -> PathBuf {
    folder.join("commonscloud")
}

/// Proxies do not lead to a cluster on this machine, and Go programs would ask them.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// Starts `commonscloud node supervise` in a session of its own, without namespaces.
pub(super) fn start(plan: &Plan) -> Result<ProcessId, LaunchError> {
    let path = write(plan)?;
    let mut command = Command::new("setsid");
    command.arg(program_in(&plan.folder)).args(["node", "supervise", "--plan"]).arg(&path);
    spawn(command, &plan.folder)
}

/// Starts `commonscloud node init` in namespaces of its own. The process that is returned is outside
/// of the pid namespace; when it ends, all in it end.
pub(super) fn start_node(plan: &Plan) -> Result<ProcessId, LaunchError> {
    let path = write(plan)?;
    let mut command = Command::new("setsid");
    command
        .args(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--"])
        .arg(program_in(&plan.folder))
        .args(["node", "init", "--plan"])
        .arg(&path)
        .env("PATH", path_with_system_folders())
        // Sidecars prefer it to the credentials they are given: the caller's would lead elsewhere.
        .env_remove("KUBECONFIG");
    spawn(command, &plan.folder)
}

/// Programs such as `iptables` lie in folders that a user's PATH may lack.
fn path_with_system_folders() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin")
}

fn write(plan: &Plan) -> Result<PathBuf, StateError> {
    let path = plan.folder.join("plan.json");
    // A report of an earlier supervisor would be taken for this one's.
    let _ = std::fs::remove_file(supervisor::report_path(&plan.folder));
    super::state::write_whole(&path, plan)?;
    Ok(path)
}

fn spawn(mut command: Command, folder: &Path) -> Result<ProcessId, LaunchError> {
    let log = super::plan::log(folder, "supervisor");
    let failed = |source| LaunchError::State(StateError::file(&log)(source));
    std::fs::create_dir_all(folder.join("logs")).map_err(failed)?;
    let output = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(|source| LaunchError::State(StateError::file(&log)(source)))?;
    for proxy in PROXIES {
        command.env_remove(proxy);
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let errors = output.try_clone().map_err(|source| LaunchError::State(StateError::file(&log)(source)))?;
    let child = command
        .env(MARK, folder)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|source| LaunchError::Start { program, source })?;
    ProcessId::of(child.id()).ok_or(LaunchError::Ended(log))
}

/// What `commonscloud node supervise` does: carries out the plan in that file, and comes to no end.
///
/// # Errors
/// When the plan cannot be read, or the report not be written.
pub async fn supervise(plan: &Path) -> Result<(), StateError> {
    supervisor::run(read(plan)?).await
}

/// What `commonscloud node init` does, as the first process of a pid namespace.
///
/// # Errors
/// When the plan cannot be read, or a step of furnishing the node fails.
pub fn init(plan: &Path) -> Result<(), StateError> {
    super::real::init::run(&read(plan)?, plan).map_err(StateError::file(plan))
}

fn read(plan: &Path) -> Result<Plan, StateError> {
    let text = std::fs::read(plan).map_err(StateError::file(plan))?;
    serde_json::from_slice(&text).map_err(|error| StateError::file(plan)(error.into()))
}
