//! Whether the feeds of the caches work: what `/readyz`, the metrics and the Platform's status tell.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

/// How long a feed may fail before the operator is not ready: an API server restarts meanwhile.
pub const TOLERATED: Duration = Duration::from_secs(30);

/// How a feed is.
#[derive(Clone, Debug, Default)]
pub struct FeedHealth {
    /// What it brings, for example `servicedata`.
    pub resource: String,
    /// The only namespace from which it does; empty: all.
    pub namespace: String,
    /// When the API server last said something.
    pub last_event: Option<Timestamp>,
    /// The API server's words, or what became of the task; none since it works.
    pub error: Option<String>,
    /// Errors in a row.
    pub failures: u32,
    /// All errors.
    pub errors: u64,
    /// How often its task ended by a panic and was started again.
    pub restarts: u64,
    /// Whether the operator does its work without it.
    pub aside: bool,
    failing_since: Option<Instant>,
}

impl FeedHealth {
    /// For how long it has not worked.
    pub fn failing_for(&self) -> Option<Duration> {
        self.failing_since.map(|since| since.elapsed())
    }

    /// Whether it has not worked for too long.
    pub fn is_failing(&self) -> bool {
        self.failing_for().is_some_and(|time| time >= TOLERATED)
    }
}

/// `servicedata: Forbidden: servicedata.commonscloud.coop is forbidden: …`
impl std::fmt::Display for FeedHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.resource)?;
        if !self.namespace.is_empty() {
            write!(f, " of namespace {}", self.namespace)?;
        }
        write!(f, ": {}", self.error.as_deref().unwrap_or("no answer from the API server yet"))
    }
}

/// One feed's health, as its task writes it. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    state: Arc<Mutex<FeedHealth>>,
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, FeedHealth> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is now.
    pub(super) fn now(&self) -> FeedHealth {
        self.lock().clone()
    }

    /// The API server said something.
    pub(super) fn heard(&self) {
        self.lock().last_event = Some(Timestamp::now());
    }

    /// It works; whether it did not before, and for how long.
    pub(super) fn works(&self) -> Option<Duration> {
        let mut state = self.lock();
        state.error = None;
        state.failures = 0;
        state.failing_since.take().map(|since| since.elapsed())
    }

    /// It failed; how often in a row by now.
    pub(super) fn fails(&self, error: String) -> u32 {
        let mut state = self.lock();
        state.error = Some(error);
        state.errors += 1;
        state.failures = state.failures.saturating_add(1);
        state.failing_since.get_or_insert_with(Instant::now);
        state.failures
    }

    /// Its task panicked.
    pub(super) fn restarts(&self) {
        self.lock().restarts += 1;
    }
}

/// The feeds of all caches. Cloning shares it.
#[derive(Clone, Default)]
pub struct Feeds {
    all: Arc<Mutex<BTreeMap<(String, String), Health>>>,
}

impl Feeds {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Health>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new feed of a resource, in one namespace or, if that is empty, in all.
    pub(super) fn add(&self, resource: &str, namespace: &str) -> Health {
        let health = Health::default();
        resource.clone_into(&mut health.lock().resource);
        namespace.clone_into(&mut health.lock().namespace);
        self.lock().insert((resource.to_owned(), namespace.to_owned()), health.clone());
        health
    }

    /// A new feed without which the operator works as well.
    pub(super) fn add_aside(&self, resource: &str) -> Health {
        let health = self.add(resource, "");
        health.lock().aside = true;
        health
    }

    /// A feed that is no more.
    pub(super) fn forget(&self, resource: &str, namespace: &str) {
        self.lock().remove(&(resource.to_owned(), namespace.to_owned()));
    }

    /// How each feed is.
    pub fn all(&self) -> Vec<FeedHealth> {
        self.lock().values().map(Health::now).collect()
    }

    /// How one feed is.
    pub fn of(&self, resource: &str, namespace: &str) -> Option<FeedHealth> {
        self.lock().get(&(resource.to_owned(), namespace.to_owned())).map(Health::now)
    }

    /// The feeds that have not worked for too long.
    pub fn failing(&self) -> Vec<FeedHealth> {
        self.all().into_iter().filter(FeedHealth::is_failing).collect()
    }
}
