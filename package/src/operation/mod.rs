//! Operations of a package (quiesce, unquiesce, dump, load, verify): which ones an instance has, and the Job that
//! runs one. Pure; who creates it, when, and what becomes of it is the operator's.
//!
//! | module | what lives there |
//! |---|---|
//! | `source` | whose operations an instance uses: its revision's, or those that a newer one declares to fit |
//! | `place` | beside which pods, as which user, with which group |
//! | `job` | the Job, of operations, of file trees, or of companions alone |
//! | `network` | the policies that open the network for it alone |
//!
//! A `dump` or `verify` writes to the named pipe `/stream/KIND`, and makes `/stream/KIND.done` when all of it was
//! written; one that marks its begin makes `/stream/KIND.begun` before. A `load` reads from the pipe. Who is at its
//! other end is a [`Companion`]: containers of the same pod, with Secrets and images that the operation never sees.

mod job;
mod network;
mod place;
mod source;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use commonscloud_api::OperationKind;
use serde_json::Value;

pub use crate::engine::network::anywhere;
pub use job::{companion_objects, files_objects, operation_objects};
pub use place::{FilePlace, file_places};
pub use source::{OperationSource, operations_for};

pub(crate) use job::{config_maps, has_pods};
pub(crate) use place::{claim, mounting, mounts, place};

/// Label on a run's pods: its Job's name. Its policies select by it.
pub const RUN: &str = "commonscloud.coop/run";
/// Label on a run's Job, pods and policies: the instance that it is about. Not the label of the instance's own
/// children: those are removed where a package does not render them.
pub const OPERATION_OF: &str = "commonscloud.coop/operation-of";
/// Where a stream's other end is: volume `stream`, at this path in each container that mounts it.
pub const STREAM: &str = "/stream";
/// Where a volume's files are for a companion, below it by the volume's name.
pub const VOLUMES: &str = "/volumes";
/// The longest name of a run's Job: its policies' names are longer, and pods have it as a label.
pub const LONGEST_RUN_NAME: usize = 57;

/// One run of an operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// The Job's name, unique in the namespace; at most [`LONGEST_RUN_NAME`] characters. Runs that must never
    /// overlap have the same name.
    pub name: String,
    /// The object that the run belongs to, and goes with.
    pub owner: RunOwner,
    /// Whether pods of the component run: then it runs on their node, where their volumes are.
    pub beside_pods: bool,
    /// The only table that is loaded.
    pub table: Option<String>,
    /// Who is at the other end of the stream, or reads and writes the volumes.
    pub companion: Companion,
}

/// What a run of companions writes into the volumes that it mounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// It reads them.
    #[default]
    Nothing,
    /// It fills volumes that are new.
    Fills,
    /// It adds to what is there, while the component's pods use it: nothing of that changes its group.
    Adds,
}

/// The object that a run belongs to: a ServiceBackup or ServiceRestore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOwner {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Containers beside an operation's own, and what they need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Companion {
    /// Containers that run before all others, in order: the first makes the pipe.
    pub init_containers: Vec<Value>,
    /// Containers that run beside the operation's.
    pub containers: Vec<Value>,
    /// Volumes of these containers, beside `stream`, which is there. None is called `volume-…` or like an
    /// operation.
    pub volumes: Vec<Value>,
    /// What they reach, as rules of `spec.egress` of a NetworkPolicy.
    pub egress: Vec<Value>,
    /// Texts on the pod, for volumes of kind `downwardAPI`: what needs no object of its own.
    pub annotations: BTreeMap<String, String>,
}

/// Why there is no Job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// The package has no such operation.
    #[error("the package has no operation {0}; it is backed up without")]
    NotThere(OperationKind),
    /// No pods of the component, so nothing says with which group it runs.
    #[error("the package renders no Deployment or StatefulSet of component {0:?} (`selector(component=\"{0}\")`)")]
    NoWorkload(String),
    /// No pods use the volume.
    #[error("no Deployment or StatefulSet of the package mounts the volume {0:?}")]
    NotMounted(String),
    /// Nothing says as which user.
    #[error("the pods of component {0:?} say no runAsUser other than 0: name the `user`")]
    NoUser(String),
    /// It needs what this instance does not have.
    #[error("{0} is not one of this instance's")]
    Unknown(String),
}
