//! What one pass over a restore sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use super::copy::Foreign;
use crate::api::{DataEntity, RestorePhase, ServiceBackup, ServiceData, ServiceRestore, ServiceRestoreStatus};
use crate::backup::{SeenJob, Subject};
use crate::cache::{Live, Sealed};
use crate::core::Bytes;
use crate::plan::InstanceReference;
use crate::report::Problem;

/// What one pass over a restore sees.
#[derive(Clone, Debug)]
pub struct ObservedRestore {
    /// The restore.
    pub restore: Arc<ServiceRestore>,
    /// The operator's time.
    pub now: Timestamp,
    /// Since when this operator leads: what passes while nobody looks counts for no patience.
    pub watched_since: Timestamp,
    /// The service whose backup it is, or why it cannot be restored. Its plan is of the stage that the restore's
    /// phase asks for, on the claims that the record names.
    pub subject: Result<Subject, Problem>,
    /// The record of its data, whatever else is wrong with it.
    pub record: Option<Arc<ServiceData>>,
    /// The Jobs in the namespace whose label `commonscloud.coop/operation-of` names the service, by name, whichever
    /// restore or run they are of.
    pub jobs: BTreeMap<String, SeenJob>,
    /// The run or restore of the same service that comes first, as `ServiceBackup/NAME`.
    pub goes_first: Option<String>,
    /// What that one waits for, where it is a restore that has not begun either.
    pub first_waits: Option<String>,
    /// The runs of the namespace that left a snapshot of the service.
    pub runs: Vec<Arc<ServiceBackup>>,
    /// The claims of the namespace.
    pub claims: Vec<Arc<Live>>,
    /// The quotas of the namespace; asked for while it waits, else empty.
    pub quotas: Vec<Room>,
    /// How the service is.
    pub service: SeenService,
    /// What is known of a service that begins with a backup of another one.
    pub new: Option<NewService>,
    /// The Entity that the snapshot is of, where that is another one; `runs` are then its own.
    pub foreign: Option<Foreign>,
}

impl ObservedRestore {
    /// Where it is, by its status.
    pub fn phase(&self) -> RestorePhase {
        self.status().and_then(|status| status.phase).unwrap_or(RestorePhase::Waiting)
    }

    /// Its status, as it was read.
    pub fn status(&self) -> Option<&ServiceRestoreStatus> {
        self.restore.status.as_ref()
    }

    /// Whether somebody deletes it.
    pub fn is_being_deleted(&self) -> bool {
        self.restore.metadata.deletion_timestamp.is_some()
    }

    /// The service whose repository the backup lies in.
    pub fn repository_of(&self) -> &str {
        let spec = &self.restore.spec;
        // Another Entity's is copied to where this one's service has its own.
        self.foreign.as_ref().and(spec.into.service.as_ref()).unwrap_or(&spec.from.service)
    }

    /// A claim that is there, be it on its way out.
    pub fn claim(&self, name: &str) -> Option<&Live> {
        self.claims.iter().find(|live| live.name() == name).map(AsRef::as_ref)
    }
}

/// What is known of a service that begins with a backup of another one.
#[derive(Clone, Debug)]
pub struct NewService {
    /// Whose data it will be, or why there is nobody yet.
    pub whose: Result<Whose, Problem>,
    /// The namespace of the service that the backup is of.
    pub from: String,
    /// The record of that one's data: passwords in the data are those of its Secrets.
    pub source: Option<Arc<ServiceData>>,
    /// The Secrets beside that one, by name; none while they are not known.
    pub sources: Option<BTreeMap<String, Arc<Sealed>>>,
    /// The Secrets beside the new one, by name; none while they are not known.
    pub secrets: Option<BTreeMap<String, Arc<Sealed>>>,
}

impl NewService {
    /// Whether the Secrets of both are known.
    pub const fn is_known(&self) -> bool {
        self.secrets.is_some() && self.sources.is_some()
    }
}

/// Whose data a new service's is.
#[derive(Clone, Debug, PartialEq)]
pub struct Whose {
    /// The service.
    pub instance: InstanceReference,
    /// Its template.
    pub template: String,
    /// Its Entity, as the record is to have it.
    pub entity: DataEntity,
}

/// What a quota of the namespace leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// The quota's name.
    pub quota: String,
    /// The storage that claims may still request; none: it does not say.
    pub storage: Option<Bytes>,
    /// How many claims there may still be; none: it does not say.
    pub claims: Option<u64>,
}

/// How a service is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenService {
    /// Whether `spec.paused` keeps it as it is.
    pub is_paused: bool,
    /// Whether its objects are as its plan has them.
    pub is_applied: bool,
    /// Whether all of its workloads that are to run do.
    pub is_running: bool,
    /// Its pods that are not to run, or are on their way out, by name.
    pub pods_left: Vec<String>,
    /// Why it is not Ready; nothing where it is.
    pub not_ready: Option<Problem>,
}
