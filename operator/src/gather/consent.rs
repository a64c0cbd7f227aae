//! Collects what the caches know around consents, and around a restore of another Entity's snapshot.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::backup::KEY;
use super::restore::runs;
use crate::api::{RestoreDestinationKind, ServiceBackup, ServiceRestore};
use crate::backup::{Own, Subject, copy, is_backup};
use crate::cache::{Caches, Key};
use crate::restore::{Foreign, SeenConsent};

/// What the caches know around a consent; none when it is gone.
pub fn seen_consent(caches: &Caches, now: Timestamp, key: &Key) -> Option<SeenConsent> {
    let consent = caches.consents.get(&key.namespace, &key.name)?;
    let spec = &consent.spec;
    Some(SeenConsent {
        now,
        has_snapshot: with_snapshot(caches, &key.namespace, &spec.service, &spec.snapshot).is_some(),
        entity_since: since(caches, &spec.entity),
        restores: caches.restores.in_namespace(&spec.entity),
        consent,
    })
}

/// The other Entity, of a restore that names one. Of drills the operator alone makes that is the Entity itself.
pub(super) fn foreign(caches: &Caches, own: &Own, restore: &ServiceRestore) -> Option<Foreign> {
    let (from, namespace) = (&restore.spec.from, restore.namespace().unwrap_or_default());
    let entity = from.entity.clone().filter(|_| restore.spec.into.kind != RestoreDestinationKind::Drill)?;
    let snapshot = from.snapshot.as_deref().unwrap_or_default();
    let secrets = caches.platform_secrets.all().into_iter();
    Some(Foreign {
        home: own.namespace.clone(),
        consents: caches.consents.in_namespace(&entity),
        since: since(caches, &namespace),
        run: with_snapshot(caches, &entity, &from.service, snapshot),
        keys: secrets.filter(|secret| secret.name.starts_with(KEY)).map(|secret| secret.name.clone()).collect(),
        expected: None,
        job: None,
        entity,
    })
}

/// The target at which a copy is, or is to be made.
pub(super) fn copy_target(restore: &ServiceRestore, foreign: Option<&Foreign>) -> Option<String> {
    let recorded = restore.status.as_ref().and_then(|status| status.copy_target.clone());
    let of_run = || Some(foreign?.run.as_ref()?.status.as_ref()?.repository.as_ref()?.target.clone());
    recorded.or_else(of_run)
}

/// The same with the id of the repository that the copy goes to, as the last of the service's runs there says it.
pub(super) fn expecting(caches: &Caches, foreign: Option<Foreign>, subject: Option<&Subject>) -> Option<Foreign> {
    let foreign = foreign?;
    let expected = subject.and_then(|subject| {
        let (place, instance) = (copy::copy_place(subject), &subject.plan.instance);
        let runs = runs(caches, &instance.namespace, &instance.name).into_iter();
        let mut places = runs.filter_map(|run| run.status.as_ref()?.repository.clone());
        places.find(|at| (&at.target, &at.path) == (&place.target, &place.path)).map(|at| at.id)
    });
    Some(Foreign { expected: expected.filter(|id| !id.is_empty()), ..foreign })
}

fn since(caches: &Caches, entity: &str) -> Option<Timestamp> {
    caches.entities.get("", entity)?.creation_timestamp().map(|made| made.0)
}

fn with_snapshot(caches: &Caches, namespace: &str, service: &str, snapshot: &str) -> Option<Arc<ServiceBackup>> {
    let has_it =
        |run: &ServiceBackup| run.status.as_ref().and_then(|status| status.snapshot.as_deref()) == Some(snapshot);
    runs(caches, namespace, service).into_iter().find(|run| has_it(run) && is_backup(run))
}
