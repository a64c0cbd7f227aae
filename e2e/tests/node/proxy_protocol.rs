//! A load balancer that speaks PROXY protocol before the ingress: people keep their own addresses, as long as
//! the ingress believes the balancer, and who comes past it is served all the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::balancer::Balancer;
use commonscloud_e2e::https::Ingress;
use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("a balancer with PROXY protocol hands on the address that the application sees", handed_on)]
}

/// The Entity.
const NAME: &str = "darrere";
/// A second ingress beside the cluster's own, which is everybody's.
const BALANCED: &str = "balanced";
/// Of whom the balancer says that they ask.
const CLIENT: &str = "203.0.113.7";
/// A new ingress has read all Ingresses.
const STARTED: Duration = Duration::from_mins(1);

async fn handed_on(node: Arc<Node>) -> Outcome {
    let wiki = json!({"name": "wiki", "template": "mediawiki", "tier": "1gb"});
    node.running(&entity(NAME, json!({"others": [wiki]}))).await?;
    let ended = believed(&node).await;
    let words = ["delete", "deployment,service", BALANCED, "-n", "traefik", "--ignore-not-found"];
    node.cluster.kubectl.ok(&words).await?;
    ended?;
    node.discard(NAME).await
}

async fn believed(node: &Node) -> Outcome {
    let host = node.host(NAME, "wiki");
    let address = second_ingress(node, None).await?;
    let plain = node.ingress.at(address);
    let direct = eventually("the second ingress serves the wiki", STARTED, async || seen(&plain, &host).await).await?;
    ensure!(direct != CLIENT, "the address of who asks is {direct}");
    let selector = format!("app.kubernetes.io/name={BALANCED}");
    let words = ["get", "pods", "-n", "traefik", "-l", &selector, "-o", "jsonpath={.items[*].status.podIP}"];
    let of_ingress = node.cluster.kubectl.ok(&words).await?;
    let is_ingress = of_ingress.split_whitespace().any(|address| address == direct);
    ensure!(!is_ingress, "whom the wiki sees is the ingress itself, {direct}, and not who asks");

    let balancer = Balancer::before(address, CLIENT.parse()?).await?;
    let through = node.ingress.at(balancer.address());
    let unknown = seen(&through, &host).await;
    ensure!(unknown.is_err(), "an ingress that knows no balancer takes its header for a request: {unknown:?}");

    second_ingress(node, Some(&direct)).await?;
    eventually("the ingress believes the balancer", STARTED, async || {
        ensure_eq!(seen(&through, &host).await?, CLIENT, "whom the wiki sees through the balancer");
        Ok(())
    })
    .await?;
    ensure_eq!(seen(&plain, &host).await?, direct, "whom the wiki sees past the balancer");
    Ok(())
}

/// The address by which the wiki calls somebody who has not signed in.
async fn seen(ingress: &Ingress, host: &str) -> Outcome<String> {
    let page = ingress.get(host, "/api.php?action=query&format=json&meta=userinfo", None).await?;
    let answer: Value = serde_json::from_slice(&page)?;
    let name = answer.pointer("/query/userinfo/name").and_then(Value::as_str);
    name.map(str::to_owned).ok_or_else(|| Failure::new(format!("no name in {answer}")))
}

/// A copy of the cluster's ingress that believes a balancer at this address, and where it is.
async fn second_ingress(node: &Node, balancer: Option<&str>) -> Outcome<SocketAddr> {
    let kubectl = &node.cluster.kubectl;
    let first = kubectl.ok(&["get", "deployment/traefik", "-n", "traefik", "-o", "json"]).await?;
    let mut spec = serde_json::from_str::<Value>(&first)?["spec"].take();
    let labels = json!({"app.kubernetes.io/name": BALANCED});
    spec["selector"] = json!({"matchLabels": labels});
    spec["template"]["metadata"] = json!({"labels": labels});
    let container = &mut spec["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array_mut().ok_or_else(|| Failure::new("the ingress has no arguments"))?;
    arguments.extend(
        balancer.map(|address| json!(format!("--entrypoints.websecure.proxyprotocol.trustedips={address}/32"))),
    );
    let metadata = json!({"name": BALANCED, "namespace": "traefik"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec});
    // The way from outside that keeps the address of who asks, as a balancer's own would.
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata,
        "spec": {
            "type": "NodePort", "externalTrafficPolicy": "Local", "selector": labels,
            "ports": [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}],
        },
    });
    node.cluster.applied(&[deployment, service]).await?;
    let rollout = format!("deployment/{BALANCED}");
    kubectl.ok(&["rollout", "status", &rollout, "-n", "traefik", "--timeout=1m"]).await?;
    let words = ["get", "service", BALANCED, "-n", "traefik", "-o", "jsonpath={.spec.ports[0].nodePort}"];
    let port: u16 = kubectl.ok(&words).await?.parse()?;
    let address = node.cluster.facts.node_ip.ok_or_else(|| Failure::new("the node has no address"))?;
    Ok((address, port).into())
}
