//! A cluster with one real node, in network, mount and pid namespaces of its own.
//!
//! ```text
//! up ─► unshare ─► node init (pid 1: mounts, address, reaps) ─► node supervise ─► the plan's processes
//!   └─► the link from this machine to eth0 in the node
//! ```

pub(super) mod cgroups;
pub(super) mod components;
pub(super) mod containers;
pub(super) mod image_store;
pub(super) mod init;
pub(super) mod inotify;
pub(super) mod mounts;
pub(super) mod network;
pub(super) mod objects;
pub(super) mod start;
pub(super) mod storage;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::name::ClusterName;

/// The tools that a real node is made of.
pub(super) const TOOLS: [&str; 7] =
    ["kubernetes", "etcd", "coredns", "cilium", "csi-provisioner", "csi-resizer", "traefik"];
/// The images of its own pods.
pub(super) const IMAGES: [&str; 2] = ["pause", "traefik"];

/// Where the node sees its own folder: sockets need short paths.
pub(super) const HERE: &str = "/run/node";

/// How the namespaces of a node are furnished before its processes start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Furnishing {
    pub(super) name: ClusterName,
    /// Gives its addresses.
    pub(super) index: u8,
    /// The folder that the node sees as [`HERE`].
    pub(super) folder: PathBuf,
}

/// The folder of the node's own files below the cluster's.
pub(super) fn folder(cluster: &Path) -> PathBuf {
    cluster.join("node")
}

/// A path below [`HERE`].
pub(super) fn here(path: &str) -> PathBuf {
    Path::new(HERE).join(path)
}
