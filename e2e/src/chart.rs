//! Installing the operator as users do: Helm and the chart.

use std::path::Path;
use std::time::Duration;

use kube::api::PatchParams;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::command::Finished;
use crate::failure::{Failure, Outcome};
use crate::resources::Doors;
use crate::wait::eventually;
use crate::{command, ensure, manifests};

/// The operator's namespace.
pub const NAMESPACE: &str = "commonscloud-system";
/// The operator's service account, as the chart calls it.
pub const SERVICE_ACCOUNT: &str = "commonscloud-operator";
/// The user that the operator is for the API server.
pub const USER: &str = "system:serviceaccount:commonscloud-system:commonscloud-operator";

/// The release that every tier has.
pub const RELEASE: Release = Release { name: "commonscloud", namespace: NAMESPACE, service_account: SERVICE_ACCOUNT };

/// A release of the chart, and who its operator is.
#[derive(Debug, Clone, Copy)]
pub struct Release {
    /// Its name.
    pub name: &'static str,
    /// The operator's namespace.
    pub namespace: &'static str,
    /// The operator's service account.
    pub service_account: &'static str,
}

/// Installs or upgrades the chart with the given values, and waits until Helm says it runs and the
/// policies judge.
///
/// # Errors
/// What Helm printed, or what a policy still says after a minute.
pub async fn install(cluster: &Cluster, values: &Value) -> Outcome {
    install_as(cluster, RELEASE, values, &[]).await
}

/// The same of any release, with further words for Helm.
///
/// # Errors
/// As [`install`].
pub async fn install_as(cluster: &Cluster, release: Release, values: &Value, further: &[&str]) -> Outcome {
    let mut values = values.clone();
    values["serviceAccount"] = json!({"name": release.service_account});
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values.to_string())?;
    let chart = cluster.programs.source.join("charts/commonscloud");
    let (chart, file) = (chart.to_string_lossy(), file.to_string_lossy());
    let mut words = vec!["upgrade", "--install", release.name, &chart, "--namespace", release.namespace];
    words.extend(["--create-namespace", "--values", &file, "--wait", "--timeout", "3m"]);
    words.extend(further);
    helm(cluster, &words).await?.succeeded("helm upgrade --install")?;
    eventually("the policies judge", Duration::from_mins(1), async || policies_judge(cluster).await).await
}

/// Runs Helm as the cluster's administrator.
///
/// # Errors
/// When it cannot be started, or does not end in time.
pub async fn helm(cluster: &Cluster, words: &[&str]) -> Outcome<Finished> {
    let kubeconfig = cluster.facts.kubeconfig.to_string_lossy();
    let limit = Duration::from_secs(200);
    command::run(&cluster.programs.helm, words, &[("KUBECONFIG", &kubeconfig)], None, limit).await
}

/// The operator's memory limit, as the chart sets it, in MiB.
///
/// # Errors
/// When it is not told in Mi.
pub fn memory_limit(source: &Path) -> Outcome<u64> {
    let values = std::fs::read_to_string(source.join("charts/commonscloud/values.yaml"))?;
    let values: Value = serde_yaml::from_str(&values)?;
    let limit = values.pointer("/resources/limits/memory").and_then(Value::as_str).unwrap_or_default();
    let mebibytes = limit.strip_suffix("Mi").and_then(|number| number.parse().ok());
    mebibytes.ok_or_else(|| Failure::new(format!("resources.limits.memory {limit:?} of the chart is not in Mi")))
}

/// A policy that is asked before the kind of its parameters is in discovery refuses everything for
/// up to half a minute. So kubectl must know the kinds before the first question.
async fn policies_judge(cluster: &Cluster) -> Outcome {
    cluster.kubectl.ok(&["get", "platforms,tariffs,entities,dedicatedservices,collectives"]).await?;
    let service = json!({"template": "radicale", "tier": "1gb"});
    let questions = [
        manifests::entity_with_office("policies-judge"),
        manifests::namespaced("DedicatedService", "default", "policies-judge", service),
    ];
    let doors = Doors::discover(&cluster.client, &questions).await?;
    for question in &questions {
        if let Err(refusal) = doors.apply(question, &PatchParams::apply("kubectl").dry_run()).await {
            ensure!(!refusal.to_string().contains("failed to configure"), "{refusal}");
        }
    }
    Ok(())
}
