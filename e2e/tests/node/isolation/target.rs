//! What a pod of A tries to reach, which walls stand before it, and how one knows that it answered.

use std::collections::BTreeSet;
use std::net::IpAddr;

use commonscloud_e2e::{Failure, Outcome, chart};

use super::attempt::{Attempt, Seen};
use super::metadata::{ADDRESS, SOMEBODY};
use super::wall::Wall;
use super::{A, B, SPEAKS_TLS, address, pod};
use crate::tier::Node;

/// A page of an office that only its own host name leads to.
const PAGE: &str = "/status.php";
/// What that page says.
const INSTALLED: &str = "\"installed\":true";
/// Out of A and into B: each alone is enough.
const INTO_B: &[Wall] = &[Wall::OutOfA, Wall::IntoB];
const OUT_OF_A: &[Wall] = &[Wall::OutOfA];

/// Something to be reached.
pub struct Target {
    name: &'static str,
    /// How it is tried.
    pub attempt: Attempt,
    /// What it answers, and nobody else would.
    pub says: &'static str,
    behind: &'static [Wall],
}

impl Target {
    fn new(name: &'static str, behind: &'static [Wall], attempt: Attempt, says: &'static str) -> Self {
        Self { name, attempt, says, behind }
    }

    /// What is wrong with what was seen while these walls were taken away.
    pub fn fault(&self, away: &BTreeSet<Wall>, seen: &Seen) -> Option<String> {
        let standing: Vec<Wall> = self.behind.iter().copied().filter(|wall| !away.contains(wall)).collect();
        let right = match seen {
            Seen::Silence => standing.iter().any(|wall| wall.stops_packets()),
            Seen::Answer { holds: true, .. } => standing.is_empty(),
            Seen::Answer { text, .. } => standing == [Wall::Rights] && text.contains(" 403 "),
            Seen::Other(_) => false,
        };
        (!right).then(|| format!("{} behind {standing:?}: {seen:?}", self.name))
    }
}

/// All of them. A's own come last, with no wall before them: they show that the pod's network works.
///
/// # Errors
/// When a pod is missing.
pub async fn targets(node: &Node) -> Outcome<Vec<Target>> {
    let mut all = of_b(node).await?;
    all.extend(of_cluster(node)?);
    let own = |service: &str, port, ask| Attempt::tcp(service, port, ask);
    all.push(Target::new("A's own database", &[], own("office-db", 5432, &SPEAKS_TLS), "N"));
    all.push(Target::new("A's own cache", &[], own("office-redis", 6379, b"PING\r\n"), "NOAUTH"));
    Ok(all)
}

/// What a pod tries that is A's as well, but no part of a service: no name is resolved for it, and
/// A's own database is none of its business.
///
/// # Errors
/// When a pod is missing.
pub async fn targets_of_a_stray(node: &Node) -> Outcome<Vec<Target>> {
    let mut all = targets(node).await?;
    all.retain(|target| target.attempt.host.parse::<IpAddr>().is_ok());
    let db = address(&pod(node, A, "db").await?)?;
    let into_a = &[Wall::OutOfA, Wall::IntoA];
    all.push(Target::new("A's database", into_a, Attempt::tcp(&db, 5432, &SPEAKS_TLS), "N"));
    Ok(all)
}

/// B's application, database and cache, each by name and by its pod's address.
async fn of_b(node: &Node) -> Outcome<Vec<Target>> {
    let host = node.host(B, "office");
    let [app, db, redis] =
        ["office-app", "office-db", "office-redis"].map(|name| format!("{name}.{B}.svc.cluster.local"));
    let app_pod = address(&pod(node, B, "app").await?)?;
    let db_pod = address(&pod(node, B, "db").await?)?;
    let redis_pod = address(&pod(node, B, "redis").await?)?;
    let page = |at: &str| Attempt::http(at, 80, &host, PAGE);
    let postgres = |at: &str| Attempt::tcp(at, 5432, &SPEAKS_TLS);
    let ping = |at: &str| Attempt::tcp(at, 6379, b"PING\r\n");
    Ok(vec![
        Target::new("B's application by name", INTO_B, page(&app), INSTALLED),
        Target::new("B's application by its pod's address", INTO_B, page(&app_pod), INSTALLED),
        Target::new("B's database by name", INTO_B, postgres(&db), "N"),
        Target::new("B's database by its pod's address", INTO_B, postgres(&db_pod), "N"),
        Target::new("B's cache by name", INTO_B, ping(&redis), "NOAUTH"),
        Target::new("B's cache by its pod's address", INTO_B, ping(&redis_pod), "NOAUTH"),
    ])
}

/// What belongs to the cluster, or is reached through it.
fn of_cluster(node: &Node) -> Outcome<Vec<Target>> {
    let machine = node.cluster.facts.node_ip.ok_or_else(|| Failure::new("the node has no address"))?.to_string();
    let api = "kubernetes.default.svc.cluster.local";
    let metrics = format!("commonscloud-operator.{}.svc.cluster.local", chart::NAMESPACE);
    let secret = format!("/api/v1/namespaces/{B}/secrets/office-db");
    let (a, b) = (node.host(A, "office"), node.host(B, "office"));
    // B's name at the ingress, and A's in the request.
    let mixed = Attempt::https(&b, 443, &a, PAGE);
    let ask = |at: &str, port, path: &str| Attempt::https(at, port, at, path);
    Ok(vec![
        Target::new("the API server by name", OUT_OF_A, ask(api, 443, "/version"), "\"gitVersion\""),
        Target::new("the API server by its address", OUT_OF_A, ask(&machine, 6443, "/version"), "\"gitVersion\""),
        Target::new("B's Secret", &[Wall::OutOfA, Wall::Rights], ask(api, 443, &secret), "\"kind\":\"Secret\""),
        Target::new("the kubelet", OUT_OF_A, ask(&machine, 10250, "/pods"), " 401 Unauthorized"),
        Target::new(
            "the operator's metrics",
            &[Wall::OutOfA, Wall::IntoOperator],
            Attempt::http(&metrics, 8080, &metrics, "/metrics"),
            "# TYPE commonscloud_writes",
        ),
        Target::new(
            "the node's metadata",
            OUT_OF_A,
            Attempt::http(ADDRESS, 80, ADDRESS, "/latest/meta-data/"),
            SOMEBODY,
        ),
        Target::new("B's page through the ingress", OUT_OF_A, Attempt::https(&b, 443, &b, PAGE), INSTALLED),
        Target::new("A's page through the ingress", OUT_OF_A, Attempt::https(&a, 443, &a, PAGE), INSTALLED),
        // B's office would answer 400 to A's host name.
        Target::new("the ingress at B's name with A's host name", OUT_OF_A, mixed, INSTALLED),
    ])
}
