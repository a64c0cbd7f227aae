//! The Secrets in each Entity's namespace, watched only where the operator has a RoleBinding. What
//! they hold becomes a digest as it comes in, and is never kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::task::AbortHandle;

use super::sealed::Sealed;
use super::store::{Identity, Store};
use super::{Caches, Listener, watch};
use crate::api::marks;

/// The managed Secrets by namespace. Cloning shares it.
#[derive(Clone, Default)]
pub struct Secrets {
    namespaces: Arc<Mutex<HashMap<String, Watched>>>,
}

struct Watched {
    secrets: Store<Sealed>,
    task: Option<AbortHandle>,
}

impl Secrets {
    fn with<R>(&self, f: impl FnOnce(&mut HashMap<String, Watched>) -> R) -> R {
        f(&mut self.namespaces.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The managed Secrets of a namespace by name; none while they are not known yet.
    pub fn of(&self, namespace: &str) -> Option<BTreeMap<String, Arc<Sealed>>> {
        self.with(|all| {
            let secrets = &all.get(namespace)?.secrets;
            secrets.is_complete().then(|| secrets.all().into_iter().map(|s| (s.name.clone(), s)).collect())
        })
    }

    /// Takes a namespace that is not there yet as one without Secrets.
    pub fn none_in(&self, namespace: &str) {
        let secrets = Store::default();
        secrets.finish_list();
        self.with(|all| {
            all.entry(namespace.to_owned()).or_insert(Watched { secrets, task: None });
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
        if let Some(task) = watched.and_then(|w| w.task) {
            task.abort();
        }
    }
}

/// Starts the watches of Secrets, one per namespace.
#[derive(Clone)]
pub struct SecretWatches {
    client: Client,
    caches: Caches,
    listener: Listener,
}

impl SecretWatches {
    /// Watches that fill `caches.secrets`, by this client.
    pub fn new(client: Client, caches: Caches, listener: Listener) -> Self {
        Self { client, caches, listener }
    }

    /// Watches a namespace from now on, if it is not watched yet.
    pub fn watch(&self, namespace: &str) {
        let secrets = self.caches.secrets.with(|all| {
            if all.contains_key(namespace) {
                return None;
            }
            let secrets = Store::default();
            all.insert(namespace.to_owned(), Watched { secrets: secrets.clone(), task: None });
            Some(secrets)
        });
        let Some(secrets) = secrets else { return };
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().labels(&format!("{}={}", marks::MANAGED_BY, marks::OPERATOR));
        let listener = Arc::clone(&self.listener);
        let (caches, concerned) = (self.caches.clone(), namespace.to_owned());
        let keep = |secret: Secret| Some(Sealed::of(&secret));
        let changed =
            move |_: watch::Changed<'_, Sealed>| caches.in_entity(&concerned).into_iter().for_each(|key| listener(key));
        let task = tokio::spawn(watch::feed(api, config, secrets, keep, changed));
        self.caches.secrets.with(|all| {
            if let Some(watched) = all.get_mut(namespace) {
                watched.task = Some(task.abort_handle());
            }
        });
    }
}
