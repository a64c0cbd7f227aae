//! `commonscloud cluster`: clusters on this machine.

pub(crate) use commonscloud_cluster::command::cluster::{Arguments, run};
