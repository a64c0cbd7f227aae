//! Installing the operator as users do: Helm and the chart.

use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::command;
use crate::failure::Outcome;

/// The operator's namespace.
pub const NAMESPACE: &str = "commonscloud-system";
/// The operator's service account, as the chart calls it.
pub const SERVICE_ACCOUNT: &str = "commonscloud-operator";
/// The user that the operator is for the API server.
pub const USER: &str = "system:serviceaccount:commonscloud-system:commonscloud-operator";

/// Installs or upgrades the chart with the given values, and waits until Helm says it runs.
///
/// # Errors
/// What Helm printed.
pub async fn install(cluster: &Cluster, values: &Value) -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values.to_string())?;
    let chart = cluster.programs.source.join("charts/commonscloud");
    let (chart, file) = (chart.to_string_lossy(), file.to_string_lossy());
    let words = [
        "upgrade",
        "--install",
        "commonscloud",
        &chart,
        "--namespace",
        NAMESPACE,
        "--create-namespace",
        "--values",
        &file,
        "--wait",
        "--timeout",
        "3m",
    ];
    let kubeconfig = cluster.facts.kubeconfig.to_string_lossy();
    let limit = Duration::from_secs(200);
    let finished = command::run(&cluster.programs.helm, &words, &[("KUBECONFIG", &kubeconfig)], None, limit).await?;
    finished.succeeded("helm upgrade --install").map(drop)
}
