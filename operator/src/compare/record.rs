//! The record of an instance's data: what it is to say, and the write that makes it say so.

use serde_json::{Value, json};

use super::change::{Action, Change};
use super::data::{KnownData, change, data_labels};
use super::parts::{Part, PartKind, parts, volume_name};
use crate::api::{DataOwner, DataSecret, DataVolume, FurtherSecret, GROUP, ServiceDataSpec, VERSION};
use crate::core::lifecycle::{Fate, Recorded};
use crate::kinds;
use crate::plan::{InstanceReference, Plan, PlannedSecret};
use crate::resolve::differing_images;

/// What the record is to say before anything else is written: whose the data is, and by name all
/// that it will consist of. What was recorded once stays: a package that drops a volume does not
/// drop its data.
pub(super) fn wanted(plan: &Plan, known: &KnownData, ended: bool) -> ServiceDataSpec {
    let instance = &plan.instance;
    let owner = DataOwner { kind: instance.kind.clone(), name: instance.name.clone(), uid: instance.uid.clone() };
    let mut wanted = known.record.as_ref().map(|record| record.spec.clone()).unwrap_or_default();
    wanted.owner = owner;
    plan.package.name().clone_into(&mut wanted.template);
    wanted.engine = engine(plan);
    wanted.entity = known.entity.clone().or(wanted.entity);
    wanted.keep_until = None;
    if ended {
        wanted.revision = Some(plan.revision.clone());
        wanted.version = Some(plan.version.clone());
        wanted.images = Some(differing_images(plan));
    }
    for volume in &plan.volumes {
        if !wanted.volumes.iter().any(|known| known.name == volume.name) {
            let (name, claim) = (volume.name.clone(), volume.claim.clone());
            wanted.volumes.push(DataVolume { name, claim, ..DataVolume::default() });
        }
    }
    for secret in &plan.secrets {
        if !wanted.secrets.iter().any(|known| known.name == secret.name) {
            let (name, first) = (secret.name.clone(), secret.secret.clone());
            wanted.secrets.push(DataSecret { name, secret: first, ..DataSecret::default() });
        }
        if let Some(known) = wanted.secrets.iter_mut().find(|known| known.name == secret.name) {
            add_further(known, secret);
        }
    }
    wanted
}

fn add_further(recorded: &mut DataSecret, planned: &PlannedSecret) {
    for further in &planned.further {
        if !recorded.further.iter().any(|known| known.secret == further.secret) {
            let (secret, keys) = (further.secret.clone(), further.keys.clone());
            recorded.further.push(FurtherSecret { secret, keys, ..FurtherSecret::default() });
        }
    }
}

/// `Builtin` where the package brings a volume beside the one that is sold: its database's.
fn engine(plan: &Plan) -> Option<String> {
    plan.volumes.iter().any(|v| !v.carries_quota).then(|| "Builtin".to_owned())
}

/// Makes the record of an instance's data.
pub fn create_record(instance: &InstanceReference, spec: &ServiceDataSpec) -> Change {
    let (kind, InstanceReference { namespace, name, .. }) = (kinds::SERVICE_DATA.kind, instance);
    let record = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "labels": data_labels(instance, &spec.template)},
        "spec": spec,
    });
    Change { kind: kind.to_owned(), namespace: namespace.clone(), name: name.clone(), action: Action::Create(record) }
}

/// The write that makes or changes the record. Uids are written once an application was ready on the
/// data, together with its version: one write for all. An installation that takes longer is recorded
/// by the record's own controller.
pub(super) fn compare(
    plan: &Plan,
    wanted: &ServiceDataSpec,
    parts: &[Part<'_>],
    known: &KnownData,
    ended: bool,
) -> Option<Change> {
    let name = &plan.instance.name;
    let Some(record) = known.record.as_deref() else {
        return Some(create_record(&plan.instance, wanted));
    };
    let was_used = record.spec.has_uids() || record.spec.version.is_some();
    let wanted = if ended || was_used { with_uids(wanted, parts, known) } else { wanted.clone() };
    if record.spec == wanted {
        return None;
    }
    let runs = |spec: &ServiceDataSpec| (spec.version.clone(), spec.revision.clone(), spec.images.clone());
    let because = if record.spec.owner.uid != wanted.owner.uid {
        "adopt the data"
    } else if runs(&record.spec) != runs(&wanted) {
        "record what the data has"
    } else {
        "record what is there"
    };
    let mut patch = patch(record, &wanted);
    if record.spec.keep_until.is_some() {
        patch["spec"]["keepUntil"] = Value::Null;
    }
    Some(change(plan, kinds::SERVICE_DATA.kind, name, Action::Merge { patch, because: because.to_owned() }))
}

/// A merge patch of the record as it was seen.
fn patch(record: &crate::api::ServiceData, wanted: &ServiceDataSpec) -> Value {
    let metadata = &record.metadata;
    json!({"metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version}, "spec": wanted})
}

/// The uids of what is there and settled, in a record that lacks them; unchanged while something
/// that it names cannot be told lost from never made.
fn with_uids(spec: &ServiceDataSpec, parts: &[Part<'_>], known: &KnownData) -> ServiceDataSpec {
    let mut filled = spec.clone();
    if parts.iter().any(|part| part.fate == Fate::Unverified) {
        return filled;
    }
    let is_new = |kind, name: &str| parts.iter().any(|part| part.is(kind, name) && part.fate == Fate::Record);
    let sealed = |name: &str| known.secrets.get(name).filter(|_| is_new(PartKind::Secret, name));
    for volume in &mut filled.volumes {
        let live = known.volumes.iter().find(|live| live.name() == volume.claim);
        let Some(live) = live else { continue };
        if is_new(PartKind::Volume, &volume.claim) {
            volume.uid = live.metadata.uid.clone();
        }
        // A restore records a claim before it is bound.
        if volume.volume_name.is_none() && volume.uid.is_some() && volume.uid == live.metadata.uid {
            volume.volume_name = volume_name(live).map(str::to_owned);
        }
    }
    for secret in &mut filled.secrets {
        if let Some(live) = sealed(&secret.secret) {
            secret.uid = Some(live.uid.clone());
            secret.keys.clone_from(&live.keys);
        }
        for further in &mut secret.further {
            if let Some(live) = sealed(&further.secret) {
                further.uid = Some(live.uid.clone());
            }
        }
    }
    filled
}

/// The write that completes a record from what is there: by the record's own controller, where an
/// installation takes long, or where an earlier release left one without uids. `known.entity` is
/// taken where the record says nothing of its Entity.
pub fn compare_record(known: &KnownData) -> Option<Value> {
    let record = known.record.as_deref()?;
    if record.spec.restoring.is_some() {
        return None;
    }
    let mut wanted = with_uids(&record.spec, &parts(&record.spec, known), known);
    if wanted.entity.is_none() {
        wanted.entity.clone_from(&known.entity);
    }
    (wanted != record.spec).then(|| patch(record, &wanted))
}

/// Whether everything that a record names is recorded by its uid.
pub fn is_complete(parts: &[Part<'_>]) -> bool {
    parts.iter().all(|part| matches!(part.recorded, Recorded::Uid(_)))
}
