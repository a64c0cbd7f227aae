//! Runs of backups and restores that have not ended: whom a change of what they are about concerns.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;

use super::Caches;
use super::key::{Key, Kind};
use super::triggers::{Trigger, name, namespace};
use crate::api::{BackupPhase, PlatformBackup, RestoreConsent, RestorePhase, ServiceBackup, ServiceRestore, marks};
use crate::template::operation::OPERATION_OF;

/// What the names of the Secrets with repositories' keys begin with.
const KEY: &str = "backup-key-";

/// Whether nothing more happens to a run.
pub fn has_ended(run: &ServiceBackup) -> bool {
    let phase = run.status.as_ref().and_then(|status| status.phase);
    matches!(phase, Some(BackupPhase::Succeeded | BackupPhase::Failed))
}

/// Whether nothing more happens to a restore.
pub fn restore_has_ended(restore: &ServiceRestore) -> bool {
    let phase = restore.status.as_ref().and_then(|status| status.phase);
    matches!(phase, Some(RestorePhase::Succeeded | RestorePhase::Failed))
}

/// The service that a restore writes to.
pub fn restored_service(restore: &ServiceRestore) -> &str {
    restore.spec.into.service.as_deref().unwrap_or(&restore.spec.from.service)
}

impl Caches {
    /// The unfinished runs and restores of a namespace, of the services that `keep` says.
    fn unfinished(&self, namespace: &str, keep: impl Fn(&str) -> bool) -> Vec<Key> {
        let runs = self.backups.in_namespace(namespace).into_iter();
        let runs = runs.filter(|run| !has_ended(run) && keep(&run.spec.service)).map(|run| run_key(run.meta()));
        let restores = self.restores.in_namespace(namespace).into_iter();
        let restores = restores
            .filter(|restore| !restore_has_ended(restore))
            .filter(|restore| keep(restored_service(restore)) || keep(&restore.spec.from.service))
            .map(|restore| restore_key(restore.meta()));
        runs.chain(restores).collect()
    }

    /// The unfinished runs and restores of a service.
    pub(super) fn unfinished_of(&self, namespace: &str, service: &str) -> Vec<Key> {
        self.unfinished(namespace, |of| of == service)
    }

    /// The unfinished runs and restores of a namespace.
    pub(super) fn unfinished_in(&self, namespace: &str) -> Vec<Key> {
        self.unfinished(namespace, |_| true)
    }

    /// All unfinished runs and restores.
    pub(super) fn unfinished_everywhere(&self) -> Vec<Key> {
        let runs = self.backups.all().into_iter().filter(|run| !has_ended(run)).map(|run| run_key(run.meta()));
        let restores = self.restores.all().into_iter().filter(|restore| !restore_has_ended(restore));
        runs.chain(restores.map(|restore| restore_key(restore.meta()))).collect()
    }

    /// Whom a Secret of the operator's namespace concerns by what runs of backups need of it.
    pub(super) fn waiting_for_secret(&self, secret: &str) -> Vec<Key> {
        let backup = self.platform().and_then(|platform| platform.spec.backup.clone());
        let is_named =
            |backup: PlatformBackup| backup.targets.iter().any(|target| target.secret().as_deref() == Some(secret));
        if secret.starts_with(KEY) || backup.is_some_and(is_named) { self.unfinished_everywhere() } else { Vec::new() }
    }

    /// The consents of a namespace that are about a service.
    fn consents_to(&self, namespace: &str, service: &str) -> Vec<Key> {
        let consents = self.consents.in_namespace(namespace).into_iter();
        consents.filter(|consent| consent.spec.service == service).map(|consent| consent_key(consent.meta())).collect()
    }

    /// The services of a name, and the Entity that they belong to.
    fn service(&self, namespace: &str, service: &str) -> Vec<Key> {
        let named = self.dedicated_named(namespace, service);
        named.iter().filter_map(|resource| super::triggers::key(resource.as_ref())).collect()
    }
}

/// The unfinished runs and restores that a Job or pod belongs to, by its label.
pub(super) fn of_operation(metadata: &ObjectMeta, caches: &Caches) -> Vec<Key> {
    let service = metadata.labels.as_ref().and_then(|labels| labels.get(OPERATION_OF));
    service.map(|service| caches.unfinished_of(namespace(metadata), service)).unwrap_or_default()
}

fn run_key(metadata: &ObjectMeta) -> Key {
    Key::new(Kind::ServiceBackup, namespace(metadata), name(metadata))
}

fn consent_key(metadata: &ObjectMeta) -> Key {
    Key::new(Kind::RestoreConsent, namespace(metadata), name(metadata))
}

fn restore_key(metadata: &ObjectMeta) -> Key {
    Key::new(Kind::ServiceRestore, namespace(metadata), name(metadata))
}

/// Whom it concerns that a drill went on: the next one, and the service that is drilled.
fn drilled(restore: &ServiceRestore, caches: &Caches) -> Vec<Key> {
    let from = &restore.spec.from;
    let mut keys = caches.unfinished_in(marks::DRILLS);
    keys.extend(caches.service(from.entity.as_deref().unwrap_or_default(), &from.service));
    keys
}

/// Whom it concerns that a run or restore of a service went on: those that wait for it, the service, and the
/// Entity, whose copies of Secrets are in use as long as it lasts.
fn went_on(namespace: &str, service: &str, caches: &Caches) -> Vec<Key> {
    let mut keys = caches.unfinished_of(namespace, service);
    keys.extend(caches.service(namespace, service));
    keys.push(Key::entity(namespace));
    keys
}

impl Trigger for ServiceBackup {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![run_key(self.meta())]
    }

    fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
        let phase = |run: Option<&Self>| run.map(|run| run.status.as_ref().and_then(|status| status.phase));
        match after.or(before) {
            Some(run) if phase(before) != phase(after) => {
                let (namespace, service) = (namespace(run.meta()), run.spec.service.as_str());
                let mut keys = went_on(namespace, service, caches);
                keys.extend(caches.consents_to(namespace, service));
                keys
            }
            _ => Vec::new(),
        }
    }
}

impl Trigger for ServiceRestore {
    fn concerned(&self, _: &Caches) -> Vec<Key> {
        vec![restore_key(self.meta())]
    }

    fn unblocked(before: Option<&Self>, after: Option<&Self>, caches: &Caches) -> Vec<Key> {
        let phase = |restore: Option<&Self>| restore.map(|of| of.status.as_ref().and_then(|status| status.phase));
        let Some(restore) = after.or(before).filter(|_| phase(before) != phase(after)) else { return Vec::new() };
        let (namespace, service) = (namespace(restore.meta()), restored_service(restore));
        if namespace == marks::DRILLS {
            return drilled(restore, caches);
        }
        let mut keys = went_on(namespace, service, caches);
        keys.push(Key::record(namespace, service));
        let from = &restore.spec.from;
        keys.extend(from.entity.iter().flat_map(|entity| caches.consents_to(entity, &from.service)));
        keys
    }
}

/// Itself, and the restores of the Entity that it names.
impl Trigger for RestoreConsent {
    fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys = vec![consent_key(self.meta())];
        keys.extend(caches.unfinished_in(&self.spec.entity));
        keys
    }

    /// What is reported of it concerns nobody.
    fn is_news(before: &Self, after: &Self) -> bool {
        before.spec != after.spec || before.metadata.deletion_timestamp != after.metadata.deletion_timestamp
    }
}

#[cfg(test)]
#[path = "unfinished_tests.rs"]
mod tests;
