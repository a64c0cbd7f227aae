//! `LeaveRequest`: somebody leaves a collective by themselves.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::Condition;
use crate::pattern::LINE_PATTERN;

/// That somebody leaves.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "LeaveRequest",
    namespaced,
    status = "LeaveRequestStatus",
    derive = "PartialEq",
    doc = "The wish of a member to leave the namespace's Collective: made by themselves and for nobody else; the operator removes them, with all access, and then this object. Members read neither it nor the Collective.",
    category = "commonscloud",
    printcolumn(name = "User", type_ = "string", json_path = ".spec.user"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec: a request cannot be changed"))]
#[serde(rename_all = "camelCase")]
pub struct LeaveRequestSpec {
    /// Who leaves: the name by which the API server knows whoever makes this object.
    #[schemars(length(min = 1, max = 320), regex(pattern = LINE_PATTERN))]
    pub user: String,
}

/// What the operator reports of a request.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaveRequestStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` (`False`: the message says why they are still there).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
