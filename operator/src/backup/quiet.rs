//! From `Quiescing` to the end of `Unquiescing`: whatever comes, the service is opened again.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::begin::unsupported;
use super::companion::FilesPass;
use super::failure::of_job;
use super::jobs::{Jobs, Wanted, delete};
use super::step::{Found, Pass, SOON};
use super::{JobState, SeenJob, Standing, Step};
use crate::api::{BackupPhase, ConditionType, OperationKind, Reason};
use crate::compare::Change;
use crate::report::Problem;
use crate::template::operation::OperationError;

/// How long the first pause between two tries of unquiesce is, and the longest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// When something that may pass is looked at.
const LATER: Duration = Duration::from_secs(10);

impl Pass<'_> {
    /// Until nobody can write. The finalizer is there before.
    pub(super) fn quiescing(&self) -> Step {
        if let Some(problem) = self.cut_short() {
            return self.reopen(problem);
        }
        match self.find(&self.name("quiesce")) {
            Found::Missing if !self.has_finalizer() => Step { again: Some(SOON), ..self.stay() },
            Found::Missing => self.or_reopen(|jobs| Ok(vec![jobs.operation(OperationKind::Quiesce)?])),
            Found::Theirs(job) if job.state == JobState::Runs => self.reopen(taken(job)),
            Found::Theirs(job) => self.remove(job),
            Found::Ours(job) => match &job.state {
                JobState::Runs => self.stay(),
                JobState::Succeeded => self.go(BackupPhase::SecondPass),
                JobState::Failed(_) => {
                    self.reopen(Problem::new(Reason::QuiesceFailed, of_job(job, self.subject()).message))
                }
            },
        }
    }

    /// Until what is read is of one moment.
    pub(super) fn second_pass(&self) -> Step {
        // Without quiet nothing has to be undone: what passes by itself is waited for.
        let why = if self.is_quiet() { self.cut_short() } else { self.interrupted() };
        if let Some(problem) = why {
            return self.reopen(problem);
        }
        let Some(jobs) = self.jobs() else { return self.wait_for_subject() };
        match self.second_pass_jobs(&jobs) {
            Err(problem) => self.reopen(problem),
            Ok((_, false)) if self.takes_too_long(&jobs) => self.reopen(Problem::new(
                Reason::BackupFailed,
                "the second pass took too long to keep people from writing: look whether its Jobs' pods could start",
            )),
            Ok((changes, true)) if changes.is_empty() => {
                self.go(if self.is_quiet() { BackupPhase::Unquiescing } else { BackupPhase::Recording })
            }
            Ok((changes, _)) => self.write(changes),
        }
    }

    fn takes_too_long(&self, jobs: &Jobs<'_>) -> bool {
        let quiet_for = self.status.taken_at.as_ref().map(|since| self.now().duration_since(since.0));
        self.is_quiet() && quiet_for.is_some_and(|quiet| quiet > jobs.longest_quiet())
    }

    /// What is to be written, and whether people may write again as soon as nothing is.
    fn second_pass_jobs(&self, jobs: &Jobs<'_>) -> Result<(Vec<Change>, bool), Problem> {
        let failed = |error: OperationError| unsupported(&error);
        let files = jobs.files(FilesPass::Second).map_err(failed)?;
        let stream = jobs.stream().map_err(failed)?;
        let (mut changes, mut is_read) = (Vec::new(), true);
        let wanted = files.into_iter().map(|files| (files, false)).chain(stream.map(|stream| (stream, true)));
        for (wanted, is_stream) in wanted {
            match self.find(&wanted.name) {
                Found::Missing => changes.extend(wanted.start()),
                Found::Theirs(job) if job.state == JobState::Runs => return Err(taken(job)),
                Found::Theirs(job) if job.is_being_deleted => is_read = false,
                Found::Theirs(job) => changes.push(delete(self.namespace(), job)),
                Found::Ours(job) => {
                    is_read &= match (&job.state, is_stream) {
                        (JobState::Failed(_), _) => return Err(of_job(job, self.subject())),
                        (JobState::Succeeded, _) => true,
                        (JobState::Runs, _) if job.is_failing() => return Err(of_job(job, self.subject())),
                        (JobState::Runs, false) => false,
                        (JobState::Runs, true) => jobs.streams().is_empty() || job.said.contains_key("quiet"),
                    };
                }
            }
        }
        Ok((changes, is_read))
    }

    /// Until it is known that people can write again.
    pub(super) fn unquiescing(&self) -> Step {
        let step = self.opening();
        // Why it came to this is told until it is open, and by the end of the run.
        let kept = self.kept_problem();
        match step.phase {
            BackupPhase::Unquiescing => Step { is_held: true, problem: kept, ..step },
            _ => step,
        }
    }

    fn opening(&self) -> Step {
        let (name, quiesce) = (self.name("unquiesce"), self.find(&self.name("quiesce")));
        if let Found::Ours(SeenJob { state: JobState::Runs, .. }) = quiesce {
            // It would make quiet what was just opened.
            return Step { still_quiet: self.told_still_quiet(), again: Some(LATER), ..self.stay() };
        }
        match self.find(&name) {
            Found::Missing => self.open(),
            Found::Theirs(job) if job.state != JobState::Runs => self.remove(job),
            Found::Theirs(_) => Step { again: Some(LATER), ..self.stay() },
            Found::Ours(job) => match &job.state {
                JobState::Succeeded if is_after(job, quiesce) => self.opened(),
                JobState::Succeeded => self.remove(job),
                JobState::Runs => Step { still_quiet: self.told_still_quiet(), ..self.stay() },
                JobState::Failed(_) if self.observed.service == Standing::Gone => self.released(),
                JobState::Failed(_) => self.again(job),
            },
        }
    }

    fn open(&self) -> Step {
        if self.observed.service == Standing::Gone {
            return self.released();
        }
        let made = match self.jobs() {
            Some(jobs) => jobs.operation(OperationKind::Unquiesce).map_err(|error| error.to_string()),
            None => Err(self.wait_for_subject().problem.map(|problem| problem.message).unwrap_or_default()),
        };
        match made {
            Ok(wanted) => Step { still_quiet: self.told_still_quiet(), ..self.write(wanted.start()) },
            Err(why) => {
                let message = format!("unquiesce cannot begin: {why}");
                Step { still_quiet: Some(message), again: Some(LATER), ..self.stay() }
            }
        }
    }

    /// Tried again after a pause as long as it has been tried for.
    fn again(&self, job: &SeenJob) -> Step {
        let now = self.now();
        let ended = job.ended.unwrap_or(now);
        let since = self.still_quiet_since().unwrap_or(ended);
        let pause = ended.duration_since(since).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let left = pause.saturating_sub(now.duration_since(ended));
        let still_quiet = Some(format!("{}; it is tried again", of_job(job, self.subject()).message));
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => Step { still_quiet, again: Some(left.max(SOON)), ..self.stay() },
            _ => Step { still_quiet, ..self.remove(job) },
        }
    }

    fn still_quiet_since(&self) -> Option<Timestamp> {
        let kind = ConditionType::StillQuiet.as_str();
        let condition = self.status.conditions.iter().find(|condition| condition.type_ == kind);
        condition.map(|condition| condition.last_transition_time.0)
    }

    fn told_still_quiet(&self) -> Option<String> {
        let kind = ConditionType::StillQuiet.as_str();
        let condition = self.status.conditions.iter().find(|condition| condition.type_ == kind);
        condition.map(|condition| condition.message.clone())
    }

    /// People can write again.
    fn opened(&self) -> Step {
        match self.kept_problem().or_else(|| self.interrupted()) {
            Some(problem) => self.fail(problem),
            None => self.go(BackupPhase::Recording),
        }
    }

    /// Nobody is left who could not write; the data that is kept may still say so.
    fn released(&self) -> Step {
        let service = &self.observed.run.spec.service;
        let message = format!(
            "{service} was deleted while it was quiet, and unquiesce could not run: where its data is used again, make a backup, which ends in unquiesce"
        );
        self.fail(Problem::new(Reason::StillQuiet, message))
    }

    /// Why the quiet ends before its time, whatever the Jobs do.
    fn cut_short(&self) -> Option<Problem> {
        self.interrupted().or_else(|| self.observed.subject.as_ref().err().cloned())
    }

    /// The run fails; first the service is opened.
    fn reopen(&self, problem: Problem) -> Step {
        if !self.is_quiet() {
            return self.fail(problem);
        }
        Step { problem: Some(problem), ..self.go(BackupPhase::Unquiescing) }
    }

    fn or_reopen(&self, wanted: impl FnOnce(&Jobs<'_>) -> Result<Vec<Wanted>, OperationError>) -> Step {
        let step = self.started(wanted);
        match step.problem {
            Some(problem) => self.reopen(problem),
            None => step,
        }
    }
}

fn taken(job: &SeenJob) -> Problem {
    Problem::new(Reason::BackupFailed, format!("Job {} of another backup or restore came in between", job.name))
}

/// An unquiesce that ended before quiesce did is none.
fn is_after(unquiesce: &SeenJob, quiesce: Found<'_>) -> bool {
    match quiesce {
        Found::Ours(quiesce) => quiesce.ended <= unquiesce.ended,
        Found::Missing | Found::Theirs(_) => true,
    }
}
