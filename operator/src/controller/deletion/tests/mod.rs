//! Whole passes over what is being deleted, against an API server that notes what it is asked.

mod api_server;
mod judged;

use std::sync::Arc;

use kube::Resource;
use kube::core::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::api::{DedicatedService, Entity, Reason, ServiceData, marks};
use crate::apply::{Server, WriteCounts};
use crate::cache::{Caches, Identity, Kind, Known, Listener, Live, PeerWatches, SecretWatches, Store};
use crate::controller;
use crate::controller::queue::Queue;
use crate::controller::recorder::Recorder;
use crate::entity::{ServiceAccount, operator_binding};
use crate::gather::Packages;
use crate::leader::Leadership;
use api_server::{ApiServer, denied, missing};

const ENTITY: &str = "/apis/commonscloud.coop/v1alpha1/entities/coop";
const WIKI: &str = "/apis/commonscloud.coop/v1alpha1/namespaces/coop/dedicatedservices/wiki";
const RECORD: &str = "/apis/commonscloud.coop/v1alpha1/namespaces/coop/servicedata/wiki";
const NAMESPACE: &str = "/api/v1/namespaces/coop";
const SINCE: &str = "2026-11-29T05:45:52Z";

async fn context(server: &ApiServer) -> Context {
    let client = server.client().await;
    let listener: Listener = Arc::new(|_| {});
    let caches = Caches::new();
    Context {
        start: crate::controller::Start::default(),
        leads_since: std::sync::OnceLock::new(),
        known: Known::new(caches.clone(), Arc::clone(&listener)),
        server: Server::new(client.clone(), Leadership::alone(), WriteCounts::default(), "system"),
        packages: Packages::default(),
        secrets: SecretWatches::new(client.clone(), caches.clone(), Arc::clone(&listener)),
        peers: PeerWatches::new(client.clone(), caches, listener),
        issuers: crate::controller::platform::Issuers::default(),
        reachability: None,
        usages: None,
        own: crate::backup::Own::default(),
        escrows: tokio::sync::Mutex::default(),
        turns: tokio::sync::Mutex::default(),
        servers: crate::controller::ServersTold::default(),
        records: crate::controller::RecordsTold::default(),
        identity: crate::controller::IdentityTold::default(),
        account: ServiceAccount { namespace: "system".to_owned(), name: "operator".to_owned() },
        recorder: Recorder::new(client, "operator", "operator-0"),
        queue: Arc::new(Queue::default()),
    }
}

fn put<K: Resource + DeserializeOwned + Clone>(store: &Store<K>, object: Value) -> K {
    let object: K = serde_json::from_value(object).unwrap();
    store.put(&Identity::of(object.meta()), object.clone());
    object
}

/// Entity `coop`, being deleted, and its namespace.
fn deleted_coop(context: &Context) -> Entity {
    let labels = json!({marks::ENTITY: "coop"});
    put(&context.caches().namespaces, json!({"metadata": {"name": "coop", "uid": "n1", "labels": labels}}));
    let metadata = json!({
        "name": "coop", "uid": "e1", "resourceVersion": "5", "generation": 2, "deletionTimestamp": SINCE,
        "finalizers": [marks::FINALIZER],
    });
    put(&context.caches().entities, json!({"metadata": metadata, "spec": {"displayName": "Coop", "tariff": "t"}}))
}

/// DedicatedService `wiki`, written by hand, with metadata of its own.
fn wiki(context: &Context, metadata: &Value) -> DedicatedService {
    let mut all = json!({"name": "wiki", "namespace": "coop", "uid": "w1", "resourceVersion": "6", "generation": 1});
    all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    put(&context.caches().services, json!({"metadata": all, "spec": {"template": "radicale", "tier": "1gb"}}))
}

fn deleted_wiki(context: &Context) -> DedicatedService {
    wiki(context, &json!({"deletionTimestamp": SINCE, "finalizers": [marks::FINALIZER]}))
}

async fn entity_pass(context: &Context) -> Next {
    controller::entity::reconcile(context, &Key::cluster(Kind::Entity, "coop")).await.unwrap()
}

async fn wiki_pass(context: &Context) -> Next {
    controller::instance::reconcile(context, &Key::new(Kind::DedicatedService, "coop", "wiki")).await.unwrap()
}

/// Status, reason and message of a condition that was reported.
fn reported(server: &ApiServer, of: &str, kind: &str) -> (String, String, String) {
    let status = server.sent(&format!("{of}/status"));
    let conditions = status["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|condition| condition["type"] == kind).unwrap_or_default();
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

/// The namespace as the API server has it, created by this field manager.
fn namespace_of(manager: &str) -> Value {
    let fields = json!([{"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}]);
    let labels = json!({marks::ENTITY: "coop"});
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "coop", "uid": "n1", "resourceVersion": "3", "labels": labels, "managedFields": fields},
    })
}

fn metadata_list(names: &[&str]) -> Value {
    let items: Vec<Value> = names.iter().map(|name| json!({"metadata": {"name": name, "namespace": "coop"}})).collect();
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": items})
}

#[tokio::test]
async fn an_entity_ends_the_service_that_was_written_by_hand_and_says_so_once() {
    let server = ApiServer::default();
    let context = context(&server).await;
    let mut coop = deleted_coop(&context);
    wiki(&context, &json!({}));
    assert_eq!(entity_pass(&context).await, Next::After(FALLBACK));
    assert_eq!(server.writes(), [format!("DELETE {WIKI}"), format!("PATCH {ENTITY}/status")]);
    let (status, reason, message) = reported(&server, ENTITY, "Ready");
    assert_eq!((status.as_str(), reason.as_str()), ("False", "Deleting"));
    assert!(message.starts_with(&format!("being deleted since {SINCE}: its services are deleted first")), "{message}");
    assert!(message.ends_with("written by hand end with their Entity: DedicatedService wiki"), "{message}");

    coop.status = serde_json::from_value(server.sent("/status")["status"].clone()).unwrap();
    coop.metadata.resource_version = Some("6".to_owned());
    put(&context.caches().entities, json!(coop));
    wiki(&context, &json!({"deletionTimestamp": SINCE, "resourceVersion": "7"}));
    entity_pass(&context).await;
    assert_eq!(server.writes()[2..], [""; 0], "nothing is written again");
}

#[tokio::test]
async fn a_deletion_that_began_under_another_release_goes_on_with_the_rights_of_this_one() {
    let server = ApiServer::default();
    let context = context(&server).await;
    let coop = deleted_coop(&context);
    let before = ServiceAccount { namespace: "elsewhere".to_owned(), name: "before".to_owned() };
    let mut binding = operator_binding(&coop, &before).value;
    binding["metadata"]["uid"] = json!("b1");
    let binding: DynamicObject = serde_json::from_value(binding).unwrap();
    let identity = Identity::of(&binding.metadata);
    context.caches().objects["RoleBinding"].put(&identity, Live::of("RoleBinding", binding));
    wiki(&context, &json!({}));
    entity_pass(&context).await;
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/coop/rolebindings/commonscloud-operator";
    assert_eq!(server.writes()[..2], [format!("PATCH {path}"), format!("DELETE {WIKI}")]);
    let subjects = json!([{"kind": "ServiceAccount", "namespace": "system", "name": "operator"}]);
    assert_eq!(server.sent("/rolebindings/commonscloud-operator")["subjects"], subjects);
}

#[tokio::test]
async fn a_service_that_another_tool_holds_says_so_once_its_date_is_recorded() {
    let server = ApiServer::answering(&[("GET", RECORD, 404, missing())]);
    let context = context(&server).await;
    let finalizers = json!([marks::FINALIZER, "other.example/tool"]);
    wiki(&context, &json!({"deletionTimestamp": SINCE, "finalizers": finalizers}));
    assert_eq!(wiki_pass(&context).await, Next::Wait);
    assert_eq!(server.writes(), [format!("PATCH {WIKI}"), format!("PATCH {WIKI}/status")]);
    assert_eq!(server.sent("/wiki")["metadata"]["finalizers"], json!(["other.example/tool"]));
    let (status, reason, message) = reported(&server, WIKI, "Reconciling");
    assert_eq!((status.as_str(), reason.as_str()), ("True", "Deleting"));
    assert!(message.contains("waiting for finalizer other.example/tool"), "{message}");
}

#[tokio::test]
async fn a_record_that_the_cache_does_not_show_gets_its_date_before_the_finalizer_goes() {
    let record = json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceData",
        "metadata": {"name": "wiki", "namespace": "coop", "uid": "r1", "resourceVersion": "8"},
        "spec": {"owner": {"kind": "DedicatedService", "name": "wiki", "uid": "w1"}, "template": "radicale"},
    });
    let server = ApiServer::answering(&[("GET", RECORD, 200, record)]);
    let context = context(&server).await;
    deleted_wiki(&context);
    assert_eq!(wiki_pass(&context).await, Next::Wait);
    assert_eq!(server.writes(), [format!("PATCH {RECORD}"), format!("PATCH {WIKI}")]);
    let sent = server.sent("/servicedata/wiki");
    assert!(sent["spec"]["keepUntil"].is_string() && sent["metadata"]["resourceVersion"] == "8", "{sent}");
}

#[tokio::test]
async fn a_service_whose_date_a_policy_refuses_stays_and_says_so() {
    let server = ApiServer::answering(&[("PATCH", RECORD, 403, denied("no dates here"))]);
    let context = context(&server).await;
    deleted_wiki(&context);
    let record: ServiceData = put(
        &context.caches().records,
        json!({
            "metadata": {"name": "wiki", "namespace": "coop", "uid": "r1", "resourceVersion": "8"},
            "spec": {"owner": {"kind": "DedicatedService", "name": "wiki", "uid": "w1"}, "template": "radicale"},
        }),
    );
    assert!(record.spec.keep_until.is_none());
    assert_eq!(wiki_pass(&context).await, Next::Blocked(Reason::Refused, FALLBACK));
    assert_eq!(server.writes(), [format!("PATCH {RECORD}"), format!("PATCH {WIKI}/status")], "the finalizer stays");
    let (_, reason, message) = reported(&server, WIKI, "Stalled");
    assert_eq!(reason, Reason::DeletionBlocked.name());
    assert!(message.contains("the date of its data cannot be recorded: ServiceData/wiki"), "{message}");
    assert!(message.ends_with("no dates here"), "{message}");
}

#[tokio::test]
async fn a_namespace_that_cannot_be_removed_is_named() {
    let server = ApiServer::answering(&[
        ("GET", NAMESPACE, 200, namespace_of("commonscloud-create")),
        ("DELETE", NAMESPACE, 403, denied("not this one")),
    ]);
    let context = context(&server).await;
    deleted_coop(&context);
    assert_eq!(entity_pass(&context).await, Next::Blocked(Reason::Refused, FALLBACK));
    let (_, reason, message) = reported(&server, ENTITY, "Stalled");
    assert_eq!(reason, "DeletionBlocked");
    assert!(message.contains("its namespace cannot be removed: Namespace/coop"), "{message}");
}

#[tokio::test]
async fn a_namespace_that_the_operator_made_goes_when_nobody_else_has_anything_in_it() {
    let made = namespace_of("commonscloud-create");
    let defaults = metadata_list(&["kube-root-ca.crt"]);
    let configs = format!("{NAMESPACE}/configmaps");
    let server = ApiServer::answering(&[("GET", NAMESPACE, 200, made), ("GET", &configs, 200, defaults)]);
    let context = context(&server).await;
    deleted_coop(&context);
    assert_eq!(entity_pass(&context).await, Next::Wait);
    assert_eq!(server.writes(), [format!("DELETE {NAMESPACE}"), format!("PATCH {ENTITY}")]);
}

#[tokio::test]
async fn a_namespace_in_which_somebody_has_an_object_stays_and_is_given_back() {
    let made = namespace_of("commonscloud-create");
    let configs = format!("{NAMESPACE}/configmaps");
    let theirs = metadata_list(&["kube-root-ca.crt", "precious"]);
    let server = ApiServer::answering(&[("GET", NAMESPACE, 200, made), ("GET", &configs, 200, theirs)]);
    stays(&server, "objects in it are not the operator's (ConfigMap precious)").await;
}

#[tokio::test]
async fn a_namespace_that_was_there_before_its_entity_stays_and_is_given_back() {
    let server = ApiServer::answering(&[("GET", NAMESPACE, 200, namespace_of("kubectl-create"))]);
    stays(&server, "the operator did not make it").await;
}

async fn stays(server: &ApiServer, why: &str) {
    let context = context(server).await;
    deleted_coop(&context);
    assert_eq!(entity_pass(&context).await, Next::Wait);
    let binding = "/apis/rbac.authorization.k8s.io/v1/namespaces/coop/rolebindings/commonscloud-operator";
    let taken_back = [format!("DELETE {binding}"), format!("PATCH {NAMESPACE}"), format!("PATCH {ENTITY}")];
    assert_eq!(server.writes(), taken_back, "the rights, though no cache shows the binding");
    assert_eq!(server.sent(NAMESPACE)["metadata"]["labels"][marks::ENTITY], Value::Null);
    let event = server.sent("/events");
    assert_eq!(event["reason"], "NamespaceKept");
    assert_eq!(event["message"], format!("namespace coop stays: {why}"));
    assert!(event["lastTimestamp"].is_string() && event["eventTime"].is_string(), "people sort by the first: {event}");
    assert_eq!(event["metadata"]["namespace"], "default", "an Entity is in no namespace");
}

#[tokio::test]
async fn a_finalizer_that_somebody_took_off_a_refused_service_is_put_back_for_its_data() {
    let server = ApiServer::default();
    let context = context(&server).await;
    wiki(&context, &json!({}));
    put(
        &context.caches().records,
        json!({
            "metadata": {"name": "wiki", "namespace": "coop", "uid": "r1", "resourceVersion": "8"},
            "spec": {"owner": {"kind": "DedicatedService", "name": "wiki", "uid": "w1"}, "template": "radicale"},
        }),
    );
    wiki_pass(&context).await;
    assert_eq!(server.writes().first(), Some(&format!("PATCH {WIKI}")));
    assert_eq!(server.sent("/wiki")["metadata"]["finalizers"], json!([marks::FINALIZER]));
}

#[tokio::test]
async fn a_service_that_no_cache_shows_keeps_its_entity_and_is_named() {
    let services = format!("{}s", WIKI.trim_end_matches("s/wiki"));
    let server = ApiServer::answering(&[
        ("GET", NAMESPACE, 200, namespace_of("commonscloud-create")),
        ("GET", &services, 200, metadata_list(&["wiki"])),
    ]);
    let context = context(&server).await;
    deleted_coop(&context);
    assert_eq!(entity_pass(&context).await, Next::After(FALLBACK));
    assert_eq!(server.writes(), [format!("PATCH {ENTITY}/status")], "the finalizer stays");
    let (_, _, message) = reported(&server, ENTITY, "Reconciling");
    assert!(message.ends_with("waiting for DedicatedService wiki (the operator has not read it yet)"), "{message}");
}

#[tokio::test]
async fn copies_of_the_platforms_secrets_go_with_their_entity_and_what_is_kept_stays() {
    let secrets = format!("{NAMESPACE}/secrets");
    let secret = |name: &str, labels: Value, source: bool| {
        let mut labels = labels;
        labels[marks::MANAGED_BY] = json!(marks::OPERATOR);
        let annotations = if source { json!({marks::SOURCE: "r1"}) } else { json!({}) };
        json!({"metadata": {"name": name, "uid": name, "labels": labels, "annotations": annotations}})
    };
    let generated = json!({marks::INSTANCE: "wiki", marks::DATA: "true"});
    let items = json!([
        secret("smtp", json!({}), true),
        secret("wiki-admin", generated.clone(), false),
        secret("wiki-odd", generated, true),
        secret("unmarked", json!({}), false),
    ]);
    let mut list = metadata_list(&[]);
    list["items"] = items;
    let server = ApiServer::answering(&[
        ("GET", NAMESPACE, 200, namespace_of("commonscloud-create")),
        ("GET", &secrets, 200, list),
    ]);
    let context = context(&server).await;
    deleted_coop(&context);
    entity_pass(&context).await;
    let deleted: Vec<String> = server.writes().into_iter().filter(|write| write.contains("/secrets/")).collect();
    assert_eq!(deleted, [format!("DELETE {secrets}/smtp")]);
}
