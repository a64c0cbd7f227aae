//! What comes first: the Collective, then accounts that a guest lacks, then what the operator writes of entries, then what is told, then what goes, and
//! then the Accesses that are missing.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::bind::completed;
use super::facts::{Facts, former_entity};
use super::history::{History, over, told};
use super::leave::ended;
use super::made::{accesses, made};
use super::stamped::stamped;
use super::taken::taken;
use crate::api::{Access, Removal, marks};
use crate::compare::{Action, Change};
use crate::kinds;

/// So long the Entity's own pass has to take a right away that is too much; and so long nothing is told of somebody
/// who is on the way out.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// The longest wait for a date: clocks may be set.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
/// The longest wait for a month to be over.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// What is next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// The writes; what follows from them is another step.
    pub changes: Vec<Change>,
    /// Whether somebody is on the way out for so short a time that nothing is to be told of it.
    pub is_fleeting: bool,
    /// When to look again though nothing changes.
    pub again: Option<Duration>,
}

/// What is next. Where nobody signs in, or the Collective is another Entity's, nothing is.
pub fn next(facts: &Facts) -> Step {
    let is_anothers = facts.collective.as_ref().is_some_and(|of| former_entity(of, &facts.entity).is_some());
    if facts.identity.is_none() || is_anothers {
        return Step::default();
    }
    let history = History::of(facts);
    let stages: [&dyn Fn() -> Vec<Change>; 7] = [
        &|| made(facts),
        &|| completed(facts),
        &|| stamped(facts, &history),
        // Nobody is told gone whom an identity provider still lets in.
        &|| told(facts, &history),
        &|| taken(facts, &history),
        &|| accesses(facts),
        &|| ended(facts).into_iter().chain(over(facts, &history)).chain(unused(facts)).collect(),
    ];
    let changes = stages.iter().map(|stage| stage()).find(|changes| !changes.is_empty()).unwrap_or_default();
    if !changes.is_empty() {
        return Step { changes, ..Step::default() };
    }
    let waits = removed_at(facts).min().map(|at| facts.now.duration_since(at));
    let is_fleeting = waits.is_some_and(|waits| waits < PATIENCE);
    let changes = if waits.is_some() && !is_fleeting { facts.rights.clone() } else { Vec::new() };
    let again = waits.map(|_| PATIENCE).into_iter().chain(next_date(facts)).min();
    Step { changes, is_fleeting, again: again.and_then(|again| Duration::try_from(again).ok()) }
}

/// The Accesses of which there is neither a service nor data (any more), nor is one to come.
fn unused(facts: &Facts) -> Vec<Change> {
    let unused = facts.accesses.iter().filter(|(name, _)| !facts.kept.contains(*name));
    let unused = unused.filter(|(_, access)| awaited(facts, access).is_none());
    unused
        .filter_map(|(name, access)| {
            let (uid, resource_version) = (access.metadata.uid.clone()?, access.metadata.resource_version.clone()?);
            Some(facts.change(kinds::ACCESS.kind, name, Action::Discard { uid, resource_version }))
        })
        .collect()
}

/// How long it is waited for the service of an Access that `commonscloud recover` brought back: it comes back after it,
/// and may have no record of data yet.
fn awaited(facts: &Facts, access: &Access) -> Option<SignedDuration> {
    access.annotations().get(marks::RECOVERED)?;
    let left = A_DAY.saturating_sub(facts.now.duration_since(access.creation_timestamp()?.0));
    left.is_positive().then_some(left)
}

/// When each was removed who is not gone yet.
pub(super) fn removed_at(facts: &Facts) -> impl Iterator<Item = Timestamp> {
    let people = facts.people();
    let members = people.members.into_values().filter_map(|member| member.removed);
    let managers = people.managers.into_values().filter_map(|manager| manager.removed);
    let entries = facts.accesses.values().flat_map(|access| access.spec.people.values());
    let entries = entries.filter_map(|entry| entry.removed.clone());
    let now = facts.now;
    members.chain(managers).chain(entries).map(move |removed: Removal| removed.at.map_or(now, |at| at.0))
}

/// How long it is until a date passes that somebody may enter until, or a month may be over.
fn next_date(facts: &Facts) -> Option<SignedDuration> {
    let entries = facts.accesses.values().flat_map(|access| access.spec.people.values());
    let dates = entries.filter(|entry| entry.removed.is_none()).filter_map(|entry| entry.until.as_ref());
    let left = |until: &Time| until.0.duration_since(facts.now).saturating_add(SignedDuration::from_secs(1));
    let next = dates.map(left).min().map(|left| left.clamp(SignedDuration::from_secs(1), LONGEST));
    let month = (!facts.histories.is_empty()).then_some(A_DAY);
    let unused = facts.accesses.iter().filter(|(name, _)| !facts.kept.contains(*name));
    let waits = unused.filter_map(|(_, access)| awaited(facts, access)).map(|left| left.min(LONGEST));
    next.into_iter().chain(month).chain(waits).min()
}
