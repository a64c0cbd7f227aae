//! Copies of other Entities' backups: once the restore has ended that one was made for, nobody needs it. It is forgotten
//! by the id of its manifest, which the restore recorded, and those that this names. Nobody else knows it, so a restore
//! that is deleted before stays until then. Pure.

use std::sync::Arc;

use commonscloud_backup::report::Outcome;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use serde_json::Value;

use super::care::{CareJobOf, CareWork, label, snapshots};
use super::companion::Command;
use super::{JobState, Own, SeenJob};
use crate::api::{
    BackupRepository, ConditionType, Platform, PlatformBackup, Reason, RestoreDestinationKind, ServiceBackup,
    ServiceRestore, ServiceRestoreStatus,
};
use crate::cache::restore_has_ended;
use crate::report::{ConditionUpdate, Problem, conditions};

/// Annotation of the Job: the uid of the restore whose copy it forgets.
const COPIED_FOR: &str = "commonscloud.coop/forgets-copied-for";
/// How long it takes at most, in seconds.
const SECONDS: u32 = 1800;
/// When nothing of a restore that ended can read any more.
const IS_OVER: SignedDuration = SignedDuration::from_hours(1);
/// For how long it is the turn of one of several.
const TURN: SignedDuration = SignedDuration::from_hours(1);
/// For how long it is tried, where the target does not let anybody forget.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// For how long a restore that is deleted stays for it.
const HELD: SignedDuration = SignedDuration::from_hours(24);

/// A copy of another Entity's backup.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The restore that it was made for.
    pub restore: Arc<ServiceRestore>,
    /// Where it is.
    pub at: BackupRepository,
}

impl Copied {
    /// The copy that a restore was made from, in a repository of this folder; none where nothing was copied.
    pub fn of(restore: &Arc<ServiceRestore>, folder: &str) -> Option<Self> {
        let (spec, status) = (&restore.spec, restore.status.as_ref()?);
        let service = spec.into.service.as_ref().filter(|_| spec.into.kind == RestoreDestinationKind::NewService)?;
        let is_copied = spec.from.entity.is_some() && status.copied_at.is_some() && status.snapshot.is_some();
        let target = status.copy_target.clone().filter(|_| is_copied)?;
        let at = BackupRepository { target, path: format!("{folder}.{service}"), id: String::new() };
        Some(Self { restore: Arc::clone(restore), at })
    }

    fn uid(&self) -> String {
        self.restore.uid().unwrap_or_default()
    }

    fn is_deleted(&self) -> bool {
        self.restore.metadata.deletion_timestamp.is_some()
    }

    /// Whether the restore says what became of it.
    fn is_told(&self) -> bool {
        let conditions = self.restore.status.iter().flat_map(|status| &status.conditions);
        let mut gone = conditions.filter(|of| of.type_ == ConditionType::SnapshotGone.as_str());
        gone.any(|of| of.reason != Reason::SnapshotGivenUp.name())
    }

    /// Since when the restore is over.
    fn over_for(&self, now: Timestamp) -> Option<SignedDuration> {
        let ended = self.restore.status.as_ref()?.ended_at.as_ref()?;
        Some(now.duration_since(ended.0))
    }

    /// Whether the restore is to stay, were it deleted, until somebody has forgotten the copy.
    pub fn is_awaited(&self, backup: &PlatformBackup, now: Timestamp) -> bool {
        let deleted = self.restore.metadata.deletion_timestamp.as_ref();
        let stays = deleted.is_none_or(|deleted| now.duration_since(deleted.0) < HELD);
        let is_tried = self.over_for(now).is_none_or(|over| over < PATIENCE);
        stays && is_tried && !self.is_told() && backup.target(Some(&self.at.target)).is_some()
    }

    /// The status of a restore that is deleted, and stays until then.
    pub fn given_up(&self, now: Timestamp) -> ServiceRestoreStatus {
        let message = "it is deleted: the copy that was restored is being forgotten, and this object goes once it is, or after a day";
        with(&self.restore, false, &Problem::new(Reason::SnapshotGivenUp, message), now)
    }

    /// The name of the Job that forgets it.
    pub fn forget_name(&self) -> String {
        format!("forget-copy-{}", label(&self.at))
    }

    /// That Job; none where the target is not there.
    pub fn forget_job(&self, platform: &Platform, own: &Own) -> Option<Value> {
        let manifest = self.restore.status.as_ref()?.snapshot.as_deref()?;
        let job = CareJobOf {
            at: &self.at,
            work: CareWork::Forget,
            name: self.forget_name(),
            said: (COPIED_FOR, self.uid()),
            seconds: SECONDS,
            first: None,
            command: Command::forget_copy(manifest),
        };
        job.object(platform, own)
    }

    /// The status of the restore, by what a Job says that has ended; none where it says nothing of this copy.
    pub fn told(&self, job: &SeenJob, metadata: &ObjectMeta, now: Timestamp) -> Option<ServiceRestoreStatus> {
        let copied_for = metadata.annotations.as_ref()?.get(COPIED_FOR)?;
        if job.state != JobState::Succeeded || *copied_for != self.uid() {
            return None;
        }
        let mut reports = job.said.values().filter_map(|said| said.report.as_ref());
        let is_left = reports.find_map(|report| match &report.outcome {
            Outcome::Left { snapshots } => Some(!snapshots.is_empty()),
            _ => None,
        })?;
        Some(with(&self.restore, !is_left, &fate(is_left), now))
    }
}

/// The next copy that is to be forgotten: of a restore that has ended, which says nothing of it yet. `runs`: those of
/// the service; what one of them recorded is its backup, whatever the status of a restore says.
pub fn next_copied<'c>(
    copies: &'c [Copied],
    runs: &[Arc<ServiceBackup>],
    backup: &PlatformBackup,
    now: Timestamp,
) -> Option<&'c Copied> {
    let is_due = |copied: &&Copied| {
        let Some(status) = copied.restore.status.as_ref().filter(|_| restore_has_ended(&copied.restore)) else {
            return false;
        };
        let is_time = |since: SignedDuration| (copied.is_deleted() || since > IS_OVER) && since < PATIENCE;
        let is_over = copied.over_for(now).is_some_and(is_time);
        let is_own = status.snapshot.as_deref().is_some_and(|id| runs.iter().any(|run| snapshots(run).contains(id)));
        let is_reached = backup.target(Some(&copied.at.target)).is_some();
        is_over && !copied.is_told() && is_reached && !is_own
    };
    let mut due: Vec<&Copied> = copies.iter().filter(is_due).collect();
    due.sort_by_key(|copied| copied.restore.name_any());
    // By the hour, as a Job that failed is made anew: one whose target does not answer keeps no other waiting.
    let turn = usize::try_from(now.as_second().div_euclid(TURN.as_secs())).unwrap_or_default();
    due.get(turn % due.len().max(1)).copied()
}

/// What became of it. `is_left`: the target keeps something of it all the same.
fn fate(is_left: bool) -> Problem {
    if is_left {
        let message = "the copy that was restored is not needed any more, and the target removes nothing";
        return Problem::new(Reason::SnapshotKept, message);
    }
    Problem::new(Reason::SnapshotForgotten, "the copy that was restored is forgotten: nobody needs it any more")
}

fn with(restore: &ServiceRestore, is_gone: bool, problem: &Problem, now: Timestamp) -> ServiceRestoreStatus {
    let before = restore.status.clone().unwrap_or_default();
    let shown = vec![ConditionUpdate::problem(ConditionType::SnapshotGone, is_gone, problem)];
    let generation = restore.metadata.generation.unwrap_or_default();
    let mut all = before.conditions.clone();
    all.retain(|of| of.type_ != ConditionType::SnapshotGone.as_str());
    all.extend(conditions(&before.conditions, shown, generation, now));
    ServiceRestoreStatus { conditions: all, ..before }
}

#[cfg(test)]
#[path = "copied_tests.rs"]
mod tests;
