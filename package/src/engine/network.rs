//! What manifests know of the cluster's network: who is who, and at which ports.

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer};
use serde_json::{Value, json};

use crate::plan::Plan;
use commonscloud_api::NetworkPeers;
use commonscloud_api::values::AddressBlock;

/// Every address that there is.
const EVERYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// What manifests know as `network`.
///
/// # Errors
/// When a peer cannot be shown as JSON.
pub(crate) fn network(plan: &Plan) -> Result<Value, serde_json::Error> {
    let (peers, ports) = (&plan.network, &plan.network.ports);
    let smtp: Vec<u16> = plan.smtp.iter().map(|smtp| smtp.port).collect();
    let mail_ports = if ports.mail.is_empty() { &smtp } else { &ports.mail };
    Ok(json!({
        "ingress": serde_json::to_value(&peers.ingress)?,
        "dns": serde_json::to_value(&peers.dns)?,
        "public": serde_json::to_value(public(plan))?,
        "identity_provider": serde_json::to_value(&peers.identity_provider)?,
        "mail": serde_json::to_value(mail(plan))?,
        "ports": {
            "dns": policy_ports(&ports.dns, &["UDP", "TCP"]),
            "public": policy_ports(&ports.public, &["TCP"]),
            "identity_provider": policy_ports(&ports.identity_provider, &["TCP"]),
            "mail": policy_ports(mail_ports, &["TCP"]),
        },
    }))
}

/// The peers that the Platform names, as manifests see them.
pub(crate) fn named(plan: &Plan) -> Vec<NetworkPolicyPeer> {
    let peers = &plan.network;
    let as_written = [&peers.ingress, &peers.dns, &peers.identity_provider, &peers.mail];
    as_written.into_iter().flatten().cloned().chain(public(plan)).collect()
}

/// The way to public addresses: what a block holds of the cluster itself is left out.
fn public(plan: &Plan) -> Vec<NetworkPolicyPeer> {
    let mut peers = plan.network.public.clone();
    for block in peers.iter_mut().filter_map(|peer| peer.ip_block.as_mut()) {
        leave_out_cluster(&plan.network, block);
    }
    peers
}

/// The mail server: those whom the Platform names, else all that its name may stand for.
fn mail(plan: &Plan) -> Vec<NetworkPolicyPeer> {
    if !plan.network.mail.is_empty() {
        return plan.network.mail.clone();
    }
    anywhere(&plan.network)
}

/// Every address but the cluster's own: whom a name may stand for.
pub fn anywhere(network: &NetworkPeers) -> Vec<NetworkPolicyPeer> {
    let peer = |cidr: &str| {
        let mut block = IPBlock { cidr: cidr.to_owned(), except: None };
        leave_out_cluster(network, &mut block);
        NetworkPolicyPeer { ip_block: Some(block), ..NetworkPolicyPeer::default() }
    };
    EVERYWHERE.into_iter().map(peer).collect()
}

fn leave_out_cluster(network: &NetworkPeers, block: &mut IPBlock) {
    let Ok(whole) = block.cidr.parse::<AddressBlock>() else { return };
    for range in &network.cluster_ranges {
        let is_inside = range.parse::<AddressBlock>().is_ok_and(|range| whole.holds(range));
        if is_inside && !block.except.iter().flatten().any(|known| known == range) {
            block.except.get_or_insert_default().push(range.clone());
        }
    }
}

fn policy_ports(ports: &[u16], protocols: &[&str]) -> Vec<Value> {
    let mut all = Vec::new();
    for port in ports {
        all.extend(protocols.iter().map(|protocol| json!({"port": port, "protocol": protocol})));
    }
    all
}
