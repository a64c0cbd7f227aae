//! What holds data: the record, the generated Secrets, the volumes. Made once, then only grown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::change::{Action, Change};
use crate::api::{
    DataOwner, DataSecret, DataVolume, GROUP, ServiceData, ServiceDataSpec, VERSION, VolumeAccess, marks,
};
use crate::cache::{Live, Sealed};
use crate::core::{Bytes, Quantity, taken_back};
use crate::kinds;
use crate::plan::{Filling, InstanceReference, Plan, PlannedSecret, PlannedVolume};

/// What the caches know of an instance's data.
#[derive(Clone, Debug, Default)]
pub struct KnownData {
    /// The record under the instance's name.
    pub record: Option<Arc<ServiceData>>,
    /// The claims in the namespace.
    pub volumes: Vec<Arc<Live>>,
    /// The managed Secrets in the namespace by name.
    pub secrets: BTreeMap<String, Arc<Sealed>>,
    /// The Secrets that the Platform names, as the operator's own namespace has them.
    pub sources: BTreeMap<String, Arc<Sealed>>,
}

/// Data that is not as it was recorded, which nothing may replace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataConflict {
    /// A generated Secret is gone while data made with it exists.
    #[error(
        "Secret {secret} is gone, and volume {claim} was made with it; restore the Secret from a backup (a new password would not open the old data)"
    )]
    SecretMissing {
        /// The Secret.
        secret: String,
        /// A volume that exists.
        claim: String,
    },
    /// A claim of that name belongs to something else.
    #[error("PersistentVolumeClaim {claim} belongs to {holder}; choose another name for this instance")]
    VolumeForeign {
        /// The claim.
        claim: String,
        /// Who has it.
        holder: String,
    },
}

/// The labels of everything that belongs to an instance.
pub fn labels(instance: &InstanceReference, template: &str) -> Map<String, Value> {
    let mut labels = Map::new();
    let mut put = |key: &str, value: &str| labels.insert(key.to_owned(), Value::from(value));
    put(marks::MANAGED_BY, marks::OPERATOR);
    put(marks::ENTITY, &instance.namespace);
    put(marks::INSTANCE, &instance.name);
    put(marks::INSTANCE_KIND, &instance.kind);
    put("app.kubernetes.io/name", template);
    put("app.kubernetes.io/instance", &instance.name);
    labels
}

/// The writes that the plan's data needs: the record before the first Secret, all Secrets before
/// the first volume.
///
/// # Errors
/// When data exists that does not fit its record.
pub fn compare_data(plan: &Plan, known: &KnownData) -> Result<Vec<Change>, DataConflict> {
    let claims: Vec<&Arc<Live>> =
        known.volumes.iter().filter(|v| plan.volumes.iter().any(|p| p.claim == v.name())).collect();
    let mut changes: Vec<Change> = record(plan, known.record.as_deref()).into_iter().collect();
    for secret in &plan.secrets {
        if known.secrets.contains_key(&secret.secret) {
            continue;
        }
        if let Some(claim) = claims.first() {
            return Err(DataConflict::SecretMissing { secret: secret.secret.clone(), claim: claim.name().to_owned() });
        }
        changes.push(generate(plan, secret));
    }
    for volume in &plan.volumes {
        match claims.iter().find(|live| live.name() == volume.claim) {
            None => changes.push(create(plan, volume)),
            Some(live) => changes.extend(grow(plan, volume, live)?),
        }
    }
    Ok(changes)
}

fn change(plan: &Plan, kind: &str, name: &str, action: Action) -> Change {
    Change { kind: kind.to_owned(), namespace: plan.instance.namespace.clone(), name: name.to_owned(), action }
}

fn data_labels(plan: &Plan) -> Value {
    let mut labels = labels(&plan.instance, plan.package.name());
    labels.insert(marks::DATA.to_owned(), Value::from("true"));
    Value::Object(labels)
}

fn wanted_record(plan: &Plan) -> ServiceDataSpec {
    let instance = &plan.instance;
    ServiceDataSpec {
        owner: DataOwner { kind: instance.kind.clone(), name: instance.name.clone(), uid: instance.uid.clone() },
        template: plan.package.name().to_owned(),
        revision: Some(plan.revision.clone()),
        version: Some(plan.version.clone()),
        engine: engine(plan),
        volumes: plan.volumes.iter().map(|v| DataVolume { name: v.name.clone(), claim: v.claim.clone() }).collect(),
        secrets: plan.secrets.iter().map(|s| DataSecret { name: s.name.clone(), secret: s.secret.clone() }).collect(),
        keep_until: None,
    }
}

/// `Builtin` where the package brings a volume beside the one that is sold: its database's.
fn engine(plan: &Plan) -> Option<String> {
    plan.volumes.iter().any(|v| !v.carries_quota).then(|| "Builtin".to_owned())
}

fn record(plan: &Plan, known: Option<&ServiceData>) -> Option<Change> {
    let mut wanted = wanted_record(plan);
    let name = &plan.instance.name;
    let Some(known) = known else {
        let record = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": kinds::SERVICE_DATA.kind,
            "metadata": {"namespace": plan.instance.namespace, "name": name, "labels": data_labels(plan)},
            "spec": wanted,
        });
        return Some(change(plan, kinds::SERVICE_DATA.kind, name, Action::Create(record)));
    };
    // What was recorded once stays recorded: a package that drops a volume does not drop its data.
    for volume in &known.spec.volumes {
        if !wanted.volumes.iter().any(|v| v.name == volume.name) {
            wanted.volumes.push(volume.clone());
        }
    }
    for secret in &known.spec.secrets {
        if !wanted.secrets.iter().any(|s| s.name == secret.name) {
            wanted.secrets.push(secret.clone());
        }
    }
    if known.spec == wanted {
        return None;
    }
    let adopted = known.spec.owner.uid != wanted.owner.uid;
    let mut spec = json!(wanted);
    if let Value::Object(fields) = &mut spec {
        fields.insert("keepUntil".to_owned(), Value::Null);
    }
    let patch = json!({
        "metadata": {"uid": known.metadata.uid, "resourceVersion": known.metadata.resource_version},
        "spec": spec,
    });
    let because = if adopted { "adopt the data" } else { "record what runs" };
    Some(change(plan, kinds::SERVICE_DATA.kind, name, Action::Merge { patch, because: because.to_owned() }))
}

fn generate(plan: &Plan, planned: &PlannedSecret) -> Change {
    let keys =
        plan.package.secrets().iter().find(|s| s.name == planned.name).map(|s| s.keys.clone()).unwrap_or_default();
    let secret = json!({
        "apiVersion": "v1",
        "kind": kinds::SECRET.kind,
        "type": "Opaque",
        // A password that is written over opens no data any more: the API server itself refuses it.
        "immutable": true,
        "metadata": {"namespace": plan.instance.namespace, "name": planned.secret, "labels": data_labels(plan)},
    });
    change(plan, kinds::SECRET.kind, &planned.secret, Action::Generate { secret, keys })
}

fn create(plan: &Plan, volume: &PlannedVolume) -> Change {
    let access = match volume.access {
        VolumeAccess::ReadWriteOnce => "ReadWriteOnce",
        VolumeAccess::ReadWriteMany => "ReadWriteMany",
    };
    let mut spec = json!({
        "accessModes": [access],
        "resources": {"requests": {"storage": volume.request.to_string()}},
    });
    if let (Value::Object(fields), Some(class)) = (&mut spec, &volume.storage_class) {
        fields.insert("storageClassName".to_owned(), Value::from(class.as_str()));
    }
    let claim = json!({
        "apiVersion": "v1",
        "kind": kinds::VOLUME.kind,
        "metadata": {"namespace": plan.instance.namespace, "name": volume.claim, "labels": data_labels(plan)},
        "spec": spec,
    });
    change(plan, kinds::VOLUME.kind, &volume.claim, Action::Create(claim))
}

/// Grows a claim; never shrinks one, and never touches one of somebody else's.
fn grow(plan: &Plan, volume: &PlannedVolume, live: &Live) -> Result<Option<Change>, DataConflict> {
    let holder = live.label(marks::INSTANCE);
    if holder != plan.instance.name {
        let holder = if holder.is_empty() { "something that is no instance" } else { holder };
        return Err(DataConflict::VolumeForeign { claim: volume.claim.clone(), holder: holder.to_owned() });
    }
    Ok(enlarge(plan, live, volume.request).or_else(|| take_back(plan, volume, live)))
}

/// A growth that the storage cannot give is taken back once less is wanted.
fn take_back(plan: &Plan, volume: &PlannedVolume, live: &Live) -> Option<Change> {
    if !growth_failed(live) || live.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let wanted = volume.growth.map_or(volume.request, |growth| growth.maximum);
    let requested = requested(live)?;
    let size = taken_back(requested, capacity(live)?, wanted)?;
    Some(request(plan, live, size, format!("take the growth to {requested} back to {size}")))
}

/// Whether the storage said that it cannot give what a claim requests.
pub(crate) fn growth_failed(live: &Live) -> bool {
    let state = live.value.pointer("/status/allocatedResourceStatuses/storage").and_then(Value::as_str);
    // Kubernetes up to 1.30 said Failed.
    state.is_some_and(|state| state.ends_with("ResizeInfeasible") || state.ends_with("ResizeFailed"))
}

/// The claims that grow because their volumes fill up. These writes go after all others: one that is
/// refused, by a quota for example, holds up nothing.
pub fn compare_growth(plan: &Plan, known: &KnownData) -> Vec<Change> {
    let growing = plan.volumes.iter().filter_map(|volume| match volume.growth?.filling {
        Filling::Grow(size) => Some((&volume.claim, size)),
        _ => None,
    });
    growing
        .filter_map(|(claim, size)| enlarge(plan, known.volumes.iter().find(|live| live.name() == claim)?, size))
        .collect()
}

/// What a claim is to request, if it requests less.
fn enlarge(plan: &Plan, live: &Live, size: Bytes) -> Option<Change> {
    let requested = requested(live)?;
    if requested >= size || live.metadata.deletion_timestamp.is_some() {
        return None;
    }
    Some(request(plan, live, size, format!("grow from {requested} to {size}")))
}

/// A patch of the claim as it was seen.
fn request(plan: &Plan, live: &Live, size: Bytes, because: String) -> Change {
    let patch = json!({
        "metadata": {"uid": live.metadata.uid, "resourceVersion": live.metadata.resource_version},
        "spec": {"resources": {"requests": {"storage": size.to_string()}}},
    });
    change(plan, kinds::VOLUME.kind, live.name(), Action::Merge { patch, because })
}

/// What a claim requests.
pub(crate) fn requested(live: &Live) -> Option<Bytes> {
    live.value.pointer("/spec/resources/requests/storage")?.as_str()?.parse::<Quantity>().ok()?.bytes()
}

/// What a claim has.
pub(crate) fn capacity(live: &Live) -> Option<Bytes> {
    live.value.pointer("/status/capacity/storage")?.as_str()?.parse::<Quantity>().ok()?.bytes()
}
