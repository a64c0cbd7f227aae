//! A run that ends in a package to leave with.

use commonscloud_backup::report::FailureReason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::BackupPhase as P;
use super::fixtures::World;
use super::step_tests::{arguments, made, message, reason};
use super::{Step, care, remains, turns};
use crate::api::BackupFormat;

/// A public key of age.
const OWN: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const PRIVATE: &str = "AGE-SECRET-KEY-1QQPQQ9NPNPQZ7VGNPQZ7VGNPQZ7VGNPQZ7VGNPQZ7VGNPQZ7VGNPQZ7VGN";

/// A wiki whose Entity leaves.
fn leaving(recipient: Option<&str>) -> World {
    let mut world = World::wiki();
    let spec = &mut world.run().spec;
    spec.format = BackupFormat::Exit;
    spec.recipient = recipient.map(str::to_owned);
    world
}

#[test]
fn it_is_an_ordinary_run_and_then_a_package_is_made_of_what_was_recorded() {
    let mut world = leaving(Some(OWN));
    world.until(P::Succeeded);
    assert_eq!(
        world.phases,
        [
            P::Preparing,
            P::FirstPass,
            P::Quiescing,
            P::SecondPass,
            P::Unquiescing,
            P::Recording,
            P::Packing,
            P::Succeeded
        ]
    );
    let steps = ["prepare", "files", "quiesce", "files", "stream", "unquiesce", "record", "exit"];
    assert_eq!(world.begun, steps.map(|step| format!("wiki-{step}")));
    assert_eq!(world.pass().changes, [], "nothing is left to be done");
    let package = world.status().package.unwrap();
    assert_eq!((package.path.as_str(), package.bytes), ("coop-e1.wiki.exit", 5000));
    assert_eq!((package.snapshot, package.sha256), ("7".repeat(64), "8".repeat(64)));
    let told = message(&world);
    let which = format!("--snapshot {} --sha256 {}", "7".repeat(64), "8".repeat(64));
    for word in ["export fetch coop-e1.wiki.exit/wiki-1", &which, "export open wiki-1.tar.age", "5000 bytes"] {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn the_package_is_of_the_recorded_backup_and_sealed_to_whoever_was_named() {
    let mut world = leaving(Some(OWN));
    world.until(P::Preparing);
    let prepare = world.pass();
    let words = arguments(&prepare, "wiki-prepare", "prepare");
    assert!(words.windows(2).any(|pair| pair == ["--recipient", OWN]), "known before anything is read: {words:?}");
    world.until(P::Packing);
    assert_eq!(world.status().progress.as_deref(), Some("7 of 7: the package"));
    let step = world.pass();
    let words = arguments(&step, "wiki-exit", "exit");
    let manifest = "6".repeat(64);
    for pair in [["--snapshot", &manifest], ["--recipient", OWN], ["--name", "wiki-1"]] {
        assert!(words.windows(2).any(|found| found == pair), "{pair:?}: {words:?}");
    }
}

#[test]
fn it_has_time_to_read_the_largest_volume_three_times() {
    let mut world = leaving(Some(OWN));
    world.until(P::Packing);
    let step = world.pass();
    let words = arguments(&step, "wiki-exit", "exit");
    assert!(words.windows(2).any(|found| found == ["--deadline", "129600"]), "{words:?}");
    assert!(made(&step, "wiki-exit")["spec"]["activeDeadlineSeconds"].as_u64().unwrap() > 129_600);
}

#[test]
fn where_others_are_made_it_waits_and_the_service_is_open() {
    let mut world = leaving(Some(OWN));
    world.until(P::Packing);
    world.observed.goes_first = Some("another exit package".to_owned());
    assert_eq!(world.pass().changes, []);
    assert_eq!((reason(&world).as_str(), world.is_quiet), ("WaitsForTurn", false));
    world.observed.goes_first = None;
    assert_eq!(jobs_of(&world.pass()), ["wiki-exit"]);
    // Its own Job is at work: nobody goes before it any more.
    world.observed.goes_first = Some("another exit package".to_owned());
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Packing, "BackupRuns"));
}

fn jobs_of(step: &Step) -> Vec<&str> {
    step.changes.iter().filter(|change| change.kind == "Job").map(|change| change.name.as_str()).collect()
}

#[test]
fn who_cannot_open_it_is_refused_before_anything_is_begun_and_what_was_written_is_not_shown() {
    let typed = format!("{}b", &OWN[..61]);
    for (recipient, told) in [
        (None, "name the Entity's public key"),
        (Some(PRIVATE), "make a new pair"),
        (Some("ssh-ed25519 AAAA"), "no public key of age"),
        (Some(typed.as_str()), "no public key of age"),
    ] {
        let mut world = leaving(recipient);
        assert_eq!(world.pass().changes, []);
        assert_eq!((world.phase(), world.begun.len()), (P::Failed, 0), "{recipient:?}");
        assert_eq!(reason(&world), "RecipientRefused");
        let said = message(&world);
        assert!(said.contains(told) && !recipient.is_some_and(|recipient| said.contains(recipient)), "{said}");
    }
}

#[test]
fn what_the_platforms_own_key_would_open_is_not_the_entitys() {
    let mut world = leaving(Some(OWN));
    world.subject().backup.recipients = vec![OWN.to_owned()];
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Failed, "RecipientRefused"));
    assert!(message(&world).contains("backup.recipients"), "{}", message(&world));
}

#[test]
fn a_package_that_failed_leaves_no_backup_and_what_was_stored_is_forgotten() {
    let mut world = leaving(Some(OWN));
    world.until(P::Packing);
    world.pass();
    world.fails("wiki-exit", "exit", Some(FailureReason::TargetFull));
    world.until(P::Failed);
    assert_eq!(reason(&world), "TargetFull");
    assert!(!world.is_quiet);
    let mut run = (*world.observed.run).clone();
    run.metadata.creation_timestamp = Some(Time(world.observed.now));
    assert!(!turns::is_backup(&run) && remains::is_failed(&run));
    assert!(care::snapshots(&run).contains("6".repeat(64).as_str()), "its manifest as well");
    let backup = &world.observed.subject.as_ref().unwrap().backup;
    assert!(remains::awaits_forgetting(&run, backup, world.observed.now));
}

#[test]
fn what_the_service_held_is_a_backup_as_any_other() {
    let mut world = leaving(Some(OWN));
    world.until(P::Succeeded);
    assert!(turns::is_backup(&world.observed.run));
    assert_eq!(care::package(&world.observed.run), Some("7".repeat(64).as_str()));
}

#[test]
fn a_package_that_was_told_of_is_not_made_again() {
    let mut world = leaving(Some(OWN));
    world.until(P::Packing);
    world.pass();
    world.all_end();
    world.observed.jobs.remove("wiki-exit").unwrap();
    let before = world.begun.len();
    world.pass();
    assert_eq!(world.begun.len(), before + 1, "nobody told of it: another one is made");
    world.until(P::Succeeded);
    assert!(world.status().package.is_some());
}
