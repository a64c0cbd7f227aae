//! Asked to end, and killed.

use std::time::Duration;

use crate::fixture::{Pod, RUN, failure, noise, until};
use commonscloud_backup::report::{FailureReason, Outcome};

#[test]
fn asked_to_end_it_says_so_and_leaves_no_lock() {
    let pod = Pod::new();
    pod.prepared();
    pod.run(["pipes", "dump"]);
    let stream = pod.start(["stream", "--run", RUN, "dump"]);
    until("restic at work", || !pod.stored_files("locks").is_empty());
    stream.terminate();
    assert_eq!(failure(stream.ended()).reason, FailureReason::Interrupted);
    assert_eq!(pod.stored_files("locks").len(), 0);
    assert_eq!(pod.stored_files("snapshots").len(), 0);
}

#[test]
fn asked_to_end_it_waits_for_nobody() {
    let pod = Pod::new();
    let quiet = pod.start(["quiet", "dump"]);
    until("it to listen", || quiet.listens_to(rustix::process::Signal::TERM));
    quiet.terminate();
    assert_eq!(failure(quiet.ended()).reason, FailureReason::Interrupted);
}

/// At points that differ from run to run; the seed is told.
#[test]
fn killed_at_any_point_the_next_run_is_whole() {
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    let pod = Pod::new();
    let id = pod.prepared();
    for name in 0..12 {
        pod.write(&format!("volumes/uploads/{name}"), noise(100 + name, 2 << 20));
    }
    for round in 0..5_u32 {
        let after = Duration::from_millis(u64::from(seed.rotate_left(round * 5) % 1500));
        let files = pod.start(["files", "--run", RUN, "--tag", "files"]);
        std::thread::sleep(after);
        files.kill();
        eprintln!("seed {seed}: killed after {after:?}, {} locks", pod.stored_files("locks").len());
    }
    assert!(matches!(pod.run(["prepare", "--unlock", "--expect", &id]), Outcome::Prepared { .. }));
    assert_eq!(pod.stored_files("locks").len(), 0);
    let stored = pod.stored();
    assert_eq!(stored[0].files, 12, "seed {seed}");
    assert_eq!(pod.run(["check", "--subset", "1/1"]), Outcome::Checked { damaged: Vec::new() }, "seed {seed}");
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    other.run(["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads"]);
    for name in 0..12 {
        assert_eq!(std::fs::read(other.path(&format!("volumes/uploads/{name}"))).unwrap(), noise(100 + name, 2 << 20));
    }
}
