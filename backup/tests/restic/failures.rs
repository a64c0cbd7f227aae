//! Each reason by its real cause, of a repository in a folder.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fixture::{Pod, failure, tool, until};
use commonscloud_backup::report::{FailureReason, Outcome};

#[test]
fn another_key_opens_nothing() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("key/password", "of another Entity");
    let failed = failure(pod.run(["prepare"]));
    assert_eq!(failed.reason, FailureReason::WrongKey);
    assert!(!failed.message.contains("of another Entity"), "{failed}");
}

#[test]
fn the_key_of_another_entity_restores_nothing_of_this_one() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", "a");
    let stored = pod.stored();
    let other = pod.next();
    other.write("key/password", "of another Entity");
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let id = stored[0].snapshot.as_str();
    let asks: [&[&str]; 4] = [
        &["manifest", "--snapshot", id],
        &["restore", "--snapshot", id, "--volume", "uploads"],
        &["files", "--run", "r", "--tag", "files"],
        &["forget", id],
    ];
    for words in asks {
        assert_eq!(failure(other.run(words.iter().copied())).reason, FailureReason::WrongKey, "{words:?}");
    }
    assert!(!other.path("volumes/uploads/a").exists());
    assert_eq!(pod.stored_files("snapshots").len(), 1);
}

#[test]
fn a_repository_that_is_gone_is_not_made_anew_and_another_one_is_not_taken_for_it() {
    let pod = Pod::new();
    let id = pod.prepared();
    assert!(matches!(pod.run(["prepare", "--expect", &id]), Outcome::Prepared { repository, .. } if repository == id));
    std::fs::remove_dir_all(pod.path("repository")).unwrap();
    let failed = failure(pod.run(["prepare", "--expect", &id]));
    assert_eq!(failed.reason, FailureReason::NoRepository);
    assert!(!pod.path("repository/config").exists());
    let other = pod.prepared();
    let failed = failure(pod.run(["prepare", "--expect", &id]));
    assert_eq!(failed.reason, FailureReason::RepositoryReplaced);
    assert!(failed.message.contains(&id) && failed.message.contains(&other), "{failed}");
}

#[test]
fn a_repository_without_its_config_is_told_and_not_written_over() {
    let pod = Pod::new();
    pod.prepared();
    std::fs::remove_file(pod.path("repository/config")).unwrap();
    let failed = failure(pod.run(["prepare"]));
    assert_eq!(failed.reason, FailureReason::NoRepository);
    assert!(failed.message.contains("look into its folder"), "{failed}");
}

/// restic waits a moment between its lock and its work: it is killed in it.
#[test]
fn a_lock_of_the_dead_stops_no_restore_is_told_and_taken_away_when_asked() {
    let pod = Pod::new();
    let id = pod.prepared();
    pod.write("volumes/uploads/a", "a");
    let stored = pod.stored();
    // What restic has not written whole yet has a longer name, and is no lock.
    let is_locked =
        || pod.stored_files("locks").iter().any(|path| path.file_name().is_some_and(|name| name.len() == 64));
    // One that ends before it is killed takes its lock along.
    until("a lock that stays", || {
        let mut prune = Command::new(tool("restic"))
            .arg("prune")
            .env("RESTIC_REPOSITORY", pod.path("repository"))
            .env("RESTIC_PASSWORD_FILE", pod.path("key/password"))
            .env("RESTIC_CACHE_DIR", pod.path("cache"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !is_locked() && prune.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        prune.kill().unwrap();
        prune.wait().unwrap();
        is_locked()
    });
    assert_eq!(failure(pod.run(["prepare"])).reason, FailureReason::Locked);
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let restored = other.run(["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads"]);
    assert!(matches!(restored, Outcome::Restored { files: 1, .. }), "{restored:?}");
    assert_eq!(failure(pod.run(["files", "--run", "r", "--tag", "files"])).reason, FailureReason::Locked);
    assert!(matches!(pod.run(["prepare", "--unlock"]), Outcome::Prepared { repository, .. } if repository == id));
    assert_eq!(pod.stored().len(), 1);
}

#[test]
fn a_snapshot_that_is_not_there_is_told() {
    let pod = Pod::new();
    pod.prepared();
    let id = "0".repeat(64);
    let failed = failure(pod.run(["manifest", "--snapshot", &id]));
    assert!(failed.message.contains("00000000"), "{failed}");
}
