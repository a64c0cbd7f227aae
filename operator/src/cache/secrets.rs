//! The Secrets in each Entity's namespace, watched only where the operator has a RoleBinding. What
//! they hold becomes a digest and fingerprints as it comes in, and is never kept; of those that others made,
//! only what is labelled for a service is known at all. One watch brings both: no selector asks for either label.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::core::ApiResource;
use tokio::task::AbortHandle;

use super::feed::Feed;
use super::feeds::sealed;
use super::health::{FeedHealth, Feeds};
use super::key::{Key, Kind};
use super::raw::Raw;
use super::sealed::Sealed;
use super::store::{Identity, Store};
use super::undecodable::Undecodable;
use super::{Caches, Connections, Listener};
use crate::api::marks;
use crate::kinds;

/// How long the right to read a namespace's Secrets may take to have effect.
const PATIENCE: Duration = Duration::from_secs(1);

/// The managed Secrets by namespace. Cloning shares it.
#[derive(Clone, Default)]
pub struct Secrets {
    namespaces: Arc<Mutex<HashMap<String, Watched>>>,
}

struct Watched {
    secrets: Store<Sealed>,
    task: Option<AbortHandle>,
    feeds: Feeds,
}

impl Secrets {
    fn with<R>(&self, f: impl FnOnce(&mut HashMap<String, Watched>) -> R) -> R {
        f(&mut self.namespaces.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The managed Secrets of a namespace by name; none while they are not known yet.
    pub fn of(&self, namespace: &str) -> Option<BTreeMap<String, Arc<Sealed>>> {
        self.with(|all| {
            let secrets = &all.get(namespace)?.secrets;
            let managed = || secrets.all().into_iter().filter(|secret| is_managed(&secret.labels));
            secrets.is_complete().then(|| managed().map(|s| (s.name.clone(), s)).collect())
        })
    }

    /// A text without what the known Secrets of a namespace hold.
    pub fn redact(&self, namespace: &str, text: &str) -> String {
        let all = self.with(|all| all.get(namespace).map(|watched| watched.secrets.all())).unwrap_or_default();
        all.iter().fold(text.to_owned(), |text, secret| secret.fingerprints.redact(&text).into_owned())
    }

    /// The Secrets of a namespace that somebody made for a service, and the service's name.
    pub fn made_in(&self, namespace: &str) -> BTreeMap<String, String> {
        self.for_services(namespace).into_iter().map(|(secret, service)| (secret.name.clone(), service)).collect()
    }

    /// The same, each with the names of its keys.
    pub fn for_services(&self, namespace: &str) -> Vec<(Arc<Sealed>, String)> {
        let all = self.with(|all| all.get(namespace).map(|watched| watched.secrets.all())).unwrap_or_default();
        let made = all.into_iter().filter(|secret| !is_managed(&secret.labels));
        made.filter_map(|secret| secret.labels.get(marks::FOR).cloned().map(|service| (secret, service))).collect()
    }

    /// The Secrets of a namespace that are kept and do not decode.
    pub(super) fn undecodable_in(&self, namespace: &str) -> Vec<Arc<Undecodable>> {
        self.with(|all| all.get(namespace).map(|watched| watched.secrets.undecodable_in(namespace)).unwrap_or_default())
    }

    /// Takes a namespace that is not there yet as one without Secrets.
    pub fn none_in(&self, namespace: &str) {
        let secrets = Store::default();
        secrets.finish_list();
        self.with(|all| {
            all.entry(namespace.to_owned()).or_insert(Watched { secrets, task: None, feeds: Feeds::default() });
        });
    }

    /// Takes our own write in at once.
    pub fn put(&self, identity: &Identity, secret: Sealed) {
        self.with(|all| {
            if let Some(watched) = all.get(&identity.namespace) {
                watched.secrets.put(identity, secret);
            }
        });
    }

    /// Stops watching a namespace.
    pub fn forget(&self, namespace: &str) {
        let watched = self.with(|all| all.remove(namespace));
        if let Some(watched) = watched {
            watched.feeds.forget(kinds::SECRET.plural, namespace);
            if let Some(task) = watched.task {
                task.abort();
            }
        }
    }
}

/// Starts the watches of Secrets, one per namespace.
#[derive(Clone)]
pub struct SecretWatches {
    connections: Connections,
    caches: Caches,
    listener: Listener,
}

impl SecretWatches {
    /// Watches that fill `caches.secrets`, by this client.
    pub fn new(client: Client, caches: Caches, listener: Listener) -> Self {
        Self::over(Connections::of(client), caches, listener)
    }

    /// Watches that fill `caches.secrets`, over these connections.
    pub fn over(connections: Connections, caches: Caches, listener: Listener) -> Self {
        Self { connections, caches, listener }
    }

    /// Watches a namespace from now on, if it is not watched yet.
    pub fn watch(&self, namespace: &str) {
        let secrets = self.caches.secrets.with(|all| {
            if all.contains_key(namespace) {
                return None;
            }
            let secrets = Store::default();
            let feeds = self.caches.feeds.clone();
            all.insert(namespace.to_owned(), Watched { secrets: secrets.clone(), task: None, feeds });
            Some(secrets)
        });
        let Some(secrets) = secrets else { return };
        let task = tokio::spawn(Arc::new(self.feed(namespace, secrets)).run());
        self.caches.secrets.with(|all| {
            if let Some(watched) = all.get_mut(namespace) {
                watched.task = Some(task.abort_handle());
            }
        });
    }

    /// How the feed of a namespace fails, if it does so for longer than a right takes to have effect.
    pub fn failing(&self, namespace: &str) -> Option<FeedHealth> {
        let feed = self.caches.feeds.of(kinds::SECRET.plural, namespace)?;
        feed.failing_for().is_some_and(|time| time >= PATIENCE).then_some(feed)
    }

    fn feed(&self, namespace: &str, store: Store<Sealed>) -> Feed<Sealed> {
        let resource = ApiResource::erase::<Secret>(&());
        let (listener, caches, concerned) = (Arc::clone(&self.listener), self.caches.clone(), namespace.to_owned());
        let tell = move || caches.in_entity(&concerned).into_iter().for_each(|key| listener(key));
        let (changed, of_platform) = (tell.clone(), Arc::clone(&self.listener));
        let (client, connection) = self.connections.next();
        let turned = move || {
            // Held as long as the feed is.
            let _ = &connection;
            tell();
            of_platform(Key::cluster(Kind::Platform, "default"));
        };
        Feed {
            client,
            resource,
            namespace: namespace.to_owned(),
            labels: None,
            // Helm's records are large, and no service's.
            fields: Some("type!=helm.sh/release.v1".to_owned()),
            store,
            decode: Box::new(kept),
            changed: Box::new(move |_| changed()),
            health: self.caches.feeds.add(kinds::SECRET.plural, namespace),
            patience: PATIENCE,
            turned: Box::new(turned),
        }
    }
}

fn is_managed(labels: &BTreeMap<String, String>) -> bool {
    labels.get(marks::MANAGED_BY).is_some_and(|by| by == marks::OPERATOR)
}

/// What is kept of a Secret in an Entity's namespace: nothing of what is neither managed nor for a service.
fn kept(raw: &Raw) -> Result<Option<Sealed>, String> {
    let labels = raw.labels();
    if is_managed(&labels) || labels.contains_key(marks::FOR) { sealed(raw) } else { Ok(None) }
}
