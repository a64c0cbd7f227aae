//! Which feeds fill the caches, and what each keeps of an object.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use kube::core::ApiResource;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::feed::{Decode, Feed};
use super::health::TOLERATED;
use super::known::Known;
use super::stores::PLATFORM_SECRETS;
use super::triggers::{Key, Kind, Trigger, is_entity_namespace};
use super::{Caches, Listener, Live, Raw, Sealed, Store};
use crate::api::marks;
use crate::kinds;

/// On objects that `kubectl apply` wrote: the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

impl Caches {
    /// The feeds that keep these caches filled; they run until dropped. `home` is the operator's
    /// own namespace.
    pub fn watches(&self, client: &Client, home: &str, listener: &Listener) -> Vec<BoxFuture<'static, ()>> {
        let known = Known::new(self.clone(), Arc::clone(listener));
        let feeds = Feeder { client: client.clone(), known };
        let mut watches = vec![
            feeds.typed(&self.platforms),
            feeds.typed(&self.tariffs),
            feeds.typed(&self.templates),
            feeds.typed(&self.revisions),
            feeds.typed(&self.entities),
            feeds.typed(&self.offices),
            feeds.typed(&self.agoras),
            feeds.typed(&self.projects),
            feeds.typed(&self.services),
            feeds.typed(&self.records),
            feeds.typed(&self.namespaces),
            feeds.typed(&self.storage_classes),
            feeds.pods(),
            feeds.events(),
            feeds.platform_secrets(home),
        ];
        for kind in kinds::watched() {
            if let Some(store) = self.objects.get(kind.kind) {
                let keep: Decode<Live> = Box::new(|raw| raw.typed().map(|object| Some(Live::of(kind.kind, object))));
                let feed = feeds.feed(kinds::resource_of(kind), store, keep);
                watches.push(Feed { labels: Some(managed()), ..feed }.run().boxed());
            }
        }
        watches
    }
}

/// The label of everything that the operator writes.
pub(super) fn managed() -> String {
    format!("{}={}", marks::MANAGED_BY, marks::OPERATOR)
}

/// An object of a typed kind, without what nobody here reads.
pub(super) fn typed<K: Resource + DeserializeOwned>(raw: &Raw) -> Result<K, String> {
    let mut object: K = raw.typed()?;
    if let Some(annotations) = &mut object.meta_mut().annotations {
        annotations.remove(LAST_APPLIED);
    }
    Ok(object)
}

struct Feeder {
    client: Client,
    known: Known,
}

impl Feeder {
    fn feed<T: Trigger + PartialEq + Send + Sync + 'static>(
        &self,
        resource: ApiResource,
        store: &Store<T>,
        decode: Decode<T>,
    ) -> Feed<T> {
        let (known, told) = (self.known.clone(), Arc::clone(&self.known.listener));
        Feed {
            api: Api::all_with(self.client.clone(), &resource),
            health: self.known.caches.feeds.add(&resource.plural, ""),
            kind: resource.kind,
            labels: None,
            fields: None,
            store: store.clone(),
            decode,
            changed: Box::new(move |changed| known.changed(changed)),
            patience: TOLERATED,
            turned: Box::new(move || told(Key::cluster(Kind::Platform, "default"))),
        }
    }

    fn typed<K>(&self, store: &Store<K>) -> BoxFuture<'static, ()>
    where
        K: Resource<DynamicType = ()> + Trigger + DeserializeOwned + PartialEq + Send + Sync + 'static,
    {
        self.feed(ApiResource::erase::<K>(&()), store, Box::new(|raw| typed(raw).map(Some))).run().boxed()
    }

    fn pods(&self) -> BoxFuture<'static, ()> {
        let slim = |raw: &Raw| {
            let mut pod: Pod = raw.typed()?;
            pod.metadata.annotations = None;
            // Reasons come from the status; the spec would only take memory.
            pod.spec = None;
            Ok(Some(pod))
        };
        let feed = self.feed(ApiResource::erase::<Pod>(&()), &self.known.caches.pods, Box::new(slim));
        Feed { labels: Some(managed()), ..feed }.run().boxed()
    }

    fn events(&self) -> BoxFuture<'static, ()> {
        let namespaces = self.known.caches.namespaces.clone();
        let concerns_us = move |raw: &Raw| {
            // The namespaces' own list may still be on its way: then it is kept.
            if namespaces.is_complete() && !is_entity_namespace(namespaces.get("", raw.namespace()).as_deref()) {
                return Ok(None);
            }
            let event: Event = raw.typed()?;
            // What we said ourselves is no news to us.
            let is_ours = event.reporting_component.as_deref() == Some("commonscloud-operator");
            Ok((!is_ours && event.involved_object.namespace.is_some()).then_some(event))
        };
        let feed = self.feed(ApiResource::erase::<Event>(&()), &self.known.caches.events, Box::new(concerns_us));
        Feed { fields: Some("type=Warning".to_owned()), ..feed }.run().boxed()
    }

    fn platform_secrets(&self, home: &str) -> BoxFuture<'static, ()> {
        let resource = ApiResource::erase::<Secret>(&());
        let store = &self.known.caches.platform_secrets;
        let api = Api::namespaced_with(self.client.clone(), home, &resource);
        let feed = self.feed(resource, store, Box::new(sealed));
        self.known.caches.feeds.forget(kinds::SECRET.plural, "");
        Feed {
            api,
            health: self.known.caches.feeds.add(PLATFORM_SECRETS, ""),
            // Helm's records are large, and no Platform names them.
            fields: Some("type!=helm.sh/release.v1".to_owned()),
            ..feed
        }
        .run()
        .boxed()
    }
}

/// What is kept of a Secret.
pub(super) fn sealed(raw: &Raw) -> Result<Option<Sealed>, String> {
    raw.typed::<Secret>().map(|secret| Some(Sealed::of(&secret)))
}
