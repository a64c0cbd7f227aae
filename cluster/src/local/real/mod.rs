//! A cluster with one real node, in namespaces of its own.

pub(super) mod cgroups;
pub(super) mod network;

use serde::{Deserialize, Serialize};

/// How the namespaces of a node are furnished before its processes start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Furnishing {
    pub(crate) index: u8,
}
