//! Waiting for a condition, with a deadline and the last reason why it does not hold.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use kube::api::Api;
use kube::core::{DynamicObject, NamespaceResourceScope};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::resources::ours;
use crate::{ensure, ensure_eq};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks again and again until `look` succeeds, and gives its value.
///
/// # Errors
/// The last failure of `look`, when `limit` has passed.
pub async fn eventually<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Outcome<T>) -> Outcome<T> {
    let began = Instant::now();
    loop {
        let reason = match tokio::time::timeout(limit, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(reason)) => reason.to_string(),
            Err(_) => "the look itself did not end".to_owned(),
        };
        if began.elapsed() >= limit {
            return Err(Failure::new(format!("{what}: not within {} s; last seen: {reason}", limit.as_secs())));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// `status.conditions[type]` of an object, with `status`, `reason` and `message`.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Whether `Ready` is `True` for the generation that the object has now.
///
/// # Errors
/// The object's own words why it is not.
pub fn is_ready(object: &Value) -> Outcome {
    let generation = object["metadata"]["generation"].as_i64();
    if object["status"]["observedGeneration"].as_i64() != generation {
        return Err(Failure::new("its status is about an older generation"));
    }
    match condition(object, "Ready") {
        Some(ready) if ready["status"] == "True" => Ok(()),
        Some(_) => Err(Failure::new(conditions(object))),
        None => Err(Failure::new("it has no condition Ready")),
    }
}

/// All conditions of an object in one line.
pub fn conditions(object: &Value) -> String {
    let one = |c: &Value| {
        let text = |field: &str| c[field].as_str().unwrap_or_default().to_owned();
        format!("{}={} {}: {}", text("type"), text("status"), text("reason"), text("message"))
    };
    let all: Vec<String> = object["status"]["conditions"].as_array().into_iter().flatten().map(one).collect();
    all.join("; ")
}

/// Waits until an object of the project's API is Ready, and gives it.
///
/// # Errors
/// Its own conditions, when `limit` has passed.
pub async fn ready(api: &Api<DynamicObject>, name: &str, limit: Duration) -> Outcome<Value> {
    eventually(&format!("{name} becomes Ready"), limit, async || {
        let object = serde_json::to_value(api.get(name).await?)?;
        is_ready(&object)?;
        Ok(object)
    })
    .await
}

/// Waits until a ServiceTemplate was looked at and has a revision other than `before`, and gives its name.
///
/// # Errors
/// What it has, when `limit` has passed.
pub async fn revision(client: &Client, template: &str, before: Option<&str>, limit: Duration) -> Outcome<String> {
    let templates = ours(client, "ServiceTemplate");
    eventually(&format!("ServiceTemplate {template} has its revision"), limit, async || {
        let template = serde_json::to_value(templates.get(template).await?)?;
        ensure_eq!(template["status"]["observedGeneration"], template["metadata"]["generation"], "looked at");
        let revision = template["status"]["revision"].as_str().ok_or_else(|| Failure::new("none"))?;
        ensure!(before != Some(revision), "it is {revision} still");
        Ok(revision.to_owned())
    })
    .await
}

/// Waits until an object is gone.
///
/// # Errors
/// What still holds it, when `limit` has passed.
pub async fn gone(api: &Api<DynamicObject>, name: &str, limit: Duration) -> Outcome {
    eventually(&format!("{name} goes away"), limit, async || match api.get_opt(name).await? {
        None => Ok(()),
        Some(object) => Err(Failure::new(format!("finalizers {:?}", object.metadata.finalizers))),
    })
    .await
}

/// The objects of a kind with a label selector in a namespace.
///
/// # Errors
/// When the API server refuses.
pub async fn list<K>(client: &Client, namespace: &str, selector: &str) -> Outcome<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    Ok(api.list(&kube::api::ListParams::default().labels(selector)).await?.items)
}
