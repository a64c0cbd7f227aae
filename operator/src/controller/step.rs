//! Carries out the next step of a run or a restore: the status, the finalizer, the writes, then what of them was not
//! taken.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::context::Context;
use super::events::Reported;
use super::finalizer::hold;
use super::instance::is_too_early;
use super::queue::Next;
use crate::apply::{Applied, WriteError, apply};
use crate::backup::{JobState, SeenJob};
use crate::cache::Key;
use crate::compare::{Action, Change};
use crate::gather;

/// A step that is carried out, and what it is a step of.
pub(super) struct Carried<'a, S> {
    /// The object, as it was read.
    pub(super) metadata: &'a ObjectMeta,
    /// Its status, as it was read.
    pub(super) before: Option<&'a S>,
    /// The status that the step makes.
    pub(super) status: &'a S,
    /// The finalizer that holds it.
    pub(super) finalizer: &'static str,
    /// Whether it is to be held by it.
    pub(super) is_held: bool,
    /// Whether nothing is written before it is.
    pub(super) waits_for_hold: bool,
    /// What is to be written.
    pub(super) changes: &'a [Change],
    /// Its Jobs.
    pub(super) jobs: &'a BTreeMap<String, SeenJob>,
    /// When to look again though nothing changes.
    pub(super) again: Option<Duration>,
}

/// Carries a step out. `latest`: the object as the caches have it by now; `told`: the status with what of the writes
/// was not taken.
///
/// # Errors
/// When a request outside of *apply* fails.
pub(super) async fn carry_out<S: Serialize + PartialEq + Clone + Reported>(
    context: &Context,
    key: &Key,
    step: Carried<'_, S>,
    latest: impl FnOnce() -> Option<ObjectMeta>,
    told: impl FnOnce(&Applied) -> S,
) -> Result<Next, WriteError> {
    let uid = step.metadata.uid.clone().unwrap_or_default();
    let mut first = step.status.clone();
    // What was not taken before is told until it is.
    if let (false, Some(before)) = (step.changes.is_empty(), step.before) {
        first.set_conditions(before.conditions().to_vec(), step.metadata.generation.unwrap_or_default());
    }
    context.report(key, &uid, step.before, &first).await?;
    let Some(latest) = latest() else { return Ok(Next::Wait) };
    let is_held = hold(context, key, &latest, step.finalizer, step.is_held).await?;
    if step.waits_for_hold && !is_held {
        return Ok(Next::Wait);
    }
    let applied = if step.changes.is_empty() {
        Applied::default()
    } else {
        apply(&context.server, &context.known, key, step.changes).await
    };
    if applied.writes > 0 && step.changes.iter().any(|change| matches!(change.action, Action::Copy { .. })) {
        // The watch brings a copy as something known.
        context.known.again(key);
    }
    if !is_too_early(context, key, &applied) {
        context.report(key, &uid, Some(&first), &told(&applied)).await?;
    }
    Ok(match applied.next() {
        Next::Wait => again(step.jobs, step.again).map_or(Next::Wait, Next::After),
        failed => failed,
    })
}

/// When to look again though nothing changes: also at a Job that has ended while nobody has seen its pod end.
fn again(jobs: &BTreeMap<String, SeenJob>, again: Option<Duration>) -> Option<Duration> {
    let lags = jobs.values().any(|job| job.ended.is_some() && job.state == JobState::Runs);
    let lag = lags.then(|| gather::LAG.unsigned_abs());
    again.into_iter().chain(lag).min()
}
