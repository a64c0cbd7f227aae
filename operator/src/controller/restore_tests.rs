//! What a pass over an instance writes while a restore in place goes on.

use std::sync::Arc;

use serde_json::{Value, json};

use super::instance::decide;
use crate::api::{RestorePhase, ServiceData, marks};
use crate::cache::{Live, Settled};
use crate::compare::KnownData;
use crate::gather::{Inside, Observed};
use crate::plan::Stage;
use crate::resolve::{Facts, UnfinishedRestore, fixtures, resolve};
use crate::template::render;

const RECORDS: &str = "patch ServiceData/calendar: record what the data has";

fn live(kind: &str, object: Value) -> Arc<Live> {
    Arc::new(Live::of(kind, serde_json::from_value(object).unwrap()))
}

fn record() -> Arc<ServiceData> {
    let record = json!({
        "metadata": {"name": "calendar", "namespace": "coop", "uid": "r1", "resourceVersion": "8"},
        "spec": {
            "owner": {"kind": "DedicatedService", "name": "calendar", "uid": "u1"}, "template": "radicale",
            "volumes": [{"name": "data", "claim": "calendar-data-r1", "uid": "n1"}],
        },
    });
    Arc::new(serde_json::from_value(record).unwrap())
}

/// What is known of the data: the claim that the record names.
fn data() -> KnownData {
    let labels = json!({marks::INSTANCE: "calendar", marks::INSTANCE_KIND: "DedicatedService"});
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "calendar-data-r1", "namespace": "coop", "uid": "n1", "labels": labels},
        "spec": {"resources": {"requests": {"storage": "1025Mi"}}, "volumeName": "pv-n1"},
        "status": {"phase": "Bound"},
    });
    let volumes = vec![live("PersistentVolumeClaim", claim)];
    KnownData { record: Some(record()), volumes, ..KnownData::default() }
}

/// The writes for an instance whose objects are as its plan has them, and as ready as they can be.
fn written(spec: &str, restore: Option<(RestorePhase, Stage)>) -> Vec<String> {
    let instance = fixtures::instance(spec);
    let mut facts = Facts { record: Some(record()), ..fixtures::facts() };
    if let Some((phase, stage)) = restore {
        facts.restore = Some(UnfinishedRestore { phase: Some(phase), ..UnfinishedRestore::default() });
        facts.stage = stage;
    }
    let objects = render(&resolve(&instance, &facts).unwrap().plan).unwrap().objects;
    let applied = |(at, object): (usize, crate::template::RenderedObject)| {
        let mut value = object.value;
        value["metadata"]["uid"] = json!(format!("o{at}"));
        value["metadata"]["resourceVersion"] = json!("1");
        let pods = value["spec"]["replicas"].clone();
        value["status"] = json!({"replicas": pods, "updatedReplicas": pods, "availableReplicas": pods});
        live(&object.kind, value)
    };
    let owned: Vec<_> = objects.into_iter().enumerate().map(applied).collect();
    let inside = Inside { objects: owned.clone(), ..Inside::default() };
    let observed = Observed { facts, data: Some(data()), inside, owned, ..Observed::default() };
    let (_, changes) = decide(&Settled::default(), &instance, &observed).unwrap();
    changes.iter().map(ToString::to_string).collect()
}

fn stopped() -> Stage {
    Stage::Stopped { but: ["db".to_owned()].into() }
}

#[test]
fn what_was_stopped_is_not_taken_for_a_version_that_runs() {
    let records = |restore| written("tier: 1gb", restore).iter().any(|change| change == RECORDS);
    assert!(records(None) && records(Some((RestorePhase::Starting, Stage::Whole))));
    assert!(!records(Some((RestorePhase::Loading, stopped()))));
}

#[test]
fn a_service_that_is_to_begin_with_anothers_backup_has_nothing_made_before() {
    let instance = fixtures::instance("tier: 1gb");
    let decided = |is_of_another: bool| {
        let restore = UnfinishedRestore { name: "may-4".to_owned(), is_of_another, ..UnfinishedRestore::default() };
        let facts = Facts { restore: Some(restore), ..fixtures::facts() };
        let observed = Observed { facts, data: Some(KnownData::default()), ..Observed::default() };
        decide(&Settled::default(), &instance, &observed).map(|(_, changes)| changes.len())
    };
    assert!(decided(false).unwrap() > 0);
    let obstacle = decided(true).unwrap_err();
    assert!(obstacle.to_string().contains("ServiceRestore may-4 brings its data"), "{obstacle}");
    assert!(
        matches!(obstacle.verdict(), crate::report::Verdict::Reconciling(problem) if problem.reason == "DataRestoring")
    );
}

#[test]
fn no_volume_grows_while_a_restore_goes_on() {
    let growth = "patch PersistentVolumeClaim/calendar-data-r1: grow from 1025Mi to 16385Mi".to_owned();
    let grows = |restore| written("tier: 1gb, extraBlocks: 3", restore).contains(&growth);
    assert!(grows(None) && grows(Some((RestorePhase::Waiting, Stage::Whole))));
    for phase in [RestorePhase::Preparing, RestorePhase::Files, RestorePhase::Removing] {
        assert!(!grows(Some((phase, Stage::Whole))), "{phase:?}");
    }
}
