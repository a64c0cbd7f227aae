//! What is seen around a drill.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::*;
use crate::api::{DrillRule, ServiceData};
use crate::cache::{Identity, Kind};
use crate::gather::fixtures::{put, put_live};
use crate::resolve::fixtures;
use crate::template::Package;

const NOW: &str = "2026-11-30T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// `coop/calendar` with a backup at target `other`, and a drill of it.
fn caches(largest: &str) -> Caches {
    let (caches, facts) = (Caches::new(), fixtures::facts());
    let mut platform = json!(facts.platform.as_deref());
    let target = |name: &str| json!({"name": name, "rest": {"url": "https://b.example.org", "secretName": name}});
    platform["spec"]["backup"] = json!({
        "targets": [target("offsite"), target("other")], "recipients": ["age1"], "drills": {"largest": largest},
    });
    put(&caches.platforms, platform);
    put(&caches.tariffs, json!(facts.tariff.as_deref()));
    put(&caches.entities, json!(facts.entity.as_deref()));
    put(&caches.namespaces, json!({"metadata": {"name": "coop", "labels": {marks::ENTITY: "coop"}}}));
    put_live(
        &caches,
        "RoleBinding",
        json!({"metadata": {"name": crate::entity::OPERATOR_BINDING, "namespace": "coop"}}),
    );
    let (template, (revision, package)) = (fixtures::template(), fixtures::package());
    let of_template =
        json!({"metadata": {"name": "radicale"}, "spec": template.spec, "status": {"revision": revision}});
    put(&caches.templates, of_template);
    let content = json!({"template": "radicale", "content": template.spec});
    put(&caches.revisions, json!({"metadata": {"name": revision, "uid": "r1"}, "spec": content}));
    put(
        &caches.services,
        json!({
            "metadata": {"name": "calendar", "namespace": "coop", "uid": "u1", "generation": 1},
            "spec": {"template": "radicale", "tier": "1gb"},
        }),
    );
    let volume = json!({"name": "data", "claim": "calendar-data", "uid": "p1"});
    let owner = json!({"kind": "DedicatedService", "name": "calendar", "uid": "u1"});
    let record = json!({
        "owner": owner, "template": "radicale", "volumes": [volume], "version": package.latest(), "revision": revision,
    });
    put(&caches.records, json!({"metadata": {"name": "calendar", "namespace": "coop", "uid": "d1"}, "spec": record}));
    put_live(
        &caches,
        "PersistentVolumeClaim",
        json!({
            "metadata": {"name": "calendar-data", "namespace": "coop", "uid": "p1"},
            "spec": {"resources": {"requests": {"storage": "3Gi"}}},
        }),
    );
    run(&caches, package.latest(), &revision);
    drill(&caches, "coop.calendar-1", "2026-11-30T11:00:00Z", json!({"phase": "Waiting"}));
    for namespace in ["coop", marks::DRILLS] {
        caches.secrets.none_in(namespace);
    }
    caches
}

fn run(caches: &Caches, version: &str, revision: &str) {
    let versions = json!({
        "template": "radicale", "application": version, "revision": revision, "operations": revision, "restic": "1",
        "operator": "1", "manifest": 1,
    });
    let repository = json!({"target": "other", "path": "coop-e1.calendar", "id": "r1"});
    let status = json!({
        "phase": "Succeeded", "snapshot": "a".repeat(64), "takenAt": "2026-11-30T01:00:00Z", "versions": versions,
        "repository": repository,
    });
    put(
        &caches.backups,
        json!({
            "metadata": {"name": "b", "namespace": "coop", "uid": "b"},
            "spec": {"service": "calendar", "requestedBy": "anna"}, "status": status,
        }),
    );
}

fn drill(caches: &Caches, name: &str, made: &str, status: Value) {
    put(
        &caches.restores,
        json!({
            "metadata": {"name": name, "namespace": marks::DRILLS, "uid": name, "creationTimestamp": made},
            "spec": {
                "from": {"entity": "coop", "service": "calendar", "snapshot": "a".repeat(64)},
                "into": {"kind": "Drill"}, "requestedBy": "operator",
            },
            "status": status,
        }),
    );
}

fn namespace(caches: &Caches, listed: &str) {
    let annotations = json!({marks::BASELINE: listed});
    put(&caches.namespaces, json!({"metadata": {"name": marks::DRILLS, "uid": "n", "annotations": annotations}}));
}

fn observed(caches: &Caches) -> ObservedDrill {
    let key = Key::new(Kind::ServiceRestore, marks::DRILLS, "coop.calendar-1");
    observe_drill(caches, &Packages::default(), &Own::default(), now(), &key).unwrap()
}

fn proven(caches: &Caches) -> Drilled {
    let backup = caches.platform().unwrap().spec.backup.clone().unwrap();
    let service = caches.dedicated_named("coop", "calendar").pop().unwrap();
    let runs = caches.backups.in_namespace("coop");
    proof(caches, &backup, service.as_ref(), &runs, now())
}

#[test]
fn a_drill_is_of_the_service_as_it_is_from_where_its_snapshot_is() {
    let caches = caches("50Gi");
    namespace(&caches, "");
    let seen = observed(&caches);
    assert_eq!((&seen.closed, &seen.exceptions), (&None, &None));
    let subject = seen.restore.subject.as_ref().unwrap();
    assert_eq!((subject.target.name.as_str(), subject.folder.as_str()), ("other", "coop-e1"));
    assert_eq!(subject.plan.instance.namespace, marks::DRILLS);
    assert_eq!(subject.plan.volumes[0].request.to_string(), "3Gi");
    assert!(seen.objects.unwrap().iter().all(|change| change.namespace == marks::DRILLS));
    assert!(seen.others.are_gone() && seen.own.are_gone());
    assert_eq!(seen.restore.runs.len(), 1);
}

#[test]
fn nothing_is_made_without_the_namespace_or_beside_what_is_there() {
    let caches = caches("50Gi");
    assert!(observed(&caches).closed.unwrap().is(Reason::DrillNamespaceMissing));
    namespace(&caches, "other-app/root");
    let exceptions = observed(&caches).exceptions.unwrap();
    let Action::Merge { patch, .. } = exceptions.action else { panic!() };
    assert_eq!(patch["metadata"]["annotations"], json!({marks::BASELINE: ""}), "another package's are taken away");
    let left = |name: &str, owner: &str| {
        let owner = json!([{"apiVersion": "v1", "kind": "ServiceRestore", "name": owner, "uid": owner}]);
        let metadata = json!({"name": name, "namespace": marks::DRILLS, "uid": name, "ownerReferences": owner});
        put_live(&caches, "ConfigMap", json!({"metadata": metadata}));
    };
    left("theirs", "hort.office-1");
    left("own", "coop.calendar-1");
    let seen = observed(&caches);
    assert_eq!(
        (seen.others.left, seen.own.left),
        (vec!["ConfigMap theirs".to_owned()], vec!["ConfigMap own".to_owned()])
    );
}

#[test]
fn volumes_and_ended_jobs_of_drills_that_failed_stay_beside_and_all_else_goes() {
    let caches = caches("50Gi");
    namespace(&caches, "");
    drill(&caches, "hort.wiki-2", "2026-11-30T09:00:00Z", json!({"phase": "Failed"}));
    drill(&caches, "hort.wiki-1", "2026-11-30T08:00:00Z", json!({"phase": "Failed"}));
    let left = |kind: &'static str, name: &str, of: &str, status: Value| {
        let owner = json!([{"apiVersion": "v1", "kind": "ServiceRestore", "name": of, "uid": of}]);
        let metadata = json!({"name": name, "namespace": marks::DRILLS, "uid": name, "ownerReferences": owner});
        put_live(&caches, kind, json!({"metadata": metadata, "status": status}));
    };
    let failed = || json!({"conditions": [{"type": "Failed", "status": "True"}]});
    left("PersistentVolumeClaim", "wiki-data", "hort.wiki-1", json!({}));
    left("Job", "wiki-load", "hort.wiki-1", failed());
    left("Job", "wiki-compare", "hort.wiki-1", json!({}));
    left("ConfigMap", "wiki-settings", "hort.wiki-1", json!({}));
    left("PersistentVolumeClaim", "calendar-old", "hort.wiki-1", json!({}));
    left("PersistentVolumeClaim", "forum-data", "hort.wiki-2", json!({}));
    left("PersistentVolumeClaim", "nobodys", "gone", json!({}));
    for (pod, job) in [("wiki-load-abcde", "wiki-load"), ("wiki-compare-abcde", "wiki-compare")] {
        let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": job}]);
        let metadata = json!({"name": pod, "namespace": marks::DRILLS, "uid": pod, "ownerReferences": owner});
        put(&caches.pods, json!({"metadata": metadata}));
    }
    let seen = observed(&caches);
    let names = |remains: &Remains| {
        let mut left = remains.left.clone();
        left.sort();
        left
    };
    assert_eq!(names(&seen.evidence), ["Job wiki-load", "PersistentVolumeClaim wiki-data"], "of the oldest one");
    let gone = [
        "ConfigMap wiki-settings",
        "Job wiki-compare",
        "PersistentVolumeClaim calendar-old",
        "PersistentVolumeClaim nobodys",
        "Pod wiki-compare-abcde",
    ];
    assert_eq!(names(&seen.others), gone, "what runs, is in the way of the calendar's own, or is nobody's");
    assert_eq!(names(&seen.own), ["Pod wiki-compare-abcde"]);
}

#[test]
fn what_could_not_be_proven_before_there_were_drills_or_backups_is_not_late_for_it() {
    let caches = caches("50Gi");
    let service = json!({
        "metadata": {"name": "calendar", "namespace": "coop", "uid": "u1", "creationTimestamp": "2025-01-01T00:00:00Z"},
        "spec": {"template": "radicale", "tier": "1gb"},
    });
    put(&caches.services, service);
    let rule = DrillRule::default();
    assert!(proven(&caches).unproven(&rule, now()).is_some_and(|problem| problem.is(Reason::DrillNamespaceMissing)));
    let chart =
        |made: &str| put(&caches.namespaces, json!({"metadata": {"name": marks::DRILLS, "creationTimestamp": made}}));
    chart("2026-11-29T00:00:00Z");
    assert_eq!(proven(&caches).unproven(&rule, now()), None, "the release that brought drills is of yesterday");
    chart("2026-10-01T00:00:00Z");
    assert!(proven(&caches).unproven(&rule, now()).is_some_and(|problem| problem.is(Reason::RestoreUnproven)));
    let key = Sealed {
        name: "backup-key-platform".into(),
        created: Some("2026-11-28T00:00:00Z".parse().unwrap()),
        ..Sealed::default()
    };
    let metadata = ObjectMeta { name: Some(key.name.clone()), ..ObjectMeta::default() };
    caches.platform_secrets.put(&Identity::of(&metadata), key);
    assert_eq!(proven(&caches).unproven(&rule, now()), None, "nothing was backed up before the day before yesterday");
}

#[test]
fn another_drill_and_a_restore_in_place_go_first() {
    let caches = caches("50Gi");
    namespace(&caches, "");
    assert_eq!(observed(&caches).restore.goes_first, None);
    let in_place = |phase: &str| {
        put(
            &caches.restores,
            json!({
                "metadata": {"name": "back", "namespace": "coop", "uid": "back", "creationTimestamp": NOW},
                "spec": {"from": {"service": "calendar"}, "requestedBy": "anna"}, "status": {"phase": phase},
            }),
        );
    };
    in_place("Files");
    assert_eq!(observed(&caches).restore.goes_first.as_deref(), Some("ServiceRestore coop/back"));
    assert!(proven(&caches).is_busy);
    in_place("Succeeded");
    drill(&caches, "coop.calendar-0", "2026-11-30T10:00:00Z", json!({"phase": "Waiting"}));
    assert!(observed(&caches).restore.goes_first.unwrap().ends_with("/coop.calendar-0"));
}

#[test]
fn what_is_proven_is_the_newest_backup_that_the_service_can_be_restored_from() {
    let caches = caches("50Gi");
    namespace(&caches, "");
    let known = proven(&caches);
    assert_eq!((known.newest, known.barred, known.drills.len()), (Some("a".repeat(64)), None, 1));
    run(&caches, "0.9", "radicale-older");
    assert_eq!(proven(&caches).newest, None, "nobody knows any more with what it was made");
}

#[test]
fn a_backup_of_before_an_upgrade_is_drilled_with_what_it_was_made_with() {
    let caches = caches("50Gi");
    namespace(&caches, "");
    let mut older = fixtures::template();
    older.spec.versions[0].name = "0.9".to_owned();
    let revision = Package::compile("radicale", &older.spec).unwrap().revision_name();
    let content = json!({"template": "radicale", "content": older.spec});
    put(&caches.revisions, json!({"metadata": {"name": revision, "uid": "r0"}, "spec": content}));
    run(&caches, "0.9", &revision);
    assert_eq!(proven(&caches).newest, Some("a".repeat(64)));
    // Its Entity has it on a later one, with a parameter that came with that, and on an image of its own.
    let entity = json!([{"apiVersion": "v1", "kind": "Entity", "name": "coop", "uid": "e1", "controller": true}]);
    let service = json!({
        "metadata": {"name": "calendar", "namespace": "coop", "uid": "u1", "generation": 1, "ownerReferences": entity},
        "spec": {"template": "radicale", "tier": "1gb", "parameters": {"later": "x", "realm": "Hort"}},
    });
    put(&caches.services, service);
    let now = caches.records.get("coop", "calendar").unwrap();
    let mut with_image = ServiceData::clone(&now);
    with_image.spec.images =
        serde_json::from_value(json!([{"name": "radicale", "reference": "own/radicale:4"}])).unwrap();
    caches.records.put(&Identity::of(&with_image.metadata), with_image);
    let seen = observed(&caches).restore;
    let subject = seen.subject.as_ref().unwrap();
    assert_eq!((subject.plan.version.as_str(), &subject.plan.revision), ("0.9", &revision));
    assert_eq!(subject.plan.parameters["realm"], "Hort");
    assert!(!subject.plan.images.values().any(|image| image.contains("own/")), "{:?}", subject.plan.images);
    let record = &seen.record.as_ref().unwrap().spec;
    assert_eq!((record.version.as_deref(), record.revision.as_ref()), (Some("0.9"), Some(&revision)));
    assert_eq!(subject.record.spec, *record, "by which the manifest is judged");
    assert_ne!(caches.records.get("coop", "calendar").unwrap().spec.revision, Some(revision), "it stays what it is");
    caches.revisions.remove(&Identity {
        name: subject.plan.revision.clone(),
        uid: "r0".to_owned(),
        ..Identity::default()
    });
    assert!(observed(&caches).restore.subject.unwrap_err().is(Reason::RevisionNotFound));
}

#[test]
fn what_is_lost_is_not_drilled_before_it_is_back() {
    let caches = caches("50Gi");
    assert!(!proven(&caches).is_busy);
    let record = caches.records.get("coop", "calendar").unwrap();
    let mut lost = record.as_ref().clone();
    lost.spec.restoring = Some("all is lost".to_owned());
    caches.records.put(&Identity::of(&lost.metadata), lost);
    assert!(proven(&caches).is_busy);
}

#[test]
fn what_a_clock_ahead_proved_is_not_proven() {
    let caches = caches("50Gi");
    let prove = |at: &str| {
        let run = caches.backups.get("coop", "b").unwrap();
        let mut proven = run.as_ref().clone();
        proven.status.as_mut().unwrap().proven_at = serde_json::from_value(json!(at)).unwrap();
        caches.backups.put(&Identity::of(&proven.metadata), proven);
    };
    prove("2026-11-29T01:00:00Z");
    assert!(proven(&caches).proven_at.is_some());
    prove("2027-11-29T01:00:00Z");
    assert_eq!(proven(&caches).proven_at, None);
}

#[test]
fn a_service_that_is_too_large_says_so() {
    let caches = caches("2Gi");
    namespace(&caches, "");
    let barred = proven(&caches).barred.unwrap();
    assert!(barred.is(Reason::DrillTooLarge), "{barred:?}");
    assert_eq!(barred.message, "its volumes request 3Gi, and spec.backup.drills.largest of the Platform is 2Gi");
}
