//! Typed doors to the project's kinds and to any other, by kind.

use std::collections::BTreeMap;

use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;

use commonscloud_operator::api::{GROUP, VERSION};

use crate::failure::{Failure, Outcome};

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
        "Access" => "accesses".to_owned(),
        "AccessHistory" => "accesshistories".to_owned(),
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
    let resource = pinned(client, group, version, kind).await?;
    Ok(Api::namespaced_with(client.clone(), namespace, &resource))
}

async fn pinned(client: &Client, group: &str, version: &str, kind: &str) -> Outcome<ApiResource> {
    let kind = GroupVersionKind::gvk(group, version, kind);
    Ok(kube::discovery::pinned_kind(client, &kind).await?.0)
}

/// Doors to the kinds of some objects.
pub struct Doors {
    client: Client,
    /// By `apiVersion` and `kind`.
    resources: BTreeMap<(String, String), ApiResource>,
}

impl Doors {
    /// Asks the API server for the kinds of `objects`.
    ///
    /// # Errors
    /// When it does not know one.
    pub async fn discover(client: &Client, objects: &[Value]) -> Outcome<Self> {
        let mut resources = BTreeMap::new();
        for (api_version, kind) in objects.iter().map(kind_of) {
            let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
            if !resources.contains_key(&(api_version.clone(), kind.clone())) {
                let resource = pinned(client, group, version, &kind).await?;
                resources.insert((api_version, kind), resource);
            }
        }
        Ok(Self { client: client.clone(), resources })
    }

    /// Server-side apply of an object of one of the kinds.
    ///
    /// # Errors
    /// The refusal.
    pub async fn apply(&self, object: &Value, parameters: &PatchParams) -> Outcome {
        let known = self.resources.get(&kind_of(object));
        let resource = known.ok_or_else(|| Failure::new(format!("no kind {}", object["kind"])))?;
        let metadata = &object["metadata"];
        let api: Api<DynamicObject> = match metadata["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        };
        api.patch(metadata["name"].as_str().unwrap_or_default(), parameters, &Patch::Apply(object)).await?;
        Ok(())
    }
}

fn kind_of(object: &Value) -> (String, String) {
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    (text("apiVersion"), text("kind"))
}
