//! The status of a restore, from what was seen of it and what is next.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::{ObservedRestore, Step, elsewhere};
use crate::api::{ConditionType, Reason, RestoreDestinationKind, RestorePhase, ServiceRestoreStatus};
use crate::report::{ConditionUpdate, Problem, Verdict, conditions, whole_seconds};

/// The phases that a restore passes that succeeds, with what people read of them.
type Way = [(RestorePhase, &'static str)];
const IN_PLACE: &Way = &[
    (RestorePhase::Preparing, "the backup is read and judged"),
    (RestorePhase::Files, "files are written to new volumes, and the service goes on"),
    (RestorePhase::Switching, "the service stops, and begins on the new volumes"),
    (RestorePhase::Loading, "the dump is loaded"),
    (RestorePhase::Verifying, "what is there is compared with the backup"),
    (RestorePhase::Starting, "the service starts"),
    (RestorePhase::Removing, "what was overwritten is removed"),
];
const DRILL: &Way = &[
    (RestorePhase::Preparing, "the backup is read and judged"),
    (RestorePhase::Files, "files are written to volumes of the drill"),
    (RestorePhase::Switching, "a copy of the service is made, and its database begins"),
    (RestorePhase::Loading, "the dump is loaded"),
    (RestorePhase::Verifying, "what is there is compared with the backup"),
    (RestorePhase::Starting, "the copy starts"),
    (RestorePhase::Removing, "the backup is proven; what was made is removed"),
];
const NEW: &Way = &[
    (RestorePhase::Preparing, "the backup is read and judged"),
    (RestorePhase::Files, "files are written to the volumes of the new service"),
    (RestorePhase::Switching, "the new service is made, and its database begins"),
    (RestorePhase::Loading, "the dump is loaded"),
    (RestorePhase::Verifying, "what is there is compared with the backup"),
    (RestorePhase::Starting, "the new service starts"),
    (RestorePhase::Removing, "the Jobs are removed"),
];
const PART: &Way = &[
    (RestorePhase::Preparing, "the backup is read and judged"),
    (RestorePhase::Files, "the part is written beside what is there, and the service goes on"),
];

fn way(observed: &ObservedRestore) -> &'static Way {
    let spec = &observed.restore.spec;
    match spec.into.kind {
        RestoreDestinationKind::Drill => DRILL,
        RestoreDestinationKind::NewService => NEW,
        RestoreDestinationKind::InPlace if spec.only.is_some() => PART,
        RestoreDestinationKind::InPlace => IN_PLACE,
    }
}

/// The status of a restore whose next step is this one.
pub fn restore_status(observed: &ObservedRestore, step: &Step) -> ServiceRestoreStatus {
    let before = observed.status().cloned().unwrap_or_default();
    let generation = observed.restore.metadata.generation.unwrap_or_default();
    let now = || whole_seconds(observed.now);
    let is_entered = before.phase != Some(step.phase);
    let has_ended = matches!(step.phase, RestorePhase::Succeeded | RestorePhase::Failed);
    let is_in_place = observed.restore.spec.into.kind == RestoreDestinationKind::InPlace;
    let stops = step.phase == RestorePhase::Switching && is_in_place;
    let stopped_at = before.stopped_at.clone().or_else(|| stops.then(now));
    let chosen = step.learned.chosen.clone();
    let differences = step.learned.differences.clone();
    let shown = verdict(observed, &before, step).shown().into_iter().chain(unknown(observed, step)).collect();
    let mut status = ServiceRestoreStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, shown, generation, observed.now),
        phase: Some(step.phase),
        progress: progress(way(observed), step),
        started_at: before.started_at.clone().or_else(|| (step.phase > RestorePhase::Waiting).then(now)),
        phase_since: if is_entered { Some(now()) } else { before.phase_since.clone() },
        ended_at: before.ended_at.clone().or_else(|| has_ended.then(now)),
        down_seconds: before.down_seconds.or_else(|| down(step.phase, stopped_at.as_ref(), observed.now)),
        stopped_at,
        snapshot: chosen.as_ref().map(|chosen| chosen.snapshot.clone()).or_else(|| before.snapshot.clone()),
        copy_target: step.learned.copy_target.clone().or_else(|| before.copy_target.clone()),
        copied_at: before.copied_at.clone().or_else(|| step.learned.is_copied.then(now)),
        taken_at: chosen.and_then(|chosen| chosen.taken_at).or_else(|| before.taken_at.clone()),
        volumes: step.learned.volumes.clone().unwrap_or_else(|| before.volumes.clone()),
        differences: if differences.is_empty() { before.differences.clone() } else { differences },
        ..before
    };
    if let (RestorePhase::Succeeded, Some(record)) = (step.phase, &observed.record) {
        status.version.clone_from(&record.spec.version);
        status.revision.clone_from(&record.spec.revision);
    }
    status
}

/// That nobody knows what it goes on with: how patient it is counts from here, as long as an operator looks.
fn unknown(observed: &ObservedRestore, step: &Step) -> Option<ConditionUpdate> {
    let needs_it = (RestorePhase::Copying..=RestorePhase::Verifying).contains(&step.phase);
    let problem = observed.subject.as_ref().err().filter(|_| needs_it)?;
    Some(ConditionUpdate::problem(ConditionType::SubjectKnown, false, problem))
}

/// For how long it did not serve, once it does again.
fn down(phase: RestorePhase, stopped_at: Option<&Time>, now: Timestamp) -> Option<i64> {
    let serves = matches!(phase, RestorePhase::Removing | RestorePhase::Succeeded | RestorePhase::Failed);
    stopped_at.filter(|_| serves).map(|stopped| now.duration_since(stopped.0).as_secs().max(0))
}

fn verdict(observed: &ObservedRestore, before: &ServiceRestoreStatus, step: &Step) -> Verdict {
    let told = || {
        let problem = step.problem.clone();
        problem.unwrap_or_else(|| Problem::new(Reason::Restoring, progress(way(observed), step).unwrap_or_default()))
    };
    match step.phase {
        RestorePhase::Succeeded => {
            let taken = before.taken_at.as_ref().map(|taken| format!(" of {}", taken.0)).unwrap_or_default();
            Verdict::Ready(succeeded(observed, &taken))
        }
        RestorePhase::Failed => {
            let problem = told();
            let left = elsewhere::left(observed).map(|left| format!("{}; {left}", problem.message));
            Verdict::Stalled(Problem { message: left.unwrap_or(problem.message), ..problem })
        }
        _ => Verdict::Reconciling(told()),
    }
}

fn succeeded(observed: &ObservedRestore, taken: &str) -> String {
    let spec = &observed.restore.spec;
    match (spec.into.kind, &spec.only) {
        (RestoreDestinationKind::Drill, _) => {
            format!("the backup{taken} was restored, found equal and started; what was made for it is gone")
        }
        (RestoreDestinationKind::NewService, _) => {
            let (into, from) = (spec.into.service.as_deref().unwrap_or_default(), &spec.from.service);
            format!("{into} begins with what the backup{taken} of {from} has")
        }
        (RestoreDestinationKind::InPlace, Some(part)) => {
            let (path, volume) = (&part.path, &part.volume);
            format!(
                "{path} of volume {volume}, as the backup{taken} has it, is beside what is there, called `(restored DATE)`"
            )
        }
        (RestoreDestinationKind::InPlace, None) => format!("the service is what its backup{taken} has"),
    }
}

/// `3 of 7: …; waits for …`.
fn progress(way: &Way, step: &Step) -> Option<String> {
    let waits = step.waits.as_ref().map(|what| format!("; waits for {what}")).unwrap_or_default();
    if step.phase == RestorePhase::Returning {
        return Some(format!("back: what was there before takes its place again{waits}"));
    }
    if step.phase == RestorePhase::Copying {
        return Some(format!("first the other Entity's backup is copied into a repository of this one{waits}"));
    }
    let at = way.iter().position(|(phase, _)| *phase == step.phase)?;
    let (_, what) = way.get(at)?;
    Some(format!("{} of {}: {what}{waits}", at + 1, way.len()))
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
