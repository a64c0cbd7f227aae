//! Collects what the caches know of the services whose backups are cared for, those that are gone as well. No request
//! is made here.

use std::collections::BTreeMap;
use std::sync::Arc;

use commonscloud_backup::records::RECORDS_FOLDER;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::backup::{ABOUT_TO_BEGIN, folder, is_at_work, service_named};
use super::drill::is_drilled;
use super::schedule::is_restored;
use super::seen_job;
use crate::api::{BackupRepository, PlatformBackup, ServiceBackup, ServiceRestore};
use crate::backup::copied::Copied;
use crate::backup::maintenance::{CareJob, Cared, Holds};
use crate::backup::target::ESCROW;
use crate::backup::{Own, SeenJob, own_folder};
use crate::cache::{Caches, Live, has_ended, restored_service};

/// A service that was backed up.
#[derive(Clone, Debug)]
pub struct KeptService {
    /// Its Entity, whose namespace is called the same.
    pub entity: String,
    /// Its name.
    pub service: String,
    /// Its runs.
    pub runs: Vec<Arc<ServiceBackup>>,
    /// What was copied for it of other Entities' backups.
    pub copies: Vec<Copied>,
    /// Whether it is being backed up, restored or drilled.
    pub is_busy: bool,
    /// Whether it is gone, and its data, as far as the caches know.
    pub is_gone: bool,
}

/// The runs of a service, and what was copied for it.
type Kept = (Vec<Arc<ServiceBackup>>, Vec<Copied>);

/// All services that were backed up, and those into which another Entity's backup was copied.
pub fn kept_services(caches: &Caches, now: Timestamp) -> Vec<KeptService> {
    let mut all: BTreeMap<(String, String), Kept> = BTreeMap::new();
    for run in caches.backups.all() {
        let name = (run.namespace().unwrap_or_default(), run.spec.service.clone());
        all.entry(name).or_default().0.push(run);
    }
    for copied in copies(caches) {
        let restore = &copied.restore;
        let name = (restore.namespace().unwrap_or_default(), restored_service(restore).to_owned());
        all.entry(name).or_default().1.push(copied);
    }
    let of = |((entity, service), (runs, copies)): ((String, String), Kept)| KeptService {
        is_busy: runs.iter().any(|run| is_run(run, now))
            || is_restored(caches, &entity, &service, now)
            || is_drilled(caches, &entity, &service),
        is_gone: is_gone(caches, &entity, &service),
        entity,
        service,
        runs,
        copies,
    };
    all.into_iter().map(of).collect()
}

/// The copies of other Entities' backups. Of an Entity that is gone nobody knows any more where they went, nor of one
/// that was made anew since, unless it goes on with the folder that it had.
fn copies(caches: &Caches) -> Vec<Copied> {
    caches.restores.all().iter().filter_map(|restore| copied(caches, restore)).collect()
}

fn copied(caches: &Caches, restore: &Arc<ServiceRestore>) -> Option<Copied> {
    restore.spec.from.entity.as_ref()?;
    let entity = caches.entities.get("", &restore.namespace()?)?;
    let copied_at = restore.status.as_ref()?.copied_at.as_ref()?;
    let is_new = entity.creation_timestamp().is_some_and(|made| made.0 > copied_at.0);
    let folder = folder(caches, &entity);
    let is_known = !is_new || folder != own_folder(&entity.name_any(), entity.metadata.uid.as_deref());
    Copied::of(restore, &folder).filter(|_| is_known)
}

/// The copy that a restore was made from, as long as the restore is to stay for it. An Entity that goes waits for none.
pub fn awaited_copy(caches: &Caches, restore: &Arc<ServiceRestore>, now: Timestamp) -> Option<Copied> {
    let (platform, name) = (caches.platform()?, restore.namespace()?);
    let (namespace, entity) = (caches.namespaces.get("", &name)?, caches.entities.get("", &name)?);
    let is_going = namespace.metadata.deletion_timestamp.is_some() || entity.metadata.deletion_timestamp.is_some();
    let backup = platform.spec.backup.as_ref().filter(|_| !is_going)?;
    copied(caches, restore).filter(|copied| copied.is_awaited(backup, now))
}

/// Whether a run is at work, or about to be: one that has waited for long may wait for ever, and looks before it begins.
fn is_run(run: &ServiceBackup, now: Timestamp) -> bool {
    let is_new = run.creation_timestamp().is_none_or(|made| now.duration_since(made.0) < ABOUT_TO_BEGIN);
    is_at_work(run) || (!has_ended(run) && is_new)
}

fn is_gone(caches: &Caches, namespace: &str, service: &str) -> bool {
    matches!(service_named(caches, namespace, service), Ok(None))
        && caches.records.get(namespace, service).is_none()
        && caches.records.undecodable(namespace, service).is_none()
}

/// The repositories of these services, each as its newest run has it.
pub fn repositories(services: &[KeptService]) -> Vec<Cared> {
    services.iter().flat_map(of_service).collect()
}

fn of_service(service: &KeptService) -> Vec<Cared> {
    let mut runs: Vec<&Arc<ServiceBackup>> = service.runs.iter().collect();
    runs.sort_by_key(|run| (run.creation_timestamp().map(|made| made.0), run.name_any()));
    let places = runs.iter().filter_map(|run| run.status.as_ref()?.repository.clone());
    let known = places.filter(|at| !at.id.is_empty()).map(|at| ((at.target.clone(), at.path.clone()), at));
    let newest: BTreeMap<_, _> = known.collect();
    let cared = newest.into_values().map(|at| Cared {
        holds: Holds::Backups,
        entity: service.entity.clone(),
        service: service.service.clone(),
        at,
        is_busy: service.is_busy,
    });
    cared.collect()
}

/// The platform's own repositories, at the targets to which its records went: that of the records, and that of the keys,
/// without which no records go there.
pub fn own_repositories(caches: &Caches, backup: &PlatformBackup, own: &Own) -> Vec<Cared> {
    let known = caches.repositories.of_records();
    let known = known.iter().filter_map(|(target, id)| Some((target, id.as_ref()?)));
    let there = known.filter(|(target, _)| backup.target(Some(target.as_str())).is_some());
    let at = |target: &str, path: &str, id: &str| BackupRepository {
        target: target.to_owned(),
        path: path.to_owned(),
        id: id.to_owned(),
    };
    let of_target = |(target, id): (&String, &String)| {
        let records = (Holds::Records, at(target, RECORDS_FOLDER, id));
        [records, (Holds::Keys, at(target, ESCROW, ""))].map(|(holds, at)| Cared {
            holds,
            entity: own.namespace.clone(),
            service: at.path.clone(),
            at,
            is_busy: false,
        })
    };
    there.flat_map(of_target).collect()
}

/// Whether it is known of each target of the Platform whether its records went there.
pub fn knows_own_repositories(caches: &Caches, backup: &PlatformBackup) -> bool {
    let known = caches.repositories.of_records();
    backup.targets.iter().all(|target| known.contains_key(&target.name))
}

/// Whether all runs are known, and so all repositories of services.
pub fn knows_all_runs(caches: &Caches) -> bool {
    caches.backups.is_complete() && caches.backups.undecodable_all().is_empty()
}

/// The Jobs that care for repositories, with what the containers of their pods said.
pub fn care_jobs(jobs: &[Job], pods: &[Pod], now: Timestamp) -> Vec<CareJob> {
    jobs.iter().filter_map(|job| CareJob::of(job, seen_job(&live(job)?, pods, now))).collect()
}

/// The same of Jobs that do whatever else in the operator's namespace, without what their containers said.
pub fn home_jobs(jobs: &[Job], now: Timestamp) -> Vec<SeenJob> {
    jobs.iter().filter_map(|job| Some(seen_job(&live(job)?, std::iter::empty::<&Pod>(), now))).collect()
}

fn live(job: &Job) -> Option<Live> {
    Some(Live::of("Job", serde_json::from_value(serde_json::to_value(job).ok()?).ok()?))
}

#[cfg(test)]
#[path = "care_tests.rs"]
mod tests;
