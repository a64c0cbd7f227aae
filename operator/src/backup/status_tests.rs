//! The status of a run, pass by pass.

use commonscloud_backup::report::FailureReason;

use crate::api::{BackupPhase, SnapshotPart};
use crate::backup::fixtures::{Fate, World};

fn names(parts: &[SnapshotPart]) -> Vec<(&str, &str)> {
    parts.iter().map(|part| (part.name.as_str(), &part.snapshot[..1])).collect()
}

#[test]
fn what_is_backed_up_is_told_with_its_size_and_its_moment() {
    let mut world = World::wiki();
    world.until(BackupPhase::Succeeded);
    let status = world.status();
    assert_eq!(names(&status.contents), [("data", "2"), ("dump", "3"), ("secrets", "5"), ("state", "4")]);
    assert_eq!((status.bytes, status.size.as_deref(), status.files), (Some(4000), Some("3.9Ki"), Some(40)));
    assert_eq!(status.bytes_added, Some(500), "the first pass as well, and each part once");
    assert_eq!(status.snapshot, Some("6".repeat(64)));
    let repository = status.repository.unwrap();
    let repository = (repository.target.as_str(), repository.path.as_str(), repository.id.len());
    assert_eq!(repository, ("here", "coop-e1.wiki", 64));
    let versions = status.versions.unwrap();
    assert_eq!((versions.restic.as_str(), versions.operator.as_str(), versions.manifest), ("0.18.1", "0.1.0", 1));
    let (started, taken, ended) = (status.started_at.unwrap(), status.taken_at.unwrap(), status.ended_at.unwrap());
    assert!(started < taken && taken < ended);
    assert!(status.quiet_seconds.is_some_and(|seconds| (1..60).contains(&seconds)));
    assert_eq!((status.conditions.len(), status.conditions[0].status.as_str()), (1, "True"));
    assert_eq!(status.conditions[0].message, "complete: 3.9Ki in 4 parts");
}

#[test]
fn a_run_at_work_counts_its_phases() {
    let mut world = World::wiki();
    world.until(BackupPhase::FirstPass);
    let status = world.status();
    assert_eq!(status.progress.as_deref(), Some("2 of 6: first pass"));
    let shown: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.reason.as_str())).collect();
    assert_eq!(shown, [("Ready", "BackupRuns"), ("Reconciling", "BackupRuns")]);
}

#[test]
fn the_first_pass_is_no_part_of_the_backup_and_stays_known() {
    let mut world = World::wiki();
    world.until(BackupPhase::Quiescing);
    assert_eq!((names(&world.status().first_pass), world.status().contents), (vec![("data", "1")], Vec::new()));
    world.until(BackupPhase::Recording);
    assert_eq!(names(&world.status().first_pass), [("data", "1")]);
}

#[test]
fn what_a_job_told_stays_when_the_job_is_gone() {
    let mut world = World::wiki();
    world.until(BackupPhase::Recording);
    let before = world.status();
    world.observed.jobs.clear();
    world.pass();
    let after = world.status();
    assert_eq!(
        (after.contents, after.repository, after.versions),
        (before.contents, before.repository, before.versions)
    );
    assert_eq!((after.taken_at, after.bytes_added), (before.taken_at, before.bytes_added));
    world.until(BackupPhase::Succeeded);
}

#[test]
fn a_run_that_failed_is_stalled_and_has_no_snapshot() {
    let mut world = World::wiki();
    world.until(BackupPhase::Recording);
    world.pass();
    world.fails("wiki-record", "record", Some(FailureReason::Damaged));
    world.until(BackupPhase::Failed);
    let status = world.status();
    let shown: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.reason.as_str())).collect();
    assert_eq!(shown, [("Ready", "BackupFailed"), ("Stalled", "BackupFailed")]);
    assert_eq!((status.snapshot, status.progress.as_deref()), (None, Some("failed")));
}

#[test]
fn parts_that_nobody_told_of_are_missed() {
    let mut world = World::wiki();
    world.until(BackupPhase::SecondPass);
    world.pass();
    world.end("wiki-files", Fate::Succeeds);
    world.end("wiki-stream", Fate::Succeeds);
    world.job("wiki-stream").said.remove("secrets");
    world.until(BackupPhase::Failed);
    let ready = &world.status().conditions[0];
    assert_eq!(ready.reason, "SnapshotIncomplete");
    assert!(ready.message.ends_with("secrets"), "{}", ready.message);
}

#[test]
fn where_a_run_goes_is_recorded_as_it_begins_and_once() {
    let mut world = World::wiki();
    assert_eq!(world.status().repository, None);
    world.until(BackupPhase::Preparing);
    let begun = world.status().repository.unwrap();
    assert_eq!((begun.target.as_str(), begun.path.as_str(), begun.id.as_str()), ("here", "coop-e1.wiki", ""));
    world.until(BackupPhase::FirstPass);
    let prepared = world.status().repository.unwrap();
    assert_eq!((&prepared.target, &prepared.path, prepared.id.len()), (&begun.target, &begun.path, 64));
    world.subject().target.name = "there".to_owned();
    world.pass();
    assert_eq!(world.status().repository, Some(prepared));
}

#[test]
fn a_run_that_never_began_is_nowhere() {
    let mut world = World::wiki();
    world.end("", Fate::ServiceIsDeleted);
    world.until(BackupPhase::Failed);
    assert_eq!(world.status().repository, None);
}
