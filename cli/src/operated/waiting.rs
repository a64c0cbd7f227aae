//! Waits until every Entity and every Dedicated resource says that it is Ready, or until one thing is there.

use std::time::{Duration, Instant};

use commonscloud_cluster::Progress;
use commonscloud_cluster::command::Failure;
use commonscloud_cluster::progress::Phase;
use commonscloud_operator::kinds;
use kube::Client;

use crate::services::{self, Health};

pub(crate) const ASK: Duration = Duration::from_millis(500);

/// Waits, and shows what is waited for; of one Entity, or of all.
///
/// # Errors
/// After `patience`: every resource that is not Ready, with the reason that its status gives.
pub(crate) async fn until_ready(
    client: &Client,
    entity: Option<&str>,
    patience: Duration,
    progress: &Progress,
) -> Result<(), Failure> {
    let phase = progress.phase("services become Ready");
    let deadline = Instant::now() + patience;
    loop {
        let waiting = unready(client, entity).await?;
        let Some(first) = waiting.first() else { break };
        phase.at(first);
        if Instant::now() > deadline {
            return Err(format!("not Ready after {} s:\n  {}", patience.as_secs(), waiting.join("\n  ")).into());
        }
        tokio::time::sleep(ASK).await;
    }
    phase.done();
    Ok(())
}

/// What a look at something found that is waited for.
pub(crate) enum Look<T> {
    /// It is there.
    Found(T),
    /// It may come, and why it has not.
    NotYet(String),
    /// It does not come any more, and why.
    Never(String),
}

/// Looks until it is there, or does not come any more.
///
/// # Errors
/// Why it does not come, or why it was not there the last time.
pub(crate) async fn awaited<T>(
    patience: Duration,
    phase: &Phase,
    mut look: impl AsyncFnMut() -> Result<Look<T>, Failure>,
) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        let why = match look().await {
            Ok(Look::Found(found)) => return Ok(found),
            Ok(Look::Never(why)) => return Err(why),
            Ok(Look::NotYet(why)) => why,
            Err(failure) => failure.to_string(),
        };
        if begun.elapsed() > patience {
            return Err(format!("not after {} s: {why}", patience.as_secs()));
        }
        phase.at(&why);
        tokio::time::sleep(ASK).await;
    }
}

/// One line for each resource that is not Ready.
async fn unready(client: &Client, entity: Option<&str>) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for kind in kinds::DEDICATED.map(|kind| kind.kind).into_iter().chain(["Entity"]) {
        for object in services::list(client, kind).await? {
            let of = object.metadata.namespace.as_ref().or(object.metadata.name.as_ref());
            if entity.is_some_and(|entity| of.is_none_or(|of| of != entity)) {
                continue;
            }
            if let Health::NotReady { reason, message } = services::health(&object) {
                let name = object.metadata.name.unwrap_or_default();
                let place = object.metadata.namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
                lines.push(format!("{kind} {place}{name}: {reason}: {message}"));
            }
        }
    }
    Ok(lines)
}
