//! A wiki with a database, a backup of it, and what becomes of both as steps are carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use commonscloud_backup::manifest::{MANIFEST_VERSION, Manifest, ManifestEntity, ManifestInstance};
use commonscloud_backup::report::{Outcome, Report, StoredPart};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{NewService, ObservedRestore, Room, SeenService, Step, next, restore_status};
use crate::api::{
    BackupVersions, Reason, RestorePhase, ServiceBackup, ServiceData, ServiceRestore, ServiceTemplate,
    SnapshotPartKind, marks,
};
use crate::backup::{JobState, KeyState, Own, Said, SeenJob, Subject};
use crate::cache::{Live, Sealed};
use crate::compare::{Action, Change};
use crate::plan::{Plan, Stage};
use crate::report::Problem;
use crate::resolve::{Facts, fixtures, resolve};
use crate::template::{Package, render};

/// The id of the snapshot with the manifest.
pub(crate) const SNAPSHOT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What there is.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) restore: ServiceRestore,
    pub(crate) record: ServiceData,
    pub(crate) claims: Vec<Arc<Live>>,
    pub(crate) jobs: BTreeMap<String, SeenJob>,
    pub(crate) runs: Vec<Arc<ServiceBackup>>,
    pub(crate) quotas: Vec<Room>,
    pub(crate) service: SeenService,
    pub(crate) key: KeyState,
    pub(crate) manifest: Manifest,
    pub(crate) goes_first: Option<String>,
    pub(crate) problem: Option<Problem>,
    pub(crate) now: Timestamp,
    /// What the Job of a name ends with, without words as one whose pod was taken away; the others succeed.
    pub(crate) ends: BTreeMap<String, JobState>,
    /// What differs from the backup.
    pub(crate) differences: Vec<String>,
    /// The claims that are never made, and those that are never bound.
    pub(crate) refused: Vec<String>,
    pub(crate) unbound: Vec<String>,
    /// The folder of the Entity's repositories.
    pub(crate) folder: String,
    /// Every change that was carried out, with its phase.
    pub(crate) done: Vec<(RestorePhase, Change)>,
    /// Every phase that it was in.
    pub(crate) phases: Vec<RestorePhase>,
    pub(crate) package: Arc<Package>,
    /// What is known of it where it is to begin with a backup of another service.
    pub(crate) new: Option<NewService>,
    /// Whether it has a record.
    pub(crate) is_recorded: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let template: ServiceTemplate = fixtures::read(include_str!("../../../examples/templates/mediawiki.yaml"));
        let package = Arc::new(Package::compile("mediawiki", &template.spec).unwrap());
        let (revision, version) = (package.revision_name(), package.latest().to_owned());
        let restore = json!({
            "metadata": {"name": "back", "namespace": "coop", "uid": "r-1", "generation": 1},
            "spec": {"from": {"service": "calendar"}, "requestedBy": "anna"},
        });
        let volume =
            |name: &str| json!({"name": name, "claim": format!("calendar-{name}"), "uid": name, "volumeName": "v"});
        let record = json!({
            "metadata": {"name": "calendar", "namespace": "coop", "uid": "d-1", "resourceVersion": "1"},
            "spec": {
                "owner": {"kind": "DedicatedService", "name": "calendar", "uid": "u1"}, "template": "mediawiki",
                "entity": {"uid": "e1", "displayName": "Coop"}, "revision": revision, "version": version,
                "volumes": [volume("data"), volume("db")],
            },
        });
        let versions = BackupVersions {
            template: "mediawiki".into(),
            application: version.clone(),
            revision,
            ..BackupVersions::default()
        };
        Self {
            restore: serde_json::from_value(restore).unwrap(),
            record: serde_json::from_value(record).unwrap(),
            claims: vec![claim("calendar-data", "data"), claim("calendar-db", "db")],
            jobs: BTreeMap::new(),
            runs: vec![run("monday", SNAPSHOT, "2026-11-30T01:00:00Z")],
            quotas: Vec::new(),
            service: SeenService { is_applied: true, is_running: true, ..SeenService::default() },
            key: KeyState::There,
            manifest: manifest(versions),
            goes_first: None,
            problem: None,
            now: "2026-11-30T12:00:00Z".parse().unwrap(),
            ends: BTreeMap::new(),
            differences: Vec::new(),
            refused: Vec::new(),
            unbound: Vec::new(),
            folder: "coop-e1".to_owned(),
            done: Vec::new(),
            phases: Vec::new(),
            package,
            new: None,
            is_recorded: true,
        }
    }

    /// The same after the loss of the cluster: its record names claims that nobody has.
    pub(crate) fn lost() -> Self {
        let mut world = Self::new();
        world.claims.clear();
        world.record.spec.restoring = Some("all is lost".to_owned());
        for volume in &mut world.record.spec.volumes {
            (volume.uid, volume.volume_name) = (None, None);
        }
        world
    }

    pub(crate) fn phase(&self) -> RestorePhase {
        self.restore.status.as_ref().and_then(|status| status.phase).unwrap_or(RestorePhase::Waiting)
    }

    fn plan(&self) -> Plan {
        let stops = matches!(self.phase(), RestorePhase::Switching | RestorePhase::Loading | RestorePhase::Verifying);
        let stage = if stops { Stage::Stopped { but: ["db".to_owned()].into() } } else { Stage::Whole };
        let mut instance = fixtures::instance("tier: 1gb");
        instance.template = "mediawiki".to_owned();
        let revision = self.package.revision_name();
        let facts = Facts {
            newest_revision: Some(revision.clone()),
            packages: [(revision, Ok(Arc::clone(&self.package)))].into(),
            record: Some(Arc::new(self.record.clone())),
            stage,
            ..fixtures::facts()
        };
        resolve(&instance, &facts).unwrap().plan
    }

    pub(crate) fn subject(&self) -> Subject {
        let plan = self.plan();
        let target = json!({"name": "offsite", "rest": {"url": "https://backup.example.org", "secretName": "add"}});
        let backup = json!({"targets": [target], "recipients": ["age1"]});
        Subject {
            objects: render(&plan).unwrap().objects,
            operations: Arc::clone(&self.package),
            record: Arc::new(self.record.clone()),
            entity: fixtures::facts().entity.unwrap(),
            is_running: self.service.is_running,
            on_nodes: BTreeSet::new(),
            backup: serde_json::from_value(backup).unwrap(),
            target: serde_json::from_value(target).unwrap(),
            folder: self.folder.clone(),
            key: self.key.clone(),
            own: Own {
                namespace: "system".into(),
                backup_image: "backup:1".into(),
                release: "0.1.0".into(),
                ..Own::default()
            },
            plan,
        }
    }

    fn problem(&self) -> Option<Problem> {
        let unmade = || Problem::new(Reason::DataBeingMade, "there is no data");
        self.problem.clone().or_else(|| (!self.is_recorded).then(unmade))
    }

    pub(crate) fn seen(&self) -> ObservedRestore {
        ObservedRestore {
            restore: Arc::new(self.restore.clone()),
            now: self.now,
            watched_since: Timestamp::MIN,
            subject: self.problem().map_or_else(|| Ok(self.subject()), Err),
            record: self.is_recorded.then(|| Arc::new(self.record.clone())),
            jobs: self.jobs.clone(),
            goes_first: self.goes_first.clone(),
            first_waits: None,
            runs: self.runs.clone(),
            claims: self.claims.clone(),
            quotas: self.quotas.clone(),
            service: self.service.clone(),
            new: self.new.clone(),
            foreign: None,
        }
    }

    /// One pass, as the controller makes it; each time with another operator, which knows only what there is.
    pub(crate) fn pass(&mut self) -> Step {
        let observed = self.seen();
        let step = next(&observed);
        let is_in_phase = self.restore.status.as_ref().and_then(|status| status.phase) == Some(step.phase);
        self.restore.status = Some(restore_status(&observed, &step));
        if self.phases.last() != Some(&step.phase) {
            self.phases.push(step.phase);
        }
        self.end_jobs();
        for change in step.changes.iter().filter(|_| is_in_phase) {
            self.carry_out(change);
            self.done.push((step.phase, change.clone()));
        }
        self.now += SignedDuration::from_mins(1);
        step
    }

    /// Passes until it has ended; `each` is done before each.
    pub(crate) fn run(&mut self, mut each: impl FnMut(&mut Self)) -> RestorePhase {
        for _ in 0..300 {
            each(self);
            self.pass();
            if self.phase() >= RestorePhase::Succeeded {
                return self.phase();
            }
        }
        panic!("it does not end: {:?} {:?}", self.phases, self.restore.status)
    }

    /// Until it is in this phase.
    pub(crate) fn run_to(&mut self, phase: RestorePhase) {
        for _ in 0..100 {
            if self.phase() == phase {
                return;
            }
            self.pass();
        }
        panic!("it never is {phase:?}: {:?}", self.restore.status)
    }

    pub(crate) fn carry_out(&mut self, change: &Change) {
        match (change.kind.as_str(), &change.action) {
            ("PersistentVolumeClaim", Action::Create(object)) if !self.refused.contains(&change.name) => {
                let mut live = object.clone();
                live["metadata"]["uid"] = json!(format!("new-{}", change.name));
                live["metadata"]["resourceVersion"] = json!("1");
                if !self.unbound.contains(&change.name) {
                    live["spec"]["volumeName"] = json!("v");
                    live["status"] = json!({"phase": "Bound"});
                }
                self.claims.push(of(live));
            }
            ("PersistentVolumeClaim", Action::Merge { patch, .. }) => {
                let at = self.claims.iter().position(|live| live.name() == change.name).unwrap();
                let mut value = Value::clone(&self.claims[at].value);
                value["metadata"]["annotations"] = patch["metadata"]["annotations"].clone();
                self.claims[at] = of(value);
            }
            ("PersistentVolumeClaim", Action::Discard { uid, .. }) => {
                let is_it = |live: &Arc<Live>| live.name() == change.name && live.metadata.uid.as_ref() == Some(uid);
                assert!(self.claims.iter().any(&is_it), "{change}");
                self.claims.retain(|live| !is_it(live));
            }
            ("ServiceData", Action::Create(object)) => {
                assert!(!self.is_recorded, "{change} twice");
                self.record.spec = serde_json::from_value(object["spec"].clone()).unwrap();
                self.is_recorded = true;
            }
            ("ServiceData", Action::Merge { patch, .. }) => {
                let mut spec = json!(self.record.spec);
                spec.as_object_mut().unwrap().extend(patch["spec"].as_object().unwrap().clone());
                self.record.spec = serde_json::from_value(spec).unwrap();
            }
            ("Secret", Action::Copy { from, .. }) => {
                let new = self.new.as_mut().unwrap();
                let source = &new.sources.as_ref().unwrap()[&from.as_ref().unwrap().name];
                let copy = Sealed { name: change.name.clone(), ..Sealed::clone(source) };
                new.secrets.as_mut().unwrap().insert(change.name.clone(), Arc::new(copy));
            }
            ("Job", Action::Create(object)) => {
                let owner = object["metadata"]["ownerReferences"][0]["uid"].as_str().unwrap();
                let job = job(&change.name, owner, JobState::Runs);
                assert!(self.jobs.insert(change.name.clone(), job).is_none(), "{change} twice");
            }
            ("Job", Action::Delete { .. }) => drop(self.jobs.remove(&change.name)),
            ("NetworkPolicy", Action::Apply { .. }) | ("PersistentVolumeClaim", Action::Create(_)) => {}
            _ => panic!("{change}"),
        }
    }

    /// What was begun a pass ago ends.
    pub(crate) fn end_jobs(&mut self) {
        for (name, job) in self.jobs.iter_mut().filter(|(_, job)| job.state == JobState::Runs) {
            job.state = self.ends.get(name).cloned().unwrap_or(JobState::Succeeded);
            let step = name.trim_start_matches("calendar-");
            let outcome = match step {
                "manifest" => Outcome::Manifest { manifest: Box::new(self.manifest.clone()) },
                compare if compare.starts_with("compare") => {
                    Outcome::Compared { differences: self.differences.clone() }
                }
                _ => Outcome::Done,
            };
            match &job.state {
                JobState::Succeeded => drop(job.said.insert(step.to_owned(), said(outcome))),
                JobState::Failed(words) if !words.is_empty() => {
                    let failed = Said { code: 1, at: None, report: None, words: words.clone() };
                    job.said.insert(step.to_owned(), failed);
                }
                // Its pod was taken away.
                _ => {}
            }
        }
    }

    /// Has each Job of this name take that long.
    pub(crate) fn last(&mut self, name: &str, long: SignedDuration) {
        if let Some(job) = self.jobs.get_mut(name).filter(|job| job.ended.is_none()) {
            self.now += long;
            job.ended = Some(self.now);
        }
    }

    /// The claims that the record names.
    pub(crate) fn recorded(&self) -> Vec<&str> {
        self.record.spec.volumes.iter().map(|volume| volume.claim.as_str()).collect()
    }

    /// The claims that there are.
    pub(crate) fn there(&self) -> Vec<&str> {
        self.claims.iter().map(|live| live.name()).collect()
    }

    /// Why it is not Ready.
    pub(crate) fn reason(&self) -> (String, String) {
        let conditions = &self.restore.status.as_ref().unwrap().conditions;
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
        (ready.reason.clone(), ready.message.clone())
    }
}

fn of(value: Value) -> Arc<Live> {
    Arc::new(Live::of("PersistentVolumeClaim", serde_json::from_value(value).unwrap()))
}

pub(crate) fn claim(name: &str, uid: &str) -> Arc<Live> {
    of(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name, "namespace": "coop", "uid": uid, "resourceVersion": "1",
            "labels": {marks::INSTANCE: "calendar", marks::INSTANCE_KIND: "DedicatedService"},
        },
        "spec": {"resources": {"requests": {"storage": "3Gi"}}, "volumeName": "v"},
        "status": {"phase": "Bound"},
    }))
}

pub(crate) fn job(name: &str, owner: &str, state: JobState) -> SeenJob {
    SeenJob {
        name: name.to_owned(),
        uid: format!("job-{name}"),
        owner: owner.to_owned(),
        state,
        said: BTreeMap::new(),
        is_being_deleted: false,
        ended: None,
    }
}

fn said(outcome: Outcome) -> Said {
    Said { code: 0, at: None, report: Some(Report::new(outcome)), words: String::new() }
}

pub(crate) fn run(name: &str, snapshot: &str, taken: &str) -> Arc<ServiceBackup> {
    let run = json!({
        "metadata": {"name": name, "namespace": "coop", "uid": name},
        "spec": {"service": "calendar", "requestedBy": "anna"},
        "status": {"phase": "Succeeded", "snapshot": snapshot, "takenAt": taken},
    });
    Arc::new(serde_json::from_value(run).unwrap())
}

fn manifest(versions: BackupVersions) -> Manifest {
    let part = |name: &str, kind, digit: &str| StoredPart {
        name: name.to_owned(),
        kind,
        snapshot: digit.repeat(64),
        bytes: 0,
        added: 0,
        files: 0,
    };
    let parts = vec![
        part("data", SnapshotPartKind::Files, "1"),
        part("dump", SnapshotPartKind::Dump, "2"),
        part("state", SnapshotPartKind::State, "3"),
    ];
    Manifest {
        version: MANIFEST_VERSION,
        run: "b-1".to_owned(),
        taken_at: "2026-11-30T01:00:00Z".parse().unwrap(),
        entity: ManifestEntity { name: "coop".into(), uid: "e1".into() },
        instance: ManifestInstance { name: "calendar".into(), kind: "DedicatedService".into(), uid: "u1".into() },
        versions,
        parts,
        imported: false,
        volumes: BTreeMap::new(),
    }
}
