//! The end of a run: all parts are there, and the manifest that names them.

use commonscloud_backup::report::{Outcome, StoredPart};

use super::failure::of_job;
use super::jobs::Jobs;
use super::step::{Found, Pass, is_files, reports};
use super::{JobState, SeenJob, Standing, Step};
use crate::api::{BackupFormat, BackupPhase, Reason};
use crate::report::Problem;

impl Pass<'_> {
    /// Until the manifest is written. Nobody is kept from anything meanwhile.
    pub(super) fn recording(&self) -> Step {
        match self.find(&self.name("record")) {
            Found::Theirs(job) => self.another(job),
            Found::Missing => self.record(),
            Found::Ours(job) => match &job.state {
                JobState::Runs => self.stay(),
                JobState::Succeeded if recorded(job).is_some() => self.go(match self.observed.run.spec.format {
                    BackupFormat::Snapshot => BackupPhase::Succeeded,
                    BackupFormat::Exit => BackupPhase::Packing,
                }),
                JobState::Failed(_) | JobState::Succeeded => self.fail(of_job(job, self.subject())),
            },
        }
    }

    fn record(&self) -> Step {
        if self.is_deleted() {
            return Step { again: None, ..self.stay() };
        }
        let prefix = self.name("");
        let is_of_second_pass = |job: &&SeenJob| {
            let step = job.name.strip_prefix(&prefix);
            self.is_ours(job) && step.is_some_and(|step| is_files(step) || step == "stream")
        };
        let mut jobs = self.observed.jobs.values().filter(is_of_second_pass);
        if let Some(failed) = jobs.clone().find(|job| matches!(job.state, JobState::Failed(_))) {
            return self.fail(of_job(failed, self.subject()));
        }
        if jobs.any(|job| job.state == JobState::Runs) {
            return self.stay();
        }
        match (self.jobs(), self.observed.service) {
            (Some(jobs), _) => self.manifest(&jobs),
            (None, Standing::There) => self.wait_for_subject(),
            (None, _) => self.fail(self.interrupted().unwrap_or_else(|| incomplete("the service is gone"))),
        }
    }

    fn manifest(&self, jobs: &Jobs<'_>) -> Step {
        let parts = self.parts();
        let missing: Vec<String> = jobs.expected().into_iter().filter(|name| !parts.contains_key(name)).collect();
        let Some(taken_at) = self.status.taken_at.as_ref().filter(|_| missing.is_empty()) else {
            return self.fail(incomplete(&format!("no Job told of a snapshot of: {}", missing.join(", "))));
        };
        let versions = self.status.versions.clone().unwrap_or_else(|| jobs.versions());
        let parts: Vec<StoredPart> = parts.into_values().collect();
        self.write(jobs.record(parts, taken_at.0, versions).start())
    }
}

fn incomplete(message: &str) -> Problem {
    Problem::new(Reason::SnapshotIncomplete, message)
}

/// The id of the snapshot with the manifest.
pub(super) fn recorded(job: &SeenJob) -> Option<&str> {
    reports(job).find_map(|report| match &report.outcome {
        Outcome::Recorded { snapshot } => Some(snapshot.as_str()),
        _ => None,
    })
}
