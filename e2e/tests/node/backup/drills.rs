//! Drills: a backup is restored out of everybody's reach, while people write.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::backup::runs::{ENDS, Runs};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::backup::writer::during;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::api::marks::DRILLS;
use serde_json::{Value, json};

use super::repository::{damage, folder};
use super::{calendars, can_be_written, is_ready, storage};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "a calendar's backup is proven by a drill, and that of a damaged one fails loudly and keeps none waiting",
            drilled,
        )
        .alone(),
    ]
}

/// The schedule looks at least once a minute.
const TOLD: Duration = Duration::from_secs(100);

async fn drilled(node: Arc<Node>) -> Outcome {
    let name = "simulacre";
    servers::ready(&node.cluster, servers::REST).await?;
    let all = calendars(&node, name, &["primer", "segon", "tercer"]).await?;
    let runs = Runs::of(&node.cluster, name).await?;
    runs.backed_up("primer-abans", "primer", servers::REST).await?;
    let segon = runs.backed_up("segon-abans", "segon", servers::REST).await?;
    damage(&node, servers::REST, &folder(&segon)?).await?;
    runs.backed_up("tercer-abans", "tercer", servers::REST).await?;
    let (before, content) = (storage(&node, name).await?, all[0].content().await?);

    node.change_platform(&json!({"backup": {"drills": {"enabled": true}}})).await?;
    let (written, seen) = during(&all[0], "reunio", all_end(&node, name)).await;
    let told = if seen.is_ok() { tells(&node, name).await } else { Ok(()) };
    // Else the next look begins others. Without drills nobody says that one failed.
    node.change_platform(&json!({"backup": {"drills": {"enabled": false}}})).await?;
    seen?;
    told?;
    ensure_eq!(written.refused(), Vec::<&str>::new(), "what was refused while it was drilled");
    let after = all[0].content().await?;
    ensure!(content.iter().all(|(entry, hash)| after.get(entry) == Some(hash)), "the calendar is not what it was");
    ensure_eq!(storage(&node, name).await?, before, "claims and quota of the Entity");

    proven(&node, name, &runs).await?;
    has_evidence(&node).await?;
    node.cluster.kubectl.ok(&["delete", "servicerestores", "--all", "-n", DRILLS]).await?;
    eventually("nothing of the drills is left", TOLD, async || {
        ensure_eq!(left(&node).await?, String::new(), "left");
        Ok(())
    })
    .await?;
    is_ready(&node, name).await?;
    can_be_written(&all[1], "despres").await?;
    node.discard(name).await
}

/// The first one is proven and gone, the second one has failed, and the third one did not wait for that.
async fn all_end(node: &Node, entity: &str) -> Outcome {
    eventually("two drills succeed, and one fails", ENDS * 3, async || {
        let drills = resources::ours_in(&node.cluster.client, "ServiceRestore", DRILLS);
        let mut ended = Vec::new();
        for drill in drills.list(&kube::api::ListParams::default()).await? {
            let drill = serde_json::to_value(drill)?;
            // Others' backups are drilled as well.
            if drill["spec"]["from"]["entity"] != entity {
                continue;
            }
            let phase = drill["status"]["phase"].as_str().unwrap_or_default().to_owned();
            ensure!(["Succeeded", "Failed"].contains(&phase.as_str()), "{phase}: {}", conditions(&drill));
            ended.push((drill["spec"]["from"]["service"].as_str().unwrap_or_default().to_owned(), phase));
        }
        ended.sort();
        let expected = [("primer", "Succeeded"), ("segon", "Failed"), ("tercer", "Succeeded")];
        ensure_eq!(ended, expected.map(|(service, phase)| (service.to_owned(), phase.to_owned())), "drills");
        Ok(())
    })
    .await
}

async fn service(node: &Node, entity: &str, name: &str) -> Outcome<Value> {
    let services = resources::ours_in(&node.cluster.client, "DedicatedService", entity);
    Ok(serde_json::to_value(services.get(name).await?)?)
}

async fn proven(node: &Node, entity: &str, runs: &Runs<'_>) -> Outcome {
    let run = runs.backup("primer-abans").await?;
    let proven = run.status.and_then(|status| status.proven_at).ok_or_else(|| Failure::new("the run is not proven"))?;
    eventually("the calendar says when it was proven", TOLD, async || {
        let shown = service(node, entity, "primer").await?["status"]["backup"]["lastProvenRestore"].clone();
        ensure_eq!(shown, json!(proven), "lastProvenRestore");
        Ok(())
    })
    .await
}

/// The service whose drill failed says so.
async fn tells(node: &Node, entity: &str) -> Outcome {
    eventually("the calendar says that its drill failed", TOLD, async || {
        let segon = service(node, entity, "segon").await?;
        let proven = condition(&segon, "RestoreProven").cloned().unwrap_or_default();
        ensure!(proven["status"] == "False" && proven["reason"] == "DrillFailed", "{proven}");
        ensure!(segon["status"]["backup"]["lastProvenRestore"].is_null(), "{}", segon["status"]);
        Ok(())
    })
    .await
}

/// What the failed one left is there to be looked at, though another was drilled since; nothing was let out or in.
async fn has_evidence(node: &Node) -> Outcome {
    let left = left(node).await?;
    ensure!(left.contains("job.batch/segon-"), "evidence: {left}");
    ensure!(!left.contains("ingress"), "a way in: {left}");
    Ok(())
}

async fn left(node: &Node) -> Outcome<String> {
    let kinds = "persistentvolumeclaims,pods,jobs,deployments,services,secrets,ingresses";
    let managed = "app.kubernetes.io/managed-by=commonscloud";
    Ok(node.cluster.kubectl.ok(&["get", kinds, "-n", DRILLS, "-o", "name", "-l", managed]).await?.trim().to_owned())
}
