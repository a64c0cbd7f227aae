//! Who calls the steps, when, for which kind.
//!
//! | module | what lives there |
//! |---|---|
//! | `instance`, `entity`, `collective`, `record`, `backup`, `restore`, `consent`, `platform`, `template` | a controller for each kind |
//! | `deletion`, `finalizer` | what happens while something is deleted; the finalizer, put on and put back |
//! | `context`, `events`, `recorder` | statuses and finalizers on their way out; the Events that they are worth, and how one is written |
//! | `queue`, `workers`, `internal_error` | when, side by side, and what a panic leaves |
//! | `backup_schedule` | whose turn it is to be backed up |
//! | `backup_care`, `backup_forget`, `repository` | repositories are pruned and checked; what is forgotten; who is at work at one |
//! | `backup_server` | the servers of targets that are volumes |
//! | `backup_records` | the platform's own kinds go to each target |
//! | `drill`, `drill_schedule` | restores that prove backups; whose turn it is |
//! | `identity` | the identity provider is brought to who belongs and who may enter; accounts are bound |
//! | `step` | the next step of a run, a restore or a drill, carried out |
//! | `listed` | what there is that an Entity can name, for the Platform's status |
//! | `rendered` | a plan's objects, rendered and compared only when one of them is another |
//! | `undecodable` | the status of what cannot be read |
//! | `clock` | whose time counts |

pub mod backup;
mod backup_care;
mod backup_forget;
pub mod backup_records;
pub mod backup_schedule;
pub mod backup_server;
mod clock;
pub mod collective;
pub mod consent;
pub mod context;
mod deletion;
mod drill;
mod drill_schedule;
pub mod entity;
mod events;
mod finalizer;
pub mod identity;
pub mod instance;
mod internal_error;
mod listed;
pub mod platform;
pub mod queue;
pub mod record;
pub mod recorder;
mod rendered;
mod repository;
pub mod restore;
mod step;
pub mod template;
mod undecodable;
mod workers;

#[cfg(test)]
mod restore_tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument as _;

use crate::api::Reason;
use crate::apply::WriteError;
use crate::cache::{Key, Kind};
use crate::metrics::Metrics;
pub use backup_records::RecordsTold;
pub use backup_server::ServersTold;
pub use clock::Start;
use context::Context;
pub use identity::IdentityTold;
use queue::{BLOCKED, Next};

/// The longest pass; a hung one is given up and repeated.
const PASS: Duration = Duration::from_mins(2);

/// Reconciles what is due, `concurrency` resources at a time, until the queue is closed and what was
/// begun is done.
pub async fn work(context: Arc<Context>, metrics: Arc<Metrics>, concurrency: usize) {
    let one = {
        let (context, metrics) = (Arc::clone(&context), Arc::clone(&metrics));
        move |key: Key| {
            let (context, metrics) = (Arc::clone(&context), Arc::clone(&metrics));
            async move { run_pass(&context, &metrics, &key).await }
        }
    };
    let queue = Arc::clone(&context.queue);
    let panicked = move |key: Key, words: String| {
        let (context, metrics) = (Arc::clone(&context), Arc::clone(&metrics));
        async move {
            metrics.panicked(key.kind.as_str());
            tracing::error!(
                kind = key.kind.as_str(),
                namespace = key.namespace,
                resource = key.name,
                panic = words,
                "a pass panicked; this is a fault of the operator"
            );
            if let Err(error) = internal_error::report(&context, &key, &words).await {
                tracing::warn!(%error, "a panic is not in the status yet");
            }
        }
    };
    workers::work(queue, concurrency, one, panicked).await;
}

async fn run_pass(context: &Context, metrics: &Metrics, key: &Key) -> Next {
    let begun = Instant::now();
    let span =
        tracing::info_span!("reconcile", kind = key.kind.as_str(), namespace = key.namespace, resource = key.name);
    let pass = tokio::time::timeout(PASS, reconcile(context, key)).instrument(span.clone()).await;
    let _entered = span.enter();
    let words = |error: &WriteError| context::without_secrets(context.caches(), key, &error.to_string());
    let next = match pass {
        Ok(Ok(next)) => next,
        Ok(Err(error)) if error.kind.is_transient() => {
            tracing::info!(error = %words(&error), "not done, trying again");
            Next::Retry(error.kind.reason())
        }
        Ok(Err(error)) => {
            tracing::warn!(error = %words(&error), "refused; waiting for a change");
            Next::Blocked(error.kind.reason(), BLOCKED)
        }
        Err(_) => {
            tracing::warn!("gave up a pass that hung, trying again");
            Next::Retry(Reason::ApiUnavailable)
        }
    };
    metrics.reconciled(key.kind.as_str(), begun.elapsed(), next.failure());
    next
}

async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    if let Some(found) = context.caches().undecodable(key.kind.as_str(), &key.namespace, &key.name) {
        return undecodable::reconcile(context, key, &found).await;
    }
    match key.kind {
        Kind::Platform => platform::reconcile(context, key).await,
        Kind::ServiceTemplate => template::reconcile(context, key).await,
        Kind::ServiceData => record::reconcile(context, key).await,
        Kind::Entity => entity::reconcile(context, key).await,
        Kind::ServiceBackup => Box::pin(backup::reconcile(context, key)).await,
        Kind::ServiceRestore => Box::pin(restore::reconcile(context, key)).await,
        Kind::RestoreConsent => consent::reconcile(context, key).await,
        Kind::Collective => collective::reconcile(context, key).await,
        // What can be read of them is looked after with their Collective.
        Kind::Access | Kind::LeaveRequest => Ok(Next::Wait),
        Kind::DedicatedOffice | Kind::DedicatedAgora | Kind::DedicatedProjects | Kind::DedicatedService => {
            instance::reconcile(context, key).await
        }
    }
}
