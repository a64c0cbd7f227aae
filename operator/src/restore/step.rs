//! What is next of a restore in place, by its phase and by what is there. Everything is by name and by recorded
//! status: an operator that was killed goes on from what it finds.

use std::time::Duration;

use commonscloud_backup::manifest::Manifest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::observed::ObservedRestore;
use super::{
    back, choice, claim_objects, copy, elsewhere, jobs, may_restore, next_claims, part, ran, restored,
    restored_volumes, switch, tier,
};
use crate::api::{ConditionType, OperationKind, Reason, RestorePhase, RestoredVolume};
use crate::backup::{KeyState, Subject};
use crate::compare::Change;
use crate::report::Problem;

/// How long the service may take to stop, and the database to begin.
pub(crate) const PATIENCE: SignedDuration = SignedDuration::from_mins(30);
/// How long the whole service may take to run on what was restored: what goes back after it was proven is lost.
pub(crate) const STARTS: SignedDuration = SignedDuration::from_mins(120);
/// How long the API server may take to let the new claims in.
const CLAIMS: SignedDuration = SignedDuration::from_mins(10);
/// An operator that begins to lead has gone on by then with what it can go on with.
const SETTLES: SignedDuration = SignedDuration::from_mins(1);
/// Between two looks at what no watch tells of.
pub(crate) const GLANCE: Duration = Duration::from_secs(5);
/// The same of room, which may be missing for ever: quotas that others made are in no cache, and each look lists them.
pub(crate) const ROOM: Duration = Duration::from_secs(30);
/// Between two looks at what somebody has to do first, which a watch tells of: it may be missing for ever.
pub(crate) const ASKED: Duration = Duration::from_mins(10);

/// What is next of a restore. The controller writes the status that it makes first, whatever the step is, then, if
/// the status that was *read* has the phase of the step, the changes: so what a phase names is never begun before
/// it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The phase in which the restore is.
    pub phase: RestorePhase,
    /// What is to be written in it.
    pub changes: Vec<Change>,
    /// Whether the object is held by the finalizer [`RESTORE`](super::RESTORE).
    pub is_held: bool,
    /// What it waits for before it begins, or why it fails.
    pub problem: Option<Problem>,
    /// What it waits for in its phase.
    pub waits: Option<String>,
    /// What is to be recorded.
    pub learned: Learned,
    /// When to look again though nothing changes.
    pub again: Option<Duration>,
}

/// What a step records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// The snapshot that is restored.
    pub chosen: Option<Chosen>,
    /// The target at which another Entity's snapshot is copied.
    pub copy_target: Option<String>,
    /// Whether what was chosen is a copy.
    pub is_copied: bool,
    /// The volumes that are made, and those whose place they take.
    pub volumes: Option<Vec<RestoredVolume>>,
    /// What differs from the backup.
    pub differences: Vec<String>,
}

/// The snapshot that is restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The id of its manifest.
    pub snapshot: String,
    /// When the data was as it has it.
    pub taken_at: Option<Time>,
}

/// A step, or the one that has to come first.
pub(crate) type Flow = Result<Step, Box<Step>>;

impl Step {
    /// In this phase, and nothing to be done.
    pub(crate) fn at(phase: RestorePhase) -> Self {
        // What is begun in each of these nobody else would end.
        let is_held = phase == RestorePhase::Copying || (RestorePhase::Files..=RestorePhase::Removing).contains(&phase);
        Self {
            phase,
            changes: Vec::new(),
            is_held,
            problem: None,
            waits: None,
            learned: Learned::default(),
            again: None,
        }
    }

    /// In the phase that it is in, waiting for something.
    pub(crate) fn waits(observed: &ObservedRestore, what: impl Into<String>) -> Self {
        Self { waits: Some(what.into()), again: Some(GLANCE), ..Self::at(observed.phase()) }
    }

    pub(crate) fn with(self, changes: Vec<Change>) -> Self {
        Self { changes, ..self }
    }

    /// Where it is, because of something that may pass.
    pub(crate) fn not_yet(observed: &ObservedRestore, problem: Problem) -> Self {
        Self { problem: Some(problem), again: Some(GLANCE), ..Self::at(observed.phase()) }
    }

    /// The same of what somebody has to do first, which a watch tells of.
    pub(crate) fn asks(observed: &ObservedRestore, problem: Problem) -> Self {
        Self { again: Some(ASKED), ..Self::not_yet(observed, problem) }
    }
}

/// What is next of a restore.
pub fn next(observed: &ObservedRestore) -> Step {
    let phase = observed.phase();
    let deleted = || Problem::new(Reason::RestoreFailed, "it was deleted before it had ended");
    let flow = match phase {
        RestorePhase::Preparing if observed.is_being_deleted() && observed.has_copy() => {
            Ok(failed(observed, deleted()))
        }
        RestorePhase::Waiting | RestorePhase::Preparing if observed.is_being_deleted() => Ok(Step::at(phase)),
        RestorePhase::Copying if observed.is_being_deleted() => {
            Ok(copy::complete(observed).unwrap_or_else(|| copy::given_up(observed, deleted())))
        }
        RestorePhase::Succeeded | RestorePhase::Failed => Ok(Step::at(phase)),
        RestorePhase::Returning => Ok(back::returning(observed)),
        RestorePhase::Removing => Ok(back::removing(observed)),
        _ if observed.is_being_deleted() => Ok(failed(observed, deleted())),
        _ if observed.restore.spec.only.is_some() => part::next(observed),
        RestorePhase::Waiting => waiting(observed),
        RestorePhase::Copying => copy::copying(observed),
        RestorePhase::Preparing => preparing(observed),
        RestorePhase::Files => files(observed),
        RestorePhase::Switching => switching(observed),
        RestorePhase::Loading => loading(observed),
        RestorePhase::Verifying => verified(observed),
        RestorePhase::Starting => Ok(starting(observed)),
    };
    flow.unwrap_or_else(|step| *step)
}

/// What a failure leads to: from `Files` on there is something to be taken back.
pub(crate) fn failed(observed: &ObservedRestore, problem: Problem) -> Step {
    let is_begun = observed.phase() >= RestorePhase::Files;
    let phase = if is_begun { RestorePhase::Returning } else { RestorePhase::Failed };
    Step { problem: Some(problem), ..Step::at(phase) }
}

/// Whether what began then should have ended. What nobody was there to see or to do is not late for it: an operator
/// that was away goes on first.
pub(crate) fn is_overdue(observed: &ObservedRestore, since: Timestamp, limit: SignedDuration) -> bool {
    let is_settled = observed.now.duration_since(observed.watched_since) > SETTLES;
    is_settled && observed.now.duration_since(since) > limit
}

/// Whether it has been in its phase for longer than that.
pub(crate) fn is_late(observed: &ObservedRestore, limit: SignedDuration) -> bool {
    let since = observed.status().and_then(|status| status.phase_since.as_ref());
    since.is_some_and(|since| is_overdue(observed, since.0, limit))
}

/// Waits, but not for ever.
pub(crate) fn patiently(observed: &ObservedRestore, limit: SignedDuration, what: impl Into<String>) -> Step {
    let what = what.into();
    if is_late(observed, limit) {
        let message = format!("waited {} minutes for {what}", limit.as_mins());
        return failed(observed, Problem::new(Reason::RestoreFailed, message));
    }
    Step::waits(observed, what)
}

/// The same where Jobs came first in its phase, which may take hours: since the last of them ended.
pub(super) fn patiently_after_jobs(observed: &ObservedRestore, limit: SignedDuration, what: &str) -> Step {
    let ended = observed.jobs.values().filter_map(|job| job.ended).max();
    if ended.is_some_and(|ended| observed.now.duration_since(ended) <= limit) {
        return Step::waits(observed, what);
    }
    patiently(observed, limit, what)
}

/// Whether what it goes on with was unknown in each pass for longer than that: one that could not read it fails nothing.
pub(super) fn is_unknown_for(observed: &ObservedRestore, limit: SignedDuration) -> bool {
    let conditions = observed.status().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let since = conditions.iter().find(|condition| condition.type_ == ConditionType::SubjectKnown.as_str());
    // Nobody could mend for an operator what it did not tell of.
    let told = |since: &Time| observed.now.duration_since(since.0.max(observed.watched_since));
    since.is_some_and(|since| told(&since.last_transition_time) > limit)
}

/// What is restored.
///
/// # Errors
/// The step that waits for it, or gives up.
pub(crate) fn subject(observed: &ObservedRestore) -> Result<&Subject, Box<Step>> {
    observed.subject.as_ref().map_err(|problem| {
        let is_late = is_unknown_for(observed, PATIENCE);
        Box::new(if is_late { failed(observed, problem.clone()) } else { Step::not_yet(observed, problem.clone()) })
    })
}

/// What was recorded of the volumes.
pub(super) fn volumes(observed: &ObservedRestore) -> &[RestoredVolume] {
    observed.status().map(|status| status.volumes.as_slice()).unwrap_or_default()
}

fn waiting(observed: &ObservedRestore) -> Flow {
    choice::supported(&observed.restore.spec).map_err(|problem| Box::new(failed(observed, problem)))?;
    copy::may_begin(observed)?;
    elsewhere::held(observed)?;
    choice::turn(observed)?;
    elsewhere::told(observed)?;
    let subject = unpaused(observed)?;
    elsewhere::fits(observed, subject).map_err(|problem| Box::new(failed(observed, problem)))?;
    let chosen = choice::chosen(observed)?;
    tier::fits(observed, subject, &chosen)?;
    let restored = subject.operations.operations().map(|source| restored_volumes(source.operations));
    let restored = restored.unwrap_or_default();
    let volumes = next_claims(&subject.record.spec, &subject.plan.volumes, &restored, &observed.claims);
    let needed = claim_objects(&subject.plan, &volumes, &observed.claims);
    let mut learned = Learned { chosen: Some(chosen), volumes: Some(volumes), ..Learned::default() };
    let step = match choice::room(&observed.quotas, &needed) {
        Ok(()) => Step::at(copy::begins(observed, &mut learned)),
        Err(lacks) => {
            let message = format!("{lacks}: what is overwritten stays until it has succeeded");
            Step { again: Some(ROOM), ..Step::not_yet(observed, Problem::new(Reason::NoRoom, message)) }
        }
    };
    Ok(Step { learned, ..step })
}

/// What is restored, unless somebody paused it.
///
/// # Errors
/// The step that waits.
pub(super) fn unpaused(observed: &ObservedRestore) -> Result<&Subject, Box<Step>> {
    let subject = subject(observed)?;
    if observed.service.is_paused {
        let service = &subject.plan.instance.name;
        let message = format!("spec.paused of {service} is true, and nothing of it is changed: take it away");
        return Err(Box::new(Step::asks(observed, Problem::new(Reason::Paused, message))));
    }
    Ok(subject)
}

/// Until the snapshot is read and judged.
///
/// # Errors
/// The step that comes first.
pub(crate) fn preparing(observed: &ObservedRestore) -> Flow {
    let subject = subject(observed)?;
    let manifest = read(observed, subject)?;
    may_restore(manifest, observed, subject).map_err(|refusal| Box::new(failed(observed, refusal.problem())))?;
    tier::holds(observed, subject, manifest).map_err(|problem| Box::new(failed(observed, problem)))?;
    Ok(Step::at(RestorePhase::Files))
}

/// What the snapshot is made of, by the Entity's key.
///
/// # Errors
/// The step that comes first.
pub(super) fn read<'o>(observed: &'o ObservedRestore, subject: &Subject) -> Result<&'o Manifest, Box<Step>> {
    match &subject.key {
        KeyState::SecretMissing(secret) => {
            let message =
                format!("Secret {secret}, which a target of the Platform names, is not in {}", subject.own.namespace);
            return Err(Box::new(Step::not_yet(observed, Problem::new(Reason::PlatformSecretNotFound, message))));
        }
        KeyState::Missing => {
            let key = crate::backup::key_name(&subject.folder);
            let message =
                format!("Secret {key}, the key of the backups, is not in {}: recover it", subject.own.namespace);
            return Err(Box::new(failed(observed, Problem::new(Reason::KeyWrong, message))));
        }
        KeyState::NotCopied(_) | KeyState::NotEscrowed(_) | KeyState::WaitsForEscrow(_) | KeyState::There => {}
    }
    ran::manifest(observed, subject)
}

/// Until the claims are there and filled.
///
/// # Errors
/// The step that comes first.
pub(crate) fn files(observed: &ObservedRestore) -> Flow {
    let subject = subject(observed)?;
    let volumes = volumes(observed);
    let missing: Vec<RestoredVolume> =
        volumes.iter().filter(|volume| observed.claim(&volume.claim).is_none()).cloned().collect();
    if let Some(lost) = missing.iter().find(|volume| volume.uid.is_some()) {
        let message = format!("PersistentVolumeClaim {}, which was being filled, is gone", lost.claim);
        return Ok(failed(observed, Problem::new(Reason::RestoreFailed, message)));
    }
    if !missing.is_empty() {
        let sizes = tier::sizes(observed, &subject.plan, &ran::manifest(observed, subject)?.volumes);
        let makes = super::claims::large_enough(&subject.plan, &missing, &observed.claims, &sizes);
        return Ok(patiently_after_jobs(observed, CLAIMS, "the API server to take the new claims").with(makes));
    }
    let known = with_uids(observed, volumes);
    if known != volumes {
        let learned = Learned { volumes: Some(known), ..Learned::default() };
        return Ok(Step { learned, ..Step::at(RestorePhase::Files) });
    }
    let manifest = ran::manifest(observed, subject)?;
    ran::all(observed, jobs::fill(subject, observed, manifest))?;
    elsewhere::with_secrets(observed, subject)?;
    // It may have been upgraded meanwhile.
    may_restore(manifest, observed, subject).map_err(|refusal| Box::new(failed(observed, refusal.problem())))?;
    Ok(Step::at(RestorePhase::Switching))
}

fn with_uids(observed: &ObservedRestore, volumes: &[RestoredVolume]) -> Vec<RestoredVolume> {
    let uid = |volume: &RestoredVolume| observed.claim(&volume.claim)?.metadata.uid.clone();
    let known =
        |volume: &RestoredVolume| RestoredVolume { uid: volume.uid.clone().or_else(|| uid(volume)), ..volume.clone() };
    volumes.iter().map(known).collect()
}

/// First everything stops that is not to meet an empty database, then the record names the new claims, then the
/// database begins on them.
fn switching(observed: &ObservedRestore) -> Flow {
    let subject = subject(observed)?;
    let service = &observed.service;
    if !service.is_applied {
        return Ok(patiently(observed, PATIENCE, "the service to be stopped"));
    }
    if !service.pods_left.is_empty() {
        return Ok(patiently(observed, PATIENCE, format!("the end of {}", service.pods_left.join(", "))));
    }
    match switch(&subject.record, volumes(observed), &observed.claims) {
        Ok(Some(change)) => return Ok(patiently(observed, PATIENCE, "the record").with(vec![change])),
        Ok(None) => {}
        Err(not_there) => return Ok(patiently(observed, PATIENCE, not_there.to_string())),
    }
    if !service.is_running {
        return Ok(patiently(observed, PATIENCE, "the database to begin on its new volume"));
    }
    Ok(loaded_next(subject))
}

/// What comes once all that `load` talks to is there.
pub(crate) fn loaded_next(subject: &Subject) -> Step {
    let loads = subject.operations.operations().is_some_and(|of| of.operations.get(OperationKind::Load).is_some());
    Step::at(if loads { RestorePhase::Loading } else { RestorePhase::Verifying })
}

/// Until the dump is loaded.
///
/// # Errors
/// The step that comes first.
pub(crate) fn loading(observed: &ObservedRestore) -> Flow {
    let subject = subject(observed)?;
    let manifest = ran::manifest(observed, subject)?;
    ran::all(observed, jobs::load(subject, observed, manifest))?;
    Ok(Step::at(RestorePhase::Verifying))
}

/// Until it is known that what is there is what was backed up.
///
/// # Errors
/// The step that comes first, or what differs.
pub(crate) fn verifying(observed: &ObservedRestore) -> Flow {
    let subject = subject(observed)?;
    let done = ran::all(observed, jobs::compare(subject, observed))?;
    let differences = ran::differences(observed, &done)?;
    if differences.is_empty() {
        return Ok(Step::at(RestorePhase::Starting));
    }
    let message = format!("what was restored is not what was backed up: {}", differences.join("; "));
    let learned = Learned { differences, ..Learned::default() };
    Err(Box::new(Step { learned, ..failed(observed, Problem::new(Reason::RestoreDiffers, message)) }))
}

/// What is equal is recorded as there before anything starts on it.
fn verified(observed: &ObservedRestore) -> Flow {
    let starts = verifying(observed)?;
    Ok(match restored(&subject(observed)?.record) {
        Some(change) => patiently_after_jobs(observed, PATIENCE, "the record").with(vec![change]),
        None => starts,
    })
}

/// What is not Ready though it runs, such as a name that does not lead to it from outside, is none of the data's.
fn starting(observed: &ObservedRestore) -> Step {
    let service = &observed.service;
    if service.is_applied && service.is_running {
        return Step::at(RestorePhase::Removing);
    }
    let why = service.not_ready.as_ref().map_or_else(String::new, |problem| format!(": {}", problem.message));
    patiently(observed, STARTS, format!("the restored service to run{why}"))
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
