//! What the operator would do, were manifests from files applied: they are laid over the caches, and the
//! operator's own functions decide.

use std::path::Path;

use commonscloud_cluster::apply;
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{
    Entity, ServiceTemplate, ServiceTemplateRevision, ServiceTemplateRevisionSpec, ServiceTemplateStatus, marks,
};
use commonscloud_operator::cache::{Caches, Identity, Live, Sealed, Store};
use commonscloud_operator::compare::Change;
use commonscloud_operator::controller::{entity as entities, instance as instances};
use commonscloud_operator::entity::{self, ServiceAccount};
use commonscloud_operator::gather::{self, Packages};
use commonscloud_operator::resolve::Instance;
use commonscloud_operator::template::{Package, RenderedObject};
use commonscloud_operator::usage::Measurement;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What the operator would do: the writes, and what keeps it from some of them.
#[derive(Default)]
pub(crate) struct Outlook {
    /// The writes, Entities first, each as the operator orders them.
    pub(crate) changes: Vec<Change>,
    /// `Kind namespace/name: why nothing is written for it`.
    pub(crate) obstacles: Vec<String>,
}

/// Lays the objects of a file or folder over the caches.
pub(crate) fn lay_over(caches: &Caches, path: &Path) -> Result<(), Failure> {
    for object in apply::read(path)? {
        let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
        match kind.as_str() {
            "Platform" => put(&caches.platforms, object)?,
            "Tariff" => put(&caches.tariffs, object)?,
            "Entity" => put(&caches.entities, object)?,
            "DedicatedOffice" => put(&caches.offices, object)?,
            "DedicatedAgora" => put(&caches.agoras, object)?,
            "DedicatedProjects" => put(&caches.projects, object)?,
            "DedicatedService" => put(&caches.services, object)?,
            "Secret" => put_secret(caches, &serde_json::from_value(serde_json::to_value(object)?)?),
            "ServiceTemplate" => register(caches, serde_json::from_value(serde_json::to_value(object)?)?)?,
            _ => tracing::warn!(kind, "not one of this project's kinds: left out"),
        }
    }
    Ok(())
}

/// A Secret that is made for a service; of others nothing depends on those in a file.
fn put_secret(caches: &Caches, secret: &Secret) {
    if secret.labels().contains_key(marks::FOR) {
        caches.secrets.none_in(&secret.namespace().unwrap_or_default());
        caches.secrets.put(&Identity::of(&secret.metadata), Sealed::of(secret));
    }
}

/// The Secrets that the Platform names count as made: no cluster is there to be asked.
pub(crate) fn platform_secrets(caches: &Caches) {
    let platform = caches.platform();
    for (_, name) in platform.iter().flat_map(|platform| platform.spec.secrets()) {
        let secret = Sealed { name: name.to_owned(), uid: format!("of-secret-{name}"), ..Sealed::default() };
        let identity = Identity { name: name.to_owned(), uid: secret.uid.clone(), ..Identity::default() };
        caches.platform_secrets.put(&identity, secret);
    }
}

/// Takes a package in, with the revision that the operator would make of it.
pub(crate) fn register(caches: &Caches, mut template: ServiceTemplate) -> Result<(), Failure> {
    let name = template.name_any();
    let revision = Package::compile(&name, &template.spec)?.revision_name();
    let content = serde_json::to_value(&template.spec)?;
    let spec = ServiceTemplateRevisionSpec { template: name.clone(), content };
    let mut copy = ServiceTemplateRevision::new(&revision, spec);
    copy.metadata.uid = Some(revision.clone());
    caches.revisions.put(&Identity::of(&copy.metadata), copy);
    template.status = Some(ServiceTemplateStatus { revision: Some(revision), ..ServiceTemplateStatus::default() });
    caches.templates.put(&Identity { version: 0, ..Identity::of(&template.metadata) }, template);
    Ok(())
}

/// The operator as the chart installs it.
pub(crate) fn account() -> ServiceAccount {
    ServiceAccount { namespace: "commonscloud-system".to_owned(), name: "commonscloud-operator".to_owned() }
}

/// What the operator would do for every Entity and every Dedicated resource in the caches.
pub(crate) fn of(caches: &Caches, account: &ServiceAccount) -> Result<Outlook, Failure> {
    let packages = Packages::default();
    let mut outlook = Outlook::default();
    let mut all = caches.entities.all();
    all.sort_by_key(|entity| entity.name_any());
    for entity in all {
        let observed = gather::observe_entity(caches, &packages, &entity);
        match entities::decide(&entity, &observed, account, Timestamp::now()) {
            Ok(decided) => outlook.changes.extend(decided.changes),
            Err(obstacle) => outlook.obstacles.push(format!("Entity {}: {obstacle}", entity.name_any())),
        }
        as_if_made(caches, &entity, account)?;
    }
    let mut all: Vec<Instance> =
        caches.dedicated_all().iter().map(|resource| Instance::of(resource.as_ref())).collect();
    all.sort_by(|a, b| (&a.reference.namespace, &a.reference.name).cmp(&(&b.reference.namespace, &b.reference.name)));
    for instance in &all {
        let observed = gather::observe(caches, &packages, instance, |_| Measurement::NotYet);
        match instances::decide(&caches.settled, instance, &observed) {
            Ok((_, changes)) => outlook.changes.extend(changes),
            Err(obstacle) => {
                let reference = &instance.reference;
                let object = format!("{} {}/{}", reference.kind, reference.namespace, reference.name);
                outlook.obstacles.push(format!("{object}: {obstacle}"));
            }
        }
    }
    Ok(outlook)
}

/// The Entity's namespace, the operator's rights in it and its Dedicated resources count as made.
fn as_if_made(caches: &Caches, entity: &Entity, account: &ServiceAccount) -> Result<(), Failure> {
    let name = entity.name_any();
    if caches.namespaces.get("", &name).is_none() {
        put(&caches.namespaces, serde_json::from_value(entity::namespace(entity, ""))?)?;
        caches.secrets.none_in(&name);
    }
    let binding = entity::operator_binding(entity, account);
    if let (None, Some(store)) = (caches.object(&binding.kind, &name, &binding.name), caches.objects.get("RoleBinding"))
    {
        let object: DynamicObject = serde_json::from_value(binding.value)?;
        store.put(&Identity::of(&object.metadata), Live::of("RoleBinding", object));
    }
    for RenderedObject { kind, value, .. } in entity::dedicated(entity) {
        match kind.as_str() {
            "DedicatedOffice" => put(&caches.offices, serde_json::from_value(value)?)?,
            "DedicatedAgora" => put(&caches.agoras, serde_json::from_value(value)?)?,
            "DedicatedProjects" => put(&caches.projects, serde_json::from_value(value)?)?,
            _ => put(&caches.services, serde_json::from_value(value)?)?,
        }
    }
    Ok(())
}

/// Puts an object over the one of its name: what the API server knows of that one stays.
fn put<K>(store: &Store<K>, object: DynamicObject) -> Result<(), Failure>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + serde::Serialize,
{
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let mut value = serde_json::to_value(object)?;
    match store.get(&namespace, &name) {
        Some(live) => {
            let live = serde_json::to_value(live.as_ref())?;
            for field in ["uid", "creationTimestamp", "resourceVersion", "finalizers", "ownerReferences"] {
                keep(&mut value["metadata"], &live["metadata"], field);
            }
            keep(&mut value, &live, "status");
        }
        None => value["metadata"]["uid"] = json!(format!("of-{}-{namespace}-{name}", K::kind(&()).to_lowercase())),
    }
    let object: K = serde_json::from_value(value)?;
    store.put(&Identity { version: 0, ..Identity::of(object.meta()) }, object);
    Ok(())
}

fn keep(value: &mut Value, live: &Value, field: &str) {
    if !live[field].is_null() {
        value[field] = live[field].clone();
    }
}
