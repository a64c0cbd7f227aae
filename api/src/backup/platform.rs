//! `spec.backup` of the Platform: how backups are made and kept, for all services.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::BackupTarget;
use crate::pattern::{BYTES_PATTERN, CRON_PATTERN, RECIPIENT_PATTERN, TIME_ZONE_PATTERN};
use crate::resources::resource_requirements;

/// How backups are made and kept.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformBackup {
    /// Where backups are kept. Whoever chooses none gets the first.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub targets: Vec<BackupTarget>,
    /// Public keys (age) of the people who can bring everything back after the loss of the cluster: the key of
    /// each repository is kept at the target, encrypted to them. Their private halves are never in the cluster.
    #[schemars(length(min = 1, max = 8), inner(length(max = 62), regex(pattern = RECIPIENT_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub recipients: Vec<String>,
    /// When backups run.
    #[serde(default)]
    pub schedule: BackupSchedule,
    /// Which snapshots are kept.
    #[serde(default)]
    pub keep: KeepRule,
    /// When repositories are pruned and checked.
    #[serde(default)]
    pub care: RepositoryCare,
    /// How restores are proven.
    #[serde(default)]
    pub drills: DrillRule,
    /// Requests and limits of the container that runs restic. Absent: production figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resource_requirements")]
    pub resources: Option<ResourceRequirements>,
    /// How many runs of each service are remembered that failed, or whose snapshot is forgotten. A run whose
    /// snapshot is kept is always remembered.
    #[serde(default = "PlatformBackup::default_history")]
    #[schemars(range(min = 1, max = 100))]
    pub history: u32,
}

impl PlatformBackup {
    fn default_history() -> u32 {
        10
    }

    /// The target of this name; of no name, the first.
    pub fn target(&self, name: Option<&str>) -> Option<&BackupTarget> {
        match name {
            Some(name) => self.targets.iter().find(|target| target.name == name),
            None => self.targets.first(),
        }
    }
}

/// When backups run.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupSchedule {
    /// When the window begins, as five fields of cron.
    #[serde(default = "BackupSchedule::default_cron")]
    #[schemars(length(min = 9, max = 120), regex(pattern = CRON_PATTERN))]
    pub cron: String,
    /// The time zone that `cron` is meant in.
    #[serde(default = "BackupSchedule::default_time_zone")]
    #[schemars(length(min = 1, max = 63), regex(pattern = TIME_ZONE_PATTERN))]
    pub time_zone: String,
    /// How long the window is: the runs of all services are spread over it, each at a time of its own. A run
    /// that has not begun when it ends is late.
    #[serde(default = "BackupSchedule::default_window_minutes")]
    #[schemars(range(min = 5, max = 1440))]
    pub window_minutes: u32,
    /// How many runs there are at once, in the whole cluster: those on the schedule, and those that people ask for.
    #[serde(default = "BackupSchedule::default_at_once")]
    #[schemars(range(min = 1, max = 100))]
    pub at_once: u32,
    /// What an Entity or a service may choose.
    #[serde(default)]
    pub bounds: ScheduleBounds,
}

impl BackupSchedule {
    fn default_cron() -> String {
        "0 1 * * *".to_owned()
    }

    fn default_time_zone() -> String {
        "Etc/UTC".to_owned()
    }

    fn default_window_minutes() -> u32 {
        240
    }

    fn default_at_once() -> u32 {
        2
    }
}

impl Default for BackupSchedule {
    fn default() -> Self {
        Self {
            cron: Self::default_cron(),
            time_zone: Self::default_time_zone(),
            window_minutes: Self::default_window_minutes(),
            at_once: Self::default_at_once(),
            bounds: ScheduleBounds::default(),
        }
    }
}

/// What an Entity or a service may choose.
#[derive(KubeSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleBounds {
    /// The longest time between two runs, in hours.
    #[serde(default = "ScheduleBounds::default_longest_hours")]
    #[schemars(range(min = 1, max = 744))]
    pub longest_hours: u32,
    /// The shortest time between two runs, in minutes.
    #[serde(default = "ScheduleBounds::default_shortest_minutes")]
    #[schemars(range(min = 15, max = 10080))]
    pub shortest_minutes: u32,
}

impl ScheduleBounds {
    fn default_longest_hours() -> u32 {
        24
    }

    fn default_shortest_minutes() -> u32 {
        60
    }
}

impl Default for ScheduleBounds {
    fn default() -> Self {
        Self { longest_hours: Self::default_longest_hours(), shortest_minutes: Self::default_shortest_minutes() }
    }
}

/// Which backups are kept: the newest so many, and the last of so many days, weeks and months. The newest one
/// that a drill has proven is kept whatever these say.
#[derive(KubeSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeepRule {
    /// How many of the newest snapshots are kept.
    #[serde(default = "KeepRule::default_last")]
    #[schemars(range(min = 1, max = 1000))]
    pub last: u32,
    /// Of how many days the last snapshot is kept.
    #[serde(default = "KeepRule::default_daily")]
    #[schemars(range(min = 0, max = 1000))]
    pub daily: u32,
    /// Of how many weeks the last snapshot is kept.
    #[serde(default = "KeepRule::default_weekly")]
    #[schemars(range(min = 0, max = 1000))]
    pub weekly: u32,
    /// Of how many months the last snapshot is kept.
    #[serde(default = "KeepRule::default_monthly")]
    #[schemars(range(min = 0, max = 1000))]
    pub monthly: u32,
}

impl KeepRule {
    fn default_last() -> u32 {
        3
    }

    fn default_daily() -> u32 {
        7
    }

    fn default_weekly() -> u32 {
        5
    }

    fn default_monthly() -> u32 {
        12
    }
}

impl Default for KeepRule {
    fn default() -> Self {
        Self {
            last: Self::default_last(),
            daily: Self::default_daily(),
            weekly: Self::default_weekly(),
            monthly: Self::default_monthly(),
        }
    }
}

/// How repositories are cared for, by Jobs of the operator's namespace. None begins while a service is backed up or
/// restored, and the other way round.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryCare {
    /// When the window begins in which repositories are pruned and checked, as five fields of cron, in the time zone
    /// of `schedule`. In each window a part of each repository is read.
    #[serde(default = "RepositoryCare::default_cron")]
    #[schemars(length(min = 9, max = 120), regex(pattern = CRON_PATTERN))]
    pub cron: String,
    /// How long the window is: the repositories are spread over it, each at a time of its own.
    #[serde(default = "RepositoryCare::default_window_minutes")]
    #[schemars(range(min = 5, max = 1440))]
    pub window_minutes: u32,
    /// How many repositories are pruned or checked at once, in the whole cluster.
    #[serde(default = "RepositoryCare::default_at_once")]
    #[schemars(range(min = 1, max = 100))]
    pub at_once: u32,
    /// The room of what was forgotten is given back once in so many days.
    #[serde(default = "RepositoryCare::default_prune_every_days")]
    #[schemars(range(min = 1, max = 365))]
    pub prune_every_days: u32,
    /// Every byte of a repository is read and compared once in so many days, a part of it in each window.
    #[serde(default = "RepositoryCare::default_read_within_days")]
    #[schemars(range(min = 1, max = 365))]
    pub read_within_days: u32,
}

impl RepositoryCare {
    fn default_cron() -> String {
        "0 6 * * *".to_owned()
    }

    fn default_window_minutes() -> u32 {
        240
    }

    fn default_at_once() -> u32 {
        1
    }

    fn default_prune_every_days() -> u32 {
        7
    }

    fn default_read_within_days() -> u32 {
        28
    }
}

impl Default for RepositoryCare {
    fn default() -> Self {
        Self {
            cron: Self::default_cron(),
            window_minutes: Self::default_window_minutes(),
            at_once: Self::default_at_once(),
            prune_every_days: Self::default_prune_every_days(),
            read_within_days: Self::default_read_within_days(),
        }
    }
}

/// How restores are proven: the newest backup of each service is restored out of everybody's reach, started, compared
/// and removed, one service at a time.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrillRule {
    /// Whether there are drills. Without, no restore is ever proven.
    #[serde(default = "DrillRule::default_enabled")]
    pub enabled: bool,
    /// Each service is proven once in so many days. A drill that failed is made again after a day.
    #[serde(default = "DrillRule::default_every_days")]
    #[schemars(range(min = 1, max = 365))]
    pub every_days: u32,
    /// Services whose volumes request more than this together are not drilled, and say so.
    #[serde(default = "DrillRule::default_largest")]
    #[schemars(length(max = 12), regex(pattern = BYTES_PATTERN))]
    pub largest: String,
    /// The storage class of the volumes of drills. Absent: that of the service. One whose volumes are kept when
    /// their claims are deleted (`reclaimPolicy: Retain`) leaves one behind with each drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class: Option<String>,
    /// How long a drill may take.
    #[serde(default = "DrillRule::default_timeout_minutes")]
    #[schemars(range(min = 5, max = 10080))]
    pub timeout_minutes: u32,
}

impl DrillRule {
    fn default_enabled() -> bool {
        true
    }

    fn default_every_days() -> u32 {
        7
    }

    fn default_largest() -> String {
        "50Gi".to_owned()
    }

    fn default_timeout_minutes() -> u32 {
        240
    }
}

impl Default for DrillRule {
    fn default() -> Self {
        Self {
            enabled: Self::default_enabled(),
            every_days: Self::default_every_days(),
            largest: Self::default_largest(),
            storage_class: None,
            timeout_minutes: Self::default_timeout_minutes(),
        }
    }
}
