//! What every Dedicated kind has in common: its spec and its status.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{HOSTNAME_PATTERN, OBJECT_NAME_PATTERN, TIER_PATTERN, VERSION_PATTERN};
use super::{BackupChoice, BackupSummary, Condition, ConditionType, Manager};

/// The part of the spec that all Dedicated kinds share.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSpec {
    /// The size that was bought: the name of a tier of the Entity's Tariff, for example `5gb`. A
    /// larger one grows the volume while the service runs. A smaller one is accepted, never shrinks a
    /// volume, and shows as condition `PendingShrink`.
    #[schemars(length(min = 1, max = 30), regex(pattern = TIER_PATTERN))]
    pub tier: String,
    /// How many of the Tariff's `extraBlock` come on top of the tier. More of them grow the volume
    /// while the service runs; fewer never shrink it.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub extra_blocks: u32,
    /// The service's host name, for example `files.hort.example`, at or below one of the Entity's
    /// `domains`. Absent: made from the Platform's `hostnamePattern`, usually
    /// `{entity}-{service}.{baseDomain}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = HOSTNAME_PATTERN))]
    pub hostname: Option<String>,
    /// The application's version, one that the revision lists. Absent: the newest when the instance
    /// is made, and from then on the one that runs. It moves along the steps that the template
    /// allows, and never back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = VERSION_PATTERN))]
    pub version: Option<String>,
    /// Name of the ServiceTemplateRevision to run. Absent: the newest when the instance is made, and
    /// from then on the same, unless the Platform's `rollout` moves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub revision: Option<String>,
    /// While true the operator changes nothing of this instance, so that somebody can repair it by
    /// hand. It still reports, and condition `Paused` names what is waiting to be applied. Deletions
    /// are still carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// The people who decide who may enter this service, beside the Entity's managers. They decide it
    /// in the application: belonging to the Entity's collective gives no access by itself.
    /// `status.managers` lists them all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub managers: Vec<Manager>,
    /// Where the service's backups go and when they run, within what the Platform allows. Absent: as the Entity
    /// says, or else the Platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupChoice>,
}

/// What the operator reports of an instance. Only what was really applied is reported.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling`, `Stalled` (kstatus), and others where they apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The address at which the service answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The host name that this instance holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The storage that is sold and enforced, tier and blocks together, for example `20Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    /// Storage in use as the kubelet measures it, in coarse steps. Absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<String>,
    /// Price per period, for example `25.00 EUR`, or `unpriced`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// The application's version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The ServiceTemplateRevision that this instance is pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The database engine. `Builtin`: a StatefulSet with a volume of the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The Secret that holds the first administrator's name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_secret: Option<String>,
    /// Who decides who may enter: the service's managers, then the Entity's, each once, as
    /// `anna <anna@example.org>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub managers: Vec<String>,
    /// The volumes of this instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<VolumeStatus>,
    /// The workloads of this instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<ComponentStatus>,
    /// Its backups. Absent: the Platform has none, or the service was never applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupSummary>,
}

impl InstanceStatus {
    /// The condition of this type.
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == kind.as_str())
    }

    /// The condition of this type, while it is `True`.
    pub fn is_true(&self, kind: ConditionType) -> Option<&Condition> {
        self.condition(kind).filter(|condition| condition.status == "True")
    }
}

/// One volume of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeStatus {
    /// The volume's name in the template, for example `data`.
    pub name: String,
    /// The PersistentVolumeClaim's name.
    pub claim: String,
    /// What the claim requests: the quota and the file system's overhead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// What the claim has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<String>,
    /// How much of what is requested was added because the volume filled up. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grown: Option<String>,
}

/// One workload of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// The object, for example `Deployment/office-app`.
    pub name: String,
    /// Whether it does what its spec says.
    pub ready: bool,
    /// What it is waiting for, if it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
