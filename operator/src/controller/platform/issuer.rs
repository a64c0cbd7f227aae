//! The ClusterIssuer that the Platform names. It is asked for by its name: a watch of a kind that need not be
//! there would fail for ever, and a right to list all of them is more than is needed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::super::context::Context;
use super::super::queue::Next;
use crate::api::{ConditionType, PlatformSpec, Reason};
use crate::report::ConditionUpdate;

/// How long the answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// When an issuer is asked for again that was not there, or not ready ...
const AGAIN: Duration = Duration::from_mins(1);
/// ... and one that was.
const AGAIN_IF_READY: Duration = Duration::from_hours(1);
const FIELD: &str = "spec.exposure.tls.clusterIssuer";

/// What is known of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// It is there, and cert-manager says that it can be used.
    Ready,
    /// It is there, and cert-manager says why it cannot be used.
    NotReady(String),
    /// cert-manager is there, and it is not.
    Missing,
    /// cert-manager is not there.
    NoCertManager,
    /// The API server did not say, or cert-manager has not looked yet.
    Unknown,
}

/// The issuer that was asked for last.
#[derive(Default)]
pub struct Issuers {
    last: Mutex<Option<Asked>>,
}

#[derive(Clone)]
struct Asked {
    name: String,
    generation: i64,
    at: Instant,
    found: Found,
}

impl Issuers {
    fn known(&self, name: &str, generation: i64) -> Option<Asked> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.filter(|last| last.name == name && last.generation == generation)
            .filter(|last| last.at.elapsed() < last.found.again())
    }

    /// Keeps an answer; one that says nothing leaves what was known of the same issuer as it was.
    fn keep(&self, mut asked: Asked) -> Asked {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last.as_ref().filter(|last| last.name == asked.name && last.generation == asked.generation);
        if let (Found::Unknown, Some(known)) = (&asked.found, known) {
            asked.found = known.found.clone();
        }
        *last = Some(asked.clone());
        asked
    }
}

impl Found {
    fn again(&self) -> Duration {
        if *self == Self::Ready { AGAIN_IF_READY } else { AGAIN }
    }
}

/// What is wrong with the issuer that the Platform names, and when to ask again.
pub(super) async fn asked(context: &Context, spec: &PlatformSpec, generation: i64) -> (Option<ConditionUpdate>, Next) {
    let Some(name) = spec.exposure.tls.as_ref().and_then(|tls| tls.cluster_issuer.as_deref()) else {
        return (None, Next::Wait);
    };
    let asked = if let Some(known) = context.issuers.known(name, generation) {
        known
    } else {
        let found = ask(context.server.client(), name).await;
        context.issuers.keep(Asked { name: name.to_owned(), generation, at: Instant::now(), found })
    };
    let again = asked.found.again().saturating_sub(asked.at.elapsed());
    (condition(name, &asked.found), Next::After(again))
}

async fn ask(client: &Client, name: &str) -> Found {
    let kind = GroupVersionKind::gvk("cert-manager.io", "v1", "ClusterIssuer");
    let resource = ApiResource::from_gvk_with_plural(&kind, "clusterissuers");
    let issuers: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    match timeout(ANSWER, issuers.get(name)).await {
        Ok(Ok(issuer)) => judged(&issuer.data),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
            // For a kind that there is not the API server names no object.
            let of_object = status.details.as_ref().is_some_and(|details| details.name == name);
            if of_object { Found::Missing } else { Found::NoCertManager }
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, issuer = name, "not known whether the ClusterIssuer is there");
            Found::Unknown
        }
        Err(_) => Found::Unknown,
    }
}

fn judged(issuer: &Value) -> Found {
    let conditions = issuer.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
    match ready.next() {
        Some(ready) if ready["status"] == "False" => {
            let text = |key: &str| ready[key].as_str().unwrap_or_default();
            Found::NotReady(format!("{}: {}", text("reason"), text("message")))
        }
        Some(ready) if ready["status"] == "True" => Found::Ready,
        _ => Found::Unknown,
    }
}

fn condition(name: &str, found: &Found) -> Option<ConditionUpdate> {
    let (reason, message) = match found {
        Found::Ready | Found::Unknown => return None,
        Found::NotReady(why) => (Reason::IssuerNotReady, format!("{FIELD}: ClusterIssuer {name} is not ready: {why}")),
        Found::Missing => (
            Reason::IssuerNotFound,
            format!(
                "{FIELD}: ClusterIssuer {name} does not exist (yet); `kubectl get clusterissuers` lists those there are"
            ),
        ),
        Found::NoCertManager => (
            Reason::IssuerNotFound,
            format!(
                "{FIELD}: ClusterIssuer {name} cannot exist: the cluster has no cert-manager.io/v1 (yet); install cert-manager, or name a wildcard certificate by spec.exposure.tls.secretName"
            ),
        ),
    };
    Some(ConditionUpdate::new(ConditionType::IssuerFound, false, reason, message))
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::body::Bytes;
    use hyper::{Request, Response};
    use serde_json::json;

    use super::*;

    /// What is found where the API server answers so.
    async fn answered(code: u16, body: &str) -> Found {
        let body = body.to_owned();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            assert_eq!(request.uri().path(), "/apis/cert-manager.io/v1/clusterissuers/letsencrypt");
            let answer = Response::builder().status(code).body(Full::new(Bytes::from(body.clone()))).unwrap();
            async move { Ok::<_, std::convert::Infallible>(answer) }
        });
        ask(&Client::new(service, "default"), "letsencrypt").await
    }

    fn issuer(conditions: &Value) -> String {
        json!({
            "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "letsencrypt"},
            "status": {"conditions": conditions},
        })
        .to_string()
    }

    #[tokio::test]
    async fn an_issuer_that_is_not_there_is_told_from_a_cert_manager_that_is_not() {
        let ready = issuer(&json!([{"type": "Ready", "status": "True"}]));
        assert_eq!(answered(200, &ready).await, Found::Ready);
        assert_eq!(answered(200, &issuer(&json!([]))).await, Found::Unknown, "cert-manager has not looked yet");
        let failed =
            json!([{"type": "Ready", "status": "False", "reason": "ErrRegisterACMEAccount", "message": "no account"}]);
        let not_ready = Found::NotReady("ErrRegisterACMEAccount: no account".to_owned());
        assert_eq!(answered(200, &issuer(&failed)).await, not_ready);
        let status = |details: Value| {
            json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
                "message": "not found", "details": details,
            })
            .to_string()
        };
        let details = json!({"name": "letsencrypt", "group": "cert-manager.io", "kind": "clusterissuers"});
        assert_eq!(answered(404, &status(details)).await, Found::Missing);
        assert_eq!(answered(404, &status(json!({}))).await, Found::NoCertManager);
        assert_eq!(answered(404, "404 page not found\n").await, Found::NoCertManager);
        assert_eq!(answered(403, &status(json!({})).replace("404", "403")).await, Found::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ready_issuer_is_asked_for_again_after_an_hour_and_a_missing_one_after_a_minute() {
        let issuers = Issuers::default();
        let asked = |found| Asked { name: "a".to_owned(), generation: 1, at: Instant::now(), found };
        issuers.keep(asked(Found::Ready));
        tokio::time::advance(AGAIN_IF_READY.saturating_sub(AGAIN)).await;
        assert!(issuers.known("a", 1).is_some());
        assert!(issuers.known("b", 1).is_none() && issuers.known("a", 2).is_none(), "the Platform changed");
        tokio::time::advance(AGAIN).await;
        assert!(issuers.known("a", 1).is_none(), "it may have failed since");
        issuers.keep(asked(Found::Missing));
        assert!(issuers.known("a", 1).is_some());
        tokio::time::advance(AGAIN).await;
        assert!(issuers.known("a", 1).is_none());
        assert_eq!(issuers.keep(asked(Found::Unknown)).found, Found::Missing, "one answer that is none is no news");
    }

    #[test]
    fn what_is_wrong_with_an_issuer_names_field_and_remedy() {
        assert_eq!(condition("letsencrypt", &Found::Ready), None);
        assert_eq!(condition("letsencrypt", &Found::Unknown), None);
        for (found, words) in [
            (
                Found::Missing,
                ["IssuerNotFound", "spec.exposure.tls.clusterIssuer: ClusterIssuer letsencrypt does not exist"],
            ),
            (Found::NoCertManager, ["IssuerNotFound", "install cert-manager"]),
            (Found::NotReady("no account".to_owned()), ["IssuerNotReady", "is not ready: no account"]),
        ] {
            let told = format!("{:?}", condition("letsencrypt", &found));
            assert!(words.iter().all(|words| told.contains(words)), "{told}");
        }
    }
}
