//! The platform's own kinds at each target: when they go there, what came of it, which snapshots are given up. Pure.
//!
//! What was stored is in a ConfigMap of the operator's namespace for each target: by its newest digest nothing is done
//! while nothing changes, also after a restart.

mod objects;

use std::collections::BTreeSet;
use std::time::Duration;

use commonscloud_backup::records::Records;
use commonscloud_backup::report::{FailureReason, MOST_FORGOTTEN, Outcome};
use k8s_openapi::api::core::v1::{EnvVar, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(super) use objects::PIECE;
pub use objects::{
    FORGETS, Pieces, STORES, forget_job, forget_name, forgets, is_piece, kept_name, kept_object, read_kept, store_job,
    store_name, stores,
};

use super::failure::{at, reported};
use super::target::{Purpose, repository};
use super::{JobState, Place, SeenJob};
use crate::api::KeepRule;
use crate::core::keep::{Recorded, given_up};
use crate::template::hexadecimal;

/// The shortest time between two snapshots of what changed.
pub const PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// The longest, though nothing changed: that it still can be done is known then.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// When what failed is tried again.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// When a Job is looked at that is at work.
const SOON: Duration = Duration::from_secs(5);
/// The newest ones, and the last of so many days.
const KEEP: KeepRule = KeepRule { last: 30, daily: 30, weekly: 0, monthly: 0 };
/// So many are forgotten at once: a Job for each one would be as many as those that store.
const AT_ONCE: usize = 20;

/// What is at a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptRecords {
    /// The repository's own id. Absent: nothing was stored yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The snapshots that are not given up, in the order in which they were stored.
    #[serde(default)]
    pub snapshots: Vec<KeptSnapshot>,
}

/// A snapshot of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptSnapshot {
    /// Its id.
    pub snapshot: String,
    /// What it is of.
    #[serde(flatten)]
    pub attempt: Attempt,
}

/// Which records a Job stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When they were seen: the operator's time.
    pub taken_at: Timestamp,
    /// Their [`digest`].
    pub digest: String,
}

impl KeptRecords {
    /// When the newest records were seen that are at the target.
    pub fn newest(&self) -> Option<Timestamp> {
        self.snapshots.last().map(|kept| kept.attempt.taken_at)
    }

    /// Whether records of this digest are to be stored.
    pub fn is_due(&self, digest: &str, now: Timestamp) -> bool {
        let Some(last) = self.snapshots.last() else { return true };
        let age = now.duration_since(last.attempt.taken_at);
        // A clock that was ahead would keep everything away until then.
        age.is_negative() || age >= DAY || (age >= PAUSE && last.attempt.digest != digest)
    }

    /// The snapshots to forget; none while they are few.
    pub fn to_forget(&self, now: Timestamp) -> Vec<String> {
        let recorded = |kept: &KeptSnapshot| Recorded {
            snapshot: kept.snapshot.clone(),
            taken_at: kept.attempt.taken_at,
            is_proven: false,
        };
        let all: Vec<Recorded> = self.snapshots.iter().map(recorded).collect();
        let gone: BTreeSet<String> = given_up(&all, KEEP, now).into_iter().collect();
        if gone.len() < AT_ONCE {
            return Vec::new();
        }
        let oldest_first = self.snapshots.iter().map(|kept| kept.snapshot.clone());
        oldest_first.filter(|snapshot| gone.contains(snapshot)).take(MOST_FORGOTTEN).collect()
    }

    fn with(mut self, repository: &str, snapshot: &str, attempt: &Attempt) -> Self {
        self.repository = Some(repository.to_owned());
        if self.snapshots.iter().all(|kept| kept.snapshot != snapshot) {
            self.snapshots.push(KeptSnapshot { snapshot: snapshot.to_owned(), attempt: attempt.clone() });
        }
        self
    }

    fn without(mut self, snapshots: &[String]) -> Self {
        self.snapshots.retain(|kept| !snapshots.contains(&kept.snapshot));
        self
    }
}

/// What tells these records from others. `records`: as they are gathered, without a time.
pub fn digest(records: &Records) -> String {
    hexadecimal(&Sha256::digest(serde_json::to_vec(records).unwrap_or_default()))
}

/// What is seen of a target.
#[derive(Clone, Debug)]
pub struct ObservedRecords<'a> {
    /// The operator's time.
    pub now: Timestamp,
    /// The place: folder [`RECORDS_FOLDER`](commonscloud_backup::records::RECORDS_FOLDER) of the target.
    pub place: Place<'a>,
    /// What is known to be there.
    pub kept: &'a KeptRecords,
    /// The [`digest`] of the records as they are.
    pub digest: &'a str,
    /// The Job that stores, and what.
    pub store: Option<(SeenJob, Option<Attempt>)>,
    /// The Job that forgets, and which snapshots.
    pub forget: Option<(SeenJob, Vec<String>)>,
    /// Whether snapshots may be forgotten: not soon after that failed.
    pub may_forget: bool,
}

/// What is next of the records at a target.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordsStep {
    /// What is done.
    pub action: RecordsAction,
    /// Why the newest attempt left nothing. The last one's is told until the next one has ended.
    pub failed: Option<String>,
    /// When to look again, though nothing changes.
    pub again: Option<Duration>,
}

/// What is done for the records at a target.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordsAction {
    /// Nothing.
    Nothing,
    /// A Job is at work.
    Wait,
    /// Records are stored.
    Store {
        /// The Job of an attempt that failed, which goes first.
        replaces: Option<SeenJob>,
        /// Whether that one met a lock: it is taken away if nobody is at work.
        meets_lock: bool,
    },
    /// What a Job said is kept, and the Job goes.
    Keep {
        /// What is at the target.
        kept: KeptRecords,
        /// The Job.
        job: SeenJob,
    },
    /// These snapshots are forgotten.
    Forget(Vec<String>),
}

impl RecordsStep {
    fn of(action: RecordsAction) -> Self {
        Self { action, failed: None, again: None }
    }

    fn wait() -> Self {
        Self { again: Some(SOON), ..Self::of(RecordsAction::Wait) }
    }
}

/// What is next.
pub fn next(observed: &ObservedRecords<'_>) -> RecordsStep {
    if let Some((job, attempt)) = &observed.store {
        return after_store(observed, job, attempt.as_ref());
    }
    if let Some((job, snapshots)) = &observed.forget {
        return after_forget(observed.kept, job, snapshots);
    }
    if observed.kept.is_due(observed.digest, observed.now) {
        return RecordsStep::of(RecordsAction::Store { replaces: None, meets_lock: false });
    }
    let forgotten = observed.kept.to_forget(observed.now);
    let is_next = !forgotten.is_empty() && observed.may_forget;
    RecordsStep::of(if is_next { RecordsAction::Forget(forgotten) } else { RecordsAction::Nothing })
}

fn after_store(observed: &ObservedRecords<'_>, job: &SeenJob, attempt: Option<&Attempt>) -> RecordsStep {
    if job.is_being_deleted || job.state == JobState::Runs {
        return RecordsStep::wait();
    }
    let mut outcomes = outcomes(job);
    let kept = outcomes.find_map(|outcome| match outcome {
        Outcome::Kept { repository, snapshot } => Some((repository, snapshot)),
        _ => None,
    });
    if let (JobState::Succeeded, Some((repository, snapshot)), Some(attempt)) = (&job.state, kept, attempt) {
        let kept = observed.kept.clone().with(repository, snapshot, attempt);
        return RecordsStep::of(RecordsAction::Keep { kept, job: job.clone() });
    }
    let failed = Some(at(job, Some(&observed.place)).message);
    let left = left(job, AGAIN, observed.now);
    if left.is_zero() {
        let meets_lock = reported(job).is_some_and(|(_, failure)| failure.reason == FailureReason::Locked);
        let action = RecordsAction::Store { replaces: Some(job.clone()), meets_lock };
        return RecordsStep { action, failed, again: None };
    }
    RecordsStep { action: RecordsAction::Nothing, failed, again: Some(left.max(SOON)) }
}

fn after_forget(kept: &KeptRecords, job: &SeenJob, snapshots: &[String]) -> RecordsStep {
    if job.is_being_deleted || job.state == JobState::Runs {
        return RecordsStep::wait();
    }
    let has_forgotten = outcomes(job).any(|outcome| matches!(outcome, Outcome::Left { .. }));
    let kept = if job.state == JobState::Succeeded && has_forgotten {
        // What the target keeps all the same is no longer ours to forget.
        kept.clone().without(snapshots)
    } else {
        kept.clone()
    };
    RecordsStep::of(RecordsAction::Keep { kept, job: job.clone() })
}

fn outcomes(job: &SeenJob) -> impl Iterator<Item = &Outcome> {
    job.said.values().filter_map(|said| said.report.as_ref()).map(|report| &report.outcome)
}

/// How long it is until so long after its end.
fn left(job: &SeenJob, after: SignedDuration, now: Timestamp) -> Duration {
    let since = job.ended.map_or(after, |ended| now.duration_since(ended));
    Duration::try_from(after.saturating_sub(since)).unwrap_or_default()
}

/// Whether a pod of the operator's namespace works with these records' repository at a place.
pub fn is_at_work(place: &Place<'_>, pods: &[Pod]) -> bool {
    let home = &place.own.namespace;
    let urls =
        [Purpose::Run, Purpose::Care].map(|purpose| repository(home, place.target, place.folder, "", purpose).url);
    let is_there = |env: &EnvVar| env.name == "RESTIC_REPOSITORY" && env.value.iter().any(|url| urls.contains(url));
    pods.iter().any(|pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let containers = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
        let mut env = containers.flat_map(|container| container.env.iter().flatten());
        !matches!(phase, Some("Succeeded" | "Failed")) && env.any(is_there)
    })
}

#[cfg(test)]
mod tests;
