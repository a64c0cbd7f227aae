//! What a provider can do.

use std::collections::BTreeSet;
use std::future::Future;

use super::seen::Seen;
use super::step::{Made, Step};

/// Whoever signs people in, as the operator drives it.
pub trait Provider: Send + Sync {
    /// Everything that is there, and from when on changes are asked for.
    fn look(&self) -> impl Future<Output = Result<(Seen, Cursor), ProviderError>> + Send;

    /// Does one thing. [`Seen::after`] tells what is there then. After a failure it is unknown, and looked at anew.
    fn carry_out(&self, step: &Step, seen: &Seen) -> impl Future<Output = Result<Made, ProviderError>> + Send;

    /// What others changed since.
    fn changes(&self, since: &Cursor) -> impl Future<Output = Result<Changes, ProviderError>> + Send;

    /// Looks again at what changed, unless that is [`everything`](Changes::everything).
    fn look_again(&self, seen: &Seen, at: &Changes) -> impl Future<Output = Result<Seen, ProviderError>> + Send;
}

/// Up to where changes are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the last one, in milliseconds of the provider's clock.
    pub(super) at: i64,
    /// The ids of those that are known of about that time: some may be stored after later ones.
    pub(super) known: BTreeSet<String>,
}

/// What others changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Up to where changes are known with these.
    pub cursor: Cursor,
    /// Whether anything can have changed.
    pub everything: bool,
    /// The accounts that changed.
    pub users: BTreeSet<String>,
    /// The organizations that changed, by their ids.
    pub organizations: BTreeSet<String>,
    /// The clients whose roles were given or taken, by their uuids.
    pub clients: BTreeSet<String>,
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        !self.everything && self.users.is_empty() && self.organizations.is_empty() && self.clients.is_empty()
    }
}

/// Why the provider did not do something. The texts hold nothing that changes from one try to the next, no secret
/// and no mail address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked}: {problem}")]
pub struct ProviderError {
    /// What was asked: the method, and the path without ids of people.
    pub(super) asked: String,
    /// What came of it, with what helps.
    pub(super) problem: String,
}

impl ProviderError {
    /// Of its two parts.
    pub fn new(asked: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { asked: asked.into(), problem: problem.into() }
    }
}
