//! ACME's HTTP-01 in a closed namespace, with the real cert-manager and an ACME server: a certificate that is
//! asked for by hand waits as long as the Platform names no issuer, since nobody reaches the solver; once it
//! names one, that certificate and a service's own are issued.

mod cert_manager;
mod pebble;

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::https::Ingress;
use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{self, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::tier::{Node, READY};
use pebble::Pebble;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        // It changes the Platform, which concerns every instance there is.
        Scenario::new("cert-manager answers an ACME server in a closed namespace, where an issuer is named", issued)
            .first(),
    ]
}

const NAME: &str = "acme";
/// The certificate that nobody's Ingress asks for, and its Secret.
const BY_HAND: &str = "by-hand";
/// What the operator writes where an issuer is named.
const POLICY: &str = "acme-http01-solver";
/// A policy comes and goes within a second or two.
const ENFORCED: Duration = Duration::from_mins(1);
/// The pods by which cert-manager answers.
const SOLVERS: &str = "acme.cert-manager.io/http01-solver=true";

async fn issued(node: Arc<Node>) -> Outcome {
    let (pebble, chart) = tokio::try_join!(Pebble::start(&node), cert_manager::install(&node))?;
    let ended = without_and_with_an_issuer(&node, &pebble).await;
    let restored = exposure(&node, &Value::Null, "").await;
    ended.and(restored)?;
    let policies = resources::any_in(&node.cluster.client, "networking.k8s.io", "v1", "NetworkPolicy", NAME).await?;
    eventually("without an issuer the namespace is closed again", ENFORCED, async || {
        ensure!(policies.get_opt(POLICY).await?.is_none(), "{POLICY} is there");
        Ok(())
    })
    .await?;
    node.discard(NAME).await?;
    cert_manager::remove(&node, &chart).await?;
    node.cluster.kubectl.ok(&["delete", "namespace", pebble::NAMESPACE, "--wait=false"]).await.map(drop)
}

async fn without_and_with_an_issuer(node: &Node, pebble: &Pebble) -> Outcome {
    node.cluster.applied(&[pebble.issuer()]).await?;
    let words = ["wait", "--for=condition=Ready", "clusterissuer", pebble::ISSUER, "--timeout=1m"];
    node.cluster.kubectl.ok(&words).await?;
    node.cluster.applied(&[entity_with(NAME, "radicale")]).await?;
    eventually("a certificate can be asked for", READY, async || node.cluster.applied(&[by_hand(node)]).await).await?;
    eventually("the solver runs and is not reached", READY, async || not_reached(node).await).await?;
    exposure(node, &json!({"clusterIssuer": pebble::ISSUER}), &pebble.root).await?;
    eventually("the certificate that waited is issued", READY, async || is_issued(node, BY_HAND).await).await?;
    eventually("the service's own is issued", READY, async || is_issued(node, "site-tls").await).await?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("root.pem");
    std::fs::write(&root, &pebble.root)?;
    let address = node.cluster.facts.node_ip.ok_or_else(|| Failure::new("the node has no address"))?;
    // It believes the ACME server's root, and not the authority of the ingress's own certificate.
    let outside = Ingress::new(address, &root)?;
    eventually("the service shows its own certificate", ENFORCED, async || {
        outside.get(&node.host(NAME, "site"), "/.web/", None).await.map(drop)
    })
    .await?;
    wait::ready(&node.entities(), NAME, READY).await?;
    eventually("no solver is left", ENFORCED, async || {
        let left: Vec<Pod> = wait::list(&node.cluster.client, NAME, SOLVERS).await?;
        ensure!(left.is_empty(), "{} pods", left.len());
        Ok(())
    })
    .await
}

/// Says where the Platform's certificates come from, and whose the operator believes besides the cluster's own.
async fn exposure(node: &Node, tls: &Value, root: &str) -> Outcome {
    let own = std::fs::read_to_string(&node.cluster.facts.ca_certificate)?;
    node.change_platform(&json!({"exposure": {"tls": tls, "caBundle": format!("{own}\n{root}")}})).await
}

fn by_hand(node: &Node) -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": {"name": BY_HAND, "namespace": NAME},
        "spec": {
            "secretName": BY_HAND,
            "dnsNames": [node.host(NAME, BY_HAND)],
            "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": pebble::ISSUER},
        },
    })
}

/// Policies and quota let the solver run, and the network lets nobody in to it.
async fn not_reached(node: &Node) -> Outcome {
    let solvers: Vec<Pod> = wait::list(&node.cluster.client, NAME, SOLVERS).await?;
    let phases: Vec<&str> =
        solvers.iter().filter_map(|pod| pod.status.as_ref().and_then(|status| status.phase.as_deref())).collect();
    let reasons = reasons(node).await?;
    ensure!(phases == ["Running"] && reasons.contains("deadline exceeded"), "{phases:?}, {reasons}");
    Ok(())
}

async fn is_issued(node: &Node, certificate: &str) -> Outcome {
    let api = resources::any_in(&node.cluster.client, "cert-manager.io", "v1", "Certificate", NAME).await?;
    let found = serde_json::to_value(api.get(certificate).await?)?;
    let ready = wait::condition(&found, "Ready").is_some_and(|ready| ready["status"] == "True");
    ensure!(ready, "{}; {}", wait::conditions(&found), reasons(node).await?);
    Ok(())
}

/// Why cert-manager's challenges are not solved yet.
async fn reasons(node: &Node) -> Outcome<String> {
    let api = resources::any_in(&node.cluster.client, "acme.cert-manager.io", "v1", "Challenge", NAME).await?;
    let all = api.list(&ListParams::default()).await?;
    let reason =
        |challenge: &DynamicObject| challenge.data["status"]["reason"].as_str().unwrap_or("no reason").to_owned();
    Ok(all.iter().map(reason).collect::<Vec<_>>().join("; "))
}
