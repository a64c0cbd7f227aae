//! All objects of a namespace, in a form that two runs can be compared in.

use std::collections::BTreeMap;

use kube::api::{Api, ListParams};
use kube::core::{ApiResource, DynamicObject, TypeMeta};
use kube::discovery::{ApiGroup, Discovery, Scope, verbs};
use kube::{Client, ResourceExt as _};
use serde_json::{Map, Value};

use crate::failure::Outcome;

/// Kinds that the cluster's own controllers write, and that say nothing of the operator.
const NOT_OURS: [&str; 9] =
    ["Event", "Lease", "Endpoints", "EndpointSlice", "ControllerRevision", "ReplicaSet", "Pod", "Job", "PodMetrics"];

/// The kinds that can be listed in a namespace.
#[derive(Debug, Clone)]
pub struct Kinds(Vec<ApiResource>);

impl Kinds {
    /// Asks the API server which there are.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn discover(client: &Client) -> Outcome<Self> {
        let discovery = Discovery::new(client.clone()).run().await?;
        let resources = discovery.groups().flat_map(ApiGroup::recommended_resources);
        let kept = resources.filter(|(resource, capabilities)| {
            let ours = !NOT_OURS.contains(&resource.kind.as_str());
            ours && capabilities.scope == Scope::Namespaced && capabilities.supports_operation(verbs::LIST)
        });
        Ok(Self(kept.map(|(resource, _)| resource).collect()))
    }

    /// Every object in a namespace by `Kind/name`, as the API server has it.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn all(&self, client: &Client, namespace: &str) -> Outcome<BTreeMap<String, Value>> {
        let lists = self.0.iter().map(|resource| async {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
            let listed = api.list(&ListParams::default()).await?;
            let named = listed.items.into_iter().map(|mut object| {
                // Items of a list do not say what they are.
                object.types =
                    Some(TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() });
                let key = format!("{}/{}", resource.kind, object.name_any());
                Ok((key, serde_json::to_value(object)?))
            });
            named.collect::<Outcome<Vec<_>>>()
        });
        Ok(futures::future::try_join_all(lists).await?.into_iter().flatten().collect())
    }
}

/// What must be the same in two runs: everything but identities, times, generated values, and the
/// name `entity`, which becomes `ENTITY`. A Secret keeps the length of each value.
///
/// # Errors
/// When an object is no JSON any more after the names were replaced.
pub fn comparable(objects: &BTreeMap<String, Value>, entity: &str) -> Outcome<BTreeMap<String, Value>> {
    let mut result = BTreeMap::new();
    for (key, object) in objects {
        let mut object = object.clone();
        strip(&mut object);
        forget_identities(&mut object);
        if key.starts_with("Secret/") {
            lengths(&mut object["data"]);
        }
        let text = object.to_string().replace(entity, "ENTITY");
        result.insert(key.replace(entity, "ENTITY"), serde_json::from_str(&text)?);
    }
    Ok(result)
}

fn strip(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"] {
            metadata.remove(field);
        }
        for owner in metadata.get_mut("ownerReferences").and_then(Value::as_array_mut).into_iter().flatten() {
            owner["uid"] = Value::Null;
        }
        forget_controllers(metadata);
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    strip_spec(object);
}

/// Removes the annotations that the cluster's own controllers write: a claim applied with the one that
/// says it is bound, say, would be taken for one that lost its volume.
pub fn forget_controllers(metadata: &mut Map<String, Value>) {
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.contains("kubernetes.io/") && !key.contains("k8s.io/"));
    }
}

fn strip_spec(object: &mut Value) {
    for field in ["clusterIP", "clusterIPs", "volumeName", "ipFamilies"] {
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            spec.remove(field);
        }
    }
    for whose in ["/spec/owner", "/spec/entity"] {
        if let Some(whose) = object.pointer_mut(whose).and_then(Value::as_object_mut) {
            whose.remove("uid");
        }
    }
    for list in ["/spec/volumes", "/spec/secrets"] {
        let recorded = object.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for recorded in recorded.filter_map(Value::as_object_mut) {
            recorded.remove("uid");
            recorded.remove("volumeName");
        }
    }
}

/// Uids and times, wherever they stand: a record names those of what holds data.
fn forget_identities(value: &mut Value) {
    match value {
        Value::String(text) if is_uid(text.strip_prefix("pvc-").unwrap_or(text)) => *value = Value::from("a uid"),
        Value::String(text) if text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok() => {
            *value = Value::from("a time");
        }
        Value::Array(items) => items.iter_mut().for_each(forget_identities),
        Value::Object(fields) => fields.values_mut().for_each(forget_identities),
        _ => {}
    }
}

fn is_uid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hexadecimal = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(hexadecimal)
}

fn lengths(data: &mut Value) {
    if let Some(data) = data.as_object_mut() {
        let measured: Map<String, Value> =
            data.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str().map_or(0, str::len)))).collect();
        *data = measured;
    }
}

/// Where two runs differ, one line each; empty when they do not.
pub fn differences(expected: &BTreeMap<String, Value>, seen: &BTreeMap<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, wanted) in expected {
        match seen.get(key) {
            None => lines.push(format!("{key} is missing")),
            Some(found) if found != wanted => lines.push(format!("{key}: {}", first_difference("", wanted, found))),
            Some(_) => {}
        }
    }
    lines.extend(seen.keys().filter(|key| !expected.contains_key(*key)).map(|key| format!("{key} is one too many")));
    lines
}

/// The first path at which two values differ.
fn first_difference(path: &str, wanted: &Value, found: &Value) -> String {
    if let (Value::Object(left), Value::Object(right)) = (wanted, found) {
        let keys = left.keys().chain(right.keys());
        for key in keys {
            let (left, right) = (left.get(key).unwrap_or(&Value::Null), right.get(key).unwrap_or(&Value::Null));
            if left != right {
                return first_difference(&format!("{path}.{key}"), left, right);
            }
        }
    }
    if let (Value::Array(left), Value::Array(right)) = (wanted, found)
        && left.len() == right.len()
        && let Some(index) = (0..left.len()).find(|index| left[*index] != right[*index])
    {
        return first_difference(&format!("{path}[{index}]"), &left[index], &right[index]);
    }
    format!("{path} is {found} instead of {wanted}")
}

/// What must survive: uid and data of every PersistentVolumeClaim, and of every Secret that is no copy.
pub fn treasures(objects: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let holds_data = |key: &str| key.starts_with("Secret/") || key.starts_with("PersistentVolumeClaim/");
    let is_copy = |object: &Value| object["metadata"]["annotations"]["commonscloud.coop/source"].is_string();
    let kept = objects.iter().filter(|(key, object)| holds_data(key) && !is_copy(object));
    kept.map(|(key, object)| (key.clone(), serde_json::json!([object["metadata"]["uid"], object["data"]]))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_runs_differ_in_identities_and_times_and_that_says_nothing() {
        let of = |entity: &str, uid: &str, time: &str| {
            let spec = json!({"claims": [{"uid": uid, "volume": format!("pvc-{uid}"), "of": entity}], "until": time});
            let objects = BTreeMap::from([(format!("ServiceData/{entity}"), json!({"metadata": {}, "spec": spec}))]);
            comparable(&objects, entity).unwrap()
        };
        let first = of("first", "0f9b6a2e-1c2d-4e5f-8a9b-0c1d2e3f4a5b", "2026-11-29T10:00:00Z");
        let second = of("other", "1f9b6a2e-1c2d-4e5f-8a9b-0c1d2e3f4a5b", "2026-11-29T11:00:00.5Z");
        assert_eq!(differences(&first, &second), Vec::<String>::new());
        assert!(!differences(&first, &of("other", "none", "2026-11-29T11:00:00Z")).is_empty());
    }
}
