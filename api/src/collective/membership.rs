//! `Collective`: who belongs to an Entity.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Account, Removal};
use crate::Condition;
use crate::pattern::{DATE_PATTERN, LINE_PATTERN, MAIL_PATTERN};

/// The people of an Entity.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "Collective",
    namespaced,
    status = "CollectiveStatus",
    derive = "PartialEq",
    doc = "The people of the namespace's Entity (Col·lectiu), one per Entity, always called collective. Its managers decide who belongs; belonging gives no access to a service by itself.",
    shortname = "coll",
    category = "commonscloud",
    validation = Rule::new("self.metadata.name == 'collective'").message("metadata.name: an Entity has one Collective, which the operator makes and calls collective; change that one"),
    printcolumn(name = "Members", type_ = "integer", json_path = ".status.members"),
    printcolumn(name = "Invited", type_ = "integer", json_path = ".status.invited"),
    printcolumn(name = "Managers", type_ = "integer", json_path = ".status.managers"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CollectiveSpec {
    /// Who belongs, by an id of ours: 8 to 26 of a-z and 0-9, chosen at random by whoever invites, and never used for
    /// anybody else. An entry is not deleted: set its `removed`, and the operator does the rest.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 1000))]
    pub members: BTreeMap<String, Member>,
    /// Those of the members who decide who belongs, and who manages each service. The last one stays.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    pub managers: BTreeMap<String, CollectiveManager>,
}

impl Collective {
    /// The name that every one has.
    pub const NAME: &'static str = "collective";
}

/// Somebody who belongs.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.mail) || has(self.account)").message("members[]: needs the mail address that the invitation goes to, or an account"),
    validation = Rule::new("!has(oldSelf.account) || (has(self.account) && self.account == oldSelf.account)").message("members[].account: is bound once; invite the person again under another id")
)]
pub struct Member {
    /// The name that others see.
    #[schemars(length(min = 1, max = 120), regex(pattern = LINE_PATTERN))]
    pub display_name: String,
    /// Where the invitation goes to. The operator takes it out once there is an account: from then on the person's
    /// address is what they say at the identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), regex(pattern = MAIL_PATTERN))]
    pub mail: Option<String>,
    /// The person's account, once they accepted. The operator alone writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// Who invited them: the name by which the API server knows whoever writes this entry.
    #[schemars(length(min = 1, max = 320), regex(pattern = LINE_PATTERN))]
    pub by: String,
    /// Since when they are on the list. The operator writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub since: Option<Time>,
    /// That somebody removes them, with all access that they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removal>,
}

/// A member who manages the collective.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectiveManager {
    /// Who named them: the name by which the API server knows whoever writes this entry.
    #[schemars(length(min = 1, max = 320), regex(pattern = LINE_PATTERN))]
    pub by: String,
    /// Since when. The operator writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub since: Option<Time>,
    /// That somebody takes this away; they stay a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removal>,
}

/// What the operator reports of a collective.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectiveStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`: what follows from the spec is done: rights, removals, history. `ManagersAsNamed`: present only while the Entity
    /// names others (`False`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// How many accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u32>,
    /// How many are invited and did not accept yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited: Option<u32>,
    /// How many manage it and can sign in, or are known to the cluster by the Entity's own list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managers: Option<u32>,
    /// The names in the Entity's `managers` that were taken in once. What is changed there later is a condition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub seeded: Vec<String>,
    /// What is known of each member beyond the spec, by the same ids. Those of whom nothing is to be said are not
    /// in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, MemberStatus>,
}

/// What is known of one member.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// How far they are.
    pub state: MembershipState,
    /// What whoever manages should know or do, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How far somebody is on the way to belonging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MembershipState {
    /// They have no account here yet.
    Pending,
    /// The invitation was sent; they did not accept it yet.
    Invited,
    /// They accepted: their account is bound.
    Accepted,
}
