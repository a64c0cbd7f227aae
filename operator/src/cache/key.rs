//! The resources that have a controller.

/// The kinds that have a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `Platform`.
    Platform,
    /// `ServiceTemplate`.
    ServiceTemplate,
    /// `Entity`.
    Entity,
    /// `DedicatedOffice`.
    DedicatedOffice,
    /// `DedicatedAgora`.
    DedicatedAgora,
    /// `DedicatedProjects`.
    DedicatedProjects,
    /// `DedicatedService`.
    DedicatedService,
    /// `ServiceData`.
    ServiceData,
    /// `ServiceBackup`.
    ServiceBackup,
    /// `ServiceRestore`.
    ServiceRestore,
    /// `RestoreConsent`.
    RestoreConsent,
    /// `Collective`: with all that belongs to it in its namespace.
    Collective,
    /// `Access`: its Collective's pass looks after it.
    Access,
    /// `LeaveRequest`: its Collective's pass looks after it.
    LeaveRequest,
}

impl Kind {
    /// Every kind that has a controller.
    pub const ALL: [Self; 14] = [
        Self::Platform,
        Self::ServiceTemplate,
        Self::Entity,
        Self::DedicatedOffice,
        Self::DedicatedAgora,
        Self::DedicatedProjects,
        Self::DedicatedService,
        Self::ServiceData,
        Self::ServiceBackup,
        Self::ServiceRestore,
        Self::RestoreConsent,
        Self::Collective,
        Self::Access,
        Self::LeaveRequest,
    ];

    /// The kind of this name, if it has a controller.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "Platform",
            Self::ServiceTemplate => "ServiceTemplate",
            Self::Entity => "Entity",
            Self::DedicatedOffice => "DedicatedOffice",
            Self::DedicatedAgora => "DedicatedAgora",
            Self::DedicatedProjects => "DedicatedProjects",
            Self::DedicatedService => "DedicatedService",
            Self::ServiceData => "ServiceData",
            Self::ServiceBackup => "ServiceBackup",
            Self::ServiceRestore => "ServiceRestore",
            Self::RestoreConsent => "RestoreConsent",
            Self::Collective => "Collective",
            Self::Access => "Access",
            Self::LeaveRequest => "LeaveRequest",
        }
    }

    /// The Dedicated kind of this name.
    pub fn dedicated(name: &str) -> Option<Self> {
        [Self::DedicatedOffice, Self::DedicatedAgora, Self::DedicatedProjects, Self::DedicatedService]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A resource that has a controller.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// A resource in a namespace.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// A resource in no namespace.
    pub fn cluster(kind: Kind, name: &str) -> Self {
        Self::new(kind, "", name)
    }

    /// The record of that name.
    pub(super) fn record(namespace: &str, name: &str) -> Self {
        Self::new(Kind::ServiceData, namespace, name)
    }

    pub(super) fn entity(name: &str) -> Self {
        Self::cluster(Kind::Entity, name)
    }
}
