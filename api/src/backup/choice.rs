//! What an Entity or a service chooses of the Platform's backups, and what a service shows of its own.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::pattern::{CRON_PATTERN, NAME_PATTERN, TIME_ZONE_PATTERN};

/// What an Entity, for all its services, or one service chooses; what is absent is the Entity's, then the
/// Platform's.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.timeZone) || has(self.cron)").message("backup.timeZone: set it only together with backup.cron"))]
#[serde(rename_all = "camelCase")]
pub struct BackupChoice {
    /// Name of a target of the Platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub target: Option<String>,
    /// When the window begins, as five fields of cron; within the Platform's bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 120), regex(pattern = CRON_PATTERN))]
    pub cron: Option<String>,
    /// The time zone that `cron` is meant in. Absent: the Platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = TIME_ZONE_PATTERN))]
    pub time_zone: Option<String>,
}

/// What a service shows of its backups.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupSummary {
    /// The target that runs go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The moment whose data the newest complete backup holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup: Option<Time>,
    /// Its ServiceBackup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup_name: Option<String>,
    /// When a backup was last restored, started and found equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_proven_restore: Option<Time>,
    /// The ServiceRestore that did; its drill is over, it stays until the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_proven_restore_name: Option<String>,
    /// When the next run begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Time>,
    /// What the repository takes at the target, for example `3.2Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
}
