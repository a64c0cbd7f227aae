//! Whole sets of changes against an API server that answers as it is told.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::api::Reason;
use crate::cache::{Caches, Identity, Kind};
use crate::compare::Fault;
use crate::leader::Leadership;

/// What was asked of the API server: method and path.
type Requests = Arc<Mutex<Vec<String>>>;

struct Api {
    server: Server,
    known: Known,
    requests: Requests,
}

impl Api {
    /// An API server that answers so: method and last part of the path, and what was sent.
    fn answering(answer: impl Fn(&str, &str, Value) -> (u16, Value) + Clone + Send + Sync + 'static) -> Self {
        let requests = Requests::default();
        let log = Arc::clone(&requests);
        let service = tower::service_fn(move |request: Request<Body>| {
            let (answer, log) = (answer.clone(), Arc::clone(&log));
            async move {
                let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
                let method = request.method().to_string();
                log.lock().unwrap().push(format!("{method} {name}"));
                let sent = request.into_body().collect().await.unwrap().to_bytes();
                let sent = serde_json::from_slice(&sent).unwrap_or_default();
                let (code, answer) = answer(&method, &name, sent);
                let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        let client = Client::new(service, "default");
        let server = Server::new(client, Leadership::alone(), WriteCounts::default(), "system");
        Self { server, known: Known::new(Caches::new(), Arc::new(|_| {})), requests }
    }

    async fn apply(&self, changes: &[Change]) -> Applied {
        apply(&self.server, &self.known, &Key::new(Kind::DedicatedService, "e", "s"), changes).await
    }

    /// How often this was asked.
    fn count(&self, request: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|asked| *asked == request).count()
    }
}

fn refusal(code: u16, reason: &str, message: &str) -> (u16, Value) {
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code}),
    )
}

fn change(kind: &str, name: &str, action: Action) -> Change {
    Change { kind: kind.to_owned(), namespace: "e".to_owned(), name: name.to_owned(), action }
}

fn object(kind: &str, name: &str) -> Value {
    let api_version = kinds::resource(kind).unwrap().api_version;
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "e"}, "spec": {"replicas": 1}})
}

fn applied(kind: &str, name: &str) -> Change {
    change(kind, name, Action::Apply { object: object(kind, name), because: Vec::new() })
}

fn growth() -> Change {
    let patch = json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": {"resources": {"requests": {"storage": "5Gi"}}}});
    change("PersistentVolumeClaim", "s-data", Action::Merge { patch, because: "grow".to_owned() })
}

const NO_GROWTH: &str = "persistentvolumeclaims \"s-data\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";

fn troubles(applied: &Applied) -> Vec<ErrorKind> {
    applied.failures.iter().map(|failure| failure.kind).collect()
}

#[tokio::test]
async fn a_forbidden_growth_does_not_hold_up_the_new_host_name() {
    let api = Api::answering(
        |_, name, sent| if name == "s-data" { refusal(403, "Forbidden", NO_GROWTH) } else { (200, sent) },
    );
    let outcome = api.apply(&[growth(), applied("Ingress", "s-app")]).await;
    assert_eq!((outcome.writes, troubles(&outcome)), (1, vec![ErrorKind::NotExpandable]));
    assert_eq!(ErrorKind::NotExpandable.reason(), Reason::VolumeNotExpandable);
}

#[tokio::test]
async fn a_volume_that_is_not_made_holds_up_what_builds_on_it() {
    let api = Api::answering(|_, name, sent| {
        let limit = "persistentvolumeclaims \"s-data\" is forbidden: maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 5Gi";
        if name == "persistentvolumeclaims" { refusal(403, "Forbidden", limit) } else { (200, sent) }
    });
    let made = change("PersistentVolumeClaim", "s-data", Action::Create(object("PersistentVolumeClaim", "s-data")));
    let changes = [made, applied("StatefulSet", "s-db")];
    for _ in 0..2 {
        let outcome = api.apply(&changes).await;
        assert_eq!((outcome.writes, troubles(&outcome)), (0, vec![ErrorKind::OutOfLimits]), "refused before, too");
    }
    assert_eq!(*api.requests.lock().unwrap(), ["POST persistentvolumeclaims"]);
}

#[tokio::test]
async fn nothing_is_made_beside_a_record_that_a_restore_was_faster_to_hold() {
    let api = Api::answering(|method, name, sent| match (method, name) {
        ("POST", "servicedata") => refusal(409, "AlreadyExists", "servicedata \"s\" already exists"),
        ("GET", "s") => {
            let mut held = object("ServiceData", "s");
            held["spec"] = json!({"restoring": "a backup is awaited"});
            (200, held)
        }
        _ => (200, sent),
    });
    let made = |kind: &str, name: &str| change(kind, name, Action::Create(object(kind, name)));
    let outcome = api.apply(&[made("ServiceData", "s"), made("PersistentVolumeClaim", "s-data")]).await;
    assert_eq!((outcome.writes, troubles(&outcome)), (0, vec![ErrorKind::Conflict]));
    assert_eq!(api.count("POST persistentvolumeclaims"), 0);
}

#[tokio::test]
async fn what_was_refused_is_not_sent_again_before_something_changes() {
    let api = Api::answering(|_, _, _| refusal(422, "Invalid", "spec.selector: field is immutable"));
    for _ in 0..20 {
        let outcome = api.apply(&[applied("Deployment", "s-app")]).await;
        assert_eq!(troubles(&outcome), [ErrorKind::Refused]);
        assert!(outcome.wait.is_some_and(|wait| !wait.is_zero()), "{:?}", outcome.wait);
    }
    assert_eq!(api.count("PATCH s-app"), 1);
    let entity: crate::api::Entity = serde_json::from_value(json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Entity", "metadata": {"name": "e", "uid": "e1", "generation": 2},
        "spec": {"displayName": "E", "tariff": "t"},
    }))
    .unwrap();
    api.known.caches().entities.put(&Identity::of(&entity.metadata), entity);
    api.apply(&[applied("Deployment", "s-app")]).await;
    assert_eq!(api.count("PATCH s-app"), 2, "the Entity has changed");
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_sent_is_not_asked_for_again() {
    let api = Api::answering(|_, _, mut sent| {
        sent["spec"]["replicas"] = json!(2);
        (200, sent)
    });
    for _ in 0..20 {
        let outcome = api.apply(&[applied("Deployment", "s-app")]).await;
        assert_eq!(troubles(&outcome), [ErrorKind::NotCanonical]);
    }
    assert_eq!(api.count("PATCH s-app"), 1);
}

fn repair(found: u64) -> Change {
    let because = vec![Difference { path: "/spec/replicas".to_owned(), fault: Fault::Changed, found }];
    change("Deployment", "s-app", Action::Apply { object: object("Deployment", "s-app"), because })
}

#[tokio::test]
async fn another_manager_is_looked_for_once_and_costs_no_request_per_round() {
    let api = Api::answering(|method, name, sent| {
        let fields = json!([{"manager": "autoscaler", "operation": "Update", "time": "2026-01-02T00:00:00Z"}]);
        let mut answer = if method == "GET" { object("Deployment", name) } else { sent };
        answer["metadata"]["managedFields"] = fields;
        (200, answer)
    });
    let mut messages = std::collections::BTreeSet::new();
    for round in 0..400 {
        let outcome = api.apply(&[repair(round)]).await;
        messages.extend(outcome.failures.iter().map(ToString::to_string));
    }
    assert_eq!((api.count("PATCH s-app"), api.count("GET s-app")), (6, 1));
    let message = messages.first().unwrap();
    assert!(message.starts_with("Deployment/s-app: autoscaler changes /spec/replicas back each time"), "{message}");
    assert_eq!(messages.len(), 1, "the status does not change with each round");
}

fn removal() -> Change {
    let patch =
        json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "7"}, {"op": "remove", "path": "/data/b"}]);
    let because = vec![Difference { path: "/data/b".to_owned(), fault: Fault::Extra, found: 1 }];
    change("ConfigMap", "s-app", Action::Remove { patch, because })
}

/// What comes of a patch that is answered with 422, where the object is at this version.
async fn unprocessable(version: &'static str) -> (Api, Applied) {
    let api = Api::answering(move |method, name, _| {
        let mut found = object("ConfigMap", name);
        found["metadata"]["resourceVersion"] = version.into();
        let rejected = refusal(422, "Invalid", "the server rejected our request due to an error in our request");
        if method == "GET" { (200, found) } else { rejected }
    });
    let outcome = api.apply(&[removal()]).await;
    (api, outcome)
}

#[tokio::test]
async fn a_patch_that_can_never_be_applied_is_refused_and_no_conflict() {
    let (api, outcome) = unprocessable("7").await;
    assert_eq!(troubles(&outcome), [ErrorKind::Refused]);
    assert!(outcome.failures[0].message.contains("/data/b"), "{:?}", outcome.failures);
    assert!(api.known.caches().object("ConfigMap", "e", "s-app").is_none());
}

#[tokio::test]
async fn a_patch_of_a_version_that_is_gone_is_a_conflict_and_the_next_pass_knows_the_newer_one() {
    let (api, outcome) = unprocessable("8").await;
    assert_eq!(troubles(&outcome), [ErrorKind::Conflict]);
    let seen = api.known.caches().object("ConfigMap", "e", "s-app").unwrap();
    assert_eq!(seen.metadata.resource_version.as_deref(), Some("8"));
}

#[tokio::test]
async fn a_race_that_is_lost_again_and_again_ends_as_a_contest() {
    let (api, _) = unprocessable("8").await;
    for _ in 0..100 {
        api.apply(&[removal()]).await;
    }
    assert!(api.requests.lock().unwrap().len() <= 13, "{:?}", api.requests.lock().unwrap());
}

#[tokio::test]
async fn instances_that_repair_what_they_share_contest_nothing() {
    let api = Api::answering(|method, name, _| {
        let found = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "uid": "u", "resourceVersion": "8"}});
        if method == "GET" { (200, found) } else { refusal(409, "Conflict", "the object has been modified") }
    });
    let because = vec![Difference { path: "/data".to_owned(), fault: Fault::Changed, found: 1 }];
    let metadata = json!({"name": "smtp", "namespace": "e", "uid": "u", "resourceVersion": "7"});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata});
    for _ in 0..20 {
        let outcome = api
            .apply(&[change(
                "Secret",
                "smtp",
                Action::Copy { from: None, secret: secret.clone(), because: because.clone() },
            )])
            .await;
        assert_eq!(troubles(&outcome), [ErrorKind::Conflict]);
    }
    assert_eq!(api.count("PUT smtp"), 20);
}

#[tokio::test]
async fn what_holds_data_is_deleted_as_it_was_seen_or_not_at_all() {
    let discard = |uid: &str| {
        let action = Action::Discard { uid: uid.to_owned(), resource_version: "7".to_owned() };
        change("PersistentVolumeClaim", "s-data", action)
    };
    let api = Api::answering(|_, _, sent| {
        let of = |field: &str| sent["preconditions"][field].clone();
        match (of("uid").as_str(), of("resourceVersion").as_str()) {
            (Some("u"), Some("7")) => (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})),
            (Some("marked"), Some("7")) => refusal(
                409,
                "Conflict",
                "Operation cannot be fulfilled on persistentvolumeclaims \"s-data\": the ResourceVersion in the precondition (7) does not match the ResourceVersion in record (9). The object might have been modified",
            ),
            _ => refusal(500, "InternalError", "without preconditions"),
        }
    });
    assert_eq!(troubles(&api.apply(&[discard("u")]).await), []);
    assert_eq!(troubles(&api.apply(&[discard("marked")]).await), [ErrorKind::Conflict]);
    assert_eq!(api.count("DELETE s-data"), 2);
}
