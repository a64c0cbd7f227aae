//! One object that does not decode beside healthy ones, by the way that production takes them.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use test_case::test_case;

use super::stub::{Stub, until};
use super::*;
use crate::api::{GROUP, marks};
use crate::resolve::fixtures;

/// Caches that are filled from a stub, and who was told of what.
pub(super) struct Filled {
    pub(super) stub: Stub,
    pub(super) caches: Caches,
    told: Arc<Mutex<Vec<Key>>>,
}

pub(super) async fn filled(lists: &[(&str, Vec<String>)]) -> Filled {
    let (stub, client) = Stub::start().await;
    for (resource, items) in lists {
        stub.items(resource, items);
    }
    let caches = Caches::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&told);
    let listener: Listener = Arc::new(move |key| ears.lock().unwrap().push(key));
    tokio::spawn(run(caches.watches(&client, "system", &listener)));
    let all = caches.clone();
    until(move || all.awaited().is_empty()).await;
    Filled { stub, caches, told }
}

fn object(kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    let mut metadata = json!({
        "name": name, "uid": format!("uid-{name}"), "resourceVersion": "7", "generation": 1,
        "labels": {marks::MANAGED_BY: marks::OPERATOR},
        "creationTimestamp": "2026-01-01T00:00:00Z",
    });
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    json!({"apiVersion": format!("{GROUP}/v1alpha1"), "kind": kind, "metadata": metadata, "spec": spec})
}

/// An object that is fine, and another one whose spec is none.
fn pair(kind: &str, namespace: &str, spec: &Value) -> Vec<String> {
    let mut poison = object(kind, namespace, "poison", &json!(7));
    poison["status"] = json!({"hostname": "held.example.org"});
    vec![poison.to_string(), object(kind, namespace, "healthy", spec).to_string()]
}

fn specs() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let template = serde_json::to_value(fixtures::template().spec).unwrap();
    let sized = json!({"tier": "1gb"});
    vec![
        ("platforms", "Platform", "", json!({"baseDomain": "example.org", "storageClasses": [{"name": "xfs"}]})),
        (
            "tariffs",
            "Tariff",
            "",
            json!({"currency": "EUR", "tiers": [{"name": "1gb", "storage": "1Gi", "price": "5.00"}]}),
        ),
        ("servicetemplates", "ServiceTemplate", "", template.clone()),
        (
            "servicetemplaterevisions",
            "ServiceTemplateRevision",
            "",
            json!({"template": "radicale", "content": template}),
        ),
        ("entities", "Entity", "", json!({"displayName": "Coop", "tariff": "t"})),
        ("dedicatedoffices", "DedicatedOffice", "coop", sized.clone()),
        ("dedicatedagoras", "DedicatedAgora", "coop", sized.clone()),
        ("dedicatedprojects", "DedicatedProjects", "coop", sized),
        ("dedicatedservices", "DedicatedService", "coop", json!({"template": "radicale", "tier": "1gb"})),
        (
            "servicedata",
            "ServiceData",
            "coop",
            json!({"owner": {"kind": "DedicatedOffice", "name": "healthy", "uid": "u"}, "template": "office"}),
        ),
        ("servicebackups", "ServiceBackup", "coop", json!({"service": "office", "requestedBy": "anna"})),
        ("servicerestores", "ServiceRestore", "coop", json!({"from": {"service": "office"}, "requestedBy": "anna"})),
        (
            "restoreconsents",
            "RestoreConsent",
            "coop",
            json!({
                "service": "office", "snapshot": "a".repeat(64), "entity": "other", "until": "2026-12-31T00:00:00Z",
                "requestedBy": "anna",
            }),
        ),
        ("collectives", "Collective", "coop", json!({})),
        ("accesses", "Access", "coop", json!({})),
        ("accesshistories", "AccessHistory", "coop", json!({})),
        ("leaverequests", "LeaveRequest", "coop", json!({"user": "person:anna"})),
    ]
}

#[tokio::test]
async fn one_poison_object_of_each_kind_of_ours_keeps_nothing_else_from_being_seen() {
    let lists: Vec<_> = specs().iter().map(|(plural, kind, ns, spec)| (*plural, pair(kind, ns, spec))).collect();
    let Filled { stub, caches, told } = filled(&lists).await;
    let check = |when: &str| {
        for (_, kind, namespace, _) in specs() {
            let poison = caches.undecodable(kind, namespace, "poison");
            assert!(poison.is_some_and(|p| p.error.starts_with("spec: ")), "{kind} {when}");
            assert!(caches.undecodable(kind, namespace, "healthy").is_none(), "{kind} {when}");
            assert_eq!(caches.undecodable_counts()[kind], 1, "{kind} {when}");
        }
        assert!(caches.entities.get("", "healthy").is_some() && caches.records.get("coop", "healthy").is_some());
        assert!(caches.backups.get("coop", "healthy").is_some() && caches.restores.get("coop", "healthy").is_some());
        assert!(caches.consents.get("coop", "healthy").is_some());
        assert!(
            caches.collectives.get("coop", "healthy").is_some() && caches.accesses.get("coop", "healthy").is_some()
        );
        assert!(caches.histories.get("coop", "healthy").is_some());
        assert!(caches.leave_requests.get("coop", "healthy").is_some());
        assert!(caches.platforms.get("", "healthy").is_some() && caches.tariffs.get("", "healthy").is_some());
        assert!(caches.templates.get("", "healthy").is_some() && caches.revisions.get("", "healthy").is_some());
        assert_eq!(caches.dedicated_in("coop").len(), 4, "{when}");
    };
    check("after the first list");
    for kind in Kind::ALL {
        let namespace = if caches.undecodable(kind.as_str(), "coop", "poison").is_some() { "coop" } else { "" };
        assert!(told.lock().unwrap().contains(&Key::new(kind, namespace, "poison")), "{kind:?} is not reported on");
    }
    // A watch that the API server ends with 410 is followed by a list.
    let gone = json!({"kind": "Status", "status": "Failure", "reason": "Expired", "message": "too old", "code": 410});
    stub.event("servicedata", "ERROR", &gone.to_string()).await;
    until(|| stub.lists("servicedata") == 2).await;
    check("after a relist");
}

/// A value of a depth that no parser of this process follows.
fn nested(depth: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
}

fn with(kind: &str, spec: &str) -> String {
    object(kind, "coop", "poison", &json!("SPEC")).to_string().replace("\"SPEC\"", spec)
}

#[test_case("servicedata", with("ServiceData", r#"{"owner": {"kind": "DedicatedOffice", "name": "office", "uid": "u"}, "template": "office", "keepUntil": "9999-12-31T23:59:59Z"}"#), "spec.keepUntil: "; "a date beyond the range of the library")]
#[test_case("dedicatedservices", with("DedicatedService", &format!(r#"{{"template": "radicale", "tier": "1gb", "parameters": {}}}"#, nested(1000))), "recursion limit"; "nested a thousand times")]
#[test_case("entities", with("Entity", r#"{"displayName": "Coop", "tariff": "t", "language": "pt"}"#), "spec.language: unknown variant `pt`"; "a language of a newer release")]
#[test_case("dedicatedoffices", with("DedicatedOffice", r#"{"tier": "1gb", "managers": [{"name": "a", "mail": "a@example.org"}, {"name": 7}]}"#), "spec.managers[1].name: "; "an item of a list")]
#[tokio::test]
async fn what_does_not_decode_says_where(resource: &'static str, poison: String, error: &str) {
    let kind = serde_json::from_str::<kube::core::TypeMeta>(&format!(
        "{{\"apiVersion\":\"v1\",\"kind\":{:?}}}",
        poison.split("\"kind\":\"").nth(1).unwrap().split('"').next().unwrap()
    ));
    let kind = kind.unwrap().kind;
    let Filled { stub, caches, .. } = filled(&[(resource, vec![poison.clone()])]).await;
    let found = caches.undecodable(&kind, "coop", "poison").unwrap();
    assert!(found.error.contains(error), "{}", found.error);
    // The same by a watch, and beside it what is fine.
    let (_, _, _, spec) = specs().into_iter().find(|(plural, ..)| *plural == resource).unwrap();
    let at = |text: &str, version: u32| {
        text.replace("\"resourceVersion\":\"7\"", &format!("\"resourceVersion\":\"{version}\""))
    };
    stub.event(resource, "MODIFIED", &at(&poison, 101)).await;
    stub.event(resource, "ADDED", &at(&object(&kind, "coop", "healthy", &spec).to_string(), 102)).await;
    stub.event(resource, "MODIFIED", &at(&object(&kind, "coop", "poison", &spec).to_string(), 103)).await;
    until(|| caches.undecodable(&kind, "coop", "poison").is_none()).await;
    assert_eq!(caches.undecodable_counts()[kind.as_str()], 0, "it was mended");
    assert_eq!(stub.lists(resource), 1, "no list was needed for it");
}

#[tokio::test]
async fn dates_of_who_wrote_what_are_nobodys_business_here() {
    let mut entity = object("Entity", "", "healthy", &json!({"displayName": "Coop", "tariff": "t"}));
    entity["metadata"]["managedFields"] =
        json!([{"manager": "x", "operation": "Update", "time": "9999-12-31T23:59:59Z"}]);
    let filled = filled(&[("entities", vec![entity.to_string()])]).await;
    assert!(filled.caches.entities.get("", "healthy").is_some());
}

#[tokio::test]
async fn a_poison_event_of_any_namespace_stops_nothing() {
    let namespace =
        json!({"metadata": {"name": "coop", "uid": "n", "resourceVersion": "1", "labels": {marks::ENTITY: "coop"}}});
    let event = |namespace: &str, name: &str, time: &str| {
        json!({
            "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "7"},
            "involvedObject": {"namespace": namespace, "name": "x"}, "type": "Warning", "lastTimestamp": time,
        })
        .to_string()
    };
    let poison = "9999-12-31T23:59:59Z";
    let events = vec![
        event("coop", "poison", poison),
        event("other", "poison", poison),
        event("coop", "fine", "2026-01-01T00:00:00Z"),
    ];
    let Filled { caches, .. } = filled(&[("namespaces", vec![namespace.to_string()]), ("events", events)]).await;
    until(|| caches.events.get("coop", "fine").is_some()).await;
    assert!(caches.events.undecodable("coop", "poison").is_some());
}

#[tokio::test]
async fn an_instance_of_which_only_its_status_can_be_read_keeps_its_host_name() {
    let (plural, kind, namespace, spec) = specs().remove(8);
    let Filled { caches, .. } = filled(&[(plural, pair(kind, namespace, &spec))]).await;
    assert_eq!(caches.undecodable(kind, namespace, "poison").unwrap().hostname(), Some("held.example.org"));
}
