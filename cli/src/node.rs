//! `commonscloud node`: this program as one of a cluster's own processes.

pub(crate) use commonscloud_cluster::command::node::{Arguments, run};
