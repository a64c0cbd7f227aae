//! Backups: where they are kept, how often they run, and one object for each run, restore and consent.
//!
//! | type | stands in |
//! |---|---|
//! | [`PlatformBackup`], [`BackupTarget`] | `spec.backup` of the Platform: the only place of addresses and Secrets |
//! | [`BackupChoice`] | `spec.backup` of an Entity and of an instance: a target by name, a schedule |
//! | [`BackupSummary`] | `status.backup` of an instance |
//! | [`ServiceBackup`], [`ServiceRestore`], [`RestoreConsent`] | kinds of their own |

mod choice;
mod consent;
mod platform;
mod restore;
mod run;
mod target;

#[cfg(test)]
mod tests;

pub use choice::{BackupChoice, BackupSummary};
pub use consent::{RestoreConsent, RestoreConsentSpec, RestoreConsentStatus};
pub use platform::{BackupSchedule, DrillRule, KeepRule, PlatformBackup, RepositoryCare, ScheduleBounds};
pub use restore::{
    RestoreDestination, RestoreDestinationKind, RestorePart, RestorePhase, RestoreSource, RestoredVolume,
    ServiceRestore, ServiceRestoreSpec, ServiceRestoreStatus,
};
pub use run::{
    BackupFormat, BackupPhase, BackupReason, BackupRepository, BackupVersions, ExitPackage, ServiceBackup,
    ServiceBackupSpec, ServiceBackupStatus, SnapshotPart, SnapshotPartKind,
};
pub use target::{BackupTarget, RestTarget, S3Target, SftpTarget, TargetNetwork, VolumeTarget};
