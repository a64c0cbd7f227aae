//! The walls around an Entity, tried from inside: from a pod of A with packets, from a manager of A
//! with requests, from outside with host names. What a wall refuses is tried once more in the same
//! words when the wall is taken away, and then succeeds: so it was the wall.

mod attempt;
mod hosts;
mod managers;
mod metadata;
mod packets;
mod target;
mod wall;

use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Failure, Outcome};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::tier::Node;

/// The Entity that the attempts come from.
const A: &str = "isolated-a";
/// The Entity that is to be out of reach. Its office has the same names and labels as A's.
const B: &str = "isolated-b";
/// A manager of A, as the API server knows them.
const MANAGER: &str = "manager-of-isolated-a";

/// What a PostgreSQL client asks first: whether TLS is spoken. The answer is one letter.
const SPEAKS_TLS: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "a pod reaches nothing of another entity, of the operator or of the node, until each wall is taken away",
            packets::walls,
        ),
        Scenario::new("under one entity's host name there is nothing of another", hosts::separate),
        Scenario::new(
            "a manager reaches nothing of another entity and no secret, until an administrator gives them the right",
            managers::refused,
        ),
    ]
}

/// Both Entities, Ready: the scenarios share them, and whichever comes first makes them.
async fn two_offices(node: &Node) -> Outcome {
    let mut a = entity_with_office(A);
    a["spec"]["managers"] = json!([{"name": "m", "subject": {"kind": "User", "name": MANAGER}}]);
    let b = entity_with_office(B);
    tokio::try_join!(node.running(&a), node.running(&b)).map(drop)
}

/// The one running pod of a component of an Entity's office.
async fn pod(node: &Node, entity: &str, component: &str) -> Outcome<Pod> {
    let mut pods = node.pods(entity, "office", component).await?;
    match (pods.pop(), pods.len()) {
        (Some(pod), 0) => Ok(pod),
        (_, more) => Err(Failure::new(format!("not one pod of {entity}/office-{component} runs but {more} more"))),
    }
}

/// The address of a pod.
fn address(pod: &Pod) -> Outcome<String> {
    let status = pod.status.as_ref();
    let address = status.and_then(|status| status.pod_ip.clone());
    address.ok_or_else(|| Failure::new(format!("pod {} has no address", pod.name_any())))
}

/// Removes objects that may be there or not.
async fn removed(node: &Node, objects: &[Value]) -> Outcome {
    let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
    let words = ["delete", "--ignore-not-found", "-f", "-"];
    let ended = node.cluster.kubectl.run(&words, Some(documents.join("\n---\n").as_bytes())).await?;
    ended.succeeded("kubectl delete").map(drop)
}
