//! Writes, counted by how the API server answered.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByWrite {
    verb: String,
    kind: String,
}

/// How many writes the API server took, and did not. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct WriteCounts {
    taken: Family<ByWrite, Counter>,
    refused: Family<ByWrite, Counter>,
}

impl WriteCounts {
    /// Shows them among the metrics of a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("writes", "Writes that the API server took", self.taken.clone());
        registry.register("refused_writes", "Writes that the API server did not take", self.refused.clone());
    }

    /// A write was answered.
    pub(super) fn count(&self, verb: &str, kind: &str, taken: bool) {
        let labels = ByWrite { verb: verb.to_owned(), kind: kind.to_owned() };
        let family = if taken { &self.taken } else { &self.refused };
        family.get_or_create(&labels).inc();
    }
}
