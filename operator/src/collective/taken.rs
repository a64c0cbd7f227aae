//! Entries that were removed: each goes once it is told and gives no right any more. Who does not belong any more
//! goes last: until then everything that they could enter says so.

use serde_json::{Map, Value, json};

use super::facts::Facts;
use super::history::{History, key};
use super::provider::lingers;
use crate::api::{AccessChange, Account, Member, Removal};
use crate::compare::Change;
use crate::entity::{COLLECTIVE_RIGHTS, access_rights};
use crate::kinds;
use crate::rbac::{ENTITY_MANAGER, MANAGER};

/// The account of a member, whatever else is said of them.
fn account<'a>(facts: &'a Facts, id: &str) -> Option<&'a Account> {
    facts.member(id)?.account.as_ref()
}

/// Whether somebody has no right by an Access any more, and does not enter by the identity provider. A guest, who belongs
/// nowhere else, is gone from there altogether.
pub(super) fn is_free_of_service(facts: &Facts, id: &str, service: &str) -> bool {
    let entry = facts.accesses.get(service).and_then(|access| access.spec.people.get(id));
    let lingers = match entry.and_then(|entry| entry.guest.as_ref()) {
        Some(guest) => lingers(facts, guest.account.as_ref(), guest.mail.as_deref(), None),
        None => lingers(facts, account(facts, id), None, Some(service)),
    };
    !lingers && !facts.is_bound(account(facts, id), &[access_rights(service), format!("{MANAGER}-{service}")])
}

/// Whether somebody has no right as a manager of the Collective any more.
pub(super) fn is_free_of_the_collective(facts: &Facts, id: &str) -> bool {
    let bindings = [COLLECTIVE_RIGHTS, MANAGER, ENTITY_MANAGER].map(str::to_owned);
    !facts.is_bound(account(facts, id), &bindings)
}

/// Whether a member is gone everywhere else: from each Access, from the managers and from the identity provider, and no
/// right is left. Of an Access that cannot be read nobody knows.
pub(super) fn may_be_told_gone(facts: &Facts, id: &str, member: &Member) -> bool {
    let enters = facts.accesses.values().any(|access| {
        let entry = access.spec.people.get(id);
        entry.is_some_and(|entry| entry.guest.is_none())
    });
    let manages = facts.collective.as_ref().is_some_and(|of| of.spec.managers.contains_key(id));
    let is_bound = facts.is_bound(member.account.as_ref(), &[]);
    let lingers = lingers(facts, member.account.as_ref(), member.mail.as_deref(), None);
    !enters && !manages && !is_bound && !lingers && !facts.cannot_read(kinds::ACCESS.kind)
}

/// The keys that go.
fn gone<'a>(
    entries: impl Iterator<Item = (&'a String, Option<&'a Removal>)>,
    is_told: impl Fn(&str, &Removal) -> bool,
) -> Map<String, Value> {
    let removed = entries.filter_map(|(id, removed)| removed.map(|removed| (id, removed)));
    removed.filter(|(id, removed)| is_told(id, removed)).map(|(id, _)| (id.clone(), Value::Null)).collect()
}

/// The patches that take entries out: of the Accesses, then of the Collective.
pub(super) fn taken(facts: &Facts, history: &History<'_>) -> Vec<Change> {
    let told = |removed: &Removal, change, id: &str, service: Option<&str>| {
        removed.at.as_ref().is_some_and(|at| history.has(&key(at, change, id, service)))
    };
    let mut changes = Vec::new();
    for (service, access) in &facts.accesses {
        let entries = access.spec.people.iter().map(|(id, entry)| (id, entry.removed.as_ref()));
        let people = gone(entries, |id, removed| {
            told(removed, AccessChange::Dismissed, id, Some(service.as_str())) && is_free_of_service(facts, id, service)
        });
        if !people.is_empty() {
            let because = format!("{} were removed", people.len());
            let patch = json!({"spec": {"people": people}});
            changes.push(facts.merge(kinds::ACCESS.kind, &access.metadata, patch, because));
        }
    }
    let Some(collective) = &facts.collective else { return changes };
    let spec = &collective.spec;
    let managers = gone(spec.managers.iter().map(|(id, of)| (id, of.removed.as_ref())), |id, removed| {
        told(removed, AccessChange::UnmadeManager, id, None) && is_free_of_the_collective(facts, id)
    });
    let members = gone(spec.members.iter().map(|(id, of)| (id, of.removed.as_ref())), |id, removed| {
        let may_go = || facts.member(id).is_some_and(|member| may_be_told_gone(facts, id, member));
        told(removed, AccessChange::Removed, id, None) && may_go()
    });
    if !members.is_empty() || !managers.is_empty() {
        let because = format!("{} members and {} managers were removed", members.len(), managers.len());
        let patch = json!({"spec": {"members": members, "managers": managers}});
        changes.push(facts.merge(kinds::COLLECTIVE.kind, &collective.metadata, patch, because));
    }
    changes
}
