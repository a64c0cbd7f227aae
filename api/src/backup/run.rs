//! `ServiceBackup`: one run.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Condition;
use crate::pattern::{LINE_PATTERN, NAME_PATTERN, RECIPIENT_PATTERN};

/// One backup of one service.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "ServiceBackup",
    namespaced,
    status = "ServiceBackupStatus",
    derive = "PartialEq",
    doc = "One backup of one service of the namespace's Entity, made by the operator on its schedule or by whoever may ask for one. What it says is never changed; another run is another object.",
    shortname = "sbackup",
    category = "commonscloud",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.service"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Taken", type_ = "date", json_path = ".status.takenAt"),
    printcolumn(name = "Size", type_ = "string", json_path = ".status.size"),
    printcolumn(name = "Proven", type_ = "date", json_path = ".status.provenAt"),
    printcolumn(name = "Snapshot", type_ = "string", json_path = ".status.snapshot", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec: a run cannot be changed; make another ServiceBackup"))]
#[x_kube(validation = Rule::new("(self.format == 'Exit') == has(self.recipient)").message("recipient: set it exactly where format is Exit; whoever has its private half opens the package"))]
#[serde(rename_all = "camelCase")]
pub struct ServiceBackupSpec {
    /// Name of the service in this namespace, for example `office`.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub service: String,
    /// Name of a target of the Platform. Absent: the one that the service chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub target: Option<String>,
    /// `Snapshot`: into the service's repository. `Exit`: the same, and out of it a package to leave with, that needs
    /// neither this cluster nor Kubernetes.
    #[serde(default)]
    pub format: BackupFormat,
    /// Of an `Exit`: the public key (age) that it is encrypted to, the Entity's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 62), regex(pattern = RECIPIENT_PATTERN))]
    pub recipient: Option<String>,
    /// Why it runs.
    #[serde(default)]
    pub reason: BackupReason,
    /// Who asks for it: the user name that the API server has for whoever creates this object.
    #[schemars(length(min = 1, max = 253), regex(pattern = LINE_PATTERN))]
    pub requested_by: String,
}

/// What comes of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackupFormat {
    /// A snapshot in the service's repository.
    #[default]
    Snapshot,
    /// A package to leave with.
    Exit,
}

/// Why a backup runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackupReason {
    /// Somebody asked for it.
    #[default]
    Requested,
    /// Its time had come.
    Scheduled,
    /// A restore is about to overwrite the data.
    BeforeRestore,
}

/// What the operator reports of a run.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceBackupStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` (complete, and there), `Reconciling`, `Stalled` (kstatus), `StillQuiet`, `SnapshotGone`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where the run is. Written before what it names is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<BackupPhase>,
    /// How far it is, for example `2 of 6: first pass`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// The moment whose data the snapshot holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// For how many seconds nobody could write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_seconds: Option<i64>,
    /// Bytes that the snapshot holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// The same for people, for example `3.2Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Bytes that the run added at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_added: Option<i64>,
    /// Files that the snapshot holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<i64>,
    /// Where the snapshot is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<BackupRepository>,
    /// The id of the snapshot with the manifest, which names all others of the run. Written last: a run without
    /// it is not a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// What was backed up, each with the id of its snapshot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub contents: Vec<SnapshotPart>,
    /// What was read of each volume while people worked: not part of the backup, and forgotten together with
    /// it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub first_pass: Vec<SnapshotPart>,
    /// What it was made with, and can be restored with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<BackupVersions>,
    /// When it was restored, started and found equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Time>,
    /// Of an `Exit`: the package, sealed to the recipient, at the same target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<ExitPackage>,
}

/// Where a run is. What comes after `Quiescing` is undone whatever becomes of the run: only a service of which it
/// is known that people can write again leaves `Unquiescing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum BackupPhase {
    /// Its turn has not come, or something that it needs is not there.
    Waiting,
    /// The target is tried, the repository made where there is none, locks of the dead taken away.
    Preparing,
    /// Files are read while people work.
    FirstPass,
    /// The service is made quiet.
    Quiescing,
    /// The database is dumped, and files are read that changed since the first pass.
    SecondPass,
    /// The service is opened again.
    Unquiescing,
    /// The manifest is written.
    Recording,
    /// Of an `Exit`: the package is made of what was recorded.
    Packing,
    /// The snapshot is complete.
    Succeeded,
    /// There is no snapshot; the condition says why.
    Failed,
}

/// Where a snapshot is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupRepository {
    /// Name of the target.
    pub target: String,
    /// The repository's folder below the target's.
    pub path: String,
    /// The repository's own id: another one in its place is another repository.
    pub id: String,
}

/// A package to leave with: one file that only its recipient opens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExitPackage {
    /// The folder below the target's in which it is, a repository of restic with a password that everybody knows.
    pub path: String,
    /// The id of its snapshot there, which holds the file `NAME.tar.age`, called like the ServiceBackup.
    pub snapshot: String,
    /// Bytes of the file.
    pub bytes: i64,
    /// The SHA-256 of the file.
    pub sha256: String,
}

/// One thing that was backed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotPart {
    /// Its name: that of the volume, `dump`, `secrets` or `state`.
    pub name: String,
    /// What it is.
    pub kind: SnapshotPartKind,
    /// The id of its snapshot.
    pub snapshot: String,
    /// Bytes in it.
    pub bytes: i64,
    /// Files in it.
    pub files: i64,
}

/// What a part of a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SnapshotPartKind {
    /// The files of a volume.
    Files,
    /// What the package's `dump` wrote.
    Dump,
    /// The generated Secrets.
    Secrets,
    /// What the package's `verify` wrote: by it a restored service is compared.
    State,
}

/// With what a backup was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupVersions {
    /// The template.
    pub template: String,
    /// The application's version.
    pub application: String,
    /// The ServiceTemplateRevision that the service was pinned to.
    pub revision: String,
    /// The revision whose operations were used.
    pub operations: String,
    /// The version of restic.
    pub restic: String,
    /// The release of the operator.
    pub operator: String,
    /// The version of the manifest's format.
    pub manifest: i64,
}
