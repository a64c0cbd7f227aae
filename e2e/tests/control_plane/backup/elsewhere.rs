//! What is restored into another service, or beside what is there; a test ends the Jobs.

use std::sync::Arc;

use commonscloud_e2e::manifests::namespaced;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, is_ready, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::restore::AWAITED;
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use serde_json::{Value, json};

use super::STEP;
use super::pods::{SNAPSHOT, end_restore};
use super::restores::{backed_up, claims, recorded};
use crate::tier::{ControlPlane, READY};

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a new service begins with a backup of another one, which goes on untouched", begins).apart(),
        Scenario::new("a restore into a new service that fails leaves it without data, and another one goes on", fails)
            .apart(),
        Scenario::new("nothing is restored over a service that has data", refused).apart(),
        Scenario::new("a folder is written beside what an office has while it runs", beside).apart(),
    ]
}

/// The service that begins with a backup of `office`.
const SECOND: &str = "second";

async fn restore(tier: &ControlPlane, namespace: &str, name: &str, more: Value) -> Outcome {
    let mut spec = json!({"from": {"service": "office"}, "requestedBy": tier.cluster.user().await?});
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    tier.cluster.applied(&[namespaced("ServiceRestore", namespace, name, spec)]).await
}

async fn into(tier: &ControlPlane, namespace: &str, name: &str, service: &str) -> Outcome {
    restore(tier, namespace, name, json!({"into": {"kind": "NewService", "service": service}})).await
}

async fn object(tier: &ControlPlane, kind: &'static str, namespace: &str, name: &str) -> Outcome<Value> {
    let api = resources::ours_in(&tier.cluster.client, kind, namespace);
    Ok(serde_json::to_value(api.get(name).await?)?)
}

/// Ends its pods as they come, with these differences, until it is in this phase.
async fn until(
    tier: &ControlPlane,
    namespace: &str,
    name: &str,
    ends: (&Value, &[&str]),
    phase: &str,
) -> Outcome<Value> {
    eventually(&format!("{name} is {phase}"), READY + STEP, async || {
        let seen = object(tier, "ServiceRestore", namespace, name).await?;
        let at = seen["status"]["phase"].as_str().unwrap_or_default();
        if at == phase {
            return Ok(seen);
        }
        end_restore(tier, namespace, ends.0, ends.1, at).await?;
        Err(Failure::new(format!("{at}: {}", conditions(&seen))))
    })
    .await
}

/// Waits until it is not Ready for this reason, and gives its words.
async fn told(tier: &ControlPlane, namespace: &str, name: &str, reason: &str) -> Outcome<String> {
    eventually(&format!("{name} says {reason}"), STEP, async || {
        let seen = object(tier, "ServiceRestore", namespace, name).await?;
        let why = condition(&seen, "Ready").cloned().unwrap_or_default();
        ensure!(why["reason"] == reason, "{why}");
        Ok(why["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

/// A hand-written office that is called this.
fn office(namespace: &str, name: &str, paused: bool) -> Value {
    namespaced("DedicatedOffice", namespace, name, json!({"tier": "1gb", "paused": paused}))
}

/// What is of the first office: its record, its claims, and that it is Ready.
async fn first(tier: &ControlPlane, namespace: &str) -> Outcome<(Vec<String>, Vec<String>)> {
    is_ready(&object(tier, "DedicatedOffice", namespace, "office").await?)?;
    let own = claims(tier, namespace).await?.into_iter().filter(|claim| claim.starts_with("office-"));
    Ok((recorded(tier, namespace).await?, own.collect()))
}

async fn secret(tier: &ControlPlane, namespace: &str, name: &str) -> Outcome<Secret> {
    let secrets: Api<Secret> = Api::namespaced(tier.cluster.client.clone(), namespace);
    Ok(secrets.get(name).await?)
}

async fn claims_of_second(tier: &ControlPlane, namespace: &str) -> Outcome<Vec<String>> {
    let mut second = claims(tier, namespace).await?;
    second.retain(|claim| claim.starts_with(SECOND));
    Ok(second)
}

async fn begins(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-begins");
    let manifest = backed_up(tier, name).await?;
    let before = first(tier, name).await?;
    into(tier, name, "copy", SECOND).await?;
    let waits = told(tier, name, "copy", "NotFound").await?;
    ensure!(waits.contains("apply it now"), "{waits}");
    tier.cluster.applied(&[office(name, SECOND, false)]).await?;
    until(tier, name, "copy", (&manifest, &[]), "Files").await?;
    let record = object(tier, "ServiceData", name, SECOND).await?;
    ensure_eq!(record["spec"]["restoring"], json!(AWAITED), "the record while files come");
    ensure!(claims_of_second(tier, name).await?.iter().all(|claim| claim.ends_with("-r1")), "claims of its own");
    let waiting = object(tier, "DedicatedOffice", name, SECOND).await?;
    let ready_of = condition(&waiting, "Ready").cloned().unwrap_or_default();
    ensure!(ready_of["reason"] == "DataRestoring", "{ready_of}");
    ensure_eq!(first(tier, name).await?, before, "the first office while files come");
    let restored = until(tier, name, "copy", (&manifest, &[]), "Succeeded").await?;
    is_ready(&restored)?;
    ensure_eq!(restored["status"]["snapshot"], json!(SNAPSHOT), "the snapshot");
    ensure!(restored["status"]["stoppedAt"].is_null() && restored["status"]["version"].is_string(), "{restored}");
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    ready(&offices, SECOND, READY).await?;
    let record = object(tier, "ServiceData", name, SECOND).await?;
    ensure!(record["spec"]["restoring"].is_null(), "{}", record["spec"]);
    for part in ["admin", "db", "redis"] {
        let (one, other) = (format!("office-{part}"), format!("{SECOND}-{part}"));
        let (one, other) = (secret(tier, name, &one).await?, secret(tier, name, &other).await?);
        ensure!(one.data.is_some() && one.data == other.data, "the Secrets {part} differ");
        ensure_eq!(other.immutable, Some(true), "whether {part} can be changed");
    }
    ensure_eq!(first(tier, name).await?, before, "the first office afterwards");
    Ok(())
}

async fn fails(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-fails");
    let manifest = backed_up(tier, name).await?;
    let before = first(tier, name).await?;
    tier.cluster.applied(&[office(name, SECOND, true)]).await?;
    into(tier, name, "copy", SECOND).await?;
    told(tier, name, "copy", "Paused").await?;
    tier.cluster.applied(&[office(name, SECOND, false)]).await?;
    let differs = (&manifest, &["table oc_users: 3 a when backed up, 2 b now"][..]);
    let failed = until(tier, name, "copy", differs, "Failed").await?;
    let why = condition(&failed, "Ready").cloned().unwrap_or_default();
    ensure!(why["reason"] == "RestoreDiffers" && why["message"].to_string().contains("second has no data"), "{why}");
    eventually("nothing of it is left", STEP, async || {
        ensure_eq!(claims_of_second(tier, name).await?, Vec::<String>::new(), "claims");
        Ok(())
    })
    .await?;
    let record = object(tier, "ServiceData", name, SECOND).await?;
    ensure_eq!(record["spec"]["restoring"], json!(AWAITED), "the record");
    ensure_eq!(first(tier, name).await?, before, "the first office");
    into(tier, name, "again", SECOND).await?;
    until(tier, name, "again", (&manifest, &[]), "Succeeded").await?;
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    ready(&offices, SECOND, READY).await?;
    ensure_eq!(first(tier, name).await?, before, "the first office afterwards");
    Ok(())
}

async fn refused(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-refused");
    backed_up(tier, name).await?;
    let before = first(tier, name).await?;
    tier.cluster.applied(&[office(name, SECOND, false)]).await?;
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    ready(&offices, SECOND, READY).await?;
    let record = object(tier, "ServiceData", name, SECOND).await?;
    for (restore, service) in [("into-itself", "office"), ("into-another", SECOND)] {
        into(tier, name, restore, service).await?;
        let why = told(tier, name, restore, "ServiceHasData").await?;
        ensure!(why.contains("paused: true"), "{why}");
        let seen = object(tier, "ServiceRestore", name, restore).await?;
        ensure_eq!(seen["status"]["phase"], json!("Failed"), "the phase");
    }
    ensure_eq!(object(tier, "ServiceData", name, SECOND).await?["spec"], record["spec"], "its record");
    let jobs = ["get", "jobs", "-n", name, "-o", "name"];
    let jobs = tier.cluster.kubectl.ok(&jobs).await?;
    ensure!(!jobs.contains("-manifest"), "Jobs of restores that are refused: {jobs}");
    ensure_eq!(first(tier, name).await?, before, "the first office");
    is_ready(&object(tier, "DedicatedOffice", name, SECOND).await?)
}

async fn beside(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-beside");
    let manifest = backed_up(tier, name).await?;
    let (before, there) = (first(tier, name).await?, claims(tier, name).await?);
    let path = "files/anna/files/d'Anna i $(prova)";
    restore(tier, name, "part", json!({"only": {"volume": "data", "path": path}})).await?;
    until(tier, name, "part", (&manifest, &[]), "Files").await?;
    let arguments = "jsonpath={.spec.template.spec.containers[*].args}";
    eventually("a Job writes it", STEP, async || {
        let arguments = tier.cluster.kubectl.ok(&["get", "job", "office-restore", "-n", name, "-o", arguments]).await?;
        ensure!(arguments.contains("--path=files/anna/files/d'Anna i $$(prova)"), "{arguments}");
        Ok(())
    })
    .await?;
    ensure_eq!(first(tier, name).await?, before, "the office while it is written");
    let restored = until(tier, name, "part", (&manifest, &[]), "Succeeded").await?;
    is_ready(&restored)?;
    ensure!(restored["status"]["volumes"].is_null() && restored["status"]["downSeconds"].is_null(), "{restored}");
    ensure_eq!(first(tier, name).await?, before, "the office afterwards");
    ensure_eq!(claims(tier, name).await?, there, "claims");
    restore(tier, name, "dumped", json!({"only": {"volume": "db", "path": "base"}})).await?;
    let why = told(tier, name, "dumped", "RestoreNotSupported").await?;
    ensure!(why.contains("name one of: data, app"), "{why}");
    Ok(())
}
