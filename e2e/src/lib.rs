//! Scenarios on real clusters, and what they are made with.
//!
//! The scenarios are in `tests/`: `control_plane` runs on a real API server with simulated nodes and
//! the operator as a process of this machine; `node` runs on a real node, as root, with the operator
//! as a pod from the chart. Each brings up a cluster of its own name and takes it down at the end;
//! `COMMONSCLOUD_KEEP=1` leaves it for a look.
//!
//! | module | what lives there |
//! |---|---|
//! | [`suite`] | a tier: brought up once, scenarios side by side or alone, always taken down |
//! | [`cluster`], [`programs`], [`chart`] | the cluster, the programs, the operator's installation |
//! | [`operator`], [`gate`] | the operator as a process of this machine, killed after the n-th write |
//! | [`kubectl`], [`https`], [`command`] | what people use: kubectl, a browser, programs |
//! | [`wait`], [`audit`], [`objects`] | conditions with a deadline, the audit log, whole namespaces compared |
//! | [`fleet`] | many Entities at once, and what they cost |
//! | [`rights`] | who may do what, as the tables of `docs/security.md` |
//! | [`manifests`], [`everything`], [`resources`] | what is applied, a package with every kind, and doors to it |

pub mod audit;
pub mod chart;
pub mod cluster;
pub mod command;
pub mod everything;
pub mod failure;
pub mod fleet;
pub mod gate;
pub mod https;
pub mod kubectl;
pub mod manifests;
pub mod objects;
pub mod operator;
pub mod programs;
pub mod resources;
pub mod rights;
pub mod suite;
pub mod wait;

pub use failure::{Failure, Outcome};
