//! From `Quiescing` on: whatever becomes of the Jobs, the service is opened again.

use commonscloud_backup::report::{FailureReason, Outcome, Report};

use super::BackupPhase as P;
use super::fixtures::{Fate, RUN, World, subject};
use super::step_tests::{made, message, reason};
use super::*;
use crate::api::Reason;

#[test]
fn people_write_again_as_soon_as_what_is_read_is_of_one_moment() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.pass();
    world.end("wiki-files", Fate::Succeeds);
    world.pass();
    assert_eq!(world.phase(), P::SecondPass, "the dump has not marked its begin");
    let at = Some(world.observed.now);
    let done = Said { code: 0, at, report: Some(Report::new(Outcome::Done)), words: String::new() };
    world.job("wiki-stream").said.insert("quiet".to_owned(), done);
    world.pass();
    assert_eq!(world.phase(), P::Unquiescing);
    world.pass();
    world.end("wiki-unquiesce", Fate::Succeeds);
    (0..3).for_each(|_| drop(world.pass()));
    assert_eq!(world.phase(), P::Recording);
    assert!(!world.begun.contains(&"wiki-record".to_owned()), "the dump is still read");
    world.until(P::Succeeded);
}

/// What reads the dump still waits for it: the Job itself runs on.
#[test]
fn a_container_that_failed_opens_the_service_though_the_others_wait() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.pass();
    world.fails("wiki-stream", "dump", None);
    let job = world.job("wiki-stream");
    (job.state, job.ended) = (JobState::Runs, None);
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Unquiescing, "BackupFailed"));
    assert!(message(&world).contains("container dump: it ended with code 1: no route"), "{}", message(&world));
    assert_eq!(world.job("wiki-stream").state, JobState::Runs, "the end of the run deletes what runs");
}

#[test]
fn files_that_are_still_read_keep_it_quiet() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.pass();
    world.end("wiki-stream", Fate::Succeeds);
    world.pass();
    assert_eq!(world.phase(), P::SecondPass);
    world.end("wiki-files", Fate::Succeeds);
    world.pass();
    assert_eq!(world.phase(), P::Unquiescing);
}

#[test]
fn what_failed_while_it_was_quiet_is_told_until_the_end() {
    let mut world = World::wiki();
    world.until(P::Quiescing);
    (0..2).for_each(|_| drop(world.pass()));
    world.fails("wiki-quiesce", "quiesce", None);
    world.until(P::Failed);
    assert_eq!(reason(&world), Reason::QuiesceFailed.name());
    assert!(!world.is_quiet && world.begun.last().unwrap() == "wiki-unquiesce");
}

#[test]
fn unquiesce_is_tried_again_ever_more_rarely_until_it_succeeds() {
    let mut world = World::wiki();
    world.until(P::Unquiescing);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        world.pass();
        world.fails("wiki-unquiesce", "unquiesce", None);
        let failed = world.observed.now;
        while world.observed.jobs.contains_key("wiki-unquiesce") {
            let step = world.pass();
            assert!(step.is_held && step.still_quiet.is_some_and(|why| why.contains("no route")));
        }
        pauses.push(world.observed.now.duration_since(failed).as_secs());
    }
    assert!((10..13).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.is_sorted() && pauses.iter().all(|pause| *pause <= 302), "{pauses:?}");
    assert!(*pauses.last().unwrap() >= 300, "{pauses:?}");
    let shown = |world: &World| world.status().conditions.iter().any(|condition| condition.type_ == "StillQuiet");
    assert!(shown(&world));
    world.until(P::Succeeded);
    assert!(!shown(&world) && world.status().quiet_seconds.is_some_and(|seconds| seconds > 300));
}

/// Whatever becomes of one Job, and however often unquiesce fails: [`World::pass`] asserts that nothing lets go of a
/// service that is quiet.
#[test]
fn no_path_ends_while_the_service_is_quiet() {
    let names = ["prepare", "files", "quiesce", "stream", "unquiesce", "record"];
    for name in names.map(|step| format!("wiki-{step}")) {
        for nth in 1..=2 {
            for fate in Fate::ALL {
                for failures in 0..3 {
                    walk(&name, nth, fate, failures);
                }
            }
        }
    }
}

fn walk(name: &str, nth: usize, fate: Fate, mut failures: u32) {
    let mut world = World::wiki();
    let mut is_met = false;
    for pass in 0..400 {
        world.pass();
        let is_over = world.phase() >= P::Succeeded;
        let is_let_go = world.run().metadata.deletion_timestamp.is_some() && world.run().metadata.finalizers.is_none();
        if is_over || is_let_go {
            assert!(!world.is_quiet, "{name} {nth} {fate:?}");
            let complete = world.phase() == P::Succeeded;
            let may_complete = !is_met
                || matches!(fate, Fate::Succeeds | Fate::Vanishes | Fate::SubjectIsLost)
                || (name == "wiki-unquiesce" && matches!(fate, Fate::Fails | Fate::IsLost))
                || name == "wiki-record";
            assert!(!complete || may_complete, "{name} {nth} {fate:?} ends in {:?}", world.phases);
            return;
        }
        if world.begun.iter().filter(|begun| *begun == name).count() == nth && !is_met {
            is_met = true;
            world.end(name, fate);
            continue;
        }
        if fate == Fate::SubjectIsLost && world.observed.subject.is_err() && pass % 5 == 0 {
            world.observed.subject = Ok(subject());
        }
        let unquiesces = world.observed.jobs.get("wiki-unquiesce").is_some_and(|job| job.state == JobState::Runs);
        if unquiesces && failures > 0 {
            failures -= 1;
            world.end("wiki-unquiesce", Fate::IsLost);
        }
        world.all_end();
        world.after(30);
    }
    panic!("{name} {nth} {fate:?}: no end, but {:?}: {:?}", world.phases, world.status().conditions);
}

/// Each phase in which the service may be quiet, with each state of each Job.
#[test]
fn whatever_the_jobs_are_only_a_succeeded_unquiesce_lets_go() {
    let states = [
        None,
        Some((RUN, JobState::Runs)),
        Some((RUN, JobState::Succeeded)),
        Some((RUN, JobState::Failed(String::new()))),
        Some(("another", JobState::Runs)),
        Some(("another", JobState::Succeeded)),
    ];
    let names = ["wiki-quiesce", "wiki-files", "wiki-stream", "wiki-unquiesce"];
    for (is_known, is_deleted) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut world = World::wiki();
        world.run().metadata.finalizers = Some(vec![UNQUIESCE.to_owned()]);
        if is_deleted {
            world.end("", Fate::RunIsDeleted);
        }
        if !is_known {
            world.end("", Fate::SubjectIsLost);
        }
        for choice in 0..states.len().pow(4) {
            world.observed.jobs.clear();
            let chosen = [0, 1, 2, 3].map(|at| &states[choice / states.len().pow(at) % states.len()]);
            for (name, state) in names.iter().zip(chosen) {
                if let Some((owner, state)) = state {
                    world.seen(name, owner, state.clone());
                }
            }
            for phase in [P::Quiescing, P::SecondPass, P::Unquiescing] {
                world.run().status.get_or_insert_default().phase = Some(phase);
                let step = next(&world.observed);
                let ours = |at: usize, state: JobState| *chosen[at] == Some((RUN, state));
                let is_open = phase == P::Unquiescing && ours(3, JobState::Succeeded) && !ours(0, JobState::Runs);
                let seen = (step.is_held, step.phase <= P::Unquiescing);
                assert_eq!(seen, (!is_open, !is_open), "{phase:?} {chosen:?} {is_known} {is_deleted}: {step:?}");
            }
        }
    }
}

#[test]
fn an_unquiesce_that_ended_before_quiesce_did_is_made_again() {
    let mut world = World::wiki();
    world.until(P::Unquiescing);
    world.pass();
    world.end("wiki-unquiesce", Fate::Succeeds);
    world.is_quiet = true;
    let late = world.observed.now + std::time::Duration::from_secs(1);
    world.job("wiki-quiesce").ended = Some(late);
    let step = world.pass();
    assert_eq!((step.changes.len(), step.phase), (1, P::Unquiescing), "{step:?}");
    world.after(5);
    world.until(P::Succeeded);
}

#[test]
fn a_run_that_is_deleted_opens_the_service_by_a_job_that_does_not_go_with_it() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.pass();
    world.end("", Fate::RunIsDeleted);
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Unquiescing, "Deleting"));
    let step = world.pass();
    assert_eq!(made(&step, "wiki-unquiesce")["metadata"]["ownerReferences"][0]["kind"], "DedicatedService");
    world.until(P::Failed);
    assert!(!world.is_quiet);
}

#[test]
fn a_service_that_is_gone_is_not_waited_for_and_it_is_told() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.end("", Fate::SubjectIsLost);
    for _ in 0..50 {
        let step = world.pass();
        assert!(step.is_held, "it may only not be readable");
    }
    assert!(world.status().conditions.iter().any(|condition| condition.type_ == "StillQuiet"));
    world.observed.service = Standing::Gone;
    world.is_quiet = false;
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Failed, "StillQuiet"));
    assert!(message(&world).contains("was deleted while it was quiet"), "{}", message(&world));
}

#[test]
fn what_is_left_at_work_of_a_run_that_failed_is_ended() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.pass();
    world.fails("wiki-files", "files", Some(FailureReason::TargetFull));
    for _ in 0..3 {
        world.pass();
    }
    world.end("wiki-unquiesce", Fate::Succeeds);
    for _ in 0..3 {
        world.pass();
    }
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Failed, "TargetFull"));
    assert!(!world.observed.jobs.contains_key("wiki-stream"), "it still read the database");
}

/// A pod that does not start says nothing.
#[test]
fn what_takes_too_long_is_given_up_and_the_service_opened() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.pass();
    world.after(3590);
    world.pass();
    assert_eq!(world.phase(), P::SecondPass);
    world.after(20);
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Unquiescing, "BackupFailed"));
    assert!(message(&world).contains("took too long"), "{}", message(&world));
}

#[test]
fn unquiesce_needs_no_target_and_no_key() {
    let mut world = World::wiki();
    world.until(P::Unquiescing);
    let subject = world.subject();
    subject.backup = crate::api::PlatformBackup::default();
    subject.target = crate::api::BackupTarget { name: "here".to_owned(), ..Default::default() };
    let step = world.pass();
    let pod = &made(&step, "wiki-unquiesce")["spec"]["template"]["spec"];
    let names: Vec<_> = pod["containers"].as_array().unwrap().iter().map(|container| &container["name"]).collect();
    assert_eq!(names, ["unquiesce"]);
    assert!(!pod["volumes"].to_string().contains("backup-key"), "{}", pod["volumes"]);
    world.end("wiki-unquiesce", Fate::Succeeds);
    world.pass();
    assert_eq!(world.phase(), P::Recording);
}

#[test]
fn a_service_that_is_upgraded_in_the_middle_of_a_run_is_opened_and_not_backed_up() {
    for phase in [P::FirstPass, P::Quiescing, P::SecondPass, P::Unquiescing] {
        let mut world = World::wiki();
        world.until(phase);
        world.pass();
        let versions = world.status().versions.unwrap();
        "2.0".clone_into(&mut world.subject().plan.version);
        world.until(P::Failed);
        assert!(!world.is_quiet && !world.begun.contains(&"wiki-record".to_owned()), "{phase:?}");
        assert_eq!(reason(&world), "BackupFailed", "{phase:?}");
        assert!(message(&world).contains("to 2.0 on"), "{}", message(&world));
        assert_eq!(world.status().versions, Some(versions), "what it began with");
    }
}

#[test]
fn the_manifest_has_the_versions_that_were_read_though_the_service_goes_on() {
    let mut world = World::wiki();
    world.until(P::Recording);
    let versions = world.status().versions.unwrap();
    "2.0".clone_into(&mut world.subject().plan.version);
    let step = world.pass();
    let text = made(&step, "wiki-record")["spec"]["template"]["metadata"]["annotations"]["commonscloud.coop/manifest"]
        .as_str()
        .unwrap();
    assert_eq!(commonscloud_backup::manifest::Manifest::read(text).unwrap().versions, versions);
    world.until(P::Succeeded);
    assert_eq!(world.status().versions, Some(versions));
}
