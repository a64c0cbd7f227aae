//! Restores whose Jobs a test ends: simulated pods read and write nothing.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::namespaced;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, is_ready, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::restore::RESTORE;
use k8s_openapi::api::core::v1::Container;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::pods::{Ends, SNAPSHOT, end_restore, end_with};
use super::{PHASES, STEP, asked, complete, in_phase, passed, prepared};
use crate::tier::{ControlPlane, READY};

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a restore ends with what its backup has, and what was overwritten is gone", whole).apart(),
        Scenario::new("what was overwritten comes back when the restored service is not Ready", not_ready).apart(),
        Scenario::new("a killed operator goes on in each phase of a restore", killed).apart(),
        Scenario::new("a restore whose target is away for a moment goes on", away).apart(),
        Scenario::new("no room, nothing begins", no_room).apart(),
        Scenario::new("a restore of a snapshot that no run recorded is refused", unrecorded).apart(),
    ]
}

/// The phases in which Jobs are at work, in their order.
pub(super) const AT_WORK: [&str; 4] = ["Preparing", "Files", "Loading", "Verifying"];
/// The name of each restore.
const BACK: &str = "back";
/// What a Job's container says that reached nobody.
const AWAY: &str =
    r#"{"version":1,"outcome":{"Failed":{"reason":"Unreachable","message":"restic restore: no route to host"}}}"#;
/// In which nothing more is made while it would have been several times over.
const STAYS: Duration = Duration::from_secs(15);

/// An office with a backup; gives what its manifest says.
pub(super) async fn backed_up(tier: &ControlPlane, name: &str) -> Outcome<Value> {
    prepared(tier, name).await?;
    asked(tier, name, "first").await?;
    for phase in &PHASES[..5] {
        in_phase(tier, name, "first", phase).await?;
        passed(tier, name, "first", phase, Ends::Well).await?;
    }
    in_phase(tier, name, "first", "Recording").await?;
    let path = r"jsonpath={.spec.template.metadata.annotations.commonscloud\.coop/manifest}";
    let manifest = eventually("the manifest is written", STEP, async || {
        let text = tier.cluster.kubectl.ok(&["get", "job", "office-record", "-n", name, "-o", path]).await?;
        Ok(serde_json::from_str::<Value>(&text)?)
    })
    .await?;
    passed(tier, name, "first", "Recording", Ends::Well).await?;
    complete(tier, name, "first").await?;
    Ok(manifest)
}

async fn restore(tier: &ControlPlane, namespace: &str, from: Value) -> Outcome {
    let spec = json!({"from": from, "requestedBy": tier.cluster.user().await?});
    tier.cluster.applied(&[namespaced("ServiceRestore", namespace, BACK, spec)]).await
}

async fn seen(tier: &ControlPlane, namespace: &str) -> Outcome<Value> {
    let restores = resources::ours_in(&tier.cluster.client, "ServiceRestore", namespace);
    Ok(serde_json::to_value(restores.get(BACK).await?)?)
}

/// Ends its pods as they come until it is in this phase.
async fn until(tier: &ControlPlane, namespace: &str, manifest: &Value, phase: &str) -> Outcome<Value> {
    eventually(&format!("the restore is {phase}"), READY + STEP, async || {
        let seen = seen(tier, namespace).await?;
        if seen["status"]["phase"] == phase {
            return Ok(seen);
        }
        end_restore(tier, namespace, manifest, &[], seen["status"]["phase"].as_str().unwrap_or_default()).await?;
        Err(Failure::new(format!("{}: {}", seen["status"]["phase"], conditions(&seen))))
    })
    .await
}

/// The claims of the namespace, by name.
pub(super) async fn claims(tier: &ControlPlane, namespace: &str) -> Outcome<Vec<String>> {
    let words = ["get", "persistentvolumeclaims", "-n", namespace, "-o", "name"];
    let listed = tier.cluster.kubectl.ok(&words).await?;
    let names = listed.lines().filter_map(|line| line.strip_prefix("persistentvolumeclaim/"));
    Ok(names.map(str::to_owned).collect())
}

/// The claims that the record names.
pub(super) async fn recorded(tier: &ControlPlane, namespace: &str) -> Outcome<Vec<String>> {
    let path = "jsonpath={.spec.volumes[*].claim}";
    let listed = tier.cluster.kubectl.ok(&["get", "servicedata", "office", "-n", namespace, "-o", path]).await?;
    Ok(listed.split_whitespace().map(str::to_owned).collect())
}

async fn is_free(tier: &ControlPlane, namespace: &str) -> Outcome {
    eventually("nothing holds the restore", STEP, async || {
        let seen = seen(tier, namespace).await?;
        ensure!(seen["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty), "{}", seen["metadata"]);
        Ok(())
    })
    .await
}

/// What a restore leaves that succeeded: the new claims alone, and a service that is Ready on them.
async fn came_back(tier: &ControlPlane, namespace: &str, before: &[String]) -> Outcome {
    let seen = seen(tier, namespace).await?;
    is_ready(&seen)?;
    let status = &seen["status"];
    ensure_eq!(status["snapshot"], json!(SNAPSHOT), "the snapshot");
    ensure!(status["downSeconds"].is_i64() && status["version"].is_string(), "{status}");
    let named = recorded(tier, namespace).await?;
    ensure!(!named.is_empty() && named.iter().all(|claim| !before.contains(claim)), "{named:?}");
    let there = claims(tier, namespace).await?;
    ensure!(before.iter().all(|claim| !there.contains(claim)), "what was overwritten is there: {there:?}");
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", namespace);
    ready(&offices, "office", READY).await?;
    is_free(tier, namespace).await
}

async fn whole(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-whole");
    let manifest = backed_up(tier, name).await?;
    let before = recorded(tier, name).await?;
    restore(tier, name, json!({"service": "office"})).await?;
    let files = until(tier, name, &manifest, "Files").await?;
    let mut finalizers = files["metadata"]["finalizers"].as_array().into_iter().flatten();
    ensure!(finalizers.any(|finalizer| finalizer == RESTORE), "nothing holds it: {}", files["metadata"]);
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    is_ready(&serde_json::to_value(offices.get("office").await?)?)?;
    ensure_eq!(recorded(tier, name).await?, before, "the record while files are written");
    until(tier, name, &manifest, "Succeeded").await?;
    came_back(tier, name, &before).await
}

async fn not_ready(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-not-ready");
    let manifest = backed_up(tier, name).await?;
    let (before, there) = (recorded(tier, name).await?, claims(tier, name).await?);
    restore(tier, name, json!({"service": "office"})).await?;
    until(tier, name, &manifest, "Verifying").await?;
    ensure!(recorded(tier, name).await? != before, "the record names the former claims");
    eventually("the pods that compare are there", STEP, async || {
        let pods = tier.cluster.kubectl.ok(&["get", "pods", "-n", name, "-o", "name"]).await?;
        ensure!(pods.matches("pod/office-compare").count() >= 2, "{pods}");
        Ok(())
    })
    .await?;
    // No other pod comes from now on.
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no-more", "namespace": name},
        "spec": {"hard": {"pods": "0"}},
    });
    tier.cluster.applied(&[quota]).await?;
    until(tier, name, &manifest, "Starting").await?;
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    eventually("the restored office is not Ready", READY, async || {
        let office = serde_json::to_value(offices.get("office").await?)?;
        ensure!(conditions(&office).contains("no-more"), "{}", conditions(&office));
        Ok(())
    })
    .await?;
    // Its time is over: nobody waits two hours here.
    let past = json!({"status": {"phaseSince": "2026-01-01T00:00:00Z"}});
    let operator = resources::ours_in(&tier.cluster.impersonate(USER, &[]).await?, "ServiceRestore", name);
    // The operator reports as well, and may put back what it read before.
    eventually("the restore returns", READY, async || {
        operator.patch_status(BACK, &PatchParams::default(), &Patch::Merge(&past)).await?;
        let seen = seen(tier, name).await?;
        ensure_eq!(seen["status"]["phase"], "Returning", "the phase of {seen}");
        Ok(())
    })
    .await?;
    tier.cluster.kubectl.ok(&["delete", "resourcequota", "no-more", "-n", name]).await?;
    let failed = until(tier, name, &manifest, "Failed").await?;
    let why = condition(&failed, "Ready").cloned().unwrap_or_default();
    ensure!(why["reason"] == "RestoreFailed" && why["message"].to_string().contains("no-more"), "{why}");
    ensure_eq!(recorded(tier, name).await?, before, "the record");
    ensure_eq!(claims(tier, name).await?, there, "the claims");
    ready(&offices, "office", READY).await?;
    is_free(tier, name).await
}

async fn killed(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-killed");
    let manifest = backed_up(tier, name).await?;
    let before = recorded(tier, name).await?;
    restore(tier, name, json!({"service": "office"})).await?;
    for phase in AT_WORK {
        until(tier, name, &manifest, phase).await?;
        tier.kill_operator().await?;
        // What it began ends without it.
        let ended = end_restore(tier, name, &manifest, &[], phase).await;
        tier.forget_leader().await?;
        tier.start_operator().await?;
        ended?;
    }
    until(tier, name, &manifest, "Succeeded").await?;
    came_back(tier, name, &before).await
}

async fn away(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-away");
    let manifest = backed_up(tier, name).await?;
    let before = recorded(tier, name).await?;
    restore(tier, name, json!({"service": "office"})).await?;
    until(tier, name, &manifest, "Files").await?;
    eventually("it is told that the target is away", STEP, async || {
        end_with(tier, name, &["restore"], &|_: &Container| (1, AWAY.to_owned())).await?;
        let seen = seen(tier, name).await?;
        let ready = condition(&seen, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == "TargetUnreachable", "{ready}");
        ensure_eq!(seen["status"]["phase"], json!("Files"), "the phase");
        Ok(())
    })
    .await?;
    ensure_eq!(recorded(tier, name).await?, before, "the record");
    until(tier, name, &manifest, "Succeeded").await?;
    came_back(tier, name, &before).await
}

async fn no_room(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-no-room");
    let manifest = backed_up(tier, name).await?;
    let there = claims(tier, name).await?;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": name},
        "spec": {"hard": {"persistentvolumeclaims": there.len().to_string()}},
    });
    tier.cluster.applied(&[quota]).await?;
    restore(tier, name, json!({"service": "office"})).await?;
    eventually("the restore says that there is no room", STEP, async || {
        let seen = seen(tier, name).await?;
        let ready = condition(&seen, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == "NoRoom" && ready["message"].to_string().contains("small"), "{ready}");
        ensure_eq!(seen["status"]["phase"], json!("Waiting"), "the phase");
        Ok(())
    })
    .await?;
    tokio::time::sleep(STAYS).await;
    ensure_eq!(claims(tier, name).await?, there, "claims without room");
    let jobs = ["get", "jobs", "-n", name, "-o", "name", "-l", "commonscloud.coop/operation-of"];
    ensure!(!tier.cluster.kubectl.ok(&jobs).await?.contains("office-manifest"), "a Job was begun");
    ensure_eq!(seen(tier, name).await?["status"]["phase"], json!("Waiting"), "the phase");
    tier.cluster.kubectl.ok(&["delete", "resourcequota", "small", "-n", name]).await?;
    until(tier, name, &manifest, "Succeeded").await.map(drop)
}

async fn unrecorded(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "restore-unrecorded");
    prepared(tier, name).await?;
    // It may be at the target: another Entity's, say.
    let stranger = SNAPSHOT.replace('5', "6");
    restore(tier, name, json!({"service": "office", "snapshot": stranger})).await?;
    let failed = eventually("the restore is refused", STEP, async || {
        let seen = seen(tier, name).await?;
        ensure_eq!(seen["status"]["phase"], json!("Failed"), "the phase");
        Ok(seen)
    })
    .await?;
    let ready = condition(&failed, "Ready").cloned().unwrap_or_default();
    ensure!(ready["reason"] == "SnapshotNotFound" && ready["message"].to_string().contains(&stranger), "{ready}");
    ensure!(condition(&failed, "Stalled").is_some(), "{}", conditions(&failed));
    let jobs = ["get", "jobs", "-n", name, "-o", "name", "-l", "commonscloud.coop/operation-of"];
    let jobs = tier.cluster.kubectl.ok(&jobs).await?;
    ensure_eq!(jobs.trim(), "", "Jobs of a restore that is refused");
    Ok(())
}
