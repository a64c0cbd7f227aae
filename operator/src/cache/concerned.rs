//! Groups of resources that a change concerns.

use kube::Resource as _;

use super::key::{Key, Kind};
use super::triggers::{key, name, namespace};
use super::{AnyDedicated, Caches};
use crate::api::{Entity, Reason, marks};

impl Caches {
    pub(super) fn instances(&self, keep: impl Fn(&str, &str) -> bool) -> Vec<Key> {
        let all = self.dedicated_all().into_iter();
        let kept = all.filter(|resource| keep(namespace(resource.metadata()), resource.template()));
        kept.filter_map(|resource| key(resource.as_ref())).collect()
    }

    /// The instances of a template, and their unfinished runs, whose operations a newer revision may bring.
    pub(super) fn of_template(&self, template: &str) -> Vec<Key> {
        let mut keys = self.instances(|_, of| of == template);
        let unfinished: Vec<Key> =
            keys.iter().flat_map(|instance| self.unfinished_of(&instance.namespace, &instance.name)).collect();
        keys.extend(unfinished);
        keys
    }

    /// Asked with each event of a pod: the rest of the cluster is not looked at.
    pub(super) fn instances_in(&self, namespace: &str) -> Vec<Key> {
        self.dedicated_in(namespace).iter().filter_map(|resource| key(resource.as_ref())).collect()
    }

    /// An Entity, its Collective, and all instances, records and unfinished runs in its namespace; in that of drills these
    /// alone.
    pub(super) fn in_entity(&self, entity: &str) -> Vec<Key> {
        if entity == marks::DRILLS {
            return self.unfinished_in(entity);
        }
        let mut keys = vec![Key::entity(entity)];
        keys.extend(self.instances_in(entity));
        let records = self.records.in_namespace(entity);
        keys.extend(records.iter().map(|record| Key::record(entity, name(record.meta()))));
        keys.extend(self.unfinished_in(entity));
        keys.extend(self.collective_of(entity));
        keys
    }

    /// All Entities, their Collectives and all instances.
    pub(super) fn everything(&self) -> Vec<Key> {
        let mut keys = self.entities_of(|_| true);
        let collectives: Vec<Key> = keys.iter().filter_map(|entity| self.collective_of(&entity.name)).collect();
        keys.extend(collectives);
        keys.extend(self.instances(|_, _| true));
        keys
    }

    /// The records whose instance is gone and that have no date yet: the Platform says how long data stays.
    pub(super) fn undated(&self) -> Vec<Key> {
        let records = self.records.all().into_iter().filter(|record| record.spec.keep_until.is_none());
        let left = records.filter(|record| {
            let owner = &record.spec.owner;
            self.dedicated(&owner.kind, namespace(record.meta()), &owner.name).is_none()
        });
        left.map(|record| Key::new(Kind::ServiceData, namespace(record.meta()), name(record.meta()))).collect()
    }

    pub(super) fn entities_of(&self, keep: impl Fn(&Entity) -> bool) -> Vec<Key> {
        self.entities.all().into_iter().filter(|e| keep(e)).map(|e| Key::entity(name(e.meta()))).collect()
    }
}

impl Caches {
    /// Instances that were refused because another one has their host name or name.
    pub(super) fn waiting_for_names(&self) -> Vec<Key> {
        keys_of(&self.dedicated_waiting_for_names())
    }

    /// Instances of a namespace that were refused because an object's name is taken.
    pub(super) fn waiting_for_names_in(&self, namespace: &str) -> Vec<Key> {
        reporting(&[Reason::NameTaken], &self.dedicated_in(namespace))
    }

    /// Instances that the quota of their namespace had no room for.
    pub(super) fn waiting_for_room(&self, namespace: &str) -> Vec<Key> {
        reporting(&[Reason::QuotaExceeded], &self.dedicated_in(namespace))
    }
}

pub(super) fn keys_of(resources: &[AnyDedicated]) -> Vec<Key> {
    resources.iter().filter_map(|resource| key(resource.as_ref())).collect()
}

/// The resources that a condition names one of these reasons of.
pub(super) fn reporting(reasons: &[Reason], resources: &[AnyDedicated]) -> Vec<Key> {
    let reports = |resource: &&AnyDedicated| {
        let conditions = resource.status().map(|status| status.conditions.iter());
        conditions.into_iter().flatten().any(|condition| reasons.iter().any(|reason| reason.name() == condition.reason))
    };
    resources.iter().filter(reports).filter_map(|resource| key(resource.as_ref())).collect()
}
