//! The CRDs, as objects and as the files of `crds/` and the chart.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::{
    Access, AccessHistory, Collective, DedicatedAgora, DedicatedOffice, DedicatedProjects, DedicatedService, Entity,
    LeaveRequest, Platform, RestoreConsent, ServiceBackup, ServiceData, ServiceRestore, ServiceTemplate,
    ServiceTemplateRevision, Tariff, pattern,
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
    finished(vec![
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
        ServiceBackup::crd(),
        ServiceRestore::crd(),
        RestoreConsent::crd(),
        Collective::crd(),
        Access::crd(),
        AccessHistory::crd(),
        LeaveRequest::crd(),
    ])
}

/// What derived schemas cannot say by themselves.
pub(crate) fn finished(mut crds: Vec<CustomResourceDefinition>) -> Vec<CustomResourceDefinition> {
    for schema in crds.iter_mut().flat_map(|crd| &mut crd.spec.versions).filter_map(|version| version.schema.as_mut()) {
        if let Some(root) = &mut schema.open_api_v3_schema {
            each(root, unwrap_lines);
            each(root, pattern::into_rule);
            await_status(root);
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

/// What nobody has reported on yet is in progress, for who waits by kstatus: without a status it would
/// count as done.
fn await_status(root: &mut JSONSchemaProps) {
    if let Some(status) = root.properties.as_mut().and_then(|properties| properties.get_mut("status")) {
        status.default = Some(JSON(json!({"observedGeneration": -1})));
    }
}

/// Joins the lines of each paragraph of the description: `kubectl explain` wraps by itself.
fn unwrap_lines(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs: Vec<String> = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *description = paragraphs.join("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// kstatus: an object is in progress while `status.observedGeneration` is not its generation.
    #[test]
    fn what_has_a_status_is_in_progress_before_the_first_one() {
        let mut reported = Vec::new();
        for crd in crds() {
            let version = &crd.spec.versions[0];
            let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            let status = schema.properties.as_ref().unwrap().get("status");
            let has_subresource = version.subresources.as_ref().is_some_and(|of| of.status.is_some());
            assert_eq!(status.is_some(), has_subresource, "{}", crd.spec.names.kind);
            let Some(status) = status else { continue };
            assert_eq!(status.default, Some(JSON(json!({"observedGeneration": -1}))), "{}", crd.spec.names.kind);
            // The API server takes a default only that its own schema allows.
            assert!(status.required.as_ref().is_none_or(Vec::is_empty), "{}", crd.spec.names.kind);
            assert!(status.properties.as_ref().unwrap()["observedGeneration"].minimum.is_none());
            reported.push(crd.spec.names.plural);
        }
        assert_eq!(reported.len(), 14, "{reported:?}");
    }
}
