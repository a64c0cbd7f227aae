//! The controller of Entities: namespace, rights, limits, networks, Dedicated resources.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::context::Context;
use super::deletion::{self, finalizer};
use super::queue::Next;
use crate::api::{Dedicated, Entity, InstanceSpec, Reason, Tariff, marks};
use crate::apply::{WriteError, apply};
use crate::cache::{Caches, Key, Live};
use crate::compare::{Action, Change, ObjectTaken, compare_objects, differences, requested};
use crate::core::{Bytes, is_entity_name};
use crate::entity::{self, Asked, Needs, ServiceAccount};
use crate::gather::{self, Packages};
use crate::kinds;
use crate::plan::{InstanceReference, PlannedVolume};
use crate::report::{Problem, Service, Verdict, entity_problem, entity_status};
use crate::resolve::{Instance, NamespaceFacts, Sale, resolve, sell};

/// What stops an Entity before anything is applied.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// The name belongs to the cluster.
    #[error(
        "metadata.name: {0} is reserved for the cluster itself or is no name; choose another, it also becomes the namespace"
    )]
    NameInvalid(String),
    /// The namespace is somebody else's.
    #[error(
        "namespace {0} exists and is not this Entity's; remove it, choose another name, or let an administrator label it commonscloud.coop/entity={0}"
    )]
    NamespaceForeign(String),
    /// The namespace is on its way out.
    #[error("namespace {0} is being deleted; waiting until it is gone")]
    NamespaceTerminating(String),
    /// An object's name is an instance's.
    #[error(transparent)]
    ObjectTaken(#[from] ObjectTaken),
}

impl Obstacle {
    fn verdict(&self) -> Verdict {
        let problem = |reason: Reason| Problem::new(reason, self.to_string());
        match self {
            Self::NameInvalid(_) => Verdict::Stalled(problem(Reason::NameInvalid)),
            Self::NamespaceForeign(_) => Verdict::Stalled(problem(Reason::NamespaceForeign)),
            Self::NamespaceTerminating(_) => Verdict::Reconciling(problem(Reason::NamespaceTerminating)),
            Self::ObjectTaken(_) => Verdict::Stalled(problem(Reason::NameTaken)),
        }
    }
}

/// One pass over an Entity.
///
/// # Errors
/// When a write outside of *apply* fails.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(entity) = context.caches().entities.get("", &key.name) else { return Ok(Next::Wait) };
    if entity.metadata.deletion_timestamp.is_some() {
        return deletion::entity(context, key, &entity).await;
    }
    let changes = match decide(context.caches(), &context.packages, &entity, &context.account) {
        Ok(changes) => changes,
        Err(obstacle) => {
            report(context, key, &entity, Some(obstacle.verdict())).await?;
            return Ok(Next::Wait);
        }
    };
    finalizer::ensure(context, key, entity.as_ref()).await?;
    if changes.is_empty() {
        report(context, key, &entity, None).await?;
        return Ok(Next::Wait);
    }
    let applied = apply(&context.server, &context.known, key, &changes).await;
    let passes = applied.failures.iter().all(|failure| failure.trouble.passes());
    let next = applied.next();
    // Rights that were just given take a moment: the first failures are no news.
    if passes && !applied.failures.is_empty() && context.queue.failures(key) < 4 {
        return Ok(next);
    }
    report(context, key, &entity, entity_problem(&applied)).await?;
    Ok(next)
}

/// The writes that an Entity needs. No request is made here.
///
/// # Errors
/// Why nothing is written.
pub fn decide(
    caches: &Caches,
    packages: &Packages,
    entity: &Entity,
    account: &ServiceAccount,
) -> Result<Vec<Change>, Obstacle> {
    let name = entity.name_any();
    if !is_entity_name(&name) {
        return Err(Obstacle::NameInvalid(name));
    }
    let mut changes: Vec<Change> = namespace(caches, entity)?.into_iter().collect();
    let mut desired = vec![entity::operator_binding(entity, account)];
    desired.extend(entity::namespace_objects(entity));
    let instances = instances(caches, entity);
    let needs = needs(caches, packages, entity, &instances);
    desired.push(entity::resource_quota(entity, &needs, instances.len() as u64));
    let stay = instances.iter().filter(|instance| !instance.is_being_deleted());
    let managers = stay.map(|instance| (instance.reference.name.as_str(), instance.spec.managers.as_slice()));
    desired.extend(entity::manager_bindings(entity, managers));
    desired.extend(entity::dedicated(entity));
    let uid = entity.uid().unwrap_or_default();
    let mut owned = caches.objects_in(&name);
    owned.extend(caches.dedicated_in(&name).iter().filter_map(|resource| as_live(resource.as_ref())));
    owned.retain(|object| object.is_owned_by(&uid));
    let live = |kind: &str, namespace: &str, name: &str| {
        let dedicated = || as_live(caches.dedicated(kind, namespace, name)?.as_ref());
        caches.object(kind, namespace, name).or_else(dedicated)
    };
    changes.extend(compare_objects(&desired, live, &owned)?);
    Ok(changes)
}

/// A namespace is made, or repaired when it is the Entity's; anybody else's is left alone.
fn namespace(caches: &Caches, entity: &Entity) -> Result<Option<Change>, Obstacle> {
    let name = entity.name_any();
    let mut wanted = entity::namespace(entity);
    let change = |action| Change {
        kind: kinds::NAMESPACE.kind.to_owned(),
        namespace: String::new(),
        name: name.clone(),
        action,
    };
    let Some(found) = caches.namespaces.get("", &name) else { return Ok(Some(change(Action::Create(wanted)))) };
    if found.metadata.deletion_timestamp.is_some() {
        return Err(Obstacle::NamespaceTerminating(name));
    }
    if found.labels().get(marks::ENTITY) != Some(&name) {
        return Err(Obstacle::NamespaceForeign(name));
    }
    let live = serde_json::to_value(found.as_ref()).and_then(serde_json::from_value);
    let live = live.map(|object| Live::of(kinds::NAMESPACE.kind, object)).ok();
    let because = live.map(|live| differences(kinds::NAMESPACE.kind, &wanted, &live.value)).unwrap_or_default();
    if because.is_empty() {
        return Ok(None);
    }
    // The uid keeps an apply from making a namespace that was deleted meanwhile.
    wanted["metadata"]["uid"] = found.metadata.uid.clone().into();
    Ok(Some(change(Action::Apply { object: wanted, because })))
}

/// What the volumes of the namespace need: those that exist, and those of each service's plan.
fn needs(caches: &Caches, packages: &Packages, entity: &Entity, instances: &[Instance]) -> Needs {
    let name = entity.name_any();
    let mut needs = Needs::default();
    for claim in caches.objects.get(kinds::VOLUME.kind).map(|store| store.in_namespace(&name)).unwrap_or_default() {
        needs.claim(claim.name(), requested(&claim).unwrap_or_default());
    }
    for instance in instances {
        let mut facts = gather::facts(caches, packages, instance);
        // What the Entity is about to make counts as made.
        facts.namespace = NamespaceFacts { exists: true, entity: Some(name.clone()), writable: true };
        facts.entity.get_or_insert_with(|| Arc::new(entity.clone()));
        // Room for all that a volume may grow to: it grows on its own, in the middle of the night.
        let most = |volume: &PlannedVolume| volume.growth.map_or(volume.request, |growth| growth.maximum);
        match resolve(instance, &facts) {
            Ok(resolved) => resolved.plan.volumes.iter().for_each(|v| needs.claim(&v.claim, most(v))),
            // Without a Platform, say, what may grow keeps the room that it was given.
            Err(_) => needs.keep(granted(caches, &name)),
        }
    }
    needs
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
        status: crate::api::InstanceStatus::default(),
    }
}

async fn report(context: &Context, key: &Key, entity: &Entity, problem: Option<Verdict>) -> Result<(), WriteError> {
    let caches = context.caches();
    let tariff = caches.tariffs.get("", &entity.spec.tariff);
    let missing = || {
        let message = format!("Tariff {} does not exist (yet); create it, or name another", entity.spec.tariff);
        Verdict::Reconciling(Problem::new(Reason::TariffNotFound, message))
    };
    let problem = problem.or_else(|| tariff.is_none().then(missing));
    let services = services(caches, entity, tariff.as_deref());
    let currency = tariff.as_ref().map(|tariff| tariff.spec.currency.as_str());
    let status = entity_status(entity, &services, currency, problem, context.now());
    context.report(key, &entity.uid().unwrap_or_default(), entity.status.as_ref(), &status).await
}

/// The services that the Entity asks for, then those in its namespace that it does not: written by
/// hand, or taken out and kept from going.
fn services(caches: &Caches, entity: &Entity, tariff: Option<&Tariff>) -> Vec<Service> {
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
    let owners = resource.metadata().owner_references.iter().flatten();
    let by_hand = !owners.into_iter().any(|owner| Some(&owner.uid) == entity.metadata.uid.as_ref());
    let conditions = resource.status().map(|status| status.conditions.as_slice()).unwrap_or_default();
    by_hand
        || conditions
            .iter()
            .any(|c| [Reason::Deleting.name(), Reason::DeletionBlocked.name()].contains(&c.reason.as_str()))
}

fn service(kind: &str, name: &str, found: Option<&dyn Dedicated>, sale: Option<Sale>) -> Service {
    let status = found.and_then(|resource| resource.status().cloned());
    let generation = found.and_then(|resource| resource.metadata().generation);
    let current = status.as_ref().is_some_and(|status| status.observed_generation == generation);
    Service { kind: kind.to_owned(), name: name.to_owned(), status, current, sale }
}

/// A Dedicated resource in the form in which written objects are compared.
fn as_live(resource: &dyn Dedicated) -> Option<Arc<Live>> {
    Some(Arc::new(Live::of(resource.kind(), resource.object()?)))
}

#[cfg(test)]
mod tests {
    use kube::Resource;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::ServiceTemplate;
    use crate::cache::{Identity, Store};
    use crate::resolve::fixtures;
    use crate::template::Package;

    fn put<K: Resource + serde::de::DeserializeOwned>(store: &Store<K>, object: Value) {
        let object: K = serde_json::from_value(object).unwrap();
        store.put(&Identity::of(object.meta()), object);
    }

    fn entity(services: &Value) -> Value {
        json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Entity", "metadata": {"name": "coop", "uid": "e1"},
            "spec": {"displayName": "Coop", "tariff": "t", "services": services},
        })
    }

    /// `coop` as it is with office and agora, the agora's volume and record beside it.
    fn running() -> Caches {
        let caches = Caches::new();
        let before: Entity =
            serde_json::from_value(entity(&json!({"office": {"tier": "1gb"}, "agora": {"tier": "1gb"}}))).unwrap();
        put(&caches.namespaces, entity::namespace(&before));
        for object in entity::dedicated(&before) {
            let mut value = object.value;
            value["metadata"]["uid"] = json!(format!("of-{}", object.name));
            if object.kind == "DedicatedAgora" {
                put(&caches.agoras, value);
            } else {
                put(&caches.offices, value);
            }
        }
        let marks = json!({marks::INSTANCE: "agora", marks::ENTITY: "coop", marks::DATA: "true"});
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"namespace": "coop", "name": "agora-data", "uid": "p1", "labels": marks},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}},
        });
        let claim: kube::core::DynamicObject = serde_json::from_value(claim).unwrap();
        caches.objects["PersistentVolumeClaim"]
            .put(&Identity::of(&claim.metadata), Live::of("PersistentVolumeClaim", claim));
        caches
    }

    fn deleted(caches: &Caches, services: &Value) -> Vec<String> {
        let entity: Entity = serde_json::from_value(entity(services)).unwrap();
        let account = ServiceAccount { namespace: "system".to_owned(), name: "operator".to_owned() };
        let changes = decide(caches, &Packages::default(), &entity, &account).unwrap();
        let deletions = changes.iter().filter(|change| matches!(change.action, Action::Delete { .. }));
        deletions.map(|change| format!("{}/{}", change.kind, change.name)).collect()
    }

    /// `coop` with an instance of this package.
    fn with_package(template: &ServiceTemplate) -> (Caches, Entity) {
        let caches = Caches::new();
        let facts = fixtures::facts();
        let services = json!({"others": [{"name": "calendar", "template": "radicale", "tier": "1gb"}]});
        let entity: Entity = serde_json::from_value(entity(&services)).unwrap();
        let revision = Package::compile("radicale", &template.spec).unwrap().revision_name();
        let api_version = "commonscloud.coop/v1alpha1";
        put(&caches.platforms, json!(facts.platform.as_deref()));
        put(&caches.tariffs, json!(facts.tariff.as_deref()));
        let package = json!({
            "apiVersion": api_version, "kind": "ServiceTemplate", "metadata": {"name": "radicale"},
            "spec": template.spec, "status": {"revision": revision},
        });
        put(&caches.templates, package);
        let content = json!({
            "apiVersion": api_version, "kind": "ServiceTemplateRevision", "metadata": {"name": revision, "uid": "r1"},
            "spec": {"template": "radicale", "content": template.spec},
        });
        put(&caches.revisions, content);
        put(&caches.entities, json!(entity));
        (caches, entity)
    }

    /// The ResourceQuota that is to be written, if any is.
    fn quota(caches: &Caches, entity: &Entity) -> Option<Value> {
        let account = ServiceAccount { namespace: "system".to_owned(), name: "operator".to_owned() };
        let changes = decide(caches, &Packages::default(), entity, &account).unwrap();
        changes.into_iter().find_map(|change| match change.action {
            Action::Apply { object, .. } if change.kind == "ResourceQuota" => Some(object),
            _ => None,
        })
    }

    fn storage(template: &ServiceTemplate) -> Value {
        let (caches, entity) = with_package(template);
        quota(&caches, &entity).unwrap()["spec"]["hard"]["requests.storage"].clone()
    }

    #[test]
    fn the_quota_of_a_namespace_has_room_for_what_its_volumes_may_grow_to() {
        assert_eq!(storage(&fixtures::template()), "1025Mi");
        assert_eq!(storage(&fixtures::growing_template()), "9218Mi", "1025 for the data and 8193 for the database");
    }

    #[test]
    fn a_quota_keeps_its_room_while_nobody_knows_what_is_needed() {
        let (caches, entity) = with_package(&fixtures::growing_template());
        let written: kube::core::DynamicObject = serde_json::from_value(quota(&caches, &entity).unwrap()).unwrap();
        caches.objects["ResourceQuota"].put(&Identity::of(&written.metadata), Live::of("ResourceQuota", written));
        let storage = |caches: &Caches| granted(caches, "coop").to_string();
        assert_eq!((quota(&caches, &entity), storage(&caches)), (None, "9218Mi".to_owned()));
        let without_platform = Caches { platforms: Store::default(), ..caches };
        let kept = quota(&without_platform, &entity).map(|quota| quota["spec"]["hard"]["requests.storage"].clone());
        assert!(kept.is_none_or(|kept| kept == "9218Mi"), "without a Platform");
    }

    #[test]
    fn a_service_that_somebody_wrote_by_hand_counts_in_its_entity() {
        let (caches, entity) = with_package(&fixtures::template());
        let by_hand = json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "DedicatedService",
            "metadata": {"name": "byhand", "namespace": "coop", "uid": "u9", "generation": 1},
            "spec": {"template": "radicale", "tier": "gone"},
        });
        put(&caches.services, by_hand);
        let tariff = caches.tariffs.get("", "t");
        let services = services(&caches, &entity, tariff.as_deref());
        let status = entity_status(&entity, &services, Some("EUR"), None, k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(status.services_ready.as_deref(), Some("0/2"));
        assert_eq!(status.price.as_deref(), Some("5.00 EUR + 1 unknown (byhand)"));
        assert_eq!(status.storage.as_deref(), Some("1Gi + 1 unknown (byhand)"));
    }

    #[test]
    fn a_service_that_is_taken_away_leaves_its_data() {
        let caches = running();
        let (office, agora) = (json!({"tier": "1gb"}), json!({"tier": "1gb"}));
        assert!(deleted(&caches, &json!({"office": office, "agora": agora})).is_empty());
        assert_eq!(deleted(&caches, &json!({"office": office})), ["DedicatedAgora/agora"]);
        assert_eq!(deleted(&caches, &json!({"agora": agora})), ["DedicatedOffice/office"]);
    }
}
