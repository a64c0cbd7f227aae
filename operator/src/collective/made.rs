//! The Collective and the Accesses, made once with the managers that the Entity and its services name. What they
//! were made with stands on them from the same request on: what is lost in between is not made twice, and what is
//! changed later is nobody's but theirs.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::facts::Facts;
use super::named::person;
use crate::api::{AccessRole, Collective, Manager, marks};
use crate::compare::Change;
use crate::kinds;
use crate::resolve::recorded_entity;

/// The letters of an id.
const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// How long an id is that the operator makes.
const LENGTH: usize = 16;

/// The id of whoever an Entity names so: always the same, so that a seed that was cut short is sown on.
pub(super) fn id(facts: &Facts, manager: &Manager) -> String {
    let entity = facts.entity.uid().unwrap_or_default();
    let of = format!("{entity}\n{}\n{}", manager.name, manager.mail.as_deref().unwrap_or_default());
    let digest: [u8; 32] = Sha256::digest(of).into();
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    digest.iter().take(LENGTH).map(letter).collect()
}

/// So many members a Collective takes.
const MOST_MEMBERS: usize = 1000;

/// What is to be made before anything else: the Collective, told by the words of its Entity.
pub(super) fn made(facts: &Facts) -> Vec<Change> {
    let Some(collective) = &facts.collective else { return vec![new_collective(facts)] };
    let recorded = json!(recorded_entity(&facts.entity)).to_string();
    if collective.annotations().get(marks::MADE_FOR) != Some(&recorded) {
        let patch = json!({"metadata": {"annotations": {marks::MADE_FOR: recorded}}});
        let because = "its Entity is told by other words".to_owned();
        return vec![facts.merge(kinds::COLLECTIVE.kind, &collective.metadata, patch, because)];
    }
    Vec::new()
}

/// The Accesses that are missing, once their managers belong. Whoever is removed goes first: what cannot be made keeps
/// nobody on a list.
pub(super) fn accesses(facts: &Facts) -> Vec<Change> {
    let Some(collective) = &facts.collective else { return Vec::new() };
    let missing: Vec<(&String, &Vec<Manager>)> =
        facts.services.iter().filter(|(service, _)| !is_there(facts, service)).collect();
    let newcomers = newcomers(facts, missing.iter().flat_map(|(_, managers)| managers.iter()));
    if !newcomers.is_empty() {
        let because = format!("{} managers of services are not in it", newcomers.len());
        let patch = json!({"spec": {"members": newcomers}});
        return vec![facts.merge(kinds::COLLECTIVE.kind, &collective.metadata, patch, because)];
    }
    missing.into_iter().map(|(service, managers)| new_access(facts, service, managers)).collect()
}

fn is_there(facts: &Facts, service: &str) -> bool {
    let is_unreadable = |service: &str| {
        facts.unreadable.iter().any(|object| object.kind == kinds::ACCESS.kind && object.name == service)
    };
    facts.accesses.contains_key(service) || is_unreadable(service)
}

fn member(facts: &Facts, manager: &Manager) -> Value {
    json!({"displayName": manager.name, "mail": manager.mail, "by": facts.operator, "since": facts.at()})
}

/// The managers who can be invited.
fn invited<'a>(managers: impl Iterator<Item = &'a Manager>) -> impl Iterator<Item = &'a Manager> {
    managers.filter(|manager| manager.mail.is_some())
}

fn new_collective(facts: &Facts) -> Change {
    let (mut members, mut managers, mut seeded) = (Map::new(), Map::new(), BTreeMap::new());
    for manager in invited(facts.entity.spec.managers.iter()) {
        let id = id(facts, manager);
        members.insert(id.clone(), member(facts, manager));
        managers.insert(id.clone(), json!({"by": facts.operator, "since": facts.at()}));
        seeded.insert(&manager.name, id);
    }
    let recorded = json!(recorded_entity(&facts.entity)).to_string();
    let annotations = json!({marks::SEEDED: json!(seeded).to_string(), marks::MADE_FOR: recorded});
    let spec = json!({"members": members, "managers": managers});
    facts.create(kinds::COLLECTIVE.kind, Collective::NAME, annotations, spec)
}

/// The members that an Access to be made needs and that are not there, as far as there is room for them: of the others it
/// is told that they do not manage.
fn newcomers<'a>(facts: &Facts, managers: impl Iterator<Item = &'a Manager>) -> Map<String, Value> {
    let unknown = invited(managers).filter(|manager| person(facts, manager).is_none());
    let room = MOST_MEMBERS.saturating_sub(facts.people().members.len());
    let new: BTreeMap<String, Value> = unknown.map(|manager| (id(facts, manager), member(facts, manager))).collect();
    new.into_iter().take(room).collect()
}

fn new_access(facts: &Facts, service: &str, managers: &[Manager]) -> Change {
    let (mut people, mut seeded) = (Map::new(), BTreeMap::new());
    for manager in invited(managers.iter()) {
        let Some(id) = person(facts, manager) else { continue };
        seeded.insert(&manager.name, id.clone());
        // Somebody who leaves just now is let in nowhere.
        if facts.member(&id).is_some_and(|member| member.removed.is_none()) {
            let entry = json!({"role": AccessRole::Manager, "by": facts.operator, "since": facts.at()});
            people.insert(id, entry);
        }
    }
    let annotations = json!({marks::SEEDED: json!(seeded).to_string()});
    facts.create(kinds::ACCESS.kind, service, annotations, json!({"people": people}))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{facts, manager, named, with_service};
    use super::*;
    use crate::compare::Action;

    fn created(change: &Change) -> &Value {
        match &change.action {
            Action::Create(object) => object,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_collective_begins_with_the_managers_that_can_be_invited() {
        let facts = named(&[manager("anna", Some("anna@example.org")), manager("eva", None)]);
        let changes = made(&facts);
        assert_eq!(changes.len(), 1);
        let object = created(&changes[0]);
        let id = id(&facts, &manager("anna", Some("anna@example.org")));
        assert_eq!(object["spec"]["members"][&id]["mail"], "anna@example.org");
        assert_eq!(object["spec"]["members"][&id]["by"], "system:serviceaccount:system:operator");
        assert_eq!(object["spec"]["members"].as_object().unwrap().len(), 1);
        assert!(object["spec"]["managers"][&id]["since"].is_string());
        assert_eq!(object["metadata"]["annotations"][marks::SEEDED], json!({"anna": id}).to_string());
        assert!(object["metadata"].get("ownerReferences").is_none(), "it outlives its Entity's services");
    }

    #[test]
    fn an_id_is_of_the_characters_that_ids_have_and_of_one_person() {
        let facts = facts();
        let of = |name: &str, mail: &str| id(&facts, &manager(name, Some(mail)));
        let anna = of("anna", "anna@example.org");
        assert_eq!(anna.len(), 16);
        assert!(anna.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{anna}");
        assert_eq!(anna, of("anna", "anna@example.org"), "a seed that is sown twice is one plant");
        assert_ne!(anna, of("anna", "another.anna@example.org"), "two people of one name");
    }

    #[test]
    fn a_service_gets_its_access_once_its_managers_belong() {
        let mut facts = with_service("wiki", &[manager("bernd", Some("bernd@example.org"))]);
        let changes = accesses(&facts);
        let Action::Merge { patch, .. } = &changes[0].action else { panic!("{changes:?}") };
        let bernd = id(&facts, &manager("bernd", Some("bernd@example.org")));
        assert_eq!(patch["spec"]["members"][&bernd]["displayName"], "bernd");
        assert!(patch["spec"].get("managers").is_none(), "who manages a service does not manage the collective");
        let mut collective = Collective::clone(facts.collective.as_ref().unwrap());
        let member = patch["spec"]["members"][&bernd].clone();
        collective.spec.members.insert(bernd.clone(), serde_json::from_value(member).unwrap());
        facts.collective = Some(collective.into());
        let changes = accesses(&facts);
        let object = created(&changes[0]);
        assert_eq!((changes.len(), &object["metadata"]["name"]), (1, &json!("wiki")));
        assert_eq!(object["spec"]["people"][&bernd]["role"], "Manager");
        assert_eq!(object["metadata"]["annotations"][marks::SEEDED], json!({"bernd": bernd}).to_string());
    }

    #[test]
    fn an_access_that_cannot_be_read_is_there() {
        let mut facts = with_service("wiki", &[]);
        assert_eq!(accesses(&facts).len(), 1);
        let unreadable = crate::cache::Undecodable {
            kind: "Access".to_owned(),
            name: "wiki".to_owned(),
            ..crate::cache::Undecodable::default()
        };
        facts.unreadable.push(unreadable.into());
        assert!(accesses(&facts).is_empty());
    }

    #[test]
    fn a_full_collective_keeps_no_service_from_its_access() {
        let named = [manager("bernd", Some("bernd@example.org")), manager("carla", Some("carla@example.org"))];
        let mut facts = with_service("wiki", &named);
        let full = |facts: &mut Facts, count: usize| {
            let mut collective = Collective::clone(facts.collective.as_ref().unwrap());
            let member = super::super::fixtures::member("m", false);
            let member =
                |number: usize| (format!("member{number:06}"), serde_json::from_value(member.clone()).unwrap());
            collective.spec.members = (0..count).map(member).collect();
            facts.collective = Some(collective.into());
        };
        full(&mut facts, MOST_MEMBERS - 1);
        let changes = accesses(&facts);
        let Action::Merge { patch, .. } = &changes[0].action else { panic!("{changes:?}") };
        assert_eq!(patch["spec"]["members"].as_object().unwrap().len(), 1, "the schema takes no more");
        full(&mut facts, MOST_MEMBERS);
        assert_eq!(created(&accesses(&facts)[0])["spec"]["people"], json!({}));
    }

    #[test]
    fn a_mail_address_is_one_person_s_however_it_is_written() {
        let mut facts = with_service("wiki", &[manager("bernd", Some("Bernd@Example.org"))]);
        let mut collective = Collective::clone(facts.collective.as_ref().unwrap());
        let member = serde_json::from_value(super::super::fixtures::member("bernd", false)).unwrap();
        collective.spec.members.insert("berndbernd00".to_owned(), member);
        facts.collective = Some(collective.into());
        let people = created(&accesses(&facts)[0])["spec"]["people"].clone();
        assert_eq!(people.as_object().unwrap().keys().collect::<Vec<_>>(), ["berndbernd00"]);
    }
}
