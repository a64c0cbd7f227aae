//! `ServiceData`: what an instance's data is; it outlives the instance.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Condition;
use super::pattern::{DATE_PATTERN, LINE_PATTERN};

/// What an instance's data consists of; written before the first volume.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "ServiceData",
    plural = "servicedata",
    namespaced,
    status = "ServiceDataStatus",
    derive = "PartialEq",
    doc = "The record of an instance's data: its volumes and generated Secrets. Written by the operator before the first volume, kept after the instance is gone; applying the same resource again adopts it.",
    shortname = "sdata",
    category = "commonscloud",
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner.kind"),
    printcolumn(name = "Template", type_ = "string", json_path = ".spec.template"),
    printcolumn(name = "Version", type_ = "string", json_path = ".spec.version"),
    printcolumn(name = "Keep until", type_ = "string", json_path = ".spec.keepUntil"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDataSpec {
    /// The instance that the data belongs to, or belonged to.
    pub owner: DataOwner,
    /// The Entity that the data belongs to, and what tells it from another one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<DataEntity>,
    /// The template that the instance was made from.
    #[schemars(length(min = 1, max = 30))]
    pub template: String,
    /// The revision that the data was last migrated by. Absent until a first installation has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub revision: Option<String>,
    /// The application's version that the data has: the last one whose workloads became ready on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub version: Option<String>,
    /// The images that the data runs on whose tags are not those of its version in the template: they
    /// stay until the Platform names others for that version. Absent in records of an earlier release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub images: Option<Vec<DataImage>>,
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
    /// Until when the data stays, in RFC 3339, before the year 9999. Absent while the instance exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub keep_until: Option<Time>,
    /// Why the volumes and Secrets are being replaced, for example after the loss of a disk. While it
    /// is set nothing is created, and nothing is reported missing. `commonscloud data rebind` sets
    /// and removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = LINE_PATTERN))]
    pub restoring: Option<String>,
}

impl ServiceDataSpec {
    /// Whether any volume or Secret is recorded by its uid. False: the record is new, or was
    /// written by a release that recorded names alone.
    pub fn has_uids(&self) -> bool {
        self.volumes.iter().any(|volume| volume.uid.is_some()) || self.secrets.iter().any(|secret| secret.uid.is_some())
    }
}

/// The Entity that data belongs to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataEntity {
    /// Its uid. Absent in records of an earlier release whose Entity was gone before they were completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub uid: Option<String>,
    /// Its name as people write it.
    #[schemars(length(min = 1, max = 120), regex(pattern = LINE_PATTERN))]
    pub display_name: String,
    /// Its domains. Absent where they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub domains: Option<Vec<String>>,
    /// The short names of its managers. Absent where they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub managers: Option<Vec<String>>,
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

/// An image that the data runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataImage {
    /// The image's name in the template.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The reference that is used.
    #[schemars(length(min = 1, max = 512))]
    pub reference: String,
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
    /// The PersistentVolumeClaim's uid, once it was bound. A claim with another uid is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub uid: Option<String>,
    /// The PersistentVolume that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub volume_name: Option<String>,
    /// The uid of the claim whose place this one took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub former_uid: Option<String>,
}

/// A generated Secret, and those that hold the keys that came later.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSecret {
    /// The secret's name in the template.
    #[schemars(length(min = 1, max = 30))]
    pub name: String,
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub secret: String,
    /// The Secret's uid. A Secret with another uid is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub uid: Option<String>,
    /// The keys that it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub keys: Vec<String>,
    /// The uid of the Secret whose place this one took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub former_uid: Option<String>,
    /// The Secrets that hold the keys of later revisions: a generated Secret is never changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["secret".into()]))]
    pub further: Vec<FurtherSecret>,
}

/// A Secret that holds keys which a later revision added.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FurtherSecret {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub secret: String,
    /// The Secret's uid. A Secret with another uid is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub uid: Option<String>,
    /// The keys that it holds.
    #[schemars(length(min = 1, max = 32), inner(length(max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub keys: Vec<String>,
    /// The uid of the Secret whose place this one took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub former_uid: Option<String>,
}

/// What the operator reports of an instance's data.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDataStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where in its life the data is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DataState>,
    /// `Ready`, `Reconciling`, `Stalled` (kstatus), and `Unverified`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Where in its life an instance's data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DataState {
    /// It is recorded what is to be made; nothing exists yet.
    Planned,
    /// Volumes or Secrets exist; no application was ready on them yet.
    Made,
    /// An instance uses it.
    InUse,
    /// Its volumes and Secrets are being replaced.
    Restoring,
    /// Its instance is gone; it stays until its date.
    KeptUntil,
    /// Its date has passed.
    Due,
    /// It was removed after its date.
    Purged,
}

/// The state's word.
impl fmt::Display for DataState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
