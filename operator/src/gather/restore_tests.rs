//! What is seen around a restore.

use serde_json::{Value, json};

use super::*;
use crate::api::marks;
use crate::cache::{Kind, Store};
use crate::gather::fixtures::{put, put_live};
use crate::resolve::fixtures;

/// `coop/calendar` as its plan has it, and a restore of it in this phase.
fn caches(phase: &str) -> Caches {
    let (caches, facts) = (Caches::new(), fixtures::facts());
    let mut platform = json!(facts.platform.as_deref());
    let target = |name: &str| json!({"name": name, "rest": {"url": "https://b.example.org", "secretName": name}});
    platform["spec"]["backup"] = json!({"targets": [target("offsite"), target("other")], "recipients": ["age1"]});
    put(&caches.platforms, platform);
    put(&caches.tariffs, json!(facts.tariff.as_deref()));
    put(&caches.entities, json!(facts.entity.as_deref()));
    put(&caches.namespaces, json!({"metadata": {"name": "coop", "labels": {marks::ENTITY: "coop"}}}));
    put_live(
        &caches,
        "RoleBinding",
        json!({"metadata": {"name": crate::entity::OPERATOR_BINDING, "namespace": "coop"}}),
    );
    let (template, (revision, _)) = (fixtures::template(), fixtures::package());
    let of_template =
        json!({"metadata": {"name": "radicale"}, "spec": template.spec, "status": {"revision": revision}});
    put(&caches.templates, of_template);
    let content = json!({"template": "radicale", "content": template.spec});
    put(&caches.revisions, json!({"metadata": {"name": revision, "uid": "r1"}, "spec": content}));
    put(&caches.services, service(1, "True"));
    let volume = json!({"name": "data", "claim": "calendar-data", "uid": "p1"});
    let owner = json!({"kind": "DedicatedService", "name": "calendar", "uid": "u1"});
    let record = json!({"owner": owner, "template": "radicale", "volumes": [volume]});
    put(&caches.records, json!({"metadata": {"name": "calendar", "namespace": "coop", "uid": "d1"}, "spec": record}));
    restore(&caches, "back", 5, json!({"phase": phase}));
    caches.secrets.none_in("coop");
    caches
}

fn service(observed: u32, ready: &str) -> Value {
    let condition = json!({
        "type": "Ready", "status": ready, "reason": "Unreachable", "message": "said", "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    json!({
        "metadata": {"name": "calendar", "namespace": "coop", "uid": "u1", "generation": 1},
        "spec": {"template": "radicale", "tier": "1gb"},
        "status": {"observedGeneration": observed, "conditions": [condition]},
    })
}

fn restore(caches: &Caches, name: &str, made: u32, status: Value) {
    put(
        &caches.restores,
        json!({
            "metadata": {"name": name, "namespace": "coop", "uid": name, "creationTimestamp": format!("2026-11-30T10:00:{made:02}Z")},
            "spec": {"from": {"service": "calendar"}, "requestedBy": "anna"}, "status": status,
        }),
    );
}

fn run(caches: &Caches, name: &str, reason: &str, status: Value) {
    put(
        &caches.backups,
        json!({
            "metadata": {"name": name, "namespace": "coop", "uid": name, "creationTimestamp": "2026-11-30T09:00:00Z"},
            "spec": {"service": "calendar", "reason": reason, "requestedBy": "anna"}, "status": status,
        }),
    );
}

fn observed(caches: &Caches, name: &str) -> ObservedRestore {
    let key = Key::new(Kind::ServiceRestore, "coop", name);
    observe_restore(caches, &Packages::default(), &Own::default(), Timestamp::UNIX_EPOCH, &key).unwrap()
}

fn seen(caches: &Caches) -> SeenService {
    observed(caches, "back").service
}

/// The workload of the plan that the caches make, as the API server has it.
fn apply_workload(caches: &Caches) {
    let subject = observed(caches, "back").subject.unwrap();
    let deployment = subject.objects.iter().find(|object| object.kind == "Deployment").unwrap();
    let mut value = deployment.value.clone();
    value["metadata"]["uid"] = json!("w1");
    put_live(caches, "Deployment", value);
}

fn pod(caches: &Caches, name: &str, component: &str, more: Value) {
    let mut metadata = json!({
        "name": name, "namespace": "coop", "uid": name,
        "labels": {marks::INSTANCE: "calendar", marks::INSTANCE_KIND: "DedicatedService", COMPONENT: component},
    });
    metadata.as_object_mut().unwrap().extend(more["metadata"].as_object().cloned().unwrap_or_default());
    put(&caches.pods, json!({"metadata": metadata, "status": more["status"]}));
}

#[test]
fn a_service_is_applied_once_its_workloads_are_what_the_stage_and_the_record_ask_for() {
    let caches = caches("Starting");
    assert!(!seen(&caches).is_applied, "nothing of it is there");
    apply_workload(&caches);
    assert!(seen(&caches).is_applied);
    restore(&caches, "back", 5, json!({"phase": "Switching"}));
    assert!(!seen(&caches).is_applied, "it is to be stopped");
    apply_workload(&caches);
    assert!(seen(&caches).is_applied, "it is");
    let mut record = json!(caches.records.get("coop", "calendar").as_deref());
    record["spec"]["volumes"][0]["claim"] = json!("calendar-data-r1");
    put(&caches.records, record);
    assert!(!seen(&caches).is_applied, "on the former claim");
    apply_workload(&caches);
    assert!(seen(&caches).is_applied);
}

#[test]
fn pods_are_left_that_are_not_to_run_or_on_their_way_out() {
    let stopped = caches("Switching");
    pod(&stopped, "app", "app", json!({}));
    pod(&stopped, "ended", "app", json!({"status": {"phase": "Succeeded"}}));
    assert_eq!(seen(&stopped).pods_left, ["app"]);
    let whole = caches("Starting");
    pod(&whole, "app", "app", json!({}));
    assert!(seen(&whole).pods_left.is_empty());
    pod(&whole, "going", "app", json!({"metadata": {"deletionTimestamp": "2026-11-30T10:00:00Z"}}));
    assert_eq!(seen(&whole).pods_left, ["going"]);
}

#[test]
fn a_service_is_ready_by_what_it_says_of_its_present_spec() {
    let caches = caches("Starting");
    let with = |observed: u32, ready: &str| {
        put(&caches.services, service(observed, ready));
        seen(&caches).not_ready.map(|problem| problem.reason)
    };
    assert_eq!(with(1, "True"), None);
    assert_eq!(with(1, "False").as_deref(), Some("Unreachable"));
    assert_eq!(with(0, "True").as_deref(), Some("Starting"));
}

#[test]
fn a_restore_reads_from_the_target_at_which_its_snapshot_is() {
    let caches = caches("Waiting");
    let target = |caches: &Caches| observed(caches, "back").subject.unwrap().target.name;
    assert_eq!(target(&caches), "offsite", "nothing is chosen");
    let repository = json!({"target": "other", "path": "coop-e1/calendar", "id": "r1"});
    run(&caches, "b", "Requested", json!({"phase": "Succeeded", "snapshot": "s1", "repository": repository}));
    run(&caches, "half", "Requested", json!({"phase": "Failed"}));
    restore(&caches, "back", 5, json!({"phase": "Preparing", "snapshot": "s1"}));
    assert_eq!(target(&caches), "other");
    let runs: Vec<String> = observed(&caches, "back").runs.iter().map(|run| run.name_any()).collect();
    assert_eq!(runs, ["b"]);
}

#[test]
fn a_run_at_work_and_an_older_restore_go_first_and_other_runs_wait() {
    let caches = caches("Waiting");
    let first = |name: &str| observed(&caches, name).goes_first;
    run(&caches, "b", "Requested", json!({"phase": "Waiting"}));
    assert_eq!(first("back"), None);
    run(&caches, "b", "Requested", json!({"phase": "SecondPass"}));
    assert_eq!(first("back").as_deref(), Some("ServiceBackup/b"));
    run(&caches, "b", "BeforeRestore", json!({"phase": "Waiting"}));
    assert_eq!(first("back").as_deref(), Some("ServiceBackup/b"), "it is made for the restore");
    run(&caches, "b", "BeforeRestore", json!({"phase": "Succeeded"}));
    restore(&caches, "older", 1, json!({"phase": "Waiting"}));
    assert_eq!((first("back").as_deref(), first("older")), (Some("ServiceRestore/older"), None));
    restore(&caches, "back", 5, json!({"phase": "Files"}));
    assert_eq!((first("back"), first("older").as_deref()), (None, Some("ServiceRestore/back")), "it has begun");
    restore(&caches, "back", 5, json!({"phase": "Failed"}));
    assert_eq!(first("older"), None);
}

#[test]
fn of_an_older_restore_that_waits_itself_it_is_known_for_what() {
    let caches = caches("Waiting");
    let first = || {
        let seen = observed(&caches, "back");
        (seen.goes_first, seen.first_waits)
    };
    let of = |waits: Option<&str>| (Some("ServiceRestore/older".to_owned()), waits.map(str::to_owned));
    let ready = json!({
        "type": "Ready", "status": "False", "reason": "NoRoom", "message": "said", "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    assert_eq!(first(), (None, None));
    restore(&caches, "older", 1, json!({"phase": "Waiting", "conditions": [ready]}));
    assert_eq!(first(), of(Some("said")));
    restore(&caches, "older", 1, json!({"phase": "Files", "conditions": [ready]}));
    assert_eq!(first(), of(None), "it has begun, and ends by itself");
    restore(&caches, "older", 1, json!(null));
    assert_eq!(first(), of(Some("nothing is reported of it yet")));
}

#[test]
fn a_restore_of_a_service_that_is_gone_keeps_its_record() {
    let caches = Caches { services: Store::default(), ..caches("Switching") };
    let seen = observed(&caches, "back");
    let problem = seen.subject.unwrap_err();
    assert!(problem.message.contains("no service calendar in namespace coop"), "{}", problem.message);
    assert!(seen.record.is_some() && !seen.service.is_applied);
}

#[test]
fn of_a_service_that_begins_with_a_backup_it_is_known_whose_it_is_and_what_the_others_secrets_hold() {
    let caches = caches("Waiting");
    let into = |service: &str| {
        let spec = json!({
            "from": {"service": "calendar"}, "into": {"kind": "NewService", "service": service}, "requestedBy": "anna",
        });
        let metadata = json!({"name": "copy", "namespace": "coop", "uid": "copy"});
        put(&caches.restores, json!({"metadata": metadata, "spec": spec}));
        observed(&caches, "copy")
    };
    let missing = into("other");
    let new = missing.new.unwrap();
    assert!(new.whose.unwrap_err().message.contains("no service other in namespace coop yet"));
    assert_eq!(new.source.unwrap().name_any(), "calendar");
    assert!(missing.record.is_none() && new.secrets.is_some() && new.sources.is_some());
    let mut other = service(1, "True");
    other["metadata"]["name"] = json!("other");
    other["metadata"]["uid"] = json!("u2");
    put(&caches.services, other);
    let seen = into("other");
    let whose = seen.new.unwrap().whose.unwrap();
    assert_eq!((whose.instance.name.as_str(), whose.instance.uid.as_str()), ("other", "u2"));
    assert_eq!((whose.template.as_str(), whose.entity.uid.is_some()), ("radicale", true));
    assert_eq!(seen.subject.unwrap_err().reason, "DataBeingMade", "it has no record");
    assert!(observed(&caches, "back").new.is_none());
}

#[test]
fn a_quota_leaves_what_is_not_used_of_it() {
    let quota = |value: Value| -> ResourceQuota { serde_json::from_value(value).unwrap() };
    let claim = Live::of(
        "PersistentVolumeClaim",
        serde_json::from_value(json!({
            "metadata": {"name": "calendar-data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}},
        }))
        .unwrap(),
    );
    let hard = json!({"requests.storage": "3Gi", "persistentvolumeclaims": "2"});
    let counted = json!({"used": {"requests.storage": "2560Mi", "persistentvolumeclaims": "1"}});
    let quotas = [
        quota(json!({"metadata": {"name": "counted"}, "spec": {"hard": hard}, "status": counted})),
        quota(json!({"metadata": {"name": "new"}, "spec": {"hard": hard}})),
        quota(json!({"metadata": {"name": "of-pods"}, "spec": {"hard": {"pods": "1"}}})),
    ];
    let left: Vec<_> = rooms(&quotas, &[Arc::new(claim)])
        .into_iter()
        .map(|room| (room.quota, room.storage.map(|left| left.to_string()), room.claims))
        .collect();
    let of = |name: &str, storage: Option<&str>, claims| (name.to_owned(), storage.map(str::to_owned), claims);
    assert_eq!(
        left,
        [of("counted", Some("512Mi"), Some(1)), of("new", Some("2Gi"), Some(1)), of("of-pods", None, None)]
    );
}

/// A run of the other Entity, and its consent.
fn of_another(caches: &Caches, snapshot: &str) {
    let repository = json!({"target": "other", "path": "other-e2.calendar", "id": "d".repeat(64)});
    let status = json!({"phase": "Succeeded", "snapshot": snapshot, "repository": repository});
    put(
        &caches.backups,
        json!({
            "metadata": {"name": snapshot, "namespace": "other", "uid": snapshot},
            "spec": {"service": "calendar", "requestedBy": "berta"}, "status": status,
        }),
    );
}

fn restore_of_another(caches: &Caches, status: Value) {
    put(
        &caches.restores,
        json!({
            "metadata": {"name": "back", "namespace": "coop", "uid": "back"},
            "spec": {
                "from": {"service": "calendar", "entity": "other", "snapshot": "given"},
                "into": {"kind": "NewService", "service": "calendar"}, "requestedBy": "anna",
            },
            "status": status,
        }),
    );
}

#[test]
fn of_another_entity_nothing_is_seen_but_the_backup_that_is_asked_for() {
    let caches = caches("Waiting");
    of_another(&caches, "given");
    of_another(&caches, "secret");
    let repository = json!({"target": "offsite", "path": "coop-e1.calendar", "id": "a".repeat(64)});
    run(&caches, "own", "Requested", json!({"phase": "Succeeded", "snapshot": "own", "repository": repository}));
    restore_of_another(&caches, json!({"phase": "Waiting"}));
    let seen = observed(&caches, "back");
    assert_eq!(seen.runs.iter().map(|run| run.name_any()).collect::<Vec<_>>(), ["given"]);
    let foreign = seen.foreign.unwrap();
    assert_eq!((foreign.entity.as_str(), foreign.run.is_some(), foreign.job), ("other", true, None));
    assert_eq!(seen.subject.unwrap().target.name, "other", "the target at which it is");
    assert_eq!(seen.new.unwrap().from, "other", "whose Secrets its data was made with");
}

#[test]
fn once_it_is_copied_its_target_is_the_recorded_one_whatever_the_other_entity_does() {
    let caches = caches("Waiting");
    restore_of_another(&caches, json!({"phase": "Preparing", "snapshot": "copy", "copyTarget": "other"}));
    let seen = observed(&caches, "back");
    assert!(seen.runs.is_empty() && seen.foreign.unwrap().run.is_none());
    assert_eq!(seen.subject.unwrap().target.name, "other");
}

#[test]
fn the_repository_that_the_copy_goes_to_is_the_one_that_runs_there_know() {
    let caches = caches("Waiting");
    of_another(&caches, "given");
    restore_of_another(&caches, json!({"phase": "Waiting"}));
    let expected = |caches: &Caches| observed(caches, "back").foreign.unwrap().expected;
    assert_eq!(expected(&caches), None);
    let seen = observed(&caches, "back").subject.unwrap();
    let path = crate::backup::copy::copy_place(&seen).path;
    for (name, target, id) in [("elsewhere", "offsite", "b"), ("here", "other", "c")] {
        let repository = json!({"target": target, "path": path, "id": id.repeat(64)});
        run(&caches, name, "Requested", json!({"phase": "Succeeded", "snapshot": name, "repository": repository}));
    }
    assert_eq!(expected(&caches), Some("c".repeat(64)));
}
