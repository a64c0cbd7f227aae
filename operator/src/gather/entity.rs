//! Collects what the caches know around one Entity. No request is made here.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt as _;

use super::collective::people;
use super::{Inside, Packages, facts_in, needed_copies, undecodable_for_entity};
use crate::api::{Dedicated, Entity, InstanceSpec, InstanceStatus, Platform, Reason, Tariff};
use crate::apply::Written;
use crate::cache::{Caches, Live, Sealed, Undecodable};
use crate::compare::{NeededCopies, requested};
use crate::core::Bytes;
use crate::entity::{self, Asked};
use crate::kinds;
use crate::plan::InstanceReference;
use crate::report::Service;
use crate::resolve::{EntityFacts, Facts, Instance, NamespaceFacts, Sale, sell};

/// What a pass over one Entity sees.
#[derive(Clone, Debug, Default)]
pub struct EntityObserved {
    /// The first object that the Entity depends on and that does not decode.
    pub undecodable: Option<Arc<Undecodable>>,
    /// What its plan depends on.
    pub facts: EntityFacts,
    /// Its Tariff.
    pub tariff: Option<Arc<Tariff>>,
    /// The services that it asks for, then those in its namespace that it does not: written by hand, or
    /// taken out and kept from going.
    pub services: Vec<Service>,
    /// The written objects in its namespace, Dedicated resources included.
    pub objects: Vec<Arc<Live>>,
    /// Those that the Entity owns.
    pub owned: Vec<Arc<Live>>,
    /// The copies of the Platform's Secrets in its namespace; none while they are not known.
    pub copies: Vec<Arc<Sealed>>,
    /// Which of them runs of backups and restores need.
    pub needed_copies: NeededCopies,
    /// The Secrets that the Platform names; none without a Platform.
    pub platform_secrets: Option<BTreeSet<String>>,
}

/// What the caches know of one Entity.
pub fn observe_entity(caches: &Caches, packages: &Packages, entity: &Entity) -> EntityObserved {
    let name = entity.name_any();
    let before = undecodable_for_entity(caches, entity);
    let mut inside = Inside::of(caches, &name);
    let dedicated = caches.dedicated_in(&name);
    let tariff = caches.tariffs.get("", &entity.spec.tariff);
    let facts = facts(caches, packages, entity, &inside, &dedicated);
    inside.objects.extend(dedicated.iter().filter_map(|resource| as_live(resource.as_ref())));
    let uid = entity.uid().unwrap_or_default();
    // Who refers to a copy is known once everything is taken in.
    let secrets = inside.secrets.filter(|_| !inside.lacks).unwrap_or_default();
    EntityObserved {
        undecodable: before.or_else(|| undecodable_for_entity(caches, entity)),
        facts,
        services: services(entity, tariff.as_deref(), &dedicated),
        owned: inside.objects.iter().filter(|object| object.is_owned_by(&uid)).cloned().collect(),
        objects: inside.objects,
        copies: secrets.into_values().filter(|secret| secret.is_copy()).collect(),
        needed_copies: needed_copies(caches, entity),
        platform_secrets: caches.platform().map(|platform| named(&platform)),
        tariff,
    }
}

impl EntityObserved {
    /// One of the objects.
    pub fn object(&self, kind: &str, name: &str) -> Option<Arc<Live>> {
        self.objects.iter().find(|object| object.kind == kind && object.name() == name).cloned()
    }

    /// The services after these writes: what one reported before is not about what it is asked now.
    pub fn services_after(&self, written: &[Written]) -> Vec<Service> {
        let mut services = self.services.clone();
        for service in &mut services {
            let is_it = |written: &&Written| written.kind == service.kind && written.name == service.name;
            if let Some(last) = written.iter().rev().find(is_it) {
                service.status = last.status.as_deref().cloned();
                service.current =
                    service.status.as_ref().is_some_and(|status| status.observed_generation == last.generation);
            }
        }
        services
    }
}

fn named(platform: &Platform) -> BTreeSet<String> {
    platform.spec.secrets().map(|(_, name)| name.to_owned()).collect()
}

type Resources = [Arc<dyn Dedicated>];

fn facts(caches: &Caches, packages: &Packages, entity: &Entity, inside: &Inside, dedicated: &Resources) -> EntityFacts {
    let instances = instances(entity, dedicated).into_iter().map(|instance| {
        let facts = facts_as_made(caches, packages, entity, &instance, inside);
        (instance, facts)
    });
    EntityFacts {
        namespace: namespace(caches, &entity.name_any()),
        instances: instances.collect(),
        claims: inside.claims().map(|claim| (claim.name().to_owned(), requested(claim).unwrap_or_default())).collect(),
        granted: granted(inside),
        platform: caches.platform(),
        people: people(caches, entity, inside),
    }
}

fn namespace(caches: &Caches, name: &str) -> Option<Live> {
    let found = caches.namespaces.get("", name)?;
    let object = serde_json::to_value(found.as_ref()).and_then(serde_json::from_value);
    object.map(|object| Live::of(kinds::NAMESPACE.kind, object)).ok()
}

/// What is known around an instance; what the Entity is about to make counts as made. Who else asks
/// for its host name changes no volume.
fn facts_as_made(caches: &Caches, packages: &Packages, entity: &Entity, instance: &Instance, inside: &Inside) -> Facts {
    let mut facts = facts_in(caches, packages, instance, inside);
    facts.namespace = NamespaceFacts { exists: true, entity: Some(entity.name_any()), writable: true };
    facts.entity.get_or_insert_with(|| Arc::new(entity.clone()));
    facts
}

/// The storage in the namespace's quota as it is.
fn granted(inside: &Inside) -> Bytes {
    let quota = inside.object("ResourceQuota", entity::RESOURCE_QUOTA);
    let storage = quota.as_ref().and_then(|quota| quota.value.pointer("/spec/hard/requests.storage")?.as_str());
    storage.and_then(|storage| storage.parse().ok()).unwrap_or_default()
}

/// The instances of a namespace, and those that are about to be made.
fn instances(entity: &Entity, dedicated: &Resources) -> Vec<Instance> {
    let name = entity.name_any();
    let mut instances: Vec<Instance> = dedicated.iter().map(|resource| Instance::of(resource.as_ref())).collect();
    for asked in entity::asked(entity) {
        match instances.iter_mut().find(|i| i.reference.kind == asked.kind && i.reference.name == asked.name) {
            Some(known) => known.spec = asked.instance.clone(),
            None => instances.push(future(&name, &asked)),
        }
    }
    instances
}

fn future(namespace: &str, asked: &Asked<'_>) -> Instance {
    Instance {
        reference: InstanceReference {
            kind: asked.kind.to_owned(),
            namespace: namespace.to_owned(),
            name: asked.name.to_owned(),
            uid: String::new(),
        },
        resource_version: String::new(),
        created: None,
        generation: 0,
        finalizers: Vec::new(),
        deletion_timestamp: None,
        made_by: None,
        spec: asked.instance.clone(),
        template: asked.template.to_owned(),
        parameters: asked.parameters.clone(),
        status: InstanceStatus::default(),
    }
}

/// A Dedicated resource in the form in which written objects are compared.
fn as_live(resource: &dyn Dedicated) -> Option<Arc<Live>> {
    Some(Arc::new(Live::of(resource.kind(), resource.object()?)))
}

fn services(entity: &Entity, tariff: Option<&Tariff>, dedicated: &Resources) -> Vec<Service> {
    let sale = |template: &str, spec: &InstanceSpec| {
        sell(&entity.spec.tariff, &tariff?.spec, template, &spec.tier, spec.extra_blocks).ok()
    };
    let asked = entity::asked(entity);
    let of_asked = asked.iter().map(|asked| {
        let is_it =
            |one: &&Arc<dyn Dedicated>| one.kind() == asked.kind && one.metadata().name.as_deref() == Some(asked.name);
        let found = dedicated.iter().find(is_it).map(AsRef::as_ref);
        service(asked.kind, asked.name, found, sale(asked.template, asked.instance))
    });
    let is_asked = |kind: &str, name: &str| asked.iter().any(|asked| asked.kind == kind && asked.name == name);
    let others = dedicated.iter().filter_map(|found| {
        let name = found.metadata().name.clone().unwrap_or_default();
        let sale = sale(found.template(), found.instance());
        (!is_asked(found.kind(), &name) && stays(found.as_ref(), entity))
            .then(|| service(found.kind(), &name, Some(found.as_ref()), sale))
    });
    of_asked.chain(others).collect()
}

/// What was taken out of the Entity is gone in a moment, unless its status says otherwise.
fn stays(resource: &dyn Dedicated, entity: &Entity) -> bool {
    let mut owners = resource.metadata().owner_references.iter().flatten();
    let by_hand = !owners.any(|owner| Some(&owner.uid) == entity.metadata.uid.as_ref());
    let conditions = resource.status().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let held = [Reason::Deleting.name(), Reason::DeletionBlocked.name()];
    by_hand || conditions.iter().any(|condition| held.contains(&condition.reason.as_str()))
}

fn service(kind: &str, name: &str, found: Option<&dyn Dedicated>, sale: Option<Sale>) -> Service {
    let status = found.and_then(|resource| resource.status().cloned());
    let generation = found.and_then(|resource| resource.metadata().generation);
    let current = status.as_ref().is_some_and(|status| status.observed_generation == generation);
    Service { kind: kind.to_owned(), name: name.to_owned(), status, current, sale }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::DedicatedService;

    #[test]
    fn what_was_taken_out_of_its_entity_counts_while_it_is_kept_from_going() {
        let entity: Entity = serde_json::from_value(json!({
            "metadata": {"name": "coop", "uid": "e1"}, "spec": {"displayName": "Coop", "tariff": "t"},
        }))
        .unwrap();
        let wiki = |owners: serde_json::Value, reason: &str| -> DedicatedService {
            let condition = json!({
                "type": "Ready", "status": "False", "reason": reason, "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            });
            serde_json::from_value(json!({
                "metadata": {"name": "wiki", "namespace": "coop", "ownerReferences": owners},
                "spec": {"template": "radicale", "tier": "1gb"}, "status": {"conditions": [condition]},
            }))
            .unwrap()
        };
        let owners = json!([{"apiVersion": "v1", "kind": "Entity", "name": "coop", "uid": "e1"}]);
        assert!(!stays(&wiki(owners.clone(), "Ready"), &entity));
        assert!(stays(&wiki(owners, "Deleting"), &entity));
        assert!(stays(&wiki(json!([]), "Ready"), &entity), "written by hand");
    }
}
