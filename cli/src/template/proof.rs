//! Whether a package's operations do what they say: an instance is backed up, restored in place, and compared.

use std::time::Duration;

use commonscloud_cluster::Progress;
use commonscloud_cluster::command::Failure;
use commonscloud_cluster::local::NodeKind;
use commonscloud_cluster::progress::Phase;
use commonscloud_operator::api::{
    BackupTarget, Operations, Platform, RestoreSource, ServiceBackup, ServiceRestore, ServiceRestoreSpec,
};
use commonscloud_operator::kinds;
use commonscloud_operator::template::AllowedKind;
use kube::Api;
use tokio::time::error::Elapsed;

use super::print;
use crate::asked;
use crate::operated::{Operated, backups, waiting};

/// A Ready instance whose operations are tried.
pub(super) struct Proof<'a> {
    /// Where it is.
    pub(super) operated: &'a Operated,
    /// Its Entity, which is its namespace.
    pub(super) entity: &'a str,
    /// Its name.
    pub(super) service: &'a str,
    /// How long the backup may take, and the restore.
    pub(super) patience: Duration,
    /// Where its phases are shown.
    pub(super) progress: &'a Progress,
}

impl Proof<'_> {
    /// Backs the instance up and restores it, where its package says how and this cluster lets it; else says why not.
    ///
    /// # Errors
    /// What failed, in the words of the run or the restore.
    pub(super) async fn run(&self, operations: Option<&Operations>) -> Result<(), Failure> {
        let said = match operations {
            None => untried("its package has none"),
            Some(_) if self.operated.cluster.node == NodeKind::Simulated => untried("nothing runs on simulated nodes"),
            Some(operations) => match self.target().await? {
                None => untried("Platform default of this cluster has no spec.backup"),
                Some(target) => self.proven(operations, &target).await?,
            },
        };
        print(&format!("{}: {said}\n", self.service));
        Ok(())
    }

    async fn proven(&self, operations: &Operations, target: &BackupTarget) -> Result<String, Failure> {
        self.served(target).await?;
        let (snapshot, size) = self.back_up().await?;
        let down = self.restore(snapshot).await?;
        Ok(format!("backed up, {size}; restored in place {}; down for {down}", compared(operations)))
    }

    /// Where the instance is backed up to: neither it nor its Entity chooses, so the Platform's first.
    async fn target(&self) -> Result<Option<BackupTarget>, Failure> {
        let platform = Api::<Platform>::all(self.operated.client.clone()).get("default").await?;
        Ok(platform.spec.backup.and_then(|backup| backup.target(None).cloned()))
    }

    /// Waits until the target answers, where it is a volume of the cluster.
    async fn served(&self, target: &BackupTarget) -> Result<(), Failure> {
        if target.volume.is_none() {
            return Ok(());
        }
        let (client, name) = (&self.operated.client, target.name.as_str());
        let phase = self.progress.phase("the target of backups answers");
        let served = waiting::awaited(self.patience, &phase, async || backups::is_served(client, name).await).await;
        served.map_err(|why| format!("target {name} of backups: {why}"))?;
        phase.done();
        Ok(())
    }

    /// The snapshot of a backup, and its size.
    async fn back_up(&self) -> Result<(String, String), Failure> {
        let phase = self.progress.phase("back the instance up");
        let (client, entity) = (&self.operated.client, self.entity);
        let name = asked::back_up(client, entity, self.service, None).await?;
        self.until_ended(&kinds::SERVICE_BACKUP, &name, &phase).await?;
        let run = Api::<ServiceBackup>::namespaced(client.clone(), entity).get(&name).await?;
        let Some((snapshot, _)) = asked::snapshot(&run) else {
            return Err(format!("ServiceBackup {entity}/{name} has ended, and names no snapshot that is there").into());
        };
        let size = run.status.as_ref().and_then(|status| status.size.clone());
        phase.done();
        Ok((snapshot.to_owned(), size.unwrap_or_else(|| "unknown size".to_owned())))
    }

    /// For how long the instance did not serve.
    async fn restore(&self, snapshot: String) -> Result<String, Failure> {
        let phase = self.progress.phase("restore it in place, and compare");
        let (client, entity) = (&self.operated.client, self.entity);
        let from =
            RestoreSource { service: self.service.to_owned(), snapshot: Some(snapshot), ..RestoreSource::default() };
        let requested_by = asked::whoever(client).await?;
        let spec = ServiceRestoreSpec { from, requested_by, ..ServiceRestoreSpec::default() };
        let name = asked::restore(client, entity, spec).await?;
        self.until_ended(&kinds::SERVICE_RESTORE, &name, &phase).await?;
        let restore = Api::<ServiceRestore>::namespaced(client.clone(), entity).get(&name).await?;
        phase.done();
        let down = restore.status.and_then(|status| status.down_seconds);
        Ok(down.map_or_else(|| "unknown time".to_owned(), |seconds| format!("{seconds} s")))
    }

    async fn until_ended(&self, kind: &AllowedKind, name: &str, phase: &Phase) -> Result<(), Failure> {
        let mut last = String::new();
        let tell = |line: &str| {
            phase.at(line);
            line.clone_into(&mut last);
            Ok(())
        };
        let ended = asked::ended(&self.operated.client, kind, self.entity, name, tell);
        let ended = tokio::time::timeout(self.patience, ended).await;
        let seconds = self.patience.as_secs();
        let late = |_: Elapsed| format!("{} {}/{name}: not after {seconds} s: {last}", kind.kind, self.entity);
        ended.map_err(late)?.map(drop)
    }
}

fn untried(why: &str) -> String {
    format!("no operations are tried: {why}")
}

/// By what a restored instance was found equal to its backup.
fn compared(operations: &Operations) -> String {
    let files = (!operations.files.is_empty()).then_some("its files by their hashes");
    let dump = operations.verify.is_some().then_some("its dump by verify");
    let by: Vec<&str> = files.into_iter().chain(dump).collect();
    if by.is_empty() { "with nothing to compare".to_owned() } else { format!("and equal: {}", by.join(", ")) }
}

#[cfg(test)]
mod tests {
    use commonscloud_operator::api::{FileTree, Operation};

    use super::*;

    #[test]
    fn what_was_compared_is_said_and_nothing_else() {
        let none = Operations::default();
        let files = Operations { files: vec![FileTree::default()], ..none.clone() };
        let both = Operations { verify: Some(Operation::default()), ..files.clone() };
        assert_eq!(compared(&none), "with nothing to compare");
        assert_eq!(compared(&files), "and equal: its files by their hashes");
        assert_eq!(compared(&both), "and equal: its files by their hashes, its dump by verify");
    }
}
