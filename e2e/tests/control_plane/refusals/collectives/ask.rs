//! A request, who makes it, and what its refusal says.

use commonscloud_e2e::{Failure, Outcome};
use hyper::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

use super::NAME;
use crate::refusals::doors::Answer;

/// A request, judged and never stored.
#[derive(Debug, Clone)]
pub struct Ask {
    method: Method,
    path: String,
    body: Value,
}

impl Ask {
    fn new(method: Method, namespace: &str, place: &str, body: Value) -> Self {
        let path = format!("/apis/commonscloud.coop/v1alpha1/namespaces/{namespace}/{place}");
        Self { method, path, body }
    }

    /// A merge patch; a list is a JSON patch, which alone can say null.
    pub fn change(place: &str, body: Value) -> Self {
        Self::new(Method::PATCH, NAME, place, body)
    }

    /// A new object.
    pub fn create(namespace: &str, plural: &str, object: Value) -> Self {
        Self::new(Method::POST, namespace, plural, object)
    }

    /// What is there goes.
    pub fn delete(place: &str) -> Self {
        Self::new(Method::DELETE, NAME, place, Value::Null)
    }

    /// Asks the API server, as whoever the client is.
    ///
    /// # Errors
    /// When it gives no answer.
    pub async fn tried(&self, client: &Client) -> Outcome<Answer> {
        let form = match (&self.method, &self.body) {
            (&Method::PATCH, Value::Array(_)) => "application/json-patch+json",
            (&Method::PATCH, _) => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = if self.body.is_null() { Vec::new() } else { self.body.to_string().into_bytes() };
        let request = Request::builder().method(self.method.clone()).header("content-type", form);
        let request = request.uri(format!("{}?dryRun=All", self.path)).body(body)?;
        match client.request::<Value>(request).await {
            Ok(_) => Ok(Answer::Taken),
            Err(kube::Error::Api(status)) => Ok(Answer::Refused(status.message)),
            Err(error) => Err(Failure::from(error).during(&self.path)),
        }
    }
}

/// A request that one rule of a policy refuses, and no other.
pub struct Row {
    /// The policy.
    pub policy: &'static str,
    /// What is wrong.
    pub fault: &'static str,
    /// Who asks.
    pub by: &'static str,
    /// For what.
    pub ask: Ask,
    /// What the refusal says.
    pub says: &'static str,
}

pub fn of_collective(fault: &'static str, by: &'static str, change: Value, says: &'static str) -> Row {
    Row { policy: "commonscloud-collectives", fault, by, ask: Ask::change("collectives/collective", change), says }
}

pub fn of_access(fault: &'static str, by: &'static str, change: Value, says: &'static str) -> Row {
    Row { policy: "commonscloud-accesses", fault, by, ask: Ask::change("accesses/site", change), says }
}

pub fn members(members: Value) -> Value {
    json!({"spec": {"members": members}})
}

pub fn managers(managers: Value) -> Value {
    json!({"spec": {"managers": managers}})
}

pub fn people(people: Value) -> Value {
    json!({"spec": {"people": people}})
}

/// A merge patch of one person's entry.
pub fn person(id: &str, entry: Value) -> Value {
    let mut all = json!({});
    all[id] = entry;
    people(all)
}
