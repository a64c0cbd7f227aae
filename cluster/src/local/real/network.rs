//! The addresses of a node, and the one link between it and this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::local::control_plane::Addresses;

/// How long the kernel may take for a namespace or a link to appear.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

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

fn machine(index: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 89, index, 1)
}

/// Where the control plane of this node listens, and the networks of its pods and services.
pub(in crate::local) fn addresses(index: u8) -> Addresses {
    let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Addresses {
        api_server: SocketAddr::from((node(index), 6443)),
        advertised: node(index),
        etcd: local(2379),
        etcd_peer: local(2380),
        pods: format!("10.{}.0.0/16", 100 + u16::from(index)),
        services: format!("10.{}.0.0/16", 200 + u16::from(index)),
        kubernetes_service: IpAddr::V4(Ipv4Addr::new(10, 200_u8.saturating_add(index), 0, 1)),
    }
}

/// Makes the link: one end here, the other, `eth0`, in the network namespace of process `pid`.
///
/// # Errors
/// When `pid` does not get a namespace of its own, or `ip` fails.
pub(in crate::local) fn connect(index: u8, pid: i32) -> io::Result<()> {
    let namespace = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/net"));
    let ours = namespace("self")?;
    let began = Instant::now();
    while namespace(&pid.to_string())? == ours {
        if began.elapsed() > PATIENCE {
            return Err(io::Error::other("the node got no network namespace"));
        }
        std::thread::sleep(PAUSE);
    }
    let (link, pid) = (link(index), pid.to_string());
    ip(&["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
    ip(&["address", "add", &format!("{}/24", machine(index)), "dev", &link])?;
    ip(&["link", "set", &link, "up"])
}

/// In the node: waits for `eth0`, gives it its address and a way out.
///
/// # Errors
/// When the link does not appear, or `ip` fails.
pub(in crate::local) fn configure(index: u8) -> io::Result<()> {
    let began = Instant::now();
    // /sys shows the machine's links here, /proc the namespace's.
    while !std::fs::read_to_string("/proc/self/net/dev")?.contains("eth0:") {
        if began.elapsed() > PATIENCE {
            return Err(io::Error::other("no link eth0 appeared"));
        }
        std::thread::sleep(PAUSE);
    }
    ip(&["link", "set", "lo", "up"])?;
    ip(&["address", "add", &format!("{}/24", node(index)), "dev", "eth0"])?;
    ip(&["link", "set", "eth0", "up"])?;
    ip(&["route", "add", "default", "via", &machine(index).to_string()])?;
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")
}

fn ip(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("ip {}: {}", arguments.join(" "), said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cluster_still_has_addresses_and_a_link_of_legal_length() {
        let last = addresses(49);
        assert_eq!((last.pods.as_str(), last.services.as_str()), ("10.149.0.0/16", "10.249.0.0/16"));
        assert_eq!(last.kubernetes_service.to_string(), "10.249.0.1");
        assert!(link(49).len() <= 15);
    }
}
