//! What comes before anything is made quiet: a failure here costs nobody anything.

use std::time::Duration;

use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::companion::FilesPass;
use super::failure::{of_job, reported};
use super::jobs::{Jobs, Wanted, delete, stored};
use super::step::{Found, Pass, SOON, is_files, reports};
use super::{JobState, KeyState, Place, SeenJob, Standing, Step, Subject, escrow};
use crate::api::{BackupPhase, OperationKind, Reason, ServiceBackup};
use crate::compare::Change;
use crate::report::Problem;
use crate::template::operation::OperationError;

/// When the Job that brings another key to the target is looked at.
const ANOTHERS: Duration = Duration::from_secs(5);
/// For how long nobody has to have been at work before locks are taken away.
const IDLE: SignedDuration = SignedDuration::from_mins(1);
/// For how long a run waits for that.
const LOCKED: SignedDuration = SignedDuration::from_mins(10);
/// How old a run becomes that waits for a service which is not there.
const NO_SERVICE: SignedDuration = SignedDuration::from_hours(1);

/// A package whose operations cannot be run for this service.
pub(super) fn unsupported(error: &OperationError) -> Problem {
    Problem::new(Reason::BackupUnsupported, error.to_string())
}

/// Whether this run cannot go on without its service: it has begun, or has waited for long enough.
pub fn needs_service(run: &ServiceBackup, now: Timestamp) -> bool {
    let waits = run.status.as_ref().and_then(|status| status.phase).is_none_or(|phase| phase == BackupPhase::Waiting);
    !waits || run.creation_timestamp().is_some_and(|made| now.duration_since(made.0) > NO_SERVICE)
}

impl Pass<'_> {
    /// Until its turn has come, and all is there that it needs.
    pub(super) fn waiting(&self) -> Step {
        if self.is_deleted() {
            return Step { again: None, ..self.stay() };
        }
        if let Some(problem) = self.refused_recipient() {
            return self.fail(problem);
        }
        if let (Some(problem), Standing::BeingDeleted) = (self.interrupted(), self.observed.service) {
            return self.fail(problem);
        }
        let is_lost = self.observed.service == Standing::Gone && needs_service(&self.observed.run, self.now());
        let subject = match &self.observed.subject {
            Ok(subject) => subject,
            Err(problem) if is_lost => return self.fail(problem.clone()),
            Err(problem) => return self.wait(problem.clone()),
        };
        if let Some(first) = &self.observed.goes_first {
            return self.wait(Problem::new(Reason::WaitsForTurn, format!("{first} comes first")));
        }
        if let Some(job) = &self.observed.cared_for {
            return self.wait(Problem::new(Reason::RepositoryInUse, format!("{job} comes first")));
        }
        if !subject.is_running {
            let service = &self.observed.run.spec.service;
            let message = format!("{service} does not run: look at its status; the backup begins once it does");
            return self.wait(Problem::new(Reason::ServicesNotReady, message));
        }
        let (plan, has) = (&subject.plan, &subject.record.spec);
        if (has.version.as_ref(), has.revision.as_ref()) != (Some(&plan.version), Some(&plan.revision)) {
            let to = format!("{} on revision {}", plan.version, plan.revision);
            let message =
                format!("{} is on its way to {to}: the backup begins once it has arrived", plan.instance.name);
            return self.wait(Problem::new(Reason::ServicesNotReady, message));
        }
        self.key(subject).or_else(|| self.others()).unwrap_or_else(|| self.begin())
    }

    /// None: the key is there, and can be found by people.
    fn key(&self, subject: &Subject) -> Option<Step> {
        let home = &subject.own.namespace;
        match &subject.key {
            KeyState::There => None,
            KeyState::Missing => {
                Some(Step { again: Some(SOON), ..self.write([escrow::make_key(home, &subject.folder)]) })
            }
            KeyState::NotCopied(changes) => Some(Step { again: Some(SOON), ..self.write(changes.clone()) }),
            KeyState::NotEscrowed(job) => {
                let (changes, problem, again) = escrow::next(&Place::of(subject), job.as_ref(), self.now());
                Some(Step { problem: Some(problem), again: Some(again), ..self.write(changes) })
            }
            KeyState::WaitsForEscrow(job) => {
                let message = format!("Job {job} brings another key to target {:?} first", subject.target.name);
                let problem = Problem::new(Reason::KeyNotEscrowed, message);
                Some(Step { again: Some(ANOTHERS), ..self.wait(problem) })
            }
            KeyState::SecretMissing(secret) => {
                let target = &subject.target.name;
                let message = format!("Secret {secret}, which target {target:?} names, is not in namespace {home}");
                Some(self.wait(Problem::new(Reason::PlatformSecretNotFound, message)))
            }
        }
    }

    /// None: no Job of anybody has one of the names, and no one else is at work.
    fn others(&self) -> Option<Step> {
        let at_work = self.observed.jobs.values().find(|job| job.state == JobState::Runs);
        if let Some(job) = at_work {
            let message = format!("Job {} of another backup or restore is at work", job.name);
            return Some(self.wait(Problem::new(Reason::WaitsForTurn, message)));
        }
        let left: Vec<&SeenJob> = self.observed.jobs.values().filter(|job| self.has_name_of_ours(job)).collect();
        let removed = left.iter().filter(|job| !job.is_being_deleted).map(|job| delete(self.namespace(), job));
        (!left.is_empty()).then(|| Step { again: Some(SOON), ..self.write(removed) })
    }

    fn has_name_of_ours(&self, job: &SeenJob) -> bool {
        let step = job.name.strip_prefix(&self.name(""));
        step.is_some_and(|step| {
            is_files(step) || ["prepare", "quiesce", "stream", "unquiesce", "record", "exit"].contains(&step)
        })
    }

    /// What cannot be run for this service is known before its target is.
    fn begin(&self) -> Step {
        let Some(jobs) = self.jobs() else { return self.wait(without_operations()) };
        let quiet = [OperationKind::Quiesce, OperationKind::Unquiesce].into_iter();
        let mut quiet = quiet.filter(|_| jobs.operations().quiesce.is_some());
        let are_made = jobs.files(FilesPass::First).and_then(|_| jobs.stream());
        match are_made.and_then(|_| quiet.try_for_each(|kind| jobs.operation(kind).map(drop))) {
            Ok(()) => self.go(BackupPhase::Preparing),
            Err(error) => self.wait(unsupported(&error)),
        }
    }

    /// Until the target was tried, and the repository is there.
    pub(super) fn preparing(&self) -> Step {
        if let Some(problem) = self.interrupted() {
            return self.fail(problem);
        }
        match self.find(&self.name("prepare")) {
            Found::Missing => self.prepare(),
            Found::Theirs(job) => self.another(job),
            Found::Ours(job) => match &job.state {
                _ if job.is_being_deleted => Step { problem: self.was_locked(), ..self.stay() },
                JobState::Runs => Step { problem: self.was_locked(), ..self.stay() },
                JobState::Failed(_) => self.not_prepared(job),
                JobState::Succeeded => {
                    let mut reports = reports(job);
                    let is_prepared = reports.any(|report| matches!(report.outcome, Outcome::Prepared { .. }));
                    if is_prepared { self.prepared() } else { self.fail(of_job(job, self.subject())) }
                }
            },
        }
    }

    /// That it was locked is recorded before the Job is removed that said so.
    fn prepare(&self) -> Step {
        let locked = self.was_locked();
        let started = self.started(|jobs| Ok(vec![jobs.prepare(locked.is_some())]));
        Step { problem: started.problem.clone().or(locked), ..started }
    }

    fn prepared(&self) -> Step {
        let Some(jobs) = self.jobs() else { return self.wait_for_subject() };
        let operations = jobs.operations();
        match (operations.files.is_empty(), &operations.quiesce) {
            (false, _) => self.go(BackupPhase::FirstPass),
            (true, Some(_)) => self.go(BackupPhase::Quiescing),
            (true, None) => self.go(BackupPhase::SecondPass),
        }
    }

    /// A lock of the dead is taken away once; anything else ends the run.
    fn not_prepared(&self, job: &SeenJob) -> Step {
        let problem = of_job(job, self.subject());
        let is_locked =
            |(container, failure): (&str, &Failure)| container == "prepare" && failure.reason == FailureReason::Locked;
        if !reported(job).is_some_and(is_locked) {
            return self.fail(problem);
        }
        let now = self.now();
        let idle = self.observed.idle_since.map(|since| now.duration_since(since));
        if self.was_locked().is_some() && idle.is_some_and(|idle| idle >= IDLE) {
            return Step { problem: Some(problem), ..self.remove(job) };
        }
        if job.ended.is_some_and(|ended| now.duration_since(ended) > LOCKED) {
            return self.fail(problem);
        }
        Step { again: Some(Duration::from_secs(10)), ..self.wait(problem) }
    }

    fn was_locked(&self) -> Option<Problem> {
        self.kept_problem().filter(|problem| problem.is(Reason::RepositoryLocked))
    }

    /// Until each volume was read once, and the Jobs that did are removed: their names come again.
    pub(super) fn first_pass(&self) -> Step {
        if let Some(problem) = self.interrupted() {
            return self.fail(problem);
        }
        let Some(jobs) = self.jobs() else { return self.wait_for_subject() };
        let wanted = match jobs.files(FilesPass::First) {
            Ok(wanted) => wanted,
            Err(error) => return self.fail(unsupported(&error)),
        };
        let mut changes = Vec::new();
        let mut are_gone = true;
        for wanted in wanted {
            let is_read = wanted.volumes.iter().all(|volume| self.is_recorded(volume));
            match (self.find(&wanted.name), is_read) {
                (Found::Missing, true) => continue,
                (Found::Missing, false) => changes.extend(wanted.start()),
                (Found::Ours(job), is_read) => match self.first_pass_job(job, &wanted, is_read) {
                    Ok(removal) => changes.extend(removal),
                    Err(problem) => return self.fail(problem),
                },
                (Found::Theirs(job), _) => return self.another(job),
            }
            are_gone = false;
        }
        match (are_gone, jobs.operations().quiesce.is_some()) {
            (true, true) => self.go(BackupPhase::Quiescing),
            (true, false) => self.go(BackupPhase::SecondPass),
            (false, _) => self.write(changes),
        }
    }

    fn is_recorded(&self, volume: &str) -> bool {
        self.status.first_pass.iter().any(|part| part.name == volume)
    }

    fn first_pass_job(&self, job: &SeenJob, wanted: &Wanted, is_read: bool) -> Result<Option<Change>, Problem> {
        match &job.state {
            JobState::Runs => Ok(None),
            JobState::Failed(_) => Err(of_job(job, self.subject())),
            JobState::Succeeded if is_read => Ok((!job.is_being_deleted).then(|| delete(self.namespace(), job))),
            JobState::Succeeded => {
                let stored = stored(job);
                match wanted.volumes.iter().find(|volume| !stored.contains_key(*volume)) {
                    // Recorded by this pass.
                    None => Ok(None),
                    Some(volume) => {
                        let message = format!("Job {} told of no snapshot of volume {volume:?}", job.name);
                        Err(Problem::new(Reason::SnapshotIncomplete, message))
                    }
                }
            }
        }
    }

    /// A Job of another has the name: it comes to its end first, then it goes.
    pub(super) fn another(&self, job: &SeenJob) -> Step {
        if job.state != JobState::Runs {
            return self.remove(job);
        }
        let message = format!("Job {} of another backup or restore is at work", job.name);
        self.wait(Problem::new(Reason::WaitsForTurn, message))
    }

    /// These Jobs are begun.
    pub(super) fn started(&self, wanted: impl FnOnce(&Jobs<'_>) -> Result<Vec<Wanted>, OperationError>) -> Step {
        let Some(jobs) = self.jobs() else { return self.wait_for_subject() };
        match wanted(&jobs) {
            Ok(wanted) => self.write(wanted.into_iter().flat_map(Wanted::start)),
            Err(error) => self.fail(unsupported(&error)),
        }
    }

    pub(super) fn wait_for_subject(&self) -> Step {
        self.wait(self.observed.subject.as_ref().err().cloned().unwrap_or_else(without_operations))
    }
}

fn without_operations() -> Problem {
    Problem::new(Reason::BackupUnsupported, "the package has no operations: it does not say how it is backed up")
}
