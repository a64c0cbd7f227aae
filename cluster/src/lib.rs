//! Brings up real Kubernetes clusters on this machine.

pub mod images;
