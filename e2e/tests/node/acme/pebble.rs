//! Pebble, an ACME server for tests, in a namespace of its own: it stands for the world outside.

use commonscloud_e2e::{Failure, Outcome};
use serde_json::{Value, json};

use crate::tier::Node;

/// Its namespace.
pub const NAMESPACE: &str = "pebble";
/// The `ClusterIssuer` that asks it.
pub const ISSUER: &str = "pebble";

/// Its name in the cluster.
const HOST: &str = "pebble.pebble.svc.cluster.local";
/// Where ACME clients ask, and whoever looks after it.
const PORTS: [u16; 2] = [14000, 15000];
/// Where it tells its root.
const ROOT: &str = "/api/v1/namespaces/pebble/pods/https:pebble:15000/proxy/roots/0";

/// A server that runs.
pub struct Pebble {
    /// The certificate, in PEM, that it shows to its clients.
    certificate: String,
    /// The root, in PEM, of the certificates that it issues: another one at each start.
    pub root: String,
}

impl Pebble {
    /// Starts the server.
    ///
    /// # Errors
    /// When it does not become Ready within a minute.
    pub async fn start(node: &Node) -> Outcome<Self> {
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
        let certificate = cert.pem();
        let files = json!({
            "config.json": config().to_string(),
            "cert.pem": certificate,
            "key.pem": signing_key.serialize_pem(),
        });
        node.cluster.applied(&objects(node, &files)?).await?;
        let words = ["wait", "--for=condition=Ready", "pod/pebble", "-n", NAMESPACE, "--timeout=1m"];
        node.cluster.kubectl.ok(&words).await?;
        let root = node.cluster.kubectl.ok(&["get", "--raw", ROOT]).await?;
        Ok(Self { certificate, root })
    }

    /// The issuer, as an administrator makes it for an ACME server with a certificate of its own.
    pub fn issuer(&self) -> Value {
        json!({
            "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": ISSUER},
            "spec": {"acme": {
                "server": format!("https://{HOST}:{}/dir", PORTS[0]),
                "caBundle": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &self.certificate),
                "privateKeySecretRef": {"name": "pebble-account"},
                "solvers": [{"http01": {"ingress": {"ingressClassName": "traefik", "serviceType": "ClusterIP"}}}],
            }},
        })
    }
}

/// It asks at the ports at which everybody asks.
fn config() -> Value {
    json!({"pebble": {
        "listenAddress": format!("0.0.0.0:{}", PORTS[0]),
        "managementListenAddress": format!("0.0.0.0:{}", PORTS[1]),
        "certificate": "/files/cert.pem",
        "privateKey": "/files/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "retryAfter": {"authz": 1, "order": 1},
    }})
}

fn objects(node: &Node, files: &Value) -> Outcome<Vec<Value>> {
    let dns = node.cluster.facts.node_ip.ok_or_else(|| Failure::new("the node has no address"))?;
    let labels = json!({"app": "pebble"});
    let metadata = json!({"name": "pebble", "namespace": NAMESPACE, "labels": labels});
    let container = json!({
        "name": "pebble",
        "image": node.image("pebble")?,
        "args": ["-config", "/files/config.json", "-dnsserver", format!("{dns}:53")],
        // It waits, and refuses a request in twenty, to try its clients' patience.
        "env": [{"name": "PEBBLE_VA_NOSLEEP", "value": "1"}, {"name": "PEBBLE_WFE_NONCEREJECT", "value": "0"}],
        "readinessProbe": {"tcpSocket": {"port": PORTS[0]}, "periodSeconds": 1},
        "volumeMounts": [{"name": "files", "mountPath": "/files"}],
    });
    Ok(vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": files}),
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 0,
                "containers": [container],
                "volumes": [{"name": "files", "secret": {"secretName": "pebble"}}],
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": PORTS[0], "protocol": "TCP"}]},
        }),
    ])
}
