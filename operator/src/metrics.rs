//! What Prometheus is told.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::api::Reason;

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
struct ByWrite {
    verb: String,
    kind: String,
}

/// The operator's metrics.
pub struct Metrics {
    registry: Mutex<Registry>,
    reconciles: Family<ByKind, Counter>,
    errors: Family<ByReason, Counter>,
    panics: Family<ByKind, Counter>,
    durations: Family<ByKind, Histogram>,
    writes: Family<ByWrite, Counter>,
    refused_writes: Family<ByWrite, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("commonscloud");
        let reconciles = Family::default();
        let errors = Family::default();
        let panics = Family::default();
        let durations =
            Family::new_with_constructor((|| Histogram::new(exponential_buckets(0.001, 2.0, 14))) as fn() -> Histogram);
        let writes = Family::default();
        let refused_writes = Family::default();
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
        registry.register("writes", "Writes that the API server took", writes.clone());
        registry.register("refused_writes", "Writes that the API server did not take", refused_writes.clone());
        Self { registry: Mutex::new(registry), reconciles, errors, panics, durations, writes, refused_writes }
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

#[cfg(test)]
mod tests {
    use super::*;

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
