//! Feeds that are refused, panic, or bring what is nobody's here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::ApiResource;
use serde_json::json;

use super::feed::Feed;
use super::health::Health;
use super::poison_tests::{Filled, filled};
use super::stub::{Stub, until};
use super::*;
use crate::api::marks;

const FORBIDDEN: &str = "servicedata.commonscloud.coop is forbidden: User \"x\" cannot list resource \"servicedata\"";

#[tokio::test]
async fn what_keeps_the_operator_from_being_ready_is_said_in_the_api_servers_words() {
    let (stub, client) = Stub::start().await;
    stub.refuse("servicedata", Some(FORBIDDEN));
    let caches = Caches::new();
    tokio::spawn(run(caches.watches(&client, "system", &(Arc::new(|_| {}) as Listener))));
    let line = format!("servicedata: Forbidden: {FORBIDDEN}");
    until(|| caches.unready() == [line.clone()]).await;
    stub.refuse("servicedata", None);
    until(|| caches.unready().is_empty()).await;
    // Later it is tolerated for a while, and seen at once.
    stub.refuse("servicedata", Some(FORBIDDEN));
    until(|| caches.feeds.of("servicedata", "").is_some_and(|feed| feed.to_string() == line)).await;
    assert!(caches.unready().is_empty());
    stub.refuse("servicedata", None);
    until(|| caches.feeds.of("servicedata", "").is_some_and(|feed| feed.error.is_some())).await;
    stub.event(
        "servicedata",
        "BOOKMARK",
        &json!({"apiVersion": "v1", "kind": "X", "metadata": {"resourceVersion": "9"}}).to_string(),
    )
    .await;
    until(|| caches.feeds.of("servicedata", "").is_some_and(|feed| feed.error.is_none())).await;
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_fails_for_half_a_minute_is_not_tolerated() {
    let feeds = Feeds::default();
    let health = feeds.add("pods", "");
    health.fails("Forbidden".to_owned());
    tokio::time::advance(Duration::from_secs(29)).await;
    health.fails("Forbidden".to_owned());
    assert!(feeds.failing().is_empty());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(feeds.failing().len(), 1);
    health.works();
    assert!(feeds.failing().is_empty());
}

#[tokio::test]
async fn a_feed_that_panics_is_started_again_and_seen() {
    let (stub, client) = Stub::start().await;
    let map = |name: &str| json!({"metadata": {"name": name, "namespace": "e", "uid": name, "resourceVersion": "3"}});
    stub.items("configmaps", &[map("a").to_string()]);
    let store: Store<String> = Store::default();
    let (health, first) = (Health::default(), AtomicBool::new(true));
    let feed = Feed {
        client,
        resource: ApiResource::erase::<ConfigMap>(&()),
        namespace: String::new(),
        labels: None,
        fields: None,
        store: store.clone(),
        decode: Box::new(move |raw| {
            assert!(!first.swap(false, Ordering::Relaxed), "nobody thought of this");
            Ok(Some(raw.identity().name))
        }),
        changed: Box::new(|_| {}),
        health: health.clone(),
        patience: TOLERATED,
        turned: Box::new(|| {}),
    };
    tokio::spawn(Arc::new(feed).run());
    until(|| store.get("e", "a").is_some()).await;
    let health = health.now();
    assert_eq!(health.restarts, 1);
    assert!(health.error.unwrap().contains("nobody thought of this"));
}

#[tokio::test]
async fn objects_of_a_namespace_that_is_no_entitys_are_taken_in_once_it_becomes_one() {
    let namespace = |name: &str, version: u32, labels: &serde_json::Value| {
        json!({"metadata": {"name": name, "uid": name, "resourceVersion": version.to_string(), "labels": labels}})
            .to_string()
    };
    let map = |namespace: &str| {
        json!({"metadata": {"name": "m", "namespace": namespace, "uid": namespace, "resourceVersion": "7",
                            "labels": {marks::MANAGED_BY: marks::OPERATOR, marks::ENTITY: namespace}}})
        .to_string()
    };
    let namespaces = vec![namespace("coop", 1, &json!({marks::ENTITY: "coop"})), namespace("other", 2, &json!({}))];
    let Filled { stub, caches, .. } =
        filled(&[("namespaces", namespaces), ("configmaps", vec![map("coop"), map("other")])]).await;
    assert!(caches.object("ConfigMap", "coop", "m").is_some() && !caches.door.lacks("coop"));
    assert!(caches.object("ConfigMap", "other", "m").is_none() && caches.door.lacks("other"));
    let became = namespace("other", 101, &json!({marks::ENTITY: "other"}));
    stub.event("namespaces", "MODIFIED", &became).await;
    until(|| caches.object("ConfigMap", "other", "m").is_some() && !caches.door.lacks("other")).await;
    // What is known is followed to its end, whatever becomes of the namespace.
    stub.event("namespaces", "MODIFIED", &namespace("other", 102, &json!({}))).await;
    until(|| caches.namespaces.get("", "other").is_some_and(|n| n.metadata.resource_version.as_deref() == Some("102")))
        .await;
    stub.event("configmaps", "MODIFIED", &map("other").replace("\"7\"", "\"103\"")).await;
    until(|| {
        caches.object("ConfigMap", "other", "m").is_some_and(|m| m.metadata.resource_version.as_deref() == Some("103"))
    })
    .await;
}

#[tokio::test]
async fn a_right_that_takes_a_moment_delays_the_secrets_by_a_moment() {
    let (stub, client) = Stub::start().await;
    stub.refuse("secrets", Some("secrets is forbidden"));
    let caches = Caches::new();
    let watches = SecretWatches::new(client, caches.clone(), Arc::new(|_| {}));
    watches.watch("coop");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(watches.failing("coop").is_none(), "a moment is no failure");
    let begun = std::time::Instant::now();
    stub.refuse("secrets", None);
    until(|| caches.secrets.of("coop").is_some()).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    caches.secrets.forget("coop");
    assert!(caches.feeds.of("secrets", "coop").is_none());
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_reported_after_a_second() {
    let (stub, client) = Stub::start().await;
    stub.refuse("secrets", Some("secrets is forbidden"));
    let caches = Caches::new();
    let watches = SecretWatches::new(client, caches.clone(), Arc::new(|_| {}));
    watches.watch("coop");
    until(|| watches.failing("coop").is_some()).await;
    let said = watches.failing("coop").unwrap().to_string();
    assert_eq!(said, "secrets of namespace coop: Forbidden: secrets is forbidden");
}

#[tokio::test]
async fn of_the_secrets_that_others_make_only_those_for_a_service_are_known() {
    let secret = |name: &str, version: &str, labels: serde_json::Value| {
        let metadata =
            json!({"name": name, "namespace": "coop", "uid": name, "resourceVersion": version, "labels": labels});
        json!({"metadata": metadata, "data": {"password": "YQ=="}}).to_string()
    };
    let managed = json!({marks::MANAGED_BY: marks::OPERATOR, marks::FOR: "wiki"});
    let (stub, client) = Stub::start().await;
    stub.items(
        "secrets",
        &[
            secret("office-admin", "3", managed),
            secret("client", "4", json!({marks::FOR: "office"})),
            secret("backup", "5", json!({})),
        ],
    );
    let caches = Caches::new();
    let watches = SecretWatches::new(client, caches.clone(), Arc::new(|_| {}));
    watches.watch("coop");
    until(|| caches.secrets.of("coop").is_some()).await;
    let managed: Vec<String> = caches.secrets.of("coop").into_iter().flatten().map(|(name, _)| name).collect();
    assert_eq!(managed, ["office-admin"]);
    assert_eq!(caches.secrets.made_in("coop"), [("client".to_owned(), "office".to_owned())].into());
    stub.event("secrets", "MODIFIED", &secret("client", "101", json!({}))).await;
    until(|| caches.secrets.made_in("coop").is_empty()).await;
}
