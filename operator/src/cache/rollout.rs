//! Who waits in the queue of a roll-out hears of each step.

use super::triggers::key;
use super::{Caches, Key};
use crate::api::{ConditionType, Dedicated};

impl Caches {
    /// The instances that a roll-out keeps waiting, if this change of an instance of their template
    /// lets one of them go on.
    pub(super) fn waiting_for_turn(&self, before: Option<&dyn Dedicated>, after: Option<&dyn Dedicated>) -> Vec<Key> {
        if before.map(step) == after.map(step) {
            return Vec::new();
        }
        let Some(template) = after.or(before).map(Dedicated::template) else { return Vec::new() };
        let waiting = self.dedicated_waiting_for_turn(template);
        waiting.iter().filter_map(|resource| key(resource.as_ref())).collect()
    }
}

/// What of an instance counts in the queue.
fn step(resource: &dyn Dedicated) -> impl PartialEq {
    let status = resource.status();
    let is = |kind| status.is_some_and(|status| status.is_true(kind).is_some());
    let spec = resource.instance();
    (
        status.and_then(|status| status.revision.clone()),
        is(ConditionType::Ready),
        is(ConditionType::HoldsRollout),
        spec.paused,
        spec.revision.clone(),
        resource.metadata().deletion_timestamp.is_some(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::super::{Identity, Kind, Known};
    use super::*;

    fn service(name: &str, version: u32, revision: &str, conditions: &[(&str, &str)]) -> Value {
        let condition = |(kind, status): &(&str, &str)| json!({"type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let conditions: Vec<Value> = conditions.iter().map(condition).collect();
        json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "DedicatedService",
            "metadata": {"name": name, "namespace": "e", "uid": name, "resourceVersion": version.to_string()},
            "spec": {"template": "radicale", "tier": "1gb"},
            "status": {"revision": revision, "conditions": conditions},
        })
    }

    /// Whether `waits` hears of what `first` reports after it had reported `before`.
    fn hears(before: &Value, after: &Value) -> bool {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let known = Known::new(Caches::new(), Arc::new(move |key| ears.lock().unwrap().push(key)));
        let waits = service("waits", 1, "old", &[("Ready", "True"), ("RevisionPending", "True")]);
        for value in [before, &waits] {
            let object: crate::api::DedicatedService = serde_json::from_value(value.clone()).unwrap();
            let _ = known.caches().services.put(&Identity::of(&object.metadata), object);
        }
        let by = Key::new(Kind::DedicatedService, "e", "first");
        known.take_in(&by, "DedicatedService", serde_json::from_value(after.clone()).unwrap());
        heard.lock().unwrap().contains(&Key::new(Kind::DedicatedService, "e", "waits"))
    }

    #[test]
    fn who_waits_for_its_turn_hears_when_the_one_before_is_ready() {
        let holds = service("first", 2, "new", &[("Ready", "False"), ("HoldsRollout", "True")]);
        assert!(hears(&holds, &service("first", 3, "new", &[("Ready", "True")])));
        let old = service("first", 2, "old", &[("Ready", "True")]);
        assert!(hears(&old, &service("first", 3, "new", &[("Ready", "True")])), "it was Ready all the time");
    }

    #[test]
    fn what_changes_nothing_in_the_queue_wakes_nobody() {
        let holds = service("first", 2, "new", &[("Ready", "False"), ("HoldsRollout", "True")]);
        let mut other_message = holds.clone();
        other_message["metadata"]["resourceVersion"] = json!("3");
        other_message["status"]["conditions"][0]["message"] = json!("still starting");
        assert!(!hears(&holds, &other_message));
    }
}
