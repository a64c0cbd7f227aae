//! One kind's objects as the watch last saw them, with our own writes on top.
//!
//! A write's answer is put here at once, so that the next pass does not repeat it while the watch
//! still lags; an older version that arrives later is ignored, and so is the answer to a write
//! that arrives after the watch has said that the object is gone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Which version of which object something is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion as a number (they compare since Kubernetes 1.35); 0 when it is none.
    pub version: u64,
}

impl Identity {
    /// The identity in an object's metadata.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            version: metadata.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or_default(),
        }
    }
}

/// How many deleted objects are remembered, so that a late answer does not bring them back.
const REMEMBERED: usize = 4096;

/// What a version that arrived did to the store.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It was known already, or older than what is known.
    Known,
    /// It replaced this, or nothing.
    Changed(Option<Arc<T>>),
}

struct Entry<T> {
    uid: String,
    version: u64,
    /// The relist during which it was last seen or written.
    round: u64,
    value: Arc<T>,
}

struct Inner<T> {
    objects: BTreeMap<String, HashMap<String, Entry<T>>>,
    gone: Gone,
    round: u64,
    complete: bool,
}

/// The objects that left last, by uid, with the version at which they did. A watch by label says
/// of an object that lost the label that it was deleted: with a later version it is back.
#[derive(Default)]
struct Gone {
    versions: HashMap<String, u64>,
    order: VecDeque<String>,
}

impl Gone {
    fn covers(&self, identity: &Identity) -> bool {
        self.versions.get(&identity.uid).is_some_and(|version| identity.version <= *version)
    }

    fn remember(&mut self, identity: &Identity) {
        if self.versions.insert(identity.uid.clone(), identity.version).is_none() {
            self.order.push_back(identity.uid.clone());
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.versions.remove(&oldest);
        }
    }
}

/// The objects of one kind. Cloning shares it.
pub struct Store<T> {
    inner: Arc<RwLock<Inner<T>>>,
}

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self {
            inner: Arc::new(RwLock::new(Inner {
                objects: BTreeMap::new(),
                gone: Gone::default(),
                round: 0,
                complete: false,
            })),
        }
    }
}

impl<T> Store<T> {
    fn read(&self) -> RwLockReadGuard<'_, Inner<T>> {
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<T>> {
        self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether a first full list was seen.
    pub fn is_complete(&self) -> bool {
        self.read().complete
    }

    /// One object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<T>> {
        self.read().objects.get(namespace)?.get(name).map(|entry| Arc::clone(&entry.value))
    }

    /// The objects of a namespace, in no order.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<T>> {
        let inner = self.read();
        inner
            .objects
            .get(namespace)
            .map(|names| names.values().map(|e| Arc::clone(&e.value)).collect())
            .unwrap_or_default()
    }

    /// All objects, in no order.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.read().objects.values().flat_map(HashMap::values).map(|e| Arc::clone(&e.value)).collect()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.read().objects.values().map(HashMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a version of an object in, unless a newer one is known or it is gone.
    pub fn put(&self, identity: &Identity, value: T) -> Outcome<T> {
        let mut inner = self.write();
        if inner.gone.covers(identity) {
            return Outcome::Known;
        }
        let round = inner.round;
        let names = inner.objects.entry(identity.namespace.clone()).or_default();
        if let Some(known) = names.get_mut(&identity.name)
            && known.uid == identity.uid
            && identity.version != 0
            && known.version >= identity.version
        {
            known.round = round;
            return Outcome::Known;
        }
        let entry = Entry { uid: identity.uid.clone(), version: identity.version, round, value: Arc::new(value) };
        Outcome::Changed(names.insert(identity.name.clone(), entry).map(|old| old.value))
    }

    /// Takes an object out, with all versions up to this one; another one that has its name by now stays.
    pub fn remove(&self, identity: &Identity) -> Option<Arc<T>> {
        let mut inner = self.write();
        inner.gone.remember(identity);
        let names = inner.objects.get_mut(&identity.namespace)?;
        if names.get(&identity.name)?.uid != identity.uid {
            return None;
        }
        let removed = names.remove(&identity.name).map(|entry| entry.value);
        if names.is_empty() {
            inner.objects.remove(&identity.namespace);
        }
        removed
    }

    /// A full list begins: what is neither listed nor written from here on is gone at its end.
    pub fn begin_list(&self) {
        self.write().round += 1;
    }

    /// The full list is over; returns what is gone.
    pub fn finish_list(&self) -> Vec<Arc<T>> {
        let mut inner = self.write();
        inner.complete = true;
        let round = inner.round;
        let mut gone = Vec::new();
        for names in inner.objects.values_mut() {
            names.retain(|_, entry| {
                let stays = entry.round >= round;
                if !stays {
                    gone.push(Arc::clone(&entry.value));
                }
                stays
            });
        }
        inner.objects.retain(|_, names| !names.is_empty());
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(version: u64) -> Identity {
        Identity { namespace: "n".into(), name: "a".into(), uid: "u".into(), version }
    }

    #[test]
    fn a_lagging_watch_does_not_take_back_our_own_write() {
        let store = Store::default();
        assert!(matches!(store.put(&identity(7), "written"), Outcome::Changed(None)));
        assert!(matches!(store.put(&identity(5), "older"), Outcome::Known));
        assert!(matches!(store.put(&identity(7), "echo"), Outcome::Known));
        assert_eq!(*store.get("n", "a").unwrap(), "written");
    }

    #[test]
    fn an_object_made_anew_replaces_the_old_one_whatever_its_version() {
        let store = Store::default();
        store.put(&identity(7), "old");
        let again = Identity { uid: "v".into(), version: 3, ..identity(0) };
        assert!(matches!(store.put(&again, "new"), Outcome::Changed(Some(_))));
        assert!(store.remove(&identity(9)).is_none(), "the old one's late deletion");
        assert_eq!(*store.get("n", "a").unwrap(), "new");
    }

    #[test]
    fn a_late_answer_does_not_bring_back_what_was_deleted() {
        let store = Store::default();
        store.put(&identity(7), "there");
        store.remove(&identity(9));
        assert!(matches!(store.put(&identity(8), "late answer"), Outcome::Known));
        assert!(store.is_empty());
    }

    #[test]
    fn an_object_that_got_its_label_back_is_there_again() {
        let store = Store::default();
        store.put(&identity(7), "labelled");
        store.remove(&identity(9));
        assert!(matches!(store.put(&identity(10), "labelled again"), Outcome::Changed(None)));
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn a_relist_drops_what_is_gone_and_keeps_what_was_written_meanwhile() {
        let store = Store::default();
        store.put(&identity(1), "gone");
        store.begin_list();
        store.put(&Identity { name: "b".into(), version: 9, ..identity(0) }, "written meanwhile");
        assert_eq!(store.finish_list().len(), 1);
        assert!(store.is_complete());
        assert_eq!(store.all().len(), 1);
    }
}
