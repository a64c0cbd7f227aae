//! A drill from its beginning to its end, and what is left of one that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use commonscloud_backup::report::{Failure, FailureReason, Outcome, Report};
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::api::{DrillRule, RestorePhase as At, ServiceRestore};
use crate::backup::{JobState, Said, Subject};
use crate::cache::{Live, Sealed};
use crate::compare::{Action, compare_objects};
use crate::drill::{Remains, copies, objects, owned, scratch};
use crate::restore::world::{SNAPSHOT, World};
use crate::restore::{Room, restore_status};

/// What there is of a wiki that is drilled: the wiki itself is what the [`World`] has at its beginning.
struct Drill {
    world: World,
    service_claims: Vec<Arc<Live>>,
    rule: DrillRule,
    objects: BTreeMap<(String, String), Arc<Live>>,
    secrets: BTreeSet<String>,
    others: Remains,
    evidence: Remains,
    closed: Option<Problem>,
    done: Vec<(At, Change)>,
}

impl Drill {
    fn new() -> Self {
        let mut world = World::new();
        let service_claims = std::mem::take(&mut world.claims);
        world.restore = serde_json::from_value(json!({
            "metadata": {
                "name": "coop.calendar-20261130-1200", "namespace": marks::DRILLS, "uid": "d-1", "generation": 1,
                "creationTimestamp": "2026-11-30T12:00:00Z",
            },
            "spec": {
                "from": {"entity": "coop", "service": "calendar", "snapshot": SNAPSHOT}, "into": {"kind": "Drill"},
                "requestedBy": "operator",
            },
        }))
        .unwrap();
        Self {
            world,
            service_claims,
            rule: DrillRule::default(),
            objects: BTreeMap::new(),
            secrets: BTreeSet::new(),
            others: Remains::default(),
            evidence: Remains::default(),
            closed: None,
            done: Vec::new(),
        }
    }

    fn drill(&self) -> &ServiceRestore {
        &self.world.restore
    }

    fn subject(&self) -> Subject {
        let own = self.world.subject();
        let plan = scratch(&own.plan, own.plan.stage.clone(), &self.rule, &self.service_claims).unwrap();
        Subject { objects: objects(&plan, self.drill()).unwrap(), plan, ..own }
    }

    fn seen(&self) -> ObservedDrill {
        let subject = self.subject();
        let live = |kind: &str, name: &str| self.objects.get(&(kind.to_owned(), name.to_owned())).cloned();
        let own: BTreeSet<String> = subject.plan.secrets.iter().map(|secret| secret.secret.clone()).collect();
        let jobs = self.world.jobs.values().map(|job| {
            let job = json!({"metadata": {"name": job.name, "namespace": marks::DRILLS, "uid": job.uid}});
            Arc::new(Live::of("Job", serde_json::from_value(job).unwrap()))
        });
        let there: Vec<Arc<Live>> = self.objects.values().chain(&self.world.claims).cloned().chain(jobs).collect();
        let sealed = |name: &String| Arc::new(Sealed { name: name.clone(), uid: "s".into(), ..Sealed::default() });
        let secrets: Vec<Arc<Sealed>> = self.secrets.iter().map(sealed).collect();
        let mut restore = self.world.seen();
        let writes = compare_objects(&subject.objects, live, &[]);
        let copies = copies(&subject.plan, &subject.objects, "coop", &own, &self.secrets);
        restore.subject = Ok(subject);
        ObservedDrill {
            rule: self.rule.clone(),
            closed: self.closed.clone(),
            exceptions: None,
            copies,
            objects: Ok(writes.unwrap()),
            others: self.others.clone(),
            evidence: self.evidence.clone(),
            own: Remains::of(&there, &secrets, []),
            restore,
        }
    }

    /// One pass, each time of another operator.
    fn pass(&mut self) -> Step {
        let observed = self.seen();
        let step = next(&observed);
        let is_in_phase = self.drill().status.as_ref().and_then(|status| status.phase) == Some(step.phase);
        self.world.restore.status = Some(restore_status(&observed.restore, &step));
        if self.world.phases.last() != Some(&step.phase) {
            self.world.phases.push(step.phase);
        }
        self.world.end_jobs();
        for change in step.changes.iter().filter(|_| is_in_phase) {
            self.carry_out(change);
            self.done.push((step.phase, change.clone()));
        }
        self.world.now += SignedDuration::from_mins(1);
        step
    }

    fn carry_out(&mut self, change: &Change) {
        let key = (change.kind.clone(), change.name.clone());
        match (change.kind.as_str(), &change.action) {
            ("PersistentVolumeClaim", Action::Delete { .. }) => {
                self.world.claims.retain(|live| live.name() != change.name);
            }
            ("PersistentVolumeClaim" | "Job", _) => self.world.carry_out(change),
            ("Secret", Action::Copy { .. }) => {
                self.secrets.insert(change.name.clone());
            }
            ("Secret", Action::Delete { .. }) => {
                self.secrets.remove(&change.name);
            }
            (kind, Action::Apply { object, .. }) => {
                let mut object = object.clone();
                object["metadata"]["uid"] = json!(change.name);
                let live = Arc::new(Live::of(kind, serde_json::from_value(object).unwrap()));
                self.objects.insert(key, live);
            }
            (_, Action::Delete { .. }) => drop(self.objects.remove(&key)),
            _ => panic!("{change}"),
        }
    }

    fn run(&mut self) -> At {
        for _ in 0..300 {
            self.pass();
            if self.world.phase() >= At::Succeeded {
                return self.world.phase();
            }
        }
        panic!("it does not end: {:?} {:?}", self.world.phases, self.drill().status)
    }

    fn run_to(&mut self, phase: At) {
        for _ in 0..100 {
            if self.world.phase() == phase {
                return;
            }
            self.pass();
        }
        panic!("it never is {phase:?}: {:?}", self.drill().status)
    }

    fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.secrets.is_empty() && self.world.claims.is_empty() && self.world.jobs.is_empty()
    }
}

#[test]
fn a_backup_is_restored_compared_and_started_and_nothing_stays() {
    let mut drill = Drill::new();
    let record = drill.world.record.clone();
    assert_eq!(drill.run(), At::Succeeded);
    let way = [
        At::Preparing,
        At::Files,
        At::Switching,
        At::Loading,
        At::Verifying,
        At::Starting,
        At::Removing,
        At::Succeeded,
    ];
    assert_eq!(drill.world.phases, way);
    assert!(drill.is_empty(), "{:?}", drill.objects.keys());
    assert_eq!(drill.world.record, record);
    let elsewhere = drill.done.iter().filter(|(_, change)| change.namespace != marks::DRILLS);
    assert_eq!(elsewhere.count(), 0, "{:?}", drill.done);
    assert!(!drill.done.iter().any(|(_, change)| ["Ingress", "CronJob"].contains(&change.kind.as_str())));
    let (_, ready) = drill.world.reason();
    assert!(ready.contains("was restored, found equal and started"), "{ready}");
    assert_eq!(drill.drill().status.as_ref().unwrap().stopped_at, None, "the service was not touched");
}

/// After the loss of the cluster the record says that the data is there once a restore of the service itself brought it.
#[test]
fn what_was_lost_is_not_back_because_it_was_drilled() {
    let mut drill = Drill::new();
    drill.world.record.spec.restoring = Some("all is lost".to_owned());
    assert_eq!(drill.run(), At::Succeeded);
    assert!(drill.done.iter().all(|(_, change)| change.kind != "ServiceData"), "{:?}", drill.done);
}

#[test]
fn what_it_makes_goes_with_it_and_is_no_data_that_is_kept() {
    let mut drill = Drill::new();
    drill.run();
    let claims = drill.done.iter().filter_map(|(_, change)| match &change.action {
        Action::Create(claim) if change.kind == "PersistentVolumeClaim" => Some(claim),
        _ => None,
    });
    let claims: Vec<&Value> = claims.collect();
    assert_eq!(claims.len(), 2, "{claims:?}");
    for claim in claims {
        assert_eq!(claim["metadata"]["labels"][marks::DATA], Value::Null);
        assert_eq!(claim["metadata"]["ownerReferences"][0]["uid"], "d-1");
    }
    let owner = |change: &Change| match &change.action {
        Action::Create(object) | Action::Apply { object, .. } => Some(object.clone()),
        Action::Copy { secret, .. } => Some(secret.clone()),
        _ => None,
    };
    for made in drill.done.iter().filter_map(|(_, change)| owner(change)) {
        assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "d-1", "{made}");
    }
}

#[test]
fn one_that_differs_fails_and_leaves_all_of_it_to_be_looked_at() {
    let mut drill = Drill::new();
    drill.world.differences = vec!["table page: 3 rows, not 4".to_owned()];
    assert_eq!(drill.run(), At::Failed);
    assert!(!drill.world.phases.contains(&At::Returning) && !drill.world.phases.contains(&At::Starting));
    let (reason, message) = drill.world.reason();
    assert_eq!(reason, "RestoreDiffers");
    assert!(message.contains("table page"), "{message}");
    assert_eq!(drill.world.claims.len(), 2);
    assert!(drill.objects.keys().any(|(kind, _)| kind == "StatefulSet" || kind == "Deployment"));
    assert!(drill.pass().changes.is_empty(), "it has ended");
}

#[test]
fn a_job_that_fails_fails_the_drill() {
    for (job, phase) in [("calendar-restore", At::Files), ("calendar-load", At::Loading)] {
        let mut drill = Drill::new();
        drill.world.ends.insert(job.to_owned(), JobState::Failed("it ended".to_owned()));
        assert_eq!(drill.run(), At::Failed);
        assert!(drill.world.phases.contains(&phase), "{:?}", drill.world.phases);
        assert_eq!(drill.world.claims.len(), 2, "evidence");
    }
}

#[test]
fn nothing_begins_beside_what_another_one_left() {
    let mut drill = Drill::new();
    let live = json!({"metadata": {"name": "wiki-db", "namespace": marks::DRILLS, "uid": "w-1"}});
    let live = Arc::new(Live::of("StatefulSet", serde_json::from_value(live).unwrap()));
    drill.others = Remains::of([&live], [], ["wiki-db-0".to_owned()]);
    drill.pass();
    let step = drill.pass();
    assert_eq!((step.phase, step.changes.len()), (At::Waiting, 1));
    assert_eq!(step.changes[0].action, Action::Delete { uid: "w-1".to_owned() });
    assert!(step.problem.unwrap().message.contains("Pod wiki-db-0"));
    drill.others = Remains::of([], [], ["wiki-db-0".to_owned()]);
    assert_eq!(drill.pass().phase, At::Waiting, "its pod still has the volume");
    drill.others = Remains::default();
    assert_eq!(drill.pass().phase, At::Preparing);
}

#[test]
fn what_a_failed_one_left_stays_beside_another_until_its_room_is_needed() {
    let mut drill = Drill::new();
    let live = json!({"metadata": {"name": "wiki-db", "namespace": marks::DRILLS, "uid": "w-1"}});
    let live = Arc::new(Live::of("PersistentVolumeClaim", serde_json::from_value(live).unwrap()));
    drill.evidence = Remains::of([&live], [], []);
    drill.world.quotas = vec![Room { quota: "drills".into(), storage: Some(crate::core::Bytes::new(1)), claims: None }];
    drill.pass();
    let step = drill.pass();
    assert_eq!((step.phase, step.changes.len()), (At::Waiting, 1));
    assert_eq!(step.changes[0].action, Action::Delete { uid: "w-1".to_owned() });
    assert!(step.problem.as_ref().is_some_and(|problem| problem.is(Reason::WaitsForTurn)), "{:?}", step.problem);
    assert!(step.problem.unwrap().message.contains("PersistentVolumeClaim wiki-db"));
    drill.world.quotas.clear();
    assert_eq!(drill.run(), At::Succeeded);
    let is_evidence = |(_, change): &(At, Change)| change.name == "wiki-db";
    assert_eq!(drill.done.iter().filter(|done| is_evidence(done)).count(), 1, "only while there was no room");
}

#[test]
fn without_room_or_a_namespace_nothing_begins_and_it_says_so() {
    let mut drill = Drill::new();
    let missing = Problem::new(Reason::DrillNamespaceMissing, "not there");
    drill.closed = Some(missing.clone());
    drill.pass();
    assert_eq!(drill.pass().problem, Some(missing));
    drill.closed = None;
    drill.world.quotas = vec![Room { quota: "drills".into(), storage: Some(crate::core::Bytes::new(1)), claims: None }];
    let step = drill.pass();
    assert_eq!(step.phase, At::Waiting);
    assert!(step.problem.as_ref().is_some_and(|problem| problem.is(Reason::NoRoom)), "{:?}", step.problem);
    assert!(step.problem.unwrap().message.contains("drills.quota"));
}

#[test]
fn a_lock_of_somebody_else_passes() {
    let mut drill = Drill::new();
    drill.run_to(At::Preparing);
    drill.pass();
    drill.pass();
    let job = drill.world.jobs.get_mut("calendar-manifest").unwrap();
    let failure = Failure { reason: FailureReason::Locked, message: "locked".to_owned() };
    let report = Some(Report::new(Outcome::Failed(failure)));
    job.state = JobState::Failed(String::new());
    job.said = [("manifest".to_owned(), Said { code: 1, at: None, report, words: String::new() })].into();
    let step = drill.pass();
    assert_eq!((step.phase, step.changes.len()), (At::Preparing, 1), "{:?}", step.problem);
    assert_eq!(drill.run(), At::Succeeded);
}

#[test]
fn one_that_takes_too_long_fails_where_it_is() {
    let mut drill = Drill::new();
    drill.run_to(At::Starting);
    drill.world.service.is_running = false;
    drill.world.now += SignedDuration::from_mins(241);
    let mut away = drill.seen();
    away.restore.watched_since = drill.world.now;
    assert_eq!(next(&away).phase, At::Starting, "no operator was there to see it run");
    assert_eq!(drill.run(), At::Failed);
    let (reason, message) = drill.world.reason();
    assert!(reason == "RestoreFailed" && message.contains("spec.backup.drills.timeoutMinutes"), "{message}");
    assert!(!drill.is_empty(), "evidence");
}

#[test]
fn a_write_of_a_job_is_left_as_it_is() {
    let job = Change {
        kind: "Job".into(),
        namespace: marks::DRILLS.into(),
        name: "calendar-load".into(),
        action: Action::Create(json!({"metadata": {"labels": {marks::DATA: "x"}}})),
    };
    assert_eq!(owned(job.clone(), Drill::new().drill()), job);
}
