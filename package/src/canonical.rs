//! Objects in the form in which the API server gives them back.
//!
//! The API server rewrites quantities (`1024Mi` becomes `1Gi`) and leaves out empty values; a
//! comparison of desired and live objects is only stable when both have one form. What means
//! something while empty stays: `ingress: []` closes, `podSelector: {}` selects all.

use k8s_openapi::ByteString;
use serde_json::{Map, Value};

use commonscloud_api::values::Quantity;

pub mod digest;

/// Boolean fields that the API server leaves out when they are false.
const DROPPED_FALSE: [&str; 9] = [
    "readOnly",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "stdin",
    "stdinOnce",
    "tty",
    "publishNotReadyAddresses",
    "paused",
];

/// Number fields that the API server leaves out when they are 0.
const DROPPED_ZERO: [&str; 8] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
    "minReadySeconds",
    "hostPort",
    "nodePort",
];

/// Fields whose empty list or map means something.
const KEPT_EMPTY: [&str; 6] = ["emptyDir", "securityContext", "podSelector", "namespaceSelector", "ingress", "egress"];

/// Text fields whose empty text means something.
const KEPT_EMPTY_TEXT: [&str; 3] = ["storageClassName", "ingressClassName", "volumeName"];

/// Maps of free keys: each value stays as it is.
const FREE_MAPS: [&str; 9] = [
    "data",
    "binaryData",
    "stringData",
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "volumeAttributes",
    "parameters",
];

/// Maps whose values are quantities, wherever they stand.
const QUANTITY_MAPS: [&str; 8] =
    ["requests", "limits", "capacity", "hard", "max", "min", "defaultRequest", "maxLimitRequestRatio"];

/// Puts an object into the form in which the API server gives it back. Doing it twice changes
/// nothing more.
///
/// Quantities become canonical; null and empty values go, but those that mean something;
/// `stringData` becomes `data`.
pub fn canonicalize(value: &mut Value) {
    let Value::Object(object) = value else { return };
    encode_string_data(object);
    let limit_range = object.get("kind").is_some_and(|kind| kind == "LimitRange");
    for (key, field) in object.iter_mut() {
        if !FREE_MAPS.contains(&key.as_str()) {
            canonicalize_field(key, field, limit_range);
        }
    }
    object.retain(|key, field| !is_dropped(key, field));
}

fn canonicalize_field(key: &str, value: &mut Value, limit_range: bool) {
    match value {
        Value::Object(map) if QUANTITY_MAPS.contains(&key) || (limit_range && key == "default") => {
            map.values_mut().for_each(canonicalize_quantity);
        }
        Value::Object(map) => {
            for (key, field) in map.iter_mut() {
                if is_free_map(key, field) {
                    continue;
                }
                canonicalize_field(key, field, limit_range);
            }
            map.retain(|key, field| !is_dropped(key, field));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| canonicalize_field("", item, limit_range)),
        _ if key == "sizeLimit" => canonicalize_quantity(value),
        _ => {}
    }
}

/// A Service's `selector` is a map of texts, that of a Deployment is not.
fn is_free_map(key: &str, value: &Value) -> bool {
    let only_texts = || value.as_object().is_some_and(|map| map.values().all(Value::is_string));
    FREE_MAPS.contains(&key) || (key == "selector" && only_texts())
}

fn canonicalize_quantity(value: &mut Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if let Ok(quantity) = text.parse::<Quantity>() {
        *value = Value::from(quantity.to_string());
    }
}

/// Whether the field at this path of an object of `kind` is a quantity.
pub fn is_quantity(kind: &str, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let map = parents.last().map_or("", String::as_str);
    let in_map = QUANTITY_MAPS.contains(&map) || (kind == "LimitRange" && map == "default");
    (in_map || last == "sizeLimit") && !parents.iter().any(|part| FREE_MAPS.contains(&part.as_str()))
}

/// Whether two texts are the same amount: `1Gi` and `1073741824` are.
pub fn is_same_quantity(a: &Value, b: &Value) -> bool {
    let quantity = |value: &Value| value.as_str()?.parse::<Quantity>().ok();
    quantity(a).is_some_and(|a| quantity(b) == Some(a))
}

fn is_dropped(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(false) => DROPPED_FALSE.contains(&key),
        Value::Number(number) => number.as_u64() == Some(0) && DROPPED_ZERO.contains(&key),
        Value::String(text) => text.is_empty() && !KEPT_EMPTY_TEXT.contains(&key),
        Value::Array(items) => items.is_empty() && !KEPT_EMPTY.contains(&key),
        Value::Object(map) => map.is_empty() && !KEPT_EMPTY.contains(&key),
        Value::Bool(true) => false,
    }
}

/// `stringData` is written once and never shown again; `data` is what the API server keeps.
fn encode_string_data(object: &mut Map<String, Value>) {
    let Some(Value::Object(texts)) = object.remove("stringData") else { return };
    let data = object.entry("data").or_insert_with(|| Value::Object(Map::new()));
    for (key, text) in texts {
        let bytes = ByteString(text.as_str().unwrap_or_default().as_bytes().to_vec());
        if let (Ok(encoded), Some(data)) = (serde_json::to_value(bytes), data.as_object_mut()) {
            data.insert(key, encoded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn canonical(mut value: Value) -> Value {
        canonicalize(&mut value);
        let mut again = value.clone();
        canonicalize(&mut again);
        assert_eq!(again, value, "twice is once");
        value
    }

    #[test]
    fn quantities_are_canonical_wherever_they_stand() {
        let pod = json!({"spec": {"template": {"spec": {
            "containers": [{"resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": 2.0, "memory": "1000M"}}}],
            "volumes": [{"name": "a", "emptyDir": {"sizeLimit": "0.5Ti"}}]}}}});
        let expected = json!({"spec": {"template": {"spec": {
            "containers": [{"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1G"}}}],
            "volumes": [{"name": "a", "emptyDir": {"sizeLimit": "512Gi"}}]}}}});
        assert_eq!(canonical(pod), expected);
        let quota = json!({"kind": "ResourceQuota", "spec": {"hard": {"pods": 10, "requests.cpu": "1500m"}}});
        assert_eq!(canonical(quota)["spec"]["hard"], json!({"pods": "10", "requests.cpu": "1500m"}));
        let range = json!({"kind": "LimitRange", "spec": {"limits": [{"type": "Container", "default": {"cpu": 0.1}, "max": {"memory": "2048Ki"}}]}});
        assert_eq!(
            canonical(range)["spec"]["limits"][0],
            json!({"type": "Container", "default": {"cpu": "100m"}, "max": {"memory": "2Mi"}})
        );
    }

    #[test]
    fn empty_values_go_but_those_that_mean_something() {
        let policy = json!({"kind": "NetworkPolicy", "metadata": {"labels": {}, "creationTimestamp": null},
            "spec": {"podSelector": {}, "ingress": [], "egress": [{"to": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8", "except": []}}]}]}});
        let expected = json!({"kind": "NetworkPolicy", "metadata": {},
            "spec": {"podSelector": {}, "ingress": [], "egress": [{"to": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}]}});
        let mut expected_without_metadata = expected.clone();
        expected_without_metadata.as_object_mut().unwrap().remove("metadata");
        assert!([expected, expected_without_metadata].contains(&canonical(policy)));
        let pod = json!({"spec": {"replicas": 0, "template": {"spec": {"hostNetwork": false, "automountServiceAccountToken": false, "nodeSelector": {},
            "containers": [{"env": [{"name": "A", "value": ""}], "command": [], "securityContext": {},
                "volumeMounts": [{"name": "a", "readOnly": false, "subPath": ""}], "livenessProbe": {"initialDelaySeconds": 0, "periodSeconds": 5}}],
            "volumes": [{"name": "a", "emptyDir": {}}]}}}});
        let expected = json!({"spec": {"replicas": 0, "template": {"spec": {"automountServiceAccountToken": false,
            "containers": [{"env": [{"name": "A"}], "securityContext": {},
                "volumeMounts": [{"name": "a"}], "livenessProbe": {"periodSeconds": 5}}],
            "volumes": [{"name": "a", "emptyDir": {}}]}}}});
        assert_eq!(canonical(pod), expected);
    }

    #[test]
    fn free_maps_stay_as_they_are() {
        let map = json!({"kind": "ConfigMap", "metadata": {"annotations": {"limits": "", "memory": "1024Mi"}}, "data": {"empty": "", "limits": "1024Mi"}});
        assert_eq!(canonical(map.clone()), map);
        let service =
            json!({"kind": "Service", "spec": {"selector": {"requests": "1000m", "a": ""}, "clusterIP": "None"}});
        assert_eq!(canonical(service.clone()), service);
    }

    #[test]
    fn string_data_becomes_data() {
        let secret = json!({"kind": "Secret", "data": {"a": "YQ=="}, "stringData": {"b": "b"}});
        assert_eq!(canonical(secret), json!({"kind": "Secret", "data": {"a": "YQ==", "b": "Yg=="}}));
    }
}
