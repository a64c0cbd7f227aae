//! Why a cluster did not come up.

use std::path::PathBuf;

use super::NodeKind;
use super::launch::LaunchError;
use super::name::ClusterName;
use super::pki::PkiError;
use super::real::image_store::ImportError;
use super::real::inotify::TooFewInstances;
use super::state::StateError;
use super::sweep::SweepError;
use crate::{apply, images, packages, tools};

/// Why a cluster did not come up.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// State on disk.
    #[error(transparent)]
    State(#[from] StateError),
    /// What an earlier cluster of this name left cannot be removed.
    #[error("what an earlier start left cannot be removed: {0}")]
    Sweep(#[from] SweepError),
    /// A tool is missing.
    #[error(transparent)]
    Tool(#[from] tools::Error),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The supervisor did not start.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Objects that belong to the cluster were refused.
    #[error("the cluster's own objects: {0}")]
    Apply(#[from] apply::ApplyError),
    /// A cluster of that name is up, and is something else.
    #[error("cluster {name} has {kind} nodes: take it down first (`commonscloud cluster down --name {name}`) or choose another --name", kind = match node { NodeKind::Real => "real", NodeKind::Simulated => "simulated" })]
    OtherKind {
        /// Its name.
        name: ClusterName,
        /// What its nodes are.
        node: NodeKind,
    },
    /// A real node without root.
    #[error("a real node needs root: run this as root, or choose --node simulated")]
    NotRoot,
    /// The machine has too few of what the kubelet watches files with.
    #[error(transparent)]
    Inotify(#[from] TooFewInstances),
    /// Debian packages.
    #[error(transparent)]
    Package(#[from] packages::PackageError),
    /// Images of the cluster's own pods cannot be built.
    #[error(transparent)]
    Image(#[from] images::Error),
    /// An image was not imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The system refused a step.
    #[error("{step}: {source}")]
    System {
        /// The step, in words.
        step: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// No port is free.
    #[error("no loopback port can be had: {0}")]
    Ports(std::io::Error),
    /// A component does not come up.
    #[error("{component} does not become ready{why}; the end of {log}:\n{tail}\nThe other logs lie beside it; the next `up` starts afresh, `down` removes everything", log = log.display())]
    NotReady {
        /// Which one.
        component: String,
        /// How it ended, if it did.
        why: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The API server cannot be talked to.
    #[error("asking the API server: {0}")]
    Api(#[from] Box<kube::Error>),
}

impl UpError {
    pub(super) fn system(step: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::System { step, source }
    }
}
