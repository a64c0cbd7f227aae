//! Which resources a changed object concerns.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;

use super::concerned::keys_of;
use super::key::{Key, Kind};
use super::unfinished::of_operation;
use super::{Caches, Kept, Kubelet, Live, Sealed};
use crate::api::{
    Dedicated, DedicatedAgora, DedicatedOffice, DedicatedProjects, DedicatedService, Entity, Platform, ServiceData,
    ServiceTemplate, ServiceTemplateRevision, Tariff, marks,
};
use crate::template::operation::OPERATION_OF;

/// What says which resources it concerns when it changes.
pub(super) trait Trigger {
    /// Whom its change concerns.
    fn concerned(&self, caches: &Caches) -> Vec<Key>;

    /// Its name, if it is a namespace.
    fn namespace_name(&self) -> Option<&str> {
        None
    }

    /// Whom it concerns besides that it is gone: whoever waits for its name.
    fn freed(&self, _: &Caches) -> Vec<Key> {
        Vec::new()
    }

    /// Whether one version differs from the one before in anything that somebody reads.
    fn is_news(_before: &Self, _after: &Self) -> bool {
        true
    }

    /// Whom the change from one version to another unblocks.
    fn unblocked(_before: Option<&Self>, _after: Option<&Self>, _caches: &Caches) -> Vec<Key> {
        Vec::new()
    }
}

impl<T: Trigger> Trigger for Kept<T> {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        match self {
            Self::Object(object) => object.concerned(caches),
            Self::Undecodable(undecodable) => undecodable.concerned(caches),
        }
    }

    fn namespace_name(&self) -> Option<&str> {
        self.object().and_then(|object| object.namespace_name())
    }

    fn freed(&self, caches: &Caches) -> Vec<Key> {
        match self {
            Self::Object(object) => object.freed(caches),
            Self::Undecodable(_) => caches.waiting_for_names(),
        }
    }

    fn is_news(before: &Self, after: &Self) -> bool {
        match (before.object(), after.object()) {
            (Some(before), Some(after)) => T::is_news(before, after),
            _ => true,
        }
    }

    fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
        let object = |kept: Option<&Self>| kept.and_then(Self::object).cloned();
        T::unblocked(object(before).as_deref(), object(after).as_deref(), caches)
    }
}

pub(super) fn name(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

pub(super) fn namespace(metadata: &ObjectMeta) -> &str {
    metadata.namespace.as_deref().unwrap_or_default()
}

pub(super) fn key(resource: &dyn Dedicated) -> Option<Key> {
    let metadata = resource.metadata();
    Some(Key::new(Kind::dedicated(resource.kind())?, namespace(metadata), name(metadata)))
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// Whether a namespace is labelled for an Entity.
pub(super) fn is_entity_namespace(namespace: Option<&Namespace>) -> bool {
    namespace.is_some_and(|n| label(&n.metadata, marks::ENTITY).is_some())
}

/// Whether what the operator made in a namespace is taken in: it is labelled for an Entity, or that of drills.
pub(super) fn is_taken_in(namespace: Option<&Namespace>) -> bool {
    is_entity_namespace(namespace) || namespace.is_some_and(|n| name(&n.metadata) == marks::DRILLS)
}

/// The instance, or else the Entity, that an object belongs to: by its labels, or its owner where
/// somebody took a label off. What is of a run or restore is neither's.
fn owner(metadata: &ObjectMeta) -> Vec<Key> {
    if label(metadata, OPERATION_OF).is_some() {
        return Vec::new();
    }
    let kind = label(metadata, marks::INSTANCE_KIND).and_then(Kind::dedicated);
    match (kind, label(metadata, marks::INSTANCE), label(metadata, marks::ENTITY)) {
        (Some(kind), Some(instance), _) => vec![Key::new(kind, namespace(metadata), instance)],
        _ if owned_by_instance(metadata).is_some() => owned_by_instance(metadata).into_iter().collect(),
        (_, _, Some(entity)) => vec![Key::entity(entity)],
        _ => Vec::new(),
    }
}

fn owned_by_instance(metadata: &ObjectMeta) -> Option<Key> {
    let owners = metadata.owner_references.iter().flatten();
    let mut instances =
        owners.filter_map(|owner| Some(Key::new(Kind::dedicated(&owner.kind)?, namespace(metadata), &owner.name)));
    instances.next()
}

impl Trigger for Platform {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![Key::cluster(Kind::Platform, name(self.meta()))]
    }

    /// Everybody and all unfinished runs; of its status, those who are told what there is in the place of what they name.
    fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
        let listed =
            |platform: &Self| platform.status.as_ref().map(|status| (status.tariffs.clone(), status.templates.clone()));
        match (before, after) {
            (Some(before), Some(after)) if before.spec == after.spec => {
                if listed(before) == listed(after) {
                    return Vec::new();
                }
                keys_of(&caches.dedicated_naming_what_is_not_there())
            }
            _ => {
                let all = caches.everything().into_iter().chain(caches.undated());
                all.chain(caches.unfinished_everywhere()).collect()
            }
        }
    }
}

/// A Secret of the operator's own namespace, if the Platform names it or it is a key of backups.
impl Trigger for Sealed {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = caches.waiting_for_secret(&self.name);
        let platform = caches.platform();
        let is_named =
            platform.iter().flat_map(|platform| platform.spec.secrets()).any(|(_, secret)| secret == self.name);
        if is_named {
            keys.push(Key::cluster(Kind::Platform, "default"));
            keys.extend(caches.instances(|_, _| true));
        }
        keys
    }
}

/// The Platform, whose status says what there is.
fn listed() -> Key {
    Key::cluster(Kind::Platform, "default")
}

impl Trigger for Tariff {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = caches.entities_of(|entity| entity.spec.tariff == name(self.meta()));
        let entities: BTreeSet<String> = keys.iter().map(|key| key.name.clone()).collect();
        // What a tier gives may be what a restore waits for.
        keys.extend(entities.iter().flat_map(|entity| caches.unfinished_in(entity)));
        keys.extend(caches.instances(|namespace, _| entities.contains(namespace)));
        keys.push(listed());
        keys
    }
}

impl Trigger for ServiceTemplate {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = vec![Key::cluster(Kind::ServiceTemplate, name(self.meta())), listed()];
        keys.extend(caches.of_template(name(self.meta())));
        keys
    }
}

impl Trigger for ServiceTemplateRevision {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = vec![Key::cluster(Kind::ServiceTemplate, &self.spec.template), listed()];
        keys.extend(caches.of_template(&self.spec.template));
        keys
    }
}

impl Trigger for Entity {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = caches.in_entity(name(self.meta()));
        keys.extend(caches.waiting_for_names());
        keys
    }

    /// The Platform lists which Tariffs are in use.
    fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
        let is_listed = |tariff: &str| {
            let status = caches.platform().and_then(|platform| platform.status.clone());
            status.is_some_and(|status| status.tariffs.iter().any(|listed| listed.in_use && listed.name == tariff))
        };
        match (before, after) {
            (Some(before), Some(after)) if before.spec.tariff == after.spec.tariff => Vec::new(),
            (None, Some(after)) if is_listed(&after.spec.tariff) => Vec::new(),
            _ => vec![listed()],
        }
    }
}

/// The instance, its Entity, its unfinished runs, and whoever waits for the host name or the name that it may have given
/// up: by leaving, or by serving at another one.
fn instance(kind: Kind, metadata: &ObjectMeta, caches: &Caches) -> Vec<Key> {
    let (namespace, name) = (namespace(metadata), name(metadata));
    let mut keys = vec![Key::new(kind, namespace, name), Key::entity(namespace), Key::record(namespace, name)];
    keys.extend(caches.waiting_for_names());
    keys.extend(caches.unfinished_of(namespace, name));
    keys
}

macro_rules! instances {
    ($($kind:ident),+ $(,)?) => {$(
        impl Trigger for $kind {
            fn concerned(&self, caches: &Caches) -> Vec<Key> {
                instance(Kind::$kind, self.meta(), caches)
            }

            fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
                let (before, after) = (before.map(|r| r as &dyn Dedicated), after.map(|r| r as &dyn Dedicated));
                let mut keys = caches.waiting_for_turn(before, after);
                keys.extend(caches.people_of(before, after));
                keys
            }
        }
    )+};
}

instances!(DedicatedOffice, DedicatedAgora, DedicatedProjects, DedicatedService);

impl Trigger for ServiceData {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let instance = Kind::dedicated(&self.spec.owner.kind)
            .map(|kind| Key::new(kind, namespace(self.meta()), name(self.meta())));
        let (namespace, name) = (namespace(self.meta()), name(self.meta()));
        let known = [Key::entity(namespace), Key::record(namespace, name)];
        instance.into_iter().chain(known).chain(caches.unfinished_of(namespace, name)).collect()
    }

    fn freed(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = caches.waiting_for_names_in(namespace(self.meta()));
        // Who may enter is kept as long as the data.
        keys.extend(caches.collective_of(namespace(self.meta())));
        keys
    }
}

impl Trigger for Namespace {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = caches.in_entity(name(&self.metadata));
        // The others are where the Platform's peers are.
        if !is_entity_namespace(Some(self)) {
            keys.push(Key::cluster(Kind::Platform, "default"));
        }
        keys
    }

    fn namespace_name(&self) -> Option<&str> {
        self.metadata.name.as_deref()
    }
}

impl Trigger for Kubelet {
    /// Nobody: it is asked in rounds.
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        Vec::new()
    }
}

impl Trigger for StorageClass {
    /// The Platform, and the instances whose volumes may grow now, or no more.
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = vec![Key::cluster(Kind::Platform, "default")];
        keys.extend(caches.instances(|_, _| true));
        keys
    }
}

impl Trigger for IngressClass {
    /// The Platform, which says whether it is the one that it names.
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![listed()]
    }
}

impl Trigger for Pod {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        if namespace(&self.metadata) == marks::DRILLS {
            return caches.unfinished_in(marks::DRILLS);
        }
        let mut keys = owner(&self.metadata);
        keys.extend(of_operation(&self.metadata, caches));
        keys
    }

    fn is_news(before: &Self, after: &Self) -> bool {
        let marks = |pod: &Self| (pod.metadata.labels.clone(), pod.metadata.deletion_timestamp.clone());
        before.status != after.status || before.metadata.uid != after.metadata.uid || marks(before) != marks(after)
    }
}

impl Trigger for Live {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        // Labelled like what the service itself has.
        if self.namespace() == marks::DRILLS {
            return caches.unfinished_in(marks::DRILLS);
        }
        // What is read here is not to stay in the store.
        let live = self.unread();
        let mut keys = owner(&live.metadata);
        // Once its rights are there, an instance can go on; a volume counts in the Entity's quota.
        if self.kind == "RoleBinding" {
            keys.extend(caches.instances_in(self.namespace()));
            // Who was removed is gone once no right of theirs is left.
            keys.extend(caches.collective_of(self.namespace()));
        } else if self.kind == "PersistentVolumeClaim" {
            keys.push(Key::entity(live.label(marks::ENTITY)));
            keys.push(Key::record(self.namespace(), live.label(marks::INSTANCE)));
            keys.extend(caches.unfinished_of(live.namespace(), live.label(marks::INSTANCE)));
        } else if self.kind == "Job" {
            keys.extend(of_operation(&live.metadata, caches));
        }
        keys
    }

    fn is_news(before: &Self, after: &Self) -> bool {
        !after.is_as(before)
    }

    /// Whoever waits for room: what a quota has left is news to nobody else.
    fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
        match after.or(before) {
            Some(quota) if quota.kind == "ResourceQuota" => {
                let mut waiting = caches.waiting_for_room(quota.namespace());
                waiting.extend(caches.unfinished_in(quota.namespace()));
                waiting
            }
            _ => Vec::new(),
        }
    }

    fn freed(&self, caches: &Caches) -> Vec<Key> {
        caches.waiting_for_names_in(self.namespace())
    }
}

impl Trigger for Event {
    /// The instance whose name begins the name of the object that the event is about.
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let namespace = self.involved_object.namespace.as_deref().unwrap_or_default();
        let object = self.involved_object.name.as_deref().unwrap_or_default();
        let instances = caches.instances_in(namespace).into_iter();
        instances
            .filter(|key| {
                object == key.name || object.strip_prefix(&key.name).is_some_and(|rest| rest.starts_with('-'))
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "triggers_tests.rs"]
mod tests;
