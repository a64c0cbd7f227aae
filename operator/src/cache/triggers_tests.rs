//! Whom a change concerns.

use serde_json::json;

use super::super::Identity;
use super::*;
use crate::api::ServiceRestore;

#[test]
fn a_tariff_concerns_the_restores_that_wait_for_what_a_tier_gives() {
    let caches = Caches::new();
    let entity: Entity = serde_json::from_value(json!({
        "metadata": {"name": "coop", "uid": "e", "resourceVersion": "1"},
        "spec": {"displayName": "Coop", "tariff": "t"},
    }))
    .unwrap();
    let _ = caches.entities.put(&Identity::of(&entity.metadata), entity);
    for (name, namespace, phase) in
        [("waits", "coop", "Waiting"), ("done", "coop", "Failed"), ("far", "other", "Waiting")]
    {
        let restore: ServiceRestore = serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1"},
            "spec": {
                "from": {"service": "wiki"}, "into": {"kind": "NewService", "service": "new"}, "requestedBy": "anna",
            },
            "status": {"phase": phase},
        }))
        .unwrap();
        let _ = caches.restores.put(&Identity::of(&restore.metadata), restore);
    }
    let tariff: Tariff = serde_json::from_value(json!({
        "metadata": {"name": "t", "uid": "t", "resourceVersion": "1"}, "spec": {"currency": "EUR", "tiers": []},
    }))
    .unwrap();
    let restores: Vec<Key> =
        tariff.concerned(&caches).into_iter().filter(|key| key.kind == Kind::ServiceRestore).collect();
    assert_eq!(restores, [Key::new(Kind::ServiceRestore, "coop", "waits")]);
}

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
