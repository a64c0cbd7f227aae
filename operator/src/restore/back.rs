//! How a restore ends: the former volumes take their place again and what was made is removed, or what was
//! overwritten is.

use super::observed::ObservedRestore;
use super::step::{PATIENCE, Step, is_late, volumes};
use super::{discard, switch_back};
use super::{elsewhere, ran};
use crate::api::{Reason, RestorePhase, ServiceDataSpec};
use crate::compare::Change;
use crate::report::Problem;

/// The record names the former claims again, the service is as it was, then what was made is removed.
pub(super) fn returning(observed: &ObservedRestore) -> Step {
    let step = back(observed).unwrap_or_else(|| Step::at(RestorePhase::Failed));
    Step { problem: Some(cause(observed)), ..step }
}

/// What is still to be taken back.
fn back(observed: &ObservedRestore) -> Option<Step> {
    let ends = ran::end_all(observed);
    if !ends.is_empty() {
        return Some(Step::waits(observed, "the end of its Jobs").with(ends));
    }
    if let Some(record) = observed.record.as_deref().filter(|record| names_what_was_made(observed, &record.spec)) {
        return Some(match switch_back(record, volumes(observed), &observed.claims) {
            Ok(change) => Step::waits(observed, "the record").with(change.into_iter().collect()),
            // Nothing takes the place of what is gone, and what was made is the only other thing that there is.
            Err(not_there) => Step::waits(observed, not_there.to_string()),
        });
    }
    if let Some(change) = elsewhere::emptied(observed) {
        return Some(Step::waits(observed, "the record").with(vec![change]));
    }
    let was_stopped = observed.status().is_some_and(|status| status.stopped_at.is_some());
    let runs = observed.service.is_applied && observed.service.is_running;
    // What was lost has nothing to begin on.
    let is_lost = observed.record.as_ref().is_some_and(|record| record.spec.restoring.is_some());
    if was_stopped && !runs && !is_lost && !is_late(observed, PATIENCE) {
        return Some(Step::waits(observed, "the service to begin on its former volumes"));
    }
    let made = volumes(observed).iter().map(|volume| (volume.claim.as_str(), volume.uid.as_deref()));
    remove(observed, &made.collect::<Vec<_>>(), "the end of the new volumes")
}

/// What took no former claim's place stays named: there is nothing else to name.
fn names_what_was_made(observed: &ObservedRestore, record: &ServiceDataSpec) -> bool {
    let mut replaced = volumes(observed).iter().filter(|made| made.former_claim.is_some());
    replaced.any(|made| record.volumes.iter().any(|named| made.claim == named.claim))
}

/// What was overwritten is removed.
pub(super) fn removing(observed: &ObservedRestore) -> Step {
    let ends = ran::clear(observed);
    if !ends.is_empty() {
        return Step::waits(observed, "the end of Jobs that used the former volumes").with(ends);
    }
    let former = volumes(observed).iter();
    let former: Vec<_> =
        former.filter_map(|volume| Some((volume.former_claim.as_deref()?, volume.former_uid.as_deref()))).collect();
    remove(observed, &former, "the end of the former volumes").unwrap_or_else(|| Step::at(RestorePhase::Succeeded))
}

/// Claims that nobody uses any more are marked, then deleted; one that is not what was recorded is kept.
fn remove(observed: &ObservedRestore, claims: &[(&str, Option<&str>)], what: &str) -> Option<Step> {
    let record = observed.record.as_deref()?;
    let name = observed.restore.metadata.name.as_deref().unwrap_or_default();
    let steps = claims.iter().map(|claim| discard(&record.spec, name, *claim, &observed.claims));
    let changes: Vec<Change> = steps.filter_map(|step| step.ok().flatten()).collect();
    let is_going = |(claim, uid): &&(&str, Option<&str>)| {
        let live = observed.claim(claim).filter(|live| live.metadata.deletion_timestamp.is_some());
        live.is_some_and(|live| uid.is_none() || live.metadata.uid.as_deref() == *uid)
    };
    let is_left = !changes.is_empty() || claims.iter().any(|claim| is_going(&claim));
    is_left.then(|| Step::waits(observed, what).with(changes))
}

/// Why it failed, as it was recorded when it began to return.
fn cause(observed: &ObservedRestore) -> Problem {
    let conditions = observed.status().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let recorded = conditions.iter().find(|condition| condition.type_ == "Ready");
    recorded.map_or_else(
        || Problem::new(Reason::RestoreFailed, "it failed, and the reason is not recorded"),
        |condition| Problem::quoted(&condition.reason, condition.message.clone()),
    )
}
