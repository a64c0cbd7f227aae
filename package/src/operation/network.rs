//! The policies that open the network for one run alone: every pod of an Entity's namespace is closed both ways.

use serde_json::{Value, json};

use super::job::{Made, object};
use super::place::of_component;
use super::{RUN, Run};
use crate::engine::network;
use crate::engine::object::RenderedObject;
use crate::plan::Plan;
use commonscloud_api::OperationPeer;

/// The run's own policy, and one for each component that it talks to, which lets it in.
pub(super) fn policies(plan: &Plan, run: &Run, peers: &[OperationPeer]) -> Vec<RenderedObject> {
    let mut egress: Vec<Value> = peers.iter().map(|peer| to(plan, peer)).collect();
    egress.extend(run.companion.egress.iter().cloned());
    if !egress.is_empty() {
        egress.extend(dns(plan));
    }
    let own = json!({
        "podSelector": {"matchLabels": {RUN: run.name}},
        "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": egress,
    });
    let made = |name: String, spec: Value| {
        object(plan, run, Made { kind: "NetworkPolicy", api_version: "networking.k8s.io/v1", name, spec })
    };
    let mut policies = vec![made(run.name.clone(), own)];
    for (at, peer) in peers.iter().enumerate() {
        let lets_in = json!({
            "podSelector": {"matchLabels": of_component(plan, &peer.component)},
            "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [{"podSelector": {"matchLabels": {RUN: run.name}}}],
                "ports": [{"port": peer.port, "protocol": "TCP"}],
            }],
        });
        policies.push(made(format!("{}-in-{at}", run.name), lets_in));
    }
    policies
}

fn to(plan: &Plan, peer: &OperationPeer) -> Value {
    json!({
        "to": [{"podSelector": {"matchLabels": of_component(plan, &peer.component)}}],
        "ports": [{"port": peer.port, "protocol": "TCP"}],
    })
}

/// Names are looked up where the Platform says who answers.
fn dns(plan: &Plan) -> Option<Value> {
    let network = network::network(plan).ok()?;
    let servers = network.get("dns").filter(|servers| servers.as_array().is_some_and(|servers| !servers.is_empty()))?;
    Some(json!({"to": servers, "ports": network.pointer("/ports/dns")?}))
}
