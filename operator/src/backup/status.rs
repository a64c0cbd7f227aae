//! The status of a run of a backup: what its Jobs told, and what an earlier pass recorded of those that are gone.

use commonscloud_backup::report::StoredPart;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::exit::to_do;
use super::{Facts, ObservedRun, Step, facts};
use crate::api::{
    BackupFormat, BackupPhase, BackupRepository, ConditionType, Reason, ServiceBackupStatus, SnapshotPart,
};
use crate::report::{ConditionUpdate, Problem, Verdict, conditions, whole_seconds};

/// What the progress counts to: the phases between `Waiting` and the end, one more of a run that ends in a package.
const PHASES: u8 = 6;

/// The status of a run. A phase that was reached is never left backwards.
pub fn backup_status(observed: &ObservedRun, step: &Step) -> ServiceBackupStatus {
    let before = observed.run.status.clone().unwrap_or_default();
    let phase = before.phase.map_or(step.phase, |before| before.max(step.phase));
    let facts = facts(observed);
    let now = whole_seconds(observed.now);
    let is_over = phase >= BackupPhase::Succeeded;
    let added = added(&before.contents, &facts.parts) + added(&before.first_pass, &facts.first_pass);
    let taken_at = before.taken_at.clone().or_else(|| taken_at(phase, &facts, &now));
    let mut status = ServiceBackupStatus {
        observed_generation: observed.run.metadata.generation,
        phase: Some(phase),
        progress: Some(progress(phase, observed.run.spec.format)),
        started_at: before.started_at.clone().or_else(|| (phase >= BackupPhase::Preparing).then(|| now.clone())),
        ended_at: before.ended_at.clone().or_else(|| is_over.then(|| now.clone())),
        quiet_seconds: before.quiet_seconds.or_else(|| quiet_seconds(taken_at.as_ref(), &facts)),
        taken_at,
        bytes_added: (added > 0)
            .then(|| added.saturating_add(before.bytes_added.unwrap_or_default()))
            .or(before.bytes_added),
        contents: merged(&before.contents, &facts.parts),
        first_pass: merged(&before.first_pass, &facts.first_pass),
        repository: repository(phase, before.repository.as_ref(), facts.repository),
        versions: before.versions.clone().or(facts.versions),
        snapshot: facts.snapshot.or_else(|| before.snapshot.clone()),
        package: facts.package.or_else(|| before.package.clone()),
        ..before.clone()
    };
    if !status.contents.is_empty() {
        let sum = |of: fn(&SnapshotPart) -> i64| status.contents.iter().map(of).fold(0, i64::saturating_add);
        let (bytes, files) = (sum(|part| part.bytes), sum(|part| part.files));
        status.bytes = Some(bytes);
        status.size = Some(size(bytes));
        status.files = Some(files);
    }
    let mut shown = verdict(&status, step, &observed.run.name_any()).shown();
    let still_quiet = step.still_quiet.iter();
    shown.extend(still_quiet.map(|why| ConditionUpdate::new(ConditionType::StillQuiet, true, Reason::StillQuiet, why)));
    let generation = observed.run.metadata.generation.unwrap_or_default();
    status.conditions = conditions(&before.conditions, shown, generation, observed.now);
    status
}

fn verdict(status: &ServiceBackupStatus, step: &Step, name: &str) -> Verdict {
    let problem = || step.problem.clone();
    match status.phase {
        Some(BackupPhase::Succeeded) => {
            let size = status.size.as_deref().unwrap_or("nothing");
            let package = status.package.as_ref().map(|package| format!("; {}", to_do(package, name)));
            let package = package.unwrap_or_default();
            Verdict::Ready(format!("complete: {size} in {} parts{package}", status.contents.len()))
        }
        Some(BackupPhase::Failed) => Verdict::Stalled(
            problem().unwrap_or_else(|| Problem::new(Reason::BackupFailed, "it ended without a snapshot")),
        ),
        _ => {
            let message = status.progress.clone().unwrap_or_default();
            Verdict::Reconciling(problem().unwrap_or_else(|| Problem::new(Reason::BackupRuns, message)))
        }
    }
}

fn progress(phase: BackupPhase, format: BackupFormat) -> String {
    let (at, what) = match phase {
        BackupPhase::Waiting => return "waiting".to_owned(),
        BackupPhase::Preparing => (1, "the target is tried"),
        BackupPhase::FirstPass => (2, "first pass"),
        BackupPhase::Quiescing => (3, "the service is made quiet"),
        BackupPhase::SecondPass => (4, "second pass"),
        BackupPhase::Unquiescing => (5, "the service is opened again"),
        BackupPhase::Recording => (6, "the manifest"),
        BackupPhase::Packing => (7, "the package"),
        BackupPhase::Succeeded => return "complete".to_owned(),
        BackupPhase::Failed => return "failed".to_owned(),
    };
    let of = PHASES + u8::from(format == BackupFormat::Exit);
    format!("{at} of {of}: {what}")
}

/// Where it is, is recorded before anything is sent there, and once: what is chosen meanwhile has nothing of it.
fn repository(
    phase: BackupPhase,
    before: Option<&BackupRepository>,
    told: Option<BackupRepository>,
) -> Option<BackupRepository> {
    let told = told.filter(|told| !told.id.is_empty() || phase == BackupPhase::Preparing);
    let is_same = |told: &BackupRepository| {
        before.is_none_or(|before| before.id.is_empty() && (&before.target, &before.path) == (&told.target, &told.path))
    };
    told.filter(is_same).or_else(|| before.cloned())
}

/// When quiesce ended; without one, before the first Job of the second pass begins.
fn taken_at(phase: BackupPhase, facts: &Facts, now: &Time) -> Option<Time> {
    let quiet = facts.quiet_since.filter(|_| phase >= BackupPhase::SecondPass).map(whole_seconds);
    quiet.or_else(|| (phase == BackupPhase::SecondPass).then(|| now.clone()))
}

fn quiet_seconds(taken_at: Option<&Time>, facts: &Facts) -> Option<i64> {
    Some(facts.open_since?.duration_since(taken_at?.0).as_secs().max(0))
}

/// Bytes of parts that are told for the first time.
fn added(before: &[SnapshotPart], parts: &[StoredPart]) -> i64 {
    let is_new = |part: &&StoredPart| !before.iter().any(|known| known.snapshot == part.snapshot);
    parts.iter().filter(is_new).map(|part| number(part.added)).fold(0, i64::saturating_add)
}

/// What is told over what was: a part that is not seen any more stays.
fn merged(before: &[SnapshotPart], parts: &[StoredPart]) -> Vec<SnapshotPart> {
    let is_told = |known: &&SnapshotPart| parts.iter().any(|part| part.name == known.name);
    let kept = before.iter().filter(|known| !is_told(known)).cloned();
    let mut merged: Vec<SnapshotPart> = kept.chain(parts.iter().map(shown)).collect();
    merged.sort_by(|a, b| a.name.cmp(&b.name));
    merged
}

fn shown(part: &StoredPart) -> SnapshotPart {
    SnapshotPart {
        name: part.name.clone(),
        kind: part.kind,
        snapshot: part.snapshot.clone(),
        bytes: number(part.bytes),
        files: number(part.files),
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// For people: at most one digit behind the point.
fn size(bytes: i64) -> String {
    let tenths = |unit: i64| bytes.saturating_mul(10).checked_div(unit).unwrap_or_default();
    let units = [("Ti", 1_i64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((suffix, unit)) => match (tenths(unit) / 10, tenths(unit) % 10) {
            (whole, 0) => format!("{whole}{suffix}"),
            (whole, tenth) => format!("{whole}.{tenth}{suffix}"),
        },
        None => bytes.to_string(),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
