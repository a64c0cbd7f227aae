//! What is known of a person, wherever they stand.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::pattern::{DATE_PATTERN, ISSUER_PATTERN, LINE_PATTERN};

/// A person's account at the identity provider: bound once, when they accept their invitation, by the operator alone.
/// Neither mail address nor user name is part of it: both can be given to somebody else.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The issuer (OpenID Connect).
    #[schemars(length(max = 512), regex(pattern = ISSUER_PATTERN))]
    pub issuer: String,
    /// The subject (`sub`) at this issuer.
    #[schemars(length(min = 1, max = 255), regex(pattern = LINE_PATTERN))]
    pub subject: String,
    /// The name by which the API server knows the person: the prefix that its own configuration sets, and the subject.
    #[schemars(length(min = 1, max = 320), regex(pattern = LINE_PATTERN))]
    pub user: String,
}

/// That somebody took an entry away. The operator does what follows from it, moves it to the history, and only then
/// takes the entry out of the map.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Removal {
    /// Who did: the name by which the API server knows them.
    #[schemars(length(min = 1, max = 320), regex(pattern = LINE_PATTERN))]
    pub by: String,
    /// When, as the operator saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub at: Option<Time>,
}
