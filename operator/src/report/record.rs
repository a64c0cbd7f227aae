//! The status of a record: the state of the data, and what of it is not as it was recorded.

use jiff::Timestamp;

use super::conditions::{ConditionUpdate, Problem, Verdict, conditions};
use crate::api::{ConditionType, Reason, ServiceData, ServiceDataStatus};
use crate::compare::{Part, PartKind};
use crate::core::lifecycle::{Fate, State};

/// The status of a record. `waits`: what its date waits for.
pub fn record_status(
    record: &ServiceData,
    state: State,
    parts: &[Part<'_>],
    waits: Option<Problem>,
    now: Timestamp,
) -> ServiceDataStatus {
    let before = record.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let generation = record.metadata.generation.unwrap_or_default();
    let mut shown = verdict(record, state, parts, waits).shown();
    shown.extend(unverified(state, parts));
    ServiceDataStatus {
        observed_generation: Some(generation),
        state: Some(state),
        conditions: conditions(before, shown, generation, now),
    }
}

fn verdict(record: &ServiceData, state: State, parts: &[Part<'_>], waits: Option<Problem>) -> Verdict {
    let spec = &record.spec;
    let owner = format!("{} {}", spec.owner.kind, spec.owner.name);
    let until = || spec.keep_until.as_ref().map_or_else(|| "a date".to_owned(), |until| until.0.to_string());
    if let Some(why) = &spec.restoring {
        let message = format!("volumes and Secrets are being replaced: {why}");
        return Verdict::Reconciling(Problem::new(Reason::DataRestoring, message));
    }
    if let Some(problem) = problem(parts) {
        return Verdict::Stalled(problem);
    }
    if let Some(problem) = waits {
        return Verdict::Reconciling(problem);
    }
    let made = || Verdict::Reconciling(Problem::new(Reason::DataBeingMade, format!("{owner} was not ready on it yet")));
    match state {
        State::Planned | State::Made | State::Restoring => made(),
        State::InUse => Verdict::Ready(format!("used by {owner}")),
        State::KeptUntil => Verdict::Ready(format!("{owner} is gone; kept until {}", until())),
        State::Due => Verdict::Ready(format!("{owner} is gone; was kept until {}", until())),
        State::Purged => Verdict::Ready("removed after its date".to_owned()),
    }
}

/// Every part that is not as it was recorded, with the reason of the first.
fn problem(parts: &[Part<'_>]) -> Option<Problem> {
    let told: Vec<(Reason, String)> = parts.iter().filter_map(told).collect();
    let (reason, _) = told.first()?;
    let messages: Vec<&str> = told.iter().map(|(_, message)| message.as_str()).collect();
    Some(Problem::new(*reason, messages.join("; ")))
}

fn told(part: &Part<'_>) -> Option<(Reason, String)> {
    let is_volume = part.kind == PartKind::Volume;
    let missing = if is_volume { Reason::VolumeMissing } else { Reason::SecretMissing };
    match part.fate {
        Fate::Missing => Some((missing, format!("{part} is gone"))),
        Fate::Replaced => Some((missing, format!("{part} {}", part.replaced()))),
        Fate::BeingDeleted => {
            let reason = if is_volume { Reason::VolumeBeingDeleted } else { Reason::SecretBeingDeleted };
            Some((reason, format!("{part} is being deleted")))
        }
        Fate::Foreign => Some((Reason::NameTaken, format!("{part} belongs to {}", part.holder))),
        Fate::Unverified => Some((Reason::Unverified, format!("{part} is not there"))),
        Fate::Make | Fate::Wait | Fate::Record | Fate::Keep => None,
    }
}

fn unverified(state: State, parts: &[Part<'_>]) -> Option<ConditionUpdate> {
    let missing: Vec<String> =
        parts.iter().filter(|part| part.fate == Fate::Unverified).map(ToString::to_string).collect();
    let is_shown = state != State::Restoring && !missing.is_empty();
    let message = format!(
        "written by an earlier release, and not there: {}; restore it, or have it made by `commonscloud data rebind --without`",
        missing.join(", ")
    );
    is_shown.then(|| ConditionUpdate::new(ConditionType::Unverified, true, Reason::Unverified, message))
}
