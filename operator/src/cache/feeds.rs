//! Which feeds fill the caches, and what each keeps of an object.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::api::core::v1::{Event, Node, Pod, Secret};
use kube::core::ApiResource;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use super::door::Fill;
use super::feed::{Decode, Feed};
use super::health::TOLERATED;
use super::key::{Key, Kind};
use super::known::Known;
use super::live::LAST_APPLIED;
use super::nodes::Kubelet;
use super::pods;
use super::stores::PLATFORM_SECRETS;
use super::triggers::{Trigger, is_taken_in};
use super::{Caches, Listener, Live, Raw, Sealed, Store};
use crate::api::marks;
use crate::kinds;

/// How often it is asked whether the namespaces are known.
const GLANCE: Duration = Duration::from_millis(5);

impl Caches {
    /// The feeds that keep these caches filled; they run until dropped. `home` is the operator's
    /// own namespace.
    pub fn watches(&self, client: &Client, home: &str, listener: &Listener) -> Vec<BoxFuture<'static, ()>> {
        let known = Known::new(self.clone(), Arc::clone(listener));
        let mut feeds = Feeder { client: client.clone(), known, fills: HashMap::new() };
        let mut watches = vec![
            feeds.pods(),
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
            feeds.typed(&self.backups),
            feeds.typed(&self.restores),
            feeds.typed(&self.consents),
            feeds.typed(&self.collectives),
            feeds.typed(&self.accesses),
            feeds.typed(&self.histories),
            feeds.typed(&self.leave_requests),
            feeds.typed(&self.namespaces),
            feeds.typed(&self.storage_classes),
            feeds.typed(&self.ingress_classes),
            feeds.events(),
            feeds.platform_secrets(home),
        ];
        for kind in kinds::watched() {
            if let Some(store) = self.objects.get(kind.kind) {
                let keep = |raw: &Raw| raw.typed().map(|object| Live::of(kind.kind, object));
                watches.push(feeds.managed(kinds::resource_of(kind), store, keep));
            }
        }
        watches.push(feeds.refused());
        watches
    }
}

impl Caches {
    /// The feed of nodes; it runs until dropped.
    pub fn watch_nodes(&self, client: &Client, listener: &Listener) -> BoxFuture<'static, ()> {
        let known = Known::new(self.clone(), Arc::clone(listener));
        let feeds = Feeder { client: client.clone(), known, fills: HashMap::new() };
        let keep = |raw: &Raw| raw.typed::<Node>().map(|node| Kubelet::of(&node));
        Arc::new(feeds.feed(ApiResource::erase::<Node>(&()), &self.nodes, Box::new(keep))).run().boxed()
    }
}

/// The label of everything that the operator writes.
fn managed() -> String {
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
    fills: HashMap<String, Fill>,
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
            client: self.client.clone(),
            health: self.known.caches.feeds.add(&resource.plural, ""),
            resource,
            namespace: String::new(),
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
        Arc::new(self.feed(ApiResource::erase::<K>(&()), store, Box::new(|raw| typed(raw).map(Some)))).run().boxed()
    }

    /// Objects with the operator's label, in the namespaces of Entities.
    fn managed<T: Trigger + PartialEq + Send + Sync + 'static>(
        &mut self,
        resource: ApiResource,
        store: &Store<T>,
        keep: impl Fn(&Raw) -> Result<T, String> + Send + Sync + 'static,
    ) -> BoxFuture<'static, ()> {
        let caches = self.known.caches.clone();
        let (door, namespaces, known, kind) =
            (caches.door, caches.namespaces.clone(), store.clone(), resource.kind.clone());
        let decode = move |raw: &Raw| {
            let identity = raw.identity();
            // What is known already is followed to its end, whatever becomes of its namespace.
            let is_known = || known.holds(&identity.namespace, &identity.name);
            if !is_known() && !door.lets_in(&namespaces, &kind, &identity.namespace) {
                return Ok(None);
            }
            keep(raw).map(Some)
        };
        let feed = Feed { labels: Some(managed()), ..self.feed(resource, store, Box::new(decode)) };
        let feed = Arc::new(feed);
        let filling = Arc::clone(&feed);
        let fill: Fill = Box::new(move |namespace| {
            let feed = Arc::clone(&filling);
            async move { feed.fill(&namespace).await }.boxed()
        });
        self.fills.insert(feed.resource.kind.clone(), fill);
        let namespaces = caches.namespaces;
        let run = async move {
            // Before they are known, nobody could say whose an object is.
            while !namespaces.is_complete() {
                tokio::time::sleep(GLANCE).await;
            }
            feed.run().await;
        };
        run.boxed()
    }

    /// Takes in what was turned away, once its namespace is an Entity's.
    fn refused(self) -> BoxFuture<'static, ()> {
        let known = self.known;
        let (door, namespaces) = (known.caches.door.clone(), known.caches.namespaces.clone());
        let filled = move |namespace: &str| known.caches.in_entity(namespace).into_iter().for_each(&*known.listener);
        door.run(namespaces, self.fills, filled).boxed()
    }

    fn pods(&mut self) -> BoxFuture<'static, ()> {
        let slim = |raw: &Raw| {
            let mut pod: Pod = raw.typed()?;
            pods::slim(&mut pod);
            Ok(pod)
        };
        let store = self.known.caches.pods.clone();
        self.managed(ApiResource::erase::<Pod>(&()), &store, slim)
    }

    fn events(&self) -> BoxFuture<'static, ()> {
        let namespaces = self.known.caches.namespaces.clone();
        let concerns_us = move |raw: &Raw| {
            // The namespaces' own list may still be on its way: then it is kept.
            if namespaces.is_complete() && !is_taken_in(namespaces.get("", raw.namespace()).as_deref()) {
                return Ok(None);
            }
            let event: Event = raw.typed()?;
            // What we said ourselves is no news to us.
            let is_ours = event.reporting_component.as_deref() == Some("commonscloud-operator");
            Ok((!is_ours && event.involved_object.namespace.is_some()).then_some(event))
        };
        let feed = self.feed(ApiResource::erase::<Event>(&()), &self.known.caches.events, Box::new(concerns_us));
        Arc::new(Feed { fields: Some("type=Warning".to_owned()), ..feed }).run().boxed()
    }

    fn platform_secrets(&self, home: &str) -> BoxFuture<'static, ()> {
        let resource = ApiResource::erase::<Secret>(&());
        let store = &self.known.caches.platform_secrets;
        let feed = self.feed(resource, store, Box::new(sealed));
        self.known.caches.feeds.forget(kinds::SECRET.plural, "");
        let feed = Feed {
            namespace: home.to_owned(),
            health: self.known.caches.feeds.add(PLATFORM_SECRETS, ""),
            // Helm's records are large, and no Platform names them.
            fields: Some("type!=helm.sh/release.v1".to_owned()),
            ..feed
        };
        Arc::new(feed).run().boxed()
    }
}

/// What is kept of a Secret.
pub(super) fn sealed(raw: &Raw) -> Result<Option<Sealed>, String> {
    raw.typed::<Secret>().map(|secret| Some(Sealed::of(&secret)))
}
