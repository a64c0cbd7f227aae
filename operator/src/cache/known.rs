//! Tells the listener which resources a change concerns.

use std::collections::BTreeSet;

use kube::Resource;
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;

use super::triggers::Trigger;
use super::watch::Changed;
use super::{Caches, Identity, Key, Listener, Live, Outcome, Sealed, Store};

/// The caches, and who hears of their changes.
#[derive(Clone)]
pub struct Known {
    pub(super) caches: Caches,
    pub(super) listener: Listener,
}

impl Known {
    /// Both the object before and the one after say whom the change concerns: a label that was
    /// taken off concerns whom it pointed to.
    pub(super) fn changed<T: Trigger>(&self, (before, after): Changed<'_, T>) {
        let concerned: BTreeSet<_> =
            before.into_iter().chain(after).flat_map(|object| object.concerned(&self.caches)).collect();
        for key in concerned {
            (self.listener)(key);
        }
        if after.is_none() {
            for key in self.caches.waiting_for_names() {
                (self.listener)(key);
            }
        }
    }
}

impl Known {
    /// The caches, and who hears of their changes.
    pub fn new(caches: Caches, listener: Listener) -> Self {
        Self { caches, listener }
    }

    /// The caches.
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// Takes the answer to a write of `by` in, before the watch brings it; everybody else that it
    /// concerns hears of it.
    pub fn take_in(&self, by: &Key, kind: &str, object: DynamicObject) {
        let identity = Identity::of(&object.metadata);
        let caches = &self.caches;
        match kind {
            "Secret" => {
                if let Ok(secret) = object.try_parse() {
                    caches.secrets.put(&identity, Sealed::of(&secret));
                }
            }
            "ServiceData" => self.take(by, &caches.records, &identity, object),
            "Platform" => self.take(by, &caches.platforms, &identity, object),
            "ServiceTemplate" => self.take(by, &caches.templates, &identity, object),
            "ServiceTemplateRevision" => self.take(by, &caches.revisions, &identity, object),
            "Entity" => self.take(by, &caches.entities, &identity, object),
            "DedicatedOffice" => self.take(by, &caches.offices, &identity, object),
            "DedicatedAgora" => self.take(by, &caches.agoras, &identity, object),
            "DedicatedProjects" => self.take(by, &caches.projects, &identity, object),
            "DedicatedService" => self.take(by, &caches.services, &identity, object),
            "Namespace" => self.take(by, &caches.namespaces, &identity, object),
            _ => {
                if let Some(store) = caches.objects.get(kind) {
                    self.put(by, store, &identity, Live::of(kind, object));
                }
            }
        }
    }

    fn take<K: Resource + Trigger + DeserializeOwned>(
        &self,
        by: &Key,
        store: &Store<K>,
        identity: &Identity,
        object: DynamicObject,
    ) {
        let typed = serde_json::to_value(object).and_then(serde_json::from_value::<K>);
        if let Ok(mut typed) = typed {
            typed.meta_mut().managed_fields = None;
            self.put(by, store, identity, typed);
        }
    }

    fn put<T: Trigger>(&self, by: &Key, store: &Store<T>, identity: &Identity, value: T) {
        let Outcome::Changed(before) = store.put(identity, value) else { return };
        let after = store.get(&identity.namespace, &identity.name);
        let concerned: BTreeSet<_> =
            before.iter().chain(&after).flat_map(|object| object.concerned(&self.caches)).collect();
        for key in concerned.into_iter().filter(|key| key != by) {
            (self.listener)(key);
        }
    }
}
