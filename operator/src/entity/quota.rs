//! The quota of an Entity's namespace: what was sold, what is kept, and room for what runs.

use std::collections::BTreeMap;

use serde_json::json;

use super::object;
use crate::api::Entity;
use crate::core::Bytes;
use crate::template::RenderedObject;

/// The name of the quota in each Entity's namespace.
pub const RESOURCE_QUOTA: &str = "entity";
/// Pods that an instance may have at once: its workloads, jobs, and what a roll-out adds.
const PODS: u64 = 30;
/// CPUs that the pods of an instance may request together.
const CPUS: u64 = 16;
/// Memory that the pods of an instance may request together.
const MEMORY: Bytes = Bytes::new(32 << 30);
/// Scratch space on their nodes that the pods of an instance may request together.
const SCRATCH: Bytes = Bytes::new(64 << 30);

/// What the volumes of a namespace need: running, kept and yet to be made, by a restore as well, and what they may
/// grow to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    claims: BTreeMap<String, Bytes>,
    least: Bytes,
}

impl Needs {
    /// A claim requests this much, now or soon; the larger figure counts.
    pub fn claim(&mut self, name: &str, request: Bytes) {
        let known = self.claims.entry(name.to_owned()).or_default();
        *known = request.max(*known);
    }

    /// The room that there is stays: of some instance nobody knows for now what it needs.
    pub fn keep(&mut self, storage: Bytes) {
        self.least = storage.max(self.least);
    }

    /// All claims together.
    pub fn storage(&self) -> Bytes {
        let sum = self.claims.values().try_fold(Bytes::ZERO, |sum, request| sum.checked_add(*request));
        sum.unwrap_or(Bytes::new(u64::MAX)).max(self.least)
    }

    /// How many claims there are.
    pub fn count(&self) -> u64 {
        self.claims.len() as u64
    }
}

/// The quota: storage to the byte, the rest generous. Nothing for a namespace without services.
pub fn resource_quota(entity: &Entity, needs: &Needs, instances: u64) -> RenderedObject {
    let times = instances.max(1);
    let together = |each: Bytes| each.checked_mul(times).unwrap_or(each).to_string();
    object(
        entity,
        "ResourceQuota",
        "v1",
        RESOURCE_QUOTA,
        true,
        json!({
            "spec": {"hard": {
                "requests.storage": needs.storage().to_string(),
                "persistentvolumeclaims": needs.count().to_string(),
                "pods": (PODS * times).to_string(),
                "requests.cpu": (CPUS * times).to_string(),
                "requests.memory": together(MEMORY),
                "requests.ephemeral-storage": together(SCRATCH),
            }},
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_counts_once_with_its_larger_size() {
        let mut needs = Needs::default();
        needs.claim("office-data", Bytes::new(10));
        needs.claim("office-data", Bytes::new(7));
        needs.claim("old-data", Bytes::new(5));
        assert_eq!((needs.storage(), needs.count()), (Bytes::new(15), 2));
        needs.keep(Bytes::new(14));
        assert_eq!(needs.storage(), Bytes::new(15));
        needs.keep(Bytes::new(16));
        assert_eq!(needs.storage(), Bytes::new(16));
    }
}
