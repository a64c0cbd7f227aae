use serde_json::{Value, json};
use test_case::test_case;

use super::*;
use crate::compare::{KnownData, compare_data};
use crate::resolve::{fixtures, resolve};

fn plan() -> Plan {
    resolve(&fixtures::instance("tier: 1gb"), &fixtures::facts()).unwrap().plan
}

fn record() -> ServiceData {
    let volume = json!({"name": "data", "claim": "calendar-data", "uid": "p1", "volumeName": "pv-1"});
    let kept = json!({"name": "cache", "claim": "calendar-cache", "uid": "c1", "volumeName": "pv-c"});
    let owner = json!({"kind": "DedicatedService", "name": "calendar", "uid": "u1"});
    serde_json::from_value(json!({
        "metadata": {"name": "calendar", "namespace": "coop", "uid": "r1", "resourceVersion": "8"},
        "spec": {"owner": owner, "template": "radicale", "volumes": [volume, kept]},
    }))
    .unwrap()
}

fn claim_with(name: &str, uid: &str, edit: impl FnOnce(&mut Value)) -> Arc<Live> {
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name, "namespace": "coop", "uid": uid, "resourceVersion": "5",
            "labels": {marks::INSTANCE: "calendar", marks::INSTANCE_KIND: "DedicatedService"},
        },
        "spec": {"resources": {"requests": {"storage": "1025Mi"}}, "volumeName": format!("pv-{uid}")},
        "status": {"phase": "Bound"},
    });
    edit(&mut claim);
    Arc::new(Live::of("PersistentVolumeClaim", serde_json::from_value(claim).unwrap()))
}

fn claim(name: &str, uid: &str) -> Arc<Live> {
    claim_with(name, uid, |_| ())
}

fn restored() -> BTreeSet<String> {
    ["data".to_owned()].into()
}

fn made() -> Vec<RestoredVolume> {
    let mut made = next_claims(&record().spec, &plan().volumes, &restored(), &[]);
    made[0].uid = Some("n1".to_owned());
    made
}

fn patch(change: &Change) -> &Value {
    let Action::Merge { patch, .. } = &change.action else { panic!("{change}") };
    patch
}

#[test_case(&[], "calendar-data-r1"; "the first")]
#[test_case(&["calendar-data-r1"], "calendar-data-r2"; "one more than a claim that is there")]
#[test_case(&["calendar-data-r9", "calendar-data-r10"], "calendar-data-r11"; "by number and not by letter")]
#[test_case(&["calendar-database-r7", "other-data-r8", "calendar-data-rx"], "calendar-data-r1"; "others do not count")]
fn a_restored_volume_gets_a_claim_of_a_new_name(there: &[&str], expected: &str) {
    let there: Vec<_> = there.iter().map(|name| claim(name, "x")).collect();
    let made = next_claims(&record().spec, &plan().volumes, &restored(), &there);
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].name.as_str(), made[0].claim.as_str()), ("data", expected));
    assert_eq!((made[0].former_claim.as_deref(), made[0].former_uid.as_deref()), (Some("calendar-data"), Some("p1")));
}

#[test]
fn what_the_record_names_counts_though_no_claim_is_seen() {
    let mut record = record();
    record.spec.volumes[0].claim = "calendar-data-r3".to_owned();
    let made = next_claims(&record.spec, &plan().volumes, &restored(), &[]);
    assert_eq!(made[0].claim, "calendar-data-r4");
    assert_eq!(made[0].former_claim.as_deref(), Some("calendar-data-r3"));
}

#[test]
fn a_volume_that_is_left_out_keeps_its_claim() {
    assert_eq!(next_claims(&record().spec, &plan().volumes, &BTreeSet::new(), &[]), []);
}

#[test]
fn a_new_claim_is_like_the_plans_own_and_as_large_as_the_former_one_has_grown() {
    let plan = plan();
    let with = |storage: &str, sizes: &BTreeMap<String, u64>| {
        let former = claim_with("calendar-data", "p1", |claim| {
            claim["spec"]["resources"]["requests"]["storage"] = json!(storage);
        });
        let mut changes = large_enough(&plan, &made(), &[former], sizes);
        let Action::Create(claim) = changes.remove(0).action else { panic!("{changes:?}") };
        claim
    };
    let known = KnownData::default();
    let first = compare_data(&plan, &known, false).unwrap().into_iter().find(|c| c.name == "calendar-data").unwrap();
    let Action::Create(mut expected) = first.action else { panic!("{first}") };
    expected["metadata"]["name"] = json!("calendar-data-r1");
    assert_eq!(with("1Gi", &BTreeMap::new()), expected);
    let requested = |storage: &str, sizes: &BTreeMap<String, u64>| {
        with(storage, sizes)["spec"]["resources"]["requests"]["storage"].clone()
    };
    assert_eq!(requested("3Gi", &BTreeMap::new()), "3Gi");
    // Where all was lost nothing but the backup says how far it had grown.
    let of_backup = |gib: u64| [("data".to_owned(), gib << 30)].into();
    assert_eq!((requested("1Gi", &of_backup(4)), requested("3Gi", &of_backup(2))), (json!("4Gi"), json!("3Gi")));
}

#[test]
fn the_record_names_the_new_claim_and_keeps_what_is_not_restored() {
    let record = record();
    let claims = [claim("calendar-data", "p1"), claim("calendar-data-r1", "n1")];
    let change = switch(&record, &made(), &claims).unwrap().unwrap();
    let now = json!([
        {"name": "data", "claim": "calendar-data-r1", "uid": "n1", "volumeName": "pv-n1", "formerUid": "p1"},
        {"name": "cache", "claim": "calendar-cache", "uid": "c1", "volumeName": "pv-c"},
    ]);
    let expected = json!({"metadata": {"uid": "r1", "resourceVersion": "8"}, "spec": {"volumes": now}});
    assert_eq!(patch(&change), &expected);
    assert!(change.records() && change.namespace == "coop" && change.name == "calendar", "{change}");
}

#[test]
fn a_record_that_names_the_claims_already_is_not_written_again_and_goes_back_to_the_former_ones() {
    let claims = [claim("calendar-data", "p1"), claim("calendar-data-r1", "n1")];
    let mut switched = record();
    assert_eq!(switch_back(&switched, &made(), &claims), Ok(None), "it names them still");
    let volumes = patch(&switch(&switched, &made(), &claims).unwrap().unwrap())["spec"]["volumes"].clone();
    switched.spec.volumes = serde_json::from_value(volumes).unwrap();
    assert_eq!(switch(&switched, &made(), &claims), Ok(None));
    let back = switch_back(&switched, &made(), &claims).unwrap().unwrap();
    let first = json!({
        "name": "data", "claim": "calendar-data", "uid": "p1", "volumeName": "pv-p1", "formerUid": "n1",
    });
    assert_eq!(patch(&back)["spec"]["volumes"][0], first);
}

#[test_case(None; "it is not there")]
#[test_case(Some(|claim| claim["metadata"]["uid"] = json!("n2")); "another one by now")]
#[test_case(Some(|claim| claim["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z")); "being deleted")]
fn a_claim_that_is_not_the_one_that_was_made_is_never_named(edit: Option<fn(&mut Value)>) {
    let claims: Vec<_> = edit.iter().map(|edit| claim_with("calendar-data-r1", "n1", edit)).collect();
    let error = switch(&record(), &made(), &claims).unwrap_err().to_string();
    assert!(error.contains("kubectl -n coop describe persistentvolumeclaim calendar-data-r1"), "{error}");
}

#[test]
fn the_claim_of_a_database_is_named_by_its_uid_before_it_is_bound() {
    let pending = claim_with("calendar-data-r1", "n1", |claim| {
        claim["spec"].as_object_mut().unwrap().remove("volumeName");
        claim["status"]["phase"] = json!("Pending");
    });
    let change = switch(&record(), &made(), &[pending]).unwrap().unwrap();
    let first = json!({"name": "data", "claim": "calendar-data-r1", "uid": "n1", "formerUid": "p1"});
    assert_eq!(patch(&change)["spec"]["volumes"][0], first);
}

#[test]
fn a_claim_is_marked_by_its_restore_first_and_then_deleted_as_it_was_seen() {
    let mut switched = record().spec;
    switched.volumes[0].claim = "calendar-data-r1".to_owned();
    switched.volumes[0].uid = Some("n1".to_owned());
    let step = |claim: Arc<Live>| discard(&switched, "may-4", ("calendar-data", Some("p1")), &[claim]);
    let first = step(claim("calendar-data", "p1")).unwrap().unwrap();
    let annotations = json!({"commonscloud.coop/superseded-by": "may-4"});
    let metadata = json!({"uid": "p1", "resourceVersion": "5", "annotations": annotations});
    assert_eq!(patch(&first), &json!({"metadata": metadata}));
    let marked = |by: &str| {
        claim_with("calendar-data", "p1", |claim| {
            claim["metadata"]["annotations"] = json!({marks::SUPERSEDED_BY: by});
            claim["metadata"]["resourceVersion"] = json!("6");
        })
    };
    let second = step(marked("may-4")).unwrap().unwrap();
    assert_eq!(second.action, Action::Discard { uid: "p1".to_owned(), resource_version: "6".to_owned() });
    assert!(matches!(step(marked("earlier")).unwrap().unwrap().action, Action::Merge { .. }), "another's mark");
    assert_eq!(discard(&switched, "may-4", ("calendar-data", Some("p1")), &[]), Ok(None), "it is gone");
}

#[test]
fn what_the_record_names_and_what_is_anothers_is_never_deleted() {
    let there = [claim("calendar-data", "p1")];
    let named = discard(&record().spec, "may-4", ("calendar-data", Some("p1")), &there);
    assert_eq!(named, Err(Kept::Named("calendar-data".to_owned())));
    let mut switched = record().spec;
    switched.volumes[0].claim = "calendar-data-r1".to_owned();
    let same_uid = discard(&switched, "may-4", ("calendar-data", Some("p1")), &there);
    assert_eq!(same_uid, Err(Kept::Named("calendar-data".to_owned())), "by its uid");
    switched.volumes[0].uid = Some("n1".to_owned());
    let another = discard(&switched, "may-4", ("calendar-data", Some("p0")), &there);
    assert_eq!(another, Err(Kept::Another("calendar-data".to_owned())));
    let foreign = claim_with("calendar-data", "p1", |claim| claim["metadata"]["labels"] = json!({}));
    let foreign = discard(&switched, "may-4", ("calendar-data", Some("p1")), &[foreign]);
    assert_eq!(foreign, Err(Kept::Another("calendar-data".to_owned())));
}
