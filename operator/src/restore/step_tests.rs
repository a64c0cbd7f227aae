//! A restore from its beginning to its end, and each way in which it fails.

use test_case::test_case;

use super::super::world::{SNAPSHOT, World, job, run};
use super::*;
use crate::api::RestorePhase as At;
use crate::backup::{JobState, Said};
use crate::compare::Action;

const FORMER: [&str; 2] = ["calendar-data", "calendar-db"];
const NEW: [&str; 2] = ["calendar-data-r1", "calendar-db-r1"];

/// What there was before is there as it was, is used, and nothing else is.
fn is_as_before(world: &World) {
    assert_eq!(world.phase(), At::Failed, "{:?}", world.restore.status);
    assert_eq!(world.recorded(), FORMER, "{:?}", world.phases);
    assert_eq!(world.there(), FORMER, "{:?}", world.phases);
    let uids: Vec<_> = world.claims.iter().map(|live| live.metadata.uid.as_deref().unwrap()).collect();
    assert_eq!(uids, ["data", "db"]);
    assert!(world.jobs.values().all(|job| job.state != JobState::Runs));
}

/// Nothing of the service was written: neither its record nor its claims.
fn is_untouched(world: &World) {
    let touched =
        world.done.iter().filter(|(_, change)| change.kind == "ServiceData" || FORMER.contains(&change.name.as_str()));
    assert_eq!(touched.count(), 0, "{:?}", world.done);
    assert!(!world.phases.contains(&At::Switching), "{:?}", world.phases);
}

#[test]
fn a_wiki_comes_back_and_what_was_overwritten_is_removed_last() {
    let mut world = World::new();
    assert_eq!(world.run(|_| {}), At::Succeeded);
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
    assert_eq!(world.phases, way, "it need not wait");
    assert_eq!((world.recorded(), world.there()), (NEW.to_vec(), NEW.to_vec()));
    let former = world.done.iter().filter(|(_, change)| FORMER.contains(&change.name.as_str()));
    assert!(former.clone().all(|(phase, _)| *phase == At::Removing), "{:?}", world.done);
    assert_eq!(former.count(), 4, "each is marked, then deleted");
    let status = world.restore.status.as_ref().unwrap();
    assert!(status.down_seconds > Some(0) && status.ended_at.is_some() && status.version.is_some(), "{status:?}");
    assert_eq!(status.snapshot.as_deref(), Some(SNAPSHOT));
    assert_eq!(world.jobs.keys().next(), None, "a pod that ended still uses its claims");
}

#[test]
fn what_was_lost_as_a_whole_comes_back_and_is_not_restoring_any_more() {
    let mut world = World::lost();
    world.run_to(At::Verifying);
    assert!(world.record.spec.restoring.is_some(), "nobody may see it before it is proven");
    world.run_to(At::Starting);
    assert_eq!(world.record.spec.restoring, None);
    assert_eq!(world.run(|_| {}), At::Succeeded);
    assert_eq!((world.recorded(), world.there()), (NEW.to_vec(), NEW.to_vec()));
}

#[test]
fn of_what_was_lost_one_restore_that_fails_is_followed_by_another() {
    let mut world = World::lost();
    world.differences = vec!["page 1".to_owned()];
    assert_eq!(world.run(|_| {}), At::Failed);
    assert!(world.record.spec.restoring.is_some(), "nothing begins on what differs");
    assert_eq!((world.recorded(), world.there()), (NEW.to_vec(), NEW.to_vec()), "there is nothing to go back to");
    let (former, record) = (world.claims, world.record);
    let mut again = World { record, claims: former, ..World::new() };
    assert_eq!(again.run(|_| {}), At::Succeeded);
    assert_eq!(again.recorded(), ["calendar-data-r2", "calendar-db-r2"]);
    assert_eq!((again.there(), again.record.spec.restoring.as_ref()), (again.recorded(), None));
}

#[test]
fn an_entity_that_goes_on_with_the_folder_of_an_earlier_one_restores_what_that_one_left() {
    let mut world = World::new();
    world.manifest.entity.uid = "e0".to_owned();
    assert_eq!(world.clone().run(|_| {}), At::Failed, "its folder is its own: this is another's");
    world.folder = "coop-e0".to_owned();
    assert_eq!(world.clone().run(|_| {}), At::Succeeded);
    world.manifest.entity.name = "other".to_owned();
    assert_eq!(world.run(|_| {}), At::Failed);
}

#[test]
fn the_record_names_the_new_claims_once_nothing_runs_that_is_not_to_meet_them() {
    let mut world = World::new();
    world.run_to(At::Switching);
    world.service.is_applied = false;
    assert!(world.pass().changes.is_empty());
    world.service.is_applied = true;
    world.service.pods_left = vec!["calendar-app-0".to_owned()];
    assert!(world.pass().waits.unwrap().contains("calendar-app-0"));
    assert_eq!(world.recorded(), FORMER);
    world.service.pods_left.clear();
    world.service.is_running = false;
    world.pass();
    assert_eq!(world.recorded(), NEW);
    assert_eq!(world.pass().phase, At::Switching, "the database is not there yet");
    world.service.is_running = true;
    assert_eq!(world.pass().phase, At::Loading);
}

#[test_case("manifest", At::Preparing)]
#[test_case("restore", At::Files)]
#[test_case("load", At::Loading)]
#[test_case("compare", At::Verifying)]
#[test_case("compare-2", At::Verifying)]
fn whichever_job_fails_what_was_there_before_is_used_as_it_was(step: &str, phase: RestorePhase) {
    let mut world = World::new();
    world.ends.insert(format!("calendar-{step}"), JobState::Failed("node lost".to_owned()));
    assert_eq!(world.run(|_| {}), At::Failed);
    is_as_before(&world);
    assert!(world.phases.contains(&phase), "{:?}", world.phases);
    let (_, message) = world.reason();
    assert!(message.contains(step) && message.contains("node lost"), "the first cause: {message}");
    if phase < At::Switching {
        is_untouched(&world);
    }
}

/// Each Job of each phase, taken away in each state: it is begun again, and none is begun beside another's.
#[test_case(At::Preparing)]
#[test_case(At::Files)]
#[test_case(At::Loading)]
#[test_case(At::Verifying)]
fn a_job_that_is_gone_is_begun_again_and_anothers_is_waited_for(phase: RestorePhase) {
    let mut world = World::new();
    world.run_to(phase);
    while world.phase() == phase && world.pass().waits.is_none_or(|waits| !waits.starts_with("Job")) {}
    let names: Vec<String> = world
        .done
        .iter()
        .rev()
        .filter(|(at, change)| *at == phase && change.kind == "Job")
        .map(|(_, change)| change.name.clone())
        .collect();
    assert!(!names.is_empty(), "{phase:?}");
    for name in &names {
        world.jobs.insert(name.clone(), job(name, "another", JobState::Runs));
    }
    let waits = next(&world.seen());
    assert!(waits.changes.is_empty() && waits.phase == phase, "{waits:?}");
    for name in &names {
        world.jobs.insert(name.clone(), job(name, "another", JobState::Failed(String::new())));
    }
    let removes = next(&world.seen());
    assert!(removes.changes.iter().all(|change| matches!(change.action, Action::Delete { .. })), "{removes:?}");
    assert_eq!(removes.changes.len(), names.len());
    assert_eq!(world.run(|_| {}), At::Succeeded);
}

#[test]
fn a_pod_that_took_its_words_along_is_asked_once_more() {
    for (phase, name) in [(At::Preparing, "calendar-manifest"), (At::Verifying, "calendar-compare")] {
        let mut world = World::new();
        world.run_to(phase);
        world.jobs.insert(name.to_owned(), job(name, "r-1", JobState::Succeeded));
        let asks = world.pass();
        assert!(asks.phase == phase && world.run(|_| {}) == At::Succeeded, "{asks:?}");
        let begun = world.done.iter().filter(|(_, change)| change.name == name && change.kind == "Job");
        assert!(begun.count() >= 2, "{:?}", world.done);
    }
}

#[test]
fn what_differs_is_told_and_returns() {
    let mut world = World::new();
    world.differences = vec!["table page: 1200 9f86 when backed up, 1201 77ab now".to_owned()];
    world.run(|_| {});
    is_as_before(&world);
    assert_eq!(world.reason().0, "RestoreDiffers");
    assert_eq!(world.restore.status.unwrap().differences.len(), 2, "of both Jobs");
    assert!(!world.phases.contains(&At::Starting), "nobody has seen it");
}

#[test]
fn a_restored_service_that_does_not_run_within_its_time_returns() {
    let mut world = World::new();
    world.run(|world| {
        let starts = world.phase() == At::Starting;
        world.service.is_running = !starts;
        world.service.not_ready = starts.then(|| Problem::new(Reason::ProbeFailing, "no answer"));
    });
    is_as_before(&world);
    let (reason, message) = world.reason();
    assert!(reason == "RestoreFailed" && message.contains("120 minutes") && message.contains("no answer"), "{message}");
}

#[test]
fn a_restored_service_that_runs_is_restored_whatever_else_it_reports() {
    let mut world = World::new();
    world.service.not_ready = Some(Problem::new(Reason::ProbeFailing, "no answer"));
    assert_eq!(world.run(|_| {}), At::Succeeded);
    assert_eq!((world.recorded(), world.there()), (NEW.to_vec(), NEW.to_vec()));
}

/// The record goes on naming a claim that took nobody's place.
#[test]
fn one_that_made_what_was_not_there_before_returns_all_the_same() {
    let mut world = World::new();
    world.record.spec.volumes.retain(|volume| volume.name == "data");
    world.claims.retain(|live| live.name() == "calendar-data");
    world.differences = vec!["table page: 1 a when backed up, 2 b now".to_owned()];
    assert_eq!(world.run(|_| {}), At::Failed);
    assert!(world.phases.contains(&At::Returning), "{:?}", world.phases);
    assert!(world.recorded().contains(&"calendar-data") && world.there().contains(&"calendar-data"));
    assert_eq!(world.recorded().len(), 2, "{:?}", world.recorded());
}

#[test]
fn a_service_that_does_not_stop_is_left_as_it_was() {
    let mut world = World::new();
    world.run(|world| {
        let left = (world.phase() == At::Switching).then(|| "calendar-app-0".to_owned());
        world.service.pods_left = left.into_iter().collect();
    });
    is_as_before(&world);
    assert!(world.done.iter().all(|(_, change)| change.kind != "ServiceData"), "{:?}", world.done);
}

#[test]
fn a_database_that_does_not_begin_on_its_new_volume_returns() {
    let mut world = World::new();
    world.run(|world| world.service.is_running = world.phase() != At::Switching);
    is_as_before(&world);
}

#[test]
fn claims_that_are_refused_or_never_bound_or_lost_end_with_the_former_ones() {
    let mut refused = World::new();
    refused.refused = vec!["calendar-db-r1".to_owned()];
    refused.run(|_| {});
    is_as_before(&refused);
    is_untouched(&refused);
    let mut unbound = World::new();
    unbound.unbound = vec!["calendar-db-r1".to_owned()];
    unbound.run(|world| world.service.is_running = world.phase() != At::Switching);
    is_as_before(&unbound);
    let mut lost = World::new();
    lost.run_to(At::Files);
    while lost.there().len() < 4 || lost.restore.status.as_ref().unwrap().volumes.iter().any(|of| of.uid.is_none()) {
        lost.pass();
    }
    lost.claims.retain(|live| live.name() != "calendar-db-r1");
    lost.run(|_| {});
    is_as_before(&lost);
    assert!(lost.reason().1.contains("calendar-db-r1"), "{:?}", lost.reason());
}

/// The record is not looked at before it was written, though a former claim is lost meanwhile.
#[test]
fn one_that_fails_while_files_are_written_ends_whatever_becomes_of_the_service() {
    let mut world = World::new();
    world.run_to(At::Files);
    world.ends.insert("calendar-restore".to_owned(), JobState::Failed("node lost".to_owned()));
    world.claims.retain(|live| live.name() != "calendar-db");
    assert_eq!(world.run(|_| {}), At::Failed);
    is_untouched(&world);
    assert_eq!(world.there(), ["calendar-data"]);
}

/// Also while the service's plan cannot be made: the record is enough.
#[test]
fn without_a_plan_it_returns_all_the_same() {
    for phase in [At::Files, At::Switching, At::Loading, At::Verifying, At::Starting] {
        let mut world = World::new();
        world.run_to(phase);
        world.problem = Some(Problem::new(Reason::TariffNotFound, "no tariff"));
        world.service.is_applied = false;
        world.run(|_| {});
        is_as_before(&world);
    }
}

#[test]
fn one_that_is_deleted_before_it_made_anything_just_goes() {
    for phase in [At::Waiting, At::Preparing] {
        let mut world = World::new();
        if phase == At::Preparing {
            world.run_to(phase);
        }
        world.restore.metadata.deletion_timestamp = Some(Time(world.now));
        let step = next(&world.seen());
        assert!(step.phase == phase && step.changes.is_empty() && !step.is_held, "{step:?}");
    }
}

#[test]
fn one_that_is_deleted_in_the_middle_leaves_what_was_there_and_one_that_removes_goes_on() {
    for phase in [At::Files, At::Switching, At::Loading, At::Verifying, At::Starting] {
        let mut world = World::new();
        world.run_to(phase);
        world.pass();
        world.restore.metadata.deletion_timestamp = Some(Time(world.now));
        let last = world.phase();
        world.run(|world| assert!(next(&world.seen()).is_held || next(&world.seen()).phase >= At::Succeeded));
        if last < At::Removing {
            is_as_before(&world);
            assert!(world.reason().1.contains("deleted"), "{:?}", world.reason());
        }
    }
    let mut world = World::new();
    world.run_to(At::Removing);
    world.restore.metadata.deletion_timestamp = Some(Time(world.now));
    assert_eq!(world.run(|_| {}), At::Succeeded);
}

#[test]
fn it_is_held_as_long_as_there_is_something_to_be_taken_back_or_removed() {
    let mut world = World::new();
    for _ in 0..100 {
        let step = world.pass();
        assert_eq!(step.is_held, (At::Files..=At::Removing).contains(&step.phase), "{:?}", step.phase);
    }
    assert_eq!(world.phase(), At::Succeeded);
}

#[test]
fn what_a_phase_names_is_begun_once_it_is_recorded() {
    let mut world = World::new();
    for _ in 0..60 {
        let before = world.restore.status.as_ref().and_then(|status| status.phase);
        let step = world.pass();
        let enters = before != Some(step.phase);
        assert!(!enters || step.changes.is_empty(), "{:?} begins {:?}", step.phase, step.changes);
    }
}

#[test]
fn the_newest_backup_is_chosen_once_and_one_that_is_asked_for_is_of_this_service() {
    let older = "b".repeat(64);
    let chosen = |edit: &dyn Fn(&mut World)| {
        let mut world = World::new();
        world.runs.push(run("sunday", &older, "2026-11-29T01:00:00Z"));
        edit(&mut world);
        let step = world.pass();
        (step.phase, step.learned.chosen.map(|chosen| chosen.snapshot), step.problem.map(|problem| problem.reason))
    };
    let took = |snapshot: &str| (At::Preparing, Some(snapshot.to_owned()), None);
    let refused = || (At::Failed, None, Some("SnapshotNotFound".to_owned()));
    assert_eq!(chosen(&|_| {}), took(SNAPSHOT));
    assert_eq!(chosen(&|world| world.restore.spec.from.snapshot = Some(older.clone())), took(&older));
    let before = |at: &str| Time(at.parse().unwrap());
    assert_eq!(chosen(&|world| world.restore.spec.from.before = Some(before("2026-11-30T00:00:00Z"))), took(&older));
    assert_eq!(chosen(&|world| world.restore.spec.from.before = Some(before("2026-11-29T01:00:00Z"))), refused());
    assert_eq!(chosen(&|world| world.restore.spec.from.snapshot = Some("c".repeat(64))), refused());
    assert_eq!(chosen(&|world| world.runs.clear()), refused());
    let ahead = |world: &mut World| world.runs.push(run("ahead", &"d".repeat(64), "2027-11-30T01:00:00Z"));
    assert_eq!(chosen(&ahead), took(SNAPSHOT), "a clock was a year ahead");
    let mut world = World::new();
    world.pass();
    world.runs.push(run("tuesday", &older, "2026-12-01T01:00:00Z"));
    world.run(|_| {});
    assert_eq!(world.restore.status.unwrap().snapshot.as_deref(), Some(SNAPSHOT));
}

/// Its Job runs on: what feeds it waits for it.
#[test]
fn a_container_that_failed_takes_the_restore_back_though_the_others_wait() {
    let mut world = World::new();
    world.run_to(At::Loading);
    let load = "calendar-load";
    while !world.jobs.contains_key(load) {
        assert_eq!(world.pass().phase, At::Loading);
    }
    let said = Said { code: 1, at: None, report: None, words: "no such table".to_owned() };
    world.jobs.get_mut(load).unwrap().said.insert("load".to_owned(), said);
    assert_eq!(world.jobs[load].state, JobState::Runs);
    let step = world.pass();
    assert_eq!(step.phase, At::Returning);
    let message = step.problem.unwrap().message;
    assert!(message.contains("container load: it ended with code 1: no such table"), "{message}");
}
