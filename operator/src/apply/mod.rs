//! Writes objects: the only step that does. What it answers with is what was really applied.

mod conflicts;
mod copy;
mod counts;
mod digest;
mod error;
mod generate;
mod refusal;
mod server;
mod target;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use counts::WriteCounts;
pub use error::{ErrorKind, WriteError};
use futures::future::join_all;
pub use generate::RandomError;
pub use server::Server;
pub use target::Target;

use crate::api::InstanceStatus;
use crate::cache::{Key, Known, Live};
use crate::compare::{Action, Change, Difference};
use crate::kinds;
use digest::digest;
use write::{Outcome, Writer, is_round};

/// What came of a set of changes.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// How many writes the API server took.
    pub writes: usize,
    /// What it did not take, or was not asked for again.
    pub failures: Vec<WriteError>,
    /// The objects as they are by its answers.
    pub written: Vec<Written>,
    /// When what was refused or is contested is tried again though nothing changes.
    pub wait: Option<Duration>,
}

/// An object as the API server has it after a write.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The generation of its spec; none when it has none.
    pub generation: Option<i64>,
    /// What it reports, where it is a Dedicated resource.
    pub status: Option<Box<InstanceStatus>>,
    /// The object, where it is one that an instance or an Entity is made of.
    pub live: Option<Arc<Live>>,
}

impl Applied {
    /// The failure to report: the first that does not pass, else the first.
    pub fn worst(&self) -> Option<&WriteError> {
        self.failures.iter().find(|f| !f.kind.is_transient()).or_else(|| self.failures.first())
    }

    fn wait_at_most(&mut self, wait: Duration) {
        self.wait = Some(self.wait.map_or(wait, |already| already.min(wait)));
    }
}

/// Makes changes in their order; those of one kind in a row at the same time. After a failure of
/// what data is made of nothing else is written, since the rest builds on it.
pub async fn apply(server: &Server, known: &Known, by: &Key, changes: &[Change]) -> Applied {
    let mut applied = Applied::default();
    let writer = Writer { server, known, by };
    let contested = writer.contested(changes).await;
    let mut repaired = BTreeMap::new();
    for group in changes.chunk_by(|a, b| a.kind == b.kind && is_parallel(a) && is_parallel(b)) {
        let outcomes = join_all(group.iter().map(|change| writer.write(change, &contested))).await;
        let mut stops = false;
        for (change, (outcome, written)) in group.iter().zip(outcomes) {
            applied.written.extend(written);
            if is_round(&change.action, &outcome) && !repairs(&change.action).is_empty() {
                let wanted = repaired.entry(target(change).key()).or_insert(None);
                *wanted = wanted.or(asked(&change.action));
            }
            match outcome {
                Outcome::Taken => applied.writes += 1,
                Outcome::Failed(error) => {
                    stops |= is_unreachable(&error) || is_foundation(change);
                    applied.failures.push(error);
                }
                Outcome::Waits(error, wait) => {
                    stops |= is_foundation(change);
                    applied.failures.push(error);
                    applied.wait_at_most(wait);
                }
            }
        }
        if stops {
            break;
        }
    }
    for (object, wanted) in repaired {
        server.conflicts().repaired(&object, wanted);
    }
    applied
}

/// Two writes to one object must not overtake each other; all others may.
fn is_parallel(change: &Change) -> bool {
    !matches!(change.action, Action::Remove { .. })
}

const fn is_unreachable(error: &WriteError) -> bool {
    matches!(error.kind, ErrorKind::Transient | ErrorKind::NotLeading | ErrorKind::Forbidden)
}

/// What else builds on. A volume that does not grow is there all the same.
fn is_foundation(change: &Change) -> bool {
    kinds::DATA.contains(&change.kind.as_str()) && !change.is_of_claim()
}

fn target(change: &Change) -> Target<'_> {
    Target { kind: &change.kind, namespace: &change.namespace, name: &change.name }
}

/// What a change sets right that somebody else changed; nothing where it makes an object.
fn repairs(action: &Action) -> &[Difference] {
    match action {
        Action::Apply { because, .. } | Action::Remove { because, .. } | Action::Copy { because, .. } => because,
        _ => &[],
    }
}

/// A digest of the object that a change asks for; none where it only takes something away.
fn asked(action: &Action) -> Option<u64> {
    match action {
        Action::Apply { object, .. } => Some(digest(object.to_string())),
        _ => None,
    }
}
