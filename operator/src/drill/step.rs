//! What is next of a drill, by its phase and by what is there. The steps that a restore in place has as well are its
//! own; nothing of the service is stopped, and what was made stays where it failed until its room is needed.

use k8s_openapi::jiff::SignedDuration;
use kube::ResourceExt as _;

use super::{ObservedDrill, owned};
use crate::api::{Reason, RestorePhase, RestoredVolume, marks};
use crate::compare::Change;
use crate::report::Problem;
use crate::restore::{
    Flow, Learned, PATIENCE, ROOM, STARTS, Step, choose, claim_objects, end_all, failed, files, is_late, is_overdue,
    is_time, loaded_next, loading, patiently, preparing, room, subject, verifying,
};

/// What is next of a drill.
pub fn next(observed: &ObservedDrill) -> Step {
    let restore = &observed.restore;
    let phase = restore.phase();
    let flow = match phase {
        RestorePhase::Succeeded | RestorePhase::Failed => Ok(Step::at(phase)),
        _ if restore.is_being_deleted() => Ok(Step::at(phase)),
        RestorePhase::Removing => Ok(removing(observed)),
        _ if is_over(observed) => Ok(over(observed)),
        RestorePhase::Waiting => waiting(observed),
        RestorePhase::Copying | RestorePhase::Preparing => with_secrets(observed, preparing),
        RestorePhase::Files => files(restore),
        RestorePhase::Switching => switching(observed),
        RestorePhase::Loading => loading(restore),
        RestorePhase::Verifying => verifying(restore),
        RestorePhase::Starting => Ok(starting(observed)),
        RestorePhase::Returning => Ok(over(observed)),
    };
    ended(observed, flow.unwrap_or_else(|step| *step))
}

/// There is no way back from a drill: it fails where it is, and what was made stays to be looked at. A lock that
/// somebody holds passes.
fn ended(observed: &ObservedDrill, step: Step) -> Step {
    let has_failed = matches!(step.phase, RestorePhase::Returning | RestorePhase::Failed);
    let is_locked = step.problem.as_ref().is_some_and(|problem| problem.is(Reason::RepositoryLocked));
    let step = if has_failed && is_locked && !is_over(observed) {
        let is_time = observed.restore.jobs.values().all(|job| is_time(&observed.restore, job));
        let ends = if is_time { end_all(&observed.restore) } else { Vec::new() };
        Step::waits(&observed.restore, "the lock of the repository, which somebody else holds").with(ends)
    } else if has_failed {
        Step { phase: RestorePhase::Failed, ..step }
    } else {
        step
    };
    let changes = step.changes.into_iter().map(|change| owned(change, &observed.restore.restore)).collect();
    Step { changes, is_held: false, ..step }
}

fn limit(observed: &ObservedDrill) -> SignedDuration {
    SignedDuration::from_mins(i64::from(observed.rule.timeout_minutes))
}

/// Whether it has taken, or waited, for longer than the Platform lets it. Whoever goes first has a limit of its own.
fn is_over(observed: &ObservedDrill) -> bool {
    let restore = &observed.restore;
    let began = restore.status().and_then(|status| status.started_at.as_ref()).map(|began| began.0);
    if began.is_none() && restore.goes_first.is_some() {
        return false;
    }
    let since = began.or_else(|| restore.restore.creation_timestamp().map(|made| made.0));
    since.is_some_and(|since| is_overdue(restore, since, limit(observed)))
}

fn over(observed: &ObservedDrill) -> Step {
    let status = observed.restore.status();
    let at = status.and_then(|status| status.progress.clone());
    let ready = status.and_then(|status| status.conditions.iter().find(|condition| condition.type_ == "Ready"));
    let at = at.or_else(|| ready.map(|ready| ready.message.clone())).unwrap_or_default();
    let minutes = observed.rule.timeout_minutes;
    let message = format!("it took longer than {minutes} minutes (spec.backup.drills.timeoutMinutes): {at}");
    failed(&observed.restore, Problem::new(Reason::RestoreFailed, message))
}

fn waiting(observed: &ObservedDrill) -> Flow {
    let restore = &observed.restore;
    let chosen = choose(restore).map_err(|problem| Box::new(failed(restore, problem)))?;
    if let Some(first) = &restore.goes_first {
        let message = format!("{first} comes first");
        return Ok(Step::not_yet(restore, Problem::new(Reason::WaitsForTurn, message)));
    }
    if let Some(problem) = &observed.closed {
        return Ok(Step::not_yet(restore, problem.clone()));
    }
    if !observed.others.are_gone() {
        let message = format!("what is left of another drill is being removed: {}", observed.others.shown());
        let step = Step::not_yet(restore, Problem::new(Reason::WaitsForTurn, message));
        return Ok(step.with(observed.others.removals.clone()));
    }
    let subject = subject(restore)?;
    if let Some(exceptions) = &observed.exceptions {
        let message = format!("containers of {} are being let in", subject.plan.instance.name);
        let step = Step::not_yet(restore, Problem::new(Reason::NamespaceNotReady, message));
        return Ok(step.with(vec![exceptions.clone()]));
    }
    let made = subject.plan.volumes.iter().map(|volume| RestoredVolume {
        name: volume.name.clone(),
        claim: volume.claim.clone(),
        ..RestoredVolume::default()
    });
    let made: Vec<RestoredVolume> = made.collect();
    let learned = Learned { chosen: Some(chosen), volumes: Some(made.clone()), ..Learned::default() };
    let step = match room(&restore.quotas, &claim_objects(&subject.plan, &made, &restore.claims)) {
        Ok(()) => Step::at(RestorePhase::Preparing),
        Err(lacks) if observed.evidence.are_gone() => {
            let message = format!("in namespace {} {lacks}: raise drills.quota of the chart", marks::DRILLS);
            Step { again: Some(ROOM), ..Step::not_yet(restore, Problem::new(Reason::NoRoom, message)) }
        }
        Err(_) => {
            let message = format!("room is made by removing what a failed drill left: {}", observed.evidence.shown());
            let step = Step::not_yet(restore, Problem::new(Reason::WaitsForTurn, message));
            step.with(observed.evidence.removals.clone())
        }
    };
    Ok(Step { learned, ..step })
}

/// The step, once its Secrets are there.
fn with_secrets(observed: &ObservedDrill, step: impl FnOnce(&crate::restore::ObservedRestore) -> Flow) -> Flow {
    if observed.copies.is_empty() {
        return step(&observed.restore);
    }
    Ok(patiently(&observed.restore, PATIENCE, "copies of its Secrets").with(observed.copies.clone()))
}

/// The writes that its objects need, if any.
///
/// # Errors
/// The step that makes them, or waits until they can be.
fn made(observed: &ObservedDrill, limit: SignedDuration) -> Result<(), Box<Step>> {
    let restore = &observed.restore;
    let objects: &[Change] = match &observed.objects {
        Ok(changes) => changes,
        Err(problem) => return Err(Box::new(patiently(restore, limit, problem.message.clone()))),
    };
    let changes: Vec<Change> = observed.exceptions.iter().chain(&observed.copies).chain(objects).cloned().collect();
    if changes.is_empty() {
        return Ok(());
    }
    Err(Box::new(patiently(restore, limit, "the API server to take its objects").with(changes)))
}

/// All is made, and what `load` talks to begins.
fn switching(observed: &ObservedDrill) -> Flow {
    let subject = subject(&observed.restore)?;
    made(observed, PATIENCE)?;
    if !observed.restore.service.is_running {
        return Ok(patiently(&observed.restore, PATIENCE, not_running(observed, "the database to begin")));
    }
    Ok(loaded_next(subject))
}

fn starting(observed: &ObservedDrill) -> Step {
    if let Err(step) = made(observed, STARTS) {
        return *step;
    }
    if observed.restore.service.is_running {
        return Step::at(RestorePhase::Removing);
    }
    patiently(&observed.restore, STARTS, not_running(observed, "the restored service to run"))
}

fn not_running(observed: &ObservedDrill, what: &str) -> String {
    let why = observed.restore.service.not_ready.as_ref();
    why.map_or_else(|| what.to_owned(), |problem| format!("{what}: {}", problem.message))
}

/// What does not go keeps nobody from the next drill, which removes it or names it.
fn removing(observed: &ObservedDrill) -> Step {
    if observed.own.are_gone() || is_late(&observed.restore, PATIENCE) {
        return Step::at(RestorePhase::Succeeded);
    }
    let what = format!("the end of {}", observed.own.shown());
    Step::waits(&observed.restore, what).with(observed.own.removals.clone())
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
