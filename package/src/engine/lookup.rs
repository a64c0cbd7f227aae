//! Parts of a rendered object by their path.

use std::collections::BTreeMap;

use serde_json::Value;

/// The list at a JSON pointer; empty where there is none.
pub(crate) fn items<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The name of a list's entry; empty where it has none.
pub(crate) fn name_of(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// The values of a map of plain texts, such as labels.
pub(crate) fn texts(value: Option<&Value>) -> BTreeMap<&str, &str> {
    let map = value.and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}
