//! How instances and Entities are deleted: from what is recorded in the cluster, without their
//! Tariff, Platform or template; data stays. What a deletion waits for is in the status.

mod entity;
mod instance;
mod namespace;
#[cfg(test)]
mod tests;

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

pub(super) use entity::entity;
pub(super) use instance::instance;

use super::context::Context;
use super::finalizer;
use super::queue::Next;
use crate::apply::{ErrorKind, WriteError};
use crate::cache::Key;
use crate::report::{DeletionWait, Verdict};

/// What is waited for wakes the resource; this is for an event that was missed, and for a policy,
/// whose change no watch tells.
const FALLBACK: Duration = Duration::from_mins(1);
/// Failures that usually pass within a second are reported after this many in a row.
const PATIENCE: u32 = 4;

/// A step of a deletion that was not taken.
#[derive(Debug)]
struct Blocked {
    step: &'static str,
    error: WriteError,
}

/// Adds which step of the deletion failed.
fn at(step: &'static str) -> impl Fn(WriteError) -> Blocked {
    move |error| Blocked { step, error }
}

impl Blocked {
    /// Whether somebody has to change something: a policy, a schema, a right.
    fn is_permanent(&self) -> bool {
        !self.error.kind.is_transient() || self.error.kind == ErrorKind::Forbidden
    }
}

/// What is to be reported at the end of a pass over something that is being deleted, and when to
/// look again.
fn outcome(
    context: &Context,
    key: &Key,
    since: Timestamp,
    ended: Result<DeletionWait, Blocked>,
) -> (Option<Verdict>, Next) {
    judge(context.queue.failures(key), since, ended)
}

fn judge(failures: u32, since: Timestamp, ended: Result<DeletionWait, Blocked>) -> (Option<Verdict>, Next) {
    match ended {
        Ok(wait) => {
            let next = if matches!(wait, DeletionWait::Services(_)) { Next::After(FALLBACK) } else { Next::Wait };
            (wait.verdict(since), next)
        }
        Err(Blocked { error, .. }) if error.kind.is_transient() && failures < PATIENCE => {
            (None, Next::Retry(error.kind.reason()))
        }
        Err(blocked) => {
            let reason = blocked.error.kind.reason();
            let next =
                if blocked.error.kind.is_transient() { Next::Retry(reason) } else { Next::Blocked(reason, FALLBACK) };
            let permanent = blocked.is_permanent();
            let message = format!("{}: {}", blocked.step, blocked.error);
            (DeletionWait::Refused { message, permanent }.verdict(since), next)
        }
    }
}

/// The finalizers of others.
fn of_others(finalizers: &[String]) -> DeletionWait {
    DeletionWait::Finalizers(finalizer::others(finalizers))
}

/// What is gone needs no report.
fn unless_gone(reported: Result<(), WriteError>) -> Result<(), WriteError> {
    match reported {
        Err(error) if matches!(error.kind, ErrorKind::Missing | ErrorKind::Conflict) => Ok(()),
        other => other,
    }
}
