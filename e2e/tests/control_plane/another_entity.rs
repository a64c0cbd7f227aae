//! Another organisation under an old name does not inherit the old one's data.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, gone, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new(
        "another organisation under an old name waits, and spec.adopt of the old uid lets it in",
        adopted,
    )]
}

/// How long a change may take to be told.
const TOLD: Duration = Duration::from_secs(15);

async fn secret(tier: &ControlPlane, namespace: &str) -> Outcome<String> {
    let words = ["get", "secret", "site-admin", "-n", namespace, "-o", "jsonpath={.metadata.uid} {.data.password}"];
    tier.cluster.kubectl.ok(&words).await
}

async fn delete(tier: &ControlPlane, name: &str) -> Outcome {
    tier.cluster.kubectl.ok(&["delete", "entity", name, "--timeout=60s"]).await?;
    gone(&tier.entities(), name, READY).await
}

/// Waits until the service says whose the data is.
async fn waits(tier: &ControlPlane, namespace: &str, uid: &str) -> Outcome {
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", namespace);
    eventually("the service says whose the data is", TOLD, async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
        ensure!(ready["reason"] == "DataOfAnother", "{}", conditions(&service));
        let message = ready["message"].as_str().unwrap_or_default();
        for words in [uid, "Cooperativa another-entity", "kubectl patch entity another-entity"] {
            ensure!(message.contains(words), "no {words:?} in {message}");
        }
        Ok(())
    })
    .await
}

async fn adopted(tier: Arc<ControlPlane>) -> Outcome {
    let name = "another-entity";
    let manifest = entity_with(name, "radicale");
    let first = tier.running(&manifest).await?;
    let (uid, password) = (first["metadata"]["uid"].as_str().unwrap_or_default(), secret(&tier, name).await?);
    delete(&tier, name).await?;

    let mut other: Value = manifest.clone();
    other["spec"]["displayName"] = json!("Quite another association");
    tier.cluster.applied(std::slice::from_ref(&other)).await?;
    waits(&tier, name, uid).await?;

    other["spec"]["adopt"] = json!(["00000000-0000-4000-8000-000000000000"]);
    tier.cluster.applied(std::slice::from_ref(&other)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    waits(&tier, name, uid).await?;

    other["spec"]["adopt"] = json!([uid]);
    let second = tier.running(&other).await?;
    ensure_eq!(secret(&tier, name).await?, password, "the Secret of the data");
    let records = resources::ours_in(&tier.cluster.client, "ServiceData", name);
    let record = serde_json::to_value(records.get("site").await?)?;
    ensure_eq!(record["spec"]["entity"]["uid"], second["metadata"]["uid"], "whose the data is now");

    // The same manifest again needs no word.
    other["spec"]["adopt"] = json!([]);
    delete(&tier, name).await?;
    tier.cluster.applied(&[other]).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    eventually("the service is there again", READY, async || Ok(services.get("site").await?)).await?;
    ready(&services, "site", READY).await?;
    ensure_eq!(secret(&tier, name).await?, password, "the Secret of the data");
    Ok(())
}
