//! A relay and an ingress whose pods listen at other ports than their Services: reached where the
//! Platform names the pods and their ports, and not before. Cilium matches pods as by its defaults.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure_eq, resources};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template;
use serde_json::{Value, json};

use crate::package::{RADICALE, copy, replace};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        // It changes the Platform, which concerns every instance there is.
        Scenario::new("a relay and an ingress are reached at the ports that the platform names", reached).first(),
    ]
}

/// The Entity, and the package.
const NAME: &str = "named-ports";
const RELAY: &str = "relay";
/// A policy is enforced within a second or two of the API server's answer.
const ENFORCED: Duration = Duration::from_mins(1);
const CONNECT: &str = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()";

async fn reached(node: Arc<Node>) -> Outcome {
    let platform = resources::ours(&node.cluster.client, "Platform").get("default").await?;
    let public = platform.data["spec"]["network"]["public"].clone();
    let ended = before_and_after(&node).await;
    let network = json!({"public": public, "mail": null, "ports": null});
    let restored = node.change_platform(&json!({"smtp": null, "network": network})).await;
    ended.and(restored)?;
    node.cluster.kubectl.ok(&["delete", "namespace", RELAY, "--wait=false"]).await?;
    node.discard(NAME).await
}

async fn before_and_after(node: &Node) -> Outcome {
    let smtp = json!({"host": "relay.relay.svc.cluster.local", "port": 25, "from": "cloud@example.org"});
    node.change_platform(&json!({"smtp": smtp, "network": {"public": namespace("traefik")}})).await?;
    node.cluster.applied(&relay(node)?).await?;
    node.cluster.kubectl.ok(&["wait", "--for=condition=Ready", "pod/relay", "-n", RELAY, "--timeout=1m"]).await?;
    node.cluster.applied(&[json!(outgoing(node)?)]).await?;
    node.running(&entity_with(NAME, NAME)).await?;
    eventually("the Services' own ports lead nowhere", ENFORCED, async || {
        ensure_eq!(connections(node).await?, [false, false], "relay and ingress");
        Ok(())
    })
    .await?;
    let ports = json!({"public": [443, 8443], "mail": [2525]});
    let anywhere = json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]);
    node.change_platform(&json!({"network": {"mail": anywhere, "ports": ports}})).await?;
    eventually("the ports are open, and a block of addresses means no pod", ENFORCED, async || {
        ensure_eq!(connections(node).await?, [false, true], "relay and ingress");
        Ok(())
    })
    .await?;
    node.change_platform(&json!({"network": {"mail": namespace(RELAY)}})).await?;
    eventually("the pods that are named are reached", ENFORCED, async || {
        ensure_eq!(connections(node).await?, [true, true], "relay and ingress");
        Ok(())
    })
    .await
}

fn namespace(name: &str) -> Value {
    json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}])
}

/// Whether the service's pod reaches the relay's Service, and the ingress's.
async fn connections(node: &Node) -> Outcome<[bool; 2]> {
    let pod = node.pod(NAME, "site", "app").await?;
    let mut open = [false; 2];
    let targets = [("relay.relay.svc.cluster.local", "25"), ("traefik.traefik.svc.cluster.local", "443")];
    for (open, (host, port)) in open.iter_mut().zip(targets) {
        let words = ["python3", "-c", CONNECT, host, port];
        let ended = node.cluster.kubectl.exec(NAME, &pod, "radicale", &words).await?;
        if !ended.success && !ended.stderr.contains("timed out") {
            return Err(Failure::new(format!("{host}:{port}: {}", ended.stderr)));
        }
        *open = ended.success;
    }
    Ok(open)
}

/// Radicale, which may send mail and reach public addresses.
fn outgoing(node: &Node) -> Outcome<ServiceTemplate> {
    let radicale = template::load_directory(&node.cluster.programs.source.join(RADICALE))?;
    let mut package = copy(radicale, NAME)?;
    let rules: Vec<String> = ["dns", "public", "mail"]
        .map(|peer| {
            format!(
                "    - to: {{{{ network.{peer} | json_encode }}}}\n      ports: {{{{ network.ports.{peer} | json_encode }}}}\n"
            )
        })
        .into();
    let egress = format!(
        "  policyTypes: [Ingress, Egress]\n{{%- if network.dns and network.public and smtp %}}\n  egress:\n{}{{%- else %}}\n  egress: []\n{{%- endif %}}\n",
        rules.concat()
    );
    replace(&mut package, 1, "  policyTypes: [Ingress]\n", &egress)?;
    Ok(package)
}

/// A server at 2525 behind a Service at 25.
fn relay(node: &Node) -> Outcome<Vec<Value>> {
    let labels = json!({"app": RELAY});
    let metadata = json!({"name": RELAY, "namespace": RELAY, "labels": labels});
    let container = json!({
        "name": RELAY,
        "image": node.image("radicale")?,
        "command": ["python3", "-m", "http.server", "2525"],
        "readinessProbe": {"tcpSocket": {"port": 2525}, "periodSeconds": 1},
    });
    Ok(vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RELAY}}),
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0, "containers": [container],
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": 25, "targetPort": 2525, "protocol": "TCP"}]},
        }),
    ])
}
