//! Which resources a changed object concerns.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;

use super::key::{Key, Kind};
use super::{AnyDedicated, Caches, Kept, Live, Sealed};
use crate::api::{
    Dedicated, DedicatedAgora, DedicatedOffice, DedicatedProjects, DedicatedService, Entity, Platform, Reason,
    ServiceData, ServiceTemplate, ServiceTemplateRevision, Tariff, marks,
};
use crate::usage::Kubelet;

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

    fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
        let object = |kept: Option<&Self>| kept.and_then(Self::object).cloned();
        T::unblocked(object(before).as_deref(), object(after).as_deref(), caches)
    }
}

fn name(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

fn namespace(metadata: &ObjectMeta) -> &str {
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

/// The instance, or else the Entity, that an object belongs to: by its labels, or its owner where
/// somebody took a label off.
fn owner(metadata: &ObjectMeta) -> Vec<Key> {
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

impl Caches {
    fn instances(&self, keep: impl Fn(&str, &str) -> bool) -> Vec<Key> {
        let all = self.dedicated_all().into_iter();
        let kept = all.filter(|resource| keep(namespace(resource.metadata()), resource.template()));
        kept.filter_map(|resource| key(resource.as_ref())).collect()
    }

    /// Asked with each event of a pod: the rest of the cluster is not looked at.
    fn instances_in(&self, namespace: &str) -> Vec<Key> {
        self.dedicated_in(namespace).iter().filter_map(|resource| key(resource.as_ref())).collect()
    }

    /// An Entity, and all instances and records in its namespace.
    pub(super) fn in_entity(&self, entity: &str) -> Vec<Key> {
        let mut keys = vec![Key::entity(entity)];
        keys.extend(self.instances_in(entity));
        let records = self.records.in_namespace(entity);
        keys.extend(records.iter().map(|record| Key::record(entity, name(record.meta()))));
        keys
    }

    /// All Entities and all instances.
    pub(super) fn everything(&self) -> Vec<Key> {
        let mut keys = self.entities_of(|_| true);
        keys.extend(self.instances(|_, _| true));
        keys
    }

    /// The records whose instance is gone and that have no date yet: the Platform says how long data stays.
    fn undated(&self) -> Vec<Key> {
        let records = self.records.all().into_iter().filter(|record| record.spec.keep_until.is_none());
        let left = records.filter(|record| {
            let owner = &record.spec.owner;
            self.dedicated(&owner.kind, namespace(record.meta()), &owner.name).is_none()
        });
        left.map(|record| Key::new(Kind::ServiceData, namespace(record.meta()), name(record.meta()))).collect()
    }

    fn entities_of(&self, keep: impl Fn(&Entity) -> bool) -> Vec<Key> {
        self.entities.all().into_iter().filter(|e| keep(e)).map(|e| Key::entity(name(e.meta()))).collect()
    }
}

impl Trigger for Platform {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![Key::cluster(Kind::Platform, name(self.meta()))]
    }

    /// Everybody; of its status, those who are told what there is in the place of what they name.
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
            _ => caches.everything().into_iter().chain(caches.undated()).collect(),
        }
    }
}

/// A Secret of the operator's own namespace, if the Platform names it.
impl Trigger for Sealed {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let platform = caches.platform();
        let is_named =
            platform.iter().flat_map(|platform| platform.spec.secrets()).any(|(_, secret)| secret == self.name);
        if !is_named {
            return Vec::new();
        }
        let mut keys = vec![Key::cluster(Kind::Platform, "default")];
        keys.extend(caches.instances(|_, _| true));
        keys
    }
}

/// The Platform, whose status lists what there is.
fn listed() -> Key {
    Key::cluster(Kind::Platform, "default")
}

impl Trigger for Tariff {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = caches.entities_of(|entity| entity.spec.tariff == name(self.meta()));
        let entities: BTreeSet<String> = keys.iter().map(|key| key.name.clone()).collect();
        keys.extend(caches.instances(|namespace, _| entities.contains(namespace)));
        keys.push(listed());
        keys
    }
}

impl Trigger for ServiceTemplate {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = vec![Key::cluster(Kind::ServiceTemplate, name(self.meta())), listed()];
        keys.extend(caches.instances(|_, template| template == name(self.meta())));
        keys
    }
}

impl Trigger for ServiceTemplateRevision {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = vec![Key::cluster(Kind::ServiceTemplate, &self.spec.template), listed()];
        keys.extend(caches.instances(|_, template| template == self.spec.template));
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

/// The instance, its Entity, and whoever waits for the host name or the name that it may have given
/// up: by leaving, or by serving at another one.
fn instance(kind: Kind, metadata: &ObjectMeta, caches: &Caches) -> Vec<Key> {
    let (namespace, name) = (namespace(metadata), name(metadata));
    let mut keys = vec![Key::new(kind, namespace, name), Key::entity(namespace), Key::record(namespace, name)];
    keys.extend(caches.waiting_for_names());
    keys
}

impl Caches {
    /// Instances that were refused because another one has their host name or name.
    pub(super) fn waiting_for_names(&self) -> Vec<Key> {
        keys_of(&self.dedicated_waiting_for_names())
    }

    /// Instances of a namespace that were refused because an object's name is taken.
    fn waiting_for_names_in(&self, namespace: &str) -> Vec<Key> {
        reporting(&[Reason::NameTaken], &self.dedicated_in(namespace))
    }

    /// Instances that the quota of their namespace had no room for.
    fn waiting_for_room(&self, namespace: &str) -> Vec<Key> {
        reporting(&[Reason::QuotaExceeded], &self.dedicated_in(namespace))
    }
}

fn keys_of(resources: &[AnyDedicated]) -> Vec<Key> {
    resources.iter().filter_map(|resource| key(resource.as_ref())).collect()
}

/// The resources that a condition names one of these reasons of.
fn reporting(reasons: &[Reason], resources: &[AnyDedicated]) -> Vec<Key> {
    let reports = |resource: &&AnyDedicated| {
        let conditions = resource.status().map(|status| status.conditions.iter());
        conditions.into_iter().flatten().any(|condition| reasons.iter().any(|reason| reason.name() == condition.reason))
    };
    resources.iter().filter(reports).filter_map(|resource| key(resource.as_ref())).collect()
}

macro_rules! instances {
    ($($kind:ident),+ $(,)?) => {$(
        impl Trigger for $kind {
            fn concerned(&self, caches: &Caches) -> Vec<Key> {
                instance(Kind::$kind, self.meta(), caches)
            }

            fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
                caches.waiting_for_turn(before.map(|r| r as &dyn Dedicated), after.map(|r| r as &dyn Dedicated))
            }
        }
    )+};
}

instances!(DedicatedOffice, DedicatedAgora, DedicatedProjects, DedicatedService);

impl Trigger for ServiceData {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        let instance = Kind::dedicated(&self.spec.owner.kind)
            .map(|kind| Key::new(kind, namespace(self.meta()), name(self.meta())));
        let (namespace, name) = (namespace(self.meta()), name(self.meta()));
        instance.into_iter().chain([Key::entity(namespace), Key::record(namespace, name)]).collect()
    }

    fn freed(&self, caches: &Caches) -> Vec<Key> {
        caches.waiting_for_names_in(namespace(self.meta()))
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

impl Trigger for Pod {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        owner(&self.metadata)
    }
}

impl Trigger for Live {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        // What is read here is not to stay in the store.
        let live = self.unread();
        let mut keys = owner(&live.metadata);
        // Once its rights are there, an instance can go on; a volume counts in the Entity's quota.
        if self.kind == "RoleBinding" {
            keys.extend(caches.instances_in(self.namespace()));
        } else if self.kind == "PersistentVolumeClaim" {
            keys.push(Key::entity(live.label(marks::ENTITY)));
            keys.push(Key::record(self.namespace(), live.label(marks::INSTANCE)));
        } else if self.kind == "ResourceQuota" {
            keys.extend(caches.waiting_for_room(self.namespace()));
        }
        keys
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
