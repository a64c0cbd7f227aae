//! Writes Events of core/v1. Those of events.k8s.io, which kube's Recorder writes, may not have a
//! `lastTimestamp`, and people and their tools sort by it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::{Event as Written, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType};
use kube::{Client, ResourceExt as _};
use serde_json::json;

/// How long an Event that comes again is counted, and not written anew.
const AGAIN: SignedDuration = SignedDuration::from_mins(6);
/// The longest message that the API server takes, in bytes.
const MESSAGE: usize = 1024;
/// Where Events about what has no namespace are kept.
const NOWHERE: &str = "default";

/// Writes Events.
pub struct Recorder {
    client: Client,
    controller: String,
    instance: String,
    latest: Mutex<HashMap<Same, Counted>>,
}

/// An Event that was written, and how often it came.
#[derive(Clone, Debug)]
struct Counted {
    name: String,
    count: i32,
    last: Timestamp,
}

/// What makes two Events the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Same {
    uid: String,
    type_: &'static str,
    reason: String,
    action: String,
}

impl Recorder {
    /// Writes them as `controller`, of which this process is `instance`.
    pub fn new(client: Client, controller: &str, instance: &str) -> Self {
        let latest = Mutex::default();
        Self { client, controller: controller.to_owned(), instance: instance.to_owned(), latest }
    }

    /// Writes an Event, or counts it once more.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn publish(&self, event: &Event, about: &ObjectReference) -> Result<(), kube::Error> {
        let now = Timestamp::now();
        let same = Same {
            uid: about.uid.clone().unwrap_or_default(),
            type_: type_of(event),
            reason: event.reason.clone(),
            action: event.action.clone(),
        };
        let events: Api<Written> = Api::namespaced(self.client.clone(), about.namespace.as_deref().unwrap_or(NOWHERE));
        let before = self.latest(now).get(&same).cloned();
        if let Some(before) = before {
            let counted = Counted { count: before.count.saturating_add(1), last: now, ..before };
            let patch = json!({"count": counted.count, "lastTimestamp": Time(now), "message": message_of(event)});
            match events.patch(&counted.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
                Ok(_) => {
                    self.latest(now).insert(same, counted);
                    return Ok(());
                }
                // Whoever keeps Events for less than the usual hour.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error),
            }
        }
        let first = self.first(event, about, now);
        events.create(&PostParams::default(), &first).await?;
        self.latest(now).insert(same, Counted { name: first.name_any(), count: 1, last: now });
        Ok(())
    }

    /// Those that are counted when they come again.
    fn latest(&self, now: Timestamp) -> MutexGuard<'_, HashMap<Same, Counted>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.retain(|_, event| now.duration_since(event.last) < AGAIN);
        latest
    }

    fn first(&self, event: &Event, about: &ObjectReference, now: Timestamp) -> Written {
        let name = about.name.as_deref().unwrap_or(&self.controller);
        Written {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: Some(about.namespace.clone().unwrap_or_else(|| NOWHERE.to_owned())),
                ..ObjectMeta::default()
            },
            action: Some(event.action.clone()),
            count: Some(1),
            event_time: Some(MicroTime(now)),
            first_timestamp: Some(Time(now)),
            involved_object: about.clone(),
            last_timestamp: Some(Time(now)),
            message: message_of(event),
            reason: Some(event.reason.clone()),
            related: event.secondary.clone(),
            reporting_component: Some(self.controller.clone()),
            reporting_instance: Some(self.instance.clone()),
            series: None,
            source: Some(EventSource { component: Some(self.controller.clone()), host: None }),
            type_: Some(type_of(event).to_owned()),
        }
    }
}

const fn type_of(event: &Event) -> &'static str {
    match event.type_ {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    }
}

fn message_of(event: &Event) -> Option<String> {
    let note = event.note.as_deref()?;
    let end = (0..=MESSAGE.min(note.len())).rev().find(|at| note.is_char_boundary(*at)).unwrap_or_default();
    Some(note.get(..end).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use hyper::{Method, Request, Response};
    use kube::client::Body;
    use serde_json::Value;

    use super::*;

    fn event(note: &str) -> Event {
        Event {
            type_: EventType::Warning,
            reason: "TemplateNotFound".to_owned(),
            note: Some(note.to_owned()),
            action: "Reconcile".to_owned(),
            secondary: None,
        }
    }

    #[tokio::test]
    async fn an_event_that_comes_again_is_counted_and_not_written_anew() {
        let requests: Arc<Mutex<Vec<(Method, Value)>>> = Arc::default();
        let log = Arc::clone(&requests);
        let service = tower::service_fn(move |request: Request<Body>| {
            let log = Arc::clone(&log);
            async move {
                let method = request.method().clone();
                let body = request.into_body().collect_bytes().await.unwrap();
                log.lock().unwrap().push((method, serde_json::from_slice(&body).unwrap()));
                let answer =
                    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": {}});
                Ok::<_, Infallible>(Response::new(Body::from(answer.to_string().into_bytes())))
            }
        });
        let recorder = Recorder::new(Client::new(service, "default"), "operator", "a");
        let about = ObjectReference { uid: Some("u".to_owned()), ..ObjectReference::default() };
        recorder.publish(&event("a"), &about).await.unwrap();
        recorder.publish(&event("b"), &about).await.unwrap();
        let requests = requests.lock().unwrap();
        assert_eq!((&requests[0].0, &requests[0].1["count"]), (&Method::POST, &json!(1)));
        assert_eq!(requests[0].1["firstTimestamp"], requests[0].1["lastTimestamp"]);
        assert_eq!((&requests[1].0, &requests[1].1["count"]), (&Method::PATCH, &json!(2)));
        assert_eq!((requests[1].1["message"].as_str(), requests.len()), (Some("b"), 2));
    }

    #[test]
    fn a_message_is_no_longer_than_the_api_server_takes() {
        let long = message_of(&event(&"é".repeat(600))).unwrap();
        assert_eq!(long.len(), MESSAGE, "512 letters of two bytes");
        let odd = message_of(&event(&format!("x{}", "é".repeat(600)))).unwrap();
        assert_eq!(odd.len(), MESSAGE - 1, "no half letter");
        assert_eq!(message_of(&event("short")).as_deref(), Some("short"));
    }
}
