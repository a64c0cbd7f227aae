//! JSON schemas as kubeconform reads them: of Kubernetes' kinds from its own description of its API, of ours from their
//! definitions. A field that a schema does not name is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use commonscloud_e2e::{Failure, Outcome};
use commonscloud_operator::api::crds;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

/// Where kubeconform looks for the schema of a kind, below the folder.
pub const FILE: &str = "{{.Group}}-{{.ResourceKind}}-{{.ResourceAPIVersion}}.json";

/// What prometheus-operator's definition of the kind says of the fields that the chart writes.
const PROMETHEUS_RULE: &str = include_str!("prometheusrule.json");

/// `apiVersion` and `kind` of an object.
pub type Kind = (String, String);

/// Writes the schemas of these kinds into a folder. `descriptions` has those of Kubernetes' API, a file for each
/// version of a group.
pub fn write(folder: &Path, kinds: &BTreeSet<Kind>, descriptions: &Path) -> Outcome {
    let definitions = crds();
    for (api_version, kind) in kinds {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let schema = match definitions.iter().find(|crd| crd.spec.group == group && &crd.spec.names.kind == kind) {
            Some(definition) => of_definition(definition, version)?,
            None if kind == "PrometheusRule" => serde_json::from_str(PROMETHEUS_RULE)?,
            None => of_description(descriptions, group, version, kind)?,
        };
        // kubeconform takes the version of a kind without a group for its group.
        let group = if group.is_empty() { version } else { group };
        fs::write(folder.join(format!("{group}-{}-{version}.json", kind.to_lowercase())), schema.to_string())?;
    }
    Ok(())
}

fn of_definition(definition: &CustomResourceDefinition, version: &str) -> Outcome<Value> {
    let served = definition.spec.versions.iter().find(|served| served.name == version);
    let schema = served.and_then(|served| served.schema.as_ref()).map(|schema| &schema.open_api_v3_schema);
    let mut schema = serde_json::to_value(schema)?;
    // The API server adds what all objects have.
    for (field, of_type) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
        schema["properties"][field] = json!({"type": of_type});
    }
    close(&mut schema);
    Ok(schema)
}

fn of_description(descriptions: &Path, group: &str, version: &str, kind: &str) -> Outcome<Value> {
    let name = if group.is_empty() { format!("api__{version}") } else { format!("apis__{group}__{version}") };
    let file = descriptions.join(format!("{name}_openapi.json"));
    let text = fs::read(&file).map_err(|error| Failure::new(format!("{kind} of {group}/{version}: {error}")))?;
    let mut described: Value = serde_json::from_slice(&text)?;
    let mut schemas = described["components"]["schemas"].take();
    let is_it = |schema: &Value| {
        let wanted = json!({"group": group, "version": version, "kind": kind});
        schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.contains(&wanted))
    };
    let name =
        schemas.as_object().into_iter().flatten().find(|(_, schema)| is_it(schema)).map(|(name, _)| name.clone());
    let name = name.ok_or_else(|| Failure::new(format!("Kubernetes has no kind {kind} in {group}/{version}")))?;
    schemas.as_object_mut().into_iter().flat_map(|schemas| schemas.values_mut()).for_each(close);
    Ok(json!({"$ref": format!("#/components/schemas/{name}"), "components": {"schemas": schemas}}))
}

/// Refuses what a schema does not name, in it and all below, as the API server warns of unknown fields.
fn close(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let keeps_unknown = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    if schema.contains_key("properties") && !schema.contains_key("additionalProperties") && !keeps_unknown {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.values_mut().for_each(close);
    }
    for below in ["items", "additionalProperties"] {
        schema.get_mut(below).into_iter().for_each(close);
    }
}
