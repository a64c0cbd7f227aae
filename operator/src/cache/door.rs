//! Which namespaces' objects are taken in: those of Entities, and that of drills. Anybody may put the operator's label
//! on an object of theirs, and make as many as they like.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use tokio::sync::Notify;

use super::store::Store;
use super::triggers::is_taken_in;

/// How long to wait after a namespace could not be listed.
const RETRY: Duration = Duration::from_secs(1);

/// Lists one namespace's objects of one kind, and takes them in.
pub(super) type Fill = Box<dyn Fn(String) -> BoxFuture<'static, bool> + Send + Sync>;

/// What was turned away: as soon as its namespace is an Entity's, it is listed. Cloning shares it.
#[derive(Clone, Default)]
pub struct Door {
    refused: Arc<Mutex<HashMap<String, BTreeSet<String>>>>,
    changed: Arc<Notify>,
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, BTreeSet<String>>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an object of this namespace is taken in; if not, that is remembered.
    pub(super) fn lets_in(&self, namespaces: &Store<Namespace>, kind: &str, namespace: &str) -> bool {
        if is_taken_in(namespaces.get("", namespace).as_deref()) {
            return true;
        }
        let is_new = self.lock().entry(namespace.to_owned()).or_default().insert(kind.to_owned());
        if is_new {
            // The namespace may have become an Entity's just now.
            self.changed.notify_one();
        }
        false
    }

    /// A namespace is another than before.
    pub(super) fn namespace_changed(&self) {
        self.changed.notify_one();
    }

    /// A namespace is gone, and what was in it.
    pub(super) fn namespace_gone(&self, namespace: &str) {
        self.lock().remove(namespace);
    }

    /// Whether objects of this namespace are there that were not taken in (yet).
    pub fn lacks(&self, namespace: &str) -> bool {
        self.lock().contains_key(namespace)
    }

    /// What was turned away from namespaces that are Entities' by now.
    fn due(&self, namespaces: &Store<Namespace>) -> Vec<(String, String)> {
        let refused = self.lock();
        let entities = refused.iter().filter(|(name, _)| is_taken_in(namespaces.get("", name).as_deref()));
        entities.flat_map(|(name, kinds)| kinds.iter().map(|kind| (name.clone(), kind.clone()))).collect()
    }

    /// Takes in what was turned away, for ever. `filled` hears of each namespace that is whole.
    pub(super) async fn run(
        self,
        namespaces: Store<Namespace>,
        fills: HashMap<String, Fill>,
        filled: impl Fn(&str) + Send + Sync,
    ) {
        loop {
            let due = self.due(&namespaces);
            let mut failed = false;
            for (namespace, kind) in due {
                let Some(fill) = fills.get(&kind) else { continue };
                if fill(namespace.clone()).await {
                    self.took_in(&namespace, &kind);
                    filled(&namespace);
                } else {
                    failed = true;
                }
            }
            if failed {
                tokio::time::sleep(RETRY).await;
            } else {
                self.changed.notified().await;
            }
        }
    }

    fn took_in(&self, namespace: &str, kind: &str) {
        let mut refused = self.lock();
        if let Some(kinds) = refused.get_mut(namespace) {
            kinds.remove(kind);
            if kinds.is_empty() {
                refused.remove(namespace);
            }
        }
    }
}
