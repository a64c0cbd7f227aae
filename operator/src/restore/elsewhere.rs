//! A backup in a service of its own, which has no data yet. Its record is made first, and from then on nothing else is
//! its beginning; the rest is the way of a service that was lost as a whole.

use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::choice;
use super::observed::{NewService, ObservedRestore, Whose};
use super::step::{Chosen, Learned, PATIENCE, Step, failed, patiently_after_jobs, volumes};
use crate::api::{BackupVersions, DataOwner, DataSecret, FurtherSecret, Reason, ServiceData, ServiceDataSpec};
use crate::backup::Subject;
use crate::compare::{Action, Change, Origin, create_record, data_labels};
use crate::kinds;
use crate::plan::Plan;
use crate::report::Problem;

/// What `spec.restoring` of its record says until it has what the backup has.
pub const AWAITED: &str = "it begins with a backup of another service, by a ServiceRestore into it";

/// Makes the record of a service that has none, and holds it.
///
/// # Errors
/// The step that does, or waits for the service, or refuses one that has data.
pub(super) fn held(observed: &ObservedRestore) -> Result<(), Box<Step>> {
    let Some(new) = &observed.new else { return Ok(()) };
    let whose = new.whose.as_ref().map_err(|missing| {
        choice::order(observed).err().unwrap_or_else(|| Box::new(Step::asks(observed, missing.clone())))
    })?;
    let name = &whose.instance.name;
    if observed.service.is_paused {
        let message = format!("spec.paused of {name} is true, and nothing of it is changed: take it away now");
        return Err(Box::new(Step::asks(observed, Problem::new(Reason::Paused, message))));
    }
    let Some(record) = &observed.record else {
        let first = create_record(&whose.instance, &first_record(whose));
        return Err(Box::new(recording(observed, name).with(vec![first])));
    };
    if record.spec.restoring.as_deref() == Some(AWAITED) {
        return Ok(());
    }
    let message = format!(
        "spec.into.service: {name} has data already (ServiceData {name}), and nothing is written over it; name a service that begins with this restore: make it with paused: true, or after the ServiceRestore"
    );
    Err(Box::new(failed(observed, Problem::new(Reason::ServiceHasData, message))))
}

fn recording(observed: &ObservedRestore, name: &str) -> Step {
    let message = format!("the record of {name} is written before anything else");
    Step::not_yet(observed, Problem::new(Reason::DataBeingMade, message))
}

fn first_record(whose: &Whose) -> ServiceDataSpec {
    let Whose { instance, template, entity } = whose;
    ServiceDataSpec {
        owner: DataOwner { kind: instance.kind.clone(), name: instance.name.clone(), uid: instance.uid.clone() },
        entity: Some(entity.clone()),
        template: template.clone(),
        restoring: Some(AWAITED.to_owned()),
        ..ServiceDataSpec::default()
    }
}

/// Has the record say of what the data will be: the versions of the backup, and Secrets called like those that its
/// data was made with.
///
/// # Errors
/// The step that does, or refuses.
pub(super) fn told(observed: &ObservedRestore) -> Result<(), Box<Step>> {
    let Some((new, record)) = observed.new.as_ref().zip(observed.record.as_ref()) else { return Ok(()) };
    let chosen = choice::chosen(observed)?;
    let told = told_record(observed, new, record, &chosen).map_err(|problem| Box::new(failed(observed, problem)))?;
    let is_said = |of: &ServiceDataSpec| {
        let names = of.secrets.iter().map(|secret| (secret.name.clone(), secret.secret.clone()));
        (of.version.clone(), of.revision.clone(), names.collect::<Vec<_>>())
    };
    if is_said(&told) == is_said(&record.spec) {
        return Ok(());
    }
    let fields = json!({
        "revision": told.revision, "version": told.version, "engine": told.engine, "images": told.images,
        "secrets": told.secrets,
    });
    let change = patch(record, fields, "what it will have");
    let learned = Learned { chosen: Some(chosen), ..Learned::default() };
    Err(Box::new(Step { learned, ..recording(observed, &record.name_any()).with(vec![change]) }))
}

fn told_record(
    observed: &ObservedRestore,
    new: &NewService,
    record: &ServiceData,
    chosen: &Chosen,
) -> Result<ServiceDataSpec, Problem> {
    let from = &observed.restore.spec.from.service;
    let versions = versions(observed, chosen).ok_or_else(|| {
        let message = format!("the ServiceBackup of snapshot {} does not say of which version it is", chosen.snapshot);
        Problem::new(Reason::VersionsDiffer, message)
    })?;
    if versions.template != record.spec.template {
        let message = format!(
            "spec.into.service: {} is of template {}, and the backup is of template {}",
            record.name_any(),
            record.spec.template,
            versions.template
        );
        return Err(Problem::new(Reason::VersionsDiffer, message));
    }
    // Of a service of the same name, which is gone, the record is the one that was made just now.
    let source = new.source.as_ref().filter(|source| place(source) != place(record)).ok_or_else(|| {
        let message = format!(
            "the former ServiceData {from} is not in namespace {} any more, nor are its Secrets, with which the data of its backups was made; bring both back first: commonscloud recover, or commonscloud export",
            new.from
        );
        Problem::new(Reason::SecretMissing, message)
    })?;
    let has_it = source.spec.version.as_ref() == Some(&versions.application)
        && source.spec.revision.as_ref() == Some(&versions.revision);
    Ok(ServiceDataSpec {
        revision: Some(versions.revision.clone()),
        version: Some(versions.application.clone()),
        engine: source.spec.engine.clone(),
        images: source.spec.images.clone().filter(|_| has_it),
        secrets: source.spec.secrets.iter().map(|secret| renamed(secret, from, &record.name_any())).collect(),
        ..record.spec.clone()
    })
}

fn place(record: &ServiceData) -> (Option<String>, String) {
    (record.namespace(), record.name_any())
}

fn versions<'o>(observed: &'o ObservedRestore, chosen: &Chosen) -> Option<&'o BackupVersions> {
    let statuses = observed.runs.iter().filter_map(|run| run.status.as_ref());
    let mut of_it = statuses.filter(|status| status.snapshot.as_deref() == Some(&chosen.snapshot));
    of_it.find_map(|status| status.versions.as_ref())
}

/// What is called `FROM-admin` there is `INTO-admin` here.
fn renamed(secret: &DataSecret, from: &str, into: &str) -> DataSecret {
    let further = secret.further.iter().map(|further| FurtherSecret {
        secret: called(&further.secret, from, into),
        keys: further.keys.clone(),
        ..FurtherSecret::default()
    });
    DataSecret {
        name: secret.name.clone(),
        secret: called(&secret.secret, from, into),
        keys: secret.keys.clone(),
        further: further.collect(),
        ..DataSecret::default()
    }
}

fn called(secret: &str, from: &str, into: &str) -> String {
    secret.strip_prefix(from).map_or_else(|| secret.to_owned(), |rest| format!("{into}{rest}"))
}

/// The Secrets of a record, the later ones included.
fn secrets(spec: &ServiceDataSpec) -> impl Iterator<Item = &String> {
    spec.secrets
        .iter()
        .flat_map(|secret| std::iter::once(&secret.secret).chain(secret.further.iter().map(|further| &further.secret)))
}

/// Whether what is backed up of a service of this name, with the revision that is planned, can be this one's.
pub fn is_relocatable(plan: &Plan, from: &str) -> bool {
    plan.instance.name == from || plan.package.operations().is_some_and(|of| of.operations.relocatable)
}

/// Whether a backup of another service fits this one: what it holds must not name that one.
///
/// # Errors
/// When it may.
pub(super) fn fits(observed: &ObservedRestore, subject: &Subject) -> Result<(), Problem> {
    let (from, plan) = (&observed.restore.spec.from.service, &subject.plan);
    // Of another Entity's service of the same name the address is another one all the same.
    let same_as = if observed.foreign.is_some() { "" } else { from.as_str() };
    if observed.new.is_none() || is_relocatable(plan, same_as) {
        return Ok(());
    }
    let message = format!(
        "what revision {} of template {} backs up may name its service, {from}, and would lead {} to that one: it does not say operations.relocatable; restore a backup of a revision that does, or in place",
        plan.revision,
        plan.package.name(),
        plan.instance.name
    );
    Err(Problem::new(Reason::RestoreNotSupported, message))
}

/// Copies the Secrets that the data was made with. After the files, so that a restore that fails before leaves none.
///
/// # Errors
/// The step that does, or why it cannot be done.
pub(super) fn with_secrets(observed: &ObservedRestore, subject: &Subject) -> Result<(), Box<Step>> {
    let Some(new) = &observed.new else { return Ok(()) };
    let copies = copies(observed, new, subject).map_err(|problem| Box::new(failed(observed, problem)))?;
    if new.is_known() && copies.is_empty() {
        return Ok(());
    }
    Err(Box::new(patiently_after_jobs(observed, PATIENCE, "copies of the Secrets").with(copies)))
}

fn copies(observed: &ObservedRestore, new: &NewService, subject: &Subject) -> Result<Vec<Change>, Problem> {
    let Some((there, sources)) = new.secrets.as_ref().zip(new.sources.as_ref()) else { return Ok(Vec::new()) };
    let (instance, from) = (&subject.plan.instance, &observed.restore.spec.from.service);
    let mut copies = Vec::new();
    for name in secrets(&subject.record.spec) {
        let origin = Origin { namespace: new.from.clone(), name: called(name, &instance.name, from) };
        match (sources.get(&origin.name), there.get(name)) {
            (Some(source), Some(copy)) if copy.digest == source.digest => {}
            (_, Some(_)) => {
                let message = format!(
                    "Secret {name} is there already, and holds something else than {}, with which the data was made; name a service that never had any",
                    origin.name
                );
                return Err(Problem::new(Reason::ServiceHasData, message));
            }
            (None, None) => {
                let message =
                    format!("Secret {}, with which the data was made, is gone; restore it first", origin.name);
                return Err(Problem::new(Reason::SecretMissing, message));
            }
            (Some(_), None) => copies.push(copy(subject, name, origin)),
        }
    }
    Ok(copies)
}

fn copy(subject: &Subject, name: &str, origin: Origin) -> Change {
    let (instance, template) = (&subject.plan.instance, subject.plan.package.name());
    let secret = json!({
        "apiVersion": "v1", "kind": kinds::SECRET.kind, "immutable": true,
        "metadata": {
            "namespace": instance.namespace, "name": name, "labels": data_labels(instance, template),
        },
    });
    Change {
        kind: kinds::SECRET.kind.to_owned(),
        namespace: instance.namespace.clone(),
        name: name.to_owned(),
        action: Action::Copy { from: Some(origin), secret, because: Vec::new() },
    }
}

/// Has the record name none of what this restore made, and hold the service: it begins with nothing but a backup.
pub(super) fn emptied(observed: &ObservedRestore) -> Option<Change> {
    let record = observed.new.as_ref().and(observed.record.as_ref())?;
    let is_made = |claim: &str| volumes(observed).iter().any(|made| made.former_claim.is_none() && made.claim == claim);
    let mut left = record.spec.volumes.clone();
    left.retain(|volume| !is_made(&volume.claim));
    if left.len() == record.spec.volumes.len() {
        return None;
    }
    Some(patch(record, json!({"volumes": left, "restoring": AWAITED}), "there is no data yet"))
}

/// What became of it where the restore failed, for people.
pub(super) fn left(observed: &ObservedRestore) -> Option<String> {
    let new = observed.new.as_ref()?;
    let instance = &new.whose.as_ref().ok()?.instance;
    let record = observed.record.as_ref().filter(|record| record.spec.restoring.as_deref() == Some(AWAITED))?;
    let (namespace, name) = (&instance.namespace, &instance.name);
    let without = never_made(observed, new, &record.spec).flat_map(|name| [" --without ", name.as_str()]);
    let without = without.collect::<Vec<_>>().concat();
    Some(format!(
        "{name} has no data, and waits for another ServiceRestore into it; to have it begin empty: commonscloud data rebind {namespace}/{name}{without}"
    ))
}

/// What the record names and is not there: to rebind it says so.
fn never_made<'o>(
    observed: &'o ObservedRestore,
    new: &'o NewService,
    record: &'o ServiceDataSpec,
) -> impl Iterator<Item = &'o String> {
    let claims = record.volumes.iter().map(|volume| &volume.claim);
    let claims = claims.filter(move |claim| observed.claim(claim).is_none());
    let is_made = move |name: &&String| new.secrets.as_ref().is_some_and(|secrets| secrets.contains_key(*name));
    claims.chain(secrets(record).filter(move |name| !is_made(name)))
}

fn patch(record: &ServiceData, fields: Value, because: &str) -> Change {
    let metadata = &record.metadata;
    let patch = json!({
        "metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version}, "spec": fields,
    });
    Change {
        kind: kinds::SERVICE_DATA.kind.to_owned(),
        namespace: record.namespace().unwrap_or_default(),
        name: record.name_any(),
        action: Action::Merge { patch, because: because.to_owned() },
    }
}

#[cfg(test)]
#[path = "elsewhere_tests.rs"]
mod tests;
