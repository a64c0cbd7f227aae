//! Applies the manifests of `examples/`, with what only this machine knows filled in.

use std::path::Path;

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::local::Cluster;
use commonscloud_cluster::{Progress, apply as manifests};
use kube::Client;
use kube::api::DynamicObject;
use serde_json::{Value, json};

/// Applies `examples/` and `examples/templates/`.
pub(super) async fn apply(
    client: &Client,
    cluster: &Cluster,
    source: &Path,
    progress: &Progress,
) -> Result<(), Failure> {
    let phase = progress.phase("apply examples/");
    let examples = source.join("examples");
    let mut objects = manifests::read(&examples)?;
    objects.extend(manifests::read(&examples.join("templates"))?);
    let certificate = std::fs::read_to_string(&cluster.ca_certificate)
        .map_err(|error| format!("{}: {error}", cluster.ca_certificate.display()))?;
    for object in &mut objects {
        if object.types.as_ref().is_some_and(|types| types.kind == "Platform") {
            fill_in(object, cluster, &certificate);
        }
    }
    manifests::apply(client, objects).await?;
    phase.done();
    Ok(())
}

/// The base domain, the certificate authority, the ingress's address, and the node as DNS server.
fn fill_in(platform: &mut DynamicObject, cluster: &Cluster, certificate: &str) {
    let spec = &mut platform.data["spec"];
    spec["baseDomain"] = json!(cluster.base_domain);
    let Some(address) = cluster.node_ip else { return };
    let node: Value = json!([{"ipBlock": {"cidr": format!("{address}/32")}}]);
    spec["exposure"]["caBundle"] = json!(certificate);
    spec["exposure"]["address"] = json!(address);
    spec["network"]["dns"] = node.clone();
    spec["network"]["public"] = node;
}
