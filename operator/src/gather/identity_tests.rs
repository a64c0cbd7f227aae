use serde_json::json;

use super::super::fixtures::{put, put_live};
use super::*;
use crate::api::{Access, Collective, DedicatedService, GeneratedSecret, SecretKey, ServiceTemplateRevision};
use crate::cache::{Identity, Kept, Origin, Store};
use crate::resolve::fixtures::template;

const ISSUER: &str = "https://cloud-identity.example.org/realms/commons";

fn identity() -> PlatformIdentity {
    let keycloak = json!({"entity": "cloud", "service": "identity"});
    serde_json::from_value(json!({"issuer": ISSUER, "keycloak": keycloak})).unwrap()
}

/// Entity `coop` with anna, who may enter its wiki; the wiki signs people in.
fn surroundings() -> Caches {
    let caches = Caches::new();
    entity(&caches, "coop");
    let account = json!({"issuer": ISSUER, "subject": "anna", "user": "oidc:anna"});
    let members = json!({"annaannaanna": {"displayName": "Anna", "by": "x", "account": account}});
    put::<Collective>(
        &caches.collectives,
        json!({"metadata": {"name": "collective", "namespace": "coop", "uid": "c"}, "spec": {"members": members}}),
    );
    let people = json!({"annaannaanna": {"by": "x", "role": "Manager"}});
    put::<Access>(
        &caches.accesses,
        json!({"metadata": {"name": "wiki", "namespace": "coop", "uid": "a"}, "spec": {"people": people}}),
    );
    revision(&caches, "plain", None);
    revision(&caches, "signs-in", Some("oidc"));
    service(&caches, "coop", "wiki", json!({"revision": "signs-in", "hostname": "coop-wiki.example.org"}));
    secret(&caches, "coop", "wiki", "oidc", "client-secret");
    caches
}

fn entity(caches: &Caches, name: &str) {
    let spec = json!({"displayName": name, "tariff": "t"});
    put(&caches.entities, json!({"metadata": {"name": name, "uid": format!("e-{name}")}, "spec": spec}));
    let labels = json!({marks::ENTITY: name});
    put(&caches.namespaces, json!({"metadata": {"name": name, "uid": "n", "labels": labels}}));
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": OPERATOR_BINDING, "namespace": name, "uid": "b"}, "subjects": [],
    });
    put_live(caches, "RoleBinding", binding);
    caches.secrets.none_in(name);
}

/// A revision of a package, with a Secret to sign in with or without.
fn revision(caches: &Caches, name: &str, secret: Option<&str>) {
    let mut template = template();
    template.spec.secrets.extend(secret.map(|secret| GeneratedSecret {
        name: secret.to_owned(),
        keys: vec![SecretKey { name: "client-secret".to_owned(), length: Some(48), value: None }],
    }));
    let content = serde_json::to_value(&template.spec).unwrap();
    put::<ServiceTemplateRevision>(
        &caches.revisions,
        json!({"metadata": {"name": name, "uid": name}, "spec": {"template": "radicale", "content": content}}),
    );
}

fn service(caches: &Caches, namespace: &str, name: &str, status: Value) {
    put::<DedicatedService>(
        &caches.services,
        json!({
            "metadata": {"name": name, "namespace": namespace, "uid": name},
            "spec": {"template": "radicale", "tier": "1gb"}, "status": status,
        }),
    );
}

fn secret(caches: &Caches, namespace: &str, service: &str, name: &str, key: &str) {
    let name = format!("{service}-{name}");
    let labels = [(marks::INSTANCE.to_owned(), service.to_owned()), (marks::DATA.to_owned(), "true".to_owned())];
    let managed = (marks::MANAGED_BY.to_owned(), marks::OPERATOR.to_owned());
    let labels = labels.into_iter().chain([managed]).collect();
    let sealed =
        Sealed { name: name.clone(), uid: name.clone(), labels, keys: vec![key.to_owned()], ..Sealed::default() };
    let identity = Identity { namespace: namespace.to_owned(), uid: name.clone(), name, version: 1 };
    caches.secrets.put(&identity, sealed);
}

fn poison<T: PartialEq>(store: &Store<T>, kind: &str, namespace: &str, name: &str) {
    let object = Undecodable {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: "poison".to_owned(),
        error: "spec: of a newer release".to_owned(),
        ..Undecodable::default()
    };
    let identity =
        Identity { namespace: namespace.to_owned(), name: name.to_owned(), uid: "poison".to_owned(), version: 9 };
    store.take(&identity, Kept::Undecodable(Arc::new(object)), Origin::List);
}

fn observed(caches: &Caches) -> ObservedIdentity {
    let account = ServiceAccount { namespace: "system".to_owned(), name: "operator".to_owned() };
    observe_identity(caches, &Packages::default(), &account, &identity(), Timestamp::UNIX_EPOCH)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_service_whose_package_has_the_secret_signs_people_in_at_the_host_name_that_it_holds() {
    let observed = observed(&surroundings());
    let coop = &observed.entities["coop"];
    assert_eq!((coop.uid.as_str(), coop.unknown.len()), ("e-coop", 0));
    assert_eq!(coop.services["wiki"].url, "https://coop-wiki.example.org");
    let anna = &coop.people.as_ref().unwrap().people["annaannaanna"];
    assert!(anna.services.contains_key("wiki"), "{anna:?}");
    assert!(observed.unknown.is_empty() && observed.unreadable.is_empty());
}

#[test]
fn what_does_not_sign_in_here_has_no_client_and_what_is_not_known_stays() {
    let caches = surroundings();
    service(&caches, "coop", "calendar", json!({"revision": "plain", "hostname": "coop-calendar.example.org"}));
    service(&caches, "coop", "young", json!({}));
    service(&caches, "coop", "nameless", json!({"revision": "signs-in"}));
    service(&caches, "coop", "bare", json!({"revision": "signs-in", "hostname": "coop-bare.example.org"}));
    let mut own = json!({
        "metadata": {"name": "own", "namespace": "coop", "uid": "own"},
        "spec": {"template": "radicale", "tier": "1gb", "parameters": {"oidc": {"clientId": "x"}}},
        "status": {"revision": "signs-in", "hostname": "coop-own.example.org"},
    });
    put::<DedicatedService>(&caches.services, own.clone());
    own["metadata"] = json!({
        "name": "going", "namespace": "coop", "uid": "going", "deletionTimestamp": "2026-12-01T00:00:00Z",
    });
    put::<DedicatedService>(&caches.services, own);
    let coop = observed(&caches).entities.remove("coop").unwrap();
    assert_eq!(coop.services.keys().collect::<Vec<_>>(), ["wiki"]);
    assert_eq!(coop.unknown, set(&["bare", "nameless", "young"]));
}

#[test]
fn one_that_cannot_be_read_stays_as_it_is_and_stops_no_other() {
    let caches = surroundings();
    entity(&caches, "llum");
    put::<Collective>(
        &caches.collectives,
        json!({"metadata": {"name": "collective", "namespace": "llum"}, "spec": {}}),
    );
    poison(&caches.entities, "Entity", "", "broken");
    poison(&caches.collectives, "Collective", "llum", "collective");
    poison(&caches.accesses, "Access", "llum", "agora");
    poison(&caches.services, "DedicatedService", "llum", "zoo");
    let observed = observed(&caches);
    assert_eq!(observed.unknown, set(&["broken"]));
    let llum = &observed.entities["llum"];
    assert_eq!((&llum.people, &llum.unknown), (&None, &set(&["zoo"])));
    assert_eq!(llum.unreadable_accesses, set(&["agora"]));
    assert!(observed.entities["coop"].people.is_some());
    let words: Vec<&str> = observed.unreadable.iter().map(|object| object.kind.as_str()).collect();
    assert_eq!(words, ["Entity", "Access", "Collective", "DedicatedService"]);
}

#[test]
fn where_nothing_may_be_changed_or_nothing_is_made_yet_all_stays() {
    let caches = surroundings();
    put(&caches.namespaces, json!({"metadata": {"name": "coop", "uid": "n", "labels": {}}}));
    let foreign = observed(&caches);
    assert_eq!((foreign.unknown, foreign.entities.len()), (set(&["coop"]), 0));
    let caches = surroundings();
    entity(&caches, "llum");
    assert_eq!(observed(&caches).entities["llum"].people, None, "its Collective is made in a moment");
}

#[test]
fn whoever_was_of_another_entity_of_the_name_enters_nothing() {
    let caches = surroundings();
    let mut collective = Collective::clone(&caches.collectives.get("coop", "collective").unwrap());
    let former = json!({"uid": "e0", "displayName": "Another", "domains": [], "managers": []});
    collective.metadata.annotations = Some([(marks::MADE_FOR.to_owned(), former.to_string())].into());
    caches.collectives.put(&Identity::of(&collective.metadata), collective);
    assert_eq!(observed(&caches).entities["coop"].people, Some(Wanted::default()));
}

/// What the place of the provider is, or why there is none, where the service is so.
fn provider(spec: Value, status: Value, has_secret: bool) -> Result<ProviderPlace, String> {
    let caches = surroundings();
    entity(&caches, "cloud");
    put::<DedicatedService>(
        &caches.services,
        json!({"metadata": {"name": "identity", "namespace": "cloud", "uid": "i"}, "spec": spec, "status": status}),
    );
    if has_secret {
        secret(&caches, "cloud", "identity", "operator", "client-secret");
    }
    let exposure = Exposure { address: Some("192.0.2.1".to_owned()), ..Exposure::default() };
    provider_place(&caches, &identity(), &exposure)
}

#[test]
fn the_provider_is_asked_at_the_ingress_by_the_host_of_the_issuer() {
    let spec = json!({"template": "keycloak", "tier": "1gb"});
    let place = provider(spec.clone(), json!({"hostname": "cloud-identity.example.org"}), true).unwrap();
    assert_eq!((place.host.as_str(), place.realm.as_str()), ("cloud-identity.example.org", "commons"));
    assert_eq!((place.address, place.secret.name.as_str()), (Place::from("192.0.2.1"), "identity-operator"));
    let of = |spec: &Value, host: &str, has_secret| {
        provider(spec.clone(), json!({"hostname": host}), has_secret).unwrap_err()
    };
    let other = of(&spec, "id.example.org", true);
    assert!(other.starts_with("spec.identity.issuer: its host") && other.contains("id.example.org"), "{other}");
    assert!(of(&spec, "cloud-identity.example.org", false).contains("Secret identity-operator does not exist"));
    let realm = json!({"template": "keycloak", "tier": "1gb", "parameters": {"realm": "other"}});
    assert!(of(&realm, "cloud-identity.example.org", true).contains("its realm is commons"));
    let wiki = json!({"template": "mediawiki", "tier": "1gb"});
    assert!(of(&wiki, "cloud-identity.example.org", true).contains("must be of template keycloak"));
    let missing = provider_place(&surroundings(), &identity(), &Exposure::default()).unwrap_err();
    assert!(missing.contains("DedicatedService cloud/identity does not exist"), "{missing}");
}

#[test]
fn the_provider_itself_is_no_service_that_signs_in() {
    let caches = surroundings();
    entity(&caches, "cloud");
    service(&caches, "cloud", "identity", json!({"revision": "signs-in", "hostname": "cloud-identity.example.org"}));
    secret(&caches, "cloud", "identity", "oidc", "client-secret");
    assert!(observed(&caches).entities["cloud"].services.is_empty());
}
