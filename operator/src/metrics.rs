//! What Prometheus is told.

mod backups;
#[cfg(test)]
mod backups_tests;
mod states;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::api::Reason;
use crate::apply::WriteCounts;
use crate::cache::Caches;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByKind {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    kind: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByFeed {
    feed: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByState {
    state: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByKindAndState {
    kind: &'static str,
    state: &'static str,
}

/// How many resources are in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Those whose time has come.
    pub due: usize,
    /// Those for later: another try, a date.
    pub later: usize,
    /// Those that are worked on.
    pub running: usize,
    /// Those whose last pass failed in a way that may pass.
    pub failing: usize,
}

/// How the process and what it works on are, taken whenever somebody asks.
#[derive(Default)]
struct ProcessMetrics {
    leader: Gauge,
    queue: Family<ByState, Gauge>,
    resources: Family<ByKindAndState, Gauge>,
}

/// How the feeds of the caches are, taken from them whenever somebody asks.
#[derive(Default)]
struct FeedMetrics {
    failing: Family<ByFeed, Gauge>,
    errors: Family<ByFeed, Gauge>,
    restarts: Family<ByFeed, Gauge>,
    last_event: Family<ByFeed, Gauge>,
    undecodable: Family<ByKind, Gauge>,
}

/// How the identity provider is driven.
#[derive(Default)]
struct IdentityMetrics {
    rounds: Counter,
    failures: Counter,
    waiting: Gauge,
}

impl IdentityMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("identity_rounds", "Times the identity provider was looked at", self.rounds.clone());
        let failures = "Times it did not answer, or did not do what it was asked";
        registry.register("identity_failures", failures, self.failures.clone());
        let waiting = "People who did not accept their invitation so far";
        registry.register("identity_invited_people", waiting, self.waiting.clone());
    }
}

/// The operator's metrics.
pub struct Metrics {
    backups: backups::BackupMetrics,
    feeds: FeedMetrics,
    identity: IdentityMetrics,
    process: ProcessMetrics,
    registry: Mutex<Registry>,
    reconciles: Family<ByKind, Counter>,
    errors: Family<ByReason, Counter>,
    panics: Family<ByKind, Counter>,
    durations: Family<ByKind, Histogram>,
    writes: WriteCounts,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("commonscloud");
        let reconciles = Family::default();
        let errors = Family::default();
        let panics = Family::default();
        let durations =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(0.001, 2.0, 14))) as fn() -> Histogram);
        let writes = WriteCounts::default();
        registry.register("reconciles", "Passes over a resource", reconciles.clone());
        registry.register(
            "reconcile_errors",
            "Passes over a resource that failed, by the reason in its status",
            errors.clone(),
        );
        registry.register(
            "reconcile_panics",
            "Passes over a resource that ended in a fault of the operator",
            panics.clone(),
        );
        registry.register("reconcile_duration_seconds", "How long a pass over a resource took", durations.clone());
        writes.register(&mut registry);
        let feeds = FeedMetrics::default();
        feeds.register(&mut registry);
        let process = ProcessMetrics::default();
        process.register(&mut registry);
        let backups = backups::BackupMetrics::default();
        backups.register(&mut registry);
        let identity = IdentityMetrics::default();
        identity.register(&mut registry);
        let registry = Mutex::new(registry);
        Self { backups, feeds, identity, process, registry, reconciles, errors, panics, durations, writes }
    }
}

impl ProcessMetrics {
    fn register(&self, registry: &mut Registry) {
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The operator's release", build);
        registry.register("leader", "1 while this process leads", self.leader.clone());
        registry.register("queue_resources", "Resources in the queue, by what they wait for", self.queue.clone());
        let resources = "Resources by kind and by what their status comes to";
        registry.register("resources", resources, self.resources.clone());
    }

    fn observe(&self, caches: &Caches, queue: Depth, leads: bool) {
        self.leader.set(i64::from(leads));
        let states =
            [("due", queue.due), ("later", queue.later), ("running", queue.running), ("failing", queue.failing)];
        for (state, count) in states {
            self.queue.get_or_create(&ByState { state }).set(count.try_into().unwrap_or(i64::MAX));
        }
        for ((kind, state), count) in states::counts(caches) {
            self.resources.get_or_create(&ByKindAndState { kind, state: state.as_str() }).set(count);
        }
    }
}

impl FeedMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("feed_failing", "Feeds that do not work, by what they bring", self.failing.clone());
        registry.register("feed_errors", "Errors of feeds since they began", self.errors.clone());
        registry.register(
            "feed_restarts",
            "Tasks of feeds that panicked and were started again",
            self.restarts.clone(),
        );
        let last = "When the API server last said something, in seconds since 1970";
        registry.register("feed_last_event_timestamp_seconds", last, self.last_event.clone());
        let undecodable = "Objects that are not what this release can read";
        registry.register("undecodable_objects", undecodable, self.undecodable.clone());
    }

    /// The feeds of one resource in many namespaces count as one.
    fn observe(&self, caches: &Caches) {
        let mut feeds: BTreeMap<String, (i64, u64, u64, i64)> = BTreeMap::new();
        for feed in caches.feeds.all() {
            let sum = feeds.entry(feed.resource.clone()).or_default();
            sum.0 += i64::from(feed.failing_for().is_some());
            sum.1 += feed.errors;
            sum.2 += feed.restarts;
            sum.3 = sum.3.max(feed.last_event.map_or(0, Timestamp::as_second));
        }
        for (feed, (failing, errors, restarts, last_event)) in feeds {
            let labels = ByFeed { feed };
            self.failing.get_or_create(&labels).set(failing);
            self.errors.get_or_create(&labels).set(errors.try_into().unwrap_or(i64::MAX));
            self.restarts.get_or_create(&labels).set(restarts.try_into().unwrap_or(i64::MAX));
            self.last_event.get_or_create(&labels).set(last_event);
        }
        for (kind, count) in caches.undecodable_counts() {
            let labels = ByKind { kind: kind.to_owned() };
            self.undecodable.get_or_create(&labels).set(count.try_into().unwrap_or(i64::MAX));
        }
    }
}

impl Metrics {
    /// A pass over a resource ended, and failed for this reason, if it did.
    pub fn reconciled(&self, kind: &str, took: Duration, failure: Option<Reason>) {
        let labels = ByKind { kind: kind.to_owned() };
        self.reconciles.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        if let Some(reason) = failure {
            self.failed(kind, reason);
        }
    }

    /// A pass over a resource panicked.
    pub fn panicked(&self, kind: &str) {
        self.panics.get_or_create(&ByKind { kind: kind.to_owned() }).inc();
        self.failed(kind, Reason::InternalError);
    }

    fn failed(&self, kind: &str, reason: Reason) {
        self.errors.get_or_create(&ByReason { kind: kind.to_owned(), reason: reason.name() }).inc();
    }

    /// Where writes are counted.
    pub fn writes(&self) -> WriteCounts {
        self.writes.clone()
    }

    /// Takes in how the process is: what its caches hold, what waits, whether it leads.
    pub fn observe(&self, caches: &Caches, queue: Depth, leads: bool) {
        self.feeds.observe(caches);
        self.process.observe(caches, queue, leads);
        backups::observe(caches, Timestamp::now(), &self.backups);
    }

    /// The identity provider was looked at, and brought to what it is to have.
    pub fn identity_round(&self, has_failed: bool) {
        self.identity.rounds.inc();
        if has_failed {
            self.identity.failures.inc();
        }
    }

    /// So many people did not accept their invitation yet.
    pub fn identity_waiting(&self, people: usize) {
        self.identity.waiting.set(people.try_into().unwrap_or(i64::MAX));
    }

    /// When records were last stored at each target, in seconds since 1970; 0: never.
    pub fn records_stored(&self, at: impl IntoIterator<Item = (String, i64)>) {
        self.backups.show_records(at);
    }

    /// All metrics in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_says_its_release_whether_it_leads_and_what_waits() {
        let metrics = Metrics::default();
        metrics.observe(&Caches::new(), Depth { due: 3, ..Depth::default() }, true);
        let text = metrics.text();
        for line in [
            concat!(r#"commonscloud_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
            "commonscloud_leader 1",
            r#"commonscloud_queue_resources{state="due"} 3"#,
            r#"commonscloud_resources{kind="Entity",state="Ready"} 0"#,
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn every_failed_pass_counts_whether_it_passes_or_not() {
        let metrics = Metrics::default();
        metrics.reconciled("Entity", Duration::ZERO, None);
        metrics.reconciled("Entity", Duration::ZERO, Some(Reason::FieldContested));
        metrics.panicked("Entity");
        let text = metrics.text();
        assert!(text.contains(r#"commonscloud_reconciles_total{kind="Entity"} 2"#), "{text}");
        assert!(
            text.contains(r#"commonscloud_reconcile_errors_total{kind="Entity",reason="FieldContested"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"commonscloud_reconcile_errors_total{kind="Entity",reason="InternalError"} 1"#),
            "{text}"
        );
        assert!(text.contains(r#"commonscloud_reconcile_panics_total{kind="Entity"} 1"#), "{text}");
    }
}
