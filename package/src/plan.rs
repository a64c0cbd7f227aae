//! `Plan`: what is to run for one instance, decided and checked. The only thing that render takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::Value;

use crate::Package;
use commonscloud_api::values::{Bytes, Hostname};
use commonscloud_api::{Exposure, Language, NetworkPeers, SharedEditor, Smtp, VolumeAccess};

/// What is to run for one instance.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The Dedicated resource.
    pub instance: InstanceReference,
    /// The Entity it belongs to.
    pub entity: PlannedEntity,
    /// The package, compiled from the pinned revision.
    pub package: Arc<Package>,
    /// Name of the pinned ServiceTemplateRevision.
    pub revision: String,
    /// The application's version.
    pub version: String,
    /// Image references by the package's names, overrides applied.
    pub images: BTreeMap<String, String>,
    /// The Secrets of the Platform with which they are pulled.
    pub image_pull_secrets: Vec<String>,
    /// Requests and limits by component, overrides applied.
    pub resources: BTreeMap<String, ResourceRequirements>,
    /// The storage that is sold: tier and blocks together.
    pub quota: Bytes,
    /// The volumes, sized.
    pub volumes: Vec<PlannedVolume>,
    /// The generated Secrets.
    pub secrets: Vec<PlannedSecret>,
    /// The host name that the instance holds.
    pub hostname: Hostname,
    /// The instance's parameters, checked against the package's schema.
    pub parameters: Value,
    /// How services are reached from outside.
    pub exposure: Exposure,
    /// Who is who in the cluster's network.
    pub network: NetworkPeers,
    /// The mail server.
    pub smtp: Option<Smtp>,
    /// The revisions of the Secrets that the Platform names, by name.
    pub platform_secrets: BTreeMap<String, String>,
    /// The editor of documents that all share.
    pub editor: Option<SharedEditor>,
    /// What of it runs.
    pub stage: Stage,
    /// By whom people are signed in, where the platform drives that.
    pub identity: Option<PlannedIdentity>,
}

/// By whom people are signed in, and as what the provider knows the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedIdentity {
    /// The issuer (OpenID Connect).
    pub issuer: String,
    /// The instance's client there; its secret is key `client-secret` of the package's Secret `oidc`.
    pub client_id: String,
    /// The claim that lists what somebody may do here: `access`, `manage`.
    pub groups_claim: String,
}

/// What of an instance runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// All of it.
    #[default]
    Whole,
    /// Nothing but these components, by their names in the package: its data is being replaced.
    Stopped {
        /// The components that go on.
        but: BTreeSet<String>,
    },
}

/// The Dedicated resource that a plan is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceReference {
    /// Its kind, for example `DedicatedOffice`.
    pub kind: String,
    /// Its namespace, which is its Entity's.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid; owned objects refer to it.
    pub uid: String,
}

/// What a package may know of the Entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedEntity {
    /// Its name.
    pub name: String,
    /// Its name as people write it: hostile text.
    pub display_name: String,
    /// Its language.
    pub language: Language,
    /// Mail addresses of the service's managers, then of the Entity's, each once.
    pub contacts: Vec<String>,
}

/// A volume to be made or grown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedVolume {
    /// The volume's name in the package.
    pub name: String,
    /// The PersistentVolumeClaim's name.
    pub claim: String,
    /// What one file can take.
    pub usable: Bytes,
    /// What the claim requests for this quota: usable and the file system's overhead.
    pub request: Bytes,
    /// How it grows beyond that, if the package lets it.
    pub growth: Option<PlannedGrowth>,
    /// What follows from how full it is.
    pub filling: GrowthDecision,
    /// Whether it carries the entity's files.
    pub carries_quota: bool,
    /// How many nodes may mount it.
    pub access: VolumeAccess,
    /// The storage class; absent: the cluster's default.
    pub storage_class: Option<String>,
}

/// How a volume grows beyond what its quota asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedGrowth {
    /// What files can take of it once it has grown as far as it may.
    pub usable: Bytes,
    /// The most that the claim may request: that and the file system's overhead.
    pub maximum: Bytes,
}

/// What follows from how full a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowthDecision {
    /// It was not measured since the operator started.
    NotMeasured,
    /// There is room, or nothing is known, or an earlier growth is under way.
    Nothing,
    /// The claim is to request this.
    Grow(Bytes),
    /// It is nearly full, and has grown as far as it may.
    AtMaximum,
    /// It is nearly full, and its storage class lets no volume grow.
    NotExpandable,
    /// It is nearly full, and its package lets it not grow.
    Fixed,
}

/// A Secret to be generated once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSecret {
    /// The secret's name in the package.
    pub name: String,
    /// The Secret's name.
    pub secret: String,
    /// The Secrets that hold the keys which a later revision added: the first one is never changed.
    pub further: Vec<PlannedFurther>,
}

impl PlannedSecret {
    /// Whether this is the name of one of its Secrets.
    pub fn is_called(&self, name: &str) -> bool {
        self.secret == name || self.further.iter().any(|further| further.secret == name)
    }
}

/// A Secret for keys that a later revision added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFurther {
    /// The Secret's name.
    pub secret: String,
    /// The keys that it holds.
    pub keys: Vec<String>,
}
