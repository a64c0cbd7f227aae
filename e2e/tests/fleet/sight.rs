//! One object as a watch shows it: the moment at which a change was to be seen by anybody.

use std::pin::Pin;
use std::time::{Duration, Instant};

use commonscloud_e2e::{Failure, Outcome};
use futures::{Stream, StreamExt as _};
use kube::api::{Api, WatchParams};
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
        let object = api.get(name).await?;
        let version = object.metadata.resource_version.clone().unwrap_or_default();
        let only = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(290);
        let events = api.watch(&only, &version).await?;
        Ok(Self { object: serde_json::to_value(object)?, name: name.to_owned(), events: Box::pin(events) })
    }

    /// Waits for a state of the object that is as told, and says when it came.
    pub async fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Outcome<Instant> {
        let seen = async {
            while let Some(event) = self.events.next().await {
                let (WatchEvent::Added(object) | WatchEvent::Modified(object)) = event? else { continue };
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
