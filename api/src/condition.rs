//! Conditions as kstatus reads them: `Ready`, and abnormal-true `Reconciling` and `Stalled`.

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The condition types that this API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// The object does what its spec says.
    Ready,
    /// The operator is still working towards the spec; present only while true.
    Reconciling,
    /// Nothing goes on until somebody changes something; present only while true.
    Stalled,
    /// The storage class enforces the quota (`False`: it does not, or cannot grow).
    QuotaEnforced,
    /// The space in use is measured (`False`: the kubelet reports nothing for this volume).
    UsageKnown,
    /// A smaller quota was asked for; the volume keeps its size. Present only while true.
    PendingShrink,
    /// A volume outside the quota is nearly full: it grows, or it cannot. Present only while true.
    VolumeFilling,
    /// The service answers through the ingress under its own host name.
    Reachable,
    /// What the package applies while the application runs is applied: settings, sign-in, the first
    /// administrator (`False`: the message says why not). Present only for packages that tell.
    Configured,
    /// Nothing of the instance is changed, as its spec says. Present only while true.
    Paused,
    /// The template's newest revision waits for other instances. Present only while true.
    RevisionPending,
    /// It was Ready before the template's newest revision and is not: other instances wait for it.
    /// Present only while true.
    HoldsRollout,
    /// The operator sees what the cluster has (`False`: a part of it, and the message says which it
    /// does not). Present only while false.
    Watching,
    /// Each peer that the Platform names is there (`False`: the message says which is not, as far as the
    /// operator sees). Present only while false.
    NetworkPeersFound,
    /// The IngressClass by which services are exposed is there, and clear (`False`: the message says what there
    /// is). Present only while false.
    IngressClassFound,
    /// The ClusterIssuer that the Platform names is there and ready, as far as the operator sees. Present only
    /// while false.
    IssuerFound,
    /// Each entry of the Platform's `images` is for a template, an image and a version that there is (`False`:
    /// the message names those that are for none). Present only while false.
    ImageOverridesFound,
    /// An image is not the one that the Platform names, or not that of the version that runs. Present only
    /// while true.
    ImageDiffers,
    /// A record of an earlier release that does not fit what is there. Present only while true.
    Unverified,
    /// The platform's own records are at each target (`False`: the message says at which the newest could not be
    /// stored, and why). Present only while false.
    RecordsStored,
    /// A target of backups is not lost with the cluster (`False`: all are volumes of it). Present only while false.
    OffSite,
    /// Each target that is a volume is served, and as large as the Platform says (`False`: the message says which is
    /// not, and why). Present only while false.
    BackupVolumesServed,
    /// The volume of a target that the Platform names no more is there, with all backups. Present only while true.
    BackupVolumeKept,
    /// There is a backup as new as the schedule says (`False`: the message says why not). Present only while false.
    BackedUp,
    /// What was chosen of the backups is what is done (`False`: the message says what is done instead). Present only
    /// while false.
    BackupAsChosen,
    /// The repository is pruned and checked, and whole (`False`: the message says what is damaged, or why it is not
    /// checked). Present only while false.
    RepositorySound,
    /// A backup was restored, started and found equal, and that is not long ago (`False`: the message says why not).
    /// Present only while false.
    RestoreProven,
    /// What a restore goes on with can be read: the service, its package, the target (`False`: the message says why not,
    /// and its transition is when that was first seen). Present only while false.
    SubjectKnown,
    /// The snapshot of a run was given up, or the copy that a restore was made from (`False`: its target keeps it all the
    /// same). Present only once it was.
    SnapshotGone,
    /// A run made its service quiet, and it could not be opened again so far. Present only while true.
    StillQuiet,
    /// The identity provider that the Platform names has what it is to have (`False`: the message says what waits, and
    /// why). Present while one is driven.
    IdentityReady,
    /// The managers that the Entity, or the service, names are those of its Collective or Access (`False`: the message
    /// says who differs). Present only while false.
    ManagersAsNamed,
}

impl ConditionType {
    /// The name in `status.conditions[].type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::QuotaEnforced => "QuotaEnforced",
            Self::UsageKnown => "UsageKnown",
            Self::PendingShrink => "PendingShrink",
            Self::VolumeFilling => "VolumeFilling",
            Self::Reachable => "Reachable",
            Self::Configured => "Configured",
            Self::Paused => "Paused",
            Self::RevisionPending => "RevisionPending",
            Self::HoldsRollout => "HoldsRollout",
            Self::Watching => "Watching",
            Self::NetworkPeersFound => "NetworkPeersFound",
            Self::IngressClassFound => "IngressClassFound",
            Self::IssuerFound => "IssuerFound",
            Self::ImageOverridesFound => "ImageOverridesFound",
            Self::ImageDiffers => "ImageDiffers",
            Self::Unverified => "Unverified",
            Self::RecordsStored => "RecordsStored",
            Self::OffSite => "OffSite",
            Self::BackupVolumesServed => "BackupVolumesServed",
            Self::BackupVolumeKept => "BackupVolumeKept",
            Self::BackedUp => "BackedUp",
            Self::BackupAsChosen => "BackupAsChosen",
            Self::RepositorySound => "RepositorySound",
            Self::RestoreProven => "RestoreProven",
            Self::SubjectKnown => "SubjectKnown",
            Self::SnapshotGone => "SnapshotGone",
            Self::StillQuiet => "StillQuiet",
            Self::IdentityReady => "IdentityReady",
            Self::ManagersAsNamed => "ManagersAsNamed",
        }
    }
}
