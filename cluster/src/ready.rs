//! Waiting until everything that was applied is ready.

use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::Client;

use crate::apply::Applied;
use crate::cause;
use crate::readiness::{Readiness, judge};

/// Between two looks at the objects that are not ready.
const PAUSE: Duration = Duration::from_millis(300);
/// When all that is not ready says it failed, it may still recover for so long.
const GRACE: Duration = Duration::from_secs(20);
/// How many objects are asked for at once.
const AT_ONCE: usize = 16;

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Kind, namespace and name.
    pub title: String,
    /// How it stood at the last look.
    pub readiness: Readiness,
    /// From the beginning of the wait to its readiness, or to the end of the wait.
    pub took: Duration,
}

/// Waits until all are ready, at most `limit`; ends earlier when what is left says it failed.
pub async fn wait(client: &Client, applied: &[Applied], limit: Duration, report: impl Fn(&str)) -> Vec<Outcome> {
    let began = Instant::now();
    let mut outcomes: Vec<Outcome> = applied
        .iter()
        .map(|one| Outcome {
            title: one.title(),
            readiness: Readiness::Waiting("not looked at".to_owned()),
            took: Duration::ZERO,
        })
        .collect();
    let mut only_failures_since: Option<Instant> = None;
    loop {
        look_at_all(client, applied, &mut outcomes, began).await;
        let left = || outcomes.iter().filter(|outcome| outcome.readiness != Readiness::Ready);
        let Some(next) = left().next() else { return outcomes };
        report(&format!("{} of {} ready; {}", outcomes.len() - left().count(), outcomes.len(), next.title));
        let all_failed = left().all(|outcome| matches!(outcome.readiness, Readiness::Failed(_)));
        only_failures_since = all_failed.then(|| only_failures_since.unwrap_or_else(Instant::now));
        let given_up = only_failures_since.is_some_and(|since| since.elapsed() > GRACE);
        if given_up || began.elapsed() > limit {
            explain(client, applied, &mut outcomes).await;
            return outcomes;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Adds what the pods of workloads that are not ready say.
async fn explain(client: &Client, applied: &[Applied], outcomes: &mut [Outcome]) {
    for (one, outcome) in applied.iter().zip(outcomes) {
        let (Readiness::Waiting(why) | Readiness::Failed(why)) = &mut outcome.readiness else { continue };
        if let Some(cause) = cause::of_pods(client, one).await {
            why.push_str("; ");
            why.push_str(&cause);
        }
    }
}

async fn look_at_all(client: &Client, applied: &[Applied], outcomes: &mut [Outcome], began: Instant) {
    let pending = applied.iter().zip(outcomes).filter(|(_, outcome)| outcome.readiness != Readiness::Ready);
    futures::stream::iter(pending)
        .for_each_concurrent(AT_ONCE, |(one, outcome)| async move {
            outcome.readiness = look(client, one).await;
            outcome.took = began.elapsed();
        })
        .await;
}

async fn look(client: &Client, one: &Applied) -> Readiness {
    match one.look(client).await {
        Ok(Some(mut object)) => {
            // A single object of a typed answer carries its kind; keep it if it does not.
            object.types = object.types.or_else(|| one.object.types.clone());
            judge(&object, one.reported)
        }
        Ok(None) => Readiness::Failed("is gone".to_owned()),
        Err(error) => Readiness::Waiting(format!("cannot be asked for: {error}")),
    }
}
