//! `commonscloud`: the administrator's tool.

fn main() {}
