//! cert-manager from its own chart, in a namespace that lets nobody in or out but whom the chart's policies name.
//! Its webhook and cainjector are left out: without both of them every object is taken as it is.

use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::tools;
use commonscloud_e2e::{Failure, Outcome, chart};
use serde_json::{Value, json};

use crate::tier::Node;

const NAMESPACE: &str = "cert-manager";
/// What of the chart is installed.
const PARTS: [&str; 10] = [
    "crd-acme.cert-manager.io_challenges",
    "crd-acme.cert-manager.io_orders",
    "crd-cert-manager.io_certificaterequests",
    "crd-cert-manager.io_certificates",
    "crd-cert-manager.io_clusterissuers",
    "crd-cert-manager.io_issuers",
    "serviceaccount",
    "rbac",
    "networkpolicy-cert-manager",
    "deployment",
];

/// Installs it and waits until it runs; gives what was applied.
///
/// # Errors
/// When a part is refused, or does not run within a minute.
pub async fn install(node: &Node) -> Outcome<String> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    node.cluster.applied(&[namespace, closed()]).await?;
    let manifests = rendered(node).await?;
    let words = ["apply", "--server-side", "--filename", "-"];
    node.cluster.kubectl.run(&words, Some(manifests.as_bytes())).await?.succeeded("kubectl apply")?;
    let words = ["rollout", "status", "deployment/cert-manager", "-n", NAMESPACE, "--timeout=1m"];
    node.cluster.kubectl.ok(&words).await?;
    Ok(manifests)
}

/// Removes it, and all certificates with it.
///
/// # Errors
/// When the API server refuses.
pub async fn remove(node: &Node, manifests: &str) -> Outcome {
    let words = ["delete", "--wait=false", "--ignore-not-found", "--filename", "-"];
    node.cluster.kubectl.run(&words, Some(manifests.as_bytes())).await?.succeeded("kubectl delete")?;
    node.cluster.kubectl.ok(&["delete", "namespace", NAMESPACE, "--wait=false"]).await.map(drop)
}

async fn rendered(node: &Node) -> Outcome<String> {
    let tool = tools::ensure("cert-manager", &node.cluster.programs.source, &Progress::silent()).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values(node)?.to_string())?;
    let (source, file) = (tool.share("chart"), file.to_string_lossy().into_owned());
    let source = source.to_string_lossy();
    let parts = PARTS.map(|part| format!("templates/{part}.yaml"));
    let mut words = vec!["template", "cert-manager", &source, "--namespace", NAMESPACE, "--values", &file];
    words.extend(parts.iter().flat_map(|part| ["--show-only", part.as_str()]));
    chart::helm(&node.cluster, &words).await?.succeeded("helm template")
}

fn values(node: &Node) -> Outcome<Value> {
    let image = |name: &str| {
        let (repository, tag) = node.image(name)?.rsplit_once(':').ok_or_else(|| Failure::new("no tag"))?;
        Ok::<_, Failure>(json!({"repository": repository, "tag": tag}))
    };
    // The chart's own ports, and that of the ACME server, which listens at no usual one.
    let ports = [("TCP", 80), ("TCP", 443), ("TCP", 53), ("UDP", 53), ("TCP", 6443), ("TCP", 14000)];
    let ports = ports.map(|(protocol, port)| json!({"protocol": protocol, "port": port}));
    Ok(json!({
        "image": image("cert-manager")?,
        "acmesolver": {"image": image("acmesolver")?},
        "crds": {"enabled": true},
        "networkPolicy": {"enabled": true, "egress": [{"ports": ports}]},
        // Ten seconds are usual between two looks whether a challenge can be solved.
        "extraArgs": ["--dns01-check-retry-period=2s"],
    }))
}

fn closed() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": NAMESPACE},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    })
}
