//! Host names from outside: each leads to its own Entity's office and to no other.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::https::Credentials;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

use super::{A, B, removed, two_offices};
use crate::office::dav;
use crate::tier::Node;

/// The ingress learns of a route within a second.
const ROUTED: Duration = Duration::from_secs(30);
/// A file that each office has, with its Entity's name in it.
const WHOSE: &str = "whose.txt";

/// An office seen from outside.
struct Office {
    host: String,
    path: String,
    admin: Credentials,
}

pub async fn separate(node: Arc<Node>) -> Outcome {
    two_offices(&node).await?;
    let mut offices = Vec::new();
    for entity in [A, B] {
        let (host, admin) = (node.host(entity, "office"), node.administrator(entity, "office").await?);
        let path = dav(&admin, WHOSE);
        node.ingress.put(&host, &path, &admin, entity.as_bytes().to_vec()).await?;
        offices.push(Office { host, path, admin });
    }
    for (office, entity) in offices.iter().zip([A, B]) {
        let mine = node.ingress.get(&office.host, &office.path, Some(&office.admin)).await?;
        ensure_eq!(String::from_utf8_lossy(&mine), entity, "whose office answers to {}", office.host);
    }
    let (a, b) = (&offices[0], &offices[1]);
    ensure!(a.path == b.path && a.host != b.host, "the offices differ in more than their names");
    // Whoever may sign in at A may not at B, and the other way round.
    for (office, stranger) in [(a, &b.admin), (b, &a.admin)] {
        let answer = node.ingress.send("GET", &office.host, &office.path, Some(stranger), Vec::new()).await?;
        ensure_eq!(answer.status.as_u16(), 401, "another entity's password at {}", office.host);
    }
    let taken = led_astray(&node, b).await;
    removed(&node, &[stray(b)]).await?;
    taken
}

/// With a route that the operator would never make, B's host name leads to A: so the answers above
/// could have been another's.
async fn led_astray(node: &Node, b: &Office) -> Outcome {
    node.cluster.applied(&[stray(b)]).await?;
    eventually("B's host name leads to A's office", ROUTED, async || {
        let answer = node.ingress.send("GET", &b.host, &b.path, Some(&b.admin), Vec::new()).await?;
        let said = String::from_utf8_lossy(&answer.body);
        // A's office knows B's host name as little as any other.
        ensure!(answer.status.as_u16() == 400 && said.contains("Trusted domain"), "{} {said}", answer.status);
        Ok(())
    })
    .await
}

/// One page of B's host name, served by A. Not the page by which the operator sees that B is well.
fn stray(b: &Office) -> Value {
    let backend = json!({"service": {"name": "office-app", "port": {"name": "http"}}});
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "stray", "namespace": A},
        "spec": {
            "ingressClassName": "traefik",
            "tls": [{"hosts": [b.host]}],
            "rules": [{"host": b.host, "http": {"paths": [
                {"path": b.path, "pathType": "Exact", "backend": backend},
            ]}}],
        },
    })
}
