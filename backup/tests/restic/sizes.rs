//! Volumes that are large in one way or another, and the memory that they take.

use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use crate::fixture::{Container, Pod, RUN, files_below, parts};
use commonscloud_backup::report::Outcome;

/// What the container of a run has by default (`spec.backup.resources` of the Platform).
const DEFAULT_LIMIT: u64 = 1 << 30;
/// What the large ones may take.
const HOURS: &str = "14400";

/// A step to its end; its memory is told, and below the limit.
fn within(limit: u64, what: &str, step: Container) -> Outcome {
    let (outcome, peak) = step.measured();
    eprintln!("{what}: {} MiB", peak >> 20);
    assert!(peak < limit, "{what}: {} MiB, allowed: {}", peak >> 20, limit >> 20);
    outcome
}

/// Backs up so many files twice, restores and compares them.
fn many(count: usize, limit: u64) {
    let pod = Pod::new().limited(limit);
    pod.prepared();
    for folder in 0..count.div_ceil(1000) {
        std::fs::create_dir_all(pod.path(&format!("volumes/uploads/{folder:04}"))).unwrap();
    }
    for number in 0..count {
        std::fs::write(pod.path(&name(number)), number.to_string()).unwrap();
    }
    let pass = |tag| ["--deadline", HOURS, "files", "--run", RUN, "--tag", tag];
    let first = parts(within(limit, "first pass", pod.start(pass("first"))));
    std::fs::write(pod.path(&name(0)), "changed").unwrap();
    let second = pass("files").into_iter().chain(["--parent", &first[0].snapshot]);
    let stored = parts(within(limit, "second pass", pod.start(second)));
    assert_eq!(stored[0].files, u64::try_from(count).unwrap());
    let Outcome::Recorded { snapshot } = pod.recorded(&stored) else { panic!("not recorded") };

    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let id = stored[0].snapshot.as_str();
    let restore = ["--deadline", HOURS, "restore", "--snapshot", id, "--volume", "uploads"];
    within(limit, "restore", other.start(restore));
    assert_eq!(files_below(&other.path("volumes/uploads")).len(), count);
    assert_eq!(std::fs::read_to_string(other.path(&name(count - 1))).unwrap(), (count - 1).to_string());
    let compare = ["--deadline", HOURS, "compare", "--snapshot", &snapshot];
    let compared = within(limit, "compare", other.start(compare));
    assert_eq!(compared, Outcome::Compared { differences: Vec::new() });
}

fn name(number: usize) -> String {
    format!("volumes/uploads/{:04}/some name of a file that people give {number}.txt", number / 1000)
}

#[test]
fn twenty_thousand_small_files_take_half_the_memory_that_there_is() {
    many(20_000, DEFAULT_LIMIT / 2);
}

#[test]
#[ignore = "a million files: make slow"]
fn a_million_small_files_fit_the_memory_that_there_is() {
    many(1_000_000, DEFAULT_LIMIT);
}

/// A file with bytes at its begin, in its middle and at its end, and nothing between: it comes back so.
fn sparse(size: u64) {
    let pod = Pod::new();
    pod.prepared();
    std::fs::create_dir(pod.path("volumes/uploads")).unwrap();
    let file = File::create(pod.path("volumes/uploads/disk")).unwrap();
    file.set_len(size).unwrap();
    let written = [(0, b"begin"), (size / 2 + 1, b"inner"), (size - 5, b"endof")];
    for (at, bytes) in written {
        file.write_all_at(bytes, at).unwrap();
    }
    let backup = ["--deadline", HOURS, "files", "--run", RUN, "--tag", "files"];
    let stored = parts(within(DEFAULT_LIMIT, "backup", pod.start(backup)));
    assert!(stored[0].bytes == size && stored[0].added < 64 << 20, "{stored:?}");

    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let id = stored[0].snapshot.as_str();
    let restore = ["--deadline", HOURS, "restore", "--snapshot", id, "--volume", "uploads"];
    let restored = within(DEFAULT_LIMIT, "restore", other.start(restore));
    assert!(matches!(restored, Outcome::Restored { files: 1, .. }), "{restored:?}");
    let file = File::open(other.path("volumes/uploads/disk")).unwrap();
    let found = file.metadata().unwrap();
    assert!(found.len() == size && found.blocks() * 512 < 128 << 20, "{} blocks of {}", found.blocks(), found.len());
    for (at, bytes) in written {
        let mut read = [0; 5];
        file.read_exact_at(&mut read, at).unwrap();
        assert_eq!(&read, bytes);
    }
}

#[test]
fn a_sparse_file_is_restored_sparse() {
    sparse(2 << 30);
}

/// restic reads the nothing as well, some 300 MB a second: of a terabyte for an hour, and half an hour at its restore.
#[test]
#[ignore = "so much is read twice: make slow"]
fn a_sparse_file_that_is_larger_than_the_memory_and_the_quota_is_restored_sparse() {
    sparse(64 << 30);
}
