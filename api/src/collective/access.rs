//! `Access`: who may enter a service.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Account, Removal};
use crate::Condition;
use crate::pattern::{DATE_PATTERN, LINE_PATTERN, MAIL_PATTERN};

/// Who may enter one service.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "Access",
    plural = "accesses",
    namespaced,
    status = "AccessStatus",
    derive = "PartialEq",
    doc = "Who may enter the service of the same name in this namespace. Its managers let members of the Entity's Collective in; the Collective's managers say who manages it. Who is not in the Collective is refused, unless as a guest until a date.",
    category = "commonscloud",
    printcolumn(name = "Users", type_ = "integer", json_path = ".status.users"),
    printcolumn(name = "Managers", type_ = "integer", json_path = ".status.managers"),
    printcolumn(name = "Guests", type_ = "integer", json_path = ".status.guests"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AccessSpec {
    /// Who may enter, by the ids of the Collective's members; a guest has an id of their own. An entry is not deleted:
    /// set its `removed`, and the operator does the rest.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 1000))]
    pub people: BTreeMap<String, AccessEntry>,
}

/// Somebody who may enter.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.guest) || has(self.until)").message("people[].until: a guest enters until a date; write it, for example 2027-01-31T00:00:00Z"),
    validation = Rule::new("!has(self.guest) || self.role == 'User'").message("people[].role: a guest is a User; who manages a service belongs to the Collective"),
    validation = Rule::new("has(self.guest) == has(oldSelf.guest)").message("people[].guest: cannot be added or taken away; remove this entry, and let the person in under another id")
)]
pub struct AccessEntry {
    /// `User`: enters. `Manager`: enters, and decides who else does.
    #[serde(default)]
    pub role: AccessRole,
    /// Until when. Absent: until it is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub until: Option<Time>,
    /// Of somebody who does not belong to the Collective: who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// Who let them in: the name by which the API server knows whoever writes this entry.
    #[schemars(length(min = 1, max = 320), regex(pattern = LINE_PATTERN))]
    pub by: String,
    /// Since when. The operator writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub since: Option<Time>,
    /// That somebody takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removal>,
}

/// What somebody may do in a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum AccessRole {
    /// Enter.
    #[default]
    User,
    /// Enter, and decide who else does.
    Manager,
}

/// Somebody who enters one service and does not belong to the Collective.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.mail) || has(self.account)").message("people[].guest: needs the mail address that the invitation goes to, or an account"),
    validation = Rule::new("!has(oldSelf.account) || (has(self.account) && self.account == oldSelf.account)").message("people[].guest.account: is bound once; let the person in again under another id")
)]
pub struct Guest {
    /// The name that others see.
    #[schemars(length(min = 1, max = 120), regex(pattern = LINE_PATTERN))]
    pub display_name: String,
    /// Where the invitation goes to. The operator takes it out once there is an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), regex(pattern = MAIL_PATTERN))]
    pub mail: Option<String>,
    /// Their account, once they accepted. The operator alone writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}

/// What the operator reports of who may enter.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: what follows from the spec is done: rights, removals, history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// How many enter as users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// How many manage it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managers: Option<u32>,
    /// How many of the users are guests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guests: Option<u32>,
    /// The names in the service's `managers` that were taken in once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub seeded: Vec<String>,
    /// The Collective's members by their ids, each with the name that others see and nothing else: whom a service's
    /// managers, who do not read the Collective, can let in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, String>,
}
