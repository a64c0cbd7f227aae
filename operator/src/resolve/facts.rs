//! What the caches know that an instance depends on: the input of [`super::resolve`].

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use super::rollout::Peer;
use crate::api::{Entity, Platform, ServiceData, Tariff};
use crate::core::{Bytes, Hostname};
use crate::template::Package;
use crate::usage::Measurement;

/// What is known around one instance.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The Platform `default`.
    pub platform: Option<Arc<Platform>>,
    /// The instance's namespace.
    pub namespace: NamespaceFacts,
    /// The Entity that the namespace is called like.
    pub entity: Option<Arc<Entity>>,
    /// The Entity's Tariff.
    pub tariff: Option<Arc<Tariff>>,
    /// The revision that the instance's template has now.
    pub newest_revision: Option<String>,
    /// Why the instance's template has no revision, if it is there and refused.
    pub template_fault: Option<String>,
    /// Compiled packages by the revision's name, or what is wrong with them. Holds whichever exist
    /// of those that the instance, its record and its template name.
    pub packages: BTreeMap<String, Result<Arc<Package>, String>>,
    /// The revisions of the Secrets that the Platform names, by name; those that are known.
    pub platform_secrets: BTreeMap<String, String>,
    /// The record of the data under the instance's name.
    pub record: Option<Arc<ServiceData>>,
    /// The keys of the managed Secrets in the namespace, by name; those that are known.
    pub secret_keys: BTreeMap<String, Vec<String>>,
    /// Whose the Secrets in the namespace are, by name; those that are known.
    pub secrets: BTreeMap<String, SecretFacts>,
    /// The other instances that hold or ask for a host name that this one could have.
    pub claims: Vec<HostnameClaim>,
    /// The other instances of the template in the queue of its roll-out; only where this one is in it.
    pub peers: Vec<Peer>,
    /// The volumes that exist, by claim.
    pub volumes: BTreeMap<String, VolumeFacts>,
}

/// What is known of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// Whether it exists and is not being deleted.
    pub exists: bool,
    /// The Entity that it is labelled for.
    pub entity: Option<String>,
    /// Whether the operator's rights in it are there.
    pub writable: bool,
}

/// Whose a Secret in the namespace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFacts {
    /// Generated for the instance of this name.
    Generated(String),
    /// A copy of one that the Platform names.
    Copied,
    /// Made by somebody, for the service of this name.
    MadeFor(String),
}

/// Another instance's wish for a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostnameClaim {
    /// The host name.
    pub hostname: Hostname,
    /// `kind namespace/name`, for messages.
    pub holder: String,
    /// Whether the instance serves there, whatever its spec says by now.
    pub holds: bool,
    /// When the instance was made.
    pub created: Option<Timestamp>,
    /// The instance's uid.
    pub uid: String,
}

/// A volume that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFacts {
    /// Its storage class.
    pub storage_class: Option<String>,
    /// Whether the storage class lets it grow.
    pub expandable: bool,
    /// What its claim requests.
    pub requested: Option<Bytes>,
    /// What its claim has.
    pub capacity: Option<Bytes>,
    /// How full it is.
    pub usage: Measurement,
}
