//! The managers that an Entity or a service names, against those that there are. They were taken in once; what
//! differs later is told, and changed by nobody but people.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::facts::Facts;
use super::made::id;
use crate::api::{Access, AccessRole, Collective, Manager, SubjectKind, marks};

/// The managers that an object was made with: each name, and the id that it became.
pub(super) fn seeded(metadata: &ObjectMeta) -> BTreeMap<String, String> {
    let text = metadata.annotations.as_ref().and_then(|all| all.get(marks::SEEDED));
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The member that a manager is: by the mail address that they are invited at, by the user that they are, or by the
/// id that they got here once.
pub(super) fn person(facts: &Facts, manager: &Manager) -> Option<String> {
    let people = &facts.collective.as_ref()?.spec;
    let stays = || people.members.iter().filter(|(_, member)| member.removed.is_none());
    let by_mail = || {
        let mail = manager.mail.as_ref()?;
        stays().find(|(_, member)| member.mail.as_ref().is_some_and(|of| of.eq_ignore_ascii_case(mail)))
    };
    let user = manager.subject.as_ref().filter(|subject| subject.kind == SubjectKind::User);
    let by_user = || {
        let user = user?;
        stays().find(|(_, member)| member.account.as_ref().is_some_and(|account| account.user == user.name))
    };
    let by_id = || people.members.get_key_value(&id(facts, manager));
    by_id().or_else(by_mail).or_else(by_user).map(|(id, _)| id.clone())
}

/// How the managers of the Entity differ from those of its Collective.
pub(super) fn of_collective(facts: &Facts, collective: &Collective) -> Option<String> {
    let managers = &collective.spec.managers;
    let may_manage = |id: &str| managers.get(id).is_some_and(|manager| manager.removed.is_none());
    differing(
        facts,
        &facts.entity.spec.managers,
        &seeded(&collective.metadata),
        may_manage,
        "the Entity",
        "the collective",
    )
}

/// How the managers of a service differ from those of its Access. Of a service that is gone nothing is said.
pub(super) fn of_access(facts: &Facts, service: &str, access: &Access) -> Option<String> {
    let named = facts.services.get(service)?;
    let may_manage = |id: &str| {
        let entry = access.spec.people.get(id);
        entry.is_some_and(|entry| entry.role == AccessRole::Manager && entry.removed.is_none())
    };
    differing(facts, named, &seeded(&access.metadata), may_manage, "the service", "its people")
}

fn differing(
    facts: &Facts,
    named: &[Manager],
    seeded: &BTreeMap<String, String>,
    may_manage: impl Fn(&str) -> bool,
    place: &str,
    truth: &str,
) -> Option<String> {
    // Who has no mail address could not be taken in.
    let named: Vec<&Manager> = named.iter().filter(|manager| manager.mail.is_some()).collect();
    let id_of = |manager: &Manager| seeded.get(&manager.name).cloned().or_else(|| person(facts, manager));
    let does_not = |manager: &&&Manager| id_of(manager).is_none_or(|id| !may_manage(&id));
    let missing: Vec<&str> = named.iter().filter(does_not).map(|manager| manager.name.as_str()).collect();
    let is_named = |name: &str| named.iter().any(|manager| manager.name == name);
    let left: Vec<&str> =
        seeded.iter().filter(|(name, id)| !is_named(name) && may_manage(id)).map(|(name, _)| name.as_str()).collect();
    let mut words = Vec::new();
    if !missing.is_empty() {
        words.push(format!("{place} names as managers, and {truth} does not: {}", missing.join(", ")));
    }
    if !left.is_empty() {
        words.push(format!("{truth} has as managers, and {place} names no more: {}", left.join(", ")));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{collective_of, manager, named};
    use super::*;
    use std::sync::Arc;

    /// What is said of a collective that was made with anna and of these names now.
    fn said(names: &[Manager], edit: impl Fn(&mut Collective, &str)) -> Option<String> {
        let anna = manager("anna", Some("anna@example.org"));
        let mut facts = named(std::slice::from_ref(&anna));
        let mut collective = collective_of(&facts);
        let id = id(&facts, &anna);
        edit(&mut collective, &id);
        facts.collective = Some(Arc::new(collective.clone()));
        let mut entity = crate::api::Entity::clone(&facts.entity);
        entity.spec.managers = names.to_vec();
        facts.entity = entity.into();
        of_collective(&facts, &collective)
    }

    #[test]
    fn who_was_taken_in_and_still_manages_is_no_difference() {
        let anna = manager("anna", Some("anna@example.org"));
        assert_eq!(said(std::slice::from_ref(&anna), |_, _| ()), None);
        assert_eq!(said(&[anna.clone(), manager("eva", None)], |_, _| ()), None, "nobody could invite her");
        // She accepted: her address is not kept here any more.
        assert_eq!(said(&[anna], |collective, id| collective.spec.members.get_mut(id).unwrap().mail = None), None);
    }

    #[test]
    fn a_difference_names_who_differs_either_way() {
        let (anna, pere) = (manager("anna", Some("anna@example.org")), manager("pere", Some("pere@example.org")));
        let more = said(&[anna.clone(), pere], |_, _| ()).unwrap();
        assert!(more.contains("names as managers") && more.ends_with(": pere"), "{more}");
        let less = said(&[], |_, _| ()).unwrap();
        assert!(less.contains("names no more: anna"), "{less}");
        let removed = said(&[anna], |collective, id| drop(collective.spec.managers.remove(id))).unwrap();
        assert!(removed.ends_with(": anna"), "{removed}");
        let both_gone = said(&[], |collective, id| drop(collective.spec.managers.remove(id)));
        assert_eq!(both_gone, None);
    }
}
