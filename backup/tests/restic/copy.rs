//! One backup, copied into the repository of somebody else, with another key.

use tempfile::TempDir;

use crate::fixture::{Pod, RUN, damage, failure, noise, until};
use commonscloud_backup::report::{FailureReason, Outcome, StoredPart};

/// A repository with a backup of two volumes, and a snapshot that is of no backup.
fn source() -> (Pod, Vec<StoredPart>, String) {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/mail/a", noise(21, 1 << 20));
    pod.write("volumes/uploads/some \"folder\"/it's", "quoted");
    let earlier = pod.stored();
    pod.write("volumes/mail/a", noise(22, 3 << 20));
    let stored = pod.stored();
    assert!(stored.len() == 2 && stored[0].snapshot != earlier[0].snapshot);
    let Outcome::Recorded { snapshot } = pod.recorded(&stored) else { panic!("it is recorded") };
    (pod, stored, snapshot)
}

/// Somebody else's pod, whose Job has both keys.
fn other(from: &Pod) -> (Pod, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (repository, key) = (from.path("repository").display().to_string(), from.path("key/password"));
    let key = key.display().to_string();
    let environment = [("RESTIC_FROM_REPOSITORY", repository.as_str()), ("RESTIC_FROM_PASSWORD_FILE", key.as_str())];
    let pod = Pod::at(&folder.path().join("theirs").display().to_string(), &environment);
    pod.write("key/password", "a key of their own\n");
    (pod, folder)
}

fn copied(outcome: Outcome) -> String {
    match outcome {
        Outcome::Copied { snapshot } => snapshot,
        other => panic!("{other:?}"),
    }
}

fn snapshots(pod: &Pod) -> usize {
    let listed = pod.restic(["snapshots", "--json", "--no-lock"]);
    serde_json::from_slice::<Vec<serde_json::Value>>(&listed.stdout).unwrap().len()
}

#[test]
fn a_backup_is_copied_whole_with_ids_of_its_own_and_comes_back_without_the_first_repository() {
    let (from, stored, recorded) = source();
    let (to, _folder) = other(&from);
    let copy = copied(to.run(["copy", "--from", &recorded]));
    assert_ne!(copy, recorded);
    assert_eq!(snapshots(&to), stored.len() + 1, "the parts of this backup and its manifest");
    assert!(from.stored_files("locks").is_empty() && to.stored_files("locks").is_empty());
    // Nobody needs the first one any more, nor has its key.
    std::fs::remove_dir_all(from.path("repository")).unwrap();
    std::fs::remove_file(from.path("key/password")).unwrap();
    let Outcome::Manifest { manifest } = to.run(["manifest", "--snapshot", &copy]) else { panic!() };
    assert_eq!((manifest.run.as_str(), manifest.entity.name.as_str()), (RUN, "garden"));
    for part in &manifest.parts {
        assert!(stored.iter().all(|of| of.snapshot != part.snapshot), "{} is called as before", part.name);
        std::fs::create_dir_all(to.path(&format!("volumes/{}", part.name))).unwrap();
        let restored = to.run(["restore", "--snapshot", &part.snapshot, "--volume", &part.name]);
        assert!(matches!(restored, Outcome::Restored { .. }), "{restored:?}");
    }
    assert_eq!(std::fs::read(to.path("volumes/mail/a")).unwrap(), noise(22, 3 << 20));
    assert_eq!(std::fs::read(to.path("volumes/uploads/some \"folder\"/it's")).unwrap(), b"quoted");
    assert_eq!(to.run(["compare", "--snapshot", &copy]), Outcome::Compared { differences: Vec::new() });
    assert_eq!(to.run(["check", "--subset", "1/1"]), Outcome::Checked { damaged: Vec::new() });
}

#[test]
fn a_copy_is_forgotten_by_its_manifest_and_nothing_of_their_own_with_it() {
    let (from, _, recorded) = source();
    let (to, _folder) = other(&from);
    let copy = copied(to.run(["copy", "--from", &recorded]));
    to.write("volumes/mail/a", "of their own");
    let own = to.stored();
    assert_eq!(to.run(["forget", "--copied", &copy]), Outcome::Left { snapshots: Vec::new() });
    assert_eq!(snapshots(&to), own.len());
    assert_eq!(to.run(["forget", "--copied", &copy]), Outcome::Left { snapshots: Vec::new() }, "it is gone");
    assert_eq!(snapshots(&to), own.len());
}

#[test]
fn a_second_try_goes_on_where_the_first_one_was_killed() {
    let (from, stored, recorded) = source();
    let (to, folder) = other(&from);
    let first = to.start(["copy", "--from", &recorded]);
    // Half a repository is nobody's, and is told as such.
    until("the repository", || folder.path().join("theirs/config").exists());
    first.kill();
    let copy = copied(to.run(["copy", "--from", &recorded]));
    let again = copied(to.run(["copy", "--from", &recorded]));
    let parts = |id: &str| match to.run(["manifest", "--snapshot", id]) {
        Outcome::Manifest { manifest } => manifest.parts,
        other => panic!("{other:?}"),
    };
    assert_eq!(parts(&copy), parts(&again), "nothing is copied twice");
    let manifests = snapshots(&to) - stored.len();
    assert!((2..=3).contains(&manifests), "{manifests} beside the parts");
}

#[test]
fn what_both_have_is_stored_once() {
    let (from, _, recorded) = source();
    let (to, _folder) = other(&from);
    copied(to.run(["copy", "--from", &recorded]));
    let bytes = |pod: &Pod| -> u64 {
        let stats = pod.restic(["stats", "--json", "--mode", "raw-data", "--no-lock"]);
        serde_json::from_slice::<serde_json::Value>(&stats.stdout).unwrap()["total_size"].as_u64().unwrap()
    };
    let before = bytes(&to);
    to.write("volumes/mail/a", noise(22, 3 << 20));
    to.stored();
    assert!(bytes(&to) < before + (1 << 20), "{before} bytes became {}: it was chunked in another way", bytes(&to));
}

#[test]
fn whose_key_is_wrong_copies_nothing_and_makes_nothing() {
    let (from, _, recorded) = source();
    let (to, folder) = other(&from);
    from.write("key/password", "not this one\n");
    assert_eq!(failure(to.run(["copy", "--from", &recorded])).reason, FailureReason::WrongKey);
    assert!(!folder.path().join("theirs").exists());
}

#[test]
fn another_repository_than_the_expected_one_gets_nothing() {
    let (from, _, recorded) = source();
    let (to, _folder) = other(&from);
    copied(to.run(["copy", "--from", &recorded]));
    let there = snapshots(&to);
    let replaced = failure(to.run(["copy", "--from", &recorded, "--expect", &"0".repeat(64)]));
    assert_eq!((replaced.reason, snapshots(&to)), (FailureReason::RepositoryReplaced, there));
}

#[test]
fn a_backup_that_lacks_a_part_or_is_damaged_is_not_copied_as_if_it_were_whole() {
    let (from, stored, recorded) = source();
    let (to, _folder) = other(&from);
    let none = failure(to.run(["copy", "--from", &"e".repeat(64)]));
    assert!(none.message.contains(&"e".repeat(8)), "{none}");
    damage(&from.path("repository/data"));
    let damaged = failure(to.run(["copy", "--from", &recorded]));
    assert_eq!(damaged.reason, FailureReason::Damaged, "{damaged}");
    from.run(["forget", &stored[0].snapshot]);
    let lacks = failure(to.run(["copy", "--from", &recorded]));
    assert!(lacks.reason == FailureReason::Damaged && lacks.message.contains(&stored[0].snapshot), "{lacks}");
}
