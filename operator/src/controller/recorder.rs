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
    latest: Mutex<HashMap<Same, Written>>,
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
            let counted = again(before, event, now);
            let patch =
                json!({"count": counted.count, "lastTimestamp": counted.last_timestamp, "message": counted.message});
            match events.patch(&counted.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await {
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
        self.latest(now).insert(same, first);
        Ok(())
    }

    /// Those that are counted when they come again.
    fn latest(&self, now: Timestamp) -> MutexGuard<'_, HashMap<Same, Written>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.retain(|_, event| event.last_timestamp.as_ref().is_some_and(|last| now.duration_since(last.0) < AGAIN));
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

fn again(before: Written, event: &Event, now: Timestamp) -> Written {
    Written {
        count: Some(before.count.unwrap_or(1).saturating_add(1)),
        last_timestamp: Some(Time(now)),
        message: message_of(event),
        ..before
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

    #[test]
    fn an_event_that_comes_again_is_counted_and_keeps_when_it_first_came() {
        let first = Timestamp::from_second(100).unwrap();
        let later = Timestamp::from_second(200).unwrap();
        let before = Written { count: Some(1), first_timestamp: Some(Time(first)), ..Written::default() };
        let counted = again(before, &event("b"), later);
        assert_eq!((counted.count, counted.message.as_deref()), (Some(2), Some("b")));
        assert_eq!((counted.first_timestamp.unwrap().0, counted.last_timestamp.unwrap().0), (first, later));
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
