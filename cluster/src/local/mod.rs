//! The provider `local`: a cluster on this machine.
//!
//! ```text
//! up ──► state (what will be made) ──► plan (which processes) ──► supervisor ──► manifests ──► healthy
//! down ─► sweep: the same for a cluster that runs, that half came up, and that was killed
//! ```

mod build;
mod control_plane;
mod down;
mod error;
mod founding;
mod health;
mod kubeconfig;
mod launch;
mod name;
mod pki;
mod plan;
mod processes;
mod real;
mod simulated;
mod simulated_volumes;
mod state;
mod supervisor;
mod sweep;
mod up;
mod wait;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use build::{Built, Parts, REAL_TOOLS, build, build_simulated};
pub use down::{DownError, down};
pub use error::UpError;
pub use health::client;
use health::is_live;
pub use launch::{LaunchError, init, supervise};
pub use name::{ClusterName, DEFAULT_NAME, InvalidName};
pub use pki::PkiError;
pub use plan::{ProcessReport, Report};
pub use processes::{MARK, ProcessId};
pub use real::image_store::ImportError;
pub use simulated_volumes::serve as serve_simulated_volumes;
pub use state::StateError;
pub use sweep::SweepError;
pub use up::{Status, find, list, node_kind, permitted, status, up};

/// What the cluster's nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A kubelet with containers, volumes, network policy and ingress; needs root.
    Real,
    /// KWOK: pods are said to run; needs no root.
    Simulated,
}

/// What kind of cluster to bring up.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// The cluster's name.
    pub name: ClusterName,
    /// What its nodes are.
    pub node: NodeKind,
    /// OCI images, as tars, that its node is to have; ignored on simulated nodes.
    pub images: Vec<PathBuf>,
    /// The source tree that tools are built from.
    pub source: PathBuf,
}

/// A cluster that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// What its nodes are.
    pub node: NodeKind,
    /// Kubeconfig of its administrator.
    pub kubeconfig: PathBuf,
    /// A kubectl of the cluster's own version.
    pub kubectl: PathBuf,
    /// Certificate, in PEM, of the authority behind the ingress's certificates.
    pub ca_certificate: PathBuf,
    /// The domain below which services answer; `*.DOMAIN` resolves to the node inside the cluster.
    pub base_domain: String,
    /// The node's address as this machine reaches it; none on simulated nodes.
    pub node_ip: Option<IpAddr>,
    /// The API server's audit log: one JSON object a line, level Metadata.
    pub audit_log: PathBuf,
    /// Everything that belongs to it; removed by `down`.
    pub folder: PathBuf,
}

impl Cluster {
    /// The line by which a shell takes this cluster and its `kubectl`.
    pub fn shell_line(&self) -> String {
        let tools = self.kubectl.parent().unwrap_or(Path::new("."));
        format!("export KUBECONFIG={} PATH={}:\"$PATH\"", quoted(&self.kubeconfig), quoted(tools))
    }
}

/// The path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_a_shell_reads() {
        assert_eq!(quoted(Path::new("/home/anna/.cache")), "/home/anna/.cache");
        assert_eq!(quoted(Path::new("/home/l'anna")), r"'/home/l'\''anna'");
    }
}
