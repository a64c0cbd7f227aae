//! Installs the operator from its chart, as users do.

use std::path::Path;
use std::process::Stdio;

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::images::BuiltImage;
use commonscloud_cluster::local::{Cluster, NodeKind};
use commonscloud_cluster::{Progress, tools};
use tokio::process::Command;

/// Where the operator runs.
pub(crate) const NAMESPACE: &str = "commonscloud-system";

/// Installs or upgrades the chart of the source tree.
pub(crate) async fn chart(
    cluster: &Cluster,
    images: &[BuiltImage],
    helm: &tools::Tool,
    source: &Path,
    progress: &Progress,
) -> Result<(), Failure> {
    let phase = progress.phase("install the operator with Helm");
    let mut command = Command::new(helm.program("helm"));
    command.args(["upgrade", "--install", "commonscloud"]).arg(source.join("charts/commonscloud"));
    command.args(["--namespace", NAMESPACE, "--create-namespace"]);
    for value in values(cluster, images) {
        command.args(["--set-string", &value]);
    }
    if cluster.node == NodeKind::Simulated {
        // Nothing runs in simulated pods: the operator runs beside the cluster, with the chart's rights.
        command.args(["--set", "replicas=0"]);
    }
    command.env("KUBECONFIG", &cluster.kubeconfig).stdin(Stdio::null());
    let output = command.output().await.map_err(|error| format!("helm cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("helm upgrade --install failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    phase.done();
    Ok(())
}

/// Image and digest of the operator: the digest restarts the pod when the image changed.
fn values(_: &Cluster, images: &[BuiltImage]) -> Vec<String> {
    let Some(operator) = images.iter().find(|image| image.name == "operator") else { return Vec::new() };
    let (repository, tag) = operator.reference.rsplit_once(':').unwrap_or((&operator.reference, "latest"));
    let digest = operator.tar.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    vec![
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
        format!("podAnnotations.commonscloud\\.coop/image={digest}"),
    ]
}
