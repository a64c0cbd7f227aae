//! The example Platform, with what only this machine knows filled in.

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::local::Cluster;
use kube::api::DynamicObject;
use serde_json::{Value, json};

/// Fills in the Platforms among the objects: the base domain, the certificate authority, the
/// ingress's address, and the node as DNS server.
///
/// # Errors
/// When the cluster's certificate cannot be read.
pub(crate) fn fill_in(objects: &mut [DynamicObject], cluster: &Cluster) -> Result<(), Failure> {
    let certificate = std::fs::read_to_string(&cluster.ca_certificate)
        .map_err(|error| format!("{}: {error}", cluster.ca_certificate.display()))?;
    let is_platform = |object: &&mut DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == "Platform");
    for platform in objects.iter_mut().filter(is_platform) {
        let spec = &mut platform.data["spec"];
        spec["baseDomain"] = json!(cluster.base_domain);
        let Some(address) = cluster.node_ip else { continue };
        let node: Value = json!([{"ipBlock": {"cidr": format!("{address}/32")}}]);
        spec["exposure"]["caBundle"] = json!(certificate);
        spec["exposure"]["address"] = json!(address);
        spec["network"]["dns"] = node.clone();
        spec["network"]["public"] = node;
    }
    Ok(())
}
