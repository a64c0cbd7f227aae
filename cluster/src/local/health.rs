//! Whether a cluster is up: asked of its supervisor and of its API server.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::plan::Report;
use super::state::State;
use super::supervisor;

/// A client for the API server that the kubeconfig names.
///
/// # Errors
/// When the file cannot be read or names unusable certificates.
pub async fn client(kubeconfig: &Path) -> Result<Client, kube::Error> {
    let failed = |error: kube::config::KubeconfigError| kube::Error::Service(error.into());
    let kubeconfig = Kubeconfig::read_from(kubeconfig).map_err(failed)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(failed)?;
    // The cluster is on this machine: a proxy in the environment does not lead there.
    config.proxy_url = None;
    config.connect_timeout = Some(Duration::from_secs(2));
    Client::try_from(config)
}

/// Whether the API server says it is ready.
pub(super) async fn is_live(client: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else { return false };
    client.request_text(request).await.is_ok_and(|answer| answer == "ok")
}

/// What the supervisor last said.
pub(super) fn report(folder: &Path) -> Report {
    let text = std::fs::read(supervisor::report_path(folder)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Whether the cluster came up once, all its processes are ready, the API server answers and all
/// nodes are Ready. Takes at most two seconds.
pub(super) async fn is_healthy(folder: &Path, state: &State) -> bool {
    let runs = state.supervisor.is_some_and(super::processes::ProcessId::runs);
    if !(state.complete && runs && report(folder).is_ready()) {
        return false;
    }
    let answers = async {
        let Ok(client) = client(&folder.join("kubeconfig")).await else { return false };
        is_live(&client).await && nodes_are_ready(&client).await
    };
    tokio::time::timeout(Duration::from_secs(2), answers).await.unwrap_or(false)
}

/// Whether there is a node, and all are Ready.
pub(super) async fn nodes_are_ready(client: &Client) -> bool {
    let Ok(nodes) = Api::<Node>::all(client.clone()).list(&ListParams::default()).await else { return false };
    let is_ready = |node: &Node| {
        let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    !nodes.items.is_empty() && nodes.items.iter().all(is_ready)
}
