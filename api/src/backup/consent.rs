//! `RestoreConsent`: an Entity lets another one have a snapshot of its own.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::Condition;
use crate::pattern::{DATE_PATTERN, LINE_PATTERN, NAME_PATTERN, SNAPSHOT_PATTERN};

/// An Entity's consent that another one restores a snapshot.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "RestoreConsent",
    namespaced,
    status = "RestoreConsentStatus",
    derive = "PartialEq",
    doc = "The consent of the namespace's Entity that another Entity restores one snapshot of one of its services, until a date: without it nothing is copied, and deleting it takes it back until the copy is complete.",
    shortname = "rconsent",
    category = "commonscloud",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.service"),
    printcolumn(name = "To", type_ = "string", json_path = ".spec.entity"),
    printcolumn(name = "Until", type_ = "string", json_path = ".spec.until"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec: a consent cannot be changed; make another RestoreConsent, and delete this one"))]
#[serde(rename_all = "camelCase")]
pub struct RestoreConsentSpec {
    /// Name of the service in this namespace.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub service: String,
    /// The snapshot, as in `status.snapshot` of its ServiceBackup.
    #[schemars(length(min = 64, max = 64), regex(pattern = SNAPSHOT_PATTERN))]
    pub snapshot: String,
    /// Name of the Entity that may restore it: the one that has this name when the consent is given.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub entity: String,
    /// Until when a copy may begin.
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub until: Time,
    /// Who consents: the name by which the API server knows whoever makes this object.
    #[schemars(length(min = 1, max = 253), regex(pattern = LINE_PATTERN))]
    pub requested_by: String,
}

/// What the operator reports of a consent.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreConsentStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: it holds, or was used (`False`: it has run out, or what it names is not there).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The ServiceRestore that used it last, as `ENTITY/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<String>,
    /// When the snapshot was copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Time>,
}
