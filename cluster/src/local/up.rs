//! Bringing a cluster up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::control_plane::{self, Credentials};
use super::launch::{self, LaunchError};
use super::name::ClusterName;
use super::pki::{Authority, PkiError, Subject};
use super::plan::{self, Plan, Process, Report};
use super::processes::ProcessId;
use super::state::{self, Room, State, StateError};
use super::sweep::{SweepError, sweep};
use super::{Cluster, NodeKind, UpOptions, down, health, kubeconfig, real, simulated};
use crate::progress::Progress;
use crate::{apply, images, packages, tools};

/// How long a cluster may take from its first process to Ready nodes.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long a cluster that was up may take to be healthy again.
const RECOVERY: Duration = Duration::from_secs(30);
/// How often its report is read.
const ASK: Duration = Duration::from_millis(50);
/// A process that ended this often is said to fail, and not waited for any longer.
const RESTARTS: u32 = 8;

/// Why a cluster did not come up.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// State on disk.
    #[error(transparent)]
    State(#[from] StateError),
    /// What an earlier cluster of this name left cannot be removed.
    #[error("what an earlier start left cannot be removed: {0}")]
    Sweep(#[from] SweepError),
    /// A tool is missing.
    #[error(transparent)]
    Tool(#[from] tools::Error),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The supervisor did not start.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Objects that belong to the cluster were refused.
    #[error("the cluster's own objects: {0}")]
    Apply(#[from] apply::ApplyError),
    /// A cluster of that name is up, and is something else.
    #[error("cluster {name} has {kind} nodes: take it down first (`commonscloud cluster down --name {name}`) or choose another --name", kind = match node { NodeKind::Real => "real", NodeKind::Simulated => "simulated" })]
    OtherKind {
        /// Its name.
        name: ClusterName,
        /// What its nodes are.
        node: NodeKind,
    },
    /// A real node without root.
    #[error("a real node needs root: run this as root, or choose --node simulated")]
    NotRoot,
    /// Debian packages.
    #[error(transparent)]
    Package(#[from] packages::PackageError),
    /// Images of the cluster's own pods cannot be built.
    #[error(transparent)]
    Image(#[from] images::Error),
    /// An image was not imported.
    #[error(transparent)]
    Import(#[from] real::image_store::ImportError),
    /// The system refused a step.
    #[error("{step}: {source}")]
    System {
        /// The step, in words.
        step: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// No port is free.
    #[error("no loopback port can be had: {0}")]
    Ports(std::io::Error),
    /// A component does not come up.
    #[error("{component} does not become ready{why}; the end of {log}:\n{tail}\nThe other logs lie beside it; the next `up` starts afresh, `down` removes everything", log = log.display())]
    NotReady {
        /// Which one.
        component: String,
        /// How it ended, if it did.
        why: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The API server cannot be talked to.
    #[error("asking the API server: {0}")]
    Api(#[from] Box<kube::Error>),
}

impl UpError {
    pub(super) fn system(step: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::System { step, source }
    }
}

/// Brings the cluster up, or finds it up. One that is half up, or ill, is removed and made anew.
///
/// # Errors
/// What is missing, or which component did not come up, with its last log lines.
pub async fn up(options: &UpOptions, progress: &Progress) -> Result<Cluster, UpError> {
    let room = down::take(&options.name).await?;
    if let Some(state) = state::read(room.folder()) {
        let healthy = becomes_healthy(room.folder(), &state).await;
        if healthy && state.node != options.node {
            return Err(UpError::OtherKind { name: state.name, node: state.node });
        }
        if let (true, Some(supervisor)) = (healthy, state.supervisor) {
            if state.node == NodeKind::Real {
                real::image_store::import(room.folder(), supervisor.pid, &options.images).await?;
            }
            return Ok(describe(room.folder(), &state));
        }
    }
    if room.folder().exists() {
        let phase = progress.phase("remove what an earlier start left");
        sweep(&options.name, room.folder()).await?;
        phase.done();
    }
    let state = match options.node {
        NodeKind::Simulated => simulated_up(options, &room, progress).await?,
        NodeKind::Real => real::start::start(options, &room, progress).await?,
    };
    let state = State { complete: true, ..state };
    room.write(&state)?;
    Ok(describe(room.folder(), &state))
}

/// Whether the cluster is healthy, now or after a moment: a process that is being started again is
/// no reason to throw away all that runs.
async fn becomes_healthy(folder: &Path, state: &State) -> bool {
    let deadline = Instant::now() + RECOVERY;
    while !health::is_healthy(folder, state).await {
        let hopeless = !state.complete || !state.supervisor.is_some_and(ProcessId::runs);
        if hopeless || Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(ASK).await;
    }
    true
}

async fn simulated_up(options: &UpOptions, room: &Room, progress: &Progress) -> Result<State, UpError> {
    let kubernetes = tools::ensure("kubernetes", &options.source, progress).await?;
    let etcd = tools::ensure("etcd", &options.source, progress).await?;
    let kwok = tools::ensure("kwok", &options.source, progress).await?;
    let phase = progress.phase("control plane");
    let state = claim(options, room, simulated::free_ports().map_err(UpError::Ports)?)?;
    let folder = room.folder();
    let addresses = simulated::addresses(&state.ports);
    let credentials = Credentials::create(&folder.join("pki"), &addresses)?;
    let admin = administrator(folder, &credentials, &state.name, &addresses.api_server.to_string())?;
    // There is no ingress; the file is there so that whoever names it finds one.
    Authority::create(folder, "ingress-ca")?;
    link_kubectl(folder, &kubernetes)?;
    let mut processes = control_plane::processes(folder, &kubernetes, &etcd, &addresses, &credentials, &admin)?;
    let this = launch::keep_program(folder)?;
    processes.extend(simulated::processes(&kwok, &this, &admin, &state.ports));
    let plan = Plan { folder: folder.to_path_buf(), node: None, processes };
    let supervisor = launch::start(&plan)?;
    let state = State { supervisor: Some(supervisor), ..state };
    room.write(&state)?;
    wait_for_processes(folder, &plan.processes, &[control_plane::API_SERVER]).await?;
    phase.done();
    let phase = progress.phase("simulated nodes");
    let client = health::client(&admin).await.map_err(Box::new)?;
    apply::apply(&client, apply::parse(Path::new("simulated.yaml"), simulated::MANIFESTS)?).await?;
    wait_for_processes(folder, &plan.processes, &[]).await?;
    wait_for_nodes(folder, &client, "kwok").await?;
    phase.done();
    Ok(state)
}

/// Records what is going to be made, before anything is.
pub(super) fn claim(options: &UpOptions, room: &Room, ports: Vec<u16>) -> Result<State, StateError> {
    let state =
        State { name: options.name.clone(), node: options.node, index: 0, ports, supervisor: None, complete: false };
    room.claim(state, |index| real::network::exists(&real::network::link(index)))
}

/// Writes the administrator's kubeconfig.
pub(super) fn administrator(
    folder: &Path,
    credentials: &Credentials,
    name: &ClusterName,
    server: &str,
) -> Result<PathBuf, PkiError> {
    let subject = Subject::member("administrator", "system:masters");
    let pair = credentials.authority.issue("admin", &subject, &[])?;
    let path = folder.join("kubeconfig");
    let context = format!("commonscloud-{name}");
    kubeconfig::write(&path, &context, &format!("https://{server}"), &credentials.authority.files.certificate, &pair)?;
    Ok(path)
}

pub(super) fn link_kubectl(folder: &Path, kubernetes: &tools::Tool) -> Result<(), StateError> {
    let link = folder.join("kubectl");
    std::os::unix::fs::symlink(kubernetes.program("kubectl"), &link).map_err(StateError::file(&link))
}

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

/// What is known about a cluster from its folder alone.
fn describe(folder: &Path, state: &State) -> Cluster {
    Cluster {
        name: state.name.clone(),
        node: state.node,
        kubeconfig: folder.join("kubeconfig"),
        kubectl: folder.join("kubectl"),
        ca_certificate: folder.join("ingress-ca.crt"),
        base_domain: state.name.base_domain(),
        node_ip: (state.node == NodeKind::Real).then(|| real::network::node(state.index)),
        audit_log: control_plane::audit_log(folder),
        folder: folder.to_path_buf(),
    }
}

/// A cluster and how it is doing.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// What it is.
    pub cluster: Cluster,
    /// Whether all its processes and nodes are ready and its API server answers.
    pub healthy: bool,
    /// Its processes, as their supervisor last said.
    pub processes: Report,
}

/// The cluster of that name, whether it is healthy or not; none if there is none.
///
/// # Errors
/// When the cache folder is unknown.
pub fn find(name: &ClusterName) -> Result<Option<Cluster>, StateError> {
    let folder = state::folder(name)?;
    Ok(state::read(&folder).map(|state| describe(&folder, &state)))
}

/// How the cluster of that name is doing; none if there is none.
///
/// # Errors
/// When the cache folder is unknown.
pub async fn status(name: &ClusterName) -> Result<Option<Status>, StateError> {
    let folder = state::folder(name)?;
    let Some(state) = state::read(&folder) else { return Ok(None) };
    let healthy = health::is_healthy(&folder, &state).await;
    Ok(Some(Status { cluster: describe(&folder, &state), healthy, processes: health::report(&folder) }))
}

/// Names of all clusters of this user, sorted.
///
/// # Errors
/// When the cache folder cannot be read.
pub fn list() -> Result<Vec<ClusterName>, StateError> {
    Ok(state::all()?.into_iter().map(|state| state.name).collect())
}
