//! What holds data: the record, the generated Secrets, the volumes. Made once, then only grown; what
//! was recorded and is gone is never made again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::change::{Action, Change};
use super::parts::{Part, PartKind, parts};
use super::record;
use crate::api::{DataEntity, SecretKey, ServiceData, VolumeAccess, marks};
use crate::cache::{Live, Sealed};
use crate::core::lifecycle::Fate;
use crate::core::{Bytes, Quantity, taken_back};
use crate::kinds;
use crate::plan::{GrowthDecision, InstanceReference, Plan, PlannedSecret, PlannedVolume, Stage};

/// What the caches know of an instance's data.
#[derive(Clone, Debug, Default)]
pub struct KnownData {
    /// The record under the instance's name.
    pub record: Option<Arc<ServiceData>>,
    /// The Entity that the data belongs to, while it is there.
    pub entity: Option<DataEntity>,
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
        "Secret {secret} {is}, and data was made with it; restore the Secret from a backup (a new password would not open the old data), then run `commonscloud data rebind {instance}`"
    )]
    SecretMissing {
        /// The Secret.
        secret: String,
        /// `is gone`, or what stands in its place.
        is: String,
        /// `entity/instance`.
        instance: String,
    },
    /// A volume is gone.
    #[error(
        "PersistentVolumeClaim {claim} {is}; nothing empty takes its place: restore the volume, then run `commonscloud data rebind {instance}`"
    )]
    VolumeMissing {
        /// The claim.
        claim: String,
        /// `is gone`, or what stands in its place.
        is: String,
        /// `entity/instance`.
        instance: String,
    },
    /// The record says nothing of uids, and something that it names is not there.
    #[error(
        "ServiceData {record} was written by an earlier release and names {object}, which is not there; restore it, or, if it never existed, run `commonscloud data rebind {instance} --without {name}`"
    )]
    Unverified {
        /// The record.
        record: String,
        /// Kind and name of what is not there.
        object: String,
        /// Its name alone.
        name: String,
        /// `entity/instance`.
        instance: String,
    },
    /// A claim or Secret is being deleted.
    #[error("{object} is being deleted: its data is lost as soon as nothing uses it any more; back it up now")]
    BeingDeleted {
        /// Kind and name.
        object: String,
        /// Which kind.
        kind: PartKind,
    },
    /// The volumes and Secrets are being replaced.
    #[error("spec.restoring of ServiceData {record} is set ({why}): nothing is made until `commonscloud data rebind`")]
    Restoring {
        /// The record.
        record: String,
        /// What `spec.restoring` says.
        why: String,
    },
    /// There is none yet, and a restore brings it.
    #[error(
        "ServiceRestore {restore} brings its data, and nothing is made before: see kubectl get servicerestore {restore}; delete that one to have the service begin empty"
    )]
    Awaited {
        /// The ServiceRestore.
        restore: String,
    },
    /// A claim or Secret of that name belongs to something else.
    #[error("{object} belongs to {holder}; choose another name for this instance")]
    Foreign {
        /// Kind and name.
        object: String,
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
/// the first volume. `ended`: whether the plan's version runs on the data already.
///
/// # Errors
/// When data exists that does not fit its record.
pub fn compare_data(plan: &Plan, known: &KnownData, ended: bool) -> Result<Vec<Change>, DataConflict> {
    let name = &plan.instance.name;
    let restoring = known.record.as_ref().and_then(|record| record.spec.restoring.clone());
    if let (Some(why), Stage::Whole) = (&restoring, &plan.stage) {
        return Err(DataConflict::Restoring { record: name.clone(), why: why.clone() });
    }
    let wanted = record::wanted(plan, known, ended);
    let parts = parts(&wanted, known);
    // Until the record names what a restore brought, no volume of one that lost all is missed, and none is made.
    let names_none = known.record.as_ref().is_some_and(|record| record.spec.volumes.iter().all(|of| of.uid.is_none()));
    let is_lost = restoring.is_some() && names_none;
    let is_awaited = |part: &&Part<'_>| is_lost && part.kind == PartKind::Volume && part.is_nowhere();
    let planned: Vec<&Part<'_>> = parts.iter().filter(|part| is_planned(plan, part) && !is_awaited(part)).collect();
    if let Some(conflict) = planned.iter().find_map(|part| conflict(plan, &parts, part)) {
        return Err(conflict);
    }
    let is_made = |kind, name: &str| planned.iter().any(|part| part.is(kind, name) && part.fate == Fate::Make);
    let mut changes: Vec<Change> = record::compare(plan, &wanted, &parts, known, ended).into_iter().collect();
    for secret in &plan.secrets {
        changes.extend(secrets(plan, secret).into_iter().filter(|change| is_made(PartKind::Secret, &change.name)));
    }
    for volume in &plan.volumes {
        if is_made(PartKind::Volume, &volume.claim) {
            changes.push(create_claim(plan, volume));
        } else if let Some(live) = known.volumes.iter().find(|live| live.name() == volume.claim) {
            changes.extend(enlarge(plan, live, volume.request).or_else(|| take_back(plan, volume, live)));
        }
    }
    Ok(changes)
}

fn is_planned(plan: &Plan, part: &Part<'_>) -> bool {
    match part.kind {
        PartKind::Volume => plan.volumes.iter().any(|volume| volume.claim == part.name),
        PartKind::Secret => plan.secrets.iter().any(|secret| secret.is_called(part.name)),
    }
}

/// What is wrong with a part, if nothing may be written because of it.
fn conflict(plan: &Plan, all: &[Part<'_>], part: &Part<'_>) -> Option<DataConflict> {
    let instance = format!("{}/{}", plan.instance.namespace, plan.instance.name);
    let object = part.to_string();
    let missing = |is: String| match part.kind {
        PartKind::Volume => DataConflict::VolumeMissing { claim: part.name.to_owned(), is, instance: instance.clone() },
        PartKind::Secret => {
            DataConflict::SecretMissing { secret: part.name.to_owned(), is, instance: instance.clone() }
        }
    };
    // Secrets are made before the first volume: one that is not there has been.
    let was_made = part.kind == PartKind::Secret && all.iter().any(Part::is_volume_that_exists);
    match part.fate {
        Fate::Missing => Some(missing("is gone".to_owned())),
        Fate::Unverified if was_made => Some(missing("is gone".to_owned())),
        Fate::Replaced => Some(missing(part.replaced())),
        Fate::Unverified => Some(DataConflict::Unverified {
            record: plan.instance.name.clone(),
            object,
            name: part.name.to_owned(),
            instance,
        }),
        Fate::BeingDeleted => Some(DataConflict::BeingDeleted { object, kind: part.kind }),
        Fate::Foreign => Some(DataConflict::Foreign { object, holder: part.holder.clone() }),
        Fate::Make | Fate::Wait | Fate::Record | Fate::Keep => None,
    }
}

pub(super) fn change(plan: &Plan, kind: &str, name: &str, action: Action) -> Change {
    Change { kind: kind.to_owned(), namespace: plan.instance.namespace.clone(), name: name.to_owned(), action }
}

/// The labels of what holds an instance's data.
pub fn data_labels(instance: &InstanceReference, template: &str) -> Value {
    let mut labels = labels(instance, template);
    labels.insert(marks::DATA.to_owned(), Value::from("true"));
    Value::Object(labels)
}

/// The Secrets of one planned secret: the first, and those of later keys.
fn secrets(plan: &Plan, planned: &PlannedSecret) -> Vec<Change> {
    let declared = plan.package.secrets().iter().find(|secret| secret.name == planned.name);
    let keys = declared.map(|secret| secret.keys.as_slice()).unwrap_or_default();
    let is_further = |key: &SecretKey| planned.further.iter().any(|further| further.keys.contains(&key.name));
    let first = keys.iter().filter(|key| !is_further(key)).cloned().collect();
    let later = planned.further.iter().map(|further| {
        let keys = keys.iter().filter(|key| further.keys.contains(&key.name)).cloned().collect();
        generate(plan, &further.secret, keys)
    });
    std::iter::once(generate(plan, &planned.secret, first)).chain(later).collect()
}

fn generate(plan: &Plan, name: &str, keys: Vec<SecretKey>) -> Change {
    let secret = json!({
        "apiVersion": "v1",
        "kind": kinds::SECRET.kind,
        "type": "Opaque",
        // A password that is written over opens no data any more: the API server itself refuses it.
        "immutable": true,
        "metadata": {"namespace": plan.instance.namespace, "name": name, "labels": data_labels(&plan.instance, plan.package.name())},
    });
    change(plan, kinds::SECRET.kind, name, Action::Generate { secret, keys })
}

/// Makes the claim of a planned volume.
pub(crate) fn create_claim(plan: &Plan, volume: &PlannedVolume) -> Change {
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
        "metadata": {"namespace": plan.instance.namespace, "name": volume.claim, "labels": data_labels(&plan.instance, plan.package.name())},
        "spec": spec,
    });
    change(plan, kinds::VOLUME.kind, &volume.claim, Action::Create(claim))
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
    let growing = plan.volumes.iter().filter_map(|volume| match volume.filling {
        GrowthDecision::Grow(size) => Some((&volume.claim, size)),
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
