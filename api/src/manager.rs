//! Who manages an Entity or a service.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{LINE_PATTERN, MAIL_PATTERN, PERSON_PATTERN};

/// Somebody who manages an Entity or a service.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manager {
    /// Short name of the person, unique in this list; shown in the status of each service.
    #[schemars(length(min = 1, max = 63), regex(pattern = PERSON_PATTERN))]
    pub name: String,
    /// Mail address: shown beside the name, and given to the services. The agora makes its
    /// administrators of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), regex(pattern = MAIL_PATTERN))]
    pub mail: Option<String>,
    /// The Kubernetes user or group that may look at the Entity's resources with `kubectl`: addresses,
    /// sizes, and why something is not ready; no passwords, no changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<ManagerSubject>,
}

/// A Kubernetes user or group.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagerSubject {
    /// `User` or `Group`.
    pub kind: SubjectKind,
    /// Its name as the API server knows it; never one of the system's own.
    #[schemars(length(min = 1, max = 253), regex(pattern = LINE_PATTERN))]
    #[x_kube(validation = Rule::new("!self.startsWith('system:')").message("managers[].subject.name: names that begin with system: belong to Kubernetes"))]
    pub name: String,
}

/// The kind of a Kubernetes subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SubjectKind {
    /// One user.
    User,
    /// A group of users.
    Group,
}
