//! Where the kubelets are.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt as _;

/// The port of a kubelet whose node names none.
const PORT: u16 = 10250;

/// A node's kubelet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubelet {
    /// The node's name.
    pub node: String,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Kubelet {
    /// The kubelet of a node; none while the node has no address.
    pub fn of(node: &Node) -> Option<Self> {
        kubelet(node)
    }
}

fn kubelet(node: &Node) -> Option<Kubelet> {
    let status = node.status.as_ref()?;
    let mut internal = status.addresses.iter().flatten().filter(|address| address.type_ == "InternalIP");
    let address: IpAddr = internal.find_map(|address| address.address.parse().ok())?;
    let named = status.daemon_endpoints.as_ref().and_then(|endpoints| endpoints.kubelet_endpoint.as_ref());
    let port = named.and_then(|endpoint| u16::try_from(endpoint.port).ok()).filter(|port| *port > 0).unwrap_or(PORT);
    Some(Kubelet { node: node.name_any(), address: SocketAddr::new(address, port) })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use test_case::test_case;

    use super::*;

    #[test_case(json!([{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "10.0.0.7"}]), json!({}), Some("10.0.0.7:10250"))]
    #[test_case(json!([{"type": "InternalIP", "address": "fd00::7"}]), json!({"kubeletEndpoint": {"Port": 10251}}), Some("[fd00::7]:10251"))]
    #[test_case(json!([{"type": "ExternalIP", "address": "10.0.0.7"}]), json!({}), None)]
    fn a_kubelet_is_at_its_nodes_internal_address(addresses: Value, endpoints: Value, expected: Option<&str>) {
        let node = json!({"metadata": {"name": "n"}, "status": {"addresses": addresses, "daemonEndpoints": endpoints}});
        let found = kubelet(&serde_json::from_value(node).unwrap());
        assert_eq!(found.map(|kubelet| kubelet.address.to_string()), expected.map(str::to_owned));
    }
}
