//! Deleting a service or an entity ends soon, keeps its data, and applying again adopts it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity, entity_with_office, namespaced};
use commonscloud_e2e::objects::{Kinds, treasures};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, gone, ready};
use commonscloud_e2e::{Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "an office deleted in the foreground is gone soon, its data stays, and applying again adopts it",
            office,
        ),
        Scenario::new("an entity deleted is gone soon, its data stays, and applying again adopts it", whole_entity),
        Scenario::new("a service taken out of its entity goes, its data stays until a date", taken_out),
        Scenario::new("kept data cannot be deleted or unlabelled by hand", kept_from_hands),
    ]
}

/// Every deletion ends within this.
const END: Duration = Duration::from_mins(1);

async fn data(tier: &ControlPlane, kinds: &Kinds, namespace: &str) -> Outcome<BTreeMap<String, Value>> {
    Ok(treasures(&kinds.all(&tier.cluster.client, namespace).await?))
}

async fn delete(tier: &ControlPlane, words: &[&str]) -> Outcome {
    let mut all = vec!["delete"];
    all.extend(words);
    all.push("--timeout=60s");
    tier.cluster.kubectl.ok(&all).await.map(drop)
}

/// The `ServiceData` records of a namespace by name.
async fn record(tier: &ControlPlane, namespace: &str, name: &str) -> Outcome<Value> {
    let api = resources::ours_in(&tier.cluster.client, "ServiceData", namespace);
    Ok(serde_json::to_value(api.get(name).await?)?)
}

async fn office(tier: Arc<ControlPlane>) -> Outcome {
    let name = "deleted-office";
    tier.running(&entity(name, json!({}))).await?;
    let office = namespaced("DedicatedOffice", name, "second", json!({"tier": "1gb"}));
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    tier.cluster.applied(std::slice::from_ref(&office)).await?;
    ready(&offices, "second", READY).await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let before = data(&tier, &kinds, name).await?;
    ensure!(before.keys().any(|key| key.starts_with("Secret/second-")), "no generated Secret in {:?}", before.keys());

    delete(&tier, &["dedicatedoffice", "second", "-n", name, "--cascade=foreground"]).await?;
    ensure_eq!(data(&tier, &kinds, name).await?, before, "volumes and Secrets after the deletion");
    ensure!(record(&tier, name, "second").await?["spec"]["keepUntil"].is_string(), "the record says no date");
    let left = kinds.all(&tier.cluster.client, name).await?;
    let workloads =
        left.keys().filter(|key| key.starts_with("Deployment/second") || key.starts_with("StatefulSet/second"));
    ensure_eq!(workloads.count(), 0, "workloads left");

    tier.cluster.applied(&[office]).await?;
    let again = ready(&offices, "second", READY).await?;
    ensure_eq!(data(&tier, &kinds, name).await?, before, "volumes and Secrets after applying again");
    let record = record(&tier, name, "second").await?;
    ensure_eq!(record["spec"]["owner"]["uid"], again["metadata"]["uid"], "whose the data is now");
    ensure!(record["spec"]["keepUntil"].is_null(), "data in use still has a date: {record}");
    Ok(())
}

async fn whole_entity(tier: Arc<ControlPlane>) -> Outcome {
    let name = "deleted-entity";
    let services =
        json!({"office": {"tier": "1gb"}, "others": [{"name": "site", "template": "radicale", "tier": "1gb"}]});
    let manifest = entity(name, services);
    tier.running(&manifest).await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let before = data(&tier, &kinds, name).await?;

    delete(&tier, &["entity", name]).await?;
    gone(&tier.entities(), name, END).await?;
    ensure_eq!(data(&tier, &kinds, name).await?, before, "volumes and Secrets after the deletion");
    eventually("nothing of the entity runs", END, async || {
        let left = kinds.all(&tier.cluster.client, name).await?;
        let running: Vec<&String> = left
            .keys()
            .filter(|key| {
                ["Deployment/", "StatefulSet/", "Ingress/", "CronJob/", "DedicatedOffice/", "DedicatedService/"]
                    .iter()
                    .any(|kind| key.starts_with(kind))
            })
            .collect();
        ensure!(running.is_empty(), "{running:?}");
        Ok(())
    })
    .await?;
    for instance in ["office", "site"] {
        ensure!(
            record(&tier, name, instance).await?["spec"]["keepUntil"].is_string(),
            "{instance}: the record says no date"
        );
    }

    tier.running(&manifest).await?;
    ensure_eq!(data(&tier, &kinds, name).await?, before, "volumes and Secrets after applying again");
    Ok(())
}

async fn taken_out(tier: Arc<ControlPlane>) -> Outcome {
    let name = "taken-out";
    tier.running(&entity_with_office(name)).await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let before = data(&tier, &kinds, name).await?;
    tier.running(&entity(name, json!({}))).await?;
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    gone(&offices, "office", END).await?;
    ensure_eq!(data(&tier, &kinds, name).await?, before, "volumes and Secrets after the service was taken out");
    let shown = tier.cluster.kubectl.ok(&["get", "servicedata", "-n", name]).await?;
    ensure!(shown.contains("KEEP UNTIL") && shown.contains("office"), "{shown}");
    tier.running(&entity_with_office(name)).await?;
    ensure_eq!(data(&tier, &kinds, name).await?, before, "volumes and Secrets after it was put back");
    Ok(())
}

async fn kept_from_hands(tier: Arc<ControlPlane>) -> Outcome {
    let name = "kept-from-hands";
    tier.running(&entity_with_office(name)).await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let before = data(&tier, &kinds, name).await?;
    for key in before.keys() {
        // Only what is marked as data; a copied platform Secret is not.
        let words = ["get", "-n", name, key, "-o", r"jsonpath={.metadata.labels.commonscloud\.coop/data}"];
        if tier.cluster.kubectl.ok(&words).await? != "true" {
            continue;
        }
        let deleted = tier.cluster.kubectl.run(&["delete", "-n", name, key, "--wait=false"], None).await?;
        let message = deleted.refused(&format!("deleting {key}"))?;
        ensure!(message.contains("denied request"), "{message}");
        let unlabelled = tier.cluster.kubectl.run(&["label", "-n", name, key, "commonscloud.coop/data-"], None).await?;
        unlabelled.refused(&format!("taking the label off {key}"))?;
    }
    let deleted = tier.cluster.kubectl.run(&["delete", "namespace", name, "--wait=false"], None).await?;
    deleted.refused("deleting the namespace")?;
    ensure_eq!(data(&tier, &kinds, name).await?, before, "volumes and Secrets");
    Ok(())
}
