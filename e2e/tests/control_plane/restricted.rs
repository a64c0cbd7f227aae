//! Pods in the namespaces of Entities, whoever makes them: *restricted*, but for the containers that packages list.

use std::sync::Arc;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new("a container is restricted whoever makes its pod, unless its package lists it", restricted)]
}

const NAME: &str = "restricted";

/// A pod that keeps to *restricted*, called like one of a workload, with one field otherwise.
fn pod(namespace: &str, name: &str, container: &str, changed: Option<(&str, Value)>) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}}],
            "containers": [{
                "name": container, "image": "docker.io/local/none:1",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    if let Some((pointer, value)) = changed
        && let Some(field) = pod.pointer_mut(pointer)
    {
        *field = value;
    }
    pod
}

/// What the API server says against the pod, which is not made; nothing: it would be.
async fn refusal(tier: &ControlPlane, pod: &Value) -> Outcome<String> {
    let words = ["create", "-f", "-", "--dry-run=server"];
    let finished = tier.cluster.kubectl.run(&words, Some(pod.to_string().as_bytes())).await?;
    Ok(if finished.success { String::new() } else { finished.stderr })
}

async fn restricted(tier: Arc<ControlPlane>) -> Outcome {
    let services = json!({
        "agora": {"tier": "1gb"},
        "others": [{"name": "site", "template": "radicale", "tier": "1gb"}],
    });
    tier.running(&entity(NAME, services)).await?;

    ensure_eq!(refusal(&tier, &pod(NAME, "by-hand", "a", None)).await?, "", "a restricted pod by hand");
    let of_container = "/spec/containers/0/securityContext";
    for (pointer, value, says) in [
        ("/spec/securityContext", json!({}), "runAsNonRoot"),
        ("/spec/securityContext", json!({"runAsNonRoot": true}), "seccompProfile"),
        (of_container, json!({"capabilities": {"drop": ["ALL"]}}), "allowPrivilegeEscalation"),
        (of_container, json!({"allowPrivilegeEscalation": false}), "drop: [ALL]"),
        (
            of_container,
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}),
            "NET_BIND_SERVICE",
        ),
        (
            of_container,
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsUser": 0}),
            "runAsUser: 0",
        ),
    ] {
        let message = refusal(&tier, &pod(NAME, "by-hand", "a", Some((pointer, value)))).await?;
        ensure!(message.contains("commonscloud-restricted") && message.contains(says), "{says}: {message}");
    }

    // What Discourse's image needs; of the same pod another container, and of another workload the same, may not.
    let root = || Some((of_container, json!({"capabilities": {"add": ["CHOWN"]}})));
    for (name, container, may) in [
        ("agora-app-0", "discourse", true),
        ("agora-app-0", "prepare", true),
        ("agora-app-0", "another", false),
        ("agora-db-0", "discourse", false),
        ("site-app-0", "discourse", false),
    ] {
        let message = refusal(&tier, &pod(NAME, name, container, root())).await?;
        ensure!(message.is_empty() == may, "{container} in {name}: {message}");
    }
    let beyond = Some((of_container, json!({"privileged": true})));
    let message = refusal(&tier, &pod(NAME, "agora-app-0", "discourse", beyond)).await?;
    ensure!(message.contains("baseline"), "a privileged container of those that are listed: {message}");
    ensure_eq!(refusal(&tier, &pod("default", "by-hand", "a", root())).await?, "", "a pod in no Entity's namespace");

    tier.running(&entity(NAME, json!({}))).await?;
    eventually("with the service its exceptions go", READY, async || {
        let message = refusal(&tier, &pod(NAME, "agora-app-0", "discourse", root())).await?;
        ensure!(message.contains("commonscloud-restricted"), "{message:?}");
        Ok(())
    })
    .await
}
