//! What comes back of the records, judged by what lives: pure.

use std::collections::{BTreeMap, BTreeSet};

use commonscloud_backup::records::{ObjectName, RecordedObject, Records, ServiceBackups};
use commonscloud_operator::api::{
    BackupVersions, Entity, GROUP, PlatformSpec, ServiceDataSpec, ServiceTemplateSpec, TariffSpec, VERSION, marks,
};
use commonscloud_operator::{entity, kinds};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::hostnames::{self, Held};

/// What `spec.restoring` of a record says until its service is restored.
pub(crate) const RESTORING: &str = "commonscloud recover: its data comes back from its backup";

/// Kind, namespace and name; of what has no namespace, an empty one.
pub(crate) type Place = (String, String, String);

/// An object that lives.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) uid: String,
    /// The uid that it had before, where it was brought back.
    pub(crate) recovered: Option<String>,
    /// Whether the operator made it, and keeps it as its own release has it.
    pub(crate) is_operators: bool,
    pub(crate) spec: Value,
}

impl Seen {
    /// An object as it is judged.
    pub(crate) fn of(object: &DynamicObject) -> Self {
        Self {
            uid: object.uid().unwrap_or_default(),
            recovered: object.annotations().get(marks::RECOVERED).cloned(),
            is_operators: object.labels().get(marks::MANAGED_BY).is_some_and(|by| by == marks::OPERATOR),
            spec: object.data.get("spec").cloned().unwrap_or_default(),
        }
    }
}

/// What lives of all that the records name.
pub(crate) type Living = BTreeMap<Place, Seen>;

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Plan<'r> {
    /// Tariffs, revisions and templates that are to be made: a template whose revision is there makes none.
    pub(crate) shared: Vec<&'r RecordedObject>,
    /// The Platform, where it is to be made.
    pub(crate) platform: Option<&'r RecordedObject>,
    /// Who comes back, or has come back already.
    pub(crate) entities: Vec<PlannedEntity<'r>>,
    /// What is in the way, and left as it is; a line each.
    pub(crate) left: Vec<String>,
    /// Who was not lost, and is left as they are; a line each.
    pub(crate) alive: Vec<String>,
    /// The host names that several ask for; a line each.
    pub(crate) asked_twice: Vec<String>,
}

/// A namespace, with the Entity that it belongs to, or belonged to.
#[derive(Debug, PartialEq)]
pub(crate) struct PlannedEntity<'r> {
    pub(crate) name: &'r str,
    /// Absent: it was gone already, and its data was kept.
    pub(crate) entity: Option<&'r RecordedObject>,
    /// The folder of its repositories.
    pub(crate) folder: Option<&'r str>,
    /// Who belongs, who may enter its services, and who changed what.
    pub(crate) people: Vec<&'r RecordedObject>,
    /// The records of its services' data.
    pub(crate) data: Vec<&'r RecordedObject>,
    /// The services that somebody wrote by hand.
    pub(crate) by_hand: Vec<&'r RecordedObject>,
    /// The names of all its services: data of any other is kept until its date.
    pub(crate) services: BTreeSet<String>,
    /// The names of the revisions that come back.
    pub(crate) revisions: BTreeSet<&'r str>,
    /// Its runs, by service.
    pub(crate) backups: Vec<&'r ServiceBackups>,
    /// Whose host names it asks for as well: it comes back once they have them again.
    pub(crate) after: Vec<Held>,
}

/// Every object that has to be looked for.
pub(crate) fn places(records: &Records) -> BTreeSet<Place> {
    let objects = [&records.tariffs, &records.templates, &records.revisions, &records.entities];
    let objects = objects.into_iter().flatten().chain([&records.platform]);
    let objects = objects.chain(&records.services).chain(&records.records).chain(&records.people).map(place);
    objects.chain(names(records).into_iter().map(namespace_place)).collect()
}

fn place(object: &RecordedObject) -> Place {
    let RecordedObject { kind, metadata, .. } = object;
    (kind.clone(), metadata.namespace.clone().unwrap_or_default(), metadata.name.clone())
}

fn namespace_place(name: &str) -> Place {
    (kinds::NAMESPACE.kind.to_owned(), String::new(), name.to_owned())
}

/// The namespaces of all Entities, and of those whose data was kept.
fn names(records: &Records) -> BTreeSet<&str> {
    let entities = records.entities.iter().map(|entity| entity.metadata.name.as_str());
    entities.chain(records.records.iter().filter_map(namespace_of)).collect()
}

fn namespace_of(object: &RecordedObject) -> Option<&str> {
    object.metadata.namespace.as_deref()
}

/// What comes back. What lives is never written over: of shared kinds one that says the same is as good, of an Entity
/// and its namespace only what an earlier call made.
pub(crate) fn plan<'r>(records: &'r Records, living: &Living) -> Plan<'r> {
    let mut plan = Plan::default();
    for object in records.tariffs.iter().chain(&records.revisions).chain(&records.templates) {
        if is_to_be_made(object, living, &mut plan.left) {
            plan.shared.push(object);
        }
    }
    plan.platform = is_to_be_made(&records.platform, living, &mut plan.left).then_some(&records.platform);
    plan.left.extend(records.unreadable.iter().map(unreadable));
    for name in names(records) {
        // What has no record would begin empty, and let in whom it was made with. A history lets nobody in.
        let begins_empty = |of: &ObjectName| of.namespace == name && of.kind != kinds::ACCESS_HISTORY.kind;
        if records.unreadable.iter().any(begins_empty) {
            plan.left.push(format!("{name} is not brought back: not all of its data and people is recorded"));
            continue;
        }
        let entity = records.entities.iter().find(|entity| entity.metadata.name == name);
        let of = |object: &&RecordedObject| namespace_of(object) == Some(name);
        let objects = || records.records.iter().chain(&records.services).chain(&records.people).filter(of);
        match standing(entity, objects(), living.get(&namespace_place(name)), living) {
            Standing::Free => {}
            Standing::Alive => {
                plan.alive.push(format!("{name} was not lost, and is left as it is with its services"));
                continue;
            }
            Standing::Taken(why) => {
                plan.left.push(format!("{name} {why}: it and its services are left as they are"));
                continue;
            }
        }
        let free = |object: &&RecordedObject| matches!(of_object(object, living), Standing::Free);
        let by_hand: Vec<&RecordedObject> = records.services.iter().filter(of).filter(free).collect();
        plan.left.extend(objects().filter_map(|object| told(object, &of_object(object, living))));
        plan.entities.push(PlannedEntity {
            name,
            entity,
            folder: folder(records, name),
            people: records.people.iter().filter(of).filter(free).collect(),
            data: records.records.iter().filter(of).filter(free).collect(),
            services: asked(entity).into_iter().chain(by_hand.iter().map(|of| of.metadata.name.clone())).collect(),
            by_hand,
            revisions: records.revisions.iter().map(|revision| revision.metadata.name.as_str()).collect(),
            backups: records.backups.iter().filter(|backups| backups.entity == name).collect(),
            after: Vec::new(),
        });
    }
    in_order(records, &mut plan);
    plan
}

/// Who comes back after whom.
fn in_order(records: &Records, plan: &mut Plan<'_>) {
    let mut order = hostnames::order(records, &plan.entities.iter().map(|planned| planned.name).collect());
    for planned in &mut plan.entities {
        planned.after = order.after.remove(planned.name).unwrap_or_default();
    }
    plan.asked_twice = order.told;
}

fn unreadable(object: &ObjectName) -> String {
    let ObjectName { kind, namespace, name } = object;
    let place = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
    format!(
        "{kind} {place} was not readable when these records were made, and is not in them: a newer release wrote it; older records may have it (--records)"
    )
}

/// The services that an Entity asks for.
fn asked(entity: Option<&RecordedObject>) -> Vec<String> {
    let read = entity.and_then(|recorded| serde_json::from_value::<Entity>(object(recorded)).ok());
    read.iter().flat_map(entity::asked).map(|asked| asked.name.to_owned()).collect()
}

/// Of an Entity that is gone its newest run says it.
fn folder<'r>(records: &'r Records, name: &str) -> Option<&'r str> {
    let recorded = records.folders.iter().find(|folder| folder.entity == name).map(|folder| folder.folder.as_str());
    let backups = records.backups.iter().filter(|backups| backups.entity == name);
    let mut paths = backups.flat_map(ServiceBackups::repositories).map(|repository| repository.path.as_str());
    recorded.or_else(|| paths.find_map(|path| path.rsplit_once('.')).map(|(folder, _)| folder))
}

/// Whether a shared object is missing; one that says something else is told.
fn is_to_be_made(object: &RecordedObject, living: &Living, left: &mut Vec<String>) -> bool {
    let Some(seen) = living.get(&place(object)) else { return true };
    if seen.recovered.as_ref() != Some(&object.metadata.uid) && !is_as_good(object, seen) {
        let RecordedObject { kind, metadata, .. } = object;
        left.push(format!(
            "{kind} {} is there and says something else than the recorded one: it is left; to have the recorded one, delete it and run this again",
            metadata.name
        ));
    }
    false
}

/// Whether a shared object may stand in the place of the recorded one: it says the same, or is a package of the
/// operator's own release. The revision that services are on comes back beside it.
pub(crate) fn is_as_good(recorded: &RecordedObject, seen: &Seen) -> bool {
    let was_operators = recorded.metadata.labels.get(marks::MANAGED_BY).is_some_and(|by| by == marks::OPERATOR);
    let is_package = recorded.kind == "ServiceTemplate" && was_operators && seen.is_operators;
    is_package || says_the_same(recorded, &seen.spec)
}

/// Whether a shared object says what was recorded, however it is written: a default may stand in it, or not. Of a
/// revision its name says it all.
fn says_the_same(recorded: &RecordedObject, spec: &Value) -> bool {
    fn read<T: DeserializeOwned + Serialize>(spec: &Value) -> Value {
        serde_json::from_value::<T>(spec.clone()).map_or_else(|_| spec.clone(), |read| json!(read))
    }
    let read = match recorded.kind.as_str() {
        "Platform" => read::<PlatformSpec>,
        "Tariff" => read::<TariffSpec>,
        "ServiceTemplate" => read::<ServiceTemplateSpec>,
        other => return other == "ServiceTemplateRevision",
    };
    read(spec) == read(&recorded.spec)
}

/// What has the name of something that comes back.
#[derive(Debug, PartialEq)]
enum Standing {
    /// Nothing, or what an earlier call made.
    Free,
    /// It itself.
    Alive,
    /// Another one; and why it counts as one.
    Taken(String),
}

fn of_object(object: &RecordedObject, living: &Living) -> Standing {
    let Some(seen) = living.get(&place(object)) else { return Standing::Free };
    let recorded = &object.metadata.uid;
    match &seen.recovered {
        _ if seen.uid == *recorded => Standing::Alive,
        Some(before) if before == recorded => Standing::Free,
        _ => Standing::Taken(format!("is there, and is another one (uid {}, recorded {recorded})", seen.uid)),
    }
}

/// An Entity, its namespace and what is in it as one. Of an Entity that was gone what it left says whether it lives.
fn standing<'r>(
    entity: Option<&RecordedObject>,
    mut objects: impl Iterator<Item = &'r RecordedObject>,
    namespace: Option<&Seen>,
    living: &Living,
) -> Standing {
    let alive = |object: &RecordedObject| of_object(object, living) == Standing::Alive;
    match entity.map(|entity| of_object(entity, living)) {
        Some(Standing::Free) => {}
        None if !objects.any(alive) => {}
        None => return Standing::Alive,
        Some(other) => return other,
    }
    match namespace.filter(|seen| seen.recovered.is_none()) {
        Some(seen) => Standing::Taken(format!("has a namespace that was not made by this command (uid {})", seen.uid)),
        None => Standing::Free,
    }
}

fn told(object: &RecordedObject, standing: &Standing) -> Option<String> {
    let (kind, namespace) = (&object.kind, namespace_of(object).unwrap_or_default());
    let why = match standing {
        Standing::Free => return None,
        Standing::Alive => "was not lost",
        Standing::Taken(why) => why.as_str(),
    };
    Some(format!("{kind} {namespace}/{} {why}: it is left as it is", object.metadata.name))
}

/// The object as it is made: what the API server and controllers put on it they put on it again.
pub(crate) fn object(recorded: &RecordedObject) -> Value {
    let RecordedObject { api_version, kind, metadata, spec, .. } = recorded;
    let mut annotations = metadata.annotations.clone();
    annotations.insert(marks::RECOVERED.to_owned(), metadata.uid.clone());
    let mut of = json!({"name": metadata.name, "labels": metadata.labels, "annotations": annotations});
    if let Some(namespace) = &metadata.namespace {
        of["namespace"] = json!(namespace);
    }
    json!({"apiVersion": api_version, "kind": kind, "metadata": of, "spec": spec})
}

/// The namespace of an Entity, or of what was kept of one.
///
/// # Errors
/// When the Entity is none that this release reads.
pub(crate) fn namespace(planned: &PlannedEntity<'_>) -> Result<Value, String> {
    let mut made = match planned.entity {
        Some(recorded) => {
            let entity: Entity = serde_json::from_value(object(recorded))
                .map_err(|error| format!("Entity {}: this release does not read it: {error}", planned.name))?;
            commonscloud_operator::entity::namespace(&entity, "")
        }
        None => json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": planned.name,
            "labels": {
                marks::MANAGED_BY: marks::OPERATOR, marks::ENTITY: planned.name, marks::DATA: "true",
                "pod-security.kubernetes.io/enforce": "baseline",
            },
            "annotations": {},
        }}),
    };
    let uid = planned.entity.map_or("kept", |entity| entity.metadata.uid.as_str());
    made["metadata"]["annotations"][marks::RECOVERED] = json!(uid);
    Ok(made)
}

/// The record of a service's data, before there is any: nothing is made for it, and nothing is judged missing, until
/// its service is restored. The uids are those of objects that are gone. None: nothing was ever stored. `versions`: those
/// of the backup that it comes back from, which may be older than what ran last.
///
/// # Errors
/// When it is none that this release reads.
pub(crate) fn record(recorded: &RecordedObject, versions: Option<&BackupVersions>) -> Result<Option<Value>, String> {
    let mut spec: ServiceDataSpec = serde_json::from_value(recorded.spec.clone())
        .map_err(|error| format!("ServiceData {}: this release does not read it: {error}", recorded.metadata.name))?;
    if spec.version.is_none() {
        return Ok(None);
    }
    spec.restoring = Some(RESTORING.to_owned());
    if let Some(BackupVersions { application, revision, .. }) = versions
        && (spec.version.as_ref(), spec.revision.as_ref()) != (Some(application), Some(revision))
    {
        (spec.version, spec.revision, spec.images) = (Some(application.clone()), Some(revision.clone()), None);
    }
    for volume in &mut spec.volumes {
        volume.former_uid = volume.uid.take().or(volume.former_uid.take());
        volume.volume_name = None;
    }
    for secret in &mut spec.secrets {
        secret.former_uid = secret.uid.take().or(secret.former_uid.take());
        for further in &mut secret.further {
            further.former_uid = further.uid.take().or(further.former_uid.take());
        }
    }
    let api_version = format!("{GROUP}/{VERSION}");
    Ok(Some(object(&RecordedObject { api_version, spec: json!(spec), ..recorded.clone() })))
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
