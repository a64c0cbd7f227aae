//! The names of the Secrets in each Entity's namespace. Only names and labels are watched, and
//! only where the operator has a RoleBinding: what Secrets hold is never in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::task::AbortHandle;

use super::store::{Identity, Store};
use super::{Caches, Listener, watch};
use crate::api::marks;

/// The names of managed Secrets by namespace. Cloning shares it.
#[derive(Clone, Default)]
pub struct SecretNames {
    namespaces: Arc<Mutex<HashMap<String, Watched>>>,
}

struct Watched {
    names: Store<String>,
    task: Option<AbortHandle>,
}

impl SecretNames {
    fn with<R>(&self, f: impl FnOnce(&mut HashMap<String, Watched>) -> R) -> R {
        f(&mut self.namespaces.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The managed Secrets of a namespace; none while they are not known yet.
    pub fn of(&self, namespace: &str) -> Option<BTreeSet<String>> {
        self.with(|all| {
            let names = &all.get(namespace)?.names;
            names.is_complete().then(|| names.all().iter().map(|name| name.as_ref().clone()).collect())
        })
    }

    /// Takes a namespace that is not there yet as one without Secrets.
    pub fn none_in(&self, namespace: &str) {
        let names = Store::default();
        names.finish_list();
        self.with(|all| {
            all.entry(namespace.to_owned()).or_insert(Watched { names, task: None });
        });
    }

    /// Takes our own write in at once.
    pub fn put(&self, identity: &Identity) {
        self.with(|all| {
            if let Some(watched) = all.get(&identity.namespace) {
                watched.names.put(identity, identity.name.clone());
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

/// Starts the watches of Secrets' names, one per namespace.
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
        let names = self.caches.secrets.with(|all| {
            if all.contains_key(namespace) {
                return None;
            }
            let names = Store::default();
            all.insert(namespace.to_owned(), Watched { names: names.clone(), task: None });
            Some(names)
        });
        let Some(names) = names else { return };
        let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(self.client.clone(), namespace);
        let config = watcher::Config::default().labels(&format!("{}={}", marks::MANAGED_BY, marks::OPERATOR));
        let listener = Arc::clone(&self.listener);
        let (caches, concerned) = (self.caches.clone(), namespace.to_owned());
        let keep = |secret: PartialObjectMeta<Secret>| secret.metadata.name;
        let changed =
            move |_: watch::Changed<'_, String>| caches.in_entity(&concerned).into_iter().for_each(|key| listener(key));
        let task = tokio::spawn(watch::feed(api, config, names, keep, changed));
        self.caches.secrets.with(|all| {
            if let Some(watched) = all.get_mut(namespace) {
                watched.task = Some(task.abort_handle());
            }
        });
    }
}
