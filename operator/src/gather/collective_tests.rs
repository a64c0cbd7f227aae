use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::api::{Access, Entity, Platform, marks};
use crate::cache::{Held, Identity, Kept, Origin, Store};
use crate::entity::OPERATOR_BINDING;

fn put<K: Resource + DeserializeOwned>(store: &Store<K>, object: Value) {
    let object: K = serde_json::from_value(object).unwrap();
    store.put(&Identity::of(object.meta()), object);
}

fn account() -> ServiceAccount {
    ServiceAccount { namespace: "system".to_owned(), name: "operator".to_owned() }
}

fn binding(caches: &Caches, name: &str, users: &[&str]) {
    let subjects: Vec<Value> = users.iter().map(|user| json!({"kind": "User", "name": user})).collect();
    let owner = json!([{"apiVersion": "commonscloud.coop/v1alpha1", "kind": "Entity", "name": "coop", "uid": "e1"}]);
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": "coop", "uid": name, "ownerReferences": owner}, "subjects": subjects,
    });
    let object: kube::core::DynamicObject = serde_json::from_value(object).unwrap();
    let identity = Identity::of(&object.metadata);
    caches.objects["RoleBinding"].put(&identity, Live::of("RoleBinding", object));
}

/// `coop`, anna who manages its collective, bernd who manages the wiki.
fn surroundings(identity: Value) -> (Caches, Entity) {
    let caches = Caches::new();
    let entity = json!({"metadata": {"name": "coop", "uid": "e1"}, "spec": {"displayName": "Coop", "tariff": "t"}});
    put::<Entity>(&caches.entities, entity.clone());
    let mut platform = json!({"metadata": {"name": "default"}, "spec": {"baseDomain": "example.org"}});
    platform["spec"]["identity"] = identity;
    put::<Platform>(&caches.platforms, platform);
    let labels = json!({marks::ENTITY: "coop"});
    put(&caches.namespaces, json!({"metadata": {"name": "coop", "labels": labels}}));
    let member = |name: &str| {
        let user = format!("person:{name}");
        let account = json!({"issuer": "https://id.example.org", "subject": name, "user": user});
        json!({"displayName": name, "by": "x", "account": account})
    };
    put::<Collective>(
        &caches.collectives,
        json!({
            "metadata": {"name": "collective", "namespace": "coop", "uid": "c1"},
            "spec": {
                "members": {"annaannaanna": member("anna"), "berndbernd00": member("bernd")},
                "managers": {"annaannaanna": {"by": "x"}},
            },
        }),
    );
    let manages = json!({"people": {"berndbernd00": {"by": "x", "role": "Manager"}}});
    put::<Access>(
        &caches.accesses,
        json!({"metadata": {"name": "wiki", "namespace": "coop", "uid": "a1"}, "spec": manages}),
    );
    binding(&caches, OPERATOR_BINDING, &[]);
    (caches, serde_json::from_value(entity).unwrap())
}

fn external() -> Value {
    json!({"issuer": "https://id.example.org"})
}

fn seen_people(caches: &Caches, entity: &Entity) -> Option<People> {
    people(caches, entity, &Inside::of(caches, "coop"))
}

fn set(users: &[&str]) -> BTreeSet<String> {
    users.iter().map(|user| (*user).to_owned()).collect()
}

fn poison<T: PartialEq>(store: &Store<T>, kind: &str, name: &str) {
    let object = Undecodable {
        kind: kind.to_owned(),
        namespace: "coop".to_owned(),
        name: name.to_owned(),
        uid: "poison".to_owned(),
        error: "spec: of a newer release".to_owned(),
        ..Undecodable::default()
    };
    let identity =
        Identity { namespace: "coop".to_owned(), name: name.to_owned(), uid: "poison".to_owned(), version: 9 };
    store.take(&identity, Kept::Undecodable(Arc::new(object)), Origin::List);
}

fn observed(caches: &Caches) -> Option<Facts> {
    observe_collective(caches, &account(), "coop", Timestamp::UNIX_EPOCH)
}

#[test]
fn rights_are_made_of_what_stands_there_and_of_nothing_without_identity() {
    let (caches, entity) = surroundings(external());
    let people = seen_people(&caches, &entity).unwrap();
    assert_eq!(people.managers, set(&["person:anna"]));
    assert_eq!(people.members, set(&["person:anna", "person:bernd"]));
    assert_eq!(people.accesses, [("wiki".to_owned(), set(&["person:bernd"]))].into());
    let (caches, entity) = surroundings(json!(null));
    assert_eq!(seen_people(&caches, &entity), None);
    let facts = observed(&caches).unwrap();
    assert!(facts.identity.is_none() && crate::collective::next(&facts).changes.is_empty());
}

#[test]
fn of_a_collective_that_cannot_be_read_the_rights_stay_as_they_were_given() {
    let (caches, entity) = surroundings(external());
    binding(&caches, COLLECTIVE_RIGHTS, &["person:anna", "eva"]);
    binding(&caches, MEMBER, &["person:anna", "person:bernd"]);
    binding(&caches, &access_rights("wiki"), &["person:bernd"]);
    poison(&caches.collectives, "Collective", "collective");
    let people = seen_people(&caches, &entity).unwrap();
    assert_eq!(people.managers, set(&["eva", "person:anna"]));
    assert_eq!(people.members, set(&["person:anna", "person:bernd"]));
    assert_eq!(people.accesses["wiki"], set(&["person:bernd"]));
    assert!(observed(&caches).is_none(), "nothing is changed beside it");
}

#[test]
fn without_a_platform_nobody_gets_or_loses_a_right() {
    let (caches, entity) = surroundings(external());
    binding(&caches, COLLECTIVE_RIGHTS, &["person:carla"]);
    let without = Caches { platforms: Store::default(), ..caches };
    assert_eq!(seen_people(&without, &entity), None, "none was made");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": COLLECTIVE_RIGHTS, "namespace": "coop", "uid": "r"}, "rules": [],
    });
    let role: kube::core::DynamicObject = serde_json::from_value(role).unwrap();
    without.objects["Role"].put(&Identity::of(&role.metadata), Live::of("Role", role));
    assert_eq!(seen_people(&without, &entity).unwrap().managers, set(&["person:carla"]));
    assert!(observed(&without).is_none());
}

#[test]
fn of_an_access_that_cannot_be_read_whoever_belongs_keeps_the_rights_and_nobody_else() {
    let (caches, entity) = surroundings(external());
    binding(&caches, &access_rights("wiki"), &["person:bernd", "person:carla"]);
    poison(&caches.accesses, "Access", "wiki");
    let people = seen_people(&caches, &entity).unwrap();
    assert_eq!(people.accesses["wiki"], set(&["person:bernd"]));
    let facts = observed(&caches).unwrap();
    assert_eq!(facts.unreadable.len(), 1);
}

#[test]
fn whoever_is_bound_and_should_not_be_is_seen_with_the_write_that_mends_it() {
    let (caches, _) = surroundings(external());
    binding(&caches, COLLECTIVE_RIGHTS, &["person:anna", "person:bernd"]);
    binding(&caches, "commonscloud-access-gone", &["person:bernd"]);
    let facts = observed(&caches).unwrap();
    let bernd = set(&["person:bernd"]);
    let expected = [("commonscloud-access-gone", bernd.clone()), (COLLECTIVE_RIGHTS, bernd)];
    assert_eq!(facts.excess, expected.map(|(name, users)| (name.to_owned(), users)).into());
    let mended: Vec<String> = facts.rights.iter().map(ToString::to_string).collect();
    assert!(mended.iter().any(|change| change.starts_with("apply RoleBinding/commonscloud-collective")), "{mended:?}");
    assert!(mended.contains(&"delete RoleBinding/commonscloud-access-gone".to_owned()), "{mended:?}");
}

#[test]
fn a_collective_of_another_entity_gives_no_right() {
    let (caches, mut entity) = surroundings(external());
    let mut collective = Collective::clone(&caches.collectives.get("coop", "collective").unwrap());
    let former = json!({"uid": "e0", "displayName": "Another", "domains": [], "managers": []});
    collective.metadata.annotations = Some([(marks::MADE_FOR.to_owned(), former.to_string())].into());
    caches.collectives.put(&Identity::of(&collective.metadata), collective);
    assert_eq!(seen_people(&caches, &entity), None);
    entity.spec.adopt = vec!["e0".to_owned()];
    assert!(seen_people(&caches, &entity).is_some());
}

#[test]
fn where_a_provider_is_driven_nobody_knows_whom_it_has_before_somebody_looked() {
    let issuer = "https://id.example.org/realms/commons";
    let driven = json!({"issuer": issuer, "keycloak": {"entity": "cloud", "service": "identity"}});
    let (caches, _) = surroundings(driven);
    assert_eq!(observed(&caches).unwrap().lingering, Lingering::Unknown);
    caches.providers.put(issuer, Some(BTreeMap::new()), None);
    assert_eq!(observed(&caches).unwrap().lingering, Lingering::Unknown, "the Entity was not known then");
    caches.providers.put(issuer, Some([("coop".to_owned(), Held::default())].into()), None);
    assert!(matches!(observed(&caches).unwrap().lingering, Lingering::Known(_)));
    let (caches, _) = surroundings(external());
    let facts = observed(&caches).unwrap();
    assert_eq!((facts.provider, facts.lingering), (None, Lingering::Nowhere));
}

#[test]
fn nothing_is_looked_at_before_the_operator_may_write_or_once_the_entity_goes() {
    let (caches, _) = surroundings(external());
    assert!(observed(&caches).is_some());
    let going = json!({
        "metadata": {"name": "coop", "uid": "e1", "deletionTimestamp": "2026-12-01T00:00:00Z"},
        "spec": {"displayName": "Coop", "tariff": "t"},
    });
    put::<Entity>(&caches.entities, going);
    assert!(observed(&caches).is_none());
    let caches = Caches { objects: Caches::new().objects, ..surroundings(external()).0 };
    assert!(observed(&caches).is_none(), "it has no right there");
}
