//! Requests of a manager of A, refused; and answered when an administrator gives them the right.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, chart, ensure};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::{A, B, MANAGER, SPEAKS_TLS, pod, removed, two_offices};
use crate::tier::Node;

/// A right is known within a second of its binding.
const KNOWN: Duration = Duration::from_secs(30);
/// No single request takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Something a manager of A has no business with.
enum Ask {
    /// A path of the API server's, and what its answer holds.
    Get(String, &'static str),
    /// `kubectl exec` in a container of a pod of B.
    Exec { pod: String, container: &'static str },
    /// `kubectl port-forward` to B's database.
    Forward { pod: String },
}

pub async fn refused(node: Arc<Node>) -> Outcome {
    two_offices(&node).await?;
    let manager = node.cluster.impersonate(MANAGER, &[]).await?;
    let asks = asks(&node).await?;
    let ended = until_bound(&node, &manager, &asks).await;
    removed(&node, &[binding()]).await?;
    ended
}

async fn until_bound(node: &Node, manager: &Client, asks: &[Ask]) -> Outcome {
    removed(node, &[binding()]).await?;
    // They are who they say: their own Entity's states they do see.
    let own = Ask::Get(format!("/apis/commonscloud.coop/v1alpha1/namespaces/{A}/dedicatedoffices"), "\"office\"");
    ensure!(own.answered(node, manager).await?, "the manager of A cannot look at A");
    all(node, manager, asks, false).await?;
    node.cluster.applied(&[binding()]).await?;
    eventually("with the right, every request is answered", KNOWN, async || all(node, manager, asks, true).await).await
}

/// Everything within B, in the cluster's own places, and A's Secrets.
async fn asks(node: &Node) -> Outcome<Vec<Ask>> {
    let in_namespace = |namespace: &str, rest: &str| format!("/api/v1/namespaces/{namespace}/{rest}");
    let get = |namespace: &str, rest: &str, holds| Ask::Get(in_namespace(namespace, rest), holds);
    let app = pod(node, B, "app").await?.name_any();
    let db = pod(node, B, "db").await?.name_any();
    let redis = pod(node, B, "redis").await?.name_any();
    let kubelet = pod(node, B, "db").await?.spec.and_then(|spec| spec.node_name).unwrap_or_default();
    let metrics = "services/http:commonscloud-operator:8080/proxy/metrics";
    Ok(vec![
        get(A, "secrets", "office-db"),
        get(A, "secrets/office-admin", "\"password\""),
        get(B, "secrets", "office-db"),
        get(B, "secrets/office-admin", "\"password\""),
        get(B, "pods", "office-db"),
        get(B, "events", "\"EventList\""),
        Ask::Get(format!("/apis/commonscloud.coop/v1alpha1/namespaces/{B}/dedicatedoffices"), "\"office\""),
        get(B, &format!("pods/{db}/log?container=postgres"), "database system"),
        // The office answers to none but its own host name: this is its own answer.
        get(B, "services/office-app:http/proxy/status.php", "Trusted domain"),
        get(B, &format!("pods/{app}:80/proxy/status.php"), "Trusted domain"),
        Ask::Exec { pod: app, container: "nextcloud" },
        Ask::Exec { pod: redis, container: "redis" },
        Ask::Forward { pod: db },
        get(chart::NAMESPACE, metrics, "commonscloud_writes"),
        Ask::Get("/metrics".to_owned(), "apiserver_request_total"),
        Ask::Get(format!("/api/v1/nodes/{kubelet}/proxy/pods"), "office-db"),
    ])
}

/// Whether all are answered, or none is; tells each that is not as it should be.
async fn all(node: &Node, manager: &Client, asks: &[Ask], expected: bool) -> Outcome {
    let ended = futures::future::join_all(asks.iter().map(|ask| ask.answered(node, manager))).await;
    let faults: Vec<String> = asks
        .iter()
        .zip(ended)
        .filter_map(|(ask, ended)| match ended {
            Ok(answered) if answered == expected => None,
            Ok(answered) => Some(format!("{}: answered: {answered}", ask.shown())),
            Err(failure) => Some(failure.during(&ask.shown()).to_string()),
        })
        .collect();
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// All rights there are, for this one user.
fn binding() -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "isolation-door"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": MANAGER}],
    })
}

impl Ask {
    fn shown(&self) -> String {
        match self {
            Self::Get(path, _) => format!("GET {path}"),
            Self::Exec { pod, container } => format!("kubectl exec {pod} -c {container}"),
            Self::Forward { pod } => format!("kubectl port-forward {pod}"),
        }
    }

    /// Whether it was answered, or refused for want of rights.
    async fn answered(&self, node: &Node, manager: &Client) -> Outcome<bool> {
        match self {
            Self::Get(path, holds) => get(manager, path, holds).await,
            Self::Exec { pod, container } => exec(node, pod, container).await,
            Self::Forward { pod } => {
                let ended = tokio::time::timeout(LIMIT, forward(node, pod)).await;
                ended.unwrap_or_else(|_| Err(Failure::new(format!("no answer within {} s", LIMIT.as_secs()))))
            }
        }
    }
}

async fn get(manager: &Client, path: &str, holds: &str) -> Outcome<bool> {
    let request = hyper::Request::get(path).body(Body::empty())?;
    let answer = manager.send(request).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&body);
    if status == 403 && text.contains("\"reason\":\"Forbidden\"") {
        return Ok(false);
    }
    ensure!(text.contains(holds), "{status} {}", text.chars().take(300).collect::<String>());
    Ok(true)
}

async fn exec(node: &Node, pod: &str, container: &str) -> Outcome<bool> {
    let words = ["exec", "-n", B, pod, "-c", container, "--as", MANAGER, "--", "echo", "reached"];
    let ended = node.cluster.kubectl.run(&words, None).await?;
    ensure!(ended.success || ended.stderr.contains("orbidden"), "{}", ended.stderr);
    Ok(ended.success)
}

async fn forward(node: &Node, pod: &str) -> Outcome<bool> {
    let mut child = Command::new(&node.cluster.facts.kubectl)
        .args(["port-forward", "-n", B, "--as", MANAGER, "--address", "127.0.0.1", pod, ":5432"])
        .env("KUBECONFIG", &node.cluster.facts.kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Failure::new("kubectl has no output"));
    };
    // "Forwarding from 127.0.0.1:PORT -> 5432", or nothing and a reason. With its output closed
    // kubectl would end at its next word.
    let mut lines = BufReader::new(stdout).lines();
    let Some(line) = lines.next_line().await? else {
        let mut reason = String::new();
        stderr.read_to_string(&mut reason).await?;
        ensure!(reason.contains("orbidden"), "{reason}");
        return Ok(false);
    };
    let address = line.split_whitespace().nth(2).ok_or_else(|| Failure::new(line.clone()))?;
    let mut database = TcpStream::connect(address).await?;
    database.write_all(&SPEAKS_TLS).await?;
    ensure!(database.read_u8().await? == b'N', "who answers is no PostgreSQL");
    Ok(true)
}
