//! A run by its phases, and whatever becomes of its Jobs.

use commonscloud_backup::manifest::Manifest;
use commonscloud_backup::report::{FailureReason, Outcome, Report};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::BackupPhase as P;
use super::fixtures::World;
use super::*;
use crate::api::Reason;
use crate::compare::Action;

pub(super) fn reason(world: &World) -> String {
    world.status().conditions.into_iter().find(|condition| condition.type_ == "Ready").unwrap().reason
}

pub(super) fn message(world: &World) -> String {
    world.status().conditions.into_iter().find(|condition| condition.type_ == "Ready").unwrap().message
}

fn jobs(step: &Step) -> Vec<&str> {
    step.changes.iter().filter(|change| change.kind == "Job").map(|change| change.name.as_str()).collect()
}

/// The Job as it is made by a step.
pub(super) fn made<'s>(step: &'s Step, name: &str) -> &'s Value {
    let made = |change: &'s Change| match &change.action {
        Action::Create(job) if change.name == name => Some(job),
        _ => None,
    };
    step.changes.iter().find_map(made).unwrap_or_else(|| panic!("{name} is not made: {:?}", jobs(step)))
}

pub(super) fn arguments<'s>(step: &'s Step, job: &str, container: &str) -> Vec<&'s str> {
    let containers = made(step, job)["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let found = containers.iter().find(|known| known["name"] == container).unwrap();
    found["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect()
}

#[test]
fn a_wiki_is_backed_up_from_its_turn_to_its_manifest() {
    let mut world = World::wiki();
    world.until(P::Succeeded);
    assert_eq!(
        world.phases,
        [P::Preparing, P::FirstPass, P::Quiescing, P::SecondPass, P::Unquiescing, P::Recording, P::Succeeded]
    );
    let steps = ["prepare", "files", "quiesce", "files", "stream", "unquiesce", "record"];
    assert_eq!(world.begun, steps.map(|step| format!("wiki-{step}")));
    assert!(!world.is_quiet && world.run().metadata.finalizers.is_none());
    assert_eq!(world.pass().changes, [], "nothing is left to be done");
}

#[test]
fn what_is_read_in_the_first_pass_is_not_read_again_while_it_is_quiet() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    let step = world.pass();
    let parent = "1".repeat(64);
    let arguments = arguments(&step, "wiki-files", "files");
    assert!(arguments.windows(2).any(|pair| pair == ["--parent", &parent]), "{arguments:?}");
    assert!(arguments.windows(2).any(|pair| pair == ["--tag", "files"]), "{arguments:?}");
    assert!(arguments.contains(&"data=images/thumb"), "{arguments:?}");
}

#[test]
fn what_the_newest_backup_has_is_not_read_in_the_first_pass_and_its_repository_is_expected() {
    let mut world = World::wiki();
    let contents = vec![crate::api::SnapshotPart {
        name: "data".to_owned(),
        kind: crate::api::SnapshotPartKind::Files,
        snapshot: "9".repeat(64),
        bytes: 1,
        files: 1,
    }];
    world.observed.former = Some(Former { repository: "ab".repeat(32), contents });
    world.until(P::Preparing);
    let step = world.pass();
    assert!(arguments(&step, "wiki-prepare", "prepare").contains(&"ab".repeat(32).as_str()));
    world.until(P::FirstPass);
    let step = world.pass();
    assert!(arguments(&step, "wiki-files", "files").contains(&"9".repeat(64).as_str()));
}

#[test]
fn the_manifest_names_what_the_second_pass_stored_and_when_quiesce_ended() {
    let mut world = World::wiki();
    world.until(P::Recording);
    let step = world.pass();
    let job = made(&step, "wiki-record");
    let text = job["spec"]["template"]["metadata"]["annotations"]["commonscloud.coop/manifest"].as_str().unwrap();
    let manifest = Manifest::read(text).unwrap();
    let parts: Vec<(&str, &str)> =
        manifest.parts.iter().map(|part| (part.name.as_str(), &part.snapshot[..1])).collect();
    assert_eq!(parts, [("data", "2"), ("dump", "3"), ("secrets", "5"), ("state", "4")]);
    assert_eq!(Some(manifest.taken_at), world.status().taken_at.map(|at| at.0));
    assert_eq!((manifest.entity.uid.as_str(), manifest.instance.uid.as_str()), ("e1", "u1"));
    assert_eq!((manifest.versions.restic.as_str(), manifest.versions.template.as_str()), ("0.18.1", "mediawiki"));
    assert!(manifest.volumes["data"] > 0 && manifest.volumes["db"] > 0);
}

#[test]
fn a_service_that_is_whole_at_any_moment_is_never_made_quiet() {
    let mut world = World::calendar();
    world.until(P::Succeeded);
    assert!(!world.phases.contains(&P::Quiescing) && !world.phases.contains(&P::Unquiescing));
    let steps = ["prepare", "files", "files", "stream", "record"];
    assert_eq!(world.begun.len(), steps.len(), "{:?}", world.begun);
    assert!(world.status().quiet_seconds.is_none() && world.status().taken_at.is_some());
}

/// A Job before anything is quiet: the run ends, and says why.
#[test]
fn a_failure_before_anything_is_quiet_ends_the_run_in_words() {
    for (phase, job, container) in [(P::Preparing, "wiki-prepare", "prepare"), (P::FirstPass, "wiki-files", "files")] {
        let mut world = World::wiki();
        world.until(phase);
        world.pass();
        world.fails(job, container, Some(FailureReason::CredentialsRefused));
        world.pass();
        assert_eq!((world.phase(), reason(&world).as_str()), (P::Failed, "TargetCredentialsRefused"));
        let message = message(&world);
        assert!(message.contains("no route") && message.contains("Secret add in namespace commonscloud"), "{message}");
        let begun = world.begun.len();
        (0..5).for_each(|_| drop(world.pass()));
        assert_eq!((world.begun.len(), self::message(&world)), (begun, message), "tried once, and told for good");
    }
}

#[test]
fn every_reason_of_restic_has_a_reason_of_its_own_or_says_its_words() {
    let told = |failure: FailureReason| {
        let mut world = World::wiki();
        world.until(P::FirstPass);
        world.pass();
        world.fails("wiki-files", "files", Some(failure));
        world.pass();
        reason(&world)
    };
    assert_eq!(told(FailureReason::Unreachable), "TargetUnreachable");
    assert_eq!(told(FailureReason::WrongKey), "KeyWrong");
    assert_eq!(told(FailureReason::NoRepository), "RepositoryReplaced");
    assert_eq!(told(FailureReason::TargetFull), "TargetFull");
    assert_eq!(told(FailureReason::Locked), "RepositoryLocked");
    assert_eq!(told(FailureReason::Damaged), "BackupFailed");
}

#[test]
fn an_operation_that_fails_is_quoted_rather_than_who_waited_for_it() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.pass();
    world.fails("wiki-stream", "dump", None);
    let half = Report::new(Outcome::Failed(commonscloud_backup::report::Failure::new(
        FailureReason::HalfStream,
        "dump failed",
    )));
    let said = Said { code: 1, at: None, report: Some(half), words: String::new() };
    world.job("wiki-stream").said.insert("stream".to_owned(), said);
    world.pass();
    assert!(message(&world).contains("container dump: it ended with code 1: no route"), "{}", message(&world));
}

#[test]
fn a_lock_is_taken_away_once_and_only_when_nobody_was_at_work_for_a_minute() {
    let mut world = World::wiki();
    world.until(P::Preparing);
    world.pass();
    world.fails("wiki-prepare", "prepare", Some(FailureReason::Locked));
    for _ in 0..30 {
        world.pass();
    }
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Preparing, "RepositoryLocked"));
    world.observed.idle_since = Some(world.observed.now);
    world.pass();
    assert_eq!(world.begun.len(), 1, "not for a minute yet");
    world.after(60);
    world.pass();
    let step = world.pass();
    assert!(arguments(&step, "wiki-prepare", "unlock").contains(&"--unlock"));
    world.fails("wiki-prepare", "unlock", Some(FailureReason::Locked));
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Failed, "RepositoryLocked"));
}

#[test]
fn a_lock_that_somebody_holds_is_not_waited_for_for_ever() {
    let mut world = World::wiki();
    world.until(P::Preparing);
    world.pass();
    world.fails("wiki-prepare", "prepare", Some(FailureReason::Locked));
    world.pass();
    world.after(601);
    world.pass();
    assert_eq!((world.phase(), world.begun.len()), (P::Failed, 1));
}

#[test]
fn a_run_waits_and_says_for_what() {
    let waits = |edit: fn(&mut World)| {
        let mut world = World::wiki();
        edit(&mut world);
        let step = (0..3).map(|_| world.pass()).last().unwrap();
        assert_eq!((world.phase(), world.begun.len()), (P::Waiting, 0), "{step:?}");
        assert!(step.again.is_some());
        (reason(&world), message(&world))
    };
    let (reason, message) = waits(|world| world.observed.goes_first = Some("ServiceRestore/wiki-2".to_owned()));
    assert_eq!((reason.as_str(), message.as_str()), ("WaitsForTurn", "ServiceRestore/wiki-2 comes first"));
    let (reason, message) = waits(|world| world.observed.cared_for = Some("Job/check-1".to_owned()));
    assert_eq!((reason.as_str(), message.as_str()), ("RepositoryInUse", "Job/check-1 comes first"));
    let refused = |world: &mut World| {
        world.observed.subject = Err(Problem::new(Reason::TargetNotFound, "the Platform has no target \"x\""));
    };
    assert_eq!(waits(refused).0, "TargetNotFound");
    assert_eq!(waits(|world| world.subject().is_running = false).0, "ServicesNotReady");
    let (reason, message) = waits(|world| "2.0".clone_into(&mut world.subject().plan.version));
    assert!(reason == "ServicesNotReady" && message.contains("on its way to 2.0"), "{reason}: {message}");
    let (reason, _) = waits(|world| "wiki-2".clone_into(&mut world.subject().plan.revision));
    assert_eq!(reason, "ServicesNotReady");
    let (reason, message) = waits(|world| world.subject().key = KeyState::SecretMissing("add".to_owned()));
    assert!(reason == "PlatformSecretNotFound" && message.contains("Secret add"), "{reason}: {message}");
    let (reason, message) = waits(|world| world.seen("wiki-load", "another", JobState::Runs));
    assert!(reason == "WaitsForTurn" && message.contains("wiki-load"), "{reason}: {message}");
    let unsupported = |world: &mut World| world.subject().objects.clear();
    assert_eq!(waits(unsupported).0, "BackupUnsupported");
}

#[test]
fn a_run_waits_an_hour_for_a_service_that_is_not_there() {
    let mut world = World::wiki();
    world.run().metadata.creation_timestamp = Some(Time(world.observed.now));
    world.observed.service = Standing::Gone;
    world.observed.subject = Err(Problem::new(Reason::NotFound, "there is no service wiki"));
    world.pass();
    world.after(3590);
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Waiting, "NotFound"));
    assert!(!needs_service(&world.observed.run, world.observed.now), "nobody is asked about it");
    world.after(60);
    world.observed.service = Standing::There;
    world.pass();
    assert_eq!(world.phase(), P::Waiting, "it came, and the caches do not have it yet");
    world.observed.service = Standing::Gone;
    world.pass();
    assert_eq!((world.phase(), reason(&world).as_str()), (P::Failed, "NotFound"));
}

#[test]
fn what_another_run_left_is_removed_before_this_one_begins() {
    let mut world = World::wiki();
    for name in ["wiki-unquiesce", "wiki-files-2", "wiki-record"] {
        world.seen(name, "another", JobState::Succeeded);
    }
    world.seen("wiki-load", "a-restore", JobState::Succeeded);
    world.until(P::Preparing);
    let left: Vec<&String> = world.observed.jobs.keys().collect();
    assert_eq!(left, ["wiki-load"], "a restore's own");
    world.until(P::Succeeded);
}

#[test]
fn a_key_is_made_then_escrowed_then_copied() {
    let mut world = World::wiki();
    let first = |world: &mut World, key: KeyState| {
        world.subject().key = key;
        let step = next(&world.observed);
        assert_eq!(step.phase, P::Waiting);
        step.changes.iter().map(|change| format!("{change} in {}", change.namespace)).collect::<Vec<_>>()
    };
    assert_eq!(first(&mut world, KeyState::Missing), ["create Secret/backup-key-coop-e1 in commonscloud"]);
    let escrow = escrow::escrow_name("here", "coop-e1");
    let made = first(&mut world, KeyState::NotEscrowed(None));
    assert_eq!(made, [format!("create Job/{escrow} in commonscloud")]);
    let another = KeyState::WaitsForEscrow("escrow-1".to_owned());
    assert_eq!(first(&mut world, another), Vec::<String>::new(), "two at once break what both would make");
    assert_eq!(next(&world.observed).again, Some(Duration::from_secs(5)));
    let copy = Change {
        kind: "Secret".to_owned(),
        namespace: "coop".to_owned(),
        name: "add".to_owned(),
        action: Action::Copy { from: None, secret: Value::Null, because: Vec::new() },
    };
    assert_eq!(first(&mut world, KeyState::NotCopied(vec![copy])), ["copy Secret/add in coop"]);
}

#[test]
fn an_escrow_is_for_these_recipients_in_whatever_order_and_tried_again_after_ten_minutes() {
    let recipients = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let digest = escrow::recipients_digest(&recipients(["age1b", "age1a"]));
    let same = |names| escrow::is_escrowed(&JobState::Succeeded, Some(&digest), &recipients(names));
    assert!(same(["age1a", "age1b"]) && !same(["age1a", "age1c"]));
    assert!(!escrow::is_escrowed(&JobState::Runs, Some(&digest), &recipients(["age1a", "age1b"])));
    assert!(!escrow::is_escrowed(&JobState::Succeeded, None, &recipients(["age1a", "age1b"])));

    let mut world = World::wiki();
    world.seen("escrow-1", "", JobState::Failed("BackoffLimitExceeded".to_owned()));
    let failed = world.observed.jobs.remove("escrow-1").unwrap();
    world.subject().key = KeyState::NotEscrowed(Some(failed.clone()));
    let step = next(&world.observed);
    let told = step.problem.unwrap();
    assert!(told.is(Reason::KeyNotEscrowed) && told.message.contains("BackoffLimitExceeded"), "{told:?}");
    assert_eq!((step.changes, step.again), (Vec::new(), Some(Duration::from_mins(10))));
    world.after(600);
    let removed = |world: &World| next(&world.observed).changes.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(removed(&world), ["delete Job/escrow-1"]);
    // It succeeded, for others.
    world.subject().key = KeyState::NotEscrowed(Some(SeenJob { state: JobState::Succeeded, ..failed }));
    assert_eq!(removed(&world), ["delete Job/escrow-1"]);
}

#[test]
fn the_escrow_has_the_key_as_a_file_and_a_password_that_is_its_own() {
    let mut world = World::wiki();
    let job = escrow::escrow_job(&Place::of(world.subject()));
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let args = ["escrow", "--folder", "coop-e1", "--recipient", "age1b", "--recipient", "age1a", "--deadline", "600"];
    assert_eq!(container["args"], serde_json::json!(args));
    let text = job.to_string();
    assert!(text.contains("rest:https://backup.example.org/escrow") && !text.contains("RESTIC_PASSWORD_FILE"));
    assert!(text.contains("\"/key\"") && !text.contains("ttlSecondsAfterFinished"));
    assert_eq!(job["metadata"]["labels"][escrow::FOLDER], "coop-e1");
}

#[test]
fn no_secret_value_and_no_credential_stands_in_a_job() {
    let mut world = World::wiki();
    for phase in [P::Preparing, P::FirstPass, P::SecondPass, P::Recording] {
        world.until(phase);
        for change in world.pass().changes {
            let Action::Create(job) = change.action else { continue };
            let pod = &job["spec"]["template"]["spec"];
            assert_eq!(pod["automountServiceAccountToken"], false);
            for container in pod["containers"].as_array().unwrap() {
                for variable in container["env"].as_array().into_iter().flatten() {
                    let name = variable["name"].as_str().unwrap();
                    let is_secret = ["PASSWORD", "USERNAME", "KEY"].iter().any(|word| name.ends_with(word));
                    assert!(!is_secret || variable["value"].is_null(), "{variable}");
                }
            }
        }
    }
}

/// A volume of one node at a time: its Job has to be where the component's pod is, whatever else is not ready.
#[test]
fn a_job_goes_beside_the_pod_of_its_component_ready_or_not() {
    let mut world = World::wiki();
    world.until(P::SecondPass);
    world.subject().is_running = false;
    let affinity = |world: &World| {
        let step = next(&world.observed);
        made(&step, "wiki-files")["spec"]["template"]["spec"].get("affinity").cloned()
    };
    assert!(affinity(&world).is_some_and(|affinity| affinity.to_string().contains("\"app\"")));
    world.subject().on_nodes.remove("db");
    assert!(affinity(&world).is_some(), "it is the application's");
    world.subject().on_nodes = ["db".to_owned()].into();
    assert_eq!(affinity(&world), None, "nothing to be beside: it would never start");
}
