//! A part comes back beside what is there, and nothing else of the service is touched.

use serde_json::json;
use test_case::test_case;

use super::super::world::World;
use crate::api::RestorePhase as At;
use crate::backup::JobState;
use crate::compare::Action;

fn of(volume: &str, path: &str) -> World {
    let mut world = World::new();
    world.restore.spec.only = serde_json::from_value(json!({"volume": volume, "path": path})).unwrap();
    world
}

/// Neither its record nor its claims were written.
fn is_untouched(world: &World) {
    let is_its = |kind: &str| ["ServiceData", "PersistentVolumeClaim", "Secret"].contains(&kind);
    assert!(world.done.iter().all(|(_, change)| !is_its(&change.kind)), "{:?}", world.done);
    assert_eq!(world.recorded(), ["calendar-data", "calendar-db"]);
    assert!(world.restore.status.as_ref().unwrap().stopped_at.is_none());
}

#[test]
fn a_folder_is_written_beside_what_is_there_while_the_service_goes_on() {
    let mut world = of("data", "images/$(a) folder");
    assert_eq!(world.run(|_| {}), At::Succeeded, "{:?}", world.restore.status);
    assert_eq!(world.phases, [At::Preparing, At::Files, At::Succeeded]);
    is_untouched(&world);
    assert!(world.reason().1.contains("images/$(a) folder of volume data"), "{:?}", world.reason());
    let jobs: Vec<_> = world.done.iter().filter(|(_, change)| change.kind == "Job").collect();
    let [(_, _), (At::Files, restore)] = jobs[..] else { panic!("{jobs:?}") };
    let Action::Create(job) = &restore.action else { panic!("{restore}") };
    let pod = &job["spec"]["template"]["spec"];
    let arguments = pod["containers"][0]["args"].to_string();
    assert!(arguments.contains("--path=images/$$(a) folder"), "Kubernetes reads $( ) in arguments: {arguments}");
    assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "calendar-data");
}

#[test]
fn where_pods_use_the_volume_it_is_written_on_their_node_and_no_group_changes() {
    let mut world = of("data", "images");
    world.run_to(At::Files);
    let (mut subject, observed) = (world.subject(), world.seen());
    subject.on_nodes = ["app".to_owned()].into();
    let part = observed.restore.spec.only.clone().unwrap();
    let jobs = super::jobs::add(&subject, &observed, &world.manifest, &part).unwrap();
    let job = jobs[0].objects.iter().find(|object| object.kind == "Job").unwrap();
    let pod = &job.value["spec"]["template"]["spec"];
    assert!(pod["affinity"]["podAffinity"].is_object(), "{pod}");
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["mountPath"] == "/volumes/data").unwrap();
    assert_ne!(mount["readOnly"], json!(true));
}

#[test]
fn a_backup_of_another_version_has_files_as_well() {
    let mut world = of("data", "images");
    world.manifest.versions.application = "0.9".to_owned();
    world.manifest.versions.revision = "mediawiki-old".to_owned();
    assert_eq!(world.run(|_| {}), At::Succeeded, "{:?}", world.reason());
}

#[test_case("db", "name one of: data"; "a volume that is dumped")]
#[test_case("nothing", "name one of: data"; "no volume")]
fn a_volume_without_files_is_refused_with_those_that_have_some(volume: &str, told: &str) {
    let mut world = of(volume, "images");
    assert_eq!(world.run(|_| {}), At::Failed);
    let (reason, message) = world.reason();
    assert!(reason == "RestoreNotSupported" && message.contains(told), "{message}");
    assert!(world.done.is_empty(), "{:?}", world.done);
}

#[test]
fn a_backup_of_something_else_is_refused() {
    let mut world = of("data", "images");
    world.manifest.entity.uid = "e2".to_owned();
    assert_eq!(world.run(|_| {}), At::Failed);
    assert_eq!(world.reason().0, "VersionsDiffer");
    let mut world = of("data", "images");
    world.manifest.parts.retain(|part| part.name != "data");
    assert_eq!(world.run(|_| {}), At::Failed);
    assert!(world.reason().1.contains("files of volume data"), "{:?}", world.reason());
}

#[test]
fn what_fails_or_is_deleted_ends_its_job_and_leaves_the_service_as_it_is() {
    let mut world = of("data", "images");
    world.ends.insert("calendar-restore".to_owned(), JobState::Failed("the volume has no room".to_owned()));
    assert_eq!(world.run(|_| {}), At::Failed);
    is_untouched(&world);
    assert!(world.reason().1.contains("no room"), "{:?}", world.reason());
    let mut world = of("data", "images");
    world.run_to(At::Files);
    world.pass();
    world.restore.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.now));
    assert_eq!(world.run(|_| {}), At::Failed);
    is_untouched(&world);
    assert!(world.jobs.is_empty(), "{:?}", world.jobs);
}

#[test]
fn a_service_that_was_lost_is_restored_first() {
    let mut world = World::lost();
    world.restore.spec.only = of("data", "images").restore.spec.only;
    world.pass();
    world.pass();
    assert_eq!((world.phase(), world.reason().0.as_str()), (At::Waiting, "DataRestoring"));
}
