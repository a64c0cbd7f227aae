//! Whom a change concerns.

use serde_json::json;

use super::super::Identity;
use super::*;

#[test]
fn a_quota_concerns_the_instances_that_it_had_no_room_for() {
    let caches = Caches::new();
    for (name, reason) in [("waits", "QuotaExceeded"), ("runs", "Available")] {
        let condition = json!({
            "type": "Ready", "status": "False", "reason": reason, "message": "", "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let service: DedicatedService = serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "e", "uid": name, "resourceVersion": "1"},
            "spec": {"template": "radicale", "tier": "1gb"}, "status": {"conditions": [condition]},
        }))
        .unwrap();
        let _ = caches.services.put(&Identity::of(&service.metadata), service);
    }
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "entity", "namespace": "e", "labels": {marks::ENTITY: "e"}},
    });
    let quota = Live::of("ResourceQuota", serde_json::from_value(quota).unwrap());
    let waits = Key::new(Kind::DedicatedService, "e", "waits");
    assert_eq!(quota.concerned(&caches), [Key::entity("e")]);
    assert_eq!(Live::unblocked(Some(&quota), Some(&quota), &caches), [waits]);
}
