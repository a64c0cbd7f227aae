//! Compares the namespace of an Entity: made once, then repaired.

use serde_json::Value;

use super::{Action, Change, differences};
use crate::cache::Live;
use crate::kinds;

/// The write that a namespace of an Entity needs. One that is there is the Entity's: *resolve* has
/// looked.
pub fn compare_namespace(wanted: &Value, live: Option<&Live>) -> Option<Change> {
    let name = wanted.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let change = |action| Change { kind: kinds::NAMESPACE.kind.to_owned(), namespace: String::new(), name, action };
    let Some(live) = live else { return Some(change(Action::Create(wanted.clone()))) };
    let because = differences(kinds::NAMESPACE.kind, wanted, &live.value);
    if because.is_empty() {
        return None;
    }
    // The uid keeps an apply from making a namespace that was deleted meanwhile.
    let mut object = wanted.clone();
    object["metadata"]["uid"] = live.metadata.uid.clone().into();
    Some(change(Action::Apply { object, because }))
}
