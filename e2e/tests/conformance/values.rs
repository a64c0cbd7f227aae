//! What a value of the chart makes of the objects that it is for.

use commonscloud_cluster::folders;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

use crate::rendered::{self, Manifests};

/// The operator's own.
const NAME: &str = "commonscloud-operator";

/// The API server, the ingress and the kubelets are reached at the ports of the values, and at no others.
pub async fn egress_ports_are_opened() -> Outcome {
    for (values, ports) in [
        (json!({}), vec![443, 6443, 10250]),
        (json!({"networkPolicy": {"egressPorts": [8443, 16443]}}), vec![8443, 16443]),
    ] {
        let policy = rendered("NetworkPolicy", &values).await?;
        let dns = [json!({"protocol": "UDP", "port": 53}), json!({"protocol": "TCP", "port": 53})];
        let named = ports.iter().map(|port| json!({"protocol": "TCP", "port": port}));
        let expected: Vec<Value> = dns.into_iter().chain(named).collect();
        ensure_eq!(policy["spec"]["egress"], json!([{"ports": expected}]), "{values}: what the operator may reach");
    }
    Ok(())
}

/// The operator listens where the values say, and is asked there: by the kubelet, by whoever reads the metrics.
pub async fn listens_where_it_is_told() -> Outcome {
    let from = json!([{"podSelector": {}}]);
    for (listen, argument, port) in [
        (json!({}), "--listen=0.0.0.0:8080", 8080),
        (json!({"address": "::", "port": 9090}), "--listen=[::]:9090", 9090),
    ] {
        let values = json!({"listen": listen, "networkPolicy": {"metricsFrom": from}});
        let deployment = rendered("Deployment", &values).await?;
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let is_told = container["args"].as_array().is_some_and(|words| words.contains(&json!(argument)));
        ensure!(is_told, "{values}: no {argument} among {}", container["args"]);
        ensure_eq!(
            container["ports"],
            json!([{"name": "http", "containerPort": port}]),
            "{values}: the container's ports"
        );
        let service = rendered("Service", &values).await?;
        let ports = json!([{"name": "http", "port": port, "targetPort": "http"}]);
        ensure_eq!(service["spec"]["ports"], ports, "{values}: the Service's ports");
        let policy = rendered("NetworkPolicy", &values).await?;
        let ingress = json!([{"from": from, "ports": [{"protocol": "TCP", "port": port}]}]);
        ensure_eq!(policy["spec"]["ingress"], ingress, "{values}: who may read the metrics");
    }
    Ok(())
}

/// The operator's object of a kind, with these values.
async fn rendered(kind: &str, values: &Value) -> Outcome<Value> {
    let text = rendered::chart(&folders::source(None)?, values, &[]).await?;
    let objects = Manifests { of: "the chart", text }.objects()?;
    let object = objects.into_iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == NAME);
    object.ok_or_else(|| Failure::new(format!("the chart has no {kind} {NAME}")))
}
