//! What is recorded of the caches.

use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use super::*;
use crate::api::marks;
use crate::cache::{Identity, Kept, Origin, Sealed, Undecodable};
use crate::gather::fixtures::put;

const PASSWORD: &str = "correct horse battery staple";

fn seal(caches: &Caches, namespace: &str, name: &str, labels: Value) {
    let data = json!({"password": k8s_openapi::ByteString(PASSWORD.into())});
    let metadata = json!({"name": name, "namespace": namespace, "uid": name, "labels": labels});
    let secret: Secret = serde_json::from_value(json!({"metadata": metadata, "data": data})).unwrap();
    let identity = Identity::of(&secret.metadata);
    if namespace == "cloud" {
        caches.platform_secrets.put(&identity, Sealed::of(&secret));
    } else {
        caches.secrets.put(&identity, Sealed::of(&secret));
    }
}

fn metadata(name: &str, namespace: &str) -> Value {
    let annotations = json!({
        "commonscloud.coop/allow-deletion": "true", "kubectl.kubernetes.io/last-applied-configuration": "{}",
    });
    json!({
        "name": name, "namespace": if namespace.is_empty() { Value::Null } else { json!(namespace) },
        "uid": format!("uid-of-{name}"), "resourceVersion": "7", "generation": 3, "annotations": annotations,
        "labels": {"team": "a"}, "finalizers": [marks::FINALIZER], "managedFields": [],
    })
}

fn run(name: &str, taken_at: &str, phase: &str) -> Value {
    json!({
        "metadata": metadata(name, "coop"), "spec": {"service": "wiki", "requestedBy": "operator"},
        "status": {
            "phase": phase, "takenAt": taken_at, "snapshot": "s", "progress": "6 of 6",
            "repository": {"target": "far", "path": "coop-uid-of-c.wiki", "id": "r"},
        },
    })
}

fn caches() -> Caches {
    let caches = Caches::new();
    caches.secrets.none_in("coop");
    let s3 =
        json!({"endpoint": "https://s3.example.org", "bucket": "b", "secretName": "add", "careSecretName": "care"});
    let backup = json!({"targets": [{"name": "far", "s3": s3}], "recipients": ["age1"]});
    put(
        &caches.platforms,
        json!({"metadata": metadata("default", ""), "spec": {"baseDomain": "example.org", "backup": backup}}),
    );
    put(&caches.namespaces, json!({"metadata": {"name": "kube-system", "uid": "cluster"}}));
    let entity = json!({"displayName": "Coop", "tariff": "t"});
    put(&caches.entities, json!({"metadata": metadata("coop", ""), "spec": entity}));
    let mut leaving = metadata("leaving", "");
    leaving["deletionTimestamp"] = json!("2026-11-30T12:00:00Z");
    put(&caches.entities, json!({"metadata": leaving, "spec": entity}));
    let service = json!({"template": "mediawiki", "tier": "1gb"});
    let status = json!({"revision": "mediawiki-1", "hostname": "wiki.coop.example", "price": "5.00 EUR"});
    put(&caches.services, json!({"metadata": metadata("wiki", "coop"), "spec": service, "status": status}));
    let mut of_entity = metadata("calendar", "coop");
    let owner = json!({"apiVersion": "commonscloud.coop/v1alpha1", "kind": "Entity", "name": "coop", "uid": "e"});
    of_entity["ownerReferences"] = json!([owner]);
    put(&caches.services, json!({"metadata": of_entity, "spec": service}));
    let owner = json!({"kind": "DedicatedService", "name": "wiki", "uid": "w"});
    let record = json!({"owner": owner, "template": "mediawiki", "keepUntil": "2027-01-01T00:00:00Z"});
    let state = json!({"state": "KeptUntil", "observedGeneration": 2});
    put(&caches.records, json!({"metadata": metadata("wiki", "coop"), "spec": record, "status": state}));
    put(&caches.backups, run("older", "2026-11-29T01:00:00Z", "Succeeded"));
    put(&caches.backups, run("newer", "2026-11-30T01:00:00Z", "Succeeded"));
    put(&caches.backups, run("failed", "2026-11-30T02:00:00Z", "Failed"));
    seal(&caches, "cloud", "add", json!({}));
    seal(&caches, "cloud", "backup-key-coop-uid-of-c", json!({}));
    seal(&caches, "coop", "oidc", json!({marks::FOR: "wiki"}));
    seal(&caches, "coop", "wiki-admin", json!({marks::MANAGED_BY: marks::OPERATOR}));
    caches
}

fn of(caches: &Caches) -> Records {
    let own = Own { namespace: "cloud".to_owned(), release: "0.1.0".to_owned(), ..Own::default() };
    records(caches, &own, &caches.platform().unwrap())
}

#[test]
fn an_object_is_recorded_as_somebody_could_apply_it() {
    let records = of(&caches());
    let names = |objects: &[RecordedObject]| -> Vec<String> {
        objects.iter().map(|object| object.metadata.name.clone()).collect()
    };
    assert_eq!(names(&records.entities), ["coop"], "one that leaves does not come back");
    assert_eq!(names(&records.services), ["wiki"], "the other one comes with its Entity");
    let wiki = &records.services[0];
    assert_eq!((wiki.kind.as_str(), wiki.metadata.namespace.as_deref()), ("DedicatedService", Some("coop")));
    assert_eq!(wiki.spec["tier"], "1gb");
    assert_eq!(wiki.status, json!({"revision": "mediawiki-1", "hostname": "wiki.coop.example"}));
    assert_eq!(wiki.metadata.annotations.keys().collect::<Vec<_>>(), ["commonscloud.coop/allow-deletion"]);
    assert_eq!(records.records[0].status, json!({"state": "KeptUntil", "hostname": "wiki.coop.example"}));
    assert!(records.records[0].spec["keepUntil"].is_string());
    assert_eq!((records.cluster.uid.as_deref(), records.cluster.namespace.as_str()), (Some("cluster"), "cloud"));
    assert_eq!(names(std::slice::from_ref(&records.platform)), ["default"]);
}

#[test]
fn what_is_at_the_targets_is_recorded_the_newest_first() {
    let records = of(&caches());
    let [wiki] = records.backups.as_slice() else { panic!("{:?}", records.backups) };
    assert_eq!((wiki.entity.as_str(), wiki.service.as_str()), ("coop", "wiki"));
    assert_eq!(wiki.runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["newer", "older"]);
    assert_eq!((wiki.repositories()[0].id.as_str(), &wiki.runs[0].status.progress), ("r", &None));
    let folder = EntityFolder { entity: "coop".into(), uid: "uid-of-coop".into(), folder: "coop-uid-of-c".into() };
    assert_eq!(records.folders, [folder]);
}

#[test]
fn secrets_are_named_and_none_of_what_they_hold_is_there() {
    let records = of(&caches());
    let named: Vec<(String, String)> =
        records.secrets.iter().map(|secret| (secret.namespace.clone(), secret.name.clone())).collect();
    let pair = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
    assert_eq!(named, [pair("cloud", "add"), pair("cloud", "care"), pair("coop", "oidc")], "generated ones are not");
    assert_eq!((&records.secrets[0].keys, records.secrets[1].keys.len()), (&vec!["password".to_owned()], 0));
    let text = serde_json::to_string(&records).unwrap();
    let base64 = serde_json::to_string(&k8s_openapi::ByteString(PASSWORD.into())).unwrap();
    assert!(!text.contains(PASSWORD) && !text.contains(base64.trim_matches('"')));
}

#[test]
fn the_same_is_recorded_until_something_changes() {
    let caches = caches();
    let before = of(&caches);
    let mut entity = json!(caches.entities.get("", "coop").unwrap().as_ref());
    entity["metadata"]["resourceVersion"] = json!("8");
    entity["status"] = json!({"price": "5.00 EUR"});
    put(&caches.entities, entity.clone());
    assert_eq!(of(&caches), before, "a report is no change");
    entity["metadata"]["resourceVersion"] = json!("9");
    entity["spec"]["tariff"] = json!("other");
    put(&caches.entities, entity);
    assert_ne!(of(&caches), before);
}

#[test]
fn what_cannot_be_read_is_named() {
    let caches = caches();
    let found = Undecodable { kind: "Tariff".into(), name: "t".into(), uid: "u".into(), ..Undecodable::default() };
    let identity = Identity { name: "t".to_owned(), ..Identity::default() };
    caches.tariffs.take(&identity, Kept::Undecodable(Arc::new(found)), Origin::Watch);
    let named = ObjectName { kind: "Tariff".into(), namespace: String::new(), name: "t".into() };
    assert_eq!(of(&caches).unreadable, [named]);
}

#[test]
fn secrets_that_nobody_has_listed_yet_are_waited_for() {
    let caches = caches();
    assert!(knows_secrets(&caches));
    let owner = json!({"kind": "DedicatedService", "name": "wiki", "uid": "w"});
    let record = json!({"owner": owner, "template": "mediawiki"});
    put(&caches.records, json!({"metadata": metadata("wiki", "elsewhere"), "spec": record}));
    assert!(!knows_secrets(&caches));
}

#[test]
fn people_are_recorded_with_what_they_were_made_with_and_no_status() {
    let mut caches = caches();
    assert_eq!(of(&caches).people, [], "nobody signs in");
    let made = |name: &str, version: u32| {
        let mut made = metadata(name, "coop");
        made["resourceVersion"] = json!(version.to_string());
        made["annotations"] = json!({marks::SEEDED: "{}", marks::MADE_FOR: "{}", "example.org/of": "a tool"});
        made
    };
    let member = json!({"displayName": "Anna", "mail": "anna@example.org", "by": "eva"});
    let members = json!({"members": {"annaannaanna": member}, "managers": {"annaannaanna": {"by": "eva"}}});
    put(&caches.collectives, json!({"metadata": made("collective", 7), "spec": members, "status": {"members": 1}}));
    let people = json!({"people": {"annaannaanna": {"by": "eva", "role": "Manager"}}});
    put(&caches.accesses, json!({"metadata": made("wiki", 7), "spec": people, "status": {"managers": 1}}));
    put(&caches.histories, json!({"metadata": made("2026-12", 7), "spec": {"entries": {}}}));
    let records = of(&caches);
    let kinds: Vec<(&str, &str)> =
        records.people.iter().map(|of| (of.kind.as_str(), of.metadata.name.as_str())).collect();
    assert_eq!(kinds, [("AccessHistory", "2026-12"), ("Collective", "collective"), ("Access", "wiki")]);
    let collective = &records.people[1];
    assert_eq!(collective.spec["members"]["annaannaanna"]["mail"], "anna@example.org");
    assert_eq!(collective.metadata.annotations.keys().collect::<Vec<_>>(), [marks::MADE_FOR, marks::SEEDED]);
    assert!(records.people.iter().all(|of| of.status.is_null()));
    let before = records;
    put(&caches.accesses, json!({"metadata": made("wiki", 8), "spec": people, "status": {"managers": 7}}));
    assert_eq!(of(&caches), before, "a report is no change");
    let mut gone = made("wiki", 9);
    gone["deletionTimestamp"] = json!("2026-11-30T12:00:00Z");
    put(&caches.accesses, json!({"metadata": gone, "spec": people}));
    assert_eq!(of(&caches).people.len(), 2);
    caches = self::caches();
    let found = Undecodable {
        kind: "Access".into(),
        namespace: "coop".into(),
        name: "wiki".into(),
        uid: "u".into(),
        ..Undecodable::default()
    };
    let identity = Identity { namespace: "coop".to_owned(), name: "wiki".to_owned(), ..Identity::default() };
    caches.accesses.take(&identity, Kept::Undecodable(Arc::new(found)), Origin::Watch);
    assert_eq!(of(&caches).unreadable.len(), 1, "who may enter is not begun empty unsaid");
}
