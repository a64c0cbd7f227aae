//! `operations` of a package: how an instance is backed up, restored and compared.

use std::fmt;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{
    ABSOLUTE_PATH_PATTERN, BYTES_PATTERN, KEY_PATTERN, LINE_PATTERN, NAME_PATTERN, OBJECT_NAME_PATTERN, PART_PATTERN,
    WORD_PATTERN,
};

/// How an instance is backed up, restored and compared. Each volume of the package is in one of `files`,
/// `dumped` and `leftOut`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operations {
    /// Volumes whose files are backed up as they are: once while people work, and what changed since then while
    /// the application is quiet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["volume".into()]))]
    pub files: Vec<FileTree>,
    /// Volumes of which `dump` writes everything that is needed, and `load` restores it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 30), regex(pattern = PART_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub dumped: Vec<String>,
    /// Volumes that are not backed up, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["volume".into()]))]
    pub left_out: Vec<LeftOutVolume>,
    /// Revisions of this template without operations, for whose instances these are right: same volumes,
    /// Secrets, components and paths. They are used from here, and no pod restarts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub compatible_revisions: Vec<String>,
    /// Whether a backup goes into a service of another name as well: what is backed up says neither the instance's name
    /// (`$INSTANCE-db`) nor where it serves, or each start sets both anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relocatable: bool,
    /// Keeps people from changing anything. May run twice. Absent: what is read at any moment is consistent by
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiesce: Option<Operation>,
    /// Undoes `quiesce`. Runs after each, whatever came of it, until it succeeds, and does no harm where nothing
    /// was made quiet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unquiesce: Option<Operation>,
    /// Writes the database to its output, and nothing else. If it cannot write all of it, it ends with
    /// an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<Operation>,
    /// Reads what `dump` wrote from its input into the empty database of an instance whose other components are
    /// stopped. `TABLE` in its environment names the only table that is to be replaced, in a database that is
    /// not empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Operation>,
    /// Writes what makes two states equal to its output, a line for each thing, sorted: `table page 1200 9f86d0…`,
    /// name, count and hash. Files of `files` are compared without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Operation>,
}

impl Operations {
    /// The operation of this kind, if the package has it.
    pub fn get(&self, kind: OperationKind) -> Option<&Operation> {
        match kind {
            OperationKind::Quiesce => self.quiesce.as_ref(),
            OperationKind::Unquiesce => self.unquiesce.as_ref(),
            OperationKind::Dump => self.dump.as_ref(),
            OperationKind::Load => self.load.as_ref(),
            OperationKind::Verify => self.verify.as_ref(),
        }
    }

    /// Those that the package has.
    pub fn all(&self) -> impl Iterator<Item = (OperationKind, &Operation)> {
        OperationKind::ALL.into_iter().filter_map(|kind| Some((kind, self.get(kind)?)))
    }
}

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// Keeps people from changing anything.
    Quiesce,
    /// Takes that back.
    Unquiesce,
    /// Writes the database.
    Dump,
    /// Reads it.
    Load,
    /// Writes what makes two states equal.
    Verify,
}

impl OperationKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Quiesce, Self::Unquiesce, Self::Dump, Self::Load, Self::Verify];

    /// The field of a package that it stands in.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiesce => "quiesce",
            Self::Unquiesce => "unquiesce",
            Self::Dump => "dump",
            Self::Load => "load",
            Self::Verify => "verify",
        }
    }
}

/// The field that it stands in.
impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A volume whose files are backed up.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileTree {
    /// The volume's name in the package.
    #[schemars(length(min = 1, max = 30), regex(pattern = PART_PATTERN))]
    pub volume: String,
    /// The user who may read all of it, and to whom it belongs after a restore. Absent: the pods' own
    /// `runAsUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_294_u32))]
    pub user: Option<u32>,
    /// What can be generated again, as restic patterns relative to the volume, for example
    /// `cache/**`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253), regex(pattern = LINE_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub exclude: Vec<String>,
}

/// A volume that is not backed up.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutVolume {
    /// The volume's name in the package.
    #[schemars(length(min = 1, max = 30), regex(pattern = PART_PATTERN))]
    pub volume: String,
    /// Why nothing is lost without it.
    #[schemars(length(min = 10, max = 500))]
    pub reason: String,
}

/// One operation: a Job in an image of the package, beside the pods of a component. It has what is named here and
/// nothing else.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The component whose requests and limits it has, whose security context and group its pod gets, and on
    /// whose node it runs while that component has pods.
    #[schemars(length(min = 1, max = 63), regex(pattern = WORD_PATTERN))]
    pub component: String,
    /// The image's name in the package.
    #[schemars(length(min = 1, max = 63), regex(pattern = WORD_PATTERN))]
    pub image: String,
    /// Name of the text in `files` that is run. The instance's name is in `$INSTANCE`: a component is reached at
    /// `$INSTANCE-db`.
    #[schemars(length(min = 1, max = 63), regex(pattern = WORD_PATTERN))]
    pub script: String,
    /// What runs it: the text is the last argument. Absent: `/bin/sh -ec`.
    #[serde(default = "Operation::default_interpreter")]
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 253), regex(pattern = LINE_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub interpreter: Vec<String>,
    /// How long it may take.
    #[schemars(range(min = 5, max = 86400))]
    pub timeout_seconds: u32,
    /// Whether it creates the file `$BEGUN` as soon as what it reads is fixed at one moment, whatever
    /// changes from then on (a transaction): people can write again while the rest is read. For `dump` and
    /// `verify` only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marks_begin: bool,
    /// The user it runs as. Absent: the component's own `runAsUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_294_u32))]
    pub user: Option<u32>,
    /// The volumes that it reads or writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<VolumeMount>,
    /// The generated Secrets that it reads, as files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<SecretMount>,
    /// ConfigMaps of the package that it reads, as files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub config_maps: Vec<ConfigMapMount>,
    /// Folders of its own that it writes, beside `/tmp` of 64 MiB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["path".into()]))]
    pub scratch: Vec<ScratchMount>,
    /// The components that it talks to. They run while it does; in a restore, `load` has these alone beside
    /// it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["component".into(), "port".into()]))]
    pub connects_to: Vec<OperationPeer>,
}

impl Operation {
    fn default_interpreter() -> Vec<String> {
        vec!["/bin/sh".to_owned(), "-ec".to_owned()]
    }
}

/// A volume that an operation reads or writes.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// The volume's name in the package.
    #[schemars(length(min = 1, max = 30), regex(pattern = PART_PATTERN))]
    pub name: String,
    /// Where it is mounted.
    #[schemars(length(min = 2, max = 253), regex(pattern = ABSOLUTE_PATH_PATTERN))]
    pub path: String,
    /// Whether it is written. Absent: it is only read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writable: bool,
}

/// A generated Secret that an operation reads.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretMount {
    /// The secret's name in the package.
    #[schemars(length(min = 1, max = 30), regex(pattern = PART_PATTERN))]
    pub name: String,
    /// The folder in which its keys are files.
    #[schemars(length(min = 2, max = 253), regex(pattern = ABSOLUTE_PATH_PATTERN))]
    pub path: String,
    /// The keys that it needs.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 253), regex(pattern = KEY_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub keys: Vec<String>,
}

/// A ConfigMap of the package that an operation reads.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapMount {
    /// Its name as a manifest declares it, without the instance's.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub name: String,
    /// The folder in which its keys are files.
    #[schemars(length(min = 2, max = 253), regex(pattern = ABSOLUTE_PATH_PATTERN))]
    pub path: String,
}

/// A folder of its own that an operation writes.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScratchMount {
    /// Where it is mounted.
    #[schemars(length(min = 2, max = 253), regex(pattern = ABSOLUTE_PATH_PATTERN))]
    pub path: String,
    /// The most that it ever puts there, for example `256Mi`.
    #[schemars(length(max = 12), regex(pattern = BYTES_PATTERN))]
    pub size: String,
}

/// A component that an operation talks to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationPeer {
    /// The component.
    #[schemars(length(min = 1, max = 63), regex(pattern = WORD_PATTERN))]
    pub component: String,
    /// The port that its pods listen on (TCP).
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}
