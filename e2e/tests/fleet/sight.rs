//! One object as a watch shows it: the moment at which a change was to be seen by anybody.

use std::pin::Pin;
use std::time::{Duration, Instant};

use commonscloud_e2e::{Failure, Outcome};
use futures::{Stream, StreamExt as _};
use kube::api::{Api, ListParams, WatchParams};
use kube::core::{DynamicObject, WatchEvent};
use serde_json::Value;

/// What is not seen by then is lost.
const LIMIT: Duration = Duration::from_mins(1);

type Events = Pin<Box<dyn Stream<Item = Result<WatchEvent<DynamicObject>, kube::Error>> + Send>>;

/// An object that is watched from now on.
pub struct Sight {
    /// As it was when it was first looked at.
    pub object: Value,
    name: String,
    events: Events,
}

impl Sight {
    /// Looks at an object, and watches it.
    pub async fn of(api: &Api<DynamicObject>, name: &str) -> Outcome<Self> {
        let only = format!("metadata.name={name}");
        let list = api.list(&ListParams::default().fields(&only)).await?;
        // The list's version is of now. From an object's own, whose history may be compacted, no watch begins.
        let version = list.metadata.resource_version.unwrap_or_default();
        let object = list.items.into_iter().next().ok_or_else(|| Failure::new(format!("{name} is not there")))?;
        let events = api.watch(&WatchParams::default().fields(&only).timeout(290), &version).await?;
        Ok(Self { object: serde_json::to_value(object)?, name: name.to_owned(), events: Box::pin(events) })
    }

    /// Waits for a state of the object that is as told, and says when it came.
    pub async fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Outcome<Instant> {
        let seen = async {
            while let Some(event) = self.events.next().await {
                let object = match event? {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => object,
                    WatchEvent::Error(status) => return Err(Failure::new(format!("the watch: {}", status.message))),
                    WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => continue,
                };
                let at = Instant::now();
                if holds(&serde_json::to_value(object)?) {
                    return Ok(at);
                }
            }
            Err(Failure::new("the watch ended"))
        };
        let ended = tokio::time::timeout(LIMIT, seen).await;
        ended.unwrap_or_else(|_| Err(Failure::new(format!("{}: nothing came of it in {LIMIT:?}", self.name))))
    }
}

/// Milliseconds from one moment to a later one; none when the event was faster than the answer.
pub fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1000.0
}
