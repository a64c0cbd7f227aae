//! Objects that this release cannot read, as a newer one would have written them before a roll-back:
//! one of each kind beside healthy ones, across a restart. The Platform, which all depend on, has a scenario of its own.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{API_VERSION, entity, entity_with, entity_with_office, namespaced, object};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{self, condition, conditions, eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use serde_json::{Value, json};

use crate::tier::{self, ControlPlane, READY};

/// Where the poison of namespaced kinds is, beside a healthy service.
const BESIDE: &str = "beside-poison";
/// Where the restore is that cannot be read: as long as nobody knows what it is about, nothing of its namespace's
/// services is written, which may be half restored.
const RESTORES: &str = "poisoned-restores";

/// An Entity on the Platform that cannot be read.
const ON_PLATFORM: &str = "on-poison";

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("an object of each kind that cannot be read stops nothing else, nor a restart", poison).apart(),
        Scenario::new(
            "a platform that cannot be read is named by all who depend on it, and what runs is left alone",
            platform_alone,
        )
        .apart(),
    ]
}

/// Resource, kind, namespace and a spec that a newer release might write.
fn poisons() -> [(&'static str, &'static str, &'static str, Value); 12] {
    let paused = json!({"tier": "1gb", "paused": "on Sundays"});
    let record = json!({"owner": {"kind": "DedicatedOffice", "name": "gone", "uid": "u"}, "template": "office", "keepUntil": "for ever"});
    [
        (
            "tariffs",
            "Tariff",
            "",
            json!({"currency": "EUR", "period": "Fortnight", "tiers": [{"name": "1gb", "storage": "1Gi"}]}),
        ),
        ("servicetemplates", "ServiceTemplate", "", json!({"volumes": 7})),
        ("servicetemplaterevisions", "ServiceTemplateRevision", "", json!({"template": 7, "content": {}})),
        ("entities", "Entity", "", json!({"displayName": "Poison", "tariff": "e2e", "language": "pt"})),
        ("dedicatedoffices", "DedicatedOffice", BESIDE, paused.clone()),
        ("dedicatedagoras", "DedicatedAgora", BESIDE, paused.clone()),
        ("dedicatedprojects", "DedicatedProjects", BESIDE, paused.clone()),
        (
            "dedicatedservices",
            "DedicatedService",
            BESIDE,
            json!({"template": "radicale", "tier": "1gb", "paused": "on Sundays"}),
        ),
        ("servicedata", "ServiceData", BESIDE, record),
        ("servicebackups", "ServiceBackup", BESIDE, json!({"service": 7, "requestedBy": "administrator"})),
        ("servicerestores", "ServiceRestore", RESTORES, json!({"from": "yesterday", "requestedBy": "administrator"})),
        (
            "restoreconsents",
            "RestoreConsent",
            BESIDE,
            json!({
                "service": "site", "snapshot": "a".repeat(64), "entity": "before-poison", "until": "the end",
                "requestedBy": "administrator",
            }),
        ),
    ]
}

/// Lets the CRD of `resource` take any spec; gives it as it was.
pub async fn loosened(tier: &ControlPlane, resource: &str) -> Outcome<Value> {
    let kubectl = &tier.cluster.kubectl;
    let name = format!("{resource}.commonscloud.coop");
    let before: Value = serde_json::from_str(&kubectl.ok(&["get", "crd", &name, "-o", "json"]).await?)?;
    let mut versions = before["spec"]["versions"].clone();
    versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let patch = json!({"spec": {"versions": versions}}).to_string();
    kubectl.ok(&["patch", "crd", &name, "--type", "merge", "-p", &patch]).await?;
    Ok(before)
}

pub async fn restored(tier: &ControlPlane, before: &Value) -> Outcome {
    let name = before["metadata"]["name"].as_str().unwrap_or_default();
    let patch = json!({"spec": {"versions": before["spec"]["versions"]}}).to_string();
    tier.cluster.kubectl.ok(&["patch", "crd", name, "--type", "merge", "-p", &patch]).await?;
    Ok(())
}

async fn made(tier: &ControlPlane, kind: &str, namespace: &str, spec: Value) -> Outcome {
    let poison =
        if namespace.is_empty() { object(kind, "poison", spec) } else { namespaced(kind, namespace, "poison", spec) };
    // Records and revisions are the operator's alone.
    if matches!(kind, "ServiceData" | "ServiceTemplateRevision") {
        let operator = tier.cluster.impersonate(USER, &[]).await?;
        let api = if namespace.is_empty() {
            resources::ours(&operator, kind)
        } else {
            resources::ours_in(&operator, kind, namespace)
        };
        api.create(&kube::api::PostParams::default(), &serde_json::from_value(poison)?).await?;
        return Ok(());
    }
    eventually("the API server knows the loosened schema", Duration::from_secs(30), async || {
        tier.cluster.applied(std::slice::from_ref(&poison)).await
    })
    .await
}

/// Waits until an object says why it is left alone: it, or `what` that it depends on, cannot be read.
async fn says_why(tier: &ControlPlane, kind: &str, namespace: &str, name: &str, what: &str) -> Outcome {
    let client = &tier.cluster.client;
    let api =
        if namespace.is_empty() { resources::ours(client, kind) } else { resources::ours_in(client, kind, namespace) };
    eventually(&format!("{kind}/{name} says why"), Duration::from_secs(30), async || {
        let poison = serde_json::to_value(api.get(name).await?)?;
        let ready = condition(&poison, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
        ensure!(ready["reason"] == "Undecodable", "{}", conditions(&poison));
        let message = ready["message"].as_str().unwrap_or_default();
        ensure!(message.starts_with(&format!("{what} cannot be read: ")), "{}", conditions(&poison));
        ensure!(condition(&poison, "Stalled").is_some(), "{}", conditions(&poison));
        Ok(())
    })
    .await
}

async fn poison(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    tier.running(&entity_with_office("before-poison")).await?;
    tier.running(&entity_with(BESIDE, "radicale")).await?;
    tier.running(&entity(RESTORES, json!({}))).await?;
    let mut before = Vec::new();
    for (resource, ..) in poisons() {
        before.push(loosened(&tier, resource).await?);
    }
    let outcome = poisoned(&tier).await;
    for (_, kind, namespace, _) in poisons() {
        let plural = format!("{}.commonscloud.coop", kind.to_lowercase());
        let place = if namespace.is_empty() { "default" } else { namespace };
        let gone = ["delete", &plural, "poison", "-n", place, "--ignore-not-found", "--wait=false"];
        let _ = tier.cluster.kubectl.ok(&gone).await;
    }
    for crd in &before {
        restored(&tier, crd).await?;
    }
    outcome
}

async fn poisoned(tier: &ControlPlane) -> Outcome {
    for (_, kind, namespace, spec) in poisons() {
        made(tier, kind, namespace, spec).await?;
    }
    tier.stop_operator().await?;
    tier.start_operator().await?;
    for (_, kind, namespace, _) in poisons() {
        // These two have no status.
        if !matches!(kind, "Tariff" | "ServiceTemplateRevision") {
            let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
            says_why(tier, kind, namespace, "poison", &format!("{kind} {place}poison")).await?;
        }
    }
    let metrics = tier.metrics().await?;
    for (_, kind, ..) in poisons() {
        let line = format!("commonscloud_undecodable_objects{{kind=\"{kind}\"}} 1");
        ensure!(metrics.contains(&line), "no line {line} in\n{metrics}");
    }
    // All others go on: one that is new, one that is changed, and the service beside the poison.
    tier.running(&entity_with("after-poison", "radicale")).await?;
    let office = resources::ours_in(&tier.cluster.client, "DedicatedOffice", "before-poison");
    let larger = json!({"apiVersion": API_VERSION, "kind": "Entity", "metadata": {"name": "before-poison"},
                        "spec": {"displayName": "Larger", "tariff": "e2e", "services": {"office": {"tier": "5gb"}}}});
    tier.running(&larger).await?;
    eventually("the office is larger", READY, async || {
        let office = serde_json::to_value(office.get("office").await?)?;
        ensure!(office["status"]["quota"] == "5Gi", "{}", office["status"]["quota"]);
        is_ready(&office)
    })
    .await?;
    let site = resources::ours_in(&tier.cluster.client, "DedicatedService", BESIDE);
    let kubectl = &tier.cluster.kubectl;
    kubectl.ok(&["delete", "service", "-n", BESIDE, "--all"]).await?;
    eventually("the service beside the poison is repaired", READY, async || {
        let services = kubectl.ok(&["get", "service", "-n", BESIDE, "-o", "name"]).await?;
        ensure!(!services.trim().is_empty(), "no Service in {BESIDE}");
        is_ready(&serde_json::to_value(site.get("site").await?)?)
    })
    .await
}

async fn platform_alone(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    tier.running(&entity_with(ON_PLATFORM, "radicale")).await?;
    let before = made_on_platform(&tier).await?;
    let schema = loosened(&tier, "platforms").await?;
    let outcome = platform_poisoned(&tier).await;
    base_domain(&tier, &tier::platform()["spec"]["baseDomain"]).await?;
    restored(&tier, &schema).await?;
    outcome?;
    wait::ready(&tier.entities(), ON_PLATFORM, READY).await?;
    let after = made_on_platform(&tier).await?;
    ensure!(after == before, "what was made is another: {before}, then {after}");
    Ok(())
}

async fn platform_poisoned(tier: &ControlPlane) -> Outcome {
    eventually("the API server knows the loosened schema", Duration::from_secs(30), async || {
        base_domain(tier, &json!(7)).await
    })
    .await?;
    tier.stop_operator().await?;
    tier.start_operator().await?;
    let dependent =
        [("Platform", "", "default"), ("Entity", "", ON_PLATFORM), ("DedicatedService", ON_PLATFORM, "site")];
    for (kind, namespace, name) in dependent {
        says_why(tier, kind, namespace, name, "Platform default").await?;
    }
    let metrics = tier.metrics().await?;
    ensure!(metrics.contains("commonscloud_undecodable_objects{kind=\"Platform\"} 1"), "not counted:\n{metrics}");
    Ok(())
}

async fn base_domain(tier: &ControlPlane, domain: &Value) -> Outcome {
    let patch = json!({"spec": {"baseDomain": domain}}).to_string();
    tier.cluster.kubectl.ok(&["patch", "platform", "default", "--type", "merge", "-p", &patch]).await.map(drop)
}

/// What the service is made of, each with its uid and generation.
async fn made_on_platform(tier: &ControlPlane) -> Outcome<String> {
    let kinds = "deployments,statefulsets,services,ingresses,networkpolicies,persistentvolumeclaims,secrets";
    let each =
        r#"jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{"\n"}{end}"#;
    tier.cluster.kubectl.ok(&["get", kinds, "-n", ON_PLATFORM, "-o", each]).await
}
