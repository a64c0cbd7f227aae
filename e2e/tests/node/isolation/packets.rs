//! Packets from pods of A, behind all walls, behind one of two, and behind none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::attempt::attempts;
use super::metadata::Metadata;
use super::target::{Target, targets, targets_of_a_stray};
use super::wall::{Wall, take_away};
use super::{A, pod, removed, two_offices};
use crate::tier::{Node, READY};

/// A policy is enforced within a second or two of the API server's answer.
const ENFORCED: Duration = Duration::from_secs(30);
/// A pod of A that no package knows.
const STRAY: &str = "stray";

/// In turn: the walls inwards alone, no wall, A's wall outwards alone.
const AWAY: [&[Wall]; 3] = [
    &[Wall::OutOfA],
    &[Wall::OutOfA, Wall::IntoA, Wall::IntoB, Wall::IntoOperator, Wall::Rights],
    &[Wall::IntoA, Wall::IntoB, Wall::IntoOperator, Wall::Rights],
];

/// A pod of A, and what it tries to reach.
struct Attacker {
    pod: String,
    container: &'static str,
    targets: Vec<Target>,
}

pub async fn walls(node: Arc<Node>) -> Outcome {
    two_offices(&node).await?;
    let metadata = Metadata::begin(&node)?;
    let ended = tried(&node).await;
    let closed = take_away(&node, &BTreeSet::new()).await;
    let gone = removed(&node, &[stray(&node)?]).await;
    ended.and(closed).and(gone).and(metadata.end())
}

async fn tried(node: &Node) -> Outcome {
    // The application's pod is closed by its package and by the namespace, the stray by the latter
    // alone.
    let application = pod(node, A, "app").await?.name_any();
    node.cluster.applied(&[stray(node)?]).await?;
    let attackers = [
        Attacker { pod: application, container: "nextcloud", targets: targets(node).await? },
        Attacker { pod: STRAY.to_owned(), container: STRAY, targets: targets_of_a_stray(node).await? },
    ];
    for attacker in &attackers {
        has_no_identity(node, attacker).await?;
    }
    // As they stand, the walls hold at once: nothing is waited for.
    take_away(node, &BTreeSet::new()).await?;
    as_expected(node, &attackers, &BTreeSet::new()).await?;
    for away in AWAY {
        let away: BTreeSet<Wall> = away.iter().copied().collect();
        take_away(node, &away).await?;
        let what = format!("with {away:?} taken away, all that is behind no other wall is reached, and nothing else");
        eventually(&what, ENFORCED, async || as_expected(node, &attackers, &away).await).await?;
    }
    Ok(())
}

/// Tries everything once, and tells all that was reached though a wall stands, or was not though
/// none does.
async fn as_expected(node: &Node, attackers: &[Attacker], away: &BTreeSet<Wall>) -> Outcome {
    let faults = futures::future::try_join_all(attackers.iter().map(|attacker| attacker.faults(node, away))).await?;
    let faults = faults.concat();
    ensure!(faults.is_empty(), "with {away:?} taken away:\n  {}", faults.join("\n  "));
    Ok(())
}

impl Attacker {
    async fn faults(&self, node: &Node, away: &BTreeSet<Wall>) -> Outcome<Vec<String>> {
        let Self { pod, container, targets } = self;
        let all: Vec<_> = targets.iter().map(|target| (&target.attempt, target.says)).collect();
        let seen = attempts(node, A, pod, container, &all).await?;
        let faults = targets.iter().zip(&seen).filter_map(|(target, seen)| target.fault(away, seen));
        Ok(faults.map(|fault| format!("from {pod}: {fault}")).collect())
    }
}

/// What the pod tries, it tries as nobody.
async fn has_no_identity(node: &Node, attacker: &Attacker) -> Outcome {
    let Attacker { pod, container, .. } = attacker;
    let words = ["test", "!", "-e", "/var/run/secrets/kubernetes.io"];
    eventually(&format!("pod {pod} runs and has no token"), READY, async || {
        let ended = node.cluster.kubectl.exec(A, pod, container, &words).await?;
        ended.succeeded("no token is mounted").map(drop)
    })
    .await
}

/// Has the image of an office, for its PHP, and none of an office's labels.
fn stray(node: &Node) -> Outcome<Value> {
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": STRAY, "namespace": A},
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": STRAY,
                "image": node.image("nextcloud")?,
                "command": ["sleep", "infinity"],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    }))
}
