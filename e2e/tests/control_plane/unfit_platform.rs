//! A Platform that cannot work with this cluster says so: in a condition of its own for each subject, with the
//! field and what there is, gone once it is put right.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, platform};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        // The Platform is everybody's: on a cluster aside.
        Scenario::new("a platform that cannot work with this cluster says so, and what there is", told).apart(),
    ]
}

/// An issuer that was not ready is asked for again after a minute.
const TOLD: Duration = Duration::from_secs(90);
const POD: &str = "unfit-dns";

async fn told(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let ended = each(&tier).await;
    let kubectl = &tier.cluster.kubectl;
    kubectl.ok(&["delete", "pod", POD, "-n", "kube-system", "--ignore-not-found", "--wait=false"]).await?;
    kubectl.ok(&["delete", "crd", "clusterissuers.cert-manager.io", "--ignore-not-found"]).await?;
    tier.cluster.applied(&[platform()]).await?;
    ended
}

async fn each(tier: &ControlPlane) -> Outcome {
    tier.cluster.applied(&[with(&unfit())]).await?;
    says(
        tier,
        "IngressClassFound",
        &["IngressClassNotFound", "spec.exposure.ingressClass", "trafik", "there are: traefik"],
    )
    .await?;
    says(tier, "IssuerFound", &["IssuerNotFound", "spec.exposure.tls.clusterIssuer", "install cert-manager"]).await?;
    says(tier, "NetworkPeersFound", &["PeerNotFound", "spec.network.dns[0]", "no pod of kube-system"]).await?;
    says(tier, "ImageOverridesFound", &["spec.images[0].image", "has no image nextclod", "nextcloud"]).await?;
    says(tier, "Ready", &["StorageClassNotFound", "spec.storageClass: StorageClass fast", "there are: "]).await?;

    tier.cluster.applied(&[dns_pod()]).await?;
    let elsewhere = ["PeerPortNotFound", "spec.network.ports.dns: is 53", "kube-system/unfit-dns", "list 5353"];
    says(tier, "NetworkPeersFound", &elsewhere).await?;
    tier.cluster.applied(&[issuers()]).await?;
    says(tier, "IssuerFound", &["IssuerNotFound", "ClusterIssuer letsencrypt does not exist"]).await?;

    // Put right one after the other: what is right is not spoken of.
    let mut fit = unfit();
    fit["exposure"]["ingressClass"] = json!("traefik");
    fit["exposure"]["tls"].take();
    fit["network"]["ports"] = json!({"dns": [53, 5353]});
    fit["images"][0]["image"] = json!("nextcloud");
    fit["storageClass"].take();
    tier.cluster.applied(&[with(&fit)]).await?;
    let platforms = resources::ours(&tier.cluster.client, "Platform");
    eventually("nothing is wrong any more", TOLD, async || {
        let now = serde_json::to_value(platforms.get("default").await?)?;
        let of_these = ["IngressClassFound", "IssuerFound", "NetworkPeersFound", "ImageOverridesFound"];
        let left: Vec<&str> = of_these.into_iter().filter(|kind| condition(&now, kind).is_some()).collect();
        ensure!(left.is_empty(), "{left:?} of {}", conditions(&now));
        ensure_eq!(condition(&now, "Ready").map(|ready| &ready["status"]), Some(&json!("True")), "Ready");
        Ok(())
    })
    .await
}

/// What differs from the tier's Platform; null: nothing.
fn unfit() -> Value {
    let namespace = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    json!({
        "exposure": {"ingressClass": "trafik", "tls": {"clusterIssuer": "letsencrypt"}},
        "network": {
            "ingress": [{"namespaceSelector": namespace("default")}],
            "dns": [{
                "namespaceSelector": namespace("kube-system"),
                "podSelector": {"matchLabels": {"k8s-app": POD}},
            }],
        },
        "images": [{"template": "office", "image": "nextclod", "mirror": "registry.example.org/nextcloud"}],
        "storageClass": "fast",
    })
}

/// The tier's Platform with these fields.
fn with(fields: &Value) -> Value {
    let mut platform = platform();
    for (field, value) in fields.as_object().into_iter().flatten() {
        let is_right = value.is_null();
        if !is_right {
            platform["spec"][field] = without_nulls(value);
        }
    }
    platform
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(field, value)| (field.clone(), without_nulls(value)))
            .collect(),
        other => other.clone(),
    }
}

/// Waits until the Platform's condition is false in these words.
async fn says(tier: &ControlPlane, kind: &str, words: &[&str]) -> Outcome {
    let platforms = resources::ours(&tier.cluster.client, "Platform");
    eventually(&format!("{kind} says {words:?}"), TOLD, async || {
        let platform = serde_json::to_value(platforms.get("default").await?)?;
        let said = condition(&platform, kind).ok_or_else(|| Failure::new(conditions(&platform)))?;
        let text = said.to_string();
        let missing: Vec<_> = words.iter().filter(|words| !text.contains(**words)).collect();
        ensure!(said["status"] == "False" && missing.is_empty(), "no {missing:?} in {said}");
        Ok(())
    })
    .await
}

/// A DNS server that listens elsewhere than most.
fn dns_pod() -> Value {
    let container = json!({
        "name": "dns", "image": "docker.io/local/pause:3.10",
        "ports": [{"name": "dns", "containerPort": 5353, "protocol": "UDP"}],
    });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": POD, "namespace": "kube-system", "labels": {"k8s-app": POD}},
        "spec": {"automountServiceAccountToken": false, "containers": [container]},
    })
}

/// cert-manager's kind without cert-manager.
fn issuers() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "clusterissuers.cert-manager.io"},
        "spec": {
            "group": "cert-manager.io", "scope": "Cluster",
            "names": {"kind": "ClusterIssuer", "plural": "clusterissuers", "singular": "clusterissuer"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    })
}
