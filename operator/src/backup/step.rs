//! What is next of a run: by its phase, and by its Jobs. What may have been begun was recorded before, so a run goes
//! on after a stop of the operator as if there had been none.

use std::collections::BTreeMap;
use std::time::Duration;

use commonscloud_backup::report::{Report, StoredPart};
use k8s_openapi::jiff::Timestamp;

use super::jobs::{Jobs, delete, stored};
use super::{JobState, ObservedRun, SeenJob, Standing, Step, Subject, UNQUIESCE};
use crate::api::{BackupPhase, Reason, ServiceBackupStatus, SnapshotPart};
use crate::compare::Change;
use crate::report::Problem;

/// When something is looked at that the caches bring by themselves, should they not.
const WATCHED: Duration = Duration::from_secs(30);
/// When what was just written is looked at.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// What is next of a run.
pub fn next(observed: &ObservedRun) -> Step {
    let pass = Pass::of(observed);
    match pass.phase {
        BackupPhase::Waiting => pass.waiting(),
        BackupPhase::Preparing => pass.preparing(),
        BackupPhase::FirstPass => pass.first_pass(),
        BackupPhase::Quiescing => pass.quiescing(),
        BackupPhase::SecondPass => pass.second_pass(),
        BackupPhase::Unquiescing => pass.unquiescing(),
        BackupPhase::Recording => pass.recording(),
        BackupPhase::Packing => pass.packing(),
        BackupPhase::Succeeded | BackupPhase::Failed => pass.ended(),
    }
}

/// A Job by its name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    /// There is none.
    Missing,
    /// It is this run's.
    Ours(&'a SeenJob),
    /// It is another's.
    Theirs(&'a SeenJob),
}

/// One pass over a run.
pub(super) struct Pass<'a> {
    pub(super) observed: &'a ObservedRun,
    pub(super) status: ServiceBackupStatus,
    pub(super) phase: BackupPhase,
}

impl<'a> Pass<'a> {
    pub(super) fn of(observed: &'a ObservedRun) -> Self {
        let status = observed.run.status.clone().unwrap_or_default();
        let phase = status.phase.unwrap_or(BackupPhase::Waiting);
        Self { observed, status, phase }
    }

    pub(super) fn subject(&self) -> Option<&'a Subject> {
        self.observed.subject.as_ref().ok()
    }

    pub(super) fn jobs(&self) -> Option<Jobs<'a>> {
        Jobs::of(self.observed, self.subject()?)
    }

    pub(super) fn name(&self, step: &str) -> String {
        format!("{}-{step}", self.observed.run.spec.service)
    }

    pub(super) fn namespace(&self) -> &'a str {
        self.observed.run.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn find(&self, name: &str) -> Found<'a> {
        match self.observed.jobs.get(name) {
            None => Found::Missing,
            Some(job) if self.is_ours(job) => Found::Ours(job),
            Some(job) => Found::Theirs(job),
        }
    }

    /// An unquiesce of a run that is being deleted belongs to the instance.
    pub(super) fn is_ours(&self, job: &SeenJob) -> bool {
        let is_the_instances = || {
            job.name == self.name("unquiesce")
                && self.is_deleted()
                && self.subject().is_some_and(|subject| subject.plan.instance.uid == job.owner)
        };
        self.observed.run.metadata.uid.as_deref() == Some(job.owner.as_str()) || is_the_instances()
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.observed.run.metadata.deletion_timestamp.is_some()
    }

    pub(super) fn has_finalizer(&self) -> bool {
        self.observed.run.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == UNQUIESCE)
    }

    /// Whether the service is, or may be, quiet between `Quiescing` and `Unquiescing`.
    pub(super) fn is_quiet(&self) -> bool {
        self.has_finalizer() || self.jobs().is_some_and(|jobs| jobs.operations().quiesce.is_some())
    }

    /// Why the run ends before its time, whatever its Jobs do.
    pub(super) fn interrupted(&self) -> Option<Problem> {
        let service = &self.observed.run.spec.service;
        if self.is_deleted() {
            return Some(Problem::new(Reason::Deleting, "the run was deleted before it was complete"));
        }
        match self.observed.service {
            Standing::There => self.moved(),
            Standing::BeingDeleted => Some(Problem::new(Reason::Deleting, format!("{service} is being deleted"))),
            Standing::Gone => Some(Problem::new(Reason::Deleting, format!("{service} was deleted"))),
        }
    }

    /// What was read before is of another version than what would be read next.
    fn moved(&self) -> Option<Problem> {
        let (plan, versions) = (&self.subject()?.plan, self.status.versions.as_ref()?);
        if (&plan.version, &plan.revision) == (&versions.application, &versions.revision) {
            return None;
        }
        let message = format!(
            "{} went from version {} on revision {} to {} on {} in the middle of the run: back it up once it has arrived",
            plan.instance.name, versions.application, versions.revision, plan.version, plan.revision
        );
        Some(Problem::new(Reason::BackupFailed, message))
    }

    /// Still in this phase.
    pub(super) fn stay(&self) -> Step {
        self.step(self.phase)
    }

    /// On to another phase; what it names begins once that is recorded.
    pub(super) fn go(&self, phase: BackupPhase) -> Step {
        Step { again: Some(SOON), ..self.step(phase) }
    }

    fn step(&self, phase: BackupPhase) -> Step {
        let may_be_quiet = (BackupPhase::Quiescing..=BackupPhase::Unquiescing).contains(&phase);
        Step {
            phase,
            changes: Vec::new(),
            is_held: may_be_quiet && self.is_quiet(),
            problem: None,
            still_quiet: None,
            again: Some(WATCHED),
        }
    }

    /// In this phase until something comes that is not there.
    pub(super) fn wait(&self, problem: Problem) -> Step {
        Step { problem: Some(problem), ..self.stay() }
    }

    /// These writes, in this phase.
    pub(super) fn write(&self, changes: impl IntoIterator<Item = Change>) -> Step {
        Step { changes: changes.into_iter().collect(), ..self.stay() }
    }

    /// It ends without a snapshot.
    pub(super) fn fail(&self, problem: Problem) -> Step {
        Step { problem: Some(problem), ..self.go(BackupPhase::Failed) }
    }

    /// The removal of a Job that ended, of whomever it is.
    pub(super) fn remove(&self, job: &SeenJob) -> Step {
        let changes = if job.is_being_deleted { Vec::new() } else { vec![delete(self.namespace(), job)] };
        Step { again: Some(SOON), ..self.write(changes) }
    }

    /// What this run's Jobs of this step stored.
    pub(super) fn stored_by(&self, is_of_step: impl Fn(&str) -> bool) -> BTreeMap<String, StoredPart> {
        let prefix = self.name("");
        let of_step = |job: &&SeenJob| job.name.strip_prefix(&prefix).is_some_and(&is_of_step) && self.is_ours(job);
        self.observed.jobs.values().filter(of_step).flat_map(stored).collect()
    }

    /// What the Jobs of the second pass stored, as far as it is known.
    pub(super) fn parts(&self) -> BTreeMap<String, StoredPart> {
        let mut parts: BTreeMap<String, StoredPart> =
            self.status.contents.iter().map(|part| (part.name.clone(), part_of(part))).collect();
        if self.phase >= BackupPhase::SecondPass {
            parts.extend(self.stored_by(|step| is_files(step) || step == "stream"));
        }
        parts
    }

    /// Nothing of it is left at work.
    fn ended(&self) -> Step {
        let at_work = |job: &&SeenJob| job.state == JobState::Runs && !job.is_being_deleted && self.is_ours(job);
        let jobs = self.observed.jobs.values().filter(at_work);
        let problem = (self.phase == BackupPhase::Failed).then(|| self.kept_problem()).flatten();
        let changes = jobs.map(|job| delete(self.namespace(), job)).collect();
        Step { changes, problem, again: None, ..self.stay() }
    }

    /// What the status says why it is not ready, where that is a failure.
    pub(super) fn kept_problem(&self) -> Option<Problem> {
        let ready = self.status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
        let is_failure = ready.status == "False" && ready.reason != Reason::BackupRuns.name();
        is_failure.then(|| Problem::quoted(&ready.reason, ready.message.clone()))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.observed.now
    }
}

/// Whether it is a step that reads files.
pub(super) fn is_files(step: &str) -> bool {
    step == "files" || step.starts_with("files-")
}

/// The report of a container of a Job.
pub(super) fn reports(job: &SeenJob) -> impl Iterator<Item = &Report> {
    job.said.values().filter_map(|said| said.report.as_ref())
}

fn part_of(part: &SnapshotPart) -> StoredPart {
    StoredPart {
        name: part.name.clone(),
        kind: part.kind,
        snapshot: part.snapshot.clone(),
        bytes: u64::try_from(part.bytes).unwrap_or_default(),
        added: 0,
        files: u64::try_from(part.files).unwrap_or_default(),
    }
}
