//! Collects what the caches know around one restore. No request is made here: the namespace's quotas, which others
//! make too, the controller asks for, and puts in what [`rooms`] makes of them, and since when it leads.

use std::cmp::Reverse;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::backup::{is_at_work, service_named};
use super::consent::{copy_target, expecting, foreign};
use super::observed::COMPONENT;
use super::subject::{Asked, subject};
use super::{Observed, Packages, observe, seen_jobs};
use crate::api::{
    BackupReason, ConditionType, Dedicated, Reason, RestoreDestinationKind, RestorePhase, ServiceBackup, ServiceRestore,
};
use crate::backup::Own;
use crate::cache::{AnyDedicated, Caches, Key, Live, has_ended, restore_has_ended, restored_service};
use crate::compare::{compare_objects, requested};
use crate::core::{Bytes, Quantity};
use crate::kinds;
use crate::plan::{Plan, Stage};
use crate::report::Problem;
use crate::resolve::{Instance, recorded_entity, resolve};
use crate::restore::{NewService, ObservedRestore, Room, SeenService, Whose};
use crate::template::render;
use crate::usage::Measurement;

/// What says how much of an instance runs, and on which claims.
const WORKLOADS: [&str; 3] = ["Deployment", "StatefulSet", "CronJob"];

/// What the caches know around a restore; none when it is gone.
pub fn observe_restore(
    caches: &Caches,
    packages: &Packages,
    own: &Own,
    now: Timestamp,
    key: &Key,
) -> Option<ObservedRestore> {
    let restore = caches.restores.get(&key.namespace, &key.name)?;
    let (namespace, service) = (key.namespace.as_str(), restored_service(&restore).to_owned());
    let foreign = foreign(caches, own, &restore);
    // Of another Entity's nothing is seen but the backup that it is about.
    let runs = match &foreign {
        Some(foreign) => foreign.run.iter().cloned().collect(),
        None => runs(caches, namespace, &restore.spec.from.service),
    };
    let at = copy_target(&restore, foreign.as_ref()).or_else(|| target(&restore, &runs).map(str::to_owned));
    let found = service_named(caches, namespace, &service);
    let subject = match &found {
        Ok(Some(resource)) => {
            let asked = Asked { target: at.as_deref(), only_opens: false, of: None };
            subject(caches, packages, own, asked, resource.as_ref())
        }
        Ok(None) => Err(no_service(namespace, &service)),
        Err(problem) => Err(problem.clone()),
    };
    let new = (restore.spec.into.kind == RestoreDestinationKind::NewService).then(|| {
        let of = foreign.as_ref().map_or(namespace, |foreign| foreign.entity.as_str());
        new_service(caches, namespace, (of, &restore.spec.from.service, &service), &found)
    });
    let (goes_first, first_waits) = goes_first(caches, &restore);
    let seen = found.ok().flatten().map(|resource| seen_service(caches, packages, resource.as_ref()));
    Some(ObservedRestore {
        now,
        watched_since: Timestamp::MIN,
        foreign: expecting(caches, foreign, subject.as_ref().ok()),
        subject,
        record: caches.records.get(namespace, &service),
        jobs: seen_jobs(caches, namespace, &service, now),
        goes_first,
        first_waits,
        runs,
        claims: caches.claims_in(namespace),
        quotas: Vec::new(),
        service: seen.unwrap_or_default(),
        new,
        restore,
    })
}

/// What is known of a service that begins with a backup of another one.
fn new_service(
    caches: &Caches,
    namespace: &str,
    (of, from, service): (&str, &str, &str),
    found: &Result<Option<AnyDedicated>, Problem>,
) -> NewService {
    let not_yet = || {
        let message = format!(
            "spec.into.service: there is no service {service} in namespace {namespace} yet; apply it now: it begins with this backup"
        );
        Problem::new(Reason::NotFound, message)
    };
    let whose = found.as_ref().map_err(Problem::clone).and_then(|found| {
        let is_going = |of: &&AnyDedicated| of.metadata().deletion_timestamp.is_some();
        let resource = found.as_ref().filter(|of| !is_going(of)).ok_or_else(not_yet)?;
        let entity = caches.entities.get("", namespace).ok_or_else(not_yet)?;
        let template = resource.template().to_owned();
        let instance = Instance::of(resource.as_ref()).reference;
        Ok(Whose { instance, template, entity: recorded_entity(&entity) })
    });
    NewService {
        whose,
        from: of.to_owned(),
        source: caches.records.get(of, from),
        sources: caches.secrets.of(of),
        secrets: caches.secrets.of(namespace),
    }
}

fn no_service(namespace: &str, service: &str) -> Problem {
    let message = format!(
        "spec.from.service: there is no service {service} in namespace {namespace}; name one of `kubectl get commonscloud -n {namespace}`"
    );
    Problem::new(Reason::NotFound, message)
}

/// The runs that left a snapshot of a service, the newest first.
pub(super) fn runs(caches: &Caches, namespace: &str, service: &str) -> Vec<Arc<ServiceBackup>> {
    let mut runs = caches.backups.in_namespace(namespace);
    runs.retain(|run| run.spec.service == service && snapshot(run).is_some());
    runs.sort_by_cached_key(|run| Reverse((run.creation_timestamp().map(|made| made.0), run.name_any())));
    runs
}

fn snapshot(run: &ServiceBackup) -> Option<&str> {
    run.status.as_ref()?.snapshot.as_deref()
}

/// The target at which the snapshot is that was chosen; none before one is, and where nobody says.
fn target<'r>(restore: &'r ServiceRestore, runs: &'r [Arc<ServiceBackup>]) -> Option<&'r str> {
    if let Some(imported_to) = &restore.spec.from.imported_to {
        return Some(imported_to);
    }
    let chosen = restore.status.as_ref()?.snapshot.as_deref()?;
    let run = runs.iter().find(|run| snapshot(run) == Some(chosen))?;
    Some(run.status.as_ref()?.repository.as_ref()?.target.as_str())
}

/// Who goes before a restore that has not begun: a run that is at work or made for it, a restore that has begun or
/// is older; and what that one waits for itself. Any other run waits for the restore.
fn goes_first(caches: &Caches, restore: &ServiceRestore) -> (Option<String>, Option<String>) {
    let namespace = restore.namespace().unwrap_or_default();
    let service = restored_service(restore);
    let runs = caches.backups.in_namespace(&namespace).into_iter().filter(|run| run.spec.service == service);
    let mut runs: Vec<String> = runs
        .filter(|run| !has_ended(run) && (is_at_work(run) || run.spec.reason == BackupReason::BeforeRestore))
        .map(|run| format!("{}/{}", kinds::SERVICE_BACKUP.kind, run.name_any()))
        .collect();
    runs.sort();
    if let Some(run) = runs.into_iter().next() {
        return (Some(run), None);
    }
    let has_begun =
        |of: &ServiceRestore| of.status.as_ref().and_then(|status| status.phase) > Some(RestorePhase::Waiting);
    let place = |of: &ServiceRestore| (!has_begun(of), of.creation_timestamp().map(|made| made.0), of.name_any());
    let restores = caches.restores.in_namespace(&namespace).into_iter();
    let before = restores
        .filter(|other| {
            restored_service(other) == service && !restore_has_ended(other) && place(other) < place(restore)
        })
        .min_by_key(|other| place(other));
    let waits = before.as_ref().filter(|first| !has_begun(first)).map(|first| said(first));
    (before.map(|first| format!("{}/{}", kinds::SERVICE_RESTORE.kind, first.name_any())), waits)
}

/// Why a restore is not Ready, in its own words.
fn said(restore: &ServiceRestore) -> String {
    let conditions = restore.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str());
    ready.map_or_else(|| "nothing is reported of it yet".to_owned(), |ready| ready.message.clone())
}

fn seen_service(caches: &Caches, packages: &Packages, resource: &dyn Dedicated) -> SeenService {
    let instance = Instance::of(resource);
    let seen = observe(caches, packages, &instance, |_| Measurement::NotYet);
    let known =
        SeenService { is_paused: instance.spec.paused, not_ready: not_ready(resource), ..SeenService::default() };
    if seen.undecodable.is_some() {
        return known;
    }
    let Ok(resolved) = resolve(&instance, &seen.facts) else { return known };
    let plan = &resolved.plan;
    SeenService {
        is_applied: is_applied(plan, &seen),
        is_running: !seen.owned.is_empty() && seen.children(plan, &[]).are_running(),
        pods_left: seen.pods.iter().filter(|pod| is_left(&plan.stage, pod)).map(|pod| pod.name_any()).collect(),
        ..known
    }
}

/// Whether its workloads are as the plan has them: how much of it runs, and on which claims.
fn is_applied(plan: &Plan, seen: &Observed) -> bool {
    let Ok(mut rendered) = render(plan) else { return false };
    rendered.objects.retain(|object| WORKLOADS.contains(&object.kind.as_str()));
    let live = |kind: &str, name: &str| seen.inside.object(kind, name);
    compare_objects(&rendered.objects, live, &[]).is_ok_and(|changes| changes.is_empty())
}

/// Whether a pod is not to be there in this stage, and has not ended.
fn is_left(stage: &Stage, pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let component = pod.labels().get(COMPONENT);
    let goes_on = match stage {
        Stage::Whole => true,
        Stage::Stopped { but } => component.is_some_and(|component| but.contains(component)),
    };
    !matches!(phase, Some("Succeeded" | "Failed")) && (!goes_on || pod.metadata.deletion_timestamp.is_some())
}

/// Why a service is not Ready, by what it reports of its present spec.
fn not_ready(resource: &dyn Dedicated) -> Option<Problem> {
    let status = resource.status().filter(|status| status.observed_generation == resource.metadata().generation);
    let mut conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default().iter();
    match conditions.find(|condition| condition.type_ == ConditionType::Ready.as_str()) {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(Problem::quoted(&ready.reason, ready.message.clone())),
        None => Some(Problem::new(Reason::Starting, "nothing is reported of it yet")),
    }
}

/// What the quotas of a namespace leave. Of one that nobody has counted yet, what its `claims` do not request.
pub fn rooms(quotas: &[ResourceQuota], claims: &[Arc<Live>]) -> Vec<Room> {
    quotas.iter().map(|quota| room(quota, claims)).collect()
}

fn room(quota: &ResourceQuota, claims: &[Arc<Live>]) -> Room {
    let hard = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
    let used = quota.status.as_ref().and_then(|status| status.used.as_ref());
    let hard = |resource: &str| Some(hard?.get(resource)?.0.parse::<Quantity>().ok()?.bytes()?.get());
    let used = |resource: &str| Some(used?.get(resource)?.0.parse::<Quantity>().ok()?.bytes()?.get());
    let requests =
        || claims.iter().filter_map(|claim| requested(claim)).fold(0_u64, |sum, of| sum.saturating_add(of.get()));
    let left = |resource: &str, counted: u64| Some(hard(resource)?.saturating_sub(used(resource).unwrap_or(counted)));
    Room {
        quota: quota.name_any(),
        storage: left("requests.storage", requests()).map(Bytes::new),
        claims: left("persistentvolumeclaims", claims.len() as u64),
    }
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;
