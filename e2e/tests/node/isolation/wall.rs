//! What keeps a pod of A out, and the door that takes it away.
//!
//! `NetworkPolicies` add up: one more that allows everything undoes all denials of its direction,
//! and the operator, which repairs its own, has nothing to repair. Rights add up as well.

use std::collections::BTreeSet;

use commonscloud_e2e::{Outcome, chart};
use serde_json::{Value, json};

use super::{A, B, removed};
use crate::tier::Node;

/// A wall between a pod of A and a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wall {
    /// Nothing leaves A's pods but what is named.
    OutOfA,
    /// Nothing enters A's pods but what is named, from A itself either.
    IntoA,
    /// Nothing enters B's pods but what is named.
    IntoB,
    /// Nothing enters the operator's pod.
    IntoOperator,
    /// Who has no identity reads no Secret.
    Rights,
}

/// Every wall.
const ALL: [Wall; 5] = [Wall::OutOfA, Wall::IntoA, Wall::IntoB, Wall::IntoOperator, Wall::Rights];
/// How the names of a door's objects begin.
const DOOR: &str = "isolation-door";

impl Wall {
    /// Whether it stops packets; the other kind answers, and refuses.
    pub fn stops_packets(self) -> bool {
        self != Self::Rights
    }

    /// The objects that take it away.
    fn door(self) -> Vec<Value> {
        match self {
            Self::OutOfA => vec![policy(A, "Egress", "egress")],
            Self::IntoA => vec![policy(A, "Ingress", "ingress")],
            Self::IntoB => vec![policy(B, "Ingress", "ingress")],
            Self::IntoOperator => vec![policy(chart::NAMESPACE, "Ingress", "ingress")],
            Self::Rights => rights(),
        }
    }
}

/// A policy that allows every pod of a namespace everything in one direction.
fn policy(namespace: &str, direction: &str, rules: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": format!("{DOOR}-{rules}"), "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": [direction], rules: [{}]},
    })
}

/// Lets whoever has no identity read B's Secrets.
fn rights() -> Vec<Value> {
    let group = "rbac.authorization.k8s.io";
    let object = |kind: &str| {
        let metadata = json!({"name": DOOR, "namespace": B});
        json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": metadata})
    };
    let (mut role, mut binding) = (object("Role"), object("RoleBinding"));
    role["rules"] = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]);
    binding["roleRef"] = json!({"apiGroup": group, "kind": "Role", "name": DOOR});
    binding["subjects"] = json!([{"apiGroup": group, "kind": "Group", "name": "system:unauthenticated"}]);
    vec![role, binding]
}

/// Takes away these walls, and puts up all others.
///
/// # Errors
/// When the API server refuses.
pub async fn take_away(node: &Node, walls: &BTreeSet<Wall>) -> Outcome {
    let doors = |away: bool| -> Vec<Value> {
        ALL.iter().filter(|wall| walls.contains(wall) == away).flat_map(|wall| wall.door()).collect()
    };
    let (opened, closed) = (doors(true), doors(false));
    if !opened.is_empty() {
        node.cluster.applied(&opened).await?;
    }
    if !closed.is_empty() {
        removed(node, &closed).await?;
    }
    Ok(())
}
