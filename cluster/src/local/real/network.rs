//! The one link between a node and this machine.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;

/// Name of this machine's end.
pub(in crate::local) fn link(index: u8) -> String {
    format!("commonscloud{index}")
}

/// Whether this machine has a link of that name.
pub(in crate::local) fn exists(link: &str) -> bool {
    Path::new("/sys/class/net").join(link).exists()
}

/// Removes a link; the other end goes with it.
pub(in crate::local) fn remove(link: &str) {
    let _ = Command::new("ip").args(["link", "delete", link]).output();
}

/// The node's address.
pub(in crate::local) fn node(index: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 89, index, 2))
}
