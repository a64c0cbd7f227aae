//! Whom a change around runs of backups and restores concerns.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::{Identity, Live, Sealed, Store};
use super::*;
use crate::api::marks;

fn put<T: serde::de::DeserializeOwned + kube::Resource>(store: &Store<T>, object: Value) -> T {
    let read = || serde_json::from_value::<T>(object.clone()).unwrap();
    let _ = store.put(&Identity::of(read().meta()), read());
    read()
}

fn run(name: &str, service: &str, phase: Option<&str>) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "coop", "uid": name, "resourceVersion": "1"},
        "spec": {"service": service, "requestedBy": "anna"}, "status": {"phase": phase},
    })
}

fn restore(name: &str, service: &str, phase: Option<&str>) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "coop", "uid": name, "resourceVersion": "1"},
        "spec": {"from": {"service": service}, "requestedBy": "anna"}, "status": {"phase": phase},
    })
}

/// Of the wiki a run that waits and one that ended, a restore that waits; of the office a run that waits.
fn caches() -> Caches {
    let caches = Caches::new();
    put(&caches.backups, run("waits", "wiki", None));
    put(&caches.backups, run("ended", "wiki", Some("Succeeded")));
    put(&caches.backups, run("of-office", "office", Some("Waiting")));
    put(&caches.restores, restore("comes-back", "wiki", Some("Waiting")));
    put(
        &caches.services,
        json!({
            "metadata": {"name": "wiki", "namespace": "coop", "uid": "wiki", "resourceVersion": "1"},
            "spec": {"template": "radicale", "tier": "1gb"},
        }),
    );
    caches
}

fn shown(keys: Vec<Key>) -> BTreeSet<String> {
    keys.into_iter().map(|key| format!("{}/{}", key.kind.as_str(), key.name)).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_job_of_a_run_concerns_the_unfinished_runs_and_restores_of_its_service_alone() {
    let labels = json!({marks::ENTITY: "coop", marks::MANAGED_BY: marks::OPERATOR, OPERATION_OF: "wiki"});
    let job = json!({"metadata": {"name": "wiki-files", "namespace": "coop", "labels": labels}});
    let live = Live::of("Job", serde_json::from_value(job.clone()).unwrap());
    let wiki = set(&["ServiceBackup/waits", "ServiceRestore/comes-back"]);
    assert_eq!(shown(live.concerned(&caches())), wiki);
    let pod: k8s_openapi::api::core::v1::Pod = serde_json::from_value(job).unwrap();
    assert_eq!(shown(pod.concerned(&caches())), wiki);
}

#[test]
fn a_run_that_goes_on_wakes_who_waits_for_it_and_its_service() {
    let caches = caches();
    let before: ServiceBackup = serde_json::from_value(run("first", "wiki", Some("Recording"))).unwrap();
    let after: ServiceBackup = serde_json::from_value(run("first", "wiki", Some("Succeeded"))).unwrap();
    let awake = set(&["ServiceBackup/waits", "ServiceRestore/comes-back", "DedicatedService/wiki", "Entity/coop"]);
    assert_eq!(shown(ServiceBackup::unblocked(Some(&before), Some(&after), &caches)), awake);
    assert_eq!(shown(ServiceBackup::unblocked(Some(&before), None, &caches)), awake, "it is gone");
    assert_eq!(shown(ServiceBackup::unblocked(Some(&before), Some(&before), &caches)), set(&[]));
    assert_eq!(shown(after.concerned(&caches)), set(&["ServiceBackup/first"]));
}

#[test]
fn a_restore_that_goes_on_wakes_the_record_as_well() {
    let caches = caches();
    let read = |phase| serde_json::from_value::<ServiceRestore>(restore("comes-back", "wiki", Some(phase))).unwrap();
    let (before, after) = (read("Files"), read("Switching"));
    let keys = shown(ServiceRestore::unblocked(Some(&before), Some(&after), &caches));
    assert!(keys.contains("ServiceData/wiki") && keys.contains("DedicatedService/wiki"), "{keys:?}");
}

#[test]
fn an_instance_and_an_entity_concern_their_own_unfinished_runs() {
    let caches = caches();
    let wiki = caches.services.get("coop", "wiki").unwrap();
    let keys = shown(wiki.concerned(&caches));
    assert!(keys.contains("ServiceBackup/waits") && keys.contains("ServiceRestore/comes-back"), "{keys:?}");
    assert!(!keys.contains("ServiceBackup/of-office") && !keys.contains("ServiceBackup/ended"), "{keys:?}");
    assert!(shown(caches.in_entity("coop")).is_superset(&set(&["ServiceBackup/waits", "ServiceBackup/of-office"])));
}

#[test]
fn the_key_of_a_repository_and_a_targets_secret_concern_whoever_waits_for_one() {
    let caches = caches();
    let target = json!({"name": "offsite", "rest": {"url": "https://b.example.org", "secretName": "offsite"}});
    put(
        &caches.platforms,
        json!({
            "metadata": {"name": "default", "uid": "p", "resourceVersion": "1"},
            "spec": {"baseDomain": "example.org", "backup": {"targets": [target], "recipients": ["age1"]}},
        }),
    );
    let secret = |name: &str| Sealed { name: name.to_owned(), ..Sealed::default() };
    let all = set(&["ServiceBackup/waits", "ServiceBackup/of-office", "ServiceRestore/comes-back"]);
    for name in ["offsite", "backup-key-coop-12345678"] {
        assert_eq!(shown(secret(name).concerned(&caches)), all, "{name}");
    }
    assert_eq!(shown(secret("another").concerned(&caches)), set(&[]));
}
