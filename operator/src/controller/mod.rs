//! Who calls the steps, when, for which kind.

pub mod context;
pub mod entity;
pub mod instance;
mod leave;
mod news;
pub mod platform;
pub mod queue;
mod rendered;
pub mod template;
mod undecodable;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::apply::WriteError;
use crate::cache::{Key, Kind};
use crate::metrics::Metrics;
use context::Context;
use queue::Next;

/// The longest pass; a hung one is given up and repeated.
const PASS: Duration = Duration::from_mins(2);

/// Looks at what is due, `concurrency` resources at a time, until the queue is closed and what was
/// begun is done.
pub async fn work(context: Arc<Context>, metrics: Arc<Metrics>, concurrency: usize) {
    // Tasks of their own: a pass that only computes keeps neither the Lease nor `/readyz` waiting.
    let mut workers = JoinSet::new();
    for _ in 0..concurrency.max(1) {
        let (context, metrics) = (Arc::clone(&context), Arc::clone(&metrics));
        workers.spawn(async move {
            while let Some(key) = context.queue.next().await {
                let next = look(&context, &metrics, &key).await;
                context.queue.done(&key, next);
            }
        });
    }
    workers.join_all().await;
}

async fn look(context: &Context, metrics: &Metrics, key: &Key) -> Next {
    let begun = Instant::now();
    let span =
        tracing::info_span!("reconcile", kind = key.kind.as_str(), namespace = key.namespace, resource = key.name);
    let pass = tokio::time::timeout(PASS, reconcile(context, key)).instrument(span.clone()).await;
    let _entered = span.enter();
    let next = match pass {
        Ok(Ok(next)) => next,
        Ok(Err(error)) => {
            tracing::info!(%error, "not done, trying again");
            if error.trouble.passes() { Next::Retry } else { Next::After(Duration::from_mins(1)) }
        }
        Err(_) => {
            tracing::warn!("gave up a pass that hung, trying again");
            Next::Retry
        }
    };
    metrics.reconciled(key.kind.as_str(), begun.elapsed(), next == Next::Retry);
    next
}

async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    if let Some(found) = context.caches().undecodable(key.kind.as_str(), &key.namespace, &key.name) {
        return undecodable::reconcile(context, key, &found).await;
    }
    match key.kind {
        Kind::Platform => platform::reconcile(context, key).await,
        Kind::ServiceTemplate => template::reconcile(context, key).await,
        Kind::Entity => entity::reconcile(context, key).await,
        Kind::DedicatedOffice | Kind::DedicatedAgora | Kind::DedicatedProjects | Kind::DedicatedService => {
            instance::reconcile(context, key).await
        }
    }
}
