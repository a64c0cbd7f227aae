//! Brings up real Kubernetes clusters on this machine, and makes what they need.
//!
//! ```text
//! packages ─┐
//! tools ────┼─► local::up ─► Cluster ─► apply ─► ready ─► junit
//! images ───┘      │ starts
//!                  └─► supervisor: control plane, node, csi driver
//! ```

pub mod apply;
pub mod cargo;
pub mod cause;
pub mod command;
pub mod csi;
pub mod folders;
pub mod images;
pub mod junit;
pub mod local;
pub mod packages;
pub mod progress;
pub mod readiness;
pub mod ready;
pub mod tools;

pub use local::{Cluster, ClusterName, NodeKind, UpError, UpOptions, down, up};
pub use progress::Progress;
