//! Collects what the caches know around one Entity. No request is made here.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::{Packages, around};
use crate::api::{Dedicated, Entity, InstanceSpec, InstanceStatus, Reason, Tariff};
use crate::cache::{Caches, Live};
use crate::compare::requested;
use crate::core::Bytes;
use crate::entity::{self, Asked};
use crate::kinds;
use crate::plan::InstanceReference;
use crate::report::Service;
use crate::resolve::{EntityFacts, Facts, Instance, NamespaceFacts, Sale, sell};

/// What the caches know around one Entity.
pub fn entity_facts(caches: &Caches, packages: &Packages, entity: &Entity) -> EntityFacts {
    let name = entity.name_any();
    let claims = caches.claims_in(&name);
    let instances = instances(caches, entity).into_iter().map(|instance| {
        let facts = facts_as_made(caches, packages, entity, &instance);
        (instance, facts)
    });
    EntityFacts {
        namespace: namespace(caches, &name),
        instances: instances.collect(),
        claims: claims.iter().map(|claim| (claim.name().to_owned(), requested(claim).unwrap_or_default())).collect(),
        granted: granted(caches, &name),
    }
}

fn namespace(caches: &Caches, name: &str) -> Option<Live> {
    let found = caches.namespaces.get("", name)?;
    let object = serde_json::to_value(found.as_ref()).and_then(serde_json::from_value);
    object.map(|object| Live::of(kinds::NAMESPACE.kind, object)).ok()
}

/// What is known around an instance; what the Entity is about to make counts as made. Who else asks
/// for its host name changes no volume.
fn facts_as_made(caches: &Caches, packages: &Packages, entity: &Entity, instance: &Instance) -> Facts {
    let mut facts = around(caches, packages, instance);
    facts.namespace = NamespaceFacts { exists: true, entity: Some(entity.name_any()), writable: true };
    facts.entity.get_or_insert_with(|| Arc::new(entity.clone()));
    facts
}

/// The storage in the namespace's quota as it is.
fn granted(caches: &Caches, namespace: &str) -> Bytes {
    let quota = caches.object("ResourceQuota", namespace, entity::RESOURCE_QUOTA);
    let storage = quota.as_ref().and_then(|quota| quota.value.pointer("/spec/hard/requests.storage")?.as_str());
    storage.and_then(|storage| storage.parse().ok()).unwrap_or_default()
}

/// The instances of a namespace, and those that are about to be made.
fn instances(caches: &Caches, entity: &Entity) -> Vec<Instance> {
    let name = entity.name_any();
    let mut instances: Vec<Instance> =
        caches.dedicated_in(&name).iter().map(|resource| Instance::of(resource.as_ref())).collect();
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

/// The objects that an Entity owns.
pub fn entity_owned(caches: &Caches, entity: &Entity) -> Vec<Arc<Live>> {
    let name = entity.name_any();
    let uid = entity.uid().unwrap_or_default();
    let mut owned = caches.objects_in(&name);
    owned.extend(caches.dedicated_in(&name).iter().filter_map(|resource| as_live(resource.as_ref())));
    owned.retain(|object| object.is_owned_by(&uid));
    owned
}

/// An object of an Entity as it is, Dedicated resources included.
pub fn entity_object(caches: &Caches, kind: &str, namespace: &str, name: &str) -> Option<Arc<Live>> {
    let dedicated = || as_live(caches.dedicated(kind, namespace, name)?.as_ref());
    caches.object(kind, namespace, name).or_else(dedicated)
}

/// A Dedicated resource in the form in which written objects are compared.
fn as_live(resource: &dyn Dedicated) -> Option<Arc<Live>> {
    Some(Arc::new(Live::of(resource.kind(), resource.object()?)))
}

/// The services that the Entity asks for, then those in its namespace that it does not: written by
/// hand, or taken out and kept from going.
pub fn entity_services(caches: &Caches, entity: &Entity, tariff: Option<&Tariff>) -> Vec<Service> {
    let namespace = entity.name_any();
    let sale = |template: &str, spec: &InstanceSpec| {
        sell(&entity.spec.tariff, &tariff?.spec, template, &spec.tier, spec.extra_blocks).ok()
    };
    let asked = entity::asked(entity);
    let of_asked = asked.iter().map(|asked| {
        let found = caches.dedicated(asked.kind, &namespace, asked.name);
        service(asked.kind, asked.name, found.as_deref(), sale(asked.template, asked.instance))
    });
    let is_asked = |kind: &str, name: &str| asked.iter().any(|asked| asked.kind == kind && asked.name == name);
    let others = caches.dedicated_in(&namespace).into_iter().filter_map(|found| {
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
