//! What the caches know that an instance depends on: the input of [`super::resolve`].

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use super::rollout::Peer;
use crate::api::{Entity, Platform, RestorePhase, ServiceData, Tariff};
use crate::core::{Bytes, Hostname};
use crate::plan::Stage;
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
    /// What of it runs while its data is being replaced.
    pub stage: Stage,
    /// The ServiceRestore of all of it that has not ended, if there is one.
    pub restore: Option<UnfinishedRestore>,
}

/// A restore of all of a service that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnfinishedRestore {
    /// Its name.
    pub name: String,
    /// Where it is, by its status.
    pub phase: Option<RestorePhase>,
    /// How far it is, by its status.
    pub progress: Option<String>,
    /// The claims that it makes or has made, by the volume's name.
    pub claims: BTreeMap<String, String>,
    /// Whether it brings what another service was: this one begins with nothing else.
    pub is_of_another: bool,
}

impl UnfinishedRestore {
    /// Whether it goes on with what the service is now: no other revision or version begins, and no volume grows.
    pub fn has_begun(&self) -> bool {
        self.phase > Some(RestorePhase::Waiting)
    }

    /// Whether the record says what the restored data is of.
    pub fn has_switched(&self) -> bool {
        self.phase >= Some(RestorePhase::Switching)
    }
}

impl Facts {
    /// Whether the instance goes on with what it is, because its data is being restored: no other revision or version
    /// begins. Of one that has no data yet, from before the restore begins.
    pub fn is_being_restored(&self) -> bool {
        self.restore.as_ref().is_some_and(|restore| restore.has_begun() || self.is_lost())
    }

    /// Whether its data as a whole is still to come, by the record.
    pub fn is_lost(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.spec.restoring.is_some())
    }
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
