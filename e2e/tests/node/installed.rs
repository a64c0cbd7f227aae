//! What one `helm install` ends with, and what the chart's hooks say as pods with their own rights.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::{NAMESPACE, RELEASE, helm};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, manifests, resources};
use serde_json::{Value, json};

use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("one helm install ended with the operator, a Platform and a Tariff", installed),
        Scenario::new("helm test says that the operator works", tested),
        Scenario::new("the hook of an uninstallation counts the tenants", counted),
    ]
}

/// How long a pod of a hook may take.
const HOOK: Duration = Duration::from_mins(2);

async fn installed(tier: Arc<Node>) -> Outcome {
    let client = &tier.cluster.client;
    let platforms = resources::ours(client, "Platform");
    eventually("the Platform is Ready", HOOK, async || {
        is_ready(&serde_json::to_value(platforms.get("default").await?)?)
    })
    .await?;
    let tariff = serde_json::to_value(resources::ours(client, "Tariff").get(manifests::TARIFF).await?)?;
    ensure_eq!(tariff["spec"]["currency"], json!("EUR"), "the Tariff of the values");
    for object in [serde_json::to_value(platforms.get("default").await?)?, tariff] {
        let annotations = &object["metadata"]["annotations"];
        ensure_eq!(annotations["helm.sh/resource-policy"], json!("keep"), "stays when the release goes");
        ensure_eq!(annotations["meta.helm.sh/release-name"], json!(RELEASE.name), "the release's own");
    }
    Ok(())
}

async fn tested(tier: Arc<Node>) -> Outcome {
    let words = ["test", RELEASE.name, "--namespace", NAMESPACE, "--timeout", "2m"];
    helm(&tier.cluster, &words).await?.succeeded("helm test").map(drop)
}

/// The manifest of a hook of the release.
async fn hook(tier: &Node, name: &str) -> Outcome<Value> {
    let hooks = helm(&tier.cluster, &["get", "hooks", RELEASE.name, "--namespace", NAMESPACE]).await?;
    let hooks = hooks.succeeded("helm get hooks")?;
    let found = hooks.split("\n---").find(|hook| hook.contains(&format!("name: {name}\n")));
    let found = found.ok_or_else(|| Failure::new(format!("the release has no hook {name}: {hooks}")))?;
    Ok(serde_yaml::from_str(found.trim_start_matches("---"))?)
}

async fn counted(tier: Arc<Node>) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    let job = hook(&tier, "commonscloud-uninstall").await?.to_string();
    kubectl.run(&["create", "-f", "-"], Some(job.as_bytes())).await?.succeeded("kubectl create")?;
    let job = "job/commonscloud-uninstall";
    let waited =
        kubectl.run(&["wait", job, "-n", NAMESPACE, "--for=condition=complete", "--timeout=100s"], None).await?;
    let said = kubectl.ok(&["logs", job, "-n", NAMESPACE]).await?;
    kubectl.ok(&["delete", job, "-n", NAMESPACE, "--wait=false"]).await?;
    waited.succeeded(&said)?;
    ensure!(said.starts_with("Entities: ") && said.contains("All of it stays"), "{said}");
    Ok(())
}
