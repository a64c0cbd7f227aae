use std::collections::BTreeMap;

use commonscloud_backup::report::{Failure, FailureReason, Report};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use test_case::test_case;

use super::super::consent::tests::consent;
use super::super::world::{SNAPSHOT, World, job, run};
use super::super::{may_restore, next, restore_status};
use super::*;
use crate::api::marks;
use crate::backup::Said;
use crate::compare::{Action, Change};

const COPY: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/// A restore into this Entity of a backup that another one has.
struct Asked {
    world: World,
    foreign: Foreign,
    done: Vec<Change>,
}

impl Asked {
    fn new() -> Self {
        let mut world = World::new();
        let spec = json!({
            "from": {"service": "calendar", "entity": "other", "snapshot": SNAPSHOT},
            "into": {"kind": "NewService", "service": "calendar"}, "requestedBy": "anna",
        });
        world.restore.spec = serde_json::from_value(spec).unwrap();
        let foreign = Foreign {
            entity: "other".to_owned(),
            home: "system".to_owned(),
            consents: vec![consent(|_| {})],
            since: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            run: Some(theirs(|_| {})),
            keys: vec!["backup-key-other-e2".to_owned()],
            ..Foreign::default()
        };
        Self { world, foreign, done: Vec::new() }
    }

    /// In the phase in which it copies.
    fn copying() -> Self {
        let mut asked = Self::new();
        let status = json!({
            "phase": "Copying", "snapshot": SNAPSHOT, "takenAt": "2026-11-30T01:00:00Z", "copyTarget": "offsite",
            "phaseSince": "2026-11-30T11:59:00Z",
        });
        asked.world.restore.status = Some(serde_json::from_value(status).unwrap());
        asked
    }

    fn seen(&self) -> ObservedRestore {
        let runs = self.foreign.run.iter().cloned().collect();
        ObservedRestore { foreign: Some(self.foreign.clone()), runs, ..self.world.seen() }
    }

    /// One pass, whose status and writes are carried out.
    fn pass(&mut self) -> Step {
        let observed = self.seen();
        let step = next(&observed);
        let is_in_phase = observed.status().and_then(|status| status.phase) == Some(step.phase);
        self.world.restore.status = Some(restore_status(&observed, &step));
        for change in step.changes.iter().filter(|_| is_in_phase) {
            match &change.action {
                Action::Create(_) => self.foreign.job = Some(job(&change.name, "", JobState::Runs)),
                Action::Delete { .. } => self.foreign.job = None,
                Action::Generate { .. } => self.world.key = KeyState::There,
                other => panic!("{other:?}"),
            }
            self.done.push(change.clone());
        }
        self.world.now += SignedDuration::from_mins(1);
        step
    }

    fn ends(&mut self, state: JobState, outcome: Option<Outcome>) {
        let now = self.world.now;
        let job = self.foreign.job.as_mut().unwrap();
        (job.state, job.ended) = (state, Some(now));
        let said = |outcome| Said { code: 0, at: Some(now), report: Some(Report::new(outcome)), words: String::new() };
        job.said = outcome.map(|outcome| ("copy".to_owned(), said(outcome))).into_iter().collect::<BTreeMap<_, _>>();
    }

    fn fails(&mut self, reason: FailureReason) {
        let outcome = Outcome::Failed(Failure::new(reason, "said"));
        self.ends(JobState::Failed(String::new()), Some(outcome));
    }
}

/// The other Entity's run.
fn theirs(change: impl FnOnce(&mut Value)) -> Arc<ServiceBackup> {
    let mut run = serde_json::to_value(&*run("monday", SNAPSHOT, "2026-11-30T01:00:00Z")).unwrap();
    run["metadata"]["namespace"] = json!("other");
    run["status"]["repository"] = json!({"target": "offsite", "path": "other-e2.calendar", "id": "d".repeat(64)});
    run["status"]["contents"] = json!([{
        "name": "data", "kind": "Files", "snapshot": "1".repeat(64), "bytes": 1000, "files": 1,
    }]);
    change(&mut run);
    Arc::new(serde_json::from_value(run).unwrap())
}

fn reason(step: &Step) -> &str {
    step.problem.as_ref().map(|problem| problem.reason.as_str()).unwrap_or_default()
}

#[test]
fn without_consent_it_waits_and_says_nothing_of_what_is_there() {
    for run in [Some(theirs(|_| {})), None] {
        let mut asked = Asked::new();
        asked.foreign.consents.clear();
        asked.foreign.run = run;
        let step = asked.pass();
        assert_eq!((step.phase, reason(&step)), (RestorePhase::Waiting, "ConsentMissing"));
        assert!(step.changes.is_empty());
    }
}

#[test]
fn nobody_consents_to_himself() {
    let mut asked = Asked::new();
    asked.foreign.entity = "coop".to_owned();
    let step = asked.pass();
    assert_eq!((step.phase, reason(&step)), (RestorePhase::Failed, "RestoreNotSupported"));
}

#[test]
fn a_backup_that_is_gone_or_was_given_up_is_not_copied() {
    let given_up = theirs(|run| {
        let gone = json!({"type": "SnapshotGone", "status": "True", "reason": "SnapshotGivenUp", "message": "",
            "lastTransitionTime": "2026-11-30T00:00:00Z"});
        run["status"]["conditions"] = json!([gone]);
    });
    for run in [None, Some(given_up), Some(theirs(|run| run["status"]["repository"] = Value::Null))] {
        let mut asked = Asked::new();
        asked.foreign.run = run;
        let step = asked.pass();
        assert_eq!((step.phase, reason(&step)), (RestorePhase::Failed, "SnapshotNotFound"));
    }
}

#[test]
fn with_a_consent_it_begins_to_copy_and_records_from_where() {
    let mut asked = Asked::new();
    assert_eq!(asked.pass().phase, RestorePhase::Copying);
    let status = asked.world.restore.status.clone().unwrap();
    assert_eq!((status.snapshot.as_deref(), status.copy_target.as_deref()), (Some(SNAPSHOT), Some("offsite")));
    assert!(status.copied_at.is_none() && status.progress.unwrap().contains("copied"), "it is told");
    assert!(asked.done.is_empty(), "the phase is recorded first");
}

#[test]
fn what_was_copied_is_of_the_entity_that_was_asked_and_lies_where_the_new_service_has_its_own() {
    let mut asked = Asked::copying();
    asked.world.restore.spec.from.service = "agenda".to_owned();
    let named = |(entity, instance): (&str, &str)| {
        let mut manifest = asked.world.manifest.clone();
        (manifest.entity.name, manifest.instance.name) = (entity.to_owned(), instance.to_owned());
        manifest
    };
    let observed = asked.seen();
    assert_eq!(observed.repository_of(), "calendar");
    let subject = observed.subject.clone().unwrap();
    assert_eq!(may_restore(&named(("other", "agenda")), &observed, &subject), Ok(()));
    for names in [("coop", "agenda"), ("third", "agenda"), ("other", "office")] {
        assert!(may_restore(&named(names), &observed, &subject).is_err(), "{names:?}");
    }
}

#[test]
fn it_is_copied_once_and_restored_from_the_copy() {
    let mut asked = Asked::copying();
    let begins = asked.pass();
    assert!(begins.waits.is_some() && asked.done.len() == 1, "{begins:?}");
    let [made] = &asked.done[..] else { panic!("{:?}", asked.done) };
    assert_eq!((made.kind.as_str(), made.namespace.as_str()), ("Job", "system"));
    assert_eq!(asked.pass().phase, RestorePhase::Copying);
    asked.ends(JobState::Succeeded, Some(Outcome::Copied { snapshot: COPY.to_owned() }));
    assert_eq!(asked.pass().phase, RestorePhase::Preparing);
    let status = asked.world.restore.status.clone().unwrap();
    assert_eq!((status.snapshot.as_deref(), status.copy_target.as_deref()), (Some(COPY), Some("offsite")));
    assert!(status.copied_at.is_some() && status.taken_at.is_some());
    assert!(!asked.seen().is_to_be_copied());
    // What the other Entity does from now on is its own business.
    (asked.foreign.consents, asked.foreign.run, asked.foreign.job) = (Vec::new(), None, None);
    assert_eq!(super::super::choose(&asked.seen()).unwrap().snapshot, COPY);
    assert_eq!(asked.done.len(), 1);
}

#[test_case(None; "as it was")]
#[test_case(Some(Problem::new(Reason::NotFound, "gone")); "though its service is gone")]
fn a_consent_that_is_taken_back_ends_the_copy_and_nothing_is_restored(problem: Option<Problem>) {
    let mut asked = Asked::copying();
    asked.pass();
    asked.foreign.consents.clear();
    asked.world.problem = problem;
    assert_eq!(asked.pass().phase, RestorePhase::Copying);
    assert!(asked.foreign.job.is_none(), "the Job goes first");
    let step = asked.pass();
    assert_eq!((step.phase, reason(&step)), (RestorePhase::Failed, "ConsentMissing"));
}

#[test_case(None; "as it was")]
#[test_case(Some(Problem::new(Reason::NotFound, "gone")); "though its service is gone")]
fn one_that_is_deleted_while_it_copies_is_held_until_its_job_has_ended(problem: Option<Problem>) {
    let mut asked = Asked::copying();
    let begins = asked.pass();
    assert!(begins.is_held && asked.foreign.job.is_some(), "{begins:?}");
    asked.world.restore.metadata.deletion_timestamp = Some(Time(asked.world.now));
    asked.world.problem = problem;
    let ends = asked.pass();
    assert_eq!((ends.phase, ends.is_held, asked.foreign.job.is_none()), (RestorePhase::Copying, true, true));
    let step = asked.pass();
    assert_eq!((step.phase, step.is_held, reason(&step)), (RestorePhase::Failed, false, "RestoreFailed"));
}

#[test]
fn a_copy_that_is_complete_is_known_whenever_its_restore_is_deleted() {
    for is_recorded in [false, true] {
        let mut asked = Asked::copying();
        asked.pass();
        asked.ends(JobState::Succeeded, Some(Outcome::Copied { snapshot: COPY.to_owned() }));
        if is_recorded {
            assert_eq!(asked.pass().phase, RestorePhase::Preparing);
        }
        asked.world.restore.metadata.deletion_timestamp = Some(Time(asked.world.now));
        while asked.world.phase() != RestorePhase::Failed {
            asked.pass();
        }
        let status = asked.world.restore.status.as_ref().unwrap();
        assert_eq!((status.snapshot.as_deref(), status.ended_at.is_some()), (Some(COPY), true), "{status:?}");
        assert!(asked.seen().has_copy());
    }
}

#[test]
fn a_pass_that_cannot_read_the_service_ends_no_copy_however_long_it_takes() {
    let mut asked = Asked::copying();
    asked.pass();
    asked.world.now += SignedDuration::from_hours(25);
    asked.world.problem = Some(Problem::new(Reason::TariffNotFound, "no tariff"));
    assert_eq!((asked.pass().phase, asked.foreign.job.is_some()), (RestorePhase::Copying, true));
    asked.world.now += SignedDuration::from_hours(25);
    assert_eq!((asked.pass().phase, asked.foreign.job.is_none()), (RestorePhase::Copying, true), "the Job goes first");
    let step = asked.pass();
    assert_eq!((step.phase, reason(&step)), (RestorePhase::Failed, "TariffNotFound"));
}

#[test]
fn a_copy_that_was_complete_before_the_consent_was_taken_back_is_used() {
    let mut asked = Asked::copying();
    asked.pass();
    asked.ends(JobState::Succeeded, Some(Outcome::Copied { snapshot: COPY.to_owned() }));
    asked.foreign.consents.clear();
    assert_eq!(asked.pass().phase, RestorePhase::Preparing);
}

#[test]
fn a_consent_that_runs_out_meanwhile_ends_nothing() {
    let mut asked = Asked::copying();
    asked.foreign.consents = vec![consent(|of| of["spec"]["until"] = json!("2026-11-30T11:59:30Z"))];
    asked.pass();
    assert_eq!((asked.pass().phase, asked.done.len()), (RestorePhase::Copying, 1));
}

#[test_case(FailureReason::Unreachable)]
#[test_case(FailureReason::Interrupted)]
#[test_case(FailureReason::Locked)]
fn what_passes_by_itself_is_tried_again_a_minute_later(failure: FailureReason) {
    let mut asked = Asked::copying();
    asked.pass();
    asked.fails(failure);
    let waits = asked.pass();
    assert!(waits.phase == RestorePhase::Copying && waits.changes.is_empty() && waits.problem.is_some(), "{waits:?}");
    asked.pass();
    assert!(asked.foreign.job.is_none());
    asked.pass();
    assert!(asked.foreign.job.is_some(), "begun again");
}

#[test_case(FailureReason::WrongKey)]
#[test_case(FailureReason::Damaged)]
#[test_case(FailureReason::RepositoryReplaced)]
#[test_case(FailureReason::TargetFull)]
fn what_does_not_is_told(failure: FailureReason) {
    let mut asked = Asked::copying();
    asked.pass();
    asked.fails(failure);
    let step = asked.pass();
    assert_eq!((step.phase, asked.done.len()), (RestorePhase::Failed, 1));
    assert!(step.problem.unwrap().message.contains("said"));
}

#[test]
fn a_pod_that_is_gone_is_asked_once_more_and_never_for_ever() {
    let mut asked = Asked::copying();
    asked.pass();
    asked.ends(JobState::Succeeded, None);
    asked.pass();
    assert!(asked.foreign.job.is_none());
    for _ in 0..3 {
        asked.world.now += SignedDuration::from_hours(10);
        asked.pass();
        if asked.foreign.job.is_some() {
            asked.ends(JobState::Failed(String::new()), None);
        }
    }
    assert_eq!(asked.pass().phase, RestorePhase::Failed);
}

#[test]
fn both_keys_are_there_before_anything_is_copied() {
    let mut asked = Asked::copying();
    asked.world.key = KeyState::Missing;
    let step = asked.pass();
    assert!(matches!(step.changes[..], [Change { action: Action::Generate { .. }, .. }]), "{step:?}");
    asked.foreign.keys.clear();
    let step = asked.pass();
    assert_eq!((step.phase, reason(&step)), (RestorePhase::Failed, "KeyWrong"));
    assert!(step.problem.unwrap().message.contains("backup-key-other-e2"));
}

#[test]
fn what_is_too_large_for_the_service_is_not_copied() {
    let large = theirs(|run| run["status"]["contents"][0]["bytes"] = json!(1_u64 << 40));
    let mut asked = Asked { foreign: Foreign { run: Some(large), ..Asked::new().foreign }, ..Asked::new() };
    let step = asked.pass();
    assert_eq!((step.phase, reason(&step)), (RestorePhase::Waiting, "NoRoom"));
    assert!(asked.done.is_empty());
}

#[test]
fn it_waits_for_whoever_is_at_work_at_either_repository() {
    let asked = Asked::new();
    let paths: Vec<String> = asked.seen().copy_places().into_iter().map(|at| at.path).collect();
    assert_eq!(paths, ["other-e2.calendar", "coop-e1.calendar"]);
    let mut copied = Asked::copying();
    copied.world.restore.status.as_mut().unwrap().copied_at =
        copied.world.restore.status.as_ref().unwrap().phase_since.clone();
    assert!(copied.seen().copy_places().is_empty());
}

#[test]
fn the_key_of_the_other_entity_goes_nowhere_but_to_the_namespace_of_the_operator() {
    let mut asked = Asked::copying();
    asked.pass();
    for change in &asked.done {
        let Action::Create(object) = &change.action else { panic!("{change}") };
        assert_eq!((change.namespace.as_str(), &object["metadata"]["namespace"]), ("system", &json!("system")));
        assert!(object["metadata"]["labels"][marks::MANAGED_BY] == marks::OPERATOR);
        assert!(object["metadata"]["ownerReferences"].is_null(), "no owner stands in another namespace");
    }
}
