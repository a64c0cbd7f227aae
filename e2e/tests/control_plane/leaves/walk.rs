//! The leaves of the CRDs: every field of a spec that holds a value and no further fields.

use std::collections::BTreeSet;
use std::path::Path;

use commonscloud_e2e::{Failure, Outcome, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// `Kind spec.path` of each leaf of each CRD in a folder; `[]` stands for the items of a list, `{}`
/// for the values of a map.
pub fn leaves(folder: &Path) -> Outcome<BTreeSet<String>> {
    let mut leaves = BTreeSet::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let crd: CustomResourceDefinition = serde_yaml::from_str(&std::fs::read_to_string(&path)?)?;
        for version in &crd.spec.versions {
            let root = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
            let spec = root.and_then(|root| root.properties.as_ref()?.get("spec"));
            let spec = spec.ok_or_else(|| Failure::new(format!("{}: no schema of a spec", path.display())))?;
            below(spec, &format!("{} spec", crd.spec.names.kind), &mut leaves);
        }
    }
    ensure!(!leaves.is_empty(), "{}: no CRD", folder.display());
    Ok(leaves)
}

fn below(schema: &JSONSchemaProps, path: &str, leaves: &mut BTreeSet<String>) {
    let fields = schema.properties.iter().flatten();
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        below(item, &format!("{path}[]"), leaves);
    } else if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
        below(value, &format!("{path}{{}}"), leaves);
    } else if fields.clone().next().is_none() {
        leaves.insert(path.to_owned());
    }
    for (name, field) in fields {
        below(field, &format!("{path}.{name}"), leaves);
    }
}
