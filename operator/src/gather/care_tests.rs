//! Whose backups are cared for.

use serde_json::{Value, json};

use super::*;
use crate::api::{BackupRepository, marks};
use crate::backup::CareWork;
use crate::backup::maintenance::{CARE, REPOSITORY};
use crate::cache::{Identity, Kept, Origin, Undecodable};
use crate::gather::fixtures::put;
use crate::gather::idle_since;

const NOW: &str = "2026-11-30T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn run(caches: &Caches, name: &str, made: &str, phase: &str, id: &str) {
    let metadata = json!({
        "name": name, "namespace": "coop", "uid": name, "creationTimestamp": format!("2026-11-{made}T01:00:00Z"),
    });
    let at = json!({"target": "far", "path": "coop-1.office", "id": id});
    put(
        &caches.backups,
        json!({
            "metadata": metadata, "spec": {"service": "office", "requestedBy": "anna"},
            "status": {"phase": phase, "repository": at},
        }),
    );
}

fn one(caches: &Caches) -> KeptService {
    let mut all = kept_services(caches, now());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn a_service_is_gone_once_neither_it_nor_its_data_is_there() {
    let caches = Caches::new();
    run(&caches, "monday", "01", "Succeeded", "r1");
    assert!(one(&caches).is_gone);
    let metadata = json!({"name": "office", "namespace": "coop", "uid": "d1"});
    let owner = json!({"kind": "DedicatedOffice", "name": "office", "uid": "u1"});
    put(&caches.records, json!({"metadata": metadata, "spec": {"owner": owner, "template": "office", "volumes": []}}));
    assert!(!one(&caches).is_gone, "its data is kept");
    let caches = Caches::new();
    run(&caches, "monday", "01", "Succeeded", "r1");
    put(&caches.offices, json!({"metadata": metadata, "spec": {"tier": "1gb"}}));
    assert!(!one(&caches).is_gone);
}

#[test]
fn a_repository_is_as_its_newest_run_has_it_and_nobody_cares_for_it_while_one_is_at_work() {
    let caches = Caches::new();
    run(&caches, "first", "01", "Succeeded", "r1");
    run(&caches, "second", "02", "Succeeded", "r2");
    run(&caches, "third", "03", "Failed", "");
    let at = |id: &str| BackupRepository { target: "far".into(), path: "coop-1.office".into(), id: id.into() };
    let found = repositories(&[one(&caches)]);
    assert_eq!(found.iter().map(|cared| (cared.at.clone(), cared.is_busy)).collect::<Vec<_>>(), [(at("r2"), false)]);
    run(&caches, "fourth", "04", "FirstPass", "r2");
    assert!(repositories(&[one(&caches)])[0].is_busy);
    run(&caches, "fourth", "04", "Waiting", "r2");
    assert!(!repositories(&[one(&caches)])[0].is_busy, "it has waited for weeks");
    run(&caches, "fourth", "30", "Waiting", "r2");
    assert!(!repositories(&[one(&caches)])[0].is_busy, "since this morning");
    assert!(kept_services(&caches, "2026-11-30T01:30:00Z".parse().unwrap())[0].is_busy, "for half an hour");
}

#[test]
fn nobody_cares_for_a_repository_that_is_read_for_a_drill() {
    let caches = Caches::new();
    run(&caches, "first", "01", "Succeeded", "r1");
    let drill = |of: &str, phase: &str| {
        let metadata = json!({"name": "drill", "namespace": marks::DRILLS, "uid": "d1", "creationTimestamp": NOW});
        let spec = json!({
            "from": {"entity": of, "service": "office"}, "into": {"kind": "Drill"}, "requestedBy": "operator",
        });
        put(&caches.restores, json!({"metadata": metadata, "spec": spec, "status": {"phase": phase}}));
        one(&caches).is_busy
    };
    assert!(drill("coop", "Waiting"), "it is about to begin");
    assert!(drill("coop", "Files"));
    assert!(!drill("other", "Files"), "of another's office");
    assert!(!drill("coop", "Failed"), "what it left reads nothing");
}

#[test]
fn the_platforms_own_are_cared_for_where_its_records_went() {
    let caches = Caches::new();
    let target = |name: &str| json!({"name": name, "rest": {"url": "https://b.example.org", "secretName": name}});
    let backup: PlatformBackup =
        serde_json::from_value(json!({"targets": [target("far"), target("new")], "recipients": ["age1"]})).unwrap();
    let own = Own { namespace: "cloud".into(), ..Own::default() };
    assert_eq!(own_repositories(&caches, &backup, &own), [], "nobody has looked yet");
    let id = |target: &str| (target.to_owned(), Some(format!("id-{target}")));
    caches.repositories.put_records([id("far"), id("former")].into());
    assert!(!knows_own_repositories(&caches, &backup), "nobody has looked at the new one");
    caches.repositories.put_records([id("far"), ("new".to_owned(), None), id("former")].into());
    assert!(knows_own_repositories(&caches, &backup));
    let found = own_repositories(&caches, &backup, &own);
    let shown =
        found.iter().map(|cared| (cared.holds, cared.entity.as_str(), cared.at.path.as_str(), cared.at.id.as_str()));
    let expected = [(Holds::Records, "cloud", "platform", "id-far"), (Holds::Keys, "cloud", "escrow", "")];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn all_runs_are_known_once_they_were_listed_and_each_of_them_can_be_read() {
    let caches = Caches::new();
    assert!(!knows_all_runs(&caches));
    caches.backups.begin_list();
    caches.backups.finish_list();
    assert!(knows_all_runs(&caches));
    let found = Undecodable {
        kind: "ServiceBackup".into(),
        namespace: "coop".into(),
        name: "newer".into(),
        uid: "u".into(),
        ..Undecodable::default()
    };
    let identity = Identity { namespace: "coop".to_owned(), name: "newer".to_owned(), ..Identity::default() };
    caches.backups.take(&identity, Kept::Undecodable(Arc::new(found)), Origin::Watch);
    assert!(!knows_all_runs(&caches));
}

#[test]
fn a_job_is_known_by_its_labels() {
    let job = |labels: Value| -> Job {
        let metadata = json!({"name": "check-1", "uid": "j1", "creationTimestamp": NOW, "labels": labels});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    };
    let found = care_jobs(&[job(json!({REPOSITORY: "a", CARE: "check"})), job(json!({"x": "y"}))], &[], now());
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].work, found[0].repository.as_str(), found[0].is_at_work()), (CareWork::Check, "a", true));
}

/// A lock is nobody's only once copies have ended as well, which care for nothing.
#[test]
fn who_copies_is_at_work_as_well_as_who_cares() {
    let job = |conditions: Value| -> Job {
        let metadata = json!({"name": "copy-1", "namespace": "system", "uid": "c1", "labels": {REPOSITORY: "x"}});
        serde_json::from_value(json!({"metadata": metadata, "status": {"conditions": conditions}})).unwrap()
    };
    let idle = |job: &Job| idle_since(&home_jobs(std::slice::from_ref(job), now()), &[]);
    let (runs, at) = (job(json!([])), "2026-11-30T11:00:00Z");
    assert!(care_jobs(std::slice::from_ref(&runs), &[], now()).is_empty());
    assert_eq!(idle(&runs), None);
    let ended = job(json!([{"type": "Complete", "status": "True", "lastTransitionTime": at}]));
    assert_eq!(idle(&ended), Some(at.parse().unwrap()));
}

#[test]
fn what_was_copied_of_another_entitys_is_cared_for_with_the_service_that_it_was_copied_for() {
    let caches = Caches::new();
    let made = |at: &str| {
        let metadata = json!({"name": "coop", "uid": "0a1b2c3d-0000-0000-0000-000000000000", "creationTimestamp": at});
        put(&caches.entities, json!({"metadata": metadata, "spec": {"displayName": "Coop", "tariff": "t"}}));
    };
    made("2026-11-01T00:00:00Z");
    let metadata = json!({"name": "from-other", "namespace": "coop", "uid": "r1", "creationTimestamp": NOW});
    let spec = json!({
        "from": {"entity": "other", "service": "office", "snapshot": "a".repeat(64)},
        "into": {"kind": "NewService", "service": "agenda"}, "requestedBy": "anna",
    });
    let status = json!({"phase": "Succeeded", "snapshot": "c".repeat(64), "copyTarget": "far", "copiedAt": NOW});
    put(&caches.restores, json!({"metadata": metadata, "spec": spec, "status": status}));
    let service = one(&caches);
    assert_eq!((service.entity.as_str(), service.service.as_str(), service.runs.len()), ("coop", "agenda", 0));
    let at = &service.copies[0].at;
    assert_eq!((at.target.as_str(), at.path.as_str()), ("far", "coop-0a1b2c3d.agenda"));
    assert!(!service.is_busy && repositories(std::slice::from_ref(&service)).is_empty());
    let awaited = || awaited_copy(&caches, &caches.restores.get("coop", "from-other").unwrap(), now()).is_some();
    let namespace = |metadata: Value| put(&caches.namespaces, json!({"metadata": metadata}));
    namespace(json!({"name": "coop"}));
    assert!(!awaited(), "there is no target any more");
    let target = json!({"name": "far", "rest": {"url": "https://b.example.org", "secretName": "far"}});
    let backup = json!({"targets": [target], "recipients": ["age1"]});
    put(
        &caches.platforms,
        json!({"metadata": {"name": "default"}, "spec": {"baseDomain": "example.org", "backup": backup}}),
    );
    assert!(awaited());
    namespace(json!({"name": "coop", "deletionTimestamp": NOW}));
    assert!(!awaited(), "nothing keeps an Entity from its end");
    made("2026-12-01T00:00:00Z");
    assert!(kept_services(&caches, now()).is_empty(), "of an Entity of the same name, whose folder was another one");
}
