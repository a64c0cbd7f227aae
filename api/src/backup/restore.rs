//! `ServiceRestore`: one restore of one service, a drill included.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Condition;
use crate::pattern::{DATE_PATTERN, LINE_PATTERN, NAME_PATTERN, PART_PATTERN, RELATIVE_PATH_PATTERN, SNAPSHOT_PATTERN};

/// One restore.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "ServiceRestore",
    namespaced,
    status = "ServiceRestoreStatus",
    derive = "PartialEq",
    doc = "One restore of a service of the namespace's Entity: in place, a part beside what is there, into a new service, or for a drill. What is overwritten is kept until the restored service is Ready and equal to its backup, and comes back if it is not.",
    shortname = "srestore",
    category = "commonscloud",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.from.service"),
    printcolumn(name = "Into", type_ = "string", json_path = ".spec.into.kind"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Taken", type_ = "date", json_path = ".status.takenAt"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec: a restore cannot be changed; make another ServiceRestore"))]
#[x_kube(validation = Rule::new("self.into.kind != 'InPlace' || !has(self.from.entity)").message("into.kind: InPlace overwrites what the backup is of; what another Entity gave becomes a NewService"))]
#[x_kube(validation = Rule::new("self.into.kind == 'InPlace' || !has(self.only)").message("only: a part is restored InPlace; a NewService or a Drill is whole"))]
#[serde(rename_all = "camelCase")]
pub struct ServiceRestoreSpec {
    /// What is restored.
    pub from: RestoreSource,
    /// What becomes of it.
    #[serde(default)]
    pub into: RestoreDestination,
    /// The only part that is restored: beside what is there, into the running service. Absent: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<RestorePart>,
    /// Who asks for it: the user name that the API server has for whoever creates this object.
    #[schemars(length(min = 1, max = 253), regex(pattern = LINE_PATTERN))]
    pub requested_by: String,
}

/// What is restored: the newest complete backup, where neither `snapshot` nor `before` is said.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.snapshot) || !has(self.before)").message("from: set at most one of snapshot and before"))]
#[x_kube(validation = Rule::new("!has(self.entity) || has(self.snapshot)").message("from.snapshot: say which one; another Entity consents to one snapshot"))]
#[x_kube(validation = Rule::new("!has(self.importedTo) || (has(self.snapshot) && !has(self.entity))").message("from.importedTo: only beside snapshot, and without entity; commonscloud import writes it"))]
#[serde(rename_all = "camelCase")]
pub struct RestoreSource {
    /// Name of the service that the backup is of.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub service: String,
    /// Name of the Entity that it belongs to, where that is another one: a RestoreConsent in its namespace names
    /// this Entity and the snapshot, and the snapshot is copied before anything is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub entity: Option<String>,
    /// The snapshot, as in `status.snapshot` of its ServiceBackup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 64, max = 64), regex(pattern = SNAPSHOT_PATTERN))]
    pub snapshot: Option<String>,
    /// The target, by its name in the Platform, to which `commonscloud import` brought the snapshot: no ServiceBackup
    /// records it. For whoever has the verb `import` on servicerestores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub imported_to: Option<String>,
    /// The newest one that was taken before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), regex(pattern = DATE_PATTERN))]
    pub before: Option<Time>,
}

/// What becomes of what is restored.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("(self.kind == 'NewService') == has(self.service)").message("into.service: set it exactly where into.kind is NewService"))]
#[serde(rename_all = "camelCase")]
pub struct RestoreDestination {
    /// `InPlace`, `NewService` or `Drill`.
    #[serde(default)]
    pub kind: RestoreDestinationKind,
    /// Name of a service of this namespace that has no data yet: one of the same template, made by `spec.services`
    /// of the Entity or by hand, with `paused: true` or after this object. From then on it begins with nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub service: Option<String>,
}

/// What becomes of what is restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestoreDestinationKind {
    /// The service itself goes on from its backup.
    #[default]
    InPlace,
    /// Another service begins with it, on the version and revision that the backup was made with. The one that the
    /// backup is of goes on untouched.
    NewService,
    /// It is started, compared and removed, out of everybody's reach. The operator's own.
    Drill,
}

/// A part of a backup: a file or folder of a volume. It comes back as `NAME (restored DATE)` beside what is there.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePart {
    /// The volume's name in the template.
    #[schemars(length(min = 1, max = 30), regex(pattern = PART_PATTERN))]
    pub volume: String,
    /// The path below it, for example `files/anna/files/Documents` of an office.
    #[schemars(length(min = 1, max = 1024), regex(pattern = RELATIVE_PATH_PATTERN))]
    pub path: String,
}

/// What the operator reports of a restore.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRestoreStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` (restored, equal and started), `Reconciling`, `Stalled` (kstatus), `SubjectKnown`, `SnapshotGone`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where it is. Written before what it names is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<RestorePhase>,
    /// How far it is, for example `3 of 7: files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// The snapshot that is restored: chosen once, at the beginning. Of another Entity's the copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The moment whose data that snapshot holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Time>,
    /// The Platform's target at which another Entity's snapshot is, and its copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_target: Option<String>,
    /// When another Entity's snapshot had been copied. Absent: nothing of it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_at: Option<Time>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// Since when it is in this phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase_since: Option<Time>,
    /// When the service that is restored in place was stopped. Absent: it was not touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// For how many seconds the service did not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down_seconds: Option<i64>,
    /// The version and the revision that the restored service runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The ServiceTemplateRevision that it is pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The volumes that were created, and those that they replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<RestoredVolume>,
    /// The first things that differ from the backup, where any do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub differences: Vec<String>,
}

/// Where a restore is. Until `Switching` a service that is restored in place keeps running as
/// before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum RestorePhase {
    /// Its turn has not come, or something that it needs is not there: room, a consent, a revision.
    Waiting,
    /// Another Entity's snapshot is copied into a repository of this one.
    Copying,
    /// The target is tried, the snapshot read, its versions judged.
    Preparing,
    /// Files are written to new volumes.
    Files,
    /// The service stops, and begins on the new volumes, its database alone.
    Switching,
    /// The dump is loaded.
    Loading,
    /// What is there is compared with the backup, before anybody can write to it.
    Verifying,
    /// The whole service starts.
    Starting,
    /// It failed: the former volumes take their place again, where they had lost it, and the new ones are removed.
    Returning,
    /// It is Ready and equal: what was overwritten is removed.
    Removing,
    /// Restored, equal and started.
    Succeeded,
    /// What was there before is there as it was; the condition says why.
    Failed,
}

/// A volume of a restored service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredVolume {
    /// The volume's name in the template.
    pub name: String,
    /// The claim that was made.
    pub claim: String,
    /// Its uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The claim whose place it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_claim: Option<String>,
    /// The uid of that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_uid: Option<String>,
}
