//! The controller of ServiceRestores: what is seen, what is next of it, the status, then the writes. A phase is in
//! the status before anything of it is written.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;

use super::backup::{home_job, is_too_soon};
use super::context::Context;
use super::drill;
use super::finalizer::hold;
use super::queue::Next;
use super::repository;
use super::step::{self, Carried};
use crate::api::{RestoreDestinationKind, RestorePhase, ServiceRestore, ServiceRestoreStatus, marks};
use crate::apply::{Applied, WriteError};
use crate::cache::{Key, restore_has_ended};
use crate::gather;
use crate::report::Problem;
use crate::restore::{Learned, ObservedRestore, RESTORE, Step, next, restore_status};

/// Between two looks whether one that is deleted has stayed for long enough: nothing else tells that its Entity goes.
const STAYS: Duration = Duration::from_mins(1);

/// One pass over a restore. One that has ended costs nothing.
///
/// # Errors
/// When a request outside of *apply* fails.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(restore) = context.caches().restores.get(&key.namespace, &key.name) else { return Ok(Next::Wait) };
    if restore_has_ended(&restore) {
        return ended(context, key, &restore).await;
    }
    if is_drill(&restore) {
        return Box::pin(drill::reconcile(context, key)).await;
    }
    if is_too_soon(context, key) {
        return Ok(Next::Wait);
    }
    let Some(observed) = observe(context, key).await? else { return Ok(Next::Wait) };
    let step = next(&observed);
    let knows_copy = observed.has_copy() || step.learned.is_copied;
    if observed.is_being_deleted() && step.phase < RestorePhase::Files && !step.is_held && !knows_copy {
        // It may be held still from while it copied.
        hold(context, key, &restore.metadata, RESTORE, false).await?;
        return Ok(Next::Wait);
    }
    let status = restore_status(&observed, &step);
    if restore.status.as_ref().and_then(|status| status.phase) == Some(step.phase) {
        return carry_out(context, key, &observed, &step, &status).await;
    }
    context.report(key, &restore.uid().unwrap_or_default(), restore.status.as_ref(), &status).await?;
    context.known.again(key);
    Ok(Next::Wait)
}

/// Holds one that has ended as long as it alone knows a copy of another Entity's backup that is to be forgotten.
async fn ended(context: &Context, key: &Key, restore: &Arc<ServiceRestore>) -> Result<Next, WriteError> {
    let copied = gather::awaited_copy(context.caches(), restore, context.now());
    if let Some(copied) = copied.as_ref().filter(|_| restore.metadata.deletion_timestamp.is_some()) {
        let status = copied.given_up(context.now());
        context.report(key, &restore.uid().unwrap_or_default(), restore.status.as_ref(), &status).await?;
        return Ok(Next::After(STAYS));
    }
    hold(context, key, &restore.metadata, RESTORE, copied.is_some()).await?;
    Ok(Next::Wait)
}

/// Whether it is one of the operator's own, in the namespace that is theirs.
fn is_drill(restore: &ServiceRestore) -> bool {
    let is_there = restore.metadata.namespace.as_deref() == Some(marks::DRILLS);
    is_there && restore.spec.into.kind == RestoreDestinationKind::Drill
}

/// What the caches know, and what only the API server does.
async fn observe(context: &Context, key: &Key) -> Result<Option<ObservedRestore>, WriteError> {
    let seen = gather::observe_restore(context.caches(), &context.packages, &context.own, context.now(), key);
    match seen {
        Some(observed) => {
            let observed = with_copy_job(context, observed).await?;
            before_it_begins(context, key, observed).await.map(Some)
        }
        None => Ok(None),
    }
}

/// With the Job that copies what it restores, which is in the operator's namespace: no cache has it.
async fn with_copy_job(context: &Context, mut observed: ObservedRestore) -> Result<ObservedRestore, WriteError> {
    let Some(name) = observed.copy_job() else { return Ok(observed) };
    let found = home_job(context, &name).await?;
    let now = observed.now;
    if let Some(foreign) = &mut observed.foreign {
        foreign.job = found.map(|found| found.seen(now));
    }
    Ok(observed)
}

/// Since when this process leads. Of one that may begin: who is at work at its repositories, and what the quotas of its
/// namespace leave. None of it is in the caches.
///
/// # Errors
/// When they cannot be listed.
pub(super) async fn before_it_begins(
    context: &Context,
    key: &Key,
    mut observed: ObservedRestore,
) -> Result<ObservedRestore, WriteError> {
    observed.watched_since = context.watched_since();
    if observed.phase() == RestorePhase::Waiting && observed.goes_first.is_none() {
        let places = observed.runs.iter().filter_map(|run| run.status.as_ref()?.repository.as_ref());
        let copied = observed.copy_places();
        let places: Vec<_> = places.chain(&copied).collect();
        observed.goes_first = repository::goes_first(context, &places).await?;
    }
    if observed.phase() == RestorePhase::Waiting && observed.goes_first.is_none() {
        let quotas = context.server.quotas(&key.namespace).await?;
        observed.quotas = gather::rooms(&quotas, &observed.claims);
    }
    Ok(observed)
}

/// Writes the status of a step that is in the phase that was read, then what it changes.
///
/// # Errors
/// When a request outside of *apply* fails.
pub(super) async fn carry_out(
    context: &Context,
    key: &Key,
    observed: &ObservedRestore,
    step: &Step,
    status: &ServiceRestoreStatus,
) -> Result<Next, WriteError> {
    let restore = &observed.restore;
    let carried = Carried {
        metadata: &restore.metadata,
        before: restore.status.as_ref(),
        status,
        finalizer: RESTORE,
        is_held: step.is_held || observed.has_copy(),
        // Nothing is made that nobody would remove, and what is being deleted takes no finalizer any more.
        waits_for_hold: step.is_held && begins_what_stays(step.phase) && !observed.is_being_deleted(),
        changes: &step.changes,
        jobs: &observed.jobs,
        again: step.again,
    };
    let latest = || Some(context.caches().restores.get(&key.namespace, &key.name)?.metadata.clone());
    let next = step::carry_out(context, key, carried, latest, |applied| told(observed, step, status, applied)).await?;
    let has_recorded = step.learned != Learned::default() && restore.status.as_ref() != Some(status);
    if has_recorded {
        context.known.again(key);
    }
    Ok(next)
}

const fn begins_what_stays(phase: RestorePhase) -> bool {
    matches!(phase, RestorePhase::Copying | RestorePhase::Files)
}

/// The status, with what was not taken: of one that returns the word alone, beside why it does.
fn told(
    observed: &ObservedRestore,
    step: &Step,
    status: &ServiceRestoreStatus,
    applied: &Applied,
) -> ServiceRestoreStatus {
    let Some(worst) = applied.worst() else { return status.clone() };
    let reason = worst.kind.reason();
    let problem = step.problem.clone().unwrap_or_else(|| Problem::new(reason, worst.to_string()));
    let waits = format!("the API server, which does not take {} ({reason})", worst.object);
    restore_status(observed, &Step { problem: Some(problem), waits: Some(waits), ..step.clone() })
}
