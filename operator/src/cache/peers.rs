//! The pods that the Platform's network peers select: where they are, and at which ports they listen. A feed
//! for each selector brings a handful of pods, of whatever namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::core::ApiResource;
use kube::{Client, ResourceExt as _};
use tokio::task::AbortHandle;

use super::feed::Feed;
use super::health::TOLERATED;
use super::key::{Key, Kind};
use super::raw::Raw;
use super::store::Store;
use super::{Caches, Listener};

/// What is kept of a pod that a peer selects.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerPod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The ports that its containers list.
    pub ports: BTreeSet<i32>,
}

/// The pods that peers select, by the selector. Cloning shares it.
#[derive(Clone, Default)]
pub struct Peers {
    watched: Arc<Mutex<BTreeMap<String, Watched>>>,
}

#[derive(Default)]
struct Watched {
    pods: Store<PeerPod>,
    task: Option<AbortHandle>,
}

impl Peers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pods that a selector such as `k8s-app=kube-dns` means; none while they are not known yet.
    pub fn of(&self, selector: &str) -> Option<Vec<Arc<PeerPod>>> {
        let pods = self.lock().get(selector)?.pods.clone();
        pods.is_complete().then(|| pods.all())
    }

    /// Has a selector mean these pods.
    #[cfg(test)]
    pub(crate) fn put(&self, selector: &str, pods: Vec<PeerPod>) {
        let watched = Watched::default();
        watched.pods.begin_list();
        for pod in pods {
            let identity =
                super::Identity { namespace: pod.namespace.clone(), name: pod.name.clone(), ..Default::default() };
            watched.pods.put(&identity, pod);
        }
        watched.pods.finish_list();
        self.lock().insert(selector.to_owned(), watched);
    }
}

/// Starts and ends the feeds of peers.
#[derive(Clone)]
pub struct PeerWatches {
    client: Client,
    caches: Caches,
    listener: Listener,
}

impl PeerWatches {
    /// Feeds that fill `caches.peers`.
    pub fn new(client: Client, caches: Caches, listener: Listener) -> Self {
        Self { client, caches, listener }
    }

    /// Watches the pods of these selectors from now on, and no others.
    pub fn watch(&self, selectors: &BTreeSet<String>) {
        let mut watched = self.caches.peers.lock();
        watched.retain(|selector, known| {
            let stays = selectors.contains(selector);
            if let Some(task) = known.task.take_if(|_| !stays) {
                task.abort();
                self.caches.feeds.forget(&shown(selector), "");
            }
            stays
        });
        for selector in selectors {
            watched.entry(selector.clone()).or_insert_with(|| {
                let pods = Store::default();
                let task = tokio::spawn(Arc::new(self.feed(selector, pods.clone())).run());
                Watched { pods, task: Some(task.abort_handle()) }
            });
        }
    }

    fn feed(&self, selector: &str, store: Store<PeerPod>) -> Feed<PeerPod> {
        let (listener, told) = (Arc::clone(&self.listener), Arc::clone(&self.listener));
        let platform = || Key::cluster(Kind::Platform, "default");
        Feed {
            client: self.client.clone(),
            resource: ApiResource::erase::<Pod>(&()),
            namespace: String::new(),
            labels: Some(selector.to_owned()),
            // What has ended answers nobody.
            fields: Some("status.phase!=Succeeded,status.phase!=Failed".to_owned()),
            store,
            decode: Box::new(|raw| kept(raw).map(Some)),
            // A pod turns often; where it is and at which ports it listens stays.
            changed: Box::new(move |(before, after)| {
                if before.is_none() || before != after {
                    listener(platform());
                }
            }),
            health: self.caches.feeds.add_aside(&shown(selector)),
            patience: TOLERATED,
            turned: Box::new(move || told(platform())),
        }
    }
}

/// How the feed of a selector is called.
fn shown(selector: &str) -> String {
    format!("pods of network peers ({selector})")
}

fn kept(raw: &Raw) -> Result<PeerPod, String> {
    let pod: Pod = raw.typed()?;
    // A container that runs beside the others may stand among those that begin before them.
    let containers =
        pod.spec.iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    let ports = containers.flat_map(|container| container.ports.iter().flatten()).map(|port| port.container_port);
    Ok(PeerPod { namespace: pod.namespace().unwrap_or_default(), name: pod.name_any(), ports: ports.collect() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::stub::{Stub, until};
    use super::*;

    fn pod(name: &str, port: u16) -> String {
        json!({
            "metadata": {"name": name, "namespace": "kube-system", "uid": name, "resourceVersion": "7"},
            "spec": {"containers": [{"name": "dns", "ports": [{"containerPort": port}]}]},
        })
        .to_string()
    }

    #[tokio::test]
    async fn the_pods_of_a_selector_are_followed_while_the_platform_names_it() {
        let (stub, client) = Stub::start().await;
        stub.items("pods", &[pod("coredns", 53)]);
        let caches = Caches::new();
        let watches = PeerWatches::new(client, caches.clone(), Arc::new(|_| {}));
        let selectors = BTreeSet::from(["k8s-app=kube-dns".to_owned()]);
        assert_eq!(caches.peers.of("k8s-app=kube-dns"), None, "not asked yet");
        watches.watch(&selectors);
        watches.watch(&selectors);
        let ports = || {
            let pods = caches.peers.of("k8s-app=kube-dns").unwrap_or_default();
            pods.iter().flat_map(|pod| pod.ports.clone()).collect::<Vec<_>>()
        };
        until(|| ports() == [53]).await;
        let later = pod("coredns", 5353).replace("\"7\"", "\"107\"");
        stub.event("pods", "MODIFIED", &later).await;
        until(|| ports() == [5353]).await;
        assert_eq!(stub.lists("pods"), 1);
        assert!(caches.feeds.all().iter().all(|feed| feed.aside), "nobody waits for it");
        watches.watch(&BTreeSet::new());
        assert_eq!(caches.peers.of("k8s-app=kube-dns"), None);
        assert!(caches.feeds.all().is_empty());
    }
}
