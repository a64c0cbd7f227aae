//! Scenarios on real clusters, and what they are made with.
//!
//! The scenarios are in `tests/`: `control_plane` runs on a real API server with simulated nodes and
//! the operator as a process of this machine; `node` runs on a real node, as root, with the operator
//! as a pod from the chart. Each brings up a cluster of its own name and takes it down at the end;
//! `COMMONSCLOUD_KEEP=1` leaves it for a look. `conformance` needs no cluster: programs of others look at what is
//! rendered.
//!
//! | module | what lives there |
//! |---|---|
//! | [`suite`] | a tier: brought up once, scenarios side by side or alone, always taken down |
//! | [`cluster`], [`programs`], [`chart`] | the cluster, the programs, the operator's installation |
//! | [`operator`], [`control_plane`] | the operator as a process of this machine, on a cluster with simulated nodes |
//! | [`proxy`], [`gate`], [`faults`] | between the operator and the API server: killed after the n-th write, any fault at the n-th request |
//! | [`kubectl`], [`https`], [`command`] | what people use: kubectl, a browser, programs |
//! | [`user_agent`], [`people`] | a person's: cookies, redirections, forms; `commonscloud people` |
//! | [`balancer`], [`mail`] | what may stand before an ingress; a mail server that tells what it got |
//! | [`wait`], [`objects`] | conditions with a deadline, whole namespaces compared |
//! | [`audit`], [`allowance`] | every request of the operator, and those that it may make at any time |
//! | [`seed`], [`turns`] | numbers that come again with `COMMONSCLOUD_SEED`; scenarios that take turns, by them and while there is time |
//! | [`sweep`] | operations, with each fault at each of their requests |
//! | [`backup`] | servers that backups go to, runs and restores, people who write meanwhile |
//! | [`fleet`] | many Entities at once, and what they cost |
//! | [`rights`] | who may do what, as the tables of `docs/security.md` |
//! | [`manifests`], [`everything`], [`resources`] | what is applied, a package with every kind, and doors to it |

pub mod allowance;
pub mod audit;
pub mod backup;
pub mod balancer;
pub mod chart;
pub mod cluster;
pub mod command;
pub mod control_plane;
pub mod everything;
pub mod failure;
pub mod faults;
pub mod fleet;
pub mod gate;
pub mod https;
pub mod kubectl;
pub mod mail;
pub mod manifests;
pub mod objects;
pub mod operator;
pub mod people;
pub mod programs;
pub mod proxy;
pub mod resources;
pub mod rights;
pub mod seed;
pub mod suite;
pub mod sweep;
pub mod turns;
pub mod user_agent;
pub mod wait;

pub use failure::{Failure, Outcome};
