//! Reads a rendered object as the API server will: known fields of the right type, and no other.

use k8s_openapi::api::{
    apps::v1 as apps, batch::v1 as batch, core::v1 as core, networking::v1 as networking, policy::v1 as policy,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::engine::shape::{self, Misfit};
use crate::fault::Problem;
use crate::rule::Rule;

/// Every field of the object that its kind does not have, and the first that has another type than
/// its own.
pub(crate) fn check(kind: &str, value: &Value) -> Vec<Problem> {
    let problems = match kind {
        "Deployment" => problems::<apps::Deployment>(value),
        "StatefulSet" => problems::<apps::StatefulSet>(value),
        "Service" => problems::<core::Service>(value),
        "ConfigMap" => problems::<core::ConfigMap>(value),
        "ServiceAccount" => problems::<core::ServiceAccount>(value),
        "Ingress" => problems::<networking::Ingress>(value),
        "NetworkPolicy" => problems::<networking::NetworkPolicy>(value),
        "CronJob" => problems::<batch::CronJob>(value),
        "Job" => problems::<batch::Job>(value),
        "PodDisruptionBudget" => problems::<policy::PodDisruptionBudget>(value),
        _ => vec![Problem::new(Rule::Kind, "kind", "not an allowed kind")],
    };
    problems.into_iter().map(|problem| Problem { field: by_name(&problem.field, value), ..problem }).collect()
}

fn problems<K: DeserializeOwned>(value: &Value) -> Vec<Problem> {
    let reading = shape::read::<K>(value);
    let mut problems: Vec<Problem> = reading.unknown.into_iter().map(unknown_field).collect();
    problems.extend(reading.typed.err().map(wrong_type));
    problems
}

/// A field that there is no place for.
pub(crate) fn unknown_field(misfit: Misfit) -> Problem {
    Problem::new(Rule::UnknownField, misfit.path, misfit.message)
}

/// A field of another type than its own.
pub(crate) fn wrong_type(misfit: Misfit) -> Problem {
    Problem::new(Rule::FieldType, misfit.path, misfit.message)
}

/// `spec.containers[0].image` as `spec.containers[app].image`, where the entry has a name: that is
/// what a template shows.
fn by_name(path: &str, value: &Value) -> String {
    let mut named = String::new();
    let mut here = Some(value);
    for part in path.split_inclusive(['.', '[', ']']) {
        let (key, end) = part.split_at(part.trim_end_matches(['.', '[', ']']).len());
        let at = key.parse::<usize>().ok().filter(|_| end.starts_with(']'));
        if !key.is_empty() {
            here = here.and_then(|here| at.map_or_else(|| here.get(key), |at| here.get(at)));
        }
        let name = at.and(here).and_then(|entry| entry.get("name")?.as_str());
        named += name.unwrap_or(key);
        named += end;
    }
    named
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_of_lists_are_called_by_their_names_where_they_have_one() {
        let value = json!({"spec": {"containers": [{"name": "app", "ports": [{"port": 1}]}, {"image": "b"}]}});
        for (path, named) in [
            ("spec.containers[0].ports[0].port", "spec.containers[app].ports[0].port"),
            ("spec.containers[1].image", "spec.containers[1].image"),
            ("spec.nothing[3].a", "spec.nothing[3].a"),
            ("metadata", "metadata"),
        ] {
            assert_eq!(by_name(path, &value), named);
        }
    }
}
