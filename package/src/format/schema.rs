//! The schema of ServiceTemplate, as the API server holds it, for packages that are files yet.

use kube::CustomResourceExt as _;
use serde_json::Value;

use crate::fault::Fault;
use crate::format::lines;
use crate::rule::Rule;
use commonscloud_api::ServiceTemplate;

/// Every field of the package's spec that has another type, length, range or pattern than its own.
pub(crate) fn faults(package: &Value) -> Vec<Fault> {
    let definition = ServiceTemplate::crd();
    let schema = definition.spec.versions.first().and_then(|version| version.schema.as_ref());
    let schema = schema.and_then(|schema| serde_json::to_value(&schema.open_api_v3_schema).ok());
    let schema = schema.and_then(|schema| schema.pointer("/properties/spec").cloned()).unwrap_or_default();
    let Ok(validator) = jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex()).build(&schema)
    else {
        // A test holds that it can be read.
        return Vec::new();
    };
    let Some(spec) = package.get("spec") else {
        return vec![Fault::package(Rule::Schema, "spec", "spec: is missing")];
    };
    validator
        .iter_errors(spec)
        .map(|error| {
            let field = lines::path(error.instance_path().as_str());
            let shown: String = error.to_string().chars().take(400).collect();
            Fault::package(Rule::Schema, format!("spec{field}"), format!("spec{field}: {shown}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_that_is_wrong_is_named() {
        let fields: Vec<String> = faults(&json!({"spec": {
            "title": {"en": "A"}, "versions": [{"name": "1", "images": []}], "components": "none",
            "manifests": [{"name": "A.yaml", "template": "x", "objects": [{"kind": "Service", "name": "a"}]}],
        }}))
        .into_iter()
        .map(|fault| fault.field)
        .collect();
        assert_eq!(fields.len(), 3, "{fields:?}");
        for field in ["spec.versions[0].images", "spec.components", "spec.manifests[0].name"] {
            assert!(fields.iter().any(|found| found == field), "{field}: {fields:?}");
        }
    }
}
