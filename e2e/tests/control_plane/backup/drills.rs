//! Drills whose Jobs a test ends: simulated pods read and write nothing.

use std::sync::Arc;

use commonscloud_e2e::backup::servers::much_later;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, is_ready, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::api::marks::DRILLS;
use serde_json::{Value, json};

use super::pods::{SNAPSHOT, end_restore};
use super::restores::{AT_WORK, backed_up, claims, recorded};
use super::{STEP, UNUSED, nothing_before, platform_with, seen};
use crate::tier::{ControlPlane, READY};

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a drill proves a backup and leaves nothing, though the operator is killed in each phase",
            proven,
        )
        .apart(),
        Scenario::new("a drill that differs is loud, and what it left stays until it is cleared away", differs)
            .apart()
            .slow(),
    ]
}

/// What is found in what differs.
const DIFFERENT: &[&str] = &["table oc_share: 3 rows, not 4"];

async fn drills_are(tier: &ControlPlane, enabled: bool) -> Outcome {
    // By who applied it before: else the next one who does is in conflict.
    let mut platform = platform_with(much_later());
    platform["spec"]["backup"]["drills"]["enabled"] = json!(enabled);
    tier.cluster.applied(&[platform]).await
}

/// The only drill.
async fn drill(tier: &ControlPlane) -> Outcome<Value> {
    let listed = tier.cluster.kubectl.ok(&["get", "servicerestores", "-n", DRILLS, "-o", "json"]).await?;
    let listed: Value = serde_json::from_str(&listed)?;
    let drills = listed["items"].as_array().cloned().unwrap_or_default();
    ensure!(drills.len() == 1, "{} drills", drills.len());
    drills.into_iter().next().ok_or_else(|| Failure::new("no drill"))
}

/// Ends its pods as they come until it is in this phase.
async fn until(tier: &ControlPlane, manifest: &Value, differences: &[&str], phase: &str) -> Outcome<Value> {
    eventually(&format!("the drill is {phase}"), READY + STEP, async || {
        let drill = drill(tier).await?;
        if drill["status"]["phase"] == phase {
            return Ok(drill);
        }
        end_restore(tier, DRILLS, manifest, differences, drill["status"]["phase"].as_str().unwrap_or_default()).await?;
        Err(Failure::new(format!("{}: {}", drill["status"]["phase"], conditions(&drill))))
    })
    .await
}

/// What there is in the namespace of drills, beside what the chart made.
async fn left(tier: &ControlPlane) -> Outcome<String> {
    let kinds =
        "persistentvolumeclaims,pods,jobs,deployments,statefulsets,services,configmaps,secrets,ingresses,cronjobs";
    let managed = "app.kubernetes.io/managed-by=commonscloud";
    let words = ["get", kinds, "-n", DRILLS, "-o", "name", "-l", managed];
    Ok(tier.cluster.kubectl.ok(&words).await?.trim().to_owned())
}

async fn nothing_is_left(tier: &ControlPlane) -> Outcome {
    eventually("nothing of the drill is left", STEP, async || {
        ensure_eq!(left(tier).await?, String::new(), "left");
        Ok(())
    })
    .await
}

/// The service and its data, as what is written of them says.
async fn service(tier: &ControlPlane, name: &str) -> Outcome<(Vec<String>, Vec<String>, String)> {
    let path = "jsonpath={.metadata.resourceVersion}";
    let record = tier.cluster.kubectl.ok(&["get", "servicedata", "office", "-n", name, "-o", path]).await?;
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    is_ready(&serde_json::to_value(offices.get("office").await?)?)?;
    Ok((claims(tier, name).await?, recorded(tier, name).await?, record))
}

async fn office(tier: &ControlPlane, name: &str) -> Outcome<Value> {
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    Ok(serde_json::to_value(offices.get("office").await?)?)
}

async fn proven(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    nothing_before(&tier).await?;
    let outcome = is_proven(&tier).await;
    drills_are(&tier, false).await?;
    outcome
}

async fn is_proven(tier: &ControlPlane) -> Outcome {
    let name = "drill-proven";
    let manifest = backed_up(tier, name).await?;
    let before = service(tier, name).await?;
    drills_are(tier, true).await?;
    eventually("a drill is made", UNUSED, async || drill(tier).await.map(drop)).await?;
    for phase in AT_WORK {
        until(tier, &manifest, &[], phase).await?;
        tier.kill_operator().await?;
        // What it began ends without it.
        let ended = end_restore(tier, DRILLS, &manifest, &[], phase).await;
        tier.forget_leader().await?;
        tier.start_operator().await?;
        ended?;
        ensure_eq!(service(tier, name).await?, before, "the service while it is drilled");
    }
    let drill = until(tier, &manifest, &[], "Succeeded").await?;
    is_ready(&drill)?;
    ensure_eq!(drill["status"]["snapshot"], json!(SNAPSHOT), "the snapshot");
    ensure!(drill["status"]["stoppedAt"].is_null(), "{}", drill["status"]);
    let run = seen(tier, name, "first").await?;
    ensure!(run["status"]["provenAt"].is_string(), "the run is not proven: {}", run["status"]);
    nothing_is_left(tier).await?;
    eventually("the office says when it was proven", UNUSED, async || {
        let shown = office(tier, name).await?["status"]["backup"].clone();
        ensure_eq!(shown["lastProvenRestore"], run["status"]["provenAt"], "lastProvenRestore");
        ensure_eq!(shown["lastProvenRestoreName"], drill["metadata"]["name"], "lastProvenRestoreName");
        Ok(())
    })
    .await?;
    ensure_eq!(service(tier, name).await?, before, "the service after its drill");
    Ok(())
}

async fn differs(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    nothing_before(&tier).await?;
    let outcome = is_loud(&tier).await;
    drills_are(&tier, false).await?;
    outcome
}

async fn is_loud(tier: &ControlPlane) -> Outcome {
    let name = "drill-differs";
    let manifest = backed_up(tier, name).await?;
    drills_are(tier, true).await?;
    eventually("a drill is made", UNUSED, async || drill(tier).await.map(drop)).await?;
    let failed = until(tier, &manifest, DIFFERENT, "Failed").await?;
    let why = condition(&failed, "Ready").cloned().unwrap_or_default();
    ensure!(why["reason"] == "RestoreDiffers" && why["message"].to_string().contains("oc_share"), "{why}");
    eventually("the office says that nobody may rely on its backups", UNUSED, async || {
        let office = office(tier, name).await?;
        let proven = condition(&office, "RestoreProven").cloned().unwrap_or_default();
        ensure!(proven["status"] == "False" && proven["reason"] == "DrillFailed", "{proven}");
        ensure!(proven["message"].to_string().contains("oc_share"), "{proven}");
        is_ready(&office)
    })
    .await?;
    let words = ["get", "events", "-n", name, "--field-selector", "type=Warning", "-o", "jsonpath={.items[*].reason}"];
    eventually("an Event warns", STEP, async || {
        let events = tier.cluster.kubectl.ok(&words).await?;
        ensure!(events.contains("DrillFailed"), "{events}");
        Ok(())
    })
    .await?;
    let evidence = left(tier).await?;
    ensure!(evidence.contains("persistentvolumeclaim/") && evidence.contains("job.batch/"), "{evidence}");
    let run = seen(tier, name, "first").await?;
    ensure!(run["status"]["provenAt"].is_null(), "a backup that differs is proven");
    // What is cleared away is drilled again.
    drills_are(tier, false).await?;
    tier.cluster.kubectl.ok(&["delete", "servicerestores", "--all", "-n", DRILLS]).await?;
    nothing_is_left(tier).await?;
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", name);
    ready(&offices, "office", READY).await.map(drop)
}
