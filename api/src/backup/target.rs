//! Where backups are kept.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::pattern::{
    ABSOLUTE_PATH_PATTERN, BUCKET_PATTERN, ENDPOINT_PATTERN, NAME_PATTERN, OBJECT_NAME_PATTERN, PERSON_PATTERN,
    RELATIVE_PATH_PATTERN, REPOSITORY_URL_PATTERN,
};

/// A place where backups are kept, of one kind. The Secrets that it names lie in the operator's namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("[has(self.s3), has(self.sftp), has(self.rest)].filter(given, given).size() == 1").message("backup.targets[]: set one of s3, sftp and rest"))]
#[serde(rename_all = "camelCase")]
pub struct BackupTarget {
    /// The name by which Entities and services choose it, for example `offsite`.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub name: String,
    /// A bucket of an S3 server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Target>,
    /// A folder of an SSH server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sftp: Option<SftpTarget>,
    /// A server of restic's own protocol (rest-server).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<RestTarget>,
    /// How it is reached.
    #[serde(default, skip_serializing_if = "TargetNetwork::is_default")]
    pub network: TargetNetwork,
}

impl BackupTarget {
    /// The Secret with which runs add to it; a copy of it lies in the namespace of each Entity that uses it.
    pub fn secret(&self) -> Option<&str> {
        let s3 = self.s3.as_ref().map(|s3| s3.secret_name.as_str());
        let sftp = self.sftp.as_ref().map(|sftp| sftp.secret_name.as_str());
        s3.or(sftp).or(self.rest.as_ref().map(|rest| rest.secret_name.as_str()))
    }

    /// The Secret with which snapshots are forgotten and repositories pruned and checked. It never leaves the
    /// operator's namespace. Absent: the same as [`Self::secret`].
    pub fn care_secret(&self) -> Option<&str> {
        let s3 = self.s3.as_ref().and_then(|s3| s3.care_secret_name.as_deref());
        let sftp = self.sftp.as_ref().and_then(|sftp| sftp.care_secret_name.as_deref());
        s3.or(sftp).or(self.rest.as_ref().and_then(|rest| rest.care_secret_name.as_deref()))
    }

    /// For how many days it keeps what is written, whoever removes it.
    pub fn locked_days(&self) -> u32 {
        self.s3.as_ref().and_then(|s3| s3.locked_days).unwrap_or_default()
    }
}

/// A bucket of an S3 server.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct S3Target {
    /// The server, for example `https://s3.example.org`. Without encryption (`http://`) only what restic
    /// encrypts itself is safe: the credentials are signatures, and whoever listens can read names and sizes.
    #[schemars(length(max = 253), regex(pattern = ENDPOINT_PATTERN))]
    pub endpoint: String,
    /// The bucket; it must exist.
    #[schemars(length(min = 3, max = 63), regex(pattern = BUCKET_PATTERN))]
    pub bucket: String,
    /// The folder below which repositories lie, for example `cloud/backups`. Absent: the bucket itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = RELATIVE_PATH_PATTERN))]
    pub prefix: Option<String>,
    /// The region, where the server asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = PERSON_PATTERN))]
    pub region: Option<String>,
    /// Name of a Secret with keys `accessKeyId` and `secretAccessKey`, which may read, add, and remove what is
    /// below `locks/`.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub secret_name: String,
    /// Name of a Secret with the same keys, which may remove everything. Absent: that of `secretName` may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub care_secret_name: Option<String>,
    /// PEM certificates of the private authority that signed the server's. Absent: the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub ca_bundle: Option<String>,
    /// For how many days the bucket locks what is written (object lock). Backups that are younger are not given up, and
    /// nothing is written anew to save room: neither would give any back. Absent: it locks nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub locked_days: Option<u32>,
}

/// A folder of an SSH server.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SftpTarget {
    /// Host name or address of the server.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub host: String,
    /// Its port.
    #[serde(default = "SftpTarget::default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The account.
    #[schemars(length(min = 1, max = 63), regex(pattern = PERSON_PATTERN))]
    pub user: String,
    /// The folder below which repositories lie, for example `/srv/backups`.
    #[schemars(length(min = 2, max = 253), regex(pattern = ABSOLUTE_PATH_PATTERN))]
    pub path: String,
    /// Name of a Secret with keys `privateKey` and `knownHosts` (the server's keys, as in `known_hosts`).
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub secret_name: String,
    /// Name of a Secret with the same keys and `user`, another account, which may remove. Absent: the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub care_secret_name: Option<String>,
}

impl SftpTarget {
    fn default_port() -> u16 {
        22
    }
}

/// A server of restic's own protocol.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestTarget {
    /// The URL below which repositories lie, for example `https://backup.example.org/cloud`. A rest-server accepts
    /// at most one folder in it.
    #[schemars(length(max = 253), regex(pattern = REPOSITORY_URL_PATTERN))]
    pub url: String,
    /// Name of a Secret with keys `username` and `password`.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub secret_name: String,
    /// The URL at which another account may delete (a second rest-server without `--append-only` over the same
    /// folder). Absent: the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = REPOSITORY_URL_PATTERN))]
    pub care_url: Option<String>,
    /// Name of a Secret with keys `username` and `password` of that account. Absent: the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub care_secret_name: Option<String>,
    /// PEM certificates of the private authority that signed the server's. Absent: the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub ca_bundle: Option<String>,
}

/// How a target is reached from the namespaces of Entities, whose networks are closed.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetNetwork {
    /// The server, if it is a pod, a node or a known address. Empty: only its name is known, so its port is
    /// open towards every address outside `network.clusterRanges` of the Platform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub peers: Vec<NetworkPolicyPeer>,
    /// The port that the server's pod listens on, if it is not that of its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
}

impl TargetNetwork {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
