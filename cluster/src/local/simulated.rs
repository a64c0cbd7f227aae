//! A cluster without a node: the control plane, and KWOK, which says of every pod that it runs.
//! It needs no root, and shows nothing of what a kubelet, a volume or a network does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::control_plane::{API_SERVER, Addresses};
use super::plan::Process;
use crate::tools::Tool;

/// Objects that stand in for what a real node brings along.
pub(super) const MANIFESTS: &str = include_str!("manifests/simulated.yaml");

/// The tools that a simulated cluster is made of.
pub(super) const TOOLS: [&str; 3] = ["kubernetes", "etcd", "kwok"];

/// How many loopback ports a simulated cluster needs.
const PORTS: usize = 4;

/// An address that is routed nowhere: the service `kubernetes` must point to something.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// Loopback ports that nothing listens on now.
///
/// # Errors
/// When none are left.
pub(super) fn free_ports() -> std::io::Result<Vec<u16>> {
    // All are held until the last is chosen, so that they differ.
    let listeners: Vec<TcpListener> =
        (0..PORTS).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    listeners.iter().map(|listener| listener.local_addr().map(|address| address.port())).collect()
}

/// Where the control plane of a cluster with these ports listens.
pub(super) fn addresses(ports: &[u16]) -> Addresses {
    let local = |index: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, ports.get(index).copied().unwrap_or_default()));
    Addresses {
        api_server: local(0),
        etcd: local(1),
        etcd_peer: local(2),
        advertised: IpAddr::V4(NOWHERE),
        pods: "10.244.0.0/16".to_owned(),
        services: "10.96.0.0/16".to_owned(),
        kubernetes_service: IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1)),
    }
}

/// The processes beside the control plane: KWOK, and the stand-in for the storage driver.
pub(super) fn processes(kwok: &Tool, this: &Path, admin: &Path, ports: &[u16]) -> Vec<Process> {
    let port = ports.get(3).copied().unwrap_or_default();
    vec![
        Process::new("kwok", kwok.program("kwok"))
            .after(API_SERVER)
            .file("kubeconfig", admin)
            .file("config", &kwok.share("stages.yaml"))
            .argument("--manage-all-nodes")
            .flag("server-address", SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .flag("node-lease-duration-seconds", 40),
        Process::new("volumes", PathBuf::from(this))
            .after(API_SERVER)
            .argument("node")
            .argument("simulated-volumes")
            .file("kubeconfig", admin),
    ]
}
