//! A snapshot of another Entity: it is copied into a repository of this one, and restored from there. What can be
//! judged without the snapshot is judged before anything is copied.

use std::sync::Arc;

use commonscloud_backup::report::Outcome;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::again::{is_time, passes};
use super::consent;
use super::observed::ObservedRestore;
use super::step::{Chosen, Flow, Learned, Step, failed, is_late, is_unknown_for};
use crate::api::{BackupRepository, Reason, RestoreConsent, RestorePhase, ServiceBackup, ServiceBackupStatus};
use crate::backup::copy::{Copying, copy_name, copy_place};
use crate::backup::jobs::delete;
use crate::backup::{JobState, KeyState, SeenJob, Subject, escrow, failure, is_backup, key_name};
use crate::report::Problem;

/// For how long a copy is tried: nothing waits for it but who asked.
const LIMIT: SignedDuration = SignedDuration::from_hours(24);

/// The Entity that a snapshot is of, where that is another one.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    /// Its name.
    pub entity: String,
    /// The operator's namespace, where is copied.
    pub home: String,
    /// All consents in its namespace.
    pub consents: Vec<Arc<RestoreConsent>>,
    /// When the Entity that restores was made.
    pub since: Option<Timestamp>,
    /// The complete backup of the service that has the snapshot, if it is there.
    pub run: Option<Arc<ServiceBackup>>,
    /// The names of the keys that are in the operator's namespace.
    pub keys: Vec<String>,
    /// The id of the repository that the copy goes to, where runs say it.
    pub expected: Option<String>,
    /// The Job that copies; no cache has it, so it is asked for while it is awaited.
    pub job: Option<SeenJob>,
}

impl ObservedRestore {
    /// Whether the snapshot is another Entity's, and not here yet.
    pub(super) fn is_to_be_copied(&self) -> bool {
        self.foreign.is_some() && self.status().is_none_or(|status| status.copied_at.is_none())
    }

    /// Whether it is made from a copy, whose id it alone knows.
    pub fn has_copy(&self) -> bool {
        self.foreign.is_some() && self.status().is_some_and(|status| status.copied_at.is_some())
    }

    /// The repositories at which its copy will be at work.
    pub fn copy_places(&self) -> Vec<BackupRepository> {
        let Some(foreign) = self.foreign.as_ref().filter(|_| self.is_to_be_copied()) else { return Vec::new() };
        let from = foreign.run.as_ref().and_then(|run| run.status.as_ref()?.repository.clone());
        from.into_iter().chain(self.subject.as_ref().ok().map(copy_place)).collect()
    }

    /// The name of the Job that copies, while it is awaited.
    pub fn copy_job(&self) -> Option<String> {
        let uid = self.restore.metadata.uid.as_ref().filter(|_| self.phase() == RestorePhase::Copying)?;
        Some(copy_name(uid))
    }
}

/// Whether what is another Entity's may be copied: it consents, and the backup is there. Nothing is said of it before.
///
/// # Errors
/// The step that waits for the consent, or gives up.
pub(super) fn may_begin(observed: &ObservedRestore) -> Result<(), Box<Step>> {
    let Some(foreign) = observed.foreign.as_ref().filter(|_| observed.is_to_be_copied()) else { return Ok(()) };
    if Some(&foreign.entity) == observed.restore.metadata.namespace.as_ref() {
        let message = "spec.from.entity: it is this Entity itself; leave it out";
        return Err(Box::new(failed(observed, Problem::new(Reason::RestoreNotSupported, message))));
    }
    consent::given(foreign, &observed.restore, observed.now)
        .map_err(|problem| Box::new(Step::asks(observed, problem)))?;
    backup(foreign).map(drop).ok_or_else(|| Box::new(failed(observed, not_there(foreign, observed))))
}

/// What comes once a restore may begin. `learned`: what it records then.
pub(super) fn begins(observed: &ObservedRestore, learned: &mut Learned) -> RestorePhase {
    let Some(foreign) = observed.foreign.as_ref().filter(|_| observed.is_to_be_copied()) else {
        return RestorePhase::Preparing;
    };
    let place = backup(foreign).and_then(|status| status.repository.as_ref());
    learned.copy_target = place.map(|at| at.target.clone());
    RestorePhase::Copying
}

/// The status of the run that has the snapshot and says where it is.
fn backup(foreign: &Foreign) -> Option<&ServiceBackupStatus> {
    let run = foreign.run.as_ref().filter(|run| is_backup(run) && run.metadata.deletion_timestamp.is_none())?;
    run.status.as_ref().filter(|status| status.repository.is_some())
}

fn not_there(foreign: &Foreign, observed: &ObservedRestore) -> Problem {
    let service = &observed.restore.spec.from.service;
    let message = format!(
        "spec.from.snapshot: {} has no complete ServiceBackup of {service} with this snapshot any more; ask it for another one, and its consent to that",
        foreign.entity
    );
    Problem::new(Reason::SnapshotNotFound, message)
}

/// Until the snapshot is in a repository of this Entity.
///
/// # Errors
/// The step that comes first.
pub(super) fn copying(observed: &ObservedRestore) -> Flow {
    let foreign = observed.foreign.as_ref().ok_or_else(|| {
        let message = "it copies, and spec.from.entity names nobody";
        Box::new(failed(observed, Problem::new(Reason::RestoreFailed, message)))
    })?;
    if let Some(complete) = complete(observed) {
        return Ok(complete);
    }
    if let Err(withdrawn) = consent::stands(foreign, &observed.restore) {
        return Ok(given_up(observed, withdrawn));
    }
    let subject = match &observed.subject {
        Ok(subject) => subject,
        Err(problem) if is_unknown_for(observed, LIMIT) => return Ok(given_up(observed, problem.clone())),
        Err(problem) => return Ok(Step::not_yet(observed, problem.clone())),
    };
    match &foreign.job {
        None => begin(observed, foreign, subject),
        Some(job) if job.is_being_deleted => Ok(Step::waits(observed, format!("the end of Job {}", job.name))),
        Some(job) => Ok(at_work(observed, foreign, job, subject)),
    }
}

/// What comes once the copy is complete: it is recorded, whatever becomes of the restore then.
pub(super) fn complete(observed: &ObservedRestore) -> Option<Step> {
    let chosen = copied(observed, observed.foreign.as_ref()?.job.as_ref()?)?;
    let learned = Learned { chosen: Some(chosen), is_copied: true, ..Learned::default() };
    Some(Step { learned, ..Step::at(RestorePhase::Preparing) })
}

/// It fails once its Job has ended, which nothing else ends: it is in another namespace.
pub(super) fn given_up(observed: &ObservedRestore, why: Problem) -> Step {
    match observed.foreign.as_ref().and_then(|foreign| foreign.job.as_ref().map(|job| (foreign, job))) {
        Some((foreign, job)) => ends(observed, foreign, job),
        None => failed(observed, why),
    }
}

/// What the Job says that has copied.
fn copied(observed: &ObservedRestore, job: &SeenJob) -> Option<Chosen> {
    let succeeded = job.state == JobState::Succeeded;
    let outcomes = job.said.values().filter_map(|said| Some(&said.report.as_ref()?.outcome)).filter(|_| succeeded);
    let mut snapshots = outcomes.filter_map(|outcome| match outcome {
        Outcome::Copied { snapshot } => Some(snapshot.clone()),
        _ => None,
    });
    let taken_at = observed.status().and_then(|status| status.taken_at.clone());
    snapshots.next_back().map(|snapshot| Chosen { snapshot, taken_at })
}

/// Waits, but not for ever.
fn not_for_ever(observed: &ObservedRestore, problem: Problem) -> Box<Step> {
    Box::new(if is_late(observed, LIMIT) { failed(observed, problem) } else { Step::not_yet(observed, problem) })
}

/// Whatever became of the service meanwhile.
fn ends(observed: &ObservedRestore, foreign: &Foreign, job: &SeenJob) -> Step {
    let change = (!job.is_being_deleted).then(|| delete(&foreign.home, job));
    Step::waits(observed, format!("the end of Job {}", job.name)).with(change.into_iter().collect())
}

/// Both keys are there, then the Job.
fn begin(observed: &ObservedRestore, foreign: &Foreign, subject: &Subject) -> Flow {
    let home = &subject.own.namespace;
    match &subject.key {
        KeyState::Missing => {
            let key = vec![escrow::make_key(home, &subject.folder)];
            return Ok(Step::waits(observed, "the key of this Entity's repositories").with(key));
        }
        KeyState::SecretMissing(secret) => {
            let message = format!("Secret {secret}, which a target of the Platform names, is not in {home}");
            return Err(not_for_ever(observed, Problem::new(Reason::PlatformSecretNotFound, message)));
        }
        KeyState::NotCopied(_) | KeyState::NotEscrowed(_) | KeyState::WaitsForEscrow(_) | KeyState::There => {}
    }
    let status = backup(foreign).ok_or_else(|| Box::new(failed(observed, not_there(foreign, observed))))?;
    let copying = copying_of(observed, foreign, subject, status);
    let key = copying.as_ref().and_then(|copying| copying.folder()).map(key_name).unwrap_or_default();
    if !foreign.keys.contains(&key) {
        let message =
            format!("Secret {key}, the key of the backups of {}, is not in {home}: recover it", foreign.entity);
        return Ok(failed(observed, Problem::new(Reason::KeyWrong, message)));
    }
    let job = copying.and_then(|copying| copying.begin());
    Ok(Step::waits(observed, "the Job that copies").with(job.into_iter().collect()))
}

fn copying_of<'o>(
    observed: &'o ObservedRestore,
    foreign: &'o Foreign,
    subject: &'o Subject,
    status: &'o ServiceBackupStatus,
) -> Option<Copying<'o>> {
    Some(Copying {
        subject,
        from: status.repository.as_ref()?,
        snapshot: status.snapshot.as_deref()?,
        expected: foreign.expected.as_deref(),
        uid: observed.restore.metadata.uid.as_deref()?,
        restore: format!("{}/{}", observed.restore.namespace()?, observed.restore.name_any()),
    })
}

/// A Job that has not copied: it goes on, or is tried once more, or that is all.
fn at_work(observed: &ObservedRestore, foreign: &Foreign, job: &SeenJob, subject: &Subject) -> Step {
    match &job.state {
        JobState::Runs => {
            let home = &subject.own.namespace;
            Step::waits(observed, format!("Job {} of namespace {home}", job.name))
        }
        // Its pod is gone, and nobody knows what the copy is called: what is there is not copied again.
        JobState::Succeeded => ends(observed, foreign, job),
        JobState::Failed(_) => {
            let problem = failure::of_job(job, Some(subject));
            if !passes(job) || is_late(observed, LIMIT) {
                return failed(observed, problem);
            }
            let again = is_time(observed, job);
            let step = if again { ends(observed, foreign, job) } else { Step::waits(observed, "another try") };
            Step { problem: Some(problem), ..step }
        }
    }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
