//! What is wrong with a target or with what is asked for is told on the object, and the service goes on.

use std::sync::Arc;

use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::backup::runs::{ENDS, Runs, TOLD, phase, snapshot};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, chart, ensure, ensure_eq};
use commonscloud_operator::api::{BackupPhase, RestorePhase};

use super::{DONE, calendars, can_be_written, storage};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "a target that is not there, refuses or has no Secret is told by name, and the calendar goes on",
            wrong_targets,
        )
        .sampled(),
        Scenario::new(
            "two backups at once are made one after the other, and an unknown snapshot is refused",
            two_at_once,
        ),
    ]
}

const SERVICE: &str = "site";

async fn wrong_targets(node: Arc<Node>) -> Outcome {
    let name = "mal-desti";
    let (kubectl, secret) = (&node.cluster.kubectl, servers::secret_name(servers::SPARE));
    servers::ready(&node.cluster, servers::REST).await?;
    let calendar = calendars(&node, name, &[SERVICE]).await?.remove(0);
    let runs = Runs::of(&node.cluster, name).await?;

    runs.begin("enlloc", SERVICE, servers::NOWHERE).await?;
    // The key goes there first, so that it can be found again: what keeps it from it is told.
    eventually("it is told which target is not reached", TOLD, async || {
        let said = runs.told("ServiceBackup", "enlloc", &["TargetUnreachable", "KeyNotEscrowed"]).await?;
        ensure!(said.contains("nowhere") && !said.contains(" brings "), "{said}");
        ensure!(!said.contains("the key goes to"), "{said}");
        Ok(())
    })
    .await?;
    can_be_written(&calendar, "primera").await?;
    runs.take_back("enlloc").await?;

    runs.backed_up("bo", SERVICE, servers::SPARE).await?;
    node.cluster.applied(&[servers::refused_secret(servers::SPARE)]).await?;
    runs.begin("refusat", SERVICE, servers::SPARE).await?;
    let said = runs.told("ServiceBackup", "refusat", &["TargetCredentialsRefused"]).await?;
    ensure!(said.contains(&secret), "the Secret is to be named: {said}");
    ensure_eq!(phase(&runs.ended("refusat").await?), Some(BackupPhase::Failed), "a run with a wrong password");
    can_be_written(&calendar, "segona").await?;

    kubectl.ok(&["delete", "secret", &secret, "-n", chart::NAMESPACE]).await?;
    runs.begin("sense", SERVICE, servers::SPARE).await?;
    let said = runs.told("ServiceBackup", "sense", &["PlatformSecretNotFound", "SecretNotFound"]).await?;
    ensure!(said.contains(&secret), "the Secret is to be named: {said}");
    can_be_written(&calendar, "tercera").await?;
    // It waited, and goes on by itself.
    node.cluster.applied(&[servers::rest_secret(servers::SPARE)]).await?;
    ensure_eq!(phase(&runs.ended("sense").await?), Some(BackupPhase::Succeeded), "with its Secret");
    node.discard(name).await
}

async fn two_at_once(node: Arc<Node>) -> Outcome {
    let name = "alhora";
    servers::ready(&node.cluster, servers::REST).await?;
    let calendar = calendars(&node, name, &[SERVICE]).await?.remove(0);
    let runs = Runs::of(&node.cluster, name).await?;
    let names = ["u", "dos"];
    for run in names {
        runs.begin(run, SERVICE, servers::REST).await?;
    }
    let (one, two) = eventually("both have ended", ENDS, async || {
        let seen = tokio::try_join!(runs.backup(names[0]), runs.backup(names[1]))?;
        let phases = [phase(&seen.0), phase(&seen.1)];
        let waits = |at: Option<BackupPhase>| at.is_none_or(|at| at == BackupPhase::Waiting);
        let is_over = |at: Option<BackupPhase>| at.is_some_and(|at| at >= BackupPhase::Succeeded);
        let at_work = phases.iter().filter(|at| !waits(**at) && !is_over(**at)).count();
        if at_work < 2 {
            ensure!(phases.iter().all(|at| is_over(*at)), "{phases:?}");
        }
        Ok((seen.0, seen.1))
    })
    .await?;
    ensure_eq!((phase(&one), phase(&two)), (Some(BackupPhase::Succeeded), Some(BackupPhase::Succeeded)), "phases");
    let (one, two) = (one.status.unwrap_or_default(), two.status.unwrap_or_default());
    ensure!(snapshot(&one)? != snapshot(&two)?, "one snapshot for both");
    let id = |run: &commonscloud_operator::api::ServiceBackupStatus| run.repository.as_ref().map(|at| at.id.clone());
    ensure_eq!(id(&one), id(&two), "the repository");

    let (claims, content) = (storage(&node, name).await?, calendar.content().await?);
    let unknown = "0123456789abcdef".repeat(4);
    runs.begin_restore("desconegut", SERVICE, &unknown).await?;
    let said = runs.told("ServiceRestore", "desconegut", &["SnapshotNotFound"]).await?;
    ensure!(said.contains(&unknown[..8]), "the snapshot is to be named: {said}");
    let ended = runs.restore_ended("desconegut").await?;
    ensure_eq!(ended.status.and_then(|status| status.phase), Some(RestorePhase::Failed), "a restore of nothing");
    ensure_eq!(calendar.content().await?, content, "the calendar after it");
    eventually("claims and quota are as before", DONE, async || {
        ensure_eq!(storage(&node, name).await?, claims, "claims, and the quota");
        Ok(())
    })
    .await?;
    can_be_written(&calendar, "despres").await?;
    node.discard(name).await
}
