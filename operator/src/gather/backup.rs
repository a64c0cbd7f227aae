//! Collects what the caches know around one run of a backup. No request is made here: what must be asked live, the
//! controller asks, and puts it in by [`with_escrow`].

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::jobs::{seen_job, seen_jobs};
use super::subject::{Asked, subject};
use super::{Packages, turn};
use crate::api::{
    BackupPhase, BackupReason, BackupTarget, Dedicated, Entity, PlatformBackup, Reason, RestorePhase, ServiceBackup,
    ServiceBackupStatus, ServiceRestore, marks,
};
use crate::backup::escrow::{RECIPIENTS, is_escrowed};
use crate::backup::target::{Purpose, repository};
use crate::backup::{Former, JobState, KeyState, ObservedRun, Own, Standing, Subject, choice, key_name, own_folder};
use crate::cache::{AnyDedicated, Caches, Key, Live, has_ended, restore_has_ended, restored_service};
use crate::compare::{KnownData, NeededCopies, compare_copies};
use crate::kinds;
use crate::plan::Plan;
use crate::report::{Obstacle, Problem, Verdict};
use crate::resolve::edited_at;
use crate::template::Package;
use crate::template::operation::operations_for;

/// Label on a key Secret: the uid of the Entity that goes on with the repositories of an earlier one.
pub const ENTITY_UID: &str = "commonscloud.coop/entity-uid";
/// What names of key Secrets begin with.
pub(super) const KEY: &str = "backup-key-";
/// For how long others wait for a run or a restore that has not begun.
pub(super) const ABOUT_TO_BEGIN: SignedDuration = SignedDuration::from_hours(1);

/// What the caches know around a run; none when it is gone. That nobody has the service's name is as the caches
/// have it: a cache may lag.
pub fn observe_run(caches: &Caches, packages: &Packages, own: &Own, now: Timestamp, key: &Key) -> Option<ObservedRun> {
    let run = caches.backups.get(&key.namespace, &key.name)?;
    let (namespace, service) = (key.namespace.as_str(), run.spec.service.as_str());
    let found = service_named(caches, namespace, service);
    let subject = match &found {
        Ok(Some(resource)) => subject(caches, packages, own, asked(&run), resource.as_ref()),
        Ok(None) => Err(no_service(namespace, service)),
        Err(problem) => Err(problem.clone()),
    };
    let former = subject.as_ref().ok().and_then(|subject| former(caches, &run, subject));
    Some(ObservedRun {
        now,
        service: standing(caches, namespace, &found),
        jobs: seen_jobs(caches, namespace, service, now),
        goes_first: turn::awaited(caches, &run, now),
        cared_for: None,
        former,
        idle_since: None,
        subject,
        run,
    })
}

/// The Dedicated resource of a name, of whichever kind.
///
/// # Errors
/// When it is there, and cannot be read.
pub fn service_named(caches: &Caches, namespace: &str, name: &str) -> Result<Option<AnyDedicated>, Problem> {
    let unreadable = kinds::DEDICATED.iter().find_map(|kind| caches.undecodable(kind.kind, namespace, name));
    if let Some(unreadable) = unreadable {
        return Err(why(&Obstacle::Undecodable(unreadable)));
    }
    let mut named = caches.dedicated_named(namespace, name);
    let recorded = caches.records.get(namespace, name).map(|record| record.spec.owner.kind.clone());
    let of_record = named.iter().position(|resource| recorded.as_deref() == Some(resource.kind()));
    Ok((!named.is_empty()).then(|| named.swap_remove(of_record.unwrap_or_default())))
}

fn no_service(namespace: &str, service: &str) -> Problem {
    let message = format!(
        "spec.service: there is no service {service} in namespace {namespace}; name one of `kubectl get commonscloud -n {namespace}`"
    );
    Problem::new(Reason::NotFound, message)
}

fn standing(caches: &Caches, namespace: &str, found: &Result<Option<AnyDedicated>, Problem>) -> Standing {
    let is_going = caches.namespaces.get("", namespace).is_some_and(|of| of.metadata.deletion_timestamp.is_some());
    match found {
        // Even in a namespace that is going: nothing can be opened any more, and nothing is to hold it.
        Ok(None) => Standing::Gone,
        _ if is_going => Standing::BeingDeleted,
        Ok(Some(resource)) if resource.metadata().deletion_timestamp.is_some() => Standing::BeingDeleted,
        Ok(Some(_)) | Err(_) => Standing::There,
    }
}

pub(super) fn why(obstacle: &Obstacle) -> Problem {
    match obstacle.verdict() {
        Verdict::Reconciling(problem) | Verdict::Stalled(problem) => problem,
        Verdict::Ready(message) => Problem::new(Reason::Ready, message),
    }
}

fn asked(run: &ServiceBackup) -> Asked<'_> {
    Asked { target: target_of(run), only_opens: phase(run) == BackupPhase::Unquiescing, of: None }
}

/// The target of a run: the one at which it began, whatever is chosen meanwhile.
fn target_of(run: &ServiceBackup) -> Option<&str> {
    let recorded = run.status.as_ref().and_then(|status| status.repository.as_ref());
    recorded.map(|repository| repository.target.as_str()).or(run.spec.target.as_deref())
}

/// The target of this name; of no name, the first.
///
/// # Errors
/// When there is none.
pub fn target(backup: Option<PlatformBackup>, name: Option<&str>) -> Result<(PlatformBackup, BackupTarget), Problem> {
    let not_found = |message: String| Problem::new(Reason::TargetNotFound, message);
    let Some(backup) = backup else {
        return Err(not_found("the Platform says nothing of backups; set spec.backup of Platform default".to_owned()));
    };
    if let Some(target) = backup.target(name).cloned() {
        return Ok((backup, target));
    }
    let known: Vec<&str> = backup.targets.iter().map(|target| target.name.as_str()).collect();
    let (name, known) = (name.unwrap_or_default(), known.join(", "));
    Err(not_found(format!("spec.target: the Platform has no target {name}; it has: {known}")))
}

/// The target that a service chose, else its Entity, else the Platform.
///
/// # Errors
/// When there is none.
pub(super) fn chosen(
    backup: Option<PlatformBackup>,
    entity: &Entity,
    service: Option<&dyn Dedicated>,
) -> Result<(PlatformBackup, BackupTarget), Problem> {
    let (backup, _) = target(backup, None)?;
    let own = service.and_then(|service| service.instance().backup.as_ref());
    let place = service.map_or("spec".to_owned(), edited_at);
    let target = choice(&backup, entity.spec.backup.as_ref(), own, &place).target?.clone();
    Ok((backup, target))
}

/// The folder of an Entity's repositories: of its own uid, unless a key in the operator's namespace says that this
/// Entity goes on with those of an earlier one.
pub fn folder(caches: &Caches, entity: &Entity) -> String {
    let (name, uid) = (entity.name_any(), entity.uid().unwrap_or_default());
    let label = |secret: &crate::cache::Sealed, key: &str| secret.labels.get(key).cloned().unwrap_or_default();
    let recorded = caches.platform_secrets.all().into_iter().find(|secret| {
        secret.name.starts_with(KEY) && label(secret, marks::ENTITY) == name && label(secret, ENTITY_UID) == uid
    });
    let recorded = recorded.and_then(|secret| secret.name.strip_prefix(KEY).map(str::to_owned));
    recorded.unwrap_or_else(|| own_folder(&name, Some(&uid)))
}

/// The package whose operations an instance uses.
///
/// # Errors
/// When there is none.
pub fn operations(caches: &Caches, packages: &Packages, plan: &Plan) -> Result<Arc<Package>, Problem> {
    if plan.package.operations().is_some() {
        return Ok(Arc::clone(&plan.package));
    }
    let template = plan.package.name();
    let mut revisions = caches.revisions.all();
    revisions.retain(|revision| revision.spec.template == template);
    revisions.sort_by_cached_key(|revision| Reverse(revision.creation_timestamp().map(|made| made.0)));
    let others: Vec<Arc<Package>> = revisions.iter().filter_map(|revision| packages.compile(revision).ok()).collect();
    let source = operations_for(&plan.package, others.iter().map(AsRef::as_ref)).map(|source| source.revision());
    let found = source.and_then(|revision| others.iter().find(|package| package.revision_name() == revision));
    found.cloned().ok_or_else(|| {
        let message = format!(
            "revision {} of template {template} has no operations, and no newer one lists it in compatibleRevisions",
            plan.revision
        );
        Problem::new(Reason::BackupUnsupported, message)
    })
}

/// How far the key is, but for its escrow.
///
/// # Errors
/// When another Secret of the namespace has the name of a copy.
pub fn key_state(
    caches: &Caches,
    plan: &Plan,
    folder: &str,
    target: &BackupTarget,
    data: &KnownData,
) -> Result<KeyState, Problem> {
    let wanted = needed(folder, target);
    let is_there = |name: &String| caches.platform_secret(name).is_some();
    let key = key_name(folder);
    if let Some(missing) = wanted.iter().find(|name| **name != key && !is_there(name)) {
        return Ok(KeyState::SecretMissing(missing.clone()));
    }
    if !is_there(&key) {
        return Ok(KeyState::Missing);
    }
    let sources = wanted.iter().filter_map(|name| Some((name.clone(), caches.platform_secret(name)?))).collect();
    let known = KnownData { sources, secrets: data.secrets.clone(), ..KnownData::default() };
    let copies = compare_copies(plan, &wanted, &known).map_err(|fault| why(&fault.into()))?;
    Ok(if copies.is_empty() { KeyState::There } else { KeyState::NotCopied(copies) })
}

/// The Secrets of the operator's namespace that runs and restores of an Entity need at a target.
pub fn needed(folder: &str, target: &BackupTarget) -> BTreeSet<String> {
    target.secret().map(Cow::into_owned).into_iter().chain([key_name(folder)]).collect()
}

/// With what the API server says of the escrow of the key: its Job, and the pods of that.
pub fn with_escrow(mut observed: ObservedRun, job: Option<&Live>, pods: &[Pod]) -> ObservedRun {
    if let Ok(subject) = &mut observed.subject {
        let seen = job.map(|job| seen_job(job, pods, observed.now));
        let annotation = job.and_then(|job| job.metadata.annotations.as_ref()?.get(RECIPIENTS).cloned());
        let state = seen.as_ref().map_or(JobState::Runs, |seen| seen.state.clone());
        if !is_escrowed(&state, annotation.as_deref(), &subject.backup.recipients) {
            subject.key = KeyState::NotEscrowed(seen);
        }
    }
    observed
}

/// The Secrets whose copies runs and restores of an Entity's namespace need. A restore reads from whichever target its
/// snapshot is at.
pub fn needed_copies(caches: &Caches, entity: &Entity) -> NeededCopies {
    let Some(backup) = caches.platform().and_then(|platform| platform.spec.backup.clone()) else {
        return NeededCopies::default();
    };
    let (namespace, folder) = (entity.name_any(), folder(caches, entity));
    let mut copies = NeededCopies::default();
    let mut add = |is_at_work: bool, secrets: BTreeSet<String>| {
        let into = if is_at_work { &mut copies.in_use } else { &mut copies.awaited };
        into.extend(secrets);
    };
    for run in caches.backups.in_namespace(&namespace).into_iter().filter(|run| !has_ended(run)) {
        let service = caches.dedicated_named(&namespace, &run.spec.service).into_iter().next();
        let target = match target_of(&run) {
            Some(name) => target(Some(backup.clone()), Some(name)),
            None => chosen(Some(backup.clone()), entity, service.as_deref()),
        };
        add(is_at_work(&run), target.map(|(_, target)| needed(&folder, &target)).unwrap_or_default());
    }
    for restore in caches.restores.in_namespace(&namespace).into_iter().filter(|restore| !restore_has_ended(restore)) {
        add(!restore_waits(&restore), backup.targets.iter().flat_map(|target| needed(&folder, target)).collect());
    }
    copies
}

fn phase(run: &ServiceBackup) -> BackupPhase {
    run.status.as_ref().and_then(|status| status.phase).unwrap_or(BackupPhase::Waiting)
}

pub(super) fn is_at_work(run: &ServiceBackup) -> bool {
    !has_ended(run) && phase(run) != BackupPhase::Waiting
}

fn restore_waits(restore: &ServiceRestore) -> bool {
    let phase = restore.status.as_ref().and_then(|status| status.phase);
    phase.is_none_or(|phase| phase == RestorePhase::Waiting)
}

/// Whether runs wait for this restore: it has begun, or is about to. One that waits for longer may wait for ever.
pub(super) fn is_waited_for(restore: &ServiceRestore, now: Timestamp) -> bool {
    let made = restore.creation_timestamp();
    let is_new = made.is_none_or(|made| now.duration_since(made.0) < ABOUT_TO_BEGIN);
    !restore_has_ended(restore) && (!restore_waits(restore) || is_new)
}

/// Who goes before a run that has not begun: a restore of the service, a run that is at work, an older one. The run
/// that a restore waits for goes before it.
pub(super) fn goes_first(caches: &Caches, run: &ServiceBackup, now: Timestamp) -> Option<String> {
    let namespace = run.namespace().unwrap_or_default();
    let service = run.spec.service.as_str();
    let mut restores: Vec<String> = caches
        .restores
        .in_namespace(&namespace)
        .into_iter()
        .filter(|restore| restored_service(restore) == service && is_waited_for(restore, now))
        .filter(|restore| run.spec.reason != BackupReason::BeforeRestore || !restore_waits(restore))
        .map(|restore| restore.name_any())
        .collect();
    restores.sort();
    if let Some(restore) = restores.first() {
        return Some(format!("{}/{restore}", kinds::SERVICE_RESTORE.kind));
    }
    // Any other waits for the restore that one of them is made for.
    let place = |run: &ServiceBackup| {
        let is_for_restore = run.spec.reason == BackupReason::BeforeRestore;
        (!is_at_work(run), !is_for_restore, run.creation_timestamp().map(|made| made.0), run.name_any())
    };
    let others = caches.backups.in_namespace(&namespace).into_iter();
    let before = others.filter(|other| other.spec.service == service && !has_ended(other) && place(other) < place(run));
    before.min_by_key(|other| place(other)).map(|first| format!("{}/{}", kinds::SERVICE_BACKUP.kind, first.name_any()))
}

/// What former runs of the service left in the repository.
fn former(caches: &Caches, run: &ServiceBackup, subject: &Subject) -> Option<Former> {
    let namespace = run.namespace().unwrap_or_default();
    let path =
        repository(&subject.own.namespace, &subject.target, &subject.folder, &run.spec.service, Purpose::Run).path();
    let mut others = caches.backups.in_namespace(&namespace);
    others.retain(|other| other.spec.service == run.spec.service && other.name_any() != run.name_any());
    others.sort_by_cached_key(|other| Reverse((other.creation_timestamp().map(|made| made.0), other.name_any())));
    let left = |other: &Arc<ServiceBackup>| {
        let status = other.status.clone()?;
        let repository = status.repository.clone()?;
        let is_it = repository.target == subject.target.name && repository.path == path;
        (is_it && !repository.id.is_empty()).then_some((repository.id, status))
    };
    let left: Vec<_> = others.iter().filter_map(left).collect();
    let (id, _) = left.first()?;
    let complete = |status: &ServiceBackupStatus| status.phase == Some(BackupPhase::Succeeded);
    let newest = left.iter().find(|(of, status)| of == id && complete(status));
    let contents = newest.map(|(_, status)| status.contents.clone()).unwrap_or_default();
    Some(Former { repository: id.clone(), contents })
}

#[cfg(test)]
#[path = "backup_tests.rs"]
mod tests;
