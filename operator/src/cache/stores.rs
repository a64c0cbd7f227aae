//! The stores of all kinds, their types forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Caches;
use super::store::Store;
use super::undecodable::Undecodable;
use crate::kinds;

/// What is asked of a store whatever it holds.
pub(super) trait AnyStore {
    fn is_complete(&self) -> bool;
    fn undecodable(&self, namespace: &str, name: &str) -> Option<Arc<Undecodable>>;
    fn undecodable_in(&self, namespace: &str) -> Vec<Arc<Undecodable>>;
    fn undecodable_all(&self) -> Vec<Arc<Undecodable>>;
}

impl<T> AnyStore for Store<T> {
    fn is_complete(&self) -> bool {
        Self::is_complete(self)
    }

    fn undecodable(&self, namespace: &str, name: &str) -> Option<Arc<Undecodable>> {
        Self::undecodable(self, namespace, name)
    }

    fn undecodable_in(&self, namespace: &str) -> Vec<Arc<Undecodable>> {
        Self::undecodable_in(self, namespace)
    }

    fn undecodable_all(&self) -> Vec<Arc<Undecodable>> {
        Self::undecodable_all(self)
    }
}

/// How the feed of the Secrets that the Platform names is called.
pub(super) const PLATFORM_SECRETS: &str = "secrets of the operator's namespace";

impl Caches {
    /// Every store but those of the Entities' Secrets: kind, name of its feed, and the store.
    fn stores(&self) -> Vec<(&'static str, &'static str, &dyn AnyStore)> {
        let mut stores: Vec<(_, _, &dyn AnyStore)> = vec![
            ("Platform", "platforms", &self.platforms),
            ("Tariff", "tariffs", &self.tariffs),
            ("ServiceTemplate", "servicetemplates", &self.templates),
            ("ServiceTemplateRevision", "servicetemplaterevisions", &self.revisions),
            ("Entity", "entities", &self.entities),
            ("DedicatedOffice", "dedicatedoffices", &self.offices),
            ("DedicatedAgora", "dedicatedagoras", &self.agoras),
            ("DedicatedProjects", "dedicatedprojects", &self.projects),
            ("DedicatedService", "dedicatedservices", &self.services),
            ("ServiceData", "servicedata", &self.records),
            ("ServiceBackup", "servicebackups", &self.backups),
            ("ServiceRestore", "servicerestores", &self.restores),
            ("RestoreConsent", "restoreconsents", &self.consents),
            ("Collective", "collectives", &self.collectives),
            ("Access", "accesses", &self.accesses),
            ("AccessHistory", "accesshistories", &self.histories),
            ("LeaveRequest", "leaverequests", &self.leave_requests),
            ("Namespace", "namespaces", &self.namespaces),
            ("StorageClass", "storageclasses", &self.storage_classes),
            ("IngressClass", "ingressclasses", &self.ingress_classes),
            ("Pod", "pods", &self.pods),
            ("Event", "events", &self.events),
            ("Secret", PLATFORM_SECRETS, &self.platform_secrets),
        ];
        for kind in kinds::watched() {
            if let Some(store) = self.objects.get(kind.kind) {
                stores.push((kind.kind, kind.plural, store));
            }
        }
        stores
    }

    /// The names of the resources whose first list is still awaited.
    pub fn awaited(&self) -> Vec<&'static str> {
        self.stores().into_iter().filter_map(|(_, name, store)| (!store.is_complete()).then_some(name)).collect()
    }

    /// Why the operator cannot work, one line for each feed that does not: its first list is still
    /// awaited, or it has not worked for too long.
    pub fn unready(&self) -> Vec<String> {
        let awaited = self.awaited().into_iter();
        let waits = awaited.map(|name| match self.feeds.of(name, "") {
            Some(feed) => feed.to_string(),
            None => format!("{name}: not asked for yet"),
        });
        let failing = self.feeds.failing().into_iter().filter(|feed| feed.namespace.is_empty() && !feed.aside);
        let failing = failing.map(|feed| feed.to_string());
        let mut lines: Vec<String> = waits.chain(failing).collect();
        lines.sort();
        lines.dedup();
        lines
    }

    /// An object that is there and does not decode.
    pub fn undecodable(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Undecodable>> {
        let mut stores = self.stores().into_iter().filter(|(of, ..)| *of == kind);
        stores.find_map(|(.., store)| store.undecodable(namespace, name))
    }

    /// The objects of a kind that do not decode.
    pub fn undecodable_of(&self, kind: &str) -> Vec<Arc<Undecodable>> {
        let stores = self.stores().into_iter().filter(|(of, ..)| *of == kind);
        stores.flat_map(|(.., store)| store.undecodable_all()).collect()
    }

    /// The objects of a namespace that do not decode, but Events.
    pub fn undecodable_in(&self, namespace: &str) -> Vec<Arc<Undecodable>> {
        let stores = self.stores().into_iter().filter(|(kind, name, _)| *kind != "Event" && *name != PLATFORM_SECRETS);
        let mut all: Vec<_> = stores.flat_map(|(.., store)| store.undecodable_in(namespace)).collect();
        all.extend(self.secrets.undecodable_in(namespace));
        all
    }

    /// All objects that do not decode, but Events and those in the Entities' Secrets.
    pub fn undecodable_all(&self) -> Vec<Arc<Undecodable>> {
        let stores = self.stores().into_iter().filter(|(kind, ..)| *kind != "Event");
        stores.flat_map(|(.., store)| store.undecodable_all()).collect()
    }

    /// How many objects of each kind do not decode.
    pub fn undecodable_counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (kind, _, store) in self.stores() {
            *counts.entry(kind).or_default() += store.undecodable_all().len();
        }
        counts
    }
}
