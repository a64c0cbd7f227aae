//! What holds data: made once, in an order that a crash cannot hurt, never replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::json;

use super::*;
use crate::api::ServiceData;
use crate::cache::Sealed;
use crate::plan::{Filling, Plan, PlannedGrowth};
use crate::resolve::fixtures::{facts, instance};
use crate::resolve::{Instance, resolve};

fn plan(instance: &Instance) -> Plan {
    resolve(instance, &facts()).unwrap().plan
}

fn claim(instance: &str, storage: &str) -> Arc<Live> {
    claim_as(instance, storage, &json!({}))
}

fn claim_as(instance: &str, storage: &str, status: &Value) -> Arc<Live> {
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "calendar-data", "namespace": "coop", "uid": "p1", "resourceVersion": "5", "labels": {marks::INSTANCE: instance}},
        "spec": {"resources": {"requests": {"storage": storage}}},
        "status": status,
    });
    serde_json::from_value::<PersistentVolumeClaim>(claim.clone()).unwrap();
    Arc::new(Live::of("PersistentVolumeClaim", serde_json::from_value(claim).unwrap()))
}

fn record(plan: &Plan, uid: &str) -> Arc<ServiceData> {
    let changes = compare_data(plan, &KnownData::default()).unwrap();
    let Action::Create(mut value) = changes[0].action.clone() else { panic!("{changes:?}") };
    value["spec"]["owner"]["uid"] = uid.into();
    value["spec"]["keepUntil"] = "2026-05-01T00:00:00Z".into();
    Arc::new(serde_json::from_value(value).unwrap())
}

fn admin() -> BTreeMap<String, Arc<Sealed>> {
    [("calendar-admin".to_owned(), Arc::default())].into()
}

fn shown(plan: &Plan, known: &KnownData) -> Vec<String> {
    compare_data(plan, known).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn the_record_comes_first_then_secrets_then_volumes() {
    let plan = plan(&instance("tier: 1gb"));
    assert_eq!(
        shown(&plan, &KnownData::default()),
        ["create ServiceData/calendar", "create Secret/calendar-admin", "create PersistentVolumeClaim/calendar-data"]
    );
}

#[test]
fn kept_data_is_adopted_and_nothing_is_made_again() {
    let plan = plan(&instance("tier: 1gb"));
    let known = KnownData {
        record: Some(record(&plan, "an earlier one")),
        volumes: vec![claim("calendar", "1025Mi")],
        secrets: admin(),
        ..KnownData::default()
    };
    let changes = compare_data(&plan, &known).unwrap();
    assert_eq!(changes.len(), 1);
    let Action::Merge { patch, because } = &changes[0].action else { panic!("{changes:?}") };
    assert_eq!(because, "adopt the data");
    assert!(patch["spec"]["keepUntil"].is_null() && patch["spec"].as_object().unwrap().contains_key("keepUntil"));
    assert_eq!(patch["spec"]["owner"]["uid"], "u1");
}

#[test]
fn a_volume_grows_by_a_patch_with_preconditions_and_never_shrinks() {
    let plan = plan(&instance("tier: 1gb, extraBlocks: 3"));
    let mut known = KnownData { volumes: vec![claim("calendar", "1025Mi")], secrets: admin(), ..KnownData::default() };
    let changes = compare_data(&plan, &known).unwrap();
    let Some(Action::Merge { patch, .. }) = changes.last().map(|c| &c.action) else { panic!("{changes:?}") };
    assert_eq!(
        *patch,
        json!({"metadata": {"uid": "p1", "resourceVersion": "5"}, "spec": {"resources": {"requests": {"storage": "16385Mi"}}}})
    );
    known.volumes = vec![claim("calendar", "50Gi")];
    assert_eq!(shown(&plan, &known), ["create ServiceData/calendar"]);
}

#[test]
fn a_volume_that_fills_up_grows_by_the_same_patch_and_never_shrinks() {
    let mut plan = plan(&instance("tier: 1gb"));
    let filling = Filling::Grow("1538Mi".parse().unwrap());
    plan.volumes[0].growth = Some(PlannedGrowth { maximum: "8Gi".parse().unwrap(), filling });
    let mut known = KnownData { volumes: vec![claim("calendar", "1025Mi")], secrets: admin(), ..KnownData::default() };
    assert_eq!(shown(&plan, &known), ["create ServiceData/calendar"], "it holds up nothing");
    let changes = compare_growth(&plan, &known);
    let [Change { action: Action::Merge { patch, because }, .. }] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(because, "grow from 1025Mi to 1538Mi");
    assert_eq!(
        *patch,
        json!({"metadata": {"uid": "p1", "resourceVersion": "5"}, "spec": {"resources": {"requests": {"storage": "1538Mi"}}}})
    );
    known.volumes = vec![claim("calendar", "1538Mi")];
    assert_eq!(compare_growth(&plan, &known), []);
    plan.volumes[0].growth = None;
    known.volumes = vec![claim("calendar", "1025Mi")];
    assert_eq!(compare_growth(&plan, &known), []);
}

#[test]
fn a_growth_that_the_storage_cannot_give_is_taken_back_by_asking_for_less() {
    let asking = |extra_blocks: u32| plan(&instance(&format!("tier: 1gb, extraBlocks: {extra_blocks}")));
    let seen = |requested: &str, state: &str| {
        let status = json!({"capacity": {"storage": "1025Mi"}, "allocatedResourceStatuses": {"storage": state}});
        let volumes = vec![claim_as("calendar", requested, &status)];
        KnownData { volumes, secrets: admin(), ..KnownData::default() }
    };
    let change = |plan: &Plan, known: &KnownData| shown(plan, known).split_off(1);
    let failed = seen("16385Mi", "ControllerResizeInfeasible");
    let back = "patch PersistentVolumeClaim/calendar-data: take the growth to 16385Mi back to";
    assert_eq!(change(&asking(0), &failed), [format!("{back} 1026Mi")]);
    assert_eq!(change(&asking(1), &failed), [format!("{back} 6145Mi")]);
    assert_eq!(change(&asking(3), &failed), [""; 0], "it is still wanted");
    assert_eq!(change(&asking(0), &seen("16385Mi", "NodeResizeInfeasible")), [format!("{back} 1026Mi")]);
    assert_eq!(change(&asking(0), &seen("16385Mi", "ControllerResizeInProgress")), [""; 0], "it may yet come");
    assert_eq!(change(&asking(0), &seen("1026Mi", "ControllerResizeInfeasible")), [""; 0], "it was taken back");
    let changes = compare_data(&asking(0), &failed).unwrap();
    let Some(Action::Merge { patch, .. }) = changes.last().map(|c| &c.action) else { panic!("{changes:?}") };
    assert_eq!(patch["metadata"], json!({"uid": "p1", "resourceVersion": "5"}));
}

#[test]
fn a_lost_secret_is_not_replaced_while_data_made_with_it_exists() {
    let plan = plan(&instance("tier: 1gb"));
    let known = KnownData { volumes: vec![claim("calendar", "1025Mi")], ..KnownData::default() };
    assert!(matches!(compare_data(&plan, &known), Err(DataConflict::SecretMissing { .. })));
}

#[test]
fn a_volume_of_somebody_else_is_left_alone() {
    let plan = plan(&instance("tier: 1gb"));
    let known = KnownData { volumes: vec![claim("", "1Gi")], secrets: admin(), ..KnownData::default() };
    assert!(matches!(compare_data(&plan, &known), Err(DataConflict::VolumeForeign { .. })));
}
