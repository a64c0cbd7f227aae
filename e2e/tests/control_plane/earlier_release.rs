//! Records that an earlier release wrote, with names and no uids, are completed at the first start; one
//! that names what is not there is not guessed at.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{entity, entity_with};
use commonscloud_e2e::operator::HostOperator;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{conditions, eventually, gone};
use commonscloud_e2e::{Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::template;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

/// A checkout of an earlier release whose operator is built: with it, one more scenario runs.
const EARLIER: &str = "COMMONSCLOUD_EARLIER";

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    let mut scenarios = vec![
        Scenario::new(
            "records of an earlier release are completed at the first start, and one that does not fit is Unverified",
            completed,
        )
        .apart(),
    ];
    if std::env::var_os(EARLIER).is_some() {
        let name = "what the operator of an earlier release made goes on under this one and back, and no pod restarts";
        scenarios.push(Scenario::new(name, two_builds).apart());
    }
    scenarios
}

/// How long a change may take to be told.
const TOLD: Duration = Duration::from_secs(15);
/// Who may delete what holds data: it empties namespaces.
const EMPTIES: &str = "--as=system:serviceaccount:kube-system:namespace-controller";

/// The Entity whose record does not fit what is there.
const UNVERIFIED: &str = "earlier-lost";

/// Makes the record say what 98b1c24 would have written, as the operator that is down.
async fn forget_uids(tier: &ControlPlane, namespace: &str) -> Outcome {
    let client = tier.cluster.impersonate(USER, &[]).await?;
    let records = resources::ours_in(&client, "ServiceData", namespace);
    let record = serde_json::to_value(records.get("site").await?)?;
    let named = |list: &str, field: &str| -> Value {
        let items = record["spec"][list].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| json!({"name": item["name"], field: item[field]})).collect()
    };
    let spec = json!({
        "volumes": named("volumes", "claim"), "secrets": named("secrets", "secret"), "entity": null, "images": null,
    });
    records.patch("site", &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await?;
    let status = json!({"status": null});
    records.patch_status("site", &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

async fn record(tier: &ControlPlane, namespace: &str) -> Outcome<Value> {
    let records = resources::ours_in(&tier.cluster.client, "ServiceData", namespace);
    Ok(serde_json::to_value(records.get("site").await?)?)
}

/// Waits until the record knows its claim, its Secret and its Entity.
async fn is_complete(tier: &ControlPlane, namespace: &str) -> Outcome {
    eventually(&format!("the record of {namespace} is completed"), TOLD, async || {
        let record = record(tier, namespace).await?;
        let spec = &record["spec"];
        for known in [&spec["volumes"][0]["uid"], &spec["volumes"][0]["volumeName"], &spec["secrets"][0]["uid"]] {
            ensure!(known.is_string(), "{spec}");
        }
        ensure!(spec["secrets"][0]["keys"].as_array().is_some_and(|keys| keys.len() == 2), "{spec}");
        ensure!(spec["entity"]["displayName"].is_string(), "{spec}");
        ensure!(!conditions(&record).contains("Unverified"), "{}", conditions(&record));
        Ok(())
    })
    .await
}

async fn completed(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (runs, kept, lost) = ("earlier-runs", "earlier-kept", UNVERIFIED);
    for name in [runs, kept, lost] {
        tier.running(&entity_with(name, "radicale")).await?;
    }
    tier.cluster.kubectl.ok(&["delete", "entity", kept, "--timeout=60s"]).await?;
    gone(&tier.entities(), kept, READY).await?;
    tier.running(&entity(lost, json!({}))).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", lost);
    gone(&services, "site", READY).await?;

    tier.stop_operator().await?;
    for name in [runs, kept, lost] {
        forget_uids(&tier, name).await?;
    }
    let kubectl = &tier.cluster.kubectl;
    let claim = "persistentvolumeclaim/site-data";
    kubectl.ok(&["delete", claim, "-n", lost, EMPTIES, "--timeout=60s"]).await?;
    tier.start_operator().await?;

    is_complete(&tier, runs).await?;
    is_complete(&tier, kept).await?;
    eventually("what does not fit is Unverified", TOLD, async || {
        let record = record(&tier, lost).await?;
        let told = conditions(&record);
        ensure!(told.contains("Unverified") && told.contains("site-data"), "{told}");
        ensure!(record["spec"]["secrets"][0]["uid"].is_null(), "a part of it was recorded: {}", record["spec"]);
        Ok(())
    })
    .await?;
    tier.cluster.applied(&[entity_with(lost, "radicale")]).await?;
    eventually("the service is Unverified too", TOLD, async || {
        let told = conditions(&serde_json::to_value(services.get("site").await?)?);
        ensure!(told.contains("Unverified") && told.contains("--without site-data"), "{told}");
        Ok(())
    })
    .await?;
    let words = ["get", claim, "-n", lost, "--ignore-not-found", "-o", "name"];
    ensure_eq!(kubectl.ok(&words).await?, "", "the claim was made anew");
    Ok(())
}

/// The uids of all pods of a namespace.
async fn pods(tier: &ControlPlane, namespace: &str) -> Outcome<BTreeSet<String>> {
    let pods: Api<Pod> = Api::namespaced(tier.cluster.client.clone(), namespace);
    let pods = pods.list(&ListParams::default()).await?;
    Ok(pods.items.into_iter().filter_map(|pod| pod.metadata.uid).collect())
}

/// Two programs, each from its own checkout: nobody takes anything off a record by hand.
async fn two_builds(tier: Arc<ControlPlane>) -> Outcome {
    let checkout = PathBuf::from(std::env::var_os(EARLIER).unwrap_or_default());
    let tier = tier.aside().await?;
    let program = checkout.join("target/release/commonscloud-operator");
    let mut package = json!(template::load_directory(&checkout.join("examples/templates/radicale.yaml"))?);
    package["metadata"]["name"] = json!("radicale-earlier");
    let (runs, kept) = ("two-builds-runs", "two-builds-kept");

    tier.stop_operator().await?;
    let earlier = async || HostOperator::start_other(&program, &tier.kubeconfig(), &tier.log()).await;
    let first = earlier().await?;
    tier.cluster.applied(&[package]).await?;
    for name in [runs, kept] {
        tier.running(&entity_with(name, "radicale-earlier")).await?;
    }
    tier.cluster.kubectl.ok(&["delete", "entity", kept, "--timeout=60s"]).await?;
    gone(&tier.entities(), kept, READY).await?;
    let before = pods(&tier, runs).await?;
    ensure!(!before.is_empty(), "the service has no pod");
    ensure!(record(&tier, runs).await?["spec"]["volumes"][0]["uid"].is_null(), "{program:?} is of no earlier release");
    first.stop().await?;

    tier.start_operator().await?;
    is_complete(&tier, runs).await?;
    is_complete(&tier, kept).await?;
    tier.running(&entity_with(runs, "radicale-earlier")).await?;
    ensure_eq!(pods(&tier, runs).await?, before, "pods restarted");

    tier.stop_operator().await?;
    let back = earlier().await?;
    tier.running(&entity_with(runs, "radicale-earlier")).await?;
    ensure_eq!(pods(&tier, runs).await?, before, "pods restarted as the earlier release came back");
    back.stop().await?;
    tier.start_operator().await?;
    is_complete(&tier, runs).await?;
    tier.running(&entity_with(kept, "radicale-earlier")).await?;
    is_complete(&tier, kept).await
}
