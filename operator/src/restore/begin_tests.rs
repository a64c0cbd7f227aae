//! What keeps a restore from beginning, and what refuses it: nothing is touched by either.

use commonscloud_backup::manifest::{MANIFEST_VERSION, Manifest};
use serde_json::json;
use test_case::test_case;

use super::super::world::World;
use super::super::{ROOM, Step, next};
use super::*;
use crate::api::RestorePhase;
use crate::backup::KeyState;

fn first(edit: impl FnOnce(&mut World)) -> Step {
    let mut world = World::new();
    edit(&mut world);
    let step = next(&world.seen());
    assert!(step.changes.is_empty() && !step.is_held, "nothing is touched: {step:?}");
    step
}

#[test_case(json!({"from": {"service": "calendar", "entity": "other", "snapshot": "x"}}), "spec.from.entity"; "of another entity")]
#[test_case(json!({"into": {"kind": "Drill"}}), "spec.into.kind"; "a drill")]
#[test_case(json!({"from": {"service": "calendar", "snapshot": "x", "importedTo": "offsite"}, "into": {"kind": "NewService", "service": "other"}}), "spec.from.importedTo"; "what was imported, in another service")]
fn what_nobody_may_ask_for_is_refused(more: serde_json::Value, named: &str) {
    let step = first(|world| {
        let mut spec = json!(world.restore.spec);
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.restore.spec = serde_json::from_value(spec).unwrap();
    });
    let problem = step.problem.unwrap();
    assert_eq!((step.phase, problem.reason.as_str()), (RestorePhase::Failed, "RestoreNotSupported"));
    assert!(problem.message.contains(named), "{}", problem.message);
}

#[test]
fn whoever_comes_first_and_a_pause_are_waited_for() {
    let waits = |edit: &dyn Fn(&mut World)| {
        let step = first(edit);
        assert!(step.phase == RestorePhase::Waiting && step.again.is_some(), "{step:?}");
        assert!(step.learned.chosen.is_none(), "which one is newest is not known yet");
        let problem = step.problem.unwrap();
        (problem.reason, problem.message)
    };
    let (reason, message) = waits(&|world| world.goes_first = Some("ServiceBackup/monday".to_owned()));
    assert!(reason == "WaitsForTurn" && message.contains("ServiceBackup/monday"), "{message}");
    let (reason, message) = waits(&|world| world.service.is_paused = true);
    assert!(reason == "Paused" && message.contains("calendar"), "{message}");
    let missing = Problem::new(Reason::TargetNotFound, "no target");
    let (reason, _) = waits(&|world| world.problem = Some(missing.clone()));
    assert_eq!(reason, "TargetNotFound");
}

#[test]
fn without_room_nothing_begins_until_there_is_some() {
    let quota = |storage: Option<u64>, claims: Option<u64>| Room {
        quota: "small".to_owned(),
        storage: storage.map(|gib| Bytes::new(gib << 30)),
        claims,
    };
    let step =
        |room: Room| first(|world| world.quotas = vec![Room { storage: None, claims: None, ..room.clone() }, room]);
    for (room, left) in [(quota(Some(5), Some(9)), "5Gi of storage"), (quota(Some(99), Some(1)), "1 claims")] {
        let step = step(room);
        let problem = step.problem.unwrap();
        assert_eq!((step.phase, problem.reason.as_str()), (RestorePhase::Waiting, "NoRoom"));
        assert_eq!(step.again, Some(ROOM), "each look lists the quotas");
        assert!(problem.message.contains("small") && problem.message.contains(left), "{}", problem.message);
        assert_eq!(step.learned.volumes.unwrap().len(), 2, "the quota is made larger by what it says");
    }
    assert_eq!(step(quota(Some(6), Some(2))).phase, RestorePhase::Preparing);
    assert_eq!(step(quota(None, None)).phase, RestorePhase::Preparing);
}

#[test]
fn secrets_are_copied_before_the_first_job_and_a_key_that_is_gone_is_named() {
    let prepares = |key: KeyState| {
        let mut world = World::new();
        world.run_to(RestorePhase::Preparing);
        world.key = key;
        next(&world.seen())
    };
    let copy = Change {
        kind: "Secret".into(),
        namespace: "coop".into(),
        name: "backup-key-coop-e1".into(),
        action: Action::Copy { from: None, secret: json!({}), because: Vec::new() },
    };
    let step = prepares(KeyState::NotCopied(vec![copy.clone()]));
    assert_eq!(step.changes.first(), Some(&copy));
    assert!(step.changes.len() > 1 && step.phase == RestorePhase::Preparing, "{step:?}");
    let step = prepares(KeyState::Missing);
    assert!(step.phase == RestorePhase::Failed && step.problem.unwrap().message.contains("backup-key-coop-e1"));
    let step = prepares(KeyState::SecretMissing("offsite".into()));
    assert!(step.phase == RestorePhase::Preparing && step.problem.unwrap().message.contains("offsite"));
    assert!(prepares(KeyState::NotEscrowed(None)).problem.is_none(), "what is there can be read");
}

#[test_case(|of| of.version = MANIFEST_VERSION + 1, "newer release"; "a newer format")]
#[test_case(|of| of.entity.uid = "e2".into(), "e2"; "another entity of the same name")]
#[test_case(|of| of.instance.kind = "DedicatedOffice".into(), "DedicatedOffice"; "another kind")]
#[test_case(|of| of.instance.name = "other".into(), "coop/other"; "another service")]
#[test_case(|of| of.versions.template = "radicale".into(), "radicale"; "another template")]
#[test_case(|of| of.versions.application = "1.0".into(), "mediawiki 1.0"; "another version")]
#[test_case(|of| of.versions.revision = "mediawiki-old".into(), "mediawiki-old"; "another revision")]
#[test_case(|of| of.parts.retain(|part| part.name != "data"), "files of volume data"; "without files")]
#[test_case(|of| of.parts.retain(|part| part.name != "dump"), "no dump"; "without a dump")]
#[test_case(|of| of.parts.retain(|part| part.name != "state"), "no state"; "without a state")]
fn a_backup_that_does_not_fit_is_refused_before_anything_is_made(edit: fn(&mut Manifest), told: &str) {
    let mut world = World::new();
    edit(&mut world.manifest);
    assert_eq!(world.run(|_| {}), RestorePhase::Failed);
    assert_eq!(world.phases, [RestorePhase::Preparing, RestorePhase::Failed]);
    let (reason, message) = world.reason();
    assert!(reason == "VersionsDiffer" && message.contains(told), "{message}");
    assert!(world.done.iter().all(|(_, change)| change.name.contains("manifest")), "{:?}", world.done);
}

#[test]
fn what_was_imported_needs_no_run_and_no_state() {
    let mut world = World::new();
    world.runs.clear();
    world.restore.spec.from.snapshot = Some("b".repeat(64));
    assert_eq!(world.clone().run(|_| {}), RestorePhase::Failed, "no run recorded it");
    world.restore.spec.from.imported_to = Some("offsite".to_owned());
    world.manifest.parts.retain(|part| part.name != "state");
    assert_eq!(world.clone().run(|_| {}), RestorePhase::Failed, "a backup has a state");
    world.manifest.imported = true;
    assert_eq!(world.run(|_| {}), RestorePhase::Succeeded);
    assert_eq!(world.restore.status.unwrap().snapshot, Some("b".repeat(64)));
    let mut nameless = World::new();
    nameless.restore.spec.from.imported_to = Some("offsite".to_owned());
    assert_eq!(nameless.run(|_| {}), RestorePhase::Failed);
    assert_eq!(nameless.reason().0, "SnapshotNotFound");
}

#[test]
fn data_of_another_version_by_the_time_files_are_written_is_not_replaced() {
    let mut world = World::new();
    world.run_to(RestorePhase::Files);
    world.jobs.remove("calendar-manifest");
    world.manifest.versions.application = "9.9".to_owned();
    assert_eq!(world.run(|_| {}), RestorePhase::Failed);
    assert!(!world.phases.contains(&RestorePhase::Switching), "{:?}", world.phases);
    assert_eq!(world.there(), ["calendar-data", "calendar-db"]);
}
