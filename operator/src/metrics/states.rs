//! How many resources there are, by kind and by what their status comes to.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;

use crate::api::{Condition, ConditionType};
use crate::cache::{Caches, Store};

/// What the status of a resource comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// It does what its spec says.
    Ready,
    /// Somebody has to change something.
    Stalled,
    /// It is being worked on, or waits for what may come by itself.
    Reconciling,
    /// It is being deleted.
    Deleting,
    /// The operator has not reported on it yet.
    Unreported,
}

impl State {
    const ALL: [Self; 5] = [Self::Ready, Self::Stalled, Self::Reconciling, Self::Deleting, Self::Unreported];

    /// The value of the label.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Stalled => "Stalled",
            Self::Reconciling => "Reconciling",
            Self::Deleting => "Deleting",
            Self::Unreported => "Unreported",
        }
    }

    fn of(metadata: &ObjectMeta, conditions: &[Condition]) -> Self {
        let is = |kind: ConditionType| {
            conditions.iter().any(|condition| condition.type_ == kind.as_str() && condition.status == "True")
        };
        match () {
            () if metadata.deletion_timestamp.is_some() => Self::Deleting,
            () if conditions.is_empty() => Self::Unreported,
            () if is(ConditionType::Ready) => Self::Ready,
            () if is(ConditionType::Stalled) => Self::Stalled,
            () => Self::Reconciling,
        }
    }
}

/// Every kind with a status, in every state: what there is none of is 0.
pub(super) fn counts(caches: &Caches) -> BTreeMap<(&'static str, State), i64> {
    let kinds = [
        ("Platform", states(&caches.platforms, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("ServiceTemplate", states(&caches.templates, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("Entity", states(&caches.entities, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("DedicatedOffice", states(&caches.offices, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("DedicatedAgora", states(&caches.agoras, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("DedicatedProjects", states(&caches.projects, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("DedicatedService", states(&caches.services, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("ServiceData", states(&caches.records, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("ServiceBackup", states(&caches.backups, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("ServiceRestore", states(&caches.restores, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("RestoreConsent", states(&caches.consents, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("Collective", states(&caches.collectives, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("Access", states(&caches.accesses, |of| of.status.as_ref().map(|status| &*status.conditions))),
        ("LeaveRequest", states(&caches.leave_requests, |of| of.status.as_ref().map(|status| &*status.conditions))),
    ];
    let mut counts = BTreeMap::new();
    for (kind, states) in kinds {
        counts.extend(State::ALL.map(|state| ((kind, state), 0)));
        for state in states {
            *counts.entry((kind, state)).or_default() += 1;
        }
    }
    counts
}

fn states<K: Resource>(store: &Store<K>, conditions: impl Fn(&K) -> Option<&[Condition]>) -> Vec<State> {
    let state = |object: &K| State::of(object.meta(), conditions(object).unwrap_or_default());
    store.all().iter().map(|object| state(object)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::Entity;
    use crate::cache::Identity;

    fn put(caches: &Caches, name: &str, metadata: Value, conditions: &[(&str, &str)]) {
        let condition = |(kind, status): &(&str, &str)| {
            json!({"type": kind, "status": status, "reason": "R", "message": "",
                "lastTransitionTime": "2026-11-30T00:00:00Z"})
        };
        let conditions: Vec<Value> = conditions.iter().map(condition).collect();
        let mut entity = json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Entity", "metadata": metadata,
            "spec": {"displayName": "A", "tariff": "t"}, "status": {"conditions": conditions},
        });
        entity["metadata"]["name"] = json!(name);
        let entity: Entity = serde_json::from_value(entity).unwrap();
        caches.entities.put(&Identity::of(&entity.metadata), entity);
    }

    #[test]
    fn each_entity_counts_once_and_what_there_is_none_of_is_said() {
        let caches = Caches::new();
        put(&caches, "a", json!({}), &[("Ready", "True")]);
        put(&caches, "b", json!({}), &[("Ready", "False"), ("Stalled", "True")]);
        put(&caches, "c", json!({}), &[("Ready", "False"), ("Reconciling", "True")]);
        put(&caches, "d", json!({"deletionTimestamp": "2026-11-30T00:00:00Z"}), &[("Ready", "True")]);
        put(&caches, "e", json!({}), &[]);
        put(&caches, "f", json!({}), &[("Ready", "True")]);
        let counts = counts(&caches);
        let seen = State::ALL.map(|state| (state.as_str(), counts[&("Entity", state)]));
        assert_eq!(seen, [("Ready", 2), ("Stalled", 1), ("Reconciling", 1), ("Deleting", 1), ("Unreported", 1)]);
        assert_eq!(counts[&("DedicatedOffice", State::Stalled)], 0);
    }
}
