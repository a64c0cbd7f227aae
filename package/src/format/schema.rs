//! The schema of ServiceTemplate, as the API server holds it, for packages that are files yet.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use kube::CustomResourceExt as _;
use serde_json::Value;

use crate::fault::{Fault, field_path};
use crate::rule::Rule;
use commonscloud_api::{ServiceTemplate, allowed_by};

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
            let field = field_path(error.instance_path().as_str());
            let shown: String = shown(&error).chars().take(400).collect();
            Fault::package(Rule::Schema, format!("spec{field}"), format!("spec{field}: {shown}"))
        })
        .collect()
}

/// In the words in which the API server refuses it.
fn shown(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Pattern { pattern } => match allowed_by(pattern) {
            Some(allowed) => format!("{} does not fit; {allowed}", error.instance()),
            None => error.to_string(),
        },
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_is_told_in_words() {
        let error = faults(&json!({"spec": {"manifests": [{"name": "A.yaml", "template": "x", "objects": []}]}}));
        let name = error.iter().find(|fault| fault.field == "spec.manifests[0].name").unwrap();
        let says = name.to_string();
        assert!(says.contains("\"A.yaml\" does not fit; allowed: ") && !says.contains('^'), "{says}");
    }

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
