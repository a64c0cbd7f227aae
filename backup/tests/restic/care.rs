//! Forgetting, pruning, reading.

use crate::fixture::{Pod, RUN, damage, failure, noise, parts};
use commonscloud_backup::report::{FailureReason, Outcome};

#[test]
fn what_is_forgotten_is_gone_and_what_it_alone_needed_is_pruned() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", noise(3, 4 << 20));
    let first = pod.stored();
    pod.write("volumes/uploads/a", noise(4, 4 << 20));
    let second = pod.stored();
    let gone = "0".repeat(64);
    let left = pod.run(["forget", &first[0].snapshot, &gone]);
    assert_eq!(left, Outcome::Left { snapshots: Vec::new() });
    assert_eq!(pod.run(["prune"]), Outcome::Done);
    assert_eq!(pod.run(["check", "--subset", "1/1"]), Outcome::Checked { damaged: Vec::new() });
    let bytes: u64 = pod.stored_files("data").iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(bytes < 6 << 20, "{bytes} bytes are left");
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    other.run(["restore", "--snapshot", &second[0].snapshot, "--volume", "uploads"]);
    assert_eq!(std::fs::read(other.path("volumes/uploads/a")).unwrap(), noise(4, 4 << 20));
}

#[test]
fn what_a_run_left_that_failed_is_forgotten_by_its_ids_and_nothing_that_somebody_tagged_as_its_own() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", noise(7, 1 << 20));
    let kept = pod.stored();
    let other = RUN.replace('1', "2");
    let left: Vec<String> = ["first", "files"]
        .into_iter()
        .flat_map(|tag| parts(pod.run(["files", "--run", &other, "--tag", tag])))
        .map(|part| part.snapshot)
        .collect();
    pod.write("volumes/uploads/b", "a stranger's");
    parts(pod.run(["files", "--run", &other, "--tag", "files"]));
    let forgotten = pod.run(["forget"].into_iter().chain(left.iter().map(String::as_str)));
    assert_eq!(forgotten, Outcome::Left { snapshots: Vec::new() });
    assert_eq!(pod.stored_files("snapshots").len(), 2, "a backup, and what nobody recorded");
    assert_eq!(pod.run(["prune", "--keep-packs"]), Outcome::Done);
    let fresh = pod.next();
    std::fs::create_dir(fresh.path("volumes/uploads")).unwrap();
    fresh.run(["restore", "--snapshot", &kept[0].snapshot, "--volume", "uploads"]);
    assert_eq!(std::fs::read(fresh.path("volumes/uploads/a")).unwrap(), noise(7, 1 << 20));
    assert!(failure(pod.run(["forget"])).message.contains("required"), "nothing to forget");
}

#[test]
fn a_damaged_pack_is_found_by_name_and_never_restored_as_if_it_were_whole() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", noise(5, 2 << 20));
    let stored = pod.stored();
    let name = damage(&pod.path("repository/data"));
    assert_eq!(pod.run(["check", "--subset", "1/1"]), Outcome::Checked { damaged: vec![name] });
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let failed = failure(other.run(["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads"]));
    assert_eq!(failed.reason, FailureReason::Damaged, "{failed}");
}

#[test]
fn a_pack_that_is_gone_is_found() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", noise(6, 1 << 20));
    pod.stored();
    for pack in pod.stored_files("data") {
        std::fs::remove_file(pack).unwrap();
    }
    let Outcome::Checked { damaged } = pod.run(["check", "--subset", "1/1"]) else { panic!() };
    assert!(!damaged.is_empty());
}

#[test]
fn more_than_a_report_holds_is_not_forgotten_at_once() {
    let pod = Pod::new();
    let ids: Vec<String> = (0..41).map(|number| format!("{number:064x}")).collect();
    let failed = failure(pod.run(["forget"].into_iter().chain(ids.iter().map(|id| &**id))));
    assert!(failed.message.contains("at most 40"), "{failed}");
}
