//! What the Jobs of a run told, for its status.

use commonscloud_backup::report::{Outcome, StoredPart};
use k8s_openapi::jiff::Timestamp;

use super::jobs::Jobs;
use super::record::recorded;
use super::step::{Found, Pass, is_files, reports};
use super::target::{Purpose, repository};
use super::{JobState, ObservedRun};
use crate::api::{BackupPhase, BackupRepository, BackupVersions, ExitPackage};

/// What the Jobs of a run told, as far as they are seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The repository; its id is empty until its Job told it.
    pub repository: Option<BackupRepository>,
    /// With what the run is made.
    pub versions: Option<BackupVersions>,
    /// What the first pass stored.
    pub first_pass: Vec<StoredPart>,
    /// What the backup is made of.
    pub parts: Vec<StoredPart>,
    /// Since when nobody could write.
    pub quiet_since: Option<Timestamp>,
    /// Since when people can write again.
    pub open_since: Option<Timestamp>,
    /// The snapshot with the manifest.
    pub snapshot: Option<String>,
    /// The package to leave with.
    pub package: Option<ExitPackage>,
}

/// What the Jobs of a run told.
pub fn facts(observed: &ObservedRun) -> Facts {
    let pass = Pass::of(observed);
    let is_first = pass.phase == BackupPhase::FirstPass;
    let is_second = pass.phase >= BackupPhase::SecondPass;
    let stored = |is_wanted: bool, is_of_step: fn(&str) -> bool| -> Vec<StoredPart> {
        let parts = is_wanted.then(|| pass.stored_by(is_of_step));
        parts.into_iter().flatten().map(|(_, part)| part).collect()
    };
    let record = pass.name("record");
    let snapshot = match pass.find(&record) {
        Found::Ours(job) if job.state == JobState::Succeeded => recorded(job).map(str::to_owned),
        _ => None,
    };
    let prepared = prepared(&pass);
    Facts {
        repository: pass.subject().map(|subject| {
            let instance = &subject.plan.instance.name;
            let repository =
                repository(&subject.own.namespace, &subject.target, &subject.folder, instance, Purpose::Run);
            let id = prepared.as_ref().map(|(id, _)| id.clone()).unwrap_or_default();
            BackupRepository { path: repository.path(), target: repository.target, id }
        }),
        versions: prepared.zip(pass.jobs()).map(|((_, restic), jobs)| versions(&jobs, restic)),
        first_pass: stored(is_first, is_files),
        parts: stored(is_second, |step| is_files(step) || step == "stream"),
        quiet_since: ended(&pass, "quiesce"),
        open_since: ended(&pass, "unquiesce"),
        snapshot,
        package: pass.package(),
    }
}

/// The repository's id, and restic's version.
fn prepared(pass: &Pass<'_>) -> Option<(String, String)> {
    let Found::Ours(job) = pass.find(&pass.name("prepare")) else { return None };
    reports(job).find_map(|report| match &report.outcome {
        Outcome::Prepared { repository, restic } => Some((repository.clone(), restic.clone())),
        _ => None,
    })
}

fn versions(jobs: &Jobs<'_>, restic: String) -> BackupVersions {
    BackupVersions { restic, ..jobs.versions() }
}

/// When this operation succeeded: its own container's end, which is before its Job's.
fn ended(pass: &Pass<'_>, step: &str) -> Option<Timestamp> {
    match pass.find(&pass.name(step)) {
        Found::Ours(job) if job.state == JobState::Succeeded => {
            job.said.get(step).and_then(|said| said.at).or(job.ended)
        }
        _ => None,
    }
}
