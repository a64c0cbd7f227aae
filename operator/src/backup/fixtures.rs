//! A service that is backed up, and a cluster that does what a run asks for.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use commonscloud_backup::report::{Failure, FailureReason, Outcome, Report, StoredPart};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::copy::Copying;
use super::*;
use crate::api::{BackupRepository, DedicatedService, ServiceBackup, ServiceTemplate, SnapshotPartKind};
use crate::compare::Action;
use crate::resolve::fixtures::{facts, read};
use crate::resolve::{Instance, resolve};
use crate::template::{Package, render};

const WIKI: &str = include_str!("../../../examples/templates/mediawiki.yaml");
const CALENDAR: &str = include_str!("../../../examples/templates/radicale.yaml");
/// The id of another Entity's snapshot.
const OTHERS: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// The run's uid.
pub(crate) const RUN: &str = "b0a1";

fn start() -> Timestamp {
    "2026-12-01T02:00:00Z".parse().unwrap()
}

static OF_WIKI: LazyLock<Subject> = LazyLock::new(|| of_template(WIKI));

/// A wiki, and all that a run of it needs.
pub(crate) fn subject() -> Subject {
    OF_WIKI.clone()
}

/// The backup of another Entity's service, where it is.
pub(crate) fn others_place() -> BackupRepository {
    let path = "other-e2e2e2e2.calendar".to_owned();
    BackupRepository { target: "here".to_owned(), path, id: "f".repeat(64) }
}

/// What begins to copy it to where that of this service is, for ServiceRestore `coop/back` with uid `r-1`.
pub(crate) fn copy_begun(subject: &Subject) -> Change {
    let copying = Copying {
        subject,
        from: &others_place(),
        snapshot: OTHERS,
        expected: None,
        uid: "r-1",
        restore: "coop/back".to_owned(),
    };
    copying.begin().unwrap()
}

fn of_template(template: &str) -> Subject {
    let template: ServiceTemplate = read(template);
    let name = template.metadata.name.clone().unwrap();
    let package = Arc::new(Package::compile(&name, &template.spec).unwrap());
    let mut facts = facts();
    facts.newest_revision = Some(package.revision_name());
    facts.packages = [(package.revision_name(), Ok(package.clone()))].into();
    let service: DedicatedService = read(&format!(
        "apiVersion: commonscloud.coop/v1alpha1\nkind: DedicatedService\nmetadata: {{name: wiki, namespace: coop, uid: u1, generation: 1, creationTimestamp: '2026-01-02T00:00:00Z'}}\nspec: {{template: {name}, tier: 1gb}}"
    ));
    let plan = resolve(&Instance::of(&service), &facts).unwrap().plan;
    let objects = render(&plan).unwrap().objects;
    let backup: crate::api::PlatformBackup = serde_json::from_value(json!({
        "targets": [{"name": "here", "rest": {"url": "https://backup.example.org", "secretName": "add"}}],
        "recipients": ["age1b", "age1a"],
    }))
    .unwrap();
    let arrived = crate::api::ServiceDataSpec {
        version: Some(plan.version.clone()),
        revision: Some(plan.revision.clone()),
        ..crate::api::ServiceDataSpec::default()
    };
    Subject {
        objects,
        operations: package,
        record: Arc::new(crate::api::ServiceData::new("wiki", arrived)),
        entity: facts.entity.clone().unwrap(),
        is_running: true,
        on_nodes: plan.resources.keys().cloned().collect(),
        target: backup.targets[0].clone(),
        backup,
        folder: "coop-e1".to_owned(),
        key: KeyState::There,
        own: Own {
            namespace: "commonscloud".to_owned(),
            backup_image: "docker.io/local/backup:1".to_owned(),
            backup_server_image: "docker.io/restic/rest-server:1".to_owned(),
            release: "0.1.0".to_owned(),
        },
        plan,
    }
}

/// What becomes of a Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Succeeds,
    /// Its operation, or restic, ends with an error.
    Fails,
    /// Its pod is lost: it says nothing.
    IsLost,
    /// Somebody deletes it.
    Vanishes,
    /// The run is deleted while it is at work.
    RunIsDeleted,
    /// The service is deleted while it is at work.
    ServiceIsDeleted,
    /// The service cannot be read for a while.
    SubjectIsLost,
}

impl Fate {
    pub(crate) const ALL: [Self; 7] = [
        Self::Succeeds,
        Self::Fails,
        Self::IsLost,
        Self::Vanishes,
        Self::RunIsDeleted,
        Self::ServiceIsDeleted,
        Self::SubjectIsLost,
    ];
}

/// A run, and the cluster around it.
pub(crate) struct World {
    pub(crate) observed: ObservedRun,
    /// The Jobs that were begun, in order.
    pub(crate) begun: Vec<String>,
    /// The phases that it was in, in order.
    pub(crate) phases: Vec<BackupPhase>,
    /// Whether quiesce was begun, and no unquiesce has succeeded since.
    pub(crate) is_quiet: bool,
    uids: u32,
}

impl World {
    pub(crate) fn wiki() -> Self {
        Self::of(subject())
    }

    pub(crate) fn calendar() -> Self {
        Self::of(of_template(CALENDAR))
    }

    fn of(subject: Subject) -> Self {
        let run: ServiceBackup = read(&format!(
            "apiVersion: commonscloud.coop/v1alpha1\nkind: ServiceBackup\nmetadata: {{name: wiki-1, namespace: coop, uid: {RUN}, generation: 1}}\nspec: {{service: wiki, requestedBy: anna}}"
        ));
        let observed = ObservedRun {
            run: Arc::new(run),
            now: start(),
            subject: Ok(subject),
            service: Standing::There,
            jobs: BTreeMap::new(),
            goes_first: None,
            cared_for: None,
            former: None,
            idle_since: None,
        };
        Self { observed, begun: Vec::new(), phases: Vec::new(), is_quiet: false, uids: 0 }
    }

    pub(crate) fn subject(&mut self) -> &mut Subject {
        self.observed.subject.as_mut().unwrap()
    }

    pub(crate) fn run(&mut self) -> &mut ServiceBackup {
        Arc::make_mut(&mut self.observed.run)
    }

    pub(crate) fn status(&self) -> crate::api::ServiceBackupStatus {
        self.observed.run.status.clone().unwrap_or_default()
    }

    pub(crate) fn phase(&self) -> BackupPhase {
        self.status().phase.unwrap_or(BackupPhase::Waiting)
    }

    pub(crate) fn job(&mut self, name: &str) -> &mut SeenJob {
        self.observed.jobs.get_mut(name).unwrap_or_else(|| panic!("no Job {name}"))
    }

    pub(crate) fn after(&mut self, seconds: i64) {
        self.observed.now += SignedDuration::from_secs(seconds);
    }

    /// One pass, as the controller makes it: the status, the finalizer, then the writes of a phase that was recorded.
    pub(crate) fn pass(&mut self) -> Step {
        let step = next(&self.observed);
        assert!(step.is_held || !self.is_quiet, "let go while it is quiet: {step:?} of {:?}", self.observed.jobs);
        let read = self.observed.run.status.as_ref().and_then(|status| status.phase);
        let status = backup_status(&self.observed, &step);
        if self.phases.last() != status.phase.as_ref() {
            self.phases.extend(status.phase);
        }
        self.run().status = Some(status);
        self.run().metadata.finalizers = step.is_held.then(|| vec![UNQUIESCE.to_owned()]);
        if read == Some(step.phase) {
            step.changes.iter().for_each(|change| self.write(change));
        }
        self.after(1);
        step
    }

    fn write(&mut self, change: &Change) {
        match &change.action {
            Action::Create(job) if change.namespace == "coop" => {
                assert_eq!(change.kind, "Job");
                self.begin(&change.name, job);
            }
            Action::Delete { uid } => self.observed.jobs.retain(|_, job| job.uid != *uid),
            Action::Apply { .. } => assert_eq!(change.kind, "NetworkPolicy"),
            other => panic!("{change}: {other:?}"),
        }
    }

    /// The API server makes none over one that is there.
    fn begin(&mut self, name: &str, job: &Value) {
        if self.observed.jobs.contains_key(name) {
            return;
        }
        self.begun.push(name.to_owned());
        self.is_quiet |= name == "wiki-quiesce";
        let owner = job["metadata"]["ownerReferences"][0]["uid"].as_str().unwrap().to_owned();
        self.seen(name, &owner, JobState::Runs);
    }

    /// A Job that is there.
    pub(crate) fn seen(&mut self, name: &str, owner: &str, state: JobState) {
        self.uids += 1;
        let ended = (state != JobState::Runs).then_some(self.observed.now);
        let job = SeenJob {
            name: name.to_owned(),
            uid: format!("j-{}", self.uids),
            owner: owner.to_owned(),
            state,
            said: BTreeMap::new(),
            is_being_deleted: false,
            ended,
        };
        self.observed.jobs.insert(name.to_owned(), job);
    }

    /// A Job comes to its end.
    pub(crate) fn end(&mut self, name: &str, fate: Fate) {
        let now = self.observed.now;
        let is_second = self.phase() >= BackupPhase::SecondPass;
        match fate {
            Fate::Succeeds => {
                let said = told(name, is_second, now);
                let job = self.job(name);
                (job.state, job.said, job.ended) = (JobState::Succeeded, said, Some(now));
                self.is_quiet &= name != "wiki-unquiesce";
            }
            Fate::Fails => self.fails(name, "files", Some(FailureReason::Unreachable)),
            Fate::IsLost => {
                let job = self.job(name);
                (job.state, job.ended) = (JobState::Failed("the pod is lost".to_owned()), Some(now));
            }
            Fate::Vanishes => drop(self.observed.jobs.remove(name)),
            Fate::RunIsDeleted => self.run().metadata.deletion_timestamp = Some(Time(now)),
            Fate::ServiceIsDeleted => self.observed.service = Standing::BeingDeleted,
            Fate::SubjectIsLost => {
                self.observed.subject = Err(Problem::new(crate::api::Reason::PlatformNotFound, "gone"));
            }
        }
    }

    /// A container reports a failure, or says nothing but two words.
    pub(crate) fn fails(&mut self, name: &str, container: &str, reason: Option<FailureReason>) {
        let now = self.observed.now;
        let report = reason.map(|reason| Report::new(Outcome::Failed(Failure::new(reason, "no route"))));
        let words = if report.is_none() { "no route".to_owned() } else { String::new() };
        let job = self.job(name);
        job.said.insert(container.to_owned(), Said { code: 1, at: Some(now), report, words });
        (job.state, job.ended) = (JobState::Failed("BackoffLimitExceeded".to_owned()), Some(now));
    }

    /// Passes, and each Job succeeds in the order in which they were begun, until a phase is reached.
    pub(crate) fn until(&mut self, phase: BackupPhase) {
        for _ in 0..100 {
            if self.phase() == phase {
                return;
            }
            self.pass();
            if self.phase() != phase {
                self.all_end();
            }
        }
        panic!("{phase:?} is not reached, but {:?}: {:?}", self.phases, self.status().conditions);
    }

    pub(crate) fn all_end(&mut self) {
        let running = self.observed.jobs.values().filter(|job| job.state == JobState::Runs);
        let running: Vec<String> = running.map(|job| job.name.clone()).collect();
        for name in &running {
            self.end(name, Fate::Succeeds);
        }
    }
}

/// What the containers of a Job say that succeeds.
fn told(name: &str, is_second: bool, at: Timestamp) -> BTreeMap<String, Said> {
    let part = |name: &str, kind, sign: char| StoredPart {
        name: name.to_owned(),
        kind,
        snapshot: sign.to_string().repeat(64),
        bytes: 1000,
        added: 100,
        files: 10,
    };
    let stored = |parts: Vec<StoredPart>| Some(Outcome::Stored { parts });
    let files = vec![part("data", SnapshotPartKind::Files, if is_second { '2' } else { '1' })];
    let streams = vec![part("dump", SnapshotPartKind::Dump, '3'), part("state", SnapshotPartKind::State, '4')];
    let outcomes = match name.trim_start_matches("wiki-") {
        "prepare" => {
            vec![("prepare", Some(Outcome::Prepared { repository: "0f".repeat(32), restic: "0.18.1".to_owned() }))]
        }
        "files" => vec![("files", stored(files))],
        "stream" => vec![
            ("stream", stored(streams)),
            ("secrets", stored(vec![part("secrets", SnapshotPartKind::Secrets, '5')])),
            ("quiet", Some(Outcome::Done)),
            ("dump", None),
        ],
        "record" => vec![("record", Some(Outcome::Recorded { snapshot: "6".repeat(64) }))],
        "exit" => {
            let (snapshot, sha256) = ("7".repeat(64), "8".repeat(64));
            vec![("exit", Some(Outcome::Packed { snapshot, bytes: 5000, sha256 }))]
        }
        operation => vec![(operation, None)],
    };
    let said = outcomes.into_iter().map(|(container, outcome)| {
        let report = outcome.map(Report::new);
        (container.to_owned(), Said { code: 0, at: Some(at), report, words: String::new() })
    });
    said.collect()
}
