//! ACME's HTTP-01 in a closed namespace: the ingress reaches cert-manager's solver, and only where an
//! issuer is named. A pod with the solver's label and port stands in for it.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        // It changes the Platform, which concerns every instance there is.
        Scenario::new("an ACME server's question reaches the solver in a closed namespace", answered).first(),
    ]
}

const NAME: &str = "acme";
/// A policy is enforced within a second or two of the API server's answer.
const ENFORCED: Duration = Duration::from_mins(1);
/// An open way answers in a tenth of a second.
const SILENCE: Duration = Duration::from_secs(5);
const PATH: &str = "/.well-known/acme-challenge/token";
const SOLVER: &str = "import http.server
class Solver(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'token and key')
http.server.HTTPServer(('', 8089), Solver).serve_forever()";

async fn answered(node: Arc<Node>) -> Outcome {
    let ended = with_and_without_an_issuer(&node).await;
    let restored = issuer(&node, &Value::Null).await;
    ended.and(restored)?;
    // What somebody else made keeps a namespace.
    let words = ["delete", "pod,service,ingress", "cm-acme-http-solver", "--namespace", NAME];
    node.cluster.kubectl.ok(&words).await?;
    node.discard(NAME).await
}

async fn with_and_without_an_issuer(node: &Node) -> Outcome {
    issuer(node, &json!({"clusterIssuer": "letsencrypt"})).await?;
    node.cluster.applied(&[entity(NAME, json!({}))]).await?;
    let policies = resources::any_in(&node.cluster.client, "networking.k8s.io", "v1", "NetworkPolicy", NAME).await?;
    eventually("the solver's policy is there", READY, async || {
        policies.get("acme-http01-solver").await.map(drop).map_err(Failure::from)
    })
    .await?;
    eventually("the solver's objects are taken", READY, async || node.cluster.applied(&solver(node)?).await).await?;
    let host = node.host(NAME, "site");
    eventually("the ACME server has its answer", READY, async || {
        let answer = node.ingress.get(&host, PATH, None).await?;
        ensure_eq!(String::from_utf8_lossy(&answer), "token and key", "the answer");
        Ok(())
    })
    .await?;
    issuer(node, &Value::Null).await?;
    eventually("without an issuer the namespace is closed again", ENFORCED, async || {
        let asked = tokio::time::timeout(SILENCE, node.ingress.get(&host, PATH, None)).await;
        ensure!(asked.is_err(), "it answers");
        Ok(())
    })
    .await
}

/// Says where the Platform's certificates come from.
async fn issuer(node: &Node, tls: &Value) -> Outcome {
    node.change_platform(&json!({"exposure": {"tls": tls}})).await
}

/// What cert-manager makes for one challenge.
fn solver(node: &Node) -> Outcome<Vec<Value>> {
    let labels = json!({"acme.cert-manager.io/http01-solver": "true"});
    let metadata = json!({"name": "cm-acme-http-solver", "namespace": NAME, "labels": labels});
    let backend = json!({"service": {"name": "cm-acme-http-solver", "port": {"number": 8089}}});
    let paths = json!([{"path": PATH, "pathType": "ImplementationSpecific", "backend": backend}]);
    Ok(vec![
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 0,
                "securityContext": {
                    "runAsNonRoot": true, "runAsUser": 999, "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{
                    "name": "acmesolver",
                    "image": node.image("radicale")?,
                    "command": ["python3", "-c", SOLVER],
                    "ports": [{"containerPort": 8089}],
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
                }],
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 8089, "targetPort": 8089, "protocol": "TCP"}]},
        }),
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata,
            "spec": {
                "ingressClassName": "traefik",
                "rules": [{"host": node.host(NAME, "site"), "http": {"paths": paths}}],
            },
        }),
    ])
}
