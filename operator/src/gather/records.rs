//! Collects the platform's own kinds as they are kept at the targets. No request is made here.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use commonscloud_backup::records::{
    EntityFolder, NeededSecret, ObjectName, RECORDS_VERSION, RecordedCluster, RecordedMetadata, RecordedObject,
    RecordedRun, Records, ServiceBackups,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt as _};
use serde_json::{Map, Value, json};

use super::backup::folder;
use crate::api::{Dedicated, Entity, GROUP, Platform, ServiceBackup, ServiceBackupStatus, ServiceData, VERSION};
use crate::backup::{Own, is_backup, key_name, taken_at};
use crate::cache::{AnyDedicated, Caches, Store};
use crate::kinds;

/// What the annotations begin with that are recorded.
const OURS: &str = "commonscloud.coop/";
/// The namespace whose uid tells clusters apart.
const SYSTEM: &str = "kube-system";
/// The kinds whose objects are recorded; of runs that cannot be read nobody can say whether they are complete.
const RECORDED: [&str; 13] = [
    "Platform",
    "Tariff",
    "ServiceTemplate",
    "ServiceTemplateRevision",
    "Entity",
    "DedicatedOffice",
    "DedicatedAgora",
    "DedicatedProjects",
    "DedicatedService",
    "ServiceData",
    "Collective",
    "Access",
    "AccessHistory",
];

/// Whether the Secrets of all that holds data are known: else the list of those that people made would be too short.
pub fn knows_secrets(caches: &Caches) -> bool {
    let mut namespaces = caches.records.all().into_iter().filter_map(|record| record.namespace());
    namespaces.all(|namespace| caches.secrets.of(&namespace).is_some())
}

/// The platform's own kinds, without a time: it is the same while nothing changes.
pub fn records(caches: &Caches, own: &Own, platform: &Platform) -> Records {
    Records {
        version: RECORDS_VERSION,
        taken_at: Timestamp::UNIX_EPOCH,
        cluster: RecordedCluster {
            uid: caches.namespaces.get("", SYSTEM).and_then(|namespace| namespace.uid()),
            namespace: own.namespace.clone(),
            release: own.release.clone(),
        },
        platform: object("Platform", &platform.metadata, json!(platform.spec), Value::Null),
        tariffs: all(&caches.tariffs, "Tariff", |tariff| json!(tariff.spec), |_| Value::Null),
        templates: all(&caches.templates, "ServiceTemplate", |template| json!(template.spec), |_| Value::Null),
        revisions: all(&caches.revisions, "ServiceTemplateRevision", |of| json!(of.spec), |_| Value::Null),
        entities: all(&caches.entities, "Entity", |entity| json!(entity.spec), |_| Value::Null),
        services: services(caches),
        records: all(
            &caches.records,
            kinds::SERVICE_DATA.kind,
            |record| json!(record.spec),
            |record| record_status(caches, record),
        ),
        people: people(caches),
        backups: backups(caches),
        folders: folders(caches),
        secrets: secrets(caches, own, platform),
        unreadable: unreadable(caches),
    }
}

/// All objects of a store that nobody deletes.
fn all<K: Resource>(
    store: &Store<K>,
    kind: &str,
    spec: impl Fn(&K) -> Value,
    status: impl Fn(&K) -> Value,
) -> Vec<RecordedObject> {
    let living = store.all().into_iter().filter(|one| one.meta().deletion_timestamp.is_none());
    sorted(living.map(|one| object(kind, one.meta(), spec(&one), status(&one))).collect())
}

fn sorted(mut objects: Vec<RecordedObject>) -> Vec<RecordedObject> {
    let place = |object: &RecordedObject| {
        (object.metadata.namespace.clone(), object.metadata.name.clone(), object.kind.clone())
    };
    objects.sort_by_cached_key(place);
    objects
}

fn object(kind: &str, metadata: &ObjectMeta, spec: Value, status: Value) -> RecordedObject {
    let ours = metadata.annotations.iter().flatten().filter(|(key, _)| key.starts_with(OURS));
    RecordedObject {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: kind.to_owned(),
        metadata: RecordedMetadata {
            name: metadata.name.clone().unwrap_or_default(),
            namespace: metadata.namespace.clone(),
            uid: metadata.uid.clone().unwrap_or_default(),
            labels: metadata.labels.clone().unwrap_or_default(),
            annotations: ours.map(|(key, value)| (key.clone(), value.clone())).collect(),
        },
        spec,
        status,
    }
}

/// The services that somebody wrote by hand: those of an Entity's spec come back with it.
fn services(caches: &Caches) -> Vec<RecordedObject> {
    let is_by_hand = |service: &AnyDedicated| {
        let metadata = service.metadata();
        let mut owners = metadata.owner_references.iter().flatten();
        metadata.deletion_timestamp.is_none() && !owners.any(|owner| owner.kind == kinds::ENTITY.kind)
    };
    let one = |service: AnyDedicated| {
        let spec = service.object()?.data.get("spec").cloned()?;
        Some(object(service.kind(), service.metadata(), spec, service_status(service.as_ref())))
    };
    sorted(caches.dedicated_all().into_iter().filter(is_by_hand).filter_map(one).collect())
}

/// Who belongs, who may enter, and who changed what. Of each the spec alone: a status follows from it.
fn people(caches: &Caches) -> Vec<RecordedObject> {
    let collectives = all(&caches.collectives, kinds::COLLECTIVE.kind, |of| json!(of.spec), |_| Value::Null);
    let accesses = all(&caches.accesses, kinds::ACCESS.kind, |of| json!(of.spec), |_| Value::Null);
    let histories = all(&caches.histories, kinds::ACCESS_HISTORY.kind, |of| json!(of.spec), |_| Value::Null);
    sorted([collectives, accesses, histories].concat())
}

/// Beside the state of data the host name that its service has: those of an Entity's spec are recorded nowhere else.
fn record_status(caches: &Caches, record: &ServiceData) -> Value {
    let state = record.status.as_ref().and_then(|status| status.state).map(|state| json!(state));
    let owner = &record.spec.owner;
    let service = caches.dedicated(&owner.kind, &record.namespace().unwrap_or_default(), &owner.name);
    let hostname = service.and_then(|service| service.status()?.hostname.clone()).map(|hostname| json!(hostname));
    let facts = [("state", state), ("hostname", hostname)];
    let facts = facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), fact?)));
    let facts: Map<String, Value> = facts.collect();
    if facts.is_empty() { Value::Null } else { Value::Object(facts) }
}

fn service_status(service: &dyn Dedicated) -> Value {
    let Some(status) = service.status() else { return Value::Null };
    let facts = [
        ("revision", &status.revision),
        ("version", &status.version),
        ("hostname", &status.hostname),
        ("engine", &status.engine),
    ];
    let facts = facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), json!(fact.as_ref()?))));
    let facts: Map<String, Value> = facts.collect();
    if facts.is_empty() { Value::Null } else { Value::Object(facts) }
}

/// What services have at the targets, of those that are gone as well.
fn backups(caches: &Caches) -> Vec<ServiceBackups> {
    let mut services: BTreeMap<(String, String), Vec<Arc<ServiceBackup>>> = BTreeMap::new();
    let kept = caches.backups.all().into_iter().filter(|run| is_backup(run));
    for run in kept.filter(|run| run.metadata.deletion_timestamp.is_none()) {
        services.entry((run.namespace().unwrap_or_default(), run.spec.service.clone())).or_default().push(run);
    }
    let of = |((entity, service), mut runs): ((String, String), Vec<Arc<ServiceBackup>>)| {
        runs.sort_by_cached_key(|run| Reverse((taken_at(run), run.name_any())));
        ServiceBackups { entity, service, runs: runs.iter().map(|run| recorded(run)).collect() }
    };
    services.into_iter().map(of).collect()
}

fn recorded(run: &ServiceBackup) -> RecordedRun {
    let status = run.status.clone().unwrap_or_default();
    RecordedRun {
        name: run.name_any(),
        uid: run.uid().unwrap_or_default(),
        spec: run.spec.clone(),
        status: ServiceBackupStatus { observed_generation: None, conditions: Vec::new(), progress: None, ..status },
    }
}

/// The folders of which there are keys.
fn folders(caches: &Caches) -> Vec<EntityFolder> {
    let of = |entity: &Arc<Entity>| {
        let folder = folder(caches, entity);
        caches.platform_secret(&key_name(&folder))?;
        Some(EntityFolder { entity: entity.name_any(), uid: entity.uid().unwrap_or_default(), folder })
    };
    let mut folders: Vec<EntityFolder> = caches.entities.all().iter().filter_map(of).collect();
    folders.sort_by(|a, b| a.entity.cmp(&b.entity));
    folders
}

/// The Secrets that somebody made, by their names and those of their keys.
fn secrets(caches: &Caches, own: &Own, platform: &Platform) -> Vec<NeededSecret> {
    let spec = &platform.spec;
    // Those of volumes the operator makes by itself.
    let targets = spec.backup.iter().flat_map(|backup| &backup.targets).filter(|target| target.volume.is_none());
    let of_targets = targets.flat_map(|target| {
        let add = target.secret().map(|name| ("spec.backup.targets[].secretName", name));
        add.into_iter().chain(target.care_secret().map(|name| ("spec.backup.targets[].careSecretName", name)))
    });
    let of_platform =
        spec.secrets().map(|(field, name)| (field, Cow::Borrowed(name))).chain(of_targets).map(|(field, name)| {
            NeededSecret {
                namespace: own.namespace.clone(),
                keys: caches.platform_secret(&name).map(|secret| secret.keys.clone()).unwrap_or_default(),
                name: name.into_owned(),
                named_by: format!("Platform {field}"),
            }
        });
    let of_services = caches.entities.all().into_iter().flat_map(|entity| {
        let namespace = entity.name_any();
        caches.secrets.for_services(&namespace).into_iter().map(move |(secret, service)| NeededSecret {
            namespace: namespace.clone(),
            name: secret.name.clone(),
            keys: secret.keys.clone(),
            named_by: format!("parameters of service {service}"),
        })
    });
    let mut secrets: Vec<NeededSecret> = of_platform.chain(of_services).collect();
    secrets.sort();
    secrets.dedup();
    secrets
}

fn unreadable(caches: &Caches) -> Vec<ObjectName> {
    let of = |kind: &str| caches.undecodable_of(kind);
    let mut names: Vec<ObjectName> = RECORDED
        .iter()
        .flat_map(|kind| of(kind))
        .map(|found| ObjectName {
            kind: found.kind.clone(),
            namespace: found.namespace.clone(),
            name: found.name.clone(),
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
