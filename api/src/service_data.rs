//! `ServiceData`: what an instance's data is; it outlives the instance.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an instance's data is, made before the first volume.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "ServiceData",
    plural = "servicedata",
    namespaced,
    derive = "PartialEq",
    doc = "The record of an instance's data: its volumes and generated Secrets. Written by the operator before the first volume, kept after the instance is gone; applying the same resource again adopts it.",
    shortname = "sdata",
    category = "commonscloud",
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner.kind"),
    printcolumn(name = "Template", type_ = "string", json_path = ".spec.template"),
    printcolumn(name = "Version", type_ = "string", json_path = ".spec.version"),
    printcolumn(name = "Keep until", type_ = "string", json_path = ".spec.keepUntil"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDataSpec {
    /// The instance that the data belongs to, or belonged to.
    pub owner: DataOwner,
    /// The template that the instance was made from.
    #[schemars(length(min = 1, max = 30))]
    pub template: String,
    /// The revision that last ran on the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub revision: Option<String>,
    /// The application's version that last ran on the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub version: Option<String>,
    /// The database engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub engine: Option<String>,
    /// The volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<DataVolume>,
    /// The generated Secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<DataSecret>,
    /// Until when the data stays. Absent while the instance exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_until: Option<Time>,
}

/// The instance that data belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataOwner {
    /// Its kind, for example `DedicatedOffice`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its name.
    #[schemars(length(min = 1, max = 30))]
    pub name: String,
    /// The uid it had when it last owned the data.
    #[schemars(length(min = 1, max = 63))]
    pub uid: String,
}

/// A volume that holds data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataVolume {
    /// The volume's name in the template.
    #[schemars(length(min = 1, max = 30))]
    pub name: String,
    /// The PersistentVolumeClaim's name.
    #[schemars(length(min = 1, max = 253))]
    pub claim: String,
}

/// A generated Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataSecret {
    /// The secret's name in the template.
    #[schemars(length(min = 1, max = 30))]
    pub name: String,
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub secret: String,
}
