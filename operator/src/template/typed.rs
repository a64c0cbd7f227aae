//! Reads a rendered object as the API server will: known fields of the right type, and no other.

use k8s_openapi::api::{
    apps::v1 as apps, batch::v1 as batch, core::v1 as core, networking::v1 as networking, policy::v1 as policy,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::fault::Problem;
use super::rule::Rule;

/// Whether the object has only fields that its kind has, each of its type.
///
/// # Errors
/// The first field that is unknown or of another type.
pub(super) fn check(kind: &str, value: &Value) -> Result<(), Problem> {
    match kind {
        "Deployment" => as_type::<apps::Deployment>(value),
        "StatefulSet" => as_type::<apps::StatefulSet>(value),
        "Service" => as_type::<core::Service>(value),
        "ConfigMap" => as_type::<core::ConfigMap>(value),
        "ServiceAccount" => as_type::<core::ServiceAccount>(value),
        "Ingress" => as_type::<networking::Ingress>(value),
        "NetworkPolicy" => as_type::<networking::NetworkPolicy>(value),
        "CronJob" => as_type::<batch::CronJob>(value),
        "Job" => as_type::<batch::Job>(value),
        "PodDisruptionBudget" => as_type::<policy::PodDisruptionBudget>(value),
        _ => Err(Problem::new(Rule::Kind, "kind", "not an allowed kind")),
    }
}

fn as_type<K: DeserializeOwned + Serialize>(value: &Value) -> Result<(), Problem> {
    read::<K>(value).map(|_| ())
}

/// Reads a value as a type, which must have a place for every field.
///
/// # Errors
/// The first field that is unknown or of another type.
pub(super) fn read<K: DeserializeOwned + Serialize>(value: &Value) -> Result<K, Problem> {
    let typed: K = serde_json::from_value(value.clone()).map_err(|error| wrong_type(&error.to_string()))?;
    let known =
        serde_json::to_value(&typed).map_err(|error| Problem::new(Rule::FieldType, "spec", error.to_string()))?;
    match unknown_field(value, &known, "") {
        Some(field) => Err(Problem::new(Rule::UnknownField, field, "no such field in this kind")),
        None => Ok(typed),
    }
}

/// serde names the value and not its field.
fn wrong_type(error: &str) -> Problem {
    let value = error.split(['"', '`']).nth(1).map(str::to_owned);
    Problem { value, ..Problem::new(Rule::FieldType, "spec", format!("a field has the wrong type: {error}")) }
}

/// The first path of `value` that reading and writing it as its type lost.
fn unknown_field(value: &Value, known: &Value, path: &str) -> Option<String> {
    match (value, known) {
        (Value::Object(fields), Value::Object(known)) => fields.iter().find_map(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match known.get(key) {
                Some(known) => unknown_field(value, known, &path),
                None if is_empty(value) => None,
                None => Some(path),
            }
        }),
        (Value::Array(items), Value::Array(known)) => items
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(at, (item, known))| unknown_field(item, known, &format!("{path}[{at}]"))),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
