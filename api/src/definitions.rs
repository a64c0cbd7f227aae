//! The CRDs, as objects and as the files of `crds/` and the chart.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;

use super::{
    DedicatedAgora, DedicatedOffice, DedicatedProjects, DedicatedService, Entity, Platform, ServiceData,
    ServiceTemplate, ServiceTemplateRevision, Tariff, pattern,
};

/// A generated file: its name and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdFile {
    /// Its name, for example `entities.yaml`.
    pub name: String,
    /// YAML, the same for the same types.
    pub text: String,
}

/// Every CRD of this API.
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        Platform::crd(),
        Tariff::crd(),
        ServiceTemplate::crd(),
        ServiceTemplateRevision::crd(),
        Entity::crd(),
        DedicatedOffice::crd(),
        DedicatedAgora::crd(),
        DedicatedProjects::crd(),
        DedicatedService::crd(),
        ServiceData::crd(),
    ];
    for schema in crds.iter_mut().flat_map(|crd| &mut crd.spec.versions).filter_map(|version| version.schema.as_mut()) {
        if let Some(root) = &mut schema.open_api_v3_schema {
            each(root, unwrap_lines);
            each(root, pattern::into_rule);
        }
    }
    crds
}

/// One file per kind, named by its plural.
///
/// # Errors
/// When a schema cannot be written as YAML.
pub fn crd_files() -> Result<Vec<CrdFile>, serde_yaml::ser::Error> {
    let file = |crd: &CustomResourceDefinition| {
        let text = serde_yaml::to_string(crd)?;
        Ok(CrdFile { name: format!("{}.yaml", crd.spec.names.plural), text })
    };
    crds().iter().map(file).collect()
}

/// Changes a schema and all below it.
fn each(schema: &mut JSONSchemaProps, change: fn(&mut JSONSchemaProps)) {
    change(schema);
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(|field| each(field, change));
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => each(item, change),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(|item| each(item, change)),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &mut schema.additional_properties {
        each(value, change);
    }
}

/// Joins the lines of each paragraph of the description: `kubectl explain` wraps by itself.
fn unwrap_lines(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs: Vec<String> = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *description = paragraphs.join("\n\n");
    }
}
