//! Digests by which a write is known again.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use serde_json::Value;

use super::refusal::Basis;
use crate::cache::{Caches, Key};
use crate::compare::{Action, Difference};

pub(super) fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What a refusal of a write of `action` for `by` may depend on.
pub(super) fn basis(caches: &Caches, by: &Key, action: &Action) -> Basis {
    Basis { sent: sent(action), surroundings: surroundings(caches, by) }
}

/// What is sent and where it differs, whatever version of the object it is sent over.
fn sent(action: &Action) -> u64 {
    let paths = |because: &[Difference]| because.iter().map(|difference| difference.path.clone()).collect::<Vec<_>>();
    match action {
        Action::Create(object) => digest(text(object)),
        Action::Generate { secret, keys } => digest((text(secret), format!("{keys:?}"))),
        Action::Copy { from, secret, because } => digest((from, text(secret), paths(because))),
        Action::Apply { object, because } => digest((text(object), paths(because))),
        Action::Merge { patch, .. } => digest(text(patch)),
        Action::Remove { patch, .. } => {
            digest(patch.as_array().into_iter().flatten().skip(1).map(Value::to_string).collect::<Vec<_>>())
        }
        Action::Delete { uid } => digest(uid),
        Action::Discard { uid, resource_version } => digest((uid, resource_version)),
    }
}

fn text(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
    }
    object.to_string()
}

/// What a policy or an admission plugin may look at beside the object.
fn surroundings(caches: &Caches, by: &Key) -> u64 {
    let namespace = if by.namespace.is_empty() { &by.name } else { &by.namespace };
    let entity = caches.entities.get("", namespace);
    let tariff = entity.as_ref().and_then(|entity| caches.tariffs.get("", &entity.spec.tariff));
    let itself = caches.dedicated(by.kind.as_str(), &by.namespace, &by.name);
    let labels = caches.namespaces.get("", namespace).map(|namespace| namespace.metadata.labels.clone());
    let mut growable: Vec<_> = caches
        .storage_classes
        .all()
        .iter()
        .map(|class| (class.metadata.name.clone(), class.allow_volume_expansion))
        .collect();
    growable.sort();
    digest((
        entity.map(|entity| (entity.metadata.uid.clone(), entity.metadata.generation)),
        tariff.map(|tariff| (tariff.metadata.uid.clone(), tariff.metadata.generation)),
        itself.map(|itself| itself.metadata().generation),
        caches.platform().map(|platform| platform.metadata.generation),
        labels,
        growable,
    ))
}
