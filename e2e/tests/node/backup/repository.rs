//! A repository that is not what it was: replaced by somebody, or damaged on the server's disk.

use std::sync::Arc;

use commonscloud_e2e::backup::calendar::Calendar;
use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::backup::runs::{Runs, phase, snapshot};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use commonscloud_operator::api::{BackupPhase, RestorePhase, ServiceBackupStatus};

use super::{DONE, calendars, can_be_written, is_ready, storage};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "a repository that was replaced is told, and from a damaged one nothing is restored that is not whole",
            replaced_and_damaged,
        )
        .sampled(),
    ]
}

/// Where the server keeps the repository of a run.
pub(super) fn folder(run: &ServiceBackupStatus) -> Outcome<String> {
    let repository = run.repository.as_ref().ok_or_else(|| Failure::new("no repository"))?;
    Ok(format!("/data/{}", repository.path))
}

async fn replaced_and_damaged(node: Arc<Node>) -> Outcome {
    let name = "diposit";
    servers::ready(&node.cluster, servers::REST).await?;
    let two = calendars(&node, name, &["primer", "segon"]).await?;
    let runs = Runs::of(&node.cluster, name).await?;
    let both = tokio::try_join!(
        runs.backed_up("primer-abans", "primer", servers::REST),
        runs.backed_up("segon-abans", "segon", servers::REST)
    )?;
    replaced(&node, name, &runs, &both).await?;
    damaged(&node, name, &runs, &both.1, &two[1]).await?;
    can_be_written(&two[0], "despres").await?;
    can_be_written(&two[1], "despres").await?;
    node.discard(name).await
}

/// In the place of the first one's repository comes one that the same key opens.
async fn replaced(
    node: &Node,
    name: &str,
    runs: &Runs<'_>,
    (first, second): &(ServiceBackupStatus, ServiceBackupStatus),
) -> Outcome {
    let (own, other) = (folder(first)?, folder(second)?);
    ensure!(own != other, "two services share {own}");
    let script =
        format!("test -s {own}/config; rm -rf {own}; cp -a {other} {own}; find {own}/snapshots -type f | wc -l");
    let snapshots = servers::shell(&node.cluster, servers::REST, &script).await?;
    runs.begin("primer-canviat", "primer", servers::REST).await?;
    runs.told("ServiceBackup", "primer-canviat", &["RepositoryReplaced"]).await?;
    ensure_eq!(phase(&runs.ended("primer-canviat").await?), Some(BackupPhase::Failed), "into another repository");
    let count = format!("find {own}/snapshots -type f | wc -l");
    let left = servers::shell(&node.cluster, servers::REST, &count).await?;
    ensure_eq!(left, snapshots, "snapshots in the repository that is not ours");
    let claims = storage(node, name).await?;
    runs.begin_restore("primer-enrere", "primer", snapshot(first)?).await?;
    let ended = runs.restore_ended("primer-enrere").await?;
    ensure_eq!(ended.status.and_then(|status| status.phase), Some(RestorePhase::Failed), "from another repository");
    eventually("claims and quota are as before", DONE, async || {
        ensure_eq!(storage(node, name).await?, claims, "claims, and the quota");
        Ok(())
    })
    .await
}

/// Makes some bytes of each pack of a repository others than were written.
pub(super) async fn damage(node: &Node, server: &str, folder: &str) -> Outcome {
    let script = format!(
        "find {folder}/data -type f >/tmp/packs; test -s /tmp/packs\nwhile read -r pack; do chmod u+w \"$pack\"; dd if=/dev/urandom of=\"$pack\" bs=16 seek=2 count=2 conv=notrunc status=none; done </tmp/packs\nwc -l </tmp/packs"
    );
    servers::shell(&node.cluster, server, &script).await.map(drop)
}

async fn damaged(node: &Node, name: &str, runs: &Runs<'_>, run: &ServiceBackupStatus, calendar: &Calendar) -> Outcome {
    let folder = folder(run)?;
    damage(node, servers::REST, &folder).await?;
    let (claims, content) = (storage(node, name).await?, calendar.content().await?);
    runs.begin_restore("segon-enrere", "segon", snapshot(run)?).await?;
    let ended = runs.restore_ended("segon-enrere").await?;
    let status = ended.status.unwrap_or_default();
    ensure_eq!(status.phase, Some(RestorePhase::Failed), "from a damaged repository");
    let said = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    ensure!(said.is_some_and(|ready| ready.status == "False" && !ready.message.is_empty()), "{status:?}");
    is_ready(node, name).await?;
    ensure_eq!(calendar.content().await?, content, "the calendar after it");
    eventually("claims and quota are as before", DONE, async || {
        ensure_eq!(storage(node, name).await?, claims, "claims, and the quota");
        Ok(())
    })
    .await
}
