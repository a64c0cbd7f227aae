//! Which backup of each service a package is made from.

use std::collections::BTreeSet;
use std::time::Duration;

use commonscloud_backup::exit::{ExitManifest, ExitRepository, ExitService, Source};
use commonscloud_backup::manifest::{MANIFEST_TAG, Manifest, ManifestEntity};
use commonscloud_backup::records::Records;
use commonscloud_backup::report::Failure as Refused;
use commonscloud_backup::restic::{self, Restic};
use commonscloud_cluster::command::Failure;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::target::{Keys, Target};

/// Lists and manifests are there by then.
const READ: Duration = Duration::from_mins(10);
/// A backup of a later time than this is not believed: the clock of whoever made it, or somebody, was wrong.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'a> {
    pub(super) entity: &'a str,
    /// Empty: all.
    pub(super) services: &'a [String],
    /// How the id of the one service's snapshot begins.
    pub(super) snapshot: Option<&'a str>,
}

/// A service, and where backups of it are looked for, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    places: Vec<Place>,
    /// How the id of the snapshot has to begin.
    snapshot: Option<String>,
}

/// A repository in which backups of a service may be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    folder: String,
    path: String,
    /// The id that it has to have. Absent: nobody recorded it.
    id: Option<String>,
    /// The snapshots that the platform recorded, the newest first. Absent: it recorded none here.
    recorded: Option<Vec<String>>,
}

/// A service with the backup that it is read from.
pub(super) struct Opened {
    pub(super) entity: ManifestEntity,
    pub(super) service: ExitService,
    pub(super) source: Source,
}

/// Whether a folder at a target is one of an Entity of this name: `{name}-{8 of 0-9 and a-f}`.
pub(super) fn is_folder_of(folder: &str, entity: &str) -> bool {
    let uid = folder.strip_prefix(entity).and_then(|rest| rest.strip_prefix('-'));
    uid.is_some_and(|uid| uid.len() == 8 && uid.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// The services that are asked for. `folders`: those of the Entity whose key is open; `closed`: those whose key is not.
///
/// # Errors
/// When it is not known which services there are, or one of them has no backup here.
pub(super) fn choose(
    choice: &Choice<'_>,
    folders: &[String],
    closed: &[String],
    records: Option<&Records>,
) -> Result<Vec<Wanted>, String> {
    let entity = choice.entity;
    let folder = match folders {
        [] if closed.is_empty() => {
            return Err(format!("no key of an Entity {entity} is here: it was never backed up to it"));
        }
        [] => return Err(format!("the key of {} is sealed to others: give another --identity", closed.join(", "))),
        [one] => one,
        several => {
            return Err(format!("{entity} has several folders: add --folder with one of {}", several.join(", ")));
        }
    };
    let recorded = |name: &str| records.map(|records| recorded(records, entity, name, folder)).unwrap_or_default();
    let mut names: BTreeSet<String> = choice.services.iter().cloned().collect();
    if names.is_empty() {
        names = records.map(|records| all(records, entity)).unwrap_or_default();
        let without: Vec<&str> = names.iter().map(String::as_str).filter(|name| recorded(name).is_empty()).collect();
        if !without.is_empty() {
            return Err(format!(
                "no complete backup of {} is in the platform's records at this target, which follow a backup by minutes: \
                 back it up first, or name the services, and their repositories are looked at themselves",
                without.join(", ")
            ));
        }
    }
    if names.is_empty() {
        return Err(format!(
            "the platform keeps no records here that say which services {entity} has: name them, \
             for example `commonscloud export {entity} office agora`"
        ));
    }
    let wanted = |name: String| {
        let mut places = recorded(&name);
        if places.is_empty() {
            let path = format!("{folder}.{name}");
            places.push(Place { folder: folder.clone(), path, id: None, recorded: None });
        }
        Wanted { name, places, snapshot: choice.snapshot.map(str::to_owned) }
    };
    Ok(names.into_iter().map(wanted).collect())
}

/// The services of an Entity that hold data, and those of which backups are kept.
fn all(records: &Records, entity: &str) -> BTreeSet<String> {
    let of_entity = |namespace: &Option<String>| namespace.as_deref() == Some(entity);
    let data = records.records.iter().filter(|record| of_entity(&record.metadata.namespace));
    let data = data.map(|record| record.metadata.name.clone());
    let kept = records.backups.iter().filter(|backups| backups.entity == entity && !backups.runs.is_empty());
    data.chain(kept.map(|backups| backups.service.clone())).collect()
}

/// The repositories of a service below this folder, with the snapshots that were recorded in each.
fn recorded(records: &Records, entity: &str, service: &str, folder: &str) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let own = records.backups.iter().filter(|backups| backups.entity == entity && backups.service == service);
    for run in own.flat_map(|backups| &backups.runs) {
        let (Some(at), Some(snapshot)) = (&run.status.repository, &run.status.snapshot) else { continue };
        if !at.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('.')) {
            continue;
        }
        let known = places.iter_mut().find(|place| place.path == at.path && place.id.as_ref() == Some(&at.id));
        match known.and_then(|place| place.recorded.as_mut()) {
            Some(snapshots) => snapshots.push(snapshot.clone()),
            None => places.push(Place {
                folder: folder.to_owned(),
                path: at.path.clone(),
                id: Some(at.id.clone()),
                recorded: Some(vec![snapshot.clone()]),
            }),
        }
    }
    places
}

/// What a package that was begun is read from.
pub(super) fn again(manifest: &ExitManifest) -> Vec<Wanted> {
    let wanted = |service: &ExitService| {
        let ExitRepository { path, id, snapshot } = service.repository.clone();
        let folder = path.rsplit_once('.').map_or(&*path, |(folder, _)| folder).to_owned();
        let place = Place { folder, path, id: Some(id), recorded: Some(vec![snapshot]) };
        Wanted { name: service.instance.name.clone(), places: vec![place], snapshot: None }
    };
    manifest.services.iter().map(wanted).collect()
}

impl Wanted {
    /// What is said of a backup that the platform did not record.
    pub(super) fn how_sure(&self) -> &'static str {
        match self.places.first() {
            Some(Place { recorded: None, .. }) => {
                " (no record of the platform here names it: it is the newest one that is there)"
            }
            _ => "",
        }
    }

    /// The first place at which a backup is.
    ///
    /// # Errors
    /// What each of them says, where there is none.
    pub(super) async fn open(
        &self,
        target: &Target,
        keys: &Keys,
        entity: &str,
        now: Timestamp,
    ) -> Result<Opened, Failure> {
        let mut whys = Vec::new();
        for place in &self.places {
            match self.at(place, target, keys, entity, now).await {
                Ok(opened) => return Ok(opened),
                Err(why) => whys.push(why.to_string()),
            }
        }
        Err(format!("{entity}/{}: {}", self.name, whys.join("; ")).into())
    }

    async fn at(
        &self,
        place: &Place,
        target: &Target,
        keys: &Keys,
        entity: &str,
        now: Timestamp,
    ) -> Result<Opened, Failure> {
        let told = |failure: Refused| format!("{}/{}: {failure}", target.shown(), place.path);
        let sealed = keys.get(&place.folder).map(Vec::as_slice).unwrap_or_default();
        let (key, id) = target.opens(&place.path, sealed).await.map_err(told)?;
        let repository = target.at(&place.path, key);
        if let Some(recorded) = place.id.as_ref().filter(|recorded| **recorded != id) {
            return Err(format!(
                "{} is repository {id} here, and a backup is recorded in {recorded}: that of another target, or \
                 somebody replaced it",
                place.path
            )
            .into());
        }
        let there = restic::tagged(&repository, MANIFEST_TAG, READ).await.map_err(told)?;
        let there: Vec<String> = there.into_iter().map(|snapshot| snapshot.id).collect();
        for snapshot in self.candidates(place, &there)? {
            let manifest = restic::manifest(&repository, &snapshot, READ).await.map_err(told)?;
            is_of(&manifest, entity, &self.name)
                .map_err(|why| format!("{}, snapshot {snapshot}: {why}", place.path))?;
            let is_chosen = place.recorded.is_some() || self.snapshot.is_some();
            if !is_chosen && manifest.taken_at.duration_since(now) > AHEAD {
                eprintln!(
                    "snapshot {snapshot} says that it is of {}: left out, unless --snapshot names it",
                    manifest.taken_at
                );
                continue;
            }
            let repository_of = ExitRepository { path: place.path.clone(), id, snapshot };
            return Ok(opened(manifest, repository, repository_of));
        }
        Err(format!("{} has no complete backup", place.path).into())
    }

    /// The snapshots that may be it, the best first.
    fn candidates(&self, place: &Place, there: &[String]) -> Result<Vec<String>, String> {
        let mut found: Vec<String> = match &place.recorded {
            Some(recorded) if self.snapshot.is_none() => {
                recorded.iter().filter(|id| there.contains(id)).cloned().collect()
            }
            _ => there.to_vec(),
        };
        if let Some(begin) = &self.snapshot {
            found.retain(|id| id.starts_with(begin));
            if found.len() > 1 {
                return Err(format!("{} snapshots begin with {begin}: write more of it", found.len()));
            }
        }
        match (found.is_empty(), &self.snapshot, &place.recorded) {
            (true, Some(begin), _) => {
                Err(format!("{}: no complete backup has a snapshot that begins with {begin}", place.path))
            }
            (true, None, Some(recorded)) => {
                let missing = recorded.first().map_or("", String::as_str);
                Err(format!("{}: snapshot {missing} is recorded and is not there (any more)", place.path))
            }
            _ => Ok(found),
        }
    }
}

/// Whether a backup is of this service: else another repository is in the place of its own.
fn is_of(manifest: &Manifest, entity: &str, service: &str) -> Result<(), String> {
    let (own, instance) = (&manifest.entity.name, &manifest.instance.name);
    if own == entity && instance == service {
        return Ok(());
    }
    Err(format!("it is a backup of {own}/{instance}, and not of {entity}/{service}"))
}

fn opened(manifest: Manifest, restic: Restic, repository: ExitRepository) -> Opened {
    let service = ExitService::of(&manifest, repository);
    let Manifest { entity, instance, parts, .. } = manifest;
    Opened { entity, service, source: Source { service: instance.name, restic, parts } }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A package of these services that was begun.
    pub fn begun(services: &[&str]) -> ExitManifest {
        let service = |name: &&str| {
            json!({"instance": {"name": name, "kind": "DedicatedService", "uid": "u"}, "takenAt": "2026-11-29T00:00:00Z",
                "versions": commonscloud_operator::api::BackupVersions::default(),
                "repository": {"path": format!("hort-0a1b2c3d.{name}"), "id": "r", "snapshot": "5"}})
        };
        let services: Vec<_> = services.iter().map(service).collect();
        serde_json::from_value(json!({"version": 1, "entity": {"name": "hort", "uid": "u"}, "release": "0.1.0",
            "exportedAt": "2026-11-30T00:00:00Z", "services": services}))
        .unwrap()
    }

    const FOLDER: &str = "hort-0a1b2c3d";

    /// `office` with two runs at a target and one at another, and what else holds data.
    fn records(others: &[&str]) -> Records {
        let run = |target: &str, id: &str, snapshot: &str| {
            json!({"name": snapshot, "uid": "u", "spec": {"service": "office", "requestedBy": "x"},
                "status": {"repository": {"target": target, "path": format!("{FOLDER}.office"), "id": id}, "snapshot": snapshot}})
        };
        let data = |name: &&str| {
            json!({"apiVersion": "v1", "kind": "ServiceData", "spec": {},
                "metadata": {"name": name, "namespace": "hort", "uid": "u"}})
        };
        let data: Vec<_> = others.iter().chain(&["office"]).map(data).collect();
        let runs = [run("near", "n", "3"), run("far", "f", "2"), run("near", "n", "1")];
        serde_json::from_value(json!({
            "version": 1, "takenAt": "2026-11-30T00:00:00Z", "cluster": {"namespace": "x", "release": "0.1.0"},
            "platform": {"apiVersion": "v1", "kind": "Platform", "metadata": {"name": "default", "uid": "u"}, "spec": {}},
            "records": data, "backups": [{"entity": "hort", "service": "office", "runs": runs}],
        }))
        .unwrap()
    }

    fn chosen(services: &[&str], folders: &[&str], records: Option<&Records>) -> Result<Vec<Wanted>, String> {
        let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
        let folders: Vec<String> = folders.iter().map(|name| (*name).to_owned()).collect();
        choose(&Choice { entity: "hort", services: &services, snapshot: None }, &folders, &[], records)
    }

    #[test]
    fn a_folder_is_of_one_entity() {
        assert!(is_folder_of(FOLDER, "hort") && !is_folder_of(FOLDER, "hor"));
        for other in ["hort", "hort-x", "hort-nou-0a1b2c3d", "hort-0A1B2C3D", "platform"] {
            assert!(!is_folder_of(other, "hort"), "{other}");
        }
    }

    #[test]
    fn all_services_are_those_of_the_records_with_their_snapshots() {
        let wanted = chosen(&[], &[FOLDER], Some(&records(&[]))).unwrap();
        assert_eq!(wanted.len(), 1);
        let snapshots: Vec<_> =
            wanted[0].places.iter().map(|place| (place.id.clone(), place.recorded.clone())).collect();
        let near = (Some("n".to_owned()), Some(vec!["3".to_owned(), "1".to_owned()]));
        assert_eq!(snapshots, [near, (Some("f".to_owned()), Some(vec!["2".to_owned()]))]);
    }

    #[test]
    fn a_service_without_a_backup_is_named_and_not_left_out() {
        let error = chosen(&[], &[FOLDER], Some(&records(&["wiki"]))).unwrap_err();
        assert!(error.contains("wiki") && error.contains("back it up first"), "{error}");
        assert_eq!(chosen(&["office"], &[FOLDER], Some(&records(&["wiki"]))).unwrap().len(), 1);
    }

    #[test]
    fn without_records_services_are_named() {
        let error = chosen(&[], &[FOLDER], None).unwrap_err();
        assert!(error.contains("commonscloud export hort office"), "{error}");
        let wanted = chosen(&["wiki", "wiki"], &[FOLDER], None).unwrap();
        assert_eq!(wanted.len(), 1);
        assert_eq!(wanted[0].places[0].path, "hort-0a1b2c3d.wiki");
        assert!(wanted[0].how_sure().contains("newest"));
    }

    #[test]
    fn another_entity_of_the_name_is_asked_about() {
        let error = chosen(&["wiki"], &[FOLDER, "hort-ffffffff"], None).unwrap_err();
        assert!(error.contains("--folder") && error.contains("hort-ffffffff"), "{error}");
        assert!(chosen(&["wiki"], &[], None).unwrap_err().contains("never backed up"));
    }

    #[test]
    fn only_what_was_recorded_is_taken_where_anything_was() {
        let wanted = chosen(&[], &[FOLDER], Some(&records(&[]))).unwrap().remove(0);
        let there = ["9", "1", "3"].map(str::to_owned);
        assert_eq!(wanted.candidates(&wanted.places[0], &there).unwrap(), ["3", "1"], "9 is a stranger's");
        assert!(wanted.candidates(&wanted.places[0], &[]).unwrap_err().contains('3'));
        let named = Wanted { snapshot: Some("9".to_owned()), ..wanted };
        assert_eq!(named.candidates(&named.places[0], &there).unwrap(), ["9"]);
    }

    #[test]
    fn what_was_begun_is_read_from_the_same_snapshot() {
        let wanted = again(&begun(&["wiki"])).remove(0);
        assert_eq!((wanted.places[0].folder.as_str(), wanted.places[0].path.as_str()), (FOLDER, "hort-0a1b2c3d.wiki"));
        assert_eq!(wanted.candidates(&wanted.places[0], &["7".to_owned(), "5".to_owned()]).unwrap(), ["5"]);
    }
}
