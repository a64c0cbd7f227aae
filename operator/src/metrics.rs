//! What Prometheus is told.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByKind {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByWrite {
    verb: String,
    kind: String,
}

/// The operator's metrics.
pub struct Metrics {
    registry: Mutex<Registry>,
    reconciles: Family<ByKind, Counter>,
    errors: Family<ByKind, Counter>,
    durations: Family<ByKind, Histogram>,
    writes: Family<ByWrite, Counter>,
    refused_writes: Family<ByWrite, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("commonscloud");
        let reconciles = Family::default();
        let errors = Family::default();
        let durations =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(0.001, 2.0, 14))) as fn() -> Histogram);
        let writes = Family::default();
        let refused_writes = Family::default();
        registry.register("reconciles", "Looks at a resource", reconciles.clone());
        registry.register("reconcile_errors", "Looks at a resource that failed and are repeated", errors.clone());
        registry.register("reconcile_duration_seconds", "How long a look at a resource took", durations.clone());
        registry.register("writes", "Writes that the API server took", writes.clone());
        registry.register("refused_writes", "Writes that the API server did not take", refused_writes.clone());
        Self { registry: Mutex::new(registry), reconciles, errors, durations, writes, refused_writes }
    }
}

impl Metrics {
    /// A resource was looked at.
    pub fn reconciled(&self, kind: &str, took: Duration, failed: bool) {
        let labels = ByKind { kind: kind.to_owned() };
        self.reconciles.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        if failed {
            self.errors.get_or_create(&labels).inc();
        }
    }

    /// A write was answered.
    pub fn wrote(&self, verb: &str, kind: &str, taken: bool) {
        let labels = ByWrite { verb: verb.to_owned(), kind: kind.to_owned() };
        let family = if taken { &self.writes } else { &self.refused_writes };
        family.get_or_create(&labels).inc();
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
