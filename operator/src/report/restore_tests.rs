//! What is told of a service while a restore replaces its data.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{Children, Pass, Reach, Usage, instance_status};
use crate::api::{Condition, InstanceStatus, RestorePhase};
use crate::apply::Applied;
use crate::cache::Live;
use crate::core::Bytes;
use crate::plan::Stage;
use crate::resolve::fixtures::{facts, growing_facts, instance};
use crate::resolve::{Facts, UnfinishedRestore, resolve};
use crate::usage::{self, Measurement};

fn restoring(phase: RestorePhase, stage: Stage, facts: Facts) -> Facts {
    let progress = Some("5 of 7: loading".to_owned());
    let restore = UnfinishedRestore { name: "may-4".to_owned(), phase: Some(phase), progress, ..Default::default() };
    Facts { stage, restore: Some(restore), ..facts }
}

fn live(kind: &str, object: Value) -> Arc<Live> {
    Arc::new(Live::of(kind, serde_json::from_value(object).unwrap()))
}

/// The one Deployment, which has none of no pods.
fn stopped() -> Children {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "calendar-app", "namespace": "coop", "uid": "d1", "generation": 2},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"part": "app"}}},
        "status": {"observedGeneration": 2},
    });
    Children { objects: vec![live("Deployment", deployment)], ..Children::default() }
}

fn status(facts: &Facts, children: &Children) -> InstanceStatus {
    let instance = instance("tier: 1gb");
    instance_status(&Pass {
        instance: &instance,
        resolved: &resolve(&instance, facts).unwrap(),
        applied: &Applied::default(),
        waiting: &[],
        children,
        reach: Reach::NotAsked,
        usage: Usage::NotAsked,
        platform: None,
        now: Timestamp::UNIX_EPOCH,
    })
}

fn condition<'a>(status: &'a InstanceStatus, kind: &str) -> &'a Condition {
    status.conditions.iter().find(|condition| condition.type_ == kind).unwrap()
}

#[test]
fn a_stopped_service_is_not_ready_names_its_restore_and_has_no_other_fault() {
    let but = ["db".to_owned()].into();
    let facts = restoring(RestorePhase::Loading, Stage::Stopped { but }, facts());
    let status = status(&facts, &stopped());
    let ready = condition(&status, "Ready");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "Restoring"));
    assert!(ready.message.starts_with("ServiceRestore may-4 replaces its data (5 of 7: loading)"), "{ready:?}");
    assert!(ready.message.contains("db"), "{ready:?}");
    assert!(condition(&status, "Reconciling").status == "True", "nobody has to do anything");
    assert!(status.components.iter().all(|component| component.ready), "{:?}", status.components);
}

#[test]
fn a_service_that_goes_on_while_its_files_are_restored_is_as_ready_as_before() {
    let of = |facts: &Facts| status(facts, &stopped()).conditions;
    assert_eq!(of(&restoring(RestorePhase::Files, Stage::Whole, facts())), of(&facts()));
}

#[test]
fn a_volume_that_fills_up_meanwhile_says_when_it_grows() {
    let size = Bytes::new(2049 << 20);
    let measured = usage::Usage { used: Bytes::new(1949 << 20), available: Bytes::new(100 << 20), inodes: None };
    let facts = growing_facts("2049Mi", Measurement::Measured(measured));
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "calendar-db", "namespace": "coop"},
        "spec": {"resources": {"requests": {"storage": size.to_string()}}},
        "status": {"phase": "Bound", "capacity": {"storage": size.to_string()}},
    });
    let children = Children { volumes: vec![live("PersistentVolumeClaim", claim)], ..Children::default() };
    let shown = status(&restoring(RestorePhase::Files, Stage::Whole, facts), &children);
    let filling = condition(&shown, "VolumeFilling");
    assert_eq!(filling.reason, "Restoring");
    assert!(filling.message.ends_with("once the ServiceRestore of the service has ended"), "{filling:?}");
}
