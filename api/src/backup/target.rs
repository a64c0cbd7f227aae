//! Where backups are kept.

use std::borrow::Cow;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::pattern::{
    ABSOLUTE_PATH_PATTERN, BUCKET_PATTERN, BYTES_PATTERN, ENDPOINT_PATTERN, NAME_PATTERN, OBJECT_NAME_PATTERN,
    PERSON_PATTERN, RELATIVE_PATH_PATTERN, REPOSITORY_URL_PATTERN,
};

/// A place where backups are kept, of one kind. The Secrets that it names lie in the operator's namespace; those of
/// `volume` the operator makes there.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("[has(self.s3), has(self.sftp), has(self.rest), has(self.volume)].filter(given, given).size() == 1").message("backup.targets[]: set one of s3, sftp, rest and volume"))]
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
    /// A volume of this cluster, which the operator serves. It is lost with the cluster: have a second target that is
    /// not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeTarget>,
    /// How it is reached. Of `volume` it is known, and nothing is to be said.
    #[serde(default, skip_serializing_if = "TargetNetwork::is_default")]
    pub network: TargetNetwork,
}

impl BackupTarget {
    /// The Secret with which runs add to it; a copy of it lies in the namespace of each Entity that uses it.
    pub fn secret(&self) -> Option<Cow<'_, str>> {
        let s3 = self.s3.as_ref().map(|s3| s3.secret_name.as_str());
        let sftp = self.sftp.as_ref().map(|sftp| sftp.secret_name.as_str());
        let named = s3.or(sftp).or(self.rest.as_ref().map(|rest| rest.secret_name.as_str()));
        named.map(Cow::Borrowed).or(self.volume.is_some().then(|| self.server_name().into()))
    }

    /// The Secret with which snapshots are forgotten and repositories pruned and checked. It never leaves the
    /// operator's namespace. Absent: the same as [`Self::secret`].
    pub fn care_secret(&self) -> Option<Cow<'_, str>> {
        let s3 = self.s3.as_ref().and_then(|s3| s3.care_secret_name.as_deref());
        let sftp = self.sftp.as_ref().and_then(|sftp| sftp.care_secret_name.as_deref());
        let named = s3.or(sftp).or(self.rest.as_ref().and_then(|rest| rest.care_secret_name.as_deref()));
        named.map(Cow::Borrowed).or(self.volume.is_some().then(|| format!("backup-care-{}", self.name).into()))
    }

    /// What the server of a volume is called, its claim, and all that belongs to it but the Secret of
    /// [`Self::care_secret`].
    pub fn server_name(&self) -> String {
        format!("backup-server-{}", self.name)
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

/// A volume of this cluster. The operator claims it in its own namespace and serves it there, so that whoever has a
/// run's Secret adds to it and removes nothing. The claim stays when the Platform names it no more.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0")
        .message("backup.targets[].volume.size: a volume is never made smaller; write its former size or a larger one, or name another target"),
    validation = Rule::new("(has(self.storageClassName) ? self.storageClassName : '') == (has(oldSelf.storageClassName) ? oldSelf.storageClassName : '')")
        .message("backup.targets[].volume.storageClassName: cannot be changed, a volume stays where it is; name another target")
)]
#[serde(rename_all = "camelCase")]
pub struct VolumeTarget {
    /// The storage class. Absent: the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub storage_class_name: Option<String>,
    /// How large it is, for example `200Gi`. A larger one makes it grow, where its storage class lets it.
    #[schemars(length(min = 1, max = 12), regex(pattern = BYTES_PATTERN))]
    pub size: String,
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
