//! Collectives and what belongs to them: whom a change concerns.

use kube::Resource as _;

use super::Caches;
use super::key::{Key, Kind};
use super::triggers::{Trigger, namespace};
use crate::api::{Access, AccessHistory, Collective, Dedicated, LeaveRequest};

impl Caches {
    /// The Collective of a namespace: the one that is there, or is to be made.
    pub(super) fn collective_of(&self, namespace: &str) -> Option<Key> {
        let is_made = || {
            self.platform().is_some_and(|platform| platform.spec.identity.is_some())
                && self.entities.get("", namespace).is_some()
        };
        (self.collectives.holds(namespace, Collective::NAME) || is_made()).then(|| collective(namespace))
    }

    /// The Collective that a change of a service concerns: it came, goes, or has other managers. All else that is
    /// told of a service is none of its business.
    pub(super) fn people_of(&self, before: Option<&dyn Dedicated>, after: Option<&dyn Dedicated>) -> Option<Key> {
        let named = |service: Option<&dyn Dedicated>| {
            service.map(|of| (of.instance().managers.clone(), of.metadata().deletion_timestamp.is_some()))
        };
        if named(before) == named(after) {
            return None;
        }
        self.collective_of(namespace(after.or(before)?.metadata()))
    }
}

fn collective(namespace: &str) -> Key {
    Key::new(Kind::Collective, namespace, Collective::NAME)
}

/// The Entity, whose rights are made of what a spec says.
fn rights<T>(namespace: &str, before: Option<T>, after: Option<T>) -> Vec<Key>
where
    T: PartialEq,
{
    if before == after { Vec::new() } else { vec![Key::entity(namespace)] }
}

impl Trigger for Collective {
    /// Itself, whatever it is called.
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![collective(namespace(self.meta()))]
    }

    fn is_news(before: &Self, after: &Self) -> bool {
        before.spec != after.spec
            || before.metadata.uid != after.metadata.uid
            || before.metadata.annotations != after.metadata.annotations
            || before.metadata.deletion_timestamp != after.metadata.deletion_timestamp
    }

    fn unblocked(before: Option<&Self>, after: Option<&Self>, _: &Caches) -> Vec<Key> {
        let Some(any) = after.or(before) else { return Vec::new() };
        let said = |of: &Self| (of.spec.clone(), of.metadata.annotations.clone());
        rights(namespace(any.meta()), before.map(said), after.map(said))
    }
}

impl Trigger for Access {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![collective(namespace(self.meta()))]
    }

    fn is_news(before: &Self, after: &Self) -> bool {
        before.spec != after.spec
            || before.metadata.uid != after.metadata.uid
            || before.metadata.annotations != after.metadata.annotations
            || before.metadata.deletion_timestamp != after.metadata.deletion_timestamp
    }

    fn unblocked(before: Option<&Self>, after: Option<&Self>, _: &Caches) -> Vec<Key> {
        let Some(any) = after.or(before) else { return Vec::new() };
        rights(namespace(any.meta()), before.map(|of| &of.spec), after.map(|of| &of.spec))
    }
}

impl Trigger for AccessHistory {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![collective(namespace(self.meta()))]
    }
}

impl Trigger for LeaveRequest {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![collective(namespace(self.meta()))]
    }

    fn is_news(before: &Self, after: &Self) -> bool {
        before.spec != after.spec || before.metadata.uid != after.metadata.uid
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use kube::core::DynamicObject;
    use serde_json::{Value, json};

    use super::super::{Identity, Known};
    use super::*;

    fn object(kind: &str, name: &str, version: u32, spec: &Value, reported: u32) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": kind,
            "metadata": {"name": name, "namespace": "e", "uid": "u", "resourceVersion": version.to_string()},
            "spec": spec, "status": {"observedGeneration": reported},
        }))
        .unwrap()
    }

    /// Who hears of an Access that somebody else wrote, known before with nobody in it.
    fn heard(spec: &Value, reported: u32) -> Vec<Key> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let known = Known::new(Caches::new(), Arc::new(move |key| ears.lock().unwrap().push(key)));
        let by = Key::new(Kind::Access, "e", "wiki");
        known.take_in(&by, "Access", object("Access", "wiki", 5, &json!({"people": {}}), 1));
        heard.lock().unwrap().clear();
        known.take_in(&by, "Access", object("Access", "wiki", 6, spec, reported));
        heard.lock().unwrap().clone()
    }

    #[test]
    fn who_is_let_in_concerns_the_collective_and_the_rights_of_the_entity() {
        let people = json!({"people": {"abcdefgh": {"by": "anna"}}});
        assert_eq!(heard(&people, 1), [Key::entity("e"), collective("e")]);
        assert!(!heard(&json!({"people": {}}), 2).contains(&Key::entity("e")), "a status changes no right");
    }

    #[test]
    fn without_identity_no_collective_is_looked_at_unless_there_is_one() {
        let caches = Caches::new();
        let entity = json!({"metadata": {"name": "e"}, "spec": {"displayName": "E", "tariff": "t"}});
        let named = Identity { name: "e".to_owned(), ..Identity::default() };
        caches.entities.put(&named, serde_json::from_value(entity).unwrap());
        let platform = |identity: Value| {
            let mut platform = json!({"metadata": {"name": "default"}, "spec": {"baseDomain": "example.org"}});
            platform["spec"]["identity"] = identity;
            let named = Identity { name: "default".to_owned(), ..Identity::default() };
            caches.platforms.put(&named, serde_json::from_value(platform).unwrap());
        };
        platform(json!(null));
        assert_eq!(caches.collective_of("e"), None);
        platform(json!({"issuer": "https://id.example.org"}));
        assert_eq!(caches.collective_of("e"), Some(collective("e")));
        assert_eq!(caches.collective_of("of-nobody"), None);
        platform(json!(null));
        let left = Identity { namespace: "e".to_owned(), name: Collective::NAME.to_owned(), ..Identity::default() };
        let empty = json!({"metadata": {"name": "collective", "namespace": "e"}, "spec": {}});
        caches.collectives.put(&left, serde_json::from_value(empty).unwrap());
        assert_eq!(caches.collective_of("e"), Some(collective("e")), "it says that nobody keeps it");
    }
}
