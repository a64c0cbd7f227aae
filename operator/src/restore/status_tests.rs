//! The status of a restore, phase by phase.

use k8s_openapi::jiff::SignedDuration;
use test_case::test_case;

use super::*;
use crate::api::Condition;
use crate::restore::world::World;
use crate::restore::{PATIENCE, next};

fn ready(status: &ServiceRestoreStatus) -> &Condition {
    status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap()
}

#[test_case(RestorePhase::Preparing, "1 of 7: "; "first")]
#[test_case(RestorePhase::Verifying, "5 of 7: "; "in the middle")]
#[test_case(RestorePhase::Removing, "7 of 7: "; "last")]
fn people_read_how_far_it_is(phase: RestorePhase, begins: &str) {
    let mut world = World::new();
    world.run_to(phase);
    let status = world.restore.status.unwrap();
    assert!(status.progress.as_ref().unwrap().starts_with(begins), "{:?}", status.progress);
    assert_eq!((ready(&status).status.as_str(), ready(&status).reason.as_str()), ("False", "Restoring"));
    assert_eq!(Some(&ready(&status).message), status.progress.as_ref());
    assert!(status.ended_at.is_none());
}

#[test]
fn what_it_waits_for_is_told() {
    let mut world = World::new();
    world.run_to(RestorePhase::Switching);
    world.service.pods_left = vec!["calendar-app-0".to_owned()];
    world.pass();
    let progress = world.restore.status.unwrap().progress.unwrap();
    assert!(progress.ends_with("; waits for the end of calendar-app-0"), "{progress}");
}

#[test]
fn why_it_returns_is_told_until_it_has_ended_whatever_it_waits_for() {
    let mut world = World::new();
    world.differences = vec!["a row".to_owned()];
    world.run_to(RestorePhase::Returning);
    let first = ready(world.restore.status.as_ref().unwrap()).clone();
    assert_eq!(first.reason, "RestoreDiffers");
    world.service.is_applied = false;
    for _ in 0..3 {
        world.pass();
        let status = world.restore.status.as_ref().unwrap();
        assert_eq!((&ready(status).reason, &ready(status).message), (&first.reason, &first.message));
    }
    assert!(world.restore.status.as_ref().unwrap().progress.as_ref().unwrap().starts_with("back: "));
    world.service.is_applied = true;
    world.run(|_| {});
    let status = world.restore.status.as_ref().unwrap();
    assert_eq!((&ready(status).reason, &ready(status).message), (&first.reason, &first.message));
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled").unwrap();
    assert_eq!(stalled.status, "True");
}

#[test]
fn it_was_down_from_its_stop_until_it_is_ready_again() {
    let mut world = World::new();
    world.run_to(RestorePhase::Switching);
    let stopped = world.restore.status.as_ref().unwrap().stopped_at.clone().unwrap();
    world.run_to(RestorePhase::Removing);
    let status = world.restore.status.clone().unwrap();
    let since = status.phase_since.clone().unwrap();
    assert_eq!(status.down_seconds, Some(since.0.duration_since(stopped.0).as_secs()));
    world.run(|_| {});
    let ended = world.restore.status.unwrap();
    assert_eq!((ended.down_seconds, &ended.stopped_at), (status.down_seconds, &Some(stopped)));
    assert_eq!(ready(&ended).status, "True");
    assert!(ready(&ended).message.contains("2026-11-30T01:00:00Z") && ended.progress.is_none(), "{ended:?}");
}

#[test]
fn one_that_fails_before_it_stopped_anything_was_never_down() {
    let mut world = World::new();
    world.manifest.parts.clear();
    world.run(|_| {});
    let status = world.restore.status.unwrap();
    assert!(status.down_seconds.is_none() && status.stopped_at.is_none() && status.ended_at.is_some(), "{status:?}");
    assert!(status.version.is_none());
}

fn is_unknown(world: &World) -> bool {
    let conditions = &world.restore.status.as_ref().unwrap().conditions;
    conditions.iter().any(|condition| condition.type_ == "SubjectKnown" && condition.status == "False")
}

#[test]
fn a_pass_that_cannot_read_the_service_fails_nothing_however_long_its_phase_lasts() {
    let mut world = World::new();
    while !world.jobs.contains_key("calendar-restore") {
        world.pass();
    }
    let unreadable = Problem::new(Reason::TariffNotFound, "no tariff");
    for _ in 0..3 {
        world.now += SignedDuration::from_hours(3);
        world.problem = Some(unreadable.clone());
        assert_eq!(world.pass().phase, RestorePhase::Files);
        assert!(is_unknown(&world));
        world.problem = None;
        world.jobs.remove("calendar-restore");
        assert_eq!(world.pass().phase, RestorePhase::Files);
        assert!(!is_unknown(&world), "the next time counts anew");
    }
    let since = world.now;
    world.problem = Some(unreadable);
    world.run_to(RestorePhase::Returning);
    assert!(world.now.duration_since(since) > PATIENCE, "{:?}", world.phases);
    assert_eq!(world.run(|_| {}), RestorePhase::Failed);
    assert_eq!(ready(world.restore.status.as_ref().unwrap()).reason, "TariffNotFound");
    assert!(!is_unknown(&world), "nobody needs it any more");
}

#[test]
fn what_no_operator_saw_counts_for_no_patience() {
    let next = |world: &World, since: Timestamp| next(&ObservedRestore { watched_since: since, ..world.seen() });
    let mut world = World::new();
    world.run_to(RestorePhase::Files);
    world.problem = Some(Problem::new(Reason::TariffNotFound, "no tariff"));
    world.pass();
    assert!(is_unknown(&world));
    world.now += SignedDuration::from_hours(3);
    let began = world.now;
    assert_eq!(next(&world, Timestamp::MIN).phase, RestorePhase::Returning, "somebody has looked all the time");
    assert_eq!(next(&world, began).phase, RestorePhase::Files, "the first look of an operator that was away");
    world.now += PATIENCE + SignedDuration::from_secs(1);
    assert_eq!(next(&world, began).phase, RestorePhase::Returning);
    // So does what is to happen within a phase.
    let mut world = World::new();
    world.run_to(RestorePhase::Switching);
    world.service.is_applied = false;
    world.now += SignedDuration::from_hours(3);
    assert_eq!(next(&world, Timestamp::MIN).phase, RestorePhase::Returning);
    assert_eq!(next(&world, world.now).phase, RestorePhase::Switching);
}

#[test]
fn claims_are_waited_for_from_when_they_could_be_made() {
    let mut world = World::new();
    world.run_to(RestorePhase::Files);
    world.jobs.clear();
    let end = world.run(|world| world.last("calendar-manifest", SignedDuration::from_mins(20)));
    assert_eq!(end, RestorePhase::Succeeded, "{:?}", world.restore.status);
}
