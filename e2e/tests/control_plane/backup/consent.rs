//! Restores of another Entity's snapshot, whose Jobs a test ends: who consents to what, and where which key stands.

use std::sync::Arc;

use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::manifests::{entity, entity_with_office, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::backup::copy::copy_name;
use serde_json::{Value, json};

use super::STEP;
use super::pods::{SNAPSHOT, end_job, end_restore};
use super::restores::backed_up;
use crate::tier::{ControlPlane, READY};

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("another entity's snapshot is restored by its consent alone, and its key stays away", given)
            .apart(),
        Scenario::new("a consent that is taken back ends the copy, and the service begins with nothing", taken_back)
            .apart(),
        Scenario::new("a restore that is deleted while it copies is gone once its Job is", deleted).apart(),
    ]
}

/// The Entity whose snapshot it is, and the one that restores it.
struct Two<'t> {
    tier: &'t ControlPlane,
    from: &'static str,
    into: &'static str,
}

const MANAGER: &str = "manager-of-consent-into";

/// What the copy's manifest is called.
const COPY: &str = "c0ffee3b5aa765d61d8327deb882cf99c0ffee3b5aa765d61d8327deb882cf99";
const NEVER: &str = "2099-01-01T00:00:00Z";
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

fn with_manager(mut entity: Value) -> Value {
    entity["spec"]["managers"] = json!([{"name": "m", "subject": {"kind": "User", "name": MANAGER}}]);
    entity
}

/// An office with a backup, and an Entity that asks for it, with an office that waits; gives what the backup's manifest
/// says.
async fn asked(two: &Two<'_>, name: &str) -> Outcome<Value> {
    let manifest = backed_up(two.tier, two.from).await?;
    two.tier.running(&with_manager(entity(two.into, json!({})))).await?;
    ask(two, name).await?;
    // It is known before there is anything that could begin without it.
    says(two, ("ServiceRestore", two.into, name), "ConsentMissing").await?;
    two.tier.cluster.applied(&[with_manager(entity_with_office(two.into))]).await?;
    Ok(manifest)
}

async fn ask(two: &Two<'_>, name: &str) -> Outcome {
    let spec = json!({
        "from": {"service": "office", "entity": two.from, "snapshot": SNAPSHOT},
        "into": {"kind": "NewService", "service": "office"}, "requestedBy": two.tier.cluster.user().await?,
    });
    two.tier.cluster.applied(&[namespaced("ServiceRestore", two.into, name, spec)]).await
}

async fn consent(two: &Two<'_>, name: &str, (snapshot, entity, until): (&str, &str, &str)) -> Outcome {
    let spec = json!({
        "service": "office", "snapshot": snapshot, "entity": entity, "until": until,
        "requestedBy": two.tier.cluster.user().await?,
    });
    two.tier.cluster.applied(&[namespaced("RestoreConsent", two.from, name, spec)]).await
}

async fn seen(two: &Two<'_>, kind: &str, namespace: &str, name: &str) -> Outcome<Value> {
    Ok(serde_json::to_value(resources::ours_in(&two.tier.cluster.client, kind, namespace).get(name).await?)?)
}

/// Waits until an object says this of itself.
async fn says(two: &Two<'_>, (kind, namespace, name): (&str, &str, &str), reason: &str) -> Outcome<Value> {
    eventually(&format!("{kind} {name} says {reason}"), STEP, async || {
        let seen = seen(two, kind, namespace, name).await?;
        let ready = condition(&seen, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == reason, "{}: {}", seen["status"]["phase"], conditions(&seen));
        Ok(seen)
    })
    .await
}

async fn in_phase(two: &Two<'_>, name: &str, phase: &str) -> Outcome<Value> {
    eventually(&format!("{name} is {phase}"), STEP, async || {
        let seen = seen(two, "ServiceRestore", two.into, name).await?;
        ensure!(seen["status"]["phase"] == phase, "{}: {}", seen["status"]["phase"], conditions(&seen));
        Ok(seen)
    })
    .await
}

/// The Job that copies for a restore, if it is there.
async fn copies(two: &Two<'_>, name: &str) -> Outcome<String> {
    let restore = seen(two, "ServiceRestore", two.into, name).await?;
    let job = copy_name(restore["metadata"]["uid"].as_str().unwrap_or_default());
    two.tier.cluster.kubectl.ok(&["get", "job", &job, "-n", NAMESPACE, "--ignore-not-found", "-o", "name"]).await
}

async fn begun(two: &Two<'_>, name: &str) -> Outcome {
    eventually("the Job that copies is there", STEP, async || {
        ensure!(!copies(two, name).await?.trim().is_empty(), "none");
        Ok(())
    })
    .await
}

/// No Secret of the Entity that restores holds the other one's key, and no Job or pod of it names that.
async fn key_stays_away(two: &Two<'_>) -> Outcome {
    let kubectl = &two.tier.cluster.kubectl;
    let secrets = kubectl.ok(&["get", "secrets", "-n", two.into, "-o", "name"]).await?;
    let own = format!("secret/backup-key-{}-", two.into);
    let foreign = secrets.lines().find(|name| name.starts_with("secret/backup-key-") && !name.starts_with(&own));
    ensure!(foreign.is_none(), "{foreign:?} in {}", two.into);
    let objects = kubectl.ok(&["get", "jobs,pods", "-n", two.into, "-o", "json"]).await?;
    ensure!(!objects.contains(&format!("backup-key-{}-", two.from)), "its key is named in {}", two.into);
    let home = kubectl.ok(&["get", "secrets", "-n", NAMESPACE, "-o", "name"]).await?;
    ensure!(home.contains(&format!("secret/backup-key-{}-", two.from)), "the key is not where it belongs: {home}");
    Ok(())
}

/// What the manager of the Entity that restores may not.
async fn is_closed_to_its_manager(two: &Two<'_>) -> Outcome {
    for of in ["restoreconsents", "servicebackups", "servicerestores", "servicedata", "secrets"] {
        let words = ["get", of, "-n", two.from, "--as", MANAGER];
        let message = two.tier.cluster.kubectl.run(&words, None).await?.refused(of)?;
        ensure!(message.contains("orbidden"), "{of}: {message}");
    }
    let spec = json!({
        "service": "office", "snapshot": SNAPSHOT, "entity": two.into, "until": NEVER, "requestedBy": MANAGER,
    });
    let own = namespaced("RestoreConsent", two.from, "by-itself", spec).to_string();
    let words = ["create", "--dry-run=server", "-f", "-", "--as", MANAGER];
    let message = two.tier.cluster.kubectl.run(&words, Some(own.as_bytes())).await?.refused("a consent to itself")?;
    ensure!(message.contains("cannot create resource"), "{message}");
    Ok(())
}

/// Ends the pods of what is at work until the restore is in this phase.
async fn until(two: &Two<'_>, name: &str, manifest: &Value, phase: &str) -> Outcome<Value> {
    eventually(&format!("the restore is {phase}"), READY + STEP, async || {
        let seen = seen(two, "ServiceRestore", two.into, name).await?;
        let at = seen["status"]["phase"].as_str().unwrap_or_default().to_owned();
        if at == phase {
            return Ok(seen);
        }
        end_restore(two.tier, two.into, manifest, &[], &at).await?;
        Err(Failure::new(format!("{at}: {}", conditions(&seen))))
    })
    .await
}

async fn given(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let two = &Two { tier: &tier, from: "consent-from", into: "consent-into" };
    let name = "arriba";
    let manifest = asked(two, name).await?;
    let restore = ("ServiceRestore", two.into, name);
    says(two, restore, "ConsentMissing").await?;
    let other = SNAPSHOT.replace('5', "6");
    consent(two, "of-another-snapshot", (other.as_str(), two.into, NEVER)).await?;
    consent(two, "to-another-entity", (SNAPSHOT, "consent-third", NEVER)).await?;
    says(two, ("RestoreConsent", two.from, "of-another-snapshot"), "SnapshotNotFound").await?;
    says(two, restore, "ConsentMissing").await?;
    consent(two, "run-out", (SNAPSHOT, two.into, LONG_AGO)).await?;
    says(two, restore, "ConsentExpired").await?;
    says(two, ("RestoreConsent", two.from, "run-out"), "ConsentExpired").await?;
    let job = copies(two, name).await?;
    ensure_eq!(job.trim(), "", "a Job that copies without consent");
    is_closed_to_its_manager(two).await?;

    consent(two, "holds", (SNAPSHOT, two.into, NEVER)).await?;
    let copying = in_phase(two, name, "Copying").await?;
    key_stays_away(two).await?;
    let uid = copying["metadata"]["uid"].as_str().unwrap_or_default();
    end_job(two.tier, &copy_name(uid), &json!({"Copied": {"snapshot": COPY}})).await?;
    let done = until(two, name, &manifest, "Succeeded").await?;
    let status = &done["status"];
    ensure!(status["snapshot"] == COPY && status["copiedAt"].is_string(), "{status}");
    let offices = resources::ours_in(&two.tier.cluster.client, "DedicatedOffice", two.into);
    ready(&offices, "office", READY).await?;
    key_stays_away(two).await?;
    let used = eventually("the consent says who used it", STEP, async || {
        let seen = seen(two, "RestoreConsent", two.from, "holds").await?;
        ensure!(seen["status"]["usedBy"].is_string(), "{}", seen["status"]);
        Ok(seen["status"]["usedBy"].clone())
    })
    .await?;
    ensure_eq!(used, json!(format!("{}/{name}", two.into)), "who used it");
    Ok(())
}

async fn taken_back(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let two = &Two { tier: &tier, from: "consent-back", into: "consent-without" };
    let name = "tard";
    asked(two, name).await?;
    consent(two, "given", (SNAPSHOT, two.into, NEVER)).await?;
    in_phase(two, name, "Copying").await?;
    begun(two, name).await?;
    two.tier.cluster.kubectl.ok(&["delete", "restoreconsent", "given", "-n", two.from]).await?;
    let failed = in_phase(two, name, "Failed").await?;
    let why = condition(&failed, "Ready").cloned().unwrap_or_default();
    ensure!(why["reason"] == "ConsentMissing" && why["message"].to_string().contains("taken back"), "{why}");
    let job = copies(two, name).await?;
    ensure_eq!(job.trim(), "", "the Job that copies");
    ensure!(failed["status"]["copiedAt"].is_null(), "{}", failed["status"]);
    let claims = two.tier.cluster.kubectl.ok(&["get", "persistentvolumeclaims", "-n", two.into, "-o", "name"]).await?;
    ensure_eq!(claims.trim(), "", "claims");
    key_stays_away(two).await
}

async fn deleted(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let two = &Two { tier: &tier, from: "consent-gone", into: "consent-for-none" };
    let name = "esborrat";
    asked(two, name).await?;
    consent(two, "given", (SNAPSHOT, two.into, NEVER)).await?;
    let copying = in_phase(two, name, "Copying").await?;
    begun(two, name).await?;
    let kubectl = &two.tier.cluster.kubectl;
    // By itself it waits until the finalizer is taken away.
    kubectl.ok(&["delete", "servicerestore", name, "-n", two.into]).await?;
    let job = copy_name(copying["metadata"]["uid"].as_str().unwrap_or_default());
    let left = kubectl.ok(&["get", "job", &job, "-n", NAMESPACE, "--ignore-not-found", "-o", "name"]).await?;
    ensure_eq!(left.trim(), "", "the Job that copies");
    Ok(())
}
