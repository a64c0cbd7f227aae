//! Bringing a cluster up.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::control_plane::{self, Credentials};
use super::error::UpError;
use super::founding::{administrator, claim, link_kubectl};
use super::launch;
use super::name::ClusterName;
use super::pki::Authority;
use super::plan::{Plan, Report};
use super::processes::ProcessId;
use super::state::{self, Room, State, StateError};
use super::sweep::sweep;
use super::wait::{ASK, wait_for_nodes, wait_for_processes};
use super::{Cluster, NodeKind, UpOptions, down, health, real, simulated};
use crate::progress::Progress;
use crate::{apply, tools};

/// How long a cluster that was up may take to be healthy again.
const RECOVERY: Duration = Duration::from_secs(30);

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

/// What the nodes of the cluster of that name are to be: what was asked for, else what they are, and
/// where there is no cluster yet what is [`permitted`].
///
/// # Errors
/// When the cache folder is unknown.
pub fn node_kind(name: &ClusterName, asked: Option<NodeKind>) -> Result<NodeKind, StateError> {
    let there = find(name)?.map(|cluster| cluster.node);
    Ok(asked.or(there).unwrap_or_else(permitted))
}

/// What the nodes of a new cluster are when nothing is said: real ones for root, simulated ones for
/// everybody else.
pub fn permitted() -> NodeKind {
    if nix::unistd::geteuid().is_root() { NodeKind::Real } else { NodeKind::Simulated }
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
