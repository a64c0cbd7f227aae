//! Collects what the caches know around one drill, and of the proof of a service's backups. No request is made here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use commonscloud_backup::records::RECORDS_FOLDER;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::json;

use super::backup::{is_waited_for, service_named, why};
use super::jobs::{is_owned_by, live_has_ended};
use super::observed::{Inside, settings};
use super::restore::runs;
use super::schedule::is_restored;
use super::subject::{Asked, subject};
use super::{Packages, key_state, seen_jobs, stage};
use crate::api::{Dedicated, PlatformBackup, Reason, ServiceBackup, ServiceRestore, marks};
use crate::backup::{KeyState, Own, Subject, has_come, is_backup, key_name, taken_at, taken_by};
use crate::cache::{Caches, Key, Live, Sealed, has_ended, restore_has_ended, restored_service};
use crate::compare::{Action, Change, KnownData, compare_objects, requested};
use crate::core::{Bytes, Quantity};
use crate::drill::{Drilled, ObservedDrill, Remains, copies, objects, owned, scratch};
use crate::kinds;
use crate::plan::Plan;
use crate::report::{Children, Problem};
use crate::restore::{ObservedRestore, SeenService};

/// What the caches know around a drill; none when it is gone.
pub fn observe_drill(
    caches: &Caches,
    packages: &Packages,
    own: &Own,
    now: Timestamp,
    key: &Key,
) -> Option<ObservedDrill> {
    let restore = caches.restores.get(&key.namespace, &key.name)?;
    let backup = caches.platform().and_then(|platform| platform.spec.backup.clone()).unwrap_or_default();
    let entity = restore.spec.from.entity.clone().unwrap_or_default();
    let service = restore.spec.from.service.clone();
    let runs = runs(caches, &entity, &service);
    let inside = Inside::of(caches, marks::DRILLS);
    let secrets = inside.secrets.clone().unwrap_or_default();
    let subject = of_service(caches, packages, own, &restore, &runs)
        .and_then(|subject| drilled(caches, subject, &restore, &backup, &secrets));
    let made = subject.as_ref().map(|subject| writes(caches, subject, &entity, &inside, &secrets));
    let (copies, objects) = made.unwrap_or_else(|problem| (Vec::new(), Err(problem.clone())));
    let found = subject.as_ref().ok().map(|subject| seen_service(caches, &subject.plan, &inside, objects.as_ref()));
    let Left { others, evidence, own } = remains(caches, &inside, &secrets, &restore);
    let restore = ObservedRestore {
        now,
        watched_since: Timestamp::MIN,
        record: subject
            .as_ref()
            .map_or_else(|_| caches.records.get(&entity, &service), |of| Some(Arc::clone(&of.record))),
        jobs: seen_jobs(caches, marks::DRILLS, &service, now),
        goes_first: goes_first(caches, &restore, &entity, now),
        first_waits: None,
        claims: caches.claims_in(marks::DRILLS),
        quotas: Vec::new(),
        service: found.unwrap_or_default(),
        new: None,
        runs,
        restore,
        subject,
        foreign: None,
    };
    let exceptions = restore.subject.as_ref().ok().and_then(|subject| exceptions(caches, &subject.plan));
    let closed = closed(caches, &inside);
    Some(ObservedDrill { rule: backup.drills, closed, exceptions, copies, objects, others, evidence, own, restore })
}

/// What is restored: the service, on the revision and version that its backup was made with.
fn of_service(
    caches: &Caches,
    packages: &Packages,
    own: &Own,
    restore: &ServiceRestore,
    runs: &[Arc<ServiceBackup>],
) -> Result<Subject, Problem> {
    let from = &restore.spec.from;
    let entity = from.entity.as_deref().unwrap_or_default();
    let snapshot = |run: &ServiceBackup| run.status.as_ref().and_then(|status| status.snapshot.clone());
    let run = runs.iter().find(|run| snapshot(run) == from.snapshot).and_then(|run| run.status.as_ref());
    let target = run.and_then(|status| status.repository.as_ref()).map(|repository| repository.target.as_str());
    let resource = service_named(caches, entity, &from.service)?.ok_or_else(|| {
        let message = format!("spec.from.service: there is no service {} in namespace {entity} any more", from.service);
        Problem::new(Reason::NotFound, message)
    })?;
    let of = run.and_then(|status| status.versions.as_ref());
    subject(caches, packages, own, Asked { target, only_opens: false, of }, resource.as_ref())
}

/// The same, in the namespace of drills.
fn drilled(
    caches: &Caches,
    subject: Subject,
    restore: &ServiceRestore,
    backup: &PlatformBackup,
    secrets: &BTreeMap<String, Arc<Sealed>>,
) -> Result<Subject, Problem> {
    let entity = subject.plan.instance.namespace.clone();
    let stage = stage::stage(restore, None, subject.operations.operations().map(|source| source.operations));
    let plan = scratch(&subject.plan, stage, &backup.drills, &caches.claims_in(&entity))?;
    let objects = objects(&plan, restore).map_err(|error| why(&error.into()))?;
    let known = KnownData { secrets: secrets.clone(), ..KnownData::default() };
    let key = match key_state(caches, &plan, &subject.folder, &subject.target, &known)? {
        KeyState::NotCopied(copies) => {
            KeyState::NotCopied(copies.into_iter().map(|copy| owned(copy, restore)).collect())
        }
        key => key,
    };
    Ok(Subject { plan, objects, key, ..subject })
}

/// The copies that are still to be made, and what its objects still need.
fn writes(
    caches: &Caches,
    subject: &Subject,
    entity: &str,
    inside: &Inside,
    secrets: &BTreeMap<String, Arc<Sealed>>,
) -> (Vec<Change>, Result<Vec<Change>, Problem>) {
    let made = caches.secrets.made_in(entity).into_keys();
    let own: BTreeSet<String> =
        caches.secrets.of(entity).into_iter().flatten().map(|(name, _)| name).chain(made).collect();
    let there = secrets.keys().cloned().collect();
    let copies = copies(&subject.plan, &subject.objects, entity, &own, &there);
    let live = |kind: &str, name: &str| inside.object(kind, name);
    let taken = |taken: crate::compare::ObjectTaken| Problem::new(Reason::NameTaken, taken.to_string());
    (copies, compare_objects(&subject.objects, live, &[]).map_err(taken))
}

fn seen_service(caches: &Caches, plan: &Plan, inside: &Inside, objects: Result<&Vec<Change>, &Problem>) -> SeenService {
    let is_its = |live: &&Arc<Live>| live.label(marks::INSTANCE) == plan.instance.name;
    let (volumes, objects_there): (Vec<_>, Vec<_>) =
        inside.objects.iter().filter(is_its).cloned().partition(|live| live.kind == kinds::VOLUME.kind);
    let children = Children {
        objects: objects_there,
        volumes,
        pods: caches.pods.in_namespace(marks::DRILLS),
        events: caches.events.in_namespace(marks::DRILLS),
        settings: settings(plan),
    };
    SeenService {
        is_applied: objects.is_ok_and(Vec::is_empty),
        is_running: !children.objects.is_empty() && children.are_running(),
        not_ready: children.problem(|_| true),
        ..SeenService::default()
    }
}

/// What is in the namespace of drills.
struct Left {
    /// Of others, what goes before this one begins.
    others: Remains,
    /// Of the oldest one that failed, what stays until its room is needed.
    evidence: Remains,
    /// Of this one.
    own: Remains,
}

/// What there is of this drill and of others. At its beginning every pod is another's.
fn remains(
    caches: &Caches,
    inside: &Inside,
    secrets: &BTreeMap<String, Arc<Sealed>>,
    restore: &ServiceRestore,
) -> Left {
    let uid = restore.uid().unwrap_or_default();
    let (own, others): (Vec<_>, Vec<_>) = inside.objects.iter().partition(|live| live.is_owned_by(&uid));
    let (own_secrets, other_secrets): (Vec<_>, Vec<_>) =
        secrets.values().partition(|secret| secret.labels.get(marks::DRILL) == Some(&uid));
    let mut ended = caches.restores.in_namespace(marks::DRILLS);
    ended.retain(|drill| restore_has_ended(drill) && drill.uid().is_some_and(|of| of != uid));
    ended.sort_by_cached_key(|drill| (drill.creation_timestamp().map(|made| made.0), drill.name_any()));
    let ended: Vec<String> = ended.iter().filter_map(|drill| drill.uid()).collect();
    let (kept, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|live| is_evidence(live, &restore.spec.from.service, &ended));
    let is_kept = |pod: &&Arc<Pod>| {
        let mut uids = kept.iter().filter_map(|live| live.metadata.uid.as_deref());
        uids.any(|uid| is_owned_by(pod, uid))
    };
    let pods = caches.pods.in_namespace(marks::DRILLS);
    let pods: Vec<String> = pods.iter().filter(|pod| !is_kept(pod)).map(|pod| pod.name_any()).collect();
    let oldest = ended.iter().find(|of| kept.iter().any(|live| live.is_owned_by(of)));
    let evidence = kept.iter().copied().filter(|live| oldest.is_some_and(|of| live.is_owned_by(of)));
    Left {
        others: Remains::of(others, other_secrets, pods.clone()),
        evidence: Remains::of(evidence, [], []),
        own: Remains::of(own, own_secrets, pods),
    }
}

/// Whether an object is what a drill that ended left to be looked at: a volume, or a Job that ended. Nothing of it runs,
/// and nothing of a service of this name, which all of its own begins with, is called the same.
fn is_evidence(live: &Live, service: &str, ended: &[String]) -> bool {
    let is_at_rest = live.kind == kinds::VOLUME.kind || (live.kind == "Job" && live_has_ended(live));
    let is_in_the_way = live.name().strip_prefix(service).is_some_and(|rest| rest.starts_with('-'));
    let is_going = live.metadata.deletion_timestamp.is_some();
    is_at_rest && !is_in_the_way && !is_going && ended.iter().any(|uid| live.is_owned_by(uid))
}

/// Why nothing can be made in the namespace of drills.
fn closed(caches: &Caches, inside: &Inside) -> Option<Problem> {
    missing(caches).or_else(|| {
        let is_unknown = inside.secrets.is_none() || inside.lacks;
        let message = format!("what is in namespace {} is not known yet", marks::DRILLS);
        is_unknown.then(|| Problem::new(Reason::NamespaceNotReady, message))
    })
}

fn missing(caches: &Caches) -> Option<Problem> {
    let namespace = caches.namespaces.get("", marks::DRILLS);
    let is_there = namespace.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_none());
    let message = format!("namespace {} is not there, or being deleted: the chart makes it", marks::DRILLS);
    (!is_there).then(|| Problem::new(Reason::DrillNamespaceMissing, message))
}

/// What has the namespace let in the containers that this package lists, and no others: as in the Entity's own.
fn exceptions(caches: &Caches, plan: &Plan) -> Option<Change> {
    let namespace = caches.namespaces.get("", marks::DRILLS)?;
    let listed = plan.package.spec().pod_security_exceptions.iter();
    let listed: BTreeSet<String> =
        listed.map(|exception| format!("{}-{}", plan.instance.name, exception.container)).collect();
    let wanted = listed.into_iter().collect::<Vec<_>>().join(" ");
    if namespace.annotations().get(marks::BASELINE) == Some(&wanted) {
        return None;
    }
    let metadata = &namespace.metadata;
    let patch = json!({"metadata": {
        "uid": metadata.uid, "resourceVersion": metadata.resource_version, "annotations": {marks::BASELINE: wanted},
    }});
    Some(Change {
        kind: kinds::NAMESPACE.kind.to_owned(),
        namespace: String::new(),
        name: marks::DRILLS.to_owned(),
        action: Action::Merge { patch, because: "the drilled package's exceptions".to_owned() },
    })
}

/// Who goes before a drill that has not begun: another drill, a restore of the service. Backups go on beside it.
fn goes_first(caches: &Caches, restore: &ServiceRestore, entity: &str, now: Timestamp) -> Option<String> {
    let place = |of: &ServiceRestore| {
        let has_begun = of.status.as_ref().is_some_and(|status| status.started_at.is_some());
        (!has_begun, of.creation_timestamp().map(|made| made.0), of.name_any())
    };
    let drills = caches.restores.in_namespace(marks::DRILLS).into_iter();
    let drills = drills.filter(|other| !restore_has_ended(other) && place(other) < place(restore));
    let in_place = caches.restores.in_namespace(entity).into_iter();
    let in_place =
        in_place.filter(|other| restored_service(other) == restore.spec.from.service && is_waited_for(other, now));
    let first = drills.chain(in_place).next()?;
    Some(format!("{} {}/{}", kinds::SERVICE_RESTORE.kind, first.namespace().unwrap_or_default(), first.name_any()))
}

/// What is known of the proof of a service's backups. `runs`: all of the service.
pub(super) fn proof(
    caches: &Caches,
    backup: &PlatformBackup,
    service: &dyn Dedicated,
    runs: &[Arc<ServiceBackup>],
    now: Timestamp,
) -> Drilled {
    let metadata = service.metadata();
    let (entity, name) = (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default());
    let proven = runs.iter().filter_map(|run| Some(run.status.as_ref()?.proven_at.as_ref()?.0));
    Drilled {
        since: metadata.creation_timestamp.as_ref().map_or(now, |made| made.0).max(provable_since(caches)),
        newest: newest(caches, &entity, &name, runs, now),
        proven_at: proven.filter(|proven| has_come(*proven, now)).max(),
        barred: missing(caches).or_else(|| too_large(caches, backup, &entity, &name)),
        is_busy: is_restored(caches, &entity, &name, now)
            || is_lost(caches, &entity, &name)
            || runs.iter().any(|run| !has_ended(run)),
        drills: drills(caches, &entity, &name),
        service: name,
        entity,
    }
}

/// Since when anything can be proven: the chart made the namespace of drills, and the first records of the platform
/// went to a target, for which its key was made. Both stay.
fn provable_since(caches: &Caches) -> Timestamp {
    let namespace = caches.namespaces.get("", marks::DRILLS).and_then(|of| of.creation_timestamp());
    let key = caches.platform_secret(&key_name(RECORDS_FOLDER)).and_then(|key| key.created);
    namespace.map(|made| made.0).max(key).unwrap_or(Timestamp::MIN)
}

/// Whether the data of a service is still to be restored as a whole.
fn is_lost(caches: &Caches, entity: &str, service: &str) -> bool {
    caches.records.get(entity, service).is_some_and(|record| record.spec.restoring.is_some())
}

/// The drills of a service that are there.
fn drills(caches: &Caches, entity: &str, service: &str) -> Vec<Arc<ServiceRestore>> {
    let mut drills = caches.restores.in_namespace(marks::DRILLS);
    drills.retain(|drill| drill.spec.from.entity.as_deref() == Some(entity) && drill.spec.from.service == service);
    drills
}

/// Whether a service is being drilled.
pub(super) fn is_drilled(caches: &Caches, entity: &str, service: &str) -> bool {
    drills(caches, entity, service).iter().any(|drill| !restore_has_ended(drill))
}

/// The snapshot of the newest backup, where the revision that it was made with is there: it is drilled with that one,
/// whatever the service was upgraded to since.
fn newest(caches: &Caches, entity: &str, service: &str, runs: &[Arc<ServiceBackup>], now: Timestamp) -> Option<String> {
    let newest = runs.iter().filter(|run| is_backup(run)).max_by_key(|run| (taken_by(run, now), taken_at(run)))?;
    let status = newest.status.as_ref()?;
    let (versions, record) = (status.versions.as_ref()?, caches.records.get(entity, service)?);
    let is_its = versions.template == record.spec.template;
    caches.revisions.get("", &versions.revision).filter(|_| is_its).and_then(|_| status.snapshot.clone())
}

fn too_large(caches: &Caches, backup: &PlatformBackup, entity: &str, service: &str) -> Option<Problem> {
    let largest = backup.drills.largest.parse::<Quantity>().ok()?.bytes()?;
    let (claims, record) = (caches.claims_in(entity), caches.records.get(entity, service)?);
    let own = claims.iter().filter(|live| record.spec.volumes.iter().any(|volume| volume.claim == live.name()));
    let all = own.filter_map(|live| requested(live)).fold(0_u64, |sum, of| sum.saturating_add(of.get()));
    (all > largest.get()).then(|| {
        let all = Bytes::new(all);
        let message = format!("its volumes request {all}, and spec.backup.drills.largest of the Platform is {largest}");
        Problem::new(Reason::DrillTooLarge, message)
    })
}

#[cfg(test)]
#[path = "drill_tests.rs"]
mod tests;
