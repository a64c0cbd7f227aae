//! What one pass over a run of a backup sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use commonscloud_backup::report::Report;
use k8s_openapi::jiff::Timestamp;

use crate::api::{BackupTarget, Entity, PlatformBackup, ServiceBackup, ServiceData, SnapshotPart};
use crate::plan::Plan;
use crate::report::Problem;
use crate::template::{Package, RenderedObject};

/// What one pass over a run sees.
#[derive(Clone, Debug)]
pub struct ObservedRun {
    /// The run.
    pub run: Arc<ServiceBackup>,
    /// The operator's time.
    pub now: Timestamp,
    /// What is backed up, or why it cannot be.
    pub subject: Result<Subject, Problem>,
    /// Whether the service is still there, whatever `subject` is.
    pub service: Standing,
    /// The Jobs in the run's namespace whose label `commonscloud.coop/operation-of` names the service, by name,
    /// whichever run they are of.
    pub jobs: BTreeMap<String, SeenJob>,
    /// What comes first: before it begins the run or restore of the same service, as `ServiceBackup/NAME`, or others of the
    /// cluster; before its package is made, other packages.
    pub goes_first: Option<String>,
    /// The Job that prunes or checks its repository, or forgets in it, as `Job/NAME`. Asked for where nothing else goes
    /// first.
    pub cared_for: Option<String>,
    /// What the newest run of the same service at the same target has of its repository that has it.
    pub former: Option<Former>,
    /// Since when no pod and no Job of anybody has been at work with the repository. None: one is, or it is not
    /// known. Asked for only after a failure that is [`Locked`](commonscloud_backup::report::FailureReason::Locked).
    pub idle_since: Option<Timestamp>,
}

/// Whether a service is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    #[default]
    There,
    /// Its Dedicated resource, or its namespace, is being deleted.
    BeingDeleted,
    /// There is no Dedicated resource of this name, or no namespace. Of a run that [needs](super::needs_service) its
    /// service the API server was asked; of another one the caches.
    Gone,
}

/// What former runs left in a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Former {
    /// The repository's own id.
    pub repository: String,
    /// `status.contents` of the newest run that succeeded, empty without one: what its files are is not read again.
    pub contents: Vec<SnapshotPart>,
}

/// A service that can be backed up, and with what.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its plan, as it runs.
    pub plan: Plan,
    /// The plan's objects.
    pub objects: Vec<RenderedObject>,
    /// The package whose operations are used: [`Package::operations`] of it is there.
    pub operations: Arc<Package>,
    /// The record of its data.
    pub record: Arc<ServiceData>,
    /// Whose it is.
    pub entity: Arc<Entity>,
    /// Whether all its workloads run.
    pub is_running: bool,
    /// The components that have a pod on a node: volumes of these are read on that node.
    pub on_nodes: BTreeSet<String>,
    /// `spec.backup` of the Platform.
    pub backup: PlatformBackup,
    /// The target that was chosen.
    pub target: BackupTarget,
    /// The folder of the Entity's repositories at the target.
    pub folder: String,
    /// How far the key of these repositories is.
    pub key: KeyState,
    /// The operator's own.
    pub own: Own,
}

/// What the operator knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Its namespace.
    pub namespace: String,
    /// The image of `commonscloud-backup`.
    pub backup_image: String,
    /// The image of rest-server, for targets that are volumes.
    pub backup_server_image: String,
    /// Its release, for example `0.1.0`.
    pub release: String,
}

/// How far the key of an Entity's repositories is. It is called [`key_name`].
#[derive(Clone, Debug, PartialEq)]
pub enum KeyState {
    /// There is none in the operator's namespace.
    Missing,
    /// It is there, and not yet at this target encrypted to these recipients.
    NotEscrowed(Option<SeenJob>),
    /// The same; the Job of this name brings another key first, and makes the repository that all of them share.
    WaitsForEscrow(String),
    /// A copy of it, and of the target's Secret, is to be written to the Entity's namespace, or to be brought up
    /// to date: the writes are these.
    NotCopied(Vec<crate::compare::Change>),
    /// A Secret that the target names is not there.
    SecretMissing(String),
    /// All of it is where it is needed.
    There,
}

/// How many characters of an Entity's uid are in its folder's name.
const OF_UID: usize = 8;

/// The folder of the repositories of an Entity that goes on with no earlier one's: of its name and its own uid.
pub fn own_folder(entity: &str, uid: Option<&str>) -> String {
    format!("{entity}-{}", uid.unwrap_or_default().chars().take(OF_UID).collect::<String>())
}

/// The Secret with the key of an Entity's repositories, key `password`.
pub fn key_name(folder: &str) -> String {
    format!("backup-key-{folder}")
}

/// A Job as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenJob {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The uid of the object that it belongs to: of a run, a restore.
    pub owner: String,
    /// How far it is.
    pub state: JobState,
    /// What its containers said at their end, by container: [`Report`]s of `commonscloud-backup`, and of operations
    /// their last words.
    pub said: BTreeMap<String, Said>,
    /// Whether it is being deleted.
    pub is_being_deleted: bool,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

impl SeenJob {
    /// Whether a container of it ended with an error. Its others may still wait for that one, and the Job with them.
    pub fn is_failing(&self) -> bool {
        self.said.values().any(|said| said.code != 0)
    }
}

/// What a container said at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// When it ended.
    pub at: Option<Timestamp>,
    /// The report, where it wrote one.
    pub report: Option<Report>,
    /// Its last words, where it wrote none.
    pub words: String,
}

/// How far a Job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It has not ended.
    Runs,
    /// Condition `Complete`.
    Succeeded,
    /// Condition `Failed`, with its message.
    Failed(String),
}
