//! The platform's own records at a real target: read there with restic and the key, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_backup::records::{RECORDS_FILE, RECORDS_FOLDER, RECORDS_TAG, Records};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use commonscloud_operator::backup::key_name;
use commonscloud_operator::backup::records::kept_name;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("the platform's own records are at a target, and are read with restic and the key", arrive)]
}

/// They are stored soon after the installation; of several targets one after the other.
const STORED: Duration = Duration::from_mins(5);
const READ: Duration = Duration::from_mins(2);
const POD: &str = "records-reader";

/// A pod that prints the newest records.
fn reader(image: &str) -> Value {
    let credential = |name: &str, key: &str| {
        let secret = json!({"name": servers::secret_name(servers::REST), "key": key});
        json!({"name": name, "valueFrom": {"secretKeyRef": secret}})
    };
    let url = format!("rest:http://{}.{}.svc.cluster.local:8000/{RECORDS_FOLDER}", servers::REST, servers::NAMESPACE);
    let container = json!({
        "name": "restic", "image": image, "command": ["restic"],
        "args": ["dump", "--quiet", "--no-lock", "--no-cache", "--tag", RECORDS_TAG, "latest", format!("/{RECORDS_FILE}")],
        "env": [
            {"name": "RESTIC_REPOSITORY", "value": url}, {"name": "RESTIC_PASSWORD_FILE", "value": "/key/password"},
            credential("RESTIC_REST_USERNAME", "username"), credential("RESTIC_REST_PASSWORD", "password"),
        ],
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "key", "mountPath": "/key", "readOnly": true}],
    });
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "key", "secret": {"secretName": key_name(RECORDS_FOLDER), "defaultMode": 0o440}}],
        },
    })
}

async fn arrive(node: Arc<Node>) -> Outcome {
    let cluster = &node.cluster;
    servers::ready(cluster, servers::REST).await?;
    let kept = kept_name(servers::REST);
    eventually("the records are stored", STORED, async || {
        cluster.kubectl.ok(&["get", "configmap", kept.as_str(), "-n", NAMESPACE]).await.map(drop)
    })
    .await?;
    cluster.applied(&[reader(node.image("backup")?)]).await?;
    let text = eventually("restic has read the records", READ, async || {
        let phase = ["get", "pod", POD, "-n", NAMESPACE, "-o", "jsonpath={.status.phase}"];
        let phase = cluster.kubectl.ok(&phase).await?;
        let said = cluster.kubectl.ok(&["logs", POD, "-n", NAMESPACE]).await?;
        ensure_eq!(phase.trim(), "Succeeded", "the pod, which says: {}", said.chars().take(500).collect::<String>());
        Ok(said)
    })
    .await?;
    cluster.kubectl.ok(&["delete", "pod", POD, "-n", NAMESPACE, "--wait=false"]).await?;
    let records = Records::read(&text).map_err(|error| Failure::new(error.to_string()))?;
    let system = Api::<Namespace>::all(cluster.client.clone()).get("kube-system").await?;
    ensure_eq!(records.cluster.uid, system.uid(), "the cluster");
    ensure!(!records.revisions.is_empty() && !records.tariffs.is_empty(), "no revisions, or no Tariffs");
    let targets = records.platform.spec["backup"]["targets"].as_array().map(Vec::len);
    ensure!(targets.is_some_and(|targets| targets > 1), "the Platform: {}", records.platform.spec["backup"]);
    ensure!(
        records.secrets.iter().any(|secret| secret.name == servers::secret_name(servers::REST)),
        "{:?}",
        records.secrets
    );
    Ok(())
}
