//! Who may do what with the people of an Entity: the Roles and RoleBindings of its Collective and of each Access.
//! They are made of what stands there, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::namespace::{RBAC, RBAC_GROUP, subjects};
use super::object;
use crate::api::{AccessRole, AccessSpec, Collective, CollectiveSpec, Entity, GROUP, Manager, Member};
use crate::kinds;
use crate::rbac::{ADMIT, APPOINT, MEMBER};
use crate::template::RenderedObject;

/// The Role of a Collective's managers, and the RoleBinding to it.
pub const COLLECTIVE_RIGHTS: &str = "commonscloud-collective";

/// The Role of a service's managers, and the RoleBinding to it.
pub fn access_rights(service: &str) -> String {
    format!("commonscloud-access-{service}")
}

/// The users that rights are made of: people who accepted, and whom nobody removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Who manages the Collective.
    pub managers: BTreeSet<String>,
    /// Who belongs to it.
    pub members: BTreeSet<String>,
    /// Each Access there is by its name, and who manages the service.
    pub accesses: BTreeMap<String, BTreeSet<String>>,
}

/// The user that a member is: they accepted, and nobody removed them.
pub fn user_of(member: &Member) -> Option<&str> {
    let account = member.account.as_ref().filter(|_| member.removed.is_none())?;
    // Admission refuses these; it can be absent.
    (!account.user.starts_with("system:")).then_some(account.user.as_str())
}

/// The users that manage a service. A guest manages none.
pub fn service_managers(collective: &CollectiveSpec, access: &AccessSpec) -> BTreeSet<String> {
    let managers = access
        .people
        .iter()
        .filter(|(_, entry)| entry.role == AccessRole::Manager && entry.removed.is_none() && entry.guest.is_none());
    managers.filter_map(|(id, _)| collective.members.get(id).and_then(user_of)).map(str::to_owned).collect()
}

impl People {
    /// Those of a Collective, without any Access.
    pub fn of(collective: &CollectiveSpec) -> Self {
        let managers = collective.managers.iter().filter(|(_, manager)| manager.removed.is_none());
        let managers = managers.filter_map(|(id, _)| collective.members.get(id).and_then(user_of));
        Self {
            managers: managers.map(str::to_owned).collect(),
            members: collective.members.values().filter_map(user_of).map(str::to_owned).collect(),
            accesses: BTreeMap::new(),
        }
    }

    /// Who manages a service.
    pub(super) fn managers_of(&self, service: &str) -> impl Iterator<Item = &String> {
        self.accesses.get(service).into_iter().flatten()
    }
}

/// The Roles, then the RoleBindings. `services`: what each service that stays names as its managers.
pub fn rights(entity: &Entity, people: &People, services: &[(&str, &[Manager])]) -> Vec<RenderedObject> {
    let mut objects = vec![collective_role(entity, people)];
    objects.extend(people.accesses.keys().map(|service| access_role(entity, service)));
    let own = binding(entity, COLLECTIVE_RIGHTS, "Role", subjects(&entity.spec.managers, &people.managers));
    let members = binding(entity, MEMBER, "ClusterRole", subjects(&[], &people.members));
    objects.extend(own.into_iter().chain(members));
    objects.extend(people.accesses.iter().filter_map(|(service, managers)| {
        let named = services.iter().find(|(name, _)| name == service);
        let named = named.map(|(_, named)| *named).unwrap_or_default();
        binding(entity, &access_rights(service), "Role", subjects(named, managers))
    }));
    objects
}

fn rule(plural: &str, names: &[&str], verbs: &[&str]) -> Value {
    let mut rule = json!({"apiGroups": [GROUP], "resources": [plural], "verbs": verbs});
    if !names.is_empty() {
        rule["resourceNames"] = json!(names);
    }
    rule
}

fn collective_role(entity: &Entity, people: &People) -> RenderedObject {
    let mut rules = vec![rule(kinds::COLLECTIVE.plural, &[Collective::NAME], &["get", "patch", "update"])];
    let accesses: Vec<&str> = people.accesses.keys().map(String::as_str).collect();
    // A rule without names would be one about all that come.
    if !accesses.is_empty() {
        rules.push(rule(kinds::ACCESS.plural, &accesses, &[APPOINT, "get", "patch", "update"]));
    }
    rules.push(rule(kinds::ACCESS_HISTORY.plural, &[], &["get", "list"]));
    role(entity, COLLECTIVE_RIGHTS, &rules)
}

fn access_role(entity: &Entity, service: &str) -> RenderedObject {
    let rules = [rule(kinds::ACCESS.plural, &[service], &[ADMIT, "get", "patch", "update"])];
    role(entity, &access_rights(service), &rules)
}

fn role(entity: &Entity, name: &str, rules: &[Value]) -> RenderedObject {
    object(entity, kinds::ROLE.kind, RBAC, name, true, json!({"rules": rules}))
}

/// A RoleBinding to the role of its own name.
fn binding(entity: &Entity, name: &str, kind: &str, subjects: Vec<Value>) -> Option<RenderedObject> {
    (!subjects.is_empty()).then(|| {
        let role = json!({"apiGroup": RBAC_GROUP, "kind": kind, "name": name});
        object(entity, "RoleBinding", RBAC, name, true, json!({"roleRef": role, "subjects": subjects}))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collective() -> CollectiveSpec {
        let account = |user: &str| json!({"issuer": "https://id.example.org", "subject": user, "user": user});
        serde_json::from_value(json!({
            "members": {
                "annaannaanna": {"displayName": "Anna", "by": "x", "account": account("person:anna")},
                "berndbernd00": {"displayName": "Bernd", "by": "x", "account": account("person:bernd")},
                "carlacarla00": {"displayName": "Carla", "by": "x", "mail": "carla@example.org"},
                "dorisdoris00": {"displayName": "Doris", "by": "x", "account": account("person:doris"),
                                 "removed": {"by": "y"}},
                "rootrootroot": {"displayName": "Root", "by": "x", "account": account("system:admin")},
            },
            "managers": {
                "annaannaanna": {"by": "x"}, "carlacarla00": {"by": "x"}, "dorisdoris00": {"by": "x"},
                "rootrootroot": {"by": "x"}, "berndbernd00": {"by": "x", "removed": {"by": "y"}},
            },
        }))
        .unwrap()
    }

    fn access() -> AccessSpec {
        let guest = json!({"displayName": "G", "mail": "g@example.org"});
        serde_json::from_value(json!({"people": {
            "annaannaanna": {"by": "x"}, "berndbernd00": {"role": "Manager", "by": "x"},
            "dorisdoris00": {"role": "Manager", "by": "x"}, "strangerstra": {"role": "Manager", "by": "x"},
            "guestguest00": {"role": "Manager", "by": "x", "guest": guest, "until": "2027-01-01T00:00:00Z"},
        }}))
        .unwrap()
    }

    fn entity() -> Entity {
        let spec = serde_json::from_value(json!({
            "displayName": "A", "tariff": "t",
            "managers": [{"name": "eva", "subject": {"kind": "User", "name": "eva"}},
                         {"name": "anna", "subject": {"kind": "User", "name": "person:anna"}}],
        }));
        Entity::new("a", spec.unwrap())
    }

    fn people() -> People {
        let mut people = People::of(&collective());
        people.accesses.insert("wiki".to_owned(), service_managers(&collective(), &access()));
        people
    }

    #[test]
    fn rights_are_of_those_who_accepted_and_were_not_removed() {
        let people = people();
        assert_eq!(people.managers, ["person:anna".to_owned()].into());
        assert_eq!(people.members, ["person:anna".to_owned(), "person:bernd".to_owned()].into());
        assert_eq!(people.accesses["wiki"], ["person:bernd".to_owned()].into());
    }

    #[test]
    fn a_role_names_what_it_is_about_and_a_user_is_bound_once() {
        let named: Vec<Manager> =
            serde_json::from_value(json!([{"name": "s", "subject": {"kind": "Group", "name": "secretaria"}}])).unwrap();
        let objects = rights(&entity(), &people(), &[("wiki", &named)]);
        let of = |kind: &str, name: &str| {
            objects.iter().find(|object| object.kind == kind && object.name == name).map(|object| object.value.clone())
        };
        let role = of("Role", "commonscloud-collective").unwrap();
        assert_eq!(role["rules"][0]["resourceNames"], json!(["collective"]));
        assert_eq!(role["rules"][1]["resourceNames"], json!(["wiki"]));
        assert_eq!(role["rules"][1]["verbs"], json!(["appoint", "get", "patch", "update"]));
        assert_eq!(role["rules"][2]["verbs"], json!(["get", "list"]));
        let role = of("Role", "commonscloud-access-wiki").unwrap();
        assert_eq!(role["rules"][0]["verbs"], json!(["admit", "get", "patch", "update"]));
        let users = |name: &str| -> Vec<String> {
            let binding = of("RoleBinding", name).unwrap();
            let subjects = binding["subjects"].as_array().unwrap().iter();
            subjects.map(|subject| subject["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(users("commonscloud-collective"), ["eva", "person:anna"]);
        assert_eq!(users("commonscloud-member"), ["person:anna", "person:bernd"]);
        assert_eq!(users("commonscloud-access-wiki"), ["secretaria", "person:bernd"]);
        let kinds: Vec<&str> = objects.iter().map(|object| object.kind.as_str()).collect();
        assert!(kinds.is_sorted(), "a role is there before it is bound: {kinds:?}");
    }

    #[test]
    fn nobody_is_bound_and_no_access_named_where_there_is_none() {
        let spec = serde_json::from_value(json!({"displayName": "A", "tariff": "t"})).unwrap();
        let objects = rights(&Entity::new("a", spec), &People::default(), &[]);
        assert_eq!(objects.len(), 1);
        let rules = objects[0].value["rules"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["resources"] != json!(["accesses"])), "all of them: {rules:?}");
    }
}
