//! A plan, its record at each stage of its life, and what is there of its data.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::{Value, json};

use super::{Action, Change, KnownData, compare_data};
use crate::api::{DataEntity, DataSecret, DataVolume, ServiceData, ServiceDataSpec, marks};
use crate::cache::{Live, Sealed};
use crate::plan::Plan;
use crate::resolve::fixtures::facts;
use crate::resolve::{Instance, resolve};

pub(super) fn plan(instance: &Instance) -> Plan {
    resolve(instance, &facts()).unwrap().plan
}

pub(super) const KIND: &str = "DedicatedService";

pub(super) fn live(instance: &str, storage: &str, name: &str, uid: &str) -> Live {
    live_with(instance, storage, name, uid, |_| ())
}

/// The same, edited before the caches see it.
pub(super) fn live_with(instance: &str, storage: &str, name: &str, uid: &str, edit: impl FnOnce(&mut Value)) -> Live {
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name, "namespace": "coop", "uid": uid, "resourceVersion": "5",
            "labels": {marks::INSTANCE: instance, marks::INSTANCE_KIND: KIND},
        },
        "spec": {"resources": {"requests": {"storage": storage}}, "volumeName": "pv-1"},
        "status": {"phase": "Bound"},
    });
    edit(&mut claim);
    serde_json::from_value::<PersistentVolumeClaim>(claim.clone()).unwrap();
    Live::of("PersistentVolumeClaim", serde_json::from_value(claim).unwrap())
}

pub(super) fn claim(instance: &str, storage: &str) -> Arc<Live> {
    Arc::new(live(instance, storage, "calendar-data", "p1"))
}

pub(super) fn claim_as(instance: &str, storage: &str, status: &Value) -> Arc<Live> {
    Arc::new(live_with(instance, storage, "calendar-data", "p1", |claim| claim["status"] = status.clone()))
}

pub(super) fn sealed(name: &str, uid: &str, keys: &[&str]) -> Arc<Sealed> {
    let labels = [(marks::INSTANCE, "calendar"), (marks::INSTANCE_KIND, KIND)];
    Arc::new(Sealed {
        name: name.to_owned(),
        uid: uid.to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        ..Sealed::default()
    })
}

pub(super) fn admin() -> BTreeMap<String, Arc<Sealed>> {
    [("calendar-admin".to_owned(), sealed("calendar-admin", "s1", &["password", "username"]))].into()
}

pub(super) fn entity(uid: &str) -> DataEntity {
    DataEntity { uid: Some(uid.to_owned()), display_name: "Coop".to_owned(), ..DataEntity::default() }
}

/// The record that is made first.
pub(super) fn planned(plan: &Plan) -> ServiceData {
    let changes = compare_data(plan, &KnownData::default(), false).unwrap();
    let Action::Create(value) = changes[0].action.clone() else { panic!("{changes:?}") };
    serde_json::from_value(value).unwrap()
}

/// The record once the application was ready: changed as `edit` says.
pub(super) fn used(plan: &Plan, edit: impl FnOnce(&mut ServiceDataSpec)) -> Arc<ServiceData> {
    let mut record = planned(plan);
    record.spec.version = Some(plan.version.clone());
    record.spec.revision = Some(plan.revision.clone());
    record.spec.images = Some(Vec::new());
    record.spec.volumes[0].uid = Some("p1".to_owned());
    record.spec.volumes[0].volume_name = Some("pv-1".to_owned());
    record.spec.secrets[0].uid = Some("s1".to_owned());
    record.spec.secrets[0].keys = vec!["password".to_owned(), "username".to_owned()];
    edit(&mut record.spec);
    Arc::new(record)
}

/// As 98b1c24 wrote it: names, no uids, the version that was asked for.
pub(super) fn of_earlier_release(plan: &Plan) -> Arc<ServiceData> {
    used(plan, |spec| {
        spec.images = None;
        spec.volumes[0] = DataVolume { uid: None, volume_name: None, ..spec.volumes[0].clone() };
        spec.secrets[0] = DataSecret { uid: None, keys: Vec::new(), ..spec.secrets[0].clone() };
    })
}

pub(super) fn complete(record: impl Into<Option<Arc<ServiceData>>>) -> KnownData {
    KnownData {
        record: record.into(),
        volumes: vec![claim("calendar", "1025Mi")],
        secrets: admin(),
        ..KnownData::default()
    }
}

pub(super) fn shown(plan: &Plan, known: &KnownData) -> Vec<String> {
    compare_data(plan, known, false).unwrap().iter().map(ToString::to_string).collect()
}

pub(super) fn refused(plan: &Plan, known: &KnownData) -> String {
    compare_data(plan, known, false).unwrap_err().to_string()
}

/// The spec of the patch of the record.
pub(super) fn recorded(plan: &Plan, known: &KnownData, ended: bool) -> Value {
    let changes = compare_data(plan, known, ended).unwrap();
    let [Change { action: Action::Merge { patch, .. }, kind, .. }, ..] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(kind, "ServiceData");
    patch["spec"].clone()
}
