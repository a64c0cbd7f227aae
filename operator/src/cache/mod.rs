//! What the API server has, as the watches saw it: the only thing that gather reads.
//!
//! | module | what lives there |
//! |---|---|
//! | `feeds`, `feed`, `connections` | which kinds are watched; a list, then a watch, for ever |
//! | `health` | how each feed is |
//! | `raw`, `kept`, `undecodable` | decoding one object, and one that does not decode |
//! | `live`, `lazy`, `pods`, `nodes`, `sealed` | what is kept of an object, of a pod, of a node, of a Secret |
//! | `store`, `stores`, `index`, `dedicated`, `gone` | which version wins; what is found by what |
//! | `secrets`, `door` | Secrets by namespace; which namespaces are taken in |
//! | `peers` | the pods that the Platform's network peers select |
//! | `triggers`, `concerned`, `unfinished`, `people`, `rollout`, `known` | whom a change concerns, and who hears of our own writes |
//! | `repositories`, `provided` | what the care of backups found, and what the identity provider has: no watch brings either |
//! | `settled` | which plans were found applied |
//! | `key` | the name of a resource in the queue |

mod concerned;
mod connections;
mod dedicated;
mod door;
mod feed;
mod feeds;
mod gone;
mod health;
mod index;
mod kept;
mod key;
mod known;
mod lazy;
mod live;
mod nodes;
mod peers;
mod people;
mod pods;
mod provided;
mod raw;
mod repositories;
mod rollout;
mod sealed;
mod secrets;
mod settled;
mod store;
mod stores;
mod triggers;
mod undecodable;
mod unfinished;

#[cfg(test)]
mod feed_tests;
#[cfg(test)]
mod poison_tests;
#[cfg(test)]
mod stub;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::api::storage::v1::StorageClass;

pub use connections::Connections;
pub use dedicated::{AnyDedicated, waits_for_another};
pub use door::Door;
pub use health::{FeedHealth, Feeds, TOLERATED};
pub use kept::{Kept, Origin, Outcome};
pub use key::{Key, Kind};
pub use known::Known;
pub use lazy::Lazy;
pub use live::Live;
pub use nodes::Kubelet;
pub use peers::{PeerPod, PeerWatches, Peers};
pub use provided::{Held, Provided, Providers};
pub use raw::Raw;
pub use repositories::{Repositories, RepositoryState, RepositoryStates};
pub use sealed::Sealed;
pub use secrets::{SecretWatches, Secrets};
pub use settled::{Referred, Settled, State};
pub use store::{Identity, Store};
pub use undecodable::Undecodable;
pub use unfinished::{has_ended, restore_has_ended, restored_service};

use crate::api::{
    Access, AccessHistory, Collective, DedicatedAgora, DedicatedOffice, DedicatedProjects, DedicatedService, Entity,
    LeaveRequest, Platform, RestoreConsent, ServiceBackup, ServiceData, ServiceRestore, ServiceTemplate,
    ServiceTemplateRevision, Tariff,
};
use crate::kinds;

/// Hears which resources a change concerns.
pub type Listener = Arc<dyn Fn(Key) + Send + Sync>;

/// All caches. Cloning shares them.
#[derive(Clone, Default)]
pub struct Caches {
    /// The Platform.
    pub platforms: Store<Platform>,
    /// The Tariffs.
    pub tariffs: Store<Tariff>,
    /// The packages.
    pub templates: Store<ServiceTemplate>,
    /// The packages' revisions.
    pub revisions: Store<ServiceTemplateRevision>,
    /// The Entities.
    pub entities: Store<Entity>,
    /// The offices.
    pub offices: Store<DedicatedOffice>,
    /// The agoras.
    pub agoras: Store<DedicatedAgora>,
    /// The projects.
    pub projects: Store<DedicatedProjects>,
    /// The services made from any template.
    pub services: Store<DedicatedService>,
    /// The records of data.
    pub records: Store<ServiceData>,
    /// The runs of backups.
    pub backups: Store<ServiceBackup>,
    /// The restores.
    pub restores: Store<ServiceRestore>,
    /// The consents that other Entities restore a snapshot.
    pub consents: Store<RestoreConsent>,
    /// Who belongs to each Entity.
    pub collectives: Store<Collective>,
    /// Who may enter each service.
    pub accesses: Store<Access>,
    /// Who gave or took what of either.
    pub histories: Store<AccessHistory>,
    /// Who wants to leave.
    pub leave_requests: Store<LeaveRequest>,
    /// All namespaces.
    pub namespaces: Store<Namespace>,
    /// The storage classes.
    pub storage_classes: Store<StorageClass>,
    /// The ingress classes.
    pub ingress_classes: Store<IngressClass>,
    /// The pods that the Platform's network peers select, where somebody [watches](PeerWatches) them.
    pub peers: Peers,
    /// The instances' pods.
    pub pods: Store<Pod>,
    /// Warnings about objects in the Entities' namespaces.
    pub events: Store<Event>,
    /// What the operator writes, by kind.
    pub objects: BTreeMap<&'static str, Store<Live>>,
    /// The Secrets in the Entities' namespaces.
    pub secrets: Secrets,
    /// The Secrets in the operator's own namespace: the Platform names some of them.
    pub platform_secrets: Store<Sealed>,
    /// The nodes' kubelets, where somebody [watches](Self::watch_nodes) them.
    pub nodes: Store<Kubelet>,
    /// How the feeds of these caches are.
    pub feeds: Feeds,
    /// How the repositories of backups are, where somebody looked.
    pub repositories: Repositories,
    /// What the identity provider has of people, where one is driven and somebody looked.
    pub providers: Providers,
    /// Which plans were found applied.
    pub settled: Settled,
    /// Which namespaces' objects are taken in.
    pub door: Door,
}

impl Caches {
    /// Empty caches.
    pub fn new() -> Self {
        let objects = kinds::watched().map(|kind| (kind.kind, Store::default())).collect();
        Self {
            objects,
            offices: Store::indexed_by(dedicated::keys),
            agoras: Store::indexed_by(dedicated::keys),
            projects: Store::indexed_by(dedicated::keys),
            services: Store::indexed_by(dedicated::keys),
            ..Self::default()
        }
    }

    /// One object that the operator writes.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Live>> {
        self.objects.get(kind)?.get(namespace, name).map(|object| object.unread())
    }

    /// The written objects of a namespace, of all kinds.
    pub fn objects_in(&self, namespace: &str) -> Vec<Arc<Live>> {
        self.objects.values().flat_map(|store| store.in_namespace(namespace)).map(|object| object.unread()).collect()
    }

    /// The claims to volumes in a namespace.
    pub fn claims_in(&self, namespace: &str) -> Vec<Arc<Live>> {
        let claims = self.objects.get(kinds::VOLUME.kind).map(|store| store.in_namespace(namespace));
        claims.into_iter().flatten().map(|claim| claim.unread()).collect()
    }

    /// The Jobs in a namespace.
    pub fn jobs_in(&self, namespace: &str) -> Vec<Arc<Live>> {
        let jobs = self.objects.get("Job").map(|store| store.in_namespace(namespace));
        jobs.into_iter().flatten().map(|job| job.unread()).collect()
    }

    /// A Secret of the operator's own namespace.
    pub fn platform_secret(&self, name: &str) -> Option<Arc<Sealed>> {
        self.platform_secrets.all().into_iter().find(|secret| secret.name == name)
    }

    /// The Platform `default`.
    pub fn platform(&self) -> Option<Arc<Platform>> {
        self.platforms.get("", "default")
    }
}

/// Waits until every watch of `all` has ended, which is never while the operator runs.
pub async fn run(all: Vec<BoxFuture<'static, ()>>) {
    join_all(all.into_iter().map(|watch| tokio::spawn(watch))).await;
}
