//! The operator, as it runs in the cluster.

fn main() {}
