//! Records that an earlier release wrote, with names and no uids, are completed at the first start; one
//! that names what is not there is not guessed at.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{entity, entity_with};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{conditions, eventually, gone};
use commonscloud_e2e::{Outcome, ensure, ensure_eq, resources};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "records of an earlier release are completed at the first start, and one that does not fit is Unverified",
            completed,
        )
        .apart(),
    ]
}

/// How long a change may take to be told.
const TOLD: Duration = Duration::from_secs(15);
/// Who may delete what holds data: it empties namespaces.
const EMPTIES: &str = "--as=system:serviceaccount:kube-system:namespace-controller";

/// The Entity whose record does not fit what is there.
pub const UNVERIFIED: &str = "earlier-lost";

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
