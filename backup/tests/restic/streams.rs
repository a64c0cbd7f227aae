//! Dumps through pipes: whole, or not at all.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::fixture::{Pod, RUN, failure, parts};
use commonscloud_api::SnapshotPartKind;
use commonscloud_backup::report::{FailureReason, Outcome};

/// An operation as `package/src/operation/job.rs` starts it: `write` runs in its shell.
fn operation(pod: &Pod, kind: &str, write: &str) -> Child {
    let stream = pod.path("stream").display().to_string();
    let wrapper = format!("\"$@\" >{stream}/{kind} && : >{stream}/{kind}.done");
    let script = write.replace("$BEGUN", &format!("{stream}/{kind}.begun"));
    Command::new("/bin/sh").args(["-c", &wrapper, kind, "/bin/sh", "-ec", &script]).spawn().unwrap()
}

fn count(pod: &Pod) -> usize {
    pod.stored_files("snapshots").len()
}

#[test]
fn a_dump_and_what_verify_writes_are_stored_side_by_side_and_people_write_again_at_their_begin() {
    let pod = Pod::new();
    pod.prepared();
    assert_eq!(pod.run(["pipes", "dump", "verify"]), Outcome::Done);
    let quiet = pod.start(["quiet", "dump", "verify"]);
    let stream = pod.start(["stream", "--run", RUN, "dump", "verify"]);
    let dump = "touch $BEGUN; echo \"it's\"; sleep 1; head -c 2000000 /dev/zero; echo end";
    let mut operations = [operation(&pod, "dump", dump), operation(&pod, "verify", "echo table page 1 9f86")];
    assert_eq!(quiet.ended(), Outcome::Done);
    let stored = parts(stream.ended());
    for operation in &mut operations {
        assert!(operation.wait().unwrap().success());
    }
    let told: Vec<_> = stored.iter().map(|part| (&*part.name, part.kind)).collect();
    assert_eq!(told, [("dump", SnapshotPartKind::Dump), ("state", SnapshotPartKind::State)]);
    assert_eq!(stored[0].bytes, 2_000_000 + 5 + 4);
    assert_eq!(pod.restic(["dump", &stored[1].snapshot, "/state"]).stdout, b"table page 1 9f86\n");
}

#[test]
fn half_a_dump_is_not_stored_and_the_quiet_does_not_wait_for_it() {
    let pod = Pod::new();
    pod.prepared();
    pod.run(["pipes", "dump"]);
    let quiet = pod.start(["quiet", "dump"]);
    let stream = pod.start(["stream", "--run", RUN, "dump"]);
    let mut dump = operation(&pod, "dump", "head -c 3000000 /dev/urandom; exit 3");
    assert!(!dump.wait().unwrap().success());
    let failed = failure(stream.ended());
    assert_eq!(failed.reason, FailureReason::HalfStream);
    assert!(failed.message.contains("3000000 bytes"), "{failed}");
    assert_eq!(failure(quiet.ended()).reason, FailureReason::HalfStream);
    assert_eq!(count(&pod), 0, "half a dump is none");
}

/// What is not told is never forgotten.
#[test]
fn what_one_stream_left_is_told_though_the_other_failed() {
    let pod = Pod::new();
    pod.prepared();
    pod.run(["pipes", "dump", "verify"]);
    let stream = pod.start(["stream", "--run", RUN, "dump", "verify"]);
    let mut operations =
        [operation(&pod, "dump", "echo x; exit 3"), operation(&pod, "verify", "echo table page 1 9f86")];
    for operation in &mut operations {
        operation.wait().unwrap();
    }
    let Outcome::Half { parts, failure } = stream.ended() else { panic!("half of it is there") };
    assert_eq!(failure.reason, FailureReason::HalfStream);
    assert_eq!(parts.iter().map(|part| part.kind).collect::<Vec<_>>(), [SnapshotPartKind::State]);
    assert_eq!(pod.run(["forget", &parts[0].snapshot]), Outcome::Left { snapshots: Vec::new() });
    assert_eq!(count(&pod), 0);
}

#[test]
fn a_killed_dump_is_not_stored() {
    let pod = Pod::new();
    pod.prepared();
    pod.run(["pipes", "dump"]);
    let stream = pod.start(["stream", "--run", RUN, "dump"]);
    let mut dump = operation(&pod, "dump", "kill -9 $$");
    assert!(!dump.wait().unwrap().success());
    assert_eq!(failure(stream.ended()).reason, FailureReason::HalfStream);
    assert_eq!(count(&pod), 0);
}

#[test]
fn an_operation_is_not_left_waiting_where_restic_cannot_even_begin() {
    let pod = Pod::new();
    pod.run(["pipes", "dump"]);
    let begun = Instant::now();
    let mut early = operation(&pod, "dump", "echo x; sleep 1; echo y");
    assert_eq!(failure(pod.run(["stream", "--run", RUN, "dump"])).reason, FailureReason::NoRepository);
    assert!(!early.wait().unwrap().success());
    let mut late = operation(&pod, "dump", "echo x");
    assert!(!late.wait().unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_dump_that_never_begins_ends_at_the_deadline() {
    let pod = Pod::new();
    pod.prepared();
    pod.run(["pipes", "dump"]);
    let failed = failure(pod.run(["--deadline", "2", "stream", "--run", RUN, "dump"]));
    assert_eq!(failed.reason, FailureReason::TimedOut, "{failed}");
    assert_eq!(count(&pod), 0);
    assert_eq!(pod.stored_files("locks").len(), 0, "restic was asked before it was killed");
}

#[test]
fn a_dump_is_fed_to_load_whole() {
    let pod = Pod::new();
    pod.prepared();
    pod.run(["pipes", "dump", "load"]);
    let stream = pod.start(["stream", "--run", RUN, "dump"]);
    operation(&pod, "dump", "seq 200000").wait().unwrap();
    let stored = parts(stream.ended());

    let feed = pod.start(["feed", "--snapshot", &stored[0].snapshot]);
    let load = format!("sha256sum <{}", pod.path("stream/load").display());
    let load = Command::new("sh").args(["-c", &load]).output().unwrap();
    assert_eq!(feed.ended(), Outcome::Done);
    let whole = Command::new("sh").args(["-c", "seq 200000 | sha256sum"]).output().unwrap();
    assert_eq!(load.stdout, whole.stdout);

    let feed = pod.start(["feed", "--snapshot", &stored[0].snapshot]);
    let load = format!("head -c 10 <{}", pod.path("stream/load").display());
    Command::new("sh").args(["-c", &load]).output().unwrap();
    assert_eq!(failure(feed.ended()).reason, FailureReason::HalfStream);

    let failed = failure(pod.run(["--deadline", "1", "feed", "--snapshot", &stored[0].snapshot]));
    assert_eq!(failed.reason, FailureReason::TimedOut, "nobody loads: {failed}");
}
