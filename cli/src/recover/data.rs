//! A service's data: which run it comes back from, its generated Secrets, the record that names them, its restore.

use std::collections::BTreeMap;
use std::io::Read as _;

use commonscloud_backup::records::{RecordedObject, RecordedRun, ServiceBackups};
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{
    BackupVersions, Condition, ConditionType, DataSecret, GROUP, Reason, ServiceDataSpec, SnapshotPartKind, VERSION,
    marks,
};
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::records::PlannedEntity;
use crate::target::{Keys, Target, short};

/// The file of a snapshot's part with the generated Secrets; in it `./SECRET/KEY`.
const ARCHIVE: &str = "/secrets.tar";
/// No key of a Secret is longer: a Secret has a megabyte.
const LONGEST: u64 = 1 << 20;

/// What Secrets hold, by name and key.
pub(crate) type Secrets = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// Where a service's data comes back from.
#[derive(Clone)]
pub(crate) struct Source<'r> {
    pub(crate) run: &'r RecordedRun,
    /// The id of the snapshot with its manifest.
    pub(crate) snapshot: &'r str,
    pub(super) path: &'r str,
    pub(super) key: String,
    /// What is newer, and not at this target.
    pub(crate) missing: Vec<String>,
}

impl Source<'_> {
    /// When the data was as it comes back.
    pub(crate) fn taken(&self) -> Option<Timestamp> {
        self.run.status.taken_at.as_ref().map(|time| time.0)
    }

    /// What opens its repository.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.run.status.bytes.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
    }
}

/// The newest run whose repository is at this target, as it was recorded.
///
/// # Errors
/// Why there is none.
pub(crate) async fn source<'r>(
    target: &Target,
    keys: &Keys,
    backups: Option<&&'r ServiceBackups>,
) -> Result<Source<'r>, String> {
    let backups: &'r ServiceBackups = *backups.ok_or("it had no complete backup")?;
    let mut missing = Vec::new();
    for repository in backups.repositories() {
        let newest = backups.runs.iter().find(|run| run.status.repository.as_ref() == Some(repository));
        let Some((run, snapshot)) = newest.and_then(|run| Some((run, run.status.snapshot.as_deref()?))) else {
            continue;
        };
        match target.has(repository, keys).await {
            Ok(key) => return Ok(Source { run, snapshot, path: &repository.path, key, missing }),
            Err(why) => missing.push(format!("run {} at target {:?}: {why}", run.name, repository.target)),
        }
    }
    Err(if missing.is_empty() { "it had no complete backup".to_owned() } else { missing.join("; ") })
}

/// The versions of the run that a service comes back from: those of its backup and not of what ran last, or nothing
/// could be restored. Of a revision that does not come back nothing could run.
pub(crate) fn versions<'r>(
    source: &Result<Source<'r>, String>,
    planned: &PlannedEntity<'_>,
) -> Option<&'r BackupVersions> {
    let versions = source.as_ref().ok()?.run.status.versions.as_ref()?;
    planned.revisions.contains(versions.revision.as_str()).then_some(versions)
}

/// What is told of data that nobody has a service for.
pub(crate) fn kept(entity: &str, service: &str, source: &Source<'_>) -> String {
    format!(
        "kept: {entity}/{service}, of a service that was gone. Its record with its date, its runs, Secrets and key are back; its files stay in snapshot {}. docs/operations/recover.md says how they come once it is applied again",
        source.snapshot
    )
}

/// The generated Secrets, as the run has them.
///
/// # Errors
/// When the run has none, or they cannot be read.
pub(crate) async fn secrets(target: &Target, source: &Source<'_>) -> Result<Secrets, Failure> {
    let part = source.run.status.contents.iter().find(|part| part.kind == SnapshotPartKind::Secrets);
    let part = part.ok_or_else(|| format!("run {} has no part with the generated Secrets", source.run.name))?;
    let archive = target.file(source.path, &source.key, &part.snapshot, ARCHIVE).await?;
    Ok(unpacked(&archive)?)
}

/// What an archive holds. Nothing of it is written to a disk, so that its names lead nowhere.
fn unpacked(archive: &[u8]) -> std::io::Result<Secrets> {
    let mut secrets = Secrets::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((secret, key)) = path.trim_start_matches("./").split_once('/') else { continue };
        let mut value = Vec::new();
        entry.by_ref().take(LONGEST).read_to_end(&mut value)?;
        secrets.entry(secret.to_owned()).or_default().insert(key.to_owned(), value);
    }
    Ok(secrets)
}

/// The Secrets that a record names, with the uids that they had; those of later keys too.
pub(crate) fn named(spec: &ServiceDataSpec) -> Vec<(&str, Option<&str>, &[String])> {
    let all = spec.secrets.iter().flat_map(|secret| {
        let DataSecret { secret, former_uid, keys, further, .. } = secret;
        let further = further.iter().map(|of| (of.secret.as_str(), of.former_uid.as_deref(), of.keys.as_slice()));
        std::iter::once((secret.as_str(), former_uid.as_deref(), keys.as_slice())).chain(further)
    });
    all.collect()
}

/// The Secrets of a service's record as they are made: as the operator makes those that it generates.
///
/// # Errors
/// Which one, or which key of it, the run does not have.
pub(crate) fn made(record: &RecordedObject, spec: &ServiceDataSpec, secrets: &Secrets) -> Result<Vec<Value>, String> {
    let one = |(name, former, keys): (&str, Option<&str>, &[String])| {
        let values = secrets.get(name).ok_or_else(|| format!("the run has no Secret {name}"))?;
        if let Some(key) = keys.iter().find(|key| !values.contains_key(*key)) {
            return Err(format!("the run has no key {key} of Secret {name}"));
        }
        let data: BTreeMap<&String, ByteString> =
            values.iter().map(|(key, value)| (key, ByteString(value.clone()))).collect();
        let metadata = json!({
            "name": name, "namespace": record.metadata.namespace, "labels": record.metadata.labels,
            "annotations": {marks::RECOVERED: former.unwrap_or("unknown")},
        });
        Ok(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
            "metadata": metadata, "data": data,
        }))
    };
    named(spec).into_iter().map(one).collect()
}

/// `spec.secrets` of a record with the uids of the Secrets that are there now. None: it has them.
pub(crate) fn bound(spec: &ServiceDataSpec, uids: &BTreeMap<String, String>) -> Option<Value> {
    let mut secrets = spec.secrets.clone();
    for secret in &mut secrets {
        secret.uid = uids.get(&secret.secret).cloned();
        for further in &mut secret.further {
            further.uid = uids.get(&further.secret).cloned();
        }
    }
    (secrets != spec.secrets).then(|| json!({"secrets": secrets}))
}

/// A run as it was: the object, and its status.
pub(crate) fn backup(namespace: &str, run: &RecordedRun, now: Timestamp) -> (Value, Value) {
    let object = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ServiceBackup",
        "metadata": {"name": run.name, "namespace": namespace, "annotations": {marks::RECOVERED: run.uid}},
        "spec": run.spec,
    });
    let ready = Condition {
        type_: ConditionType::Ready.as_str().to_owned(),
        status: "True".to_owned(),
        reason: Reason::Ready.to_string(),
        message: format!(
            "complete: {} in {} parts",
            run.status.size.as_deref().unwrap_or("?"),
            run.status.contents.len()
        ),
        observed_generation: Some(1),
        last_transition_time: run.status.ended_at.clone().unwrap_or(Time(now)),
    };
    let mut status = run.status.clone();
    status.observed_generation = Some(1);
    status.conditions = vec![ready];
    (object, json!({"status": status}))
}

/// What a service's restore is called: by its snapshot, and by a number where one before it failed.
pub(crate) fn restore_name(service: &str, snapshot: &str, number: usize) -> String {
    let name = format!("recover-{service}-{}", short(snapshot));
    if number == 0 { name } else { format!("{name}-{}", number + 1) }
}

/// The restore of a service in place.
pub(crate) fn restore(namespace: &str, name: &str, service: &str, snapshot: &str, by: &str) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "ServiceRestore",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"from": {"service": service, "snapshot": snapshot}, "requestedBy": by},
    })
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
