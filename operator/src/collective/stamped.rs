//! What the operator alone writes of entries: since when they are there, when they were removed and, where a date has
//! passed, somebody leaves or does not belong any more, that they are. One patch for each object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::facts::Facts;
use super::history::{History, accepted};
use super::leave::leaving;
use crate::api::{Access, AccessEntry, Collective, CollectiveManager, Member, Removal};
use crate::compare::Change;
use crate::kinds;

/// The patches, the Collective's first: who leaves it is taken out of the Accesses next.
pub(super) fn stamped(facts: &Facts, history: &History<'_>) -> Vec<Change> {
    let collective = facts.collective.as_deref().and_then(|collective| of_collective(facts, history, collective));
    let accesses = facts.accesses.iter().filter_map(|(service, access)| of_access(facts, history, service, access));
    collective.into_iter().chain(accesses).collect()
}

/// The time, or a second after what was told last: the same change twice is told twice.
fn after(facts: &Facts, last: Option<&Time>) -> Time {
    let now = facts.at();
    last.filter(|last| last.0 >= now.0)
        .and_then(|last| last.0.checked_add(SignedDuration::from_secs(1)).ok())
        .map_or(now, Time)
}

/// `removed` as it is to be, where that is not as it is: with its time, or because of something else.
fn removal(facts: &Facts, seen: Option<&Removal>, because: impl FnOnce() -> Option<Removal>) -> Option<Value> {
    match seen {
        Some(seen) if seen.at.is_some() => None,
        Some(_) => Some(json!({"at": facts.at()})),
        None => {
            let removal = because()?;
            let at = removal.at.unwrap_or_else(|| facts.at());
            Some(json!({"by": removal.by, "at": at}))
        }
    }
}

fn by(user: &str) -> Removal {
    Removal { by: user.to_owned(), at: None }
}

fn of_collective(facts: &Facts, history: &History<'_>, collective: &Collective) -> Option<Change> {
    let leaving = leaving(facts);
    let (mut members, mut managers) = (Map::new(), Map::new());
    for (id, member) in &collective.spec.members {
        let patch = of_member(facts, history, id, member, leaving.go.get(id));
        if !patch.is_empty() {
            members.insert(id.clone(), Value::Object(patch));
        }
    }
    for (id, manager) in &collective.spec.managers {
        let patch = of_manager(facts, history, id, manager, collective);
        if !patch.is_empty() {
            managers.insert(id.clone(), Value::Object(patch));
        }
    }
    let because = format!("{} of its members and {} of its managers", members.len(), managers.len());
    let mut spec = Map::new();
    for (field, patch) in [("members", members), ("managers", managers)] {
        if !patch.is_empty() {
            spec.insert(field.to_owned(), Value::Object(patch));
        }
    }
    let patch = json!({"spec": spec});
    (!spec.is_empty()).then(|| facts.merge(kinds::COLLECTIVE.kind, &collective.metadata, patch, because))
}

fn of_member(
    facts: &Facts,
    history: &History<'_>,
    id: &str,
    member: &Member,
    leaves: Option<&String>,
) -> Map<String, Value> {
    let mut patch = Map::new();
    if member.since.is_none() {
        patch.insert("since".to_owned(), json!(after(facts, history.last(id, None))));
    }
    if let Some(removed) = removal(facts, member.removed.as_ref(), || leaves.map(|user| by(user))) {
        patch.insert("removed".to_owned(), removed);
    }
    if member.account.is_some() && member.mail.is_some() && is_told(history, member.since.as_ref(), id, None) {
        patch.insert("mail".to_owned(), Value::Null);
    }
    patch
}

/// Whether it was told that an invitation was accepted: until then the mail address says that it is to be.
fn is_told(history: &History<'_>, since: Option<&Time>, id: &str, service: Option<&str>) -> bool {
    since.is_some_and(|since| history.has(&accepted(since, id, service)))
}

/// Who does not belong any more manages nothing.
fn of_manager(
    facts: &Facts,
    history: &History<'_>,
    id: &str,
    manager: &CollectiveManager,
    collective: &Collective,
) -> Map<String, Value> {
    let mut patch = Map::new();
    if manager.since.is_none() {
        patch.insert("since".to_owned(), json!(after(facts, history.last(id, None))));
    }
    let member = collective.spec.members.get(id);
    let because = || match member {
        Some(member) => member.removed.clone(),
        None => Some(by(&facts.operator)),
    };
    if let Some(removed) = removal(facts, manager.removed.as_ref(), because) {
        patch.insert("removed".to_owned(), removed);
    }
    patch
}

/// So much clocks of two operators may differ: an entry of somebody who belonged before under an id is older than this.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);

/// Whether an entry is of somebody who had the id before: it was left behind when they went, and lets nobody else in.
pub(super) fn is_of_another(member: &Member, entry: &AccessEntry) -> bool {
    let (Some(belongs), Some(enters)) = (&member.since, &entry.since) else { return false };
    belongs.0.duration_since(enters.0) > CLOCKS
}

fn of_access(facts: &Facts, history: &History<'_>, service: &str, access: &Access) -> Option<Change> {
    let mut people = Map::new();
    for (id, entry) in &access.spec.people {
        let patch = of_entry(facts, history, service, id, entry);
        if !patch.is_empty() {
            people.insert(id.clone(), Value::Object(patch));
        }
    }
    let because = format!("{} of its people", people.len());
    let patch = json!({"spec": {"people": people}});
    (!people.is_empty()).then(|| facts.merge(kinds::ACCESS.kind, &access.metadata, patch, because))
}

fn of_entry(facts: &Facts, history: &History<'_>, service: &str, id: &str, entry: &AccessEntry) -> Map<String, Value> {
    let mut patch = Map::new();
    if entry.since.is_none() {
        patch.insert("since".to_owned(), json!(after(facts, history.last(id, Some(service)))));
    }
    let has_passed = entry.until.as_ref().is_some_and(|until| until.0 <= facts.now);
    let because = || match facts.member(id).filter(|_| entry.guest.is_none()) {
        Some(member) if member.removed.is_some() => member.removed.clone(),
        Some(member) if is_of_another(member, entry) => Some(by(&facts.operator)),
        _ => has_passed.then(|| by(&facts.operator)),
    };
    if let Some(removed) = removal(facts, entry.removed.as_ref(), because) {
        patch.insert("removed".to_owned(), removed);
    }
    if let Some(guest) = &entry.guest
        && guest.account.is_some()
        && guest.mail.is_some()
        && is_told(history, entry.since.as_ref(), id, Some(service))
    {
        patch.insert("guest".to_owned(), json!({"mail": null}));
    }
    patch
}
