//! `commonscloud images`: OCI images for offline use.

pub(crate) use commonscloud_cluster::command::images::{Arguments, run};
