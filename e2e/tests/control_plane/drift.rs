//! What others do to an instance's objects is undone, from the watch event.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::objects::{Kinds, comparable, differences};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

/// Repairs come from watch events, never from a resync.
const REPAIR: Duration = Duration::from_secs(15);

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("every child that is deleted comes back", deleted),
        Scenario::new("an edited child is set right", edited),
        Scenario::new("a label taken off a child comes back", unlabelled),
        Scenario::new("a door opened in a network policy is closed", opened),
        Scenario::new("a container slipped into a workload is removed", slipped_in),
    ]
}

/// The disposable children of the office: those with an owner.
async fn children(tier: &ControlPlane, namespace: &str, kinds: &Kinds) -> Outcome<Vec<(String, Value)>> {
    let all = kinds.all(&tier.cluster.client, namespace).await?;
    let owned = |object: &Value| {
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners.into_iter().flatten().any(|owner| owner["kind"] == "DedicatedOffice")
    };
    Ok(all.into_iter().filter(|(_, object)| owned(object)).collect())
}

/// The resource and name as kubectl wants them: `kind.version.group/name`.
fn handle(object: &Value) -> Outcome<String> {
    let kind = object["kind"].as_str().ok_or_else(|| Failure::new(format!("no kind in {object}")))?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let version = object["apiVersion"].as_str().unwrap_or_default();
    Ok(match version.split_once('/') {
        Some((group, version)) => format!("{kind}.{version}.{group}/{name}"),
        None => format!("{kind}/{name}"),
    })
}

async fn deleted(tier: Arc<ControlPlane>) -> Outcome {
    let name = "drift-deleted";
    tier.running(&entity_with_office(name)).await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let before = kinds.all(&tier.cluster.client, name).await?;
    let owned = children(&tier, name, &kinds).await?;
    ensure!(owned.len() >= 8, "an office has only {} disposable children", owned.len());
    let mut words = vec!["delete".to_owned(), "-n".to_owned(), name.to_owned(), "--wait=false".to_owned()];
    for (_, object) in &owned {
        words.push(handle(object)?);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    tier.cluster.kubectl.ok(&words).await?;
    eventually("all children are there again", Duration::from_secs(30), async || {
        let now = kinds.all(&tier.cluster.client, name).await?;
        for (key, old) in &owned {
            let new = now.get(key).ok_or_else(|| Failure::new(format!("{key} is missing")))?;
            ensure!(new["metadata"]["uid"] != old["metadata"]["uid"], "{key} is still the old one");
        }
        let lines = differences(&comparable(&before, name)?, &comparable(&now, name)?);
        ensure!(lines.is_empty(), "{}", lines.join("\n"));
        Ok(())
    })
    .await?;
    ready(&tier.entities(), name, READY).await.map(drop)
}

/// Changes the first object of a kind with a JSON patch, and waits until it is as it was.
async fn undone(tier: &ControlPlane, namespace: &str, kind: &str, patch: &Value) -> Outcome {
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let all = kinds.all(&tier.cluster.client, namespace).await?;
    let (key, before) = all
        .iter()
        .find(|(key, object)| {
            key.starts_with(&format!("{kind}/"))
                && object["metadata"]["labels"]["commonscloud.coop/instance"] == "office"
        })
        .ok_or_else(|| Failure::new(format!("the office has no {kind}")))?;
    let single = |object: &Value| comparable(&[(key.clone(), object.clone())].into(), namespace);
    let name = handle(before)?;
    let text = patch.to_string();
    tier.cluster.kubectl.ok(&["patch", "-n", namespace, &name, "--type", "json", "-p", &text]).await?;
    eventually(&format!("{key} is set right after {text}"), REPAIR, async || {
        let words = ["get", "-n", namespace, &name, "-o", "json"];
        let now: Value = serde_json::from_str(&tier.cluster.kubectl.ok(&words).await?)?;
        ensure!(now["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"], "it was not changed");
        let lines = differences(&single(before)?, &single(&now)?);
        ensure!(lines.is_empty(), "{}", lines.join("\n"));
        Ok(())
    })
    .await
}

async fn edited(tier: Arc<ControlPlane>) -> Outcome {
    let name = "drift-edited";
    tier.running(&entity_with_office(name)).await?;
    let image = "/spec/template/spec/containers/0/image";
    undone(&tier, name, "Deployment", &json!([{"op": "replace", "path": image, "value": "docker.io/local/other:1"}]))
        .await?;
    undone(&tier, name, "Deployment", &json!([{"op": "replace", "path": "/spec/replicas", "value": 3}])).await?;
    undone(&tier, name, "StatefulSet", &json!([{"op": "replace", "path": "/spec/replicas", "value": 0}])).await?;
    undone(&tier, name, "Service", &json!([{"op": "replace", "path": "/spec/ports/0/port", "value": 4242}])).await?;
    let host = "/spec/rules/0/host";
    undone(&tier, name, "Ingress", &json!([{"op": "replace", "path": host, "value": "stolen.example.org"}])).await
}

async fn unlabelled(tier: Arc<ControlPlane>) -> Outcome {
    let name = "drift-unlabelled";
    tier.running(&entity_with_office(name)).await?;
    for label in ["app.kubernetes.io~1managed-by", "commonscloud.coop~1instance", "commonscloud.coop~1entity"] {
        let patch = json!([{"op": "remove", "path": format!("/metadata/labels/{label}")}]);
        undone(&tier, name, "Service", &patch).await?;
    }
    let all = json!([{"op": "remove", "path": "/metadata/labels"}]);
    undone(&tier, name, "Deployment", &all).await
}

async fn opened(tier: Arc<ControlPlane>) -> Outcome {
    let name = "drift-opened";
    tier.running(&entity_with_office(name)).await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let before = kinds.all(&tier.cluster.client, name).await?;
    let policies: Vec<(&String, &Value)> = before.iter().filter(|(key, _)| key.starts_with("NetworkPolicy/")).collect();
    ensure!(policies.len() >= 2, "there are only {} network policies", policies.len());
    for (_, policy) in &policies {
        let opening = r#"{"spec":{"ingress":[{}],"egress":[{}],"policyTypes":["Ingress","Egress"]}}"#;
        tier.cluster.kubectl.ok(&["patch", "-n", name, &handle(policy)?, "--type", "merge", "-p", opening]).await?;
    }
    eventually("every network policy is as it was", REPAIR, async || {
        let now = kinds.all(&tier.cluster.client, name).await?;
        let only = |all: &std::collections::BTreeMap<String, Value>| {
            let kept = all.iter().filter(|(key, _)| key.starts_with("NetworkPolicy/"));
            kept.map(|(key, object)| (key.clone(), object.clone())).collect()
        };
        let lines = differences(&comparable(&only(&before), name)?, &comparable(&only(&now), name)?);
        ensure!(lines.is_empty(), "{}", lines.join("\n"));
        Ok(())
    })
    .await
}

async fn slipped_in(tier: Arc<ControlPlane>) -> Outcome {
    let name = "drift-slipped";
    tier.running(&entity_with_office(name)).await?;
    let container = json!({"name": "miner", "image": "docker.io/local/miner:1"});
    let path = "/spec/template/spec/containers/-";
    undone(&tier, name, "Deployment", &json!([{"op": "add", "path": path, "value": container}])).await?;
    let variable = json!([{"name": "LD_PRELOAD", "value": "/tmp/evil.so"}]);
    let path = "/spec/template/spec/containers/0/env";
    undone(&tier, name, "StatefulSet", &json!([{"op": "replace", "path": path, "value": variable}])).await
}
