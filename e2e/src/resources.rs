//! Typed doors to the project's kinds and to any other, by kind.

use kube::Client;
use kube::api::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};

use commonscloud_operator::api::{GROUP, VERSION};

use crate::failure::Outcome;

/// A cluster-scoped kind of the project's.
pub fn ours(client: &Client, kind: &str) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource(kind))
}

/// A namespaced kind of the project's.
pub fn ours_in(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource(kind))
}

fn resource(kind: &str) -> ApiResource {
    let kind_of_group = GroupVersionKind::gvk(GROUP, VERSION, kind);
    let plural = match kind {
        "Entity" => "entities".to_owned(),
        "ServiceData" => "servicedata".to_owned(),
        "DedicatedProjects" => "dedicatedprojects".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    };
    ApiResource::from_gvk_with_plural(&kind_of_group, &plural)
}

/// Any kind, as the API server knows it.
///
/// # Errors
/// When the API server does not know it.
pub async fn any_in(
    client: &Client,
    group: &str,
    version: &str,
    kind: &str,
    namespace: &str,
) -> Outcome<Api<DynamicObject>> {
    let kind = GroupVersionKind::gvk(group, version, kind);
    let (resource, _) = kube::discovery::pinned_kind(client, &kind).await?;
    Ok(Api::namespaced_with(client.clone(), namespace, &resource))
}
