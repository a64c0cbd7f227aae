//! What the API server has, as the watches saw it: the only thing that gather reads.

mod dedicated;
mod known;
mod live;
mod rollout;
mod sealed;
mod secrets;
mod store;
mod triggers;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _, join_all};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, Secret};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::core::DynamicObject;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};

pub use dedicated::AnyDedicated;
pub use known::Known;
pub use live::Live;
pub use sealed::Sealed;
pub use secrets::{SecretWatches, Secrets};
pub use store::{Identity, Outcome, Store};
pub use triggers::{Key, Kind};

use crate::api::{
    DedicatedAgora, DedicatedOffice, DedicatedProjects, DedicatedService, Entity, Platform, ServiceData,
    ServiceTemplate, ServiceTemplateRevision, Tariff, marks,
};
use crate::kinds;
use crate::template::AllowedKind;

/// Hears which resources a change concerns.
pub type Listener = Arc<dyn Fn(Key) + Send + Sync>;

/// All caches. Cloning shares them.
#[derive(Clone, Default)]
pub struct Caches {
    /// The Platform.
    pub platforms: Store<Platform>,
    /// The Tariffs.
    pub tariffs: Store<Tariff>,
    /// The packages.
    pub templates: Store<ServiceTemplate>,
    /// The packages' revisions.
    pub revisions: Store<ServiceTemplateRevision>,
    /// The Entities.
    pub entities: Store<Entity>,
    /// The offices.
    pub offices: Store<DedicatedOffice>,
    /// The agoras.
    pub agoras: Store<DedicatedAgora>,
    /// The projects.
    pub projects: Store<DedicatedProjects>,
    /// The services made from any template.
    pub services: Store<DedicatedService>,
    /// The records of data.
    pub records: Store<ServiceData>,
    /// All namespaces.
    pub namespaces: Store<Namespace>,
    /// The storage classes.
    pub storage_classes: Store<StorageClass>,
    /// The instances' pods.
    pub pods: Store<Pod>,
    /// Warnings about objects in the Entities' namespaces.
    pub events: Store<Event>,
    /// What the operator writes, by kind.
    pub objects: BTreeMap<&'static str, Store<Live>>,
    /// The Secrets in the Entities' namespaces.
    pub secrets: Secrets,
    /// The Secrets in the operator's own namespace: the Platform names some of them.
    pub platform_secrets: Store<Sealed>,
}

impl Caches {
    /// Empty caches.
    pub fn new() -> Self {
        let objects = kinds::watched().map(|kind| (kind.kind, Store::default())).collect();
        Self { objects, ..Self::default() }
    }

    /// The watches that keep these caches filled; they run until dropped. `home` is the operator's
    /// own namespace.
    pub fn watches(&self, client: &Client, home: &str, listener: &Listener) -> Vec<BoxFuture<'static, ()>> {
        let known = Known::new(self.clone(), Arc::clone(listener));
        let mut watches = vec![
            own(client, &self.platforms, &known),
            own(client, &self.tariffs, &known),
            own(client, &self.templates, &known),
            own(client, &self.revisions, &known),
            own(client, &self.entities, &known),
            own(client, &self.offices, &known),
            own(client, &self.agoras, &known),
            own(client, &self.projects, &known),
            own(client, &self.services, &known),
            own(client, &self.records, &known),
            own(client, &self.namespaces, &known),
            own(client, &self.storage_classes, &known),
        ];
        watches.push(pods(client, &self.pods, &known));
        watches.push(events(client, &self.events, &known));
        watches.push(platform_secrets(client, home, &self.platform_secrets, &known));
        for kind in kinds::watched() {
            if let Some(store) = self.objects.get(kind.kind) {
                watches.push(objects(client, kind, store, &known));
            }
        }
        watches
    }

    /// The names of the resources whose first list is still awaited.
    pub fn awaited(&self) -> Vec<&'static str> {
        let mut awaited: Vec<&'static str> = [
            ("platforms", self.platforms.is_complete()),
            ("tariffs", self.tariffs.is_complete()),
            ("servicetemplates", self.templates.is_complete()),
            ("servicetemplaterevisions", self.revisions.is_complete()),
            ("entities", self.entities.is_complete()),
            ("dedicatedoffices", self.offices.is_complete()),
            ("dedicatedagoras", self.agoras.is_complete()),
            ("dedicatedprojects", self.projects.is_complete()),
            ("dedicatedservices", self.services.is_complete()),
            ("servicedata", self.records.is_complete()),
            ("namespaces", self.namespaces.is_complete()),
            ("storageclasses", self.storage_classes.is_complete()),
            ("pods", self.pods.is_complete()),
            ("events", self.events.is_complete()),
            ("secrets of the operator's namespace", self.platform_secrets.is_complete()),
        ]
        .into_iter()
        .filter_map(|(name, complete)| (!complete).then_some(name))
        .collect();
        awaited.extend(self.objects.iter().filter(|(_, store)| !store.is_complete()).map(|(kind, _)| *kind));
        awaited
    }

    /// One object that the operator writes.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Live>> {
        self.objects.get(kind)?.get(namespace, name)
    }

    /// The written objects of a namespace, of all kinds.
    pub fn objects_in(&self, namespace: &str) -> Vec<Arc<Live>> {
        self.objects.values().flat_map(|store| store.in_namespace(namespace)).collect()
    }

    /// A Secret of the operator's own namespace.
    pub fn platform_secret(&self, name: &str) -> Option<Arc<Sealed>> {
        self.platform_secrets.all().into_iter().find(|secret| secret.name == name)
    }

    /// The Platform `default`.
    pub fn platform(&self) -> Option<Arc<Platform>> {
        self.platforms.get("", "default")
    }
}

/// Waits until every watch of `all` has ended, which is never while the operator runs.
pub async fn run(all: Vec<BoxFuture<'static, ()>>) {
    join_all(all.into_iter().map(|watch| tokio::spawn(watch))).await;
}

fn own<K>(client: &Client, store: &Store<K>, known: &Known) -> BoxFuture<'static, ()>
where
    K: Resource<DynamicType = ()>
        + triggers::Trigger
        + Clone
        + serde::de::DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    let known = known.clone();
    let without_managed_fields = |mut object: K| {
        object.meta_mut().managed_fields = None;
        Some(object)
    };
    watch::feed(
        Api::all(client.clone()),
        watcher::Config::default(),
        store.clone(),
        without_managed_fields,
        move |changed| {
            known.changed(changed);
        },
    )
    .boxed()
}

fn managed() -> watcher::Config {
    watcher::Config::default().labels(&format!("{}={}", marks::MANAGED_BY, marks::OPERATOR))
}

fn pods(client: &Client, store: &Store<Pod>, known: &Known) -> BoxFuture<'static, ()> {
    let known = known.clone();
    let slim = |mut pod: Pod| {
        pod.metadata.managed_fields = None;
        pod.metadata.annotations = None;
        // Reasons come from the status; the spec would only take memory.
        pod.spec = None;
        Some(pod)
    };
    watch::feed(Api::all(client.clone()), managed(), store.clone(), slim, move |changed| known.changed(changed)).boxed()
}

fn events(client: &Client, store: &Store<Event>, known: &Known) -> BoxFuture<'static, ()> {
    let known = known.clone();
    let namespaces = known.caches.namespaces.clone();
    let concerns_us = move |mut event: Event| {
        let namespace = event.involved_object.namespace.as_deref()?;
        // What we said ourselves is no news to us.
        if event.reporting_component.as_deref() == Some("commonscloud-operator") {
            return None;
        }
        // The namespaces' own list may still be on its way: then it is kept.
        if namespaces.is_complete() && !triggers::is_entity_namespace(namespaces.get("", namespace).as_deref()) {
            return None;
        }
        event.metadata.managed_fields = None;
        Some(event)
    };
    let config = watcher::Config::default().fields("type=Warning");
    watch::feed(Api::all(client.clone()), config, store.clone(), concerns_us, move |changed| known.changed(changed))
        .boxed()
}

fn platform_secrets(client: &Client, home: &str, store: &Store<Sealed>, known: &Known) -> BoxFuture<'static, ()> {
    let known = known.clone();
    let api: Api<Secret> = Api::namespaced(client.clone(), home);
    // Helm's records are large, and no Platform names them.
    let config = watcher::Config::default().fields("type!=helm.sh/release.v1");
    let keep = |secret: Secret| Some(Sealed::of(&secret));
    watch::feed(api, config, store.clone(), keep, move |changed| known.changed(changed)).boxed()
}

fn objects(client: &Client, kind: &'static AllowedKind, store: &Store<Live>, known: &Known) -> BoxFuture<'static, ()> {
    let known = known.clone();
    let resource = kinds::resource_of(kind);
    let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
    let keep = |object| Some(Live::of(kind.kind, object));
    watch::feed(api, managed(), store.clone(), keep, move |changed| known.changed(changed)).boxed()
}
