//! What runs left at the target that failed: parts that no manifest names. They are forgotten by their ids, which the
//! Jobs of the run told, before the record of the run goes. Pure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::care::{as_many_as_a_report_tells, place, snapshots};
use super::turns::{fate, made_at};
use crate::api::{BackupPhase, ConditionType, PlatformBackup, Reason, ServiceBackup, ServiceBackupStatus};
use crate::report::{ConditionUpdate, Problem, conditions};

/// When nothing of a run that ended can write any more.
const IS_OVER: SignedDuration = SignedDuration::from_hours(1);
/// For how long the record of a run stays whose target does not let anybody forget.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Whether a run left no backup.
pub(super) fn is_failed(run: &ServiceBackup) -> bool {
    let phase = run.status.as_ref().and_then(|status| status.phase);
    phase == Some(BackupPhase::Failed)
}

/// Whether something that a failed run recorded is at a target, and nobody has forgotten it yet.
fn has_left(run: &ServiceBackup, backup: &PlatformBackup) -> bool {
    let is_reached = place(run).is_some_and(|at| !at.id.is_empty() && backup.target(Some(&at.target)).is_some());
    is_failed(run) && is_reached && fate(run).is_none() && !snapshots(run).is_empty()
}

/// Whether the record of a run is still needed, so that what it left is found.
pub fn awaits_forgetting(run: &ServiceBackup, backup: &PlatformBackup, now: Timestamp) -> bool {
    has_left(run, backup) && now.duration_since(made_at(run)) < PATIENCE
}

/// The next failed runs that one Job forgets: of one repository.
pub(super) fn batch(runs: &[Arc<ServiceBackup>], backup: &PlatformBackup, now: Timestamp) -> Vec<Arc<ServiceBackup>> {
    let is_over = |run: &ServiceBackup| {
        let ended = run.status.as_ref().and_then(|status| status.ended_at.as_ref());
        ended.is_some_and(|ended| now.duration_since(ended.0) > IS_OVER)
    };
    let mut left: Vec<_> = runs.iter().filter(|run| has_left(run, backup) && is_over(run)).cloned().collect();
    left.sort_by_key(|run| (place(run).map(|at| (at.target.clone(), at.path.clone())), run.name_any()));
    let first = left.first().and_then(|run| place(run)).cloned();
    left.retain(|run| place(run) == first.as_ref());
    as_many_as_a_report_tells(left)
}

/// The status of a failed run that was forgotten. `is_left`: the target keeps something of it all the same.
pub(super) fn told(run: &ServiceBackup, is_left: bool, now: Timestamp) -> ServiceBackupStatus {
    let problem = if is_left {
        Problem::new(Reason::SnapshotKept, "it left parts of a backup, and the target removes nothing")
    } else {
        Problem::new(Reason::SnapshotForgotten, "it left no backup; what it had stored is forgotten")
    };
    let before = run.status.clone().unwrap_or_default();
    let shown = vec![ConditionUpdate::problem(ConditionType::SnapshotGone, !is_left, &problem)];
    let generation = run.metadata.generation.unwrap_or_default();
    let mut all = before.conditions.clone();
    all.retain(|condition| condition.type_ != ConditionType::SnapshotGone.as_str());
    all.extend(conditions(&before.conditions, shown, generation, now));
    ServiceBackupStatus { conditions: all, ..before }
}
