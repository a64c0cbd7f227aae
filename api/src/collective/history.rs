//! `AccessHistory`: who gave or took what, and when.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pattern::{DATE_PATTERN, LINE_PATTERN, NAME_PATTERN};

/// What changed in one month.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "AccessHistory",
    plural = "accesshistories",
    namespaced,
    derive = "PartialEq",
    doc = "Who gave or took what of belonging and access in the namespace's Entity, in one month and called like it (2026-12). The operator alone writes it, and deletes it once it is as old as the Platform's identity.keepHistoryDays says.",
    category = "commonscloud",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AccessHistorySpec {
    /// The changes, by a key that is made of what changed: the same change is never told twice.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 3000))]
    pub entries: BTreeMap<String, HistoryEntry>,
}

/// One change.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When.
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub at: Time,
    /// Who did it: the name by which the API server knows them.
    #[schemars(length(min = 1, max = 320), regex(pattern = LINE_PATTERN))]
    pub by: String,
    /// What.
    pub change: AccessChange,
    /// The id of whom it is about.
    #[schemars(length(min = 8, max = 26))]
    pub person: String,
    /// The name that others saw then. No mail address is kept here.
    #[schemars(length(min = 1, max = 120), regex(pattern = LINE_PATTERN))]
    pub display_name: String,
    /// The service, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub service: Option<String>,
}

/// What can change of belonging and access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AccessChange {
    /// Was invited to the Collective.
    Invited,
    /// Accepted: the account was bound.
    Accepted,
    /// Left, or was removed from the Collective.
    Removed,
    /// Became one of the Collective's managers.
    MadeManager,
    /// Is none of them any more.
    UnmadeManager,
    /// May enter the service.
    Admitted,
    /// Manages the service.
    Appointed,
    /// May not enter the service any more, or manages it no more.
    Dismissed,
}
