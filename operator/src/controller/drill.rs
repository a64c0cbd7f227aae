//! The controller of drills, which are ServiceRestores in the namespace of drills: what is seen, what is next of it,
//! the status, then the writes. That a backup is proven is recorded before anything of its drill is removed.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::context::Context;
use super::queue::Next;
use super::restore::{before_it_begins, carry_out};
use crate::api::{RestorePhase, ServiceBackup, ServiceBackupStatus, marks};
use crate::apply::WriteError;
use crate::cache::{Key, Kind};
use crate::drill::{ObservedDrill, next};
use crate::gather;
use crate::restore::restore_status;

/// One pass over a drill that has not ended.
///
/// # Errors
/// When a request outside of *apply* fails.
pub(super) async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    context.secrets.watch(marks::DRILLS);
    let seen = gather::observe_drill(context.caches(), &context.packages, &context.own, context.now(), key);
    let Some(mut observed) = seen else { return Ok(Next::Wait) };
    // What it made goes with it.
    if observed.restore.is_being_deleted() {
        return Ok(Next::Wait);
    }
    observed.restore = before_it_begins(context, key, observed.restore).await?;
    let step = next(&observed);
    let status = restore_status(&observed.restore, &step);
    let before = observed.restore.restore.status.as_ref();
    if before.and_then(|status| status.phase) == Some(step.phase) {
        if step.phase == RestorePhase::Removing {
            prove(context, &observed).await?;
        }
        return carry_out(context, key, &observed.restore, &step, &status).await;
    }
    // Nothing is recorded as done before the backup says that it is proven.
    if step.phase == RestorePhase::Succeeded {
        prove(context, &observed).await?;
    }
    context.report(key, &observed.restore.restore.uid().unwrap_or_default(), before, &status).await?;
    context.known.again(key);
    Ok(Next::Wait)
}

/// Records in the run when its backup was restored, started and found equal.
async fn prove(context: &Context, observed: &ObservedDrill) -> Result<(), WriteError> {
    let Some(status) = observed.restore.status() else { return Ok(()) };
    let is_it = |run: &&Arc<ServiceBackup>| {
        let of_run = run.status.as_ref().and_then(|of_run| of_run.snapshot.as_ref());
        of_run.is_some() && of_run == status.snapshot.as_ref()
    };
    let Some(run) = observed.restore.runs.iter().find(is_it) else { return Ok(()) };
    let Some(before) = &run.status else { return Ok(()) };
    if before.proven_at >= status.phase_since {
        return Ok(());
    }
    let proven = ServiceBackupStatus { proven_at: status.phase_since.clone(), ..before.clone() };
    let of_run = Key::new(Kind::ServiceBackup, &run.namespace().unwrap_or_default(), &run.name_any());
    context.report(&of_run, &run.uid().unwrap_or_default(), Some(before), &proven).await
}
