//! Tells the listener which resources a change concerns.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;

use super::feed::Changed;
use super::triggers::Trigger;
use super::undecodable::Undecodable;
use super::{Caches, Identity, Kept, Key, Listener, Live, Origin, Outcome, Sealed, Store};
use crate::api::marks;

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
        let is_news = before.zip(after).is_none_or(|(before, after)| Kept::is_news(before, after));
        let both = before.into_iter().chain(after).filter(|_| is_news);
        let mut concerned: BTreeSet<_> = both.flat_map(|object| object.concerned(&self.caches)).collect();
        concerned.extend(Kept::unblocked(before, after, &self.caches));
        for key in concerned {
            (self.listener)(key);
        }
        match (before.and_then(Trigger::namespace_name), after) {
            (Some(name), None) => self.caches.door.namespace_gone(name),
            (_, Some(after)) if after.namespace_name().is_some() => self.caches.door.namespace_changed(),
            _ => {}
        }
        if let (Some(before), None) = (before, after) {
            for key in before.freed(&self.caches) {
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
    /// concerns hears of it. So does `by` where the answer to a write of its own status shows what
    /// somebody asked of it meanwhile: the watch brings that later, as something known. Gives what is
    /// kept of it, where that is an object that an instance or an Entity is made of.
    pub fn take_in(&self, by: &Key, kind: &str, object: DynamicObject) -> Option<Arc<Live>> {
        let identity = Identity::of(&object.metadata);
        let caches = &self.caches;
        match kind {
            "Secret" => {
                if let Ok(secret) = object.try_parse() {
                    caches.secrets.put(&identity, Sealed::of(&secret));
                }
            }
            "ServiceData" => self.take(by, kind, &caches.records, &identity, object),
            "ServiceBackup" => self.take(by, kind, &caches.backups, &identity, object),
            "ServiceRestore" => self.take(by, kind, &caches.restores, &identity, object),
            "RestoreConsent" => self.take(by, kind, &caches.consents, &identity, object),
            "Collective" => self.take(by, kind, &caches.collectives, &identity, object),
            "Access" => self.take(by, kind, &caches.accesses, &identity, object),
            "AccessHistory" => self.take(by, kind, &caches.histories, &identity, object),
            "LeaveRequest" => self.take(by, kind, &caches.leave_requests, &identity, object),
            "Platform" => self.take(by, kind, &caches.platforms, &identity, object),
            "ServiceTemplate" => self.take(by, kind, &caches.templates, &identity, object),
            "ServiceTemplateRevision" => self.take(by, kind, &caches.revisions, &identity, object),
            "Entity" => self.take(by, kind, &caches.entities, &identity, object),
            "DedicatedOffice" => self.take(by, kind, &caches.offices, &identity, object),
            "DedicatedAgora" => self.take(by, kind, &caches.agoras, &identity, object),
            "DedicatedProjects" => self.take(by, kind, &caches.projects, &identity, object),
            "DedicatedService" => self.take(by, kind, &caches.services, &identity, object),
            "Namespace" => self.take(by, kind, &caches.namespaces, &identity, object),
            _ => {
                let store = caches.objects.get(kind)?;
                self.put(by, store, &identity, Live::of(kind, object), |_, _| false);
                return caches.object(kind, &identity.namespace, &identity.name);
            }
        }
        None
    }

    /// Has a resource looked at once more.
    pub fn again(&self, key: &Key) {
        (self.listener)(key.clone());
    }

    fn take<K: Resource + Trigger + DeserializeOwned + PartialEq>(
        &self,
        by: &Key,
        kind: &str,
        store: &Store<K>,
        identity: &Identity,
        object: DynamicObject,
    ) {
        let value = serde_json::to_value(object).unwrap_or_default();
        match K::deserialize(&value) {
            Err(error) => {
                let undecodable = Undecodable::of(kind, &value, error.to_string());
                self.take_undecodable(store, identity, undecodable);
            }
            Ok(mut typed) => {
                typed.meta_mut().managed_fields = None;
                let is_own = by.kind.as_str() == kind && by.namespace == identity.namespace && by.name == identity.name;
                let asked = |before: Option<&K>, after: &K| {
                    let lost = |before: &K| has_finalizer(before.meta()) && !has_finalizer(after.meta());
                    let is_news = |before: &K| asked(before.meta()) != asked(after.meta()) || lost(before);
                    is_own && before.is_none_or(is_news)
                };
                self.put(by, store, identity, typed, asked);
            }
        }
    }

    /// The answer to a write of ours, to an object that is not what this release knows.
    fn take_undecodable<K: Trigger + PartialEq>(&self, store: &Store<K>, identity: &Identity, found: Undecodable) {
        let after = Kept::Undecodable(Arc::new(found));
        if let Outcome::Changed(before) = store.take(identity, after.clone(), Origin::Answer) {
            self.changed((before.as_ref(), Some(&after)));
        }
    }

    fn put<T: Trigger + PartialEq>(
        &self,
        by: &Key,
        store: &Store<T>,
        identity: &Identity,
        value: T,
        is_news_to_the_writer: impl Fn(Option<&T>, &T) -> bool,
    ) {
        let Outcome::Changed(before) = store.put(identity, value) else { return };
        let after = store.get(&identity.namespace, &identity.name);
        let known = before.as_ref().and_then(|before| before.object().map(AsRef::as_ref));
        if after.as_ref().is_some_and(|after| after.namespace_name().is_some()) {
            self.caches.door.namespace_changed();
        }
        let is_news = after.as_ref().is_some_and(|after| is_news_to_the_writer(known, after));
        let of_before = before.iter().flat_map(|object| object.concerned(&self.caches));
        let of_after = after.iter().flat_map(|object| object.concerned(&self.caches));
        let mut concerned: BTreeSet<_> = of_before.chain(of_after).collect();
        concerned.extend(T::unblocked(known, after.as_deref(), &self.caches));
        for key in concerned.into_iter().filter(|key| is_news || key != by) {
            (self.listener)(key);
        }
    }
}

/// What of a resource nobody writes who reports its status or keeps it by a finalizer.
fn asked(metadata: &ObjectMeta) -> impl PartialEq {
    (metadata.generation, metadata.deletion_timestamp.clone(), metadata.labels.clone(), metadata.annotations.clone())
}

fn has_finalizer(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == marks::FINALIZER)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::super::Kind;
    use super::*;

    const OURS: [&str; 1] = [marks::FINALIZER];

    /// Who hears of the answer to a report of `site`, known before as version 5 of generation 1.
    fn heard(generation: u32, labels: &[(&str, &str)], finalizers: &[&str]) -> Vec<Key> {
        let site = |version: u32, generation: u32, labels: &[(&str, &str)], finalizers: &[&str]| {
            let labels: std::collections::BTreeMap<_, _> = labels.iter().copied().collect();
            serde_json::from_value::<DynamicObject>(json!({
                "apiVersion": "commonscloud.coop/v1alpha1", "kind": "DedicatedService",
                "metadata": {"name": "site", "namespace": "e", "uid": "u", "resourceVersion": version.to_string(),
                             "generation": generation, "labels": labels, "finalizers": finalizers},
                "spec": {"template": "radicale", "tier": "1gb"},
            }))
            .unwrap()
        };
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let known = Known::new(Caches::new(), Arc::new(move |key| ears.lock().unwrap().push(key)));
        let by = Key::new(Kind::DedicatedService, "e", "site");
        known.take_in(&Key::cluster(Kind::Entity, "e"), "DedicatedService", site(5, 1, &[], &OURS));
        heard.lock().unwrap().clear();
        known.take_in(&by, "DedicatedService", site(9, generation, labels, finalizers));
        // What the watch brings late is older than that answer.
        let late = known.caches().services.put(&Identity::of(&site(7, 2, labels, finalizers).metadata), late());
        assert!(matches!(late, Outcome::Known));
        let heard = heard.lock().unwrap();
        heard.iter().filter(|key| **key == by).cloned().collect()
    }

    fn late() -> crate::api::DedicatedService {
        serde_json::from_value(json!({"metadata": {}, "spec": {"template": "radicale", "tier": "1gb"}})).unwrap()
    }

    #[test]
    fn a_writer_hears_of_what_was_asked_of_it_meanwhile_and_not_of_its_own_report() {
        assert_eq!(heard(1, &[], &OURS).len(), 0, "its own report");
        assert_eq!(heard(2, &[], &OURS).len(), 1, "another spec");
        assert_eq!(heard(1, &[("a", "b")], &OURS).len(), 1, "another label");
        assert_eq!(heard(1, &[], &[]).len(), 1, "the finalizer was taken off");
    }
}
