//! The controller of Entities: namespace, rights, limits, networks, Dedicated resources.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::context::Context;
use super::leave;
use super::queue::Next;
use crate::api::{Dedicated, Entity, Reason, marks};
use crate::apply::{WriteError, apply};
use crate::cache::{Caches, Key, Live, Undecodable};
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
    /// What the Entity depends on is there, and cannot be read.
    #[error("{0}; what depends on it stays as it is until the field is corrected, or the release runs that wrote it")]
    Undecodable(Arc<Undecodable>),
}

impl Obstacle {
    fn verdict(&self) -> Verdict {
        let problem = |reason: Reason| Problem::new(reason, self.to_string());
        match self {
            Self::NameInvalid(_) => Verdict::Stalled(problem(Reason::NameInvalid)),
            Self::NamespaceForeign(_) => Verdict::Stalled(problem(Reason::NamespaceForeign)),
            Self::NamespaceTerminating(_) => Verdict::Reconciling(problem(Reason::NamespaceTerminating)),
            Self::ObjectTaken(_) => Verdict::Stalled(problem(Reason::NameTaken)),
            Self::Undecodable(_) => Verdict::Stalled(problem(Reason::Undecodable)),
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
        // A service that cannot be read cannot be dismissed, and is no service that is gone.
        if let Some(undecodable) = gather::undecodable_for_entity(context.caches(), &entity) {
            report(context, key, &entity, Some(Obstacle::Undecodable(undecodable).verdict())).await?;
            return Ok(Next::Wait);
        }
        return leave::entity(context, key, &entity).await;
    }
    let changes = match decide(context.caches(), &context.packages, &entity, &context.account) {
        Ok(changes) => changes,
        Err(obstacle) => {
            report(context, key, &entity, Some(obstacle.verdict())).await?;
            return Ok(Next::Wait);
        }
    };
    if changes.is_empty() {
        report(context, key, &entity, None).await?;
        return Ok(Next::Wait);
    }
    if !entity.finalizers().iter().any(|f| f == marks::FINALIZER) {
        let mut finalizers = entity.finalizers().to_vec();
        finalizers.push(marks::FINALIZER.to_owned());
        let version = entity.resource_version().unwrap_or_default();
        context.set_finalizers(key, &entity.uid().unwrap_or_default(), &version, &finalizers).await?;
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
    if let Some(undecodable) = gather::undecodable_for_entity(caches, entity) {
        return Err(Obstacle::Undecodable(undecodable));
    }
    let mut changes: Vec<Change> = namespace(caches, entity)?.into_iter().collect();
    let mut desired = vec![entity::operator_binding(entity, account)];
    desired.extend(entity::namespace_objects(entity));
    let instances = instances(caches, entity);
    let needs = needs(caches, packages, entity, &instances);
    desired.push(entity::resource_quota(entity, &needs, instances.len() as u64));
    let stay = instances.iter().filter(|instance| !instance.leaving);
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
    for claim in caches.claims_in(&name) {
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
        leaving: false,
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
    let asked = entity::asked(entity);
    let services: Vec<Service> = asked.iter().map(|asked| service(caches, &key.name, asked)).collect();
    let sales: Option<Vec<Sale>> = tariff.as_ref().map(|tariff| {
        let sale = |asked: &Asked<'_>| {
            sell(&entity.spec.tariff, &tariff.spec, asked.template, &asked.instance.tier, asked.instance.extra_blocks)
                .ok()
        };
        asked.iter().filter_map(sale).collect()
    });
    let currency = tariff.as_ref().map(|tariff| tariff.spec.currency.as_str()).unwrap_or_default();
    let sales = sales.as_deref().map(|sales| (sales, currency));
    let status = entity_status(entity, &services, sales, problem, context.now());
    context.report(key, &entity.uid().unwrap_or_default(), entity.status.as_ref(), &status).await
}

fn service(caches: &Caches, namespace: &str, asked: &Asked<'_>) -> Service {
    let found = caches.dedicated(asked.kind, namespace, asked.name);
    let status = found.as_ref().and_then(|resource| resource.status().cloned());
    let generation = found.and_then(|resource| resource.metadata().generation);
    let current = status.as_ref().is_some_and(|status| status.observed_generation == generation);
    Service { kind: asked.kind.to_owned(), name: asked.name.to_owned(), status, current }
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
    fn a_service_that_is_taken_away_leaves_its_data() {
        let caches = running();
        let (office, agora) = (json!({"tier": "1gb"}), json!({"tier": "1gb"}));
        assert!(deleted(&caches, &json!({"office": office, "agora": agora})).is_empty());
        assert_eq!(deleted(&caches, &json!({"office": office})), ["DedicatedAgora/agora"]);
        assert_eq!(deleted(&caches, &json!({"agora": agora})), ["DedicatedOffice/office"]);
    }
}
