//! One kind's objects as the watch last saw them, with our own writes on top.
//!
//! A write's answer is put here at once, so that the next pass does not repeat it while the watch
//! still lags; an older version that arrives later is ignored, and so is the answer to a write
//! that arrives after the watch has said that the object is gone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::gone::Gone;
use super::index::{Index, Keys};
use super::kept::{Kept, Origin, Outcome};
use super::undecodable::Undecodable;

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

struct Entry<T> {
    uid: String,
    version: u64,
    /// The relist during which it was last seen or written.
    round: u64,
    /// The relist during which we last wrote it.
    written: Option<u64>,
    value: Kept<T>,
}

struct Inner<T> {
    objects: BTreeMap<String, HashMap<String, Entry<T>>>,
    gone: Gone,
    round: u64,
    complete: bool,
    undecodable: usize,
    index: Index<T>,
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
        Self::indexed_by(|_| Vec::new())
    }
}

impl<T> Store<T> {
    /// An empty store whose objects are found by these keys too.
    pub(super) fn indexed_by(keys: Keys<T>) -> Self {
        Self {
            inner: Arc::new(RwLock::new(Inner {
                objects: BTreeMap::new(),
                gone: Gone::default(),
                round: 0,
                complete: false,
                undecodable: 0,
                index: Index::by(keys),
            })),
        }
    }

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

    /// One object, if it is there and decodes.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<T>> {
        self.read().objects.get(namespace)?.get(name)?.value.object().cloned()
    }

    /// Whether an object is there, be it one that does not decode.
    pub fn holds(&self, namespace: &str, name: &str) -> bool {
        self.read().objects.get(namespace).is_some_and(|names| names.contains_key(name))
    }

    /// One object that is there and does not decode.
    pub fn undecodable(&self, namespace: &str, name: &str) -> Option<Arc<Undecodable>> {
        let inner = self.read();
        if inner.undecodable == 0 {
            return None;
        }
        inner.objects.get(namespace)?.get(name)?.value.undecodable().cloned()
    }

    /// The objects of a namespace that decode, in no order.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<T>> {
        let inner = self.read();
        let names = inner.objects.get(namespace).into_iter().flat_map(HashMap::values);
        names.filter_map(|entry| entry.value.object().cloned()).collect()
    }

    /// The objects that are found by a key.
    pub(super) fn found_by(&self, key: &str) -> Vec<Arc<T>> {
        let inner = self.read();
        let entries = inner.index.places(key).filter_map(|(namespace, name)| inner.objects.get(namespace)?.get(name));
        entries.filter_map(|entry| entry.value.object().cloned()).collect()
    }

    /// The objects of a namespace that do not decode, in no order.
    pub fn undecodable_in(&self, namespace: &str) -> Vec<Arc<Undecodable>> {
        let inner = self.read();
        if inner.undecodable == 0 {
            return Vec::new();
        }
        let names = inner.objects.get(namespace).into_iter().flat_map(HashMap::values);
        names.filter_map(|entry| entry.value.undecodable().cloned()).collect()
    }

    /// All objects that decode, in no order.
    pub fn all(&self) -> Vec<Arc<T>> {
        let inner = self.read();
        let entries = inner.objects.values().flat_map(HashMap::values);
        entries.filter_map(|entry| entry.value.object().cloned()).collect()
    }

    /// All objects that do not decode, in no order.
    pub fn undecodable_all(&self) -> Vec<Arc<Undecodable>> {
        let inner = self.read();
        if inner.undecodable == 0 {
            return Vec::new();
        }
        let entries = inner.objects.values().flat_map(HashMap::values);
        entries.filter_map(|entry| entry.value.undecodable().cloned()).collect()
    }

    /// How many objects there are, those that do not decode included.
    pub fn len(&self) -> usize {
        self.read().objects.values().map(HashMap::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the answer to a write in, unless a newer version is known or the object is gone.
    pub fn put(&self, identity: &Identity, value: T) -> Outcome<T> {
        self.insert(identity, Kept::Object(Arc::new(value)), Origin::Answer, |_, _| false)
    }

    /// Takes a version of an object in. A list wins over everything but what we wrote since it
    /// began; a watch and an answer only bring what is newer.
    pub fn take(&self, identity: &Identity, value: Kept<T>, origin: Origin) -> Outcome<T>
    where
        T: PartialEq,
    {
        self.insert(identity, value, origin, |known, listed| known == listed)
    }

    fn insert(
        &self,
        identity: &Identity,
        value: Kept<T>,
        origin: Origin,
        same: impl Fn(&Kept<T>, &Kept<T>) -> bool,
    ) -> Outcome<T> {
        let mut inner = self.write();
        if inner.gone.covers(identity, origin) {
            return Outcome::Known;
        }
        if origin != Origin::Answer {
            inner.gone.forget(&identity.uid);
        }
        let round = inner.round;
        let names = inner.objects.entry(identity.namespace.clone()).or_default();
        if let Some(known) = names.get_mut(&identity.name)
            && known.uid == identity.uid
            && identity.version != 0
        {
            let stays = match origin {
                Origin::List if known.written == Some(round) => known.version >= identity.version,
                Origin::List => known.version == identity.version && same(&known.value, &value),
                Origin::Answer | Origin::Watch => known.version >= identity.version,
            };
            if stays {
                known.round = round;
                return Outcome::Known;
            }
        }
        let written = (origin == Origin::Answer).then_some(round);
        let added = usize::from(value.undecodable().is_some());
        let entry = Entry { uid: identity.uid.clone(), version: identity.version, round, written, value };
        let after = entry.value.clone();
        let before = names.insert(identity.name.clone(), entry).map(|old| old.value);
        let removed = before.as_ref().map_or(0, |before| usize::from(before.undecodable().is_some()));
        inner.undecodable = (inner.undecodable + added).saturating_sub(removed);
        inner.index.replace(&identity.namespace, &identity.name, object(before.as_ref()), object(Some(&after)));
        Outcome::Changed(before)
    }

    /// Takes an object out, with all versions up to this one; another one that has its name by now stays.
    pub fn remove(&self, identity: &Identity) -> Option<Kept<T>> {
        let mut inner = self.write();
        inner.gone.remember(&identity.uid, Some(identity.version));
        let names = inner.objects.get_mut(&identity.namespace)?;
        if names.get(&identity.name)?.uid != identity.uid {
            return None;
        }
        let removed = names.remove(&identity.name).map(|entry| entry.value);
        if names.is_empty() {
            inner.objects.remove(&identity.namespace);
        }
        if removed.as_ref().is_some_and(|removed| removed.undecodable().is_some()) {
            inner.undecodable = inner.undecodable.saturating_sub(1);
        }
        inner.index.replace(&identity.namespace, &identity.name, object(removed.as_ref()), None);
        removed
    }

    /// A full list begins: what is neither listed nor written from here on is gone at its end.
    pub fn begin_list(&self) {
        self.write().round += 1;
    }

    /// The full list is over; returns what is gone.
    pub fn finish_list(&self) -> Vec<Kept<T>> {
        let mut inner = self.write();
        let Inner { objects, gone, round, complete, undecodable, index } = &mut *inner;
        *complete = true;
        let mut left = Vec::new();
        for (namespace, names) in objects.iter_mut() {
            names.retain(|name, entry| {
                let stays = entry.round >= *round;
                if !stays {
                    gone.remember(&entry.uid, None);
                    index.replace(namespace, name, object(Some(&entry.value)), None);
                    *undecodable = undecodable.saturating_sub(usize::from(entry.value.undecodable().is_some()));
                    left.push(entry.value.clone());
                }
                stays
            });
        }
        objects.retain(|_, names| !names.is_empty());
        left
    }
}

fn object<T>(kept: Option<&Kept<T>>) -> Option<&T> {
    kept.and_then(Kept::object).map(AsRef::as_ref)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
