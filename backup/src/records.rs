//! The platform's own kinds as they are kept at every target, in repository `TARGET/platform`: one JSON document
//! (file [`RECORDS_FILE`] of a snapshot with tag [`RECORDS_TAG`]) from which an empty cluster gets everything back
//! but what the services hold. No Secret's value is ever in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::one_line;
use commonscloud_api::{BackupRepository, ServiceBackupSpec, ServiceBackupStatus};

/// The version of this format.
pub const RECORDS_VERSION: u32 = 1;
/// The tag of its snapshots.
pub const RECORDS_TAG: &str = "records";
/// The file in a snapshot.
pub const RECORDS_FILE: &str = "records.json";
/// The folder of the repository below a target's, and of its key: Secret `backup-key-platform` of the operator's
/// namespace, sealed in the repository of escrows under this name. No Entity's folder is called so: these end in `-`
/// and a part of a uid.
pub const RECORDS_FOLDER: &str = "platform";

/// The platform's own kinds, and what the services of its Entities have at the targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Records {
    /// The version of this format.
    pub version: u32,
    /// When the operator saw all this: its own time.
    pub taken_at: Timestamp,
    /// Where it was seen.
    pub cluster: RecordedCluster,
    /// The Platform: an object of `commonscloud.coop/v1alpha1`, as all that follow.
    pub platform: RecordedObject,
    /// The Tariffs, by name, as all lists of objects here: by namespace and name.
    #[serde(default)]
    pub tariffs: Vec<RecordedObject>,
    /// The ServiceTemplates.
    #[serde(default)]
    pub templates: Vec<RecordedObject>,
    /// The ServiceTemplateRevisions. They come back before the services, which are pinned to them.
    #[serde(default)]
    pub revisions: Vec<RecordedObject>,
    /// The Entities.
    #[serde(default)]
    pub entities: Vec<RecordedObject>,
    /// The services that somebody wrote by hand into an Entity's namespace: DedicatedOffice and the like without an
    /// owner. Those of `spec.services` of an Entity are made by the operator.
    #[serde(default)]
    pub services: Vec<RecordedObject>,
    /// The ServiceData: volumes, generated Secrets, versions, and until when data is kept. `status` holds `state`, and the
    /// `hostname` that the service had.
    #[serde(default)]
    pub records: Vec<RecordedObject>,
    /// Who belongs to each Entity, who may enter its services, and who changed what: Collectives, Accesses and
    /// AccessHistories, mail addresses of invitations with them. They come back before their Entity, so that nobody is let
    /// in who was not. Wishes to leave are not here: whoever still has one says so again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<RecordedObject>,
    /// What each service has at the targets, also of services that are gone while runs of them are kept.
    #[serde(default)]
    pub backups: Vec<ServiceBackups>,
    /// The folder of each Entity's repositories, and so of the key that opens them.
    #[serde(default)]
    pub folders: Vec<EntityFolder>,
    /// The Secrets that nobody generates: who recovers brings them.
    #[serde(default)]
    pub secrets: Vec<NeededSecret>,
    /// The objects of these kinds that were there and could not be read (a newer release wrote them): none of the lists
    /// has them.
    #[serde(default)]
    pub unreadable: Vec<ObjectName>,
}

/// The name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectName {
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty: it has none.
    #[serde(default)]
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Where records were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedCluster {
    /// The uid of its namespace `kube-system`, by which clusters are told apart. Absent where it was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The operator's namespace.
    pub namespace: String,
    /// The operator's release, for example `0.1.0`.
    pub release: String,
}

/// An object as somebody could apply it, without what the API server and controllers put on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedObject {
    /// For example `commonscloud.coop/v1alpha1`.
    pub api_version: String,
    /// For example `Entity`.
    pub kind: String,
    /// Its name, and what is ours on it.
    pub metadata: RecordedMetadata,
    /// Its spec, whole.
    pub spec: Value,
    /// Of its status what whoever brings it back has to know, called as there: of a service `revision`, `version`,
    /// `hostname`, `engine`; of a ServiceData `state`, and the `hostname` of its service. `null`: nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub status: Value,
}

/// The metadata of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedMetadata {
    /// Its name.
    pub name: String,
    /// Its namespace. Absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The uid that it had: another object of its name has another one.
    pub uid: String,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations below `commonscloud.coop/`: those of tools tell of another cluster.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a service has at the targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceBackups {
    /// Its Entity, whose namespace has the same name.
    pub entity: String,
    /// Its name.
    pub service: String,
    /// Its complete runs whose snapshots are kept, newest first.
    pub runs: Vec<RecordedRun>,
}

impl ServiceBackups {
    /// The repositories that its runs are in: that of the newest first.
    pub fn repositories(&self) -> Vec<&BackupRepository> {
        let all = self.runs.iter().filter_map(|run| run.status.repository.as_ref());
        all.fold(Vec::new(), |mut seen, repository| {
            if !seen.contains(&repository) {
                seen.push(repository);
            }
            seen
        })
    }
}

/// A complete run: the ServiceBackup `entity/name`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedRun {
    /// Its name.
    pub name: String,
    /// Its uid: tag `run:UID` of its snapshots.
    pub uid: String,
    /// What was asked.
    pub spec: ServiceBackupSpec,
    /// What came of it, without conditions: repository, snapshot, contents, versions, times.
    pub status: ServiceBackupStatus,
}

/// The folder of an Entity's repositories at every target: they are `TARGET/{folder}.{service}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityFolder {
    /// The Entity.
    pub entity: String,
    /// Its uid.
    pub uid: String,
    /// The folder. The key is Secret `backup-key-{folder}` of the operator's namespace, sealed at each target in the
    /// repository of escrows under this name. One with labels `commonscloud.coop/entity` and
    /// `commonscloud.coop/entity-uid` says which Entity goes on with it.
    pub folder: String,
}

/// A Secret that somebody made: what is in it is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NeededSecret {
    /// Its namespace: the operator's, or an Entity's.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The keys that are used of it. Empty: they are not known.
    #[serde(default)]
    pub keys: Vec<String>,
    /// What names it, for example `Platform spec.smtp.secretName`.
    pub named_by: String,
}

/// Why a document is none of these records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// A newer release wrote it.
    #[error(
        "the records have version {0}, this release reads version {known}: recover with a newer release", known = RECORDS_VERSION
    )]
    TooNew(u32),
    /// It is something else, or incomplete.
    #[error("no records: {0}")]
    NotRecords(String),
}

impl Records {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is newer, or incomplete.
    pub fn read(text: &str) -> Result<Self, RecordsError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let no_records = |error: serde_json::Error| RecordsError::NotRecords(one_line(&error.to_string(), 300));
        let Versioned { version } = serde_json::from_str(text).map_err(no_records)?;
        if version > RECORDS_VERSION {
            return Err(RecordsError::TooNew(version));
        }
        serde_json::from_str(text).map_err(no_records)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records() -> Records {
        let object = |kind: &str, name: &str| RecordedObject {
            api_version: "commonscloud.coop/v1alpha1".to_owned(),
            kind: kind.to_owned(),
            metadata: RecordedMetadata { name: name.to_owned(), uid: "u".to_owned(), ..RecordedMetadata::default() },
            spec: json!({"tariff": "t"}),
            status: Value::Null,
        };
        let run = |name: &str, target: &str| RecordedRun {
            name: name.to_owned(),
            status: ServiceBackupStatus {
                repository: Some(BackupRepository { target: target.to_owned(), ..BackupRepository::default() }),
                ..ServiceBackupStatus::default()
            },
            ..RecordedRun::default()
        };
        Records {
            version: RECORDS_VERSION,
            taken_at: "2026-11-30T01:02:03Z".parse().unwrap(),
            platform: object("Platform", "default"),
            entities: vec![object("Entity", "garden")],
            backups: vec![ServiceBackups {
                entity: "garden".to_owned(),
                service: "wiki".to_owned(),
                runs: vec![run("c", "far"), run("b", "near"), run("a", "far")],
            }],
            ..Records::default()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = serde_json::to_string(&records()).unwrap();
        assert_eq!(Records::read(&text), Ok(records()));
        let later = text.replacen('{', r#"{"colour":"green","#, 1);
        assert_eq!(Records::read(&later), Ok(records()), "a field of tomorrow does no harm");
    }

    #[test]
    fn records_without_people_are_written_and_read_as_before_there_were_any() {
        let text = serde_json::to_string(&records()).unwrap();
        assert!(!text.contains("people"), "the same digest as an earlier release has: {text}");
        assert_eq!(Records::read(&text).unwrap().people, []);
    }

    #[test]
    fn a_newer_one_is_refused_whatever_it_holds_and_half_a_document_is_none() {
        assert_eq!(Records::read(r#"{"version":2,"platform":[]}"#), Err(RecordsError::TooNew(2)));
        let text = serde_json::to_string(&records()).unwrap();
        assert!(matches!(Records::read(&text[..text.len() / 2]), Err(RecordsError::NotRecords(_))));
    }

    #[test]
    fn the_repositories_of_a_service_are_those_of_its_runs_the_newest_first() {
        let records = records();
        let targets: Vec<&str> = records.backups[0].repositories().iter().map(|of| of.target.as_str()).collect();
        assert_eq!(targets, ["far", "near"]);
    }
}
