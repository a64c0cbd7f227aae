//! The custom resources of group `commonscloud.coop`, version `v1alpha1`.
//!
//! | kind | scope | written by |
//! |---|---|---|
//! | [`Platform`] | cluster, named `default` | DevOps: how this cluster is |
//! | [`Tariff`] | cluster | DevOps: tiers and prices |
//! | [`ServiceTemplate`], [`ServiceTemplateRevision`] | cluster | package authors; the operator |
//! | [`Entity`] | cluster | DevOps: who gets which services |
//! | [`DedicatedOffice`], [`DedicatedAgora`], [`DedicatedProjects`], [`DedicatedService`] | namespaced | the operator for an Entity, or DevOps by hand |
//! | [`ServiceData`] | namespaced | the operator: what outlives an instance |
//! | [`ServiceBackup`], [`ServiceRestore`] | namespaced | whoever may ask for one, or the operator: one run, one restore |
//! | [`RestoreConsent`] | namespaced | an Entity that lets another one have a snapshot of its own |
//! | [`Collective`], [`Access`] | namespaced | the Entity's and its services' managers: who belongs, who may enter |
//! | [`AccessHistory`] | namespaced | the operator: who gave or took what |
//! | [`LeaveRequest`] | namespaced | a member who leaves |
//!
//! The CRDs in `crds/` are generated from these types; there is no conversion, so `v1alpha1`
//! changes only by adding.

mod backup;
mod collective;
mod condition;
mod dedicated;
mod definitions;
mod entity;
mod identity;
mod image_override;
mod instance;
mod manager;
mod network;
mod operation;
mod pattern;
mod platform;
mod reason;
mod resources;
mod service_data;
mod service_template;
mod tariff;
pub mod values;

pub use backup::{
    BackupChoice, BackupFormat, BackupPhase, BackupReason, BackupRepository, BackupSchedule, BackupSummary,
    BackupTarget, BackupVersions, DrillRule, ExitPackage, KeepRule, PlatformBackup, RepositoryCare, RestTarget,
    RestoreConsent, RestoreConsentSpec, RestoreConsentStatus, RestoreDestination, RestoreDestinationKind, RestorePart,
    RestorePhase, RestoreSource, RestoredVolume, S3Target, ScheduleBounds, ServiceBackup, ServiceBackupSpec,
    ServiceBackupStatus, ServiceRestore, ServiceRestoreSpec, ServiceRestoreStatus, SftpTarget, SnapshotPart,
    SnapshotPartKind, TargetNetwork, VolumeTarget,
};
pub use collective::{
    Access, AccessChange, AccessEntry, AccessHistory, AccessHistorySpec, AccessRole, AccessSpec, AccessStatus, Account,
    Collective, CollectiveManager, CollectiveSpec, CollectiveStatus, Guest, HistoryEntry, LeaveRequest,
    LeaveRequestSpec, LeaveRequestStatus, Member, MemberStatus, MembershipState, Removal,
};
pub use condition::{Condition, ConditionType};
pub use dedicated::{
    AgoraParameters, Dedicated, DedicatedAgora, DedicatedAgoraSpec, DedicatedOffice, DedicatedOfficeSpec,
    DedicatedProjects, DedicatedProjectsSpec, DedicatedService, DedicatedServiceSpec, Editor, OfficeParameters,
    OidcParameters, OidcProvider, ProjectsParameters,
};
pub use definitions::{CrdFile, crd_files, crds};
pub use entity::{
    AgoraService, Entity, EntityServiceStatus, EntityServices, EntitySpec, EntityStatus, Language, OfficeService,
    OtherService, ProjectsService,
};
pub use identity::{PlatformIdentity, PlatformKeycloak};
pub use image_override::{ImageOverride, VersionImage};
pub use instance::{ComponentStatus, InstanceSpec, InstanceStatus, VolumeStatus};
pub use manager::{Manager, ManagerSubject, SubjectKind};
pub use network::{NetworkPeers, NetworkPorts};
pub use operation::{
    ConfigMapMount, FileTree, LeftOutVolume, Operation, OperationKind, OperationPeer, Operations, ScratchMount,
    SecretMount, VolumeMount,
};
pub use pattern::allowed_by;
pub use platform::{
    ComponentResources, Exposure, FileSystemOverhead, ListedTariff, ListedTemplate, Platform, PlatformSpec,
    PlatformStatus, Retention, Rollout, RolloutStrategy, SharedEditor, Smtp, StorageClassFacts, TlsSource,
};
pub use reason::Reason;
pub use service_data::{
    DataEntity, DataImage, DataOwner, DataSecret, DataState, DataVolume, FurtherSecret, ServiceData, ServiceDataSpec,
    ServiceDataStatus,
};
pub use service_template::{
    Component, DeclaredObject, GeneratedSecret, HealthCheck, ImageReference, Manifest, PackageFile,
    PodSecurityException, SecretKey, ServiceTemplate, ServiceTemplateRevision, ServiceTemplateRevisionSpec,
    ServiceTemplateSpec, ServiceTemplateStatus, TemplateVersion, VolumeAccess, VolumeGrowth, VolumeTemplate,
};
pub use tariff::{ExtraBlock, Period, Tariff, TariffSpec, Tier};

/// The API group of every kind here.
pub const GROUP: &str = "commonscloud.coop";
/// The only served version.
pub const VERSION: &str = "v1alpha1";

/// Labels, annotations and finalizers that the operator puts on objects.
pub mod marks {
    /// On a namespace and all that is in it: the name of its Entity.
    pub const ENTITY: &str = "commonscloud.coop/entity";
    /// On a namespace: the Tariff of its Entity, by which admission checks tiers in it.
    pub const TARIFF: &str = "commonscloud.coop/tariff";
    /// On every child of an instance: the instance's name, unique in its namespace.
    pub const INSTANCE: &str = "commonscloud.coop/instance";
    /// On every child of an instance: the kind of the instance.
    pub const INSTANCE_KIND: &str = "commonscloud.coop/instance-kind";
    /// `"true"` on what holds data: never deleted by the operator before its date.
    pub const DATA: &str = "commonscloud.coop/data";
    /// Annotation on each rendered object: the package's name.
    pub const TEMPLATE: &str = "commonscloud.coop/template";
    /// Annotation on each rendered object: the pinned revision.
    pub const REVISION: &str = "commonscloud.coop/revision";
    /// Annotation on a namespace: its Entity's name as people write it.
    pub const DISPLAY_NAME: &str = "commonscloud.coop/display-name";
    /// Annotation on a namespace: the containers that keep to Pod Security *baseline* only, each as
    /// `WORKLOAD/CONTAINER`, with blanks between them. Admission holds all others to *restricted*.
    pub const BASELINE: &str = "commonscloud.coop/baseline-containers";
    /// Annotation on the copy of a platform Secret: the revision of the Secret that it was copied from.
    pub const SOURCE: &str = "commonscloud.coop/source";
    /// Label on a Secret that somebody made in an Entity's namespace: the service whose parameters may name it.
    pub const FOR: &str = "commonscloud.coop/for";
    /// Annotation on pods: the revisions of the platform Secrets that they use. A new one rolls them out.
    pub const PLATFORM_SECRETS: &str = "commonscloud.coop/platform-secrets";
    /// Annotation: the date until which kept data stays (RFC 3339).
    pub const KEEP_UNTIL: &str = "commonscloud.coop/keep-until";
    /// Annotation on a claim whose place another one took: the ServiceRestore. The operator alone sets it, and may
    /// then delete the claim.
    pub const SUPERSEDED_BY: &str = "commonscloud.coop/superseded-by";
    /// Annotation on what `commonscloud recover` brought back, and left to nobody else: the uid that it had before.
    pub const RECOVERED: &str = "commonscloud.coop/recovered";
    /// Annotation on a Collective or Access: the managers that it was made with, each name with the id that it became.
    pub const SEEDED: &str = "commonscloud.coop/seeded";
    /// Annotation on a Collective: the Entity that it was made for, as a record of data says it.
    pub const MADE_FOR: &str = "commonscloud.coop/made-for";
    /// The well-known label every managed object carries.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Value of [`MANAGED_BY`], and the field manager of server-side apply.
    pub const OPERATOR: &str = "commonscloud";
    /// Field manager of objects that are only ever created (PVCs, generated Secrets).
    pub const OPERATOR_CREATE: &str = "commonscloud-create";
    /// The namespace in which drills are made: a name that no Entity can have, which is at most 30 characters long.
    pub const DRILLS: &str = "commonscloud-drill-scratch-namespace";
    /// On a copy of a Secret in [`DRILLS`]: the uid of the drill.
    pub const DRILL: &str = "commonscloud.coop/drill";
    /// Keeps an Entity or instance until what must be recorded is recorded.
    pub const FINALIZER: &str = "commonscloud.coop/keep-data";
}
