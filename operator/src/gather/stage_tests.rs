use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use test_case::test_case;

use super::*;
use crate::cache::{Identity, Live, Store};
use crate::gather::observe;
use crate::resolve::fixtures;
use crate::usage::Measurement;

/// What is put later is newer.
static VERSIONS: AtomicU64 = AtomicU64::new(1);

fn put_at<T: PartialEq + serde::de::DeserializeOwned>(store: &Store<T>, object: &Value) {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let version = VERSIONS.fetch_add(1, Ordering::Relaxed);
    let identity = Identity { namespace, uid: name.clone(), name, version };
    store.put(&identity, serde_json::from_value(object.clone()).unwrap());
}

/// `coop/calendar` on its claim, and a restore of it that says this.
fn surroundings(status: &Value, spec: &Value) -> Caches {
    let caches = Caches::new();
    let template = fixtures::template();
    let (revision, _) = fixtures::package();
    let api_version = "commonscloud.coop/v1alpha1";
    put_at(
        &caches.revisions,
        &json!({
            "apiVersion": api_version, "kind": "ServiceTemplateRevision", "metadata": {"name": revision, "uid": "r1"},
            "spec": {"template": "radicale", "content": template.spec},
        }),
    );
    put_at(
        &caches.templates,
        &json!({
            "apiVersion": api_version, "kind": "ServiceTemplate", "metadata": {"name": "radicale"},
            "spec": template.spec, "status": {"revision": revision},
        }),
    );
    let mut from = json!({"from": {"service": "calendar"}, "requestedBy": "maria"});
    from.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    put_at(
        &caches.restores,
        &json!({
            "apiVersion": api_version, "kind": "ServiceRestore", "metadata": {"name": "may-4", "namespace": "coop"},
            "spec": from, "status": status,
        }),
    );
    put_at(&caches.records, &record("calendar-data"));
    caches
}

fn record(claim: &str) -> Value {
    json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceData",
        "metadata": {"name": "calendar", "namespace": "coop"},
        "spec": {
            "owner": {"kind": "DedicatedService", "name": "calendar", "uid": "u1"}, "template": "radicale",
            "volumes": [{"name": "data", "claim": claim, "uid": "p1"}],
        },
    })
}

fn seen(caches: &Caches) -> Facts {
    let observed = observe(caches, &Packages::default(), &fixtures::instance("tier: 1gb"), |_| Measurement::NotYet);
    observed.facts
}

fn phase(phase: &str) -> Value {
    json!({"phase": phase, "volumes": [{"name": "data", "claim": "calendar-data-r1", "formerClaim": "calendar-data"}]})
}

#[test_case(json!({}), false; "it was not looked at yet")]
#[test_case(json!({"phase": "Waiting"}), false; "waiting")]
#[test_case(phase("Preparing"), false; "preparing")]
#[test_case(phase("Files"), false; "files")]
#[test_case(phase("Switching"), true; "switching")]
#[test_case(phase("Loading"), true; "loading")]
#[test_case(phase("Verifying"), true; "verifying")]
#[test_case(phase("Starting"), false; "starting")]
#[test_case(phase("Returning"), false; "returning, and the record names what was there before")]
#[test_case(phase("Removing"), false; "removing")]
#[test_case(phase("Succeeded"), false; "succeeded")]
#[test_case(phase("Failed"), false; "failed")]
fn a_service_stops_while_what_is_in_its_volumes_is_not_proven(status: Value, stops: bool) {
    let facts = seen(&surroundings(&status, &json!({})));
    assert_eq!(facts.stage != Stage::Whole, stops, "{:?}", facts.stage);
    let lasts = !["Succeeded", "Failed"].contains(&status["phase"].as_str().unwrap_or_default());
    assert_eq!(facts.restore.is_some(), lasts);
}

#[test]
fn one_that_returns_starts_nothing_on_what_was_made() {
    let caches = surroundings(&phase("Returning"), &json!({}));
    put_at(&caches.records, &record("calendar-data-r1"));
    assert_eq!(seen(&caches).stage, Stage::Stopped { but: BTreeSet::new() });
    let made = json!({"phase": "Returning", "volumes": [{"name": "data", "claim": "calendar-data-r1"}]});
    let caches = surroundings(&made, &json!({}));
    put_at(&caches.records, &record("calendar-data-r1"));
    assert_eq!(seen(&caches).stage, Stage::Whole, "nothing was there before");
}

#[test_case("Files", None; "nothing is made while its files come")]
#[test_case("Switching", Some(&[]); "all stops before the record names what came")]
#[test_case("Returning", Some(&[]); "nothing begins on what is not proven")]
#[test_case("Failed", None; "the record itself lets nothing begin")]
fn what_was_lost_as_a_whole_stays_stopped(phase: &str, but: Option<&[&str]>) {
    let volumes = json!([{"name": "data", "claim": "calendar-data-r1"}]);
    let caches = surroundings(&json!({"phase": phase, "volumes": volumes}), &json!({}));
    let mut lost = record("calendar-data");
    lost["spec"]["restoring"] = json!("all is lost");
    put_at(&caches.records, &lost);
    let but = but.map(|but| but.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(seen(&caches).stage, but.map_or(Stage::Whole, |but| Stage::Stopped { but }));
}

#[test_case(json!({"only": {"volume": "data", "path": "collections"}}); "a part")]
#[test_case(json!({"into": {"kind": "NewService", "service": "other"}}); "into a new service")]
#[test_case(json!({"from": {"service": "wiki"}}); "of another service")]
fn a_restore_that_overwrites_nothing_of_the_service_stops_nothing(spec: Value) {
    let facts = seen(&surroundings(&phase("Loading"), &spec));
    assert_eq!((facts.stage, facts.restore), (Stage::Whole, None));
}

#[test]
fn one_that_brings_what_another_service_was_is_of_the_one_that_begins_with_it() {
    let spec = json!({"from": {"service": "wiki"}, "into": {"kind": "NewService", "service": "calendar"}});
    let facts = seen(&surroundings(&json!({"phase": "Waiting"}), &spec));
    assert_eq!(facts.stage, Stage::Whole);
    assert!(facts.restore.is_some_and(|restore| restore.is_of_another && !restore.has_begun()));
    assert!(seen(&surroundings(&phase("Files"), &json!({}))).restore.is_some_and(|restore| !restore.is_of_another));
}

#[test]
fn what_load_and_verify_talk_to_goes_on() {
    let restore: ServiceRestore = serde_json::from_value(json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceRestore", "metadata": {"name": "may-4"},
        "spec": {"from": {"service": "wiki"}, "requestedBy": "maria"}, "status": {"phase": "Loading"},
    }))
    .unwrap();
    let operation = |to: &[&str]| {
        let to: Vec<Value> = to.iter().map(|component| json!({"component": component, "port": 1})).collect();
        json!({"component": "app", "image": "i", "script": "s", "timeoutSeconds": 60, "connectsTo": to})
    };
    let operations: Operations = serde_json::from_value(json!({
        "quiesce": operation(&["cache"]), "load": operation(&["db"]), "verify": operation(&["db", "search"]),
    }))
    .unwrap();
    let but = ["db".to_owned(), "search".to_owned()].into();
    assert_eq!(stage(&restore, None, Some(&operations)), Stage::Stopped { but });
}

#[test]
fn of_several_restores_the_one_that_is_furthest_counts() {
    let caches = surroundings(&phase("Loading"), &json!({}));
    for (name, status) in [("april-1", json!({"phase": "Waiting"})), ("june-1", json!({}))] {
        put_at(
            &caches.restores,
            &json!({
                "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceRestore",
                "metadata": {"name": name, "namespace": "coop"},
                "spec": {"from": {"service": "calendar"}, "requestedBy": "maria"}, "status": status,
            }),
        );
    }
    assert_eq!(seen(&caches).restore.unwrap().name, "may-4");
}

#[test]
fn its_claims_are_those_of_its_status_or_one_for_each_volume_of_the_backup() {
    let claims = |status: Value| seen(&surroundings(&status, &json!({}))).restore.unwrap().claims;
    assert_eq!(claims(phase("Files")), [("data".to_owned(), "calendar-data-r1".to_owned())].into());
    assert_eq!(claims(json!({})), [("data".to_owned(), "calendar-data-r?".to_owned())].into());
    let nothing: Operations = serde_json::from_value(json!({"leftOut": [{"volume": "data", "reason": "x"}]})).unwrap();
    let restore = json!({"from": {"service": "calendar"}, "requestedBy": "maria"});
    let restore = ServiceRestore::new("may-4", serde_json::from_value(restore).unwrap());
    let record = serde_json::from_value(record("calendar-data")).unwrap();
    assert_eq!(super::claims(&restore, "calendar", Some(&record), Some(&nothing)), BTreeMap::new());
}

#[test]
fn a_volume_that_a_restore_gave_another_claim_is_measured_there() {
    let caches = surroundings(&json!({"phase": "Starting"}), &json!({}));
    put_at(&caches.records, &record("calendar-data-r1"));
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "calendar-data-r1", "namespace": "coop", "uid": "n1"},
    });
    let identity = Identity { namespace: "coop".into(), name: "calendar-data-r1".into(), uid: "n1".into(), version: 1 };
    let live = Live::of("PersistentVolumeClaim", serde_json::from_value(claim).unwrap());
    caches.objects["PersistentVolumeClaim"].put(&identity, live);
    let instance = fixtures::instance("tier: 1gb");
    let usage = |claim: &str| if claim == "calendar-data-r1" { Measurement::Nothing } else { Measurement::NotYet };
    let observed = observe(&caches, &Packages::default(), &instance, usage);
    assert_eq!(observed.facts.volumes["calendar-data-r1"].usage, Measurement::Nothing);
}
