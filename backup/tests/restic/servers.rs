//! Behind servers: restic's own protocol, and S3.

use std::time::{Duration, Instant};

use crate::fixture::{Pod, RUN, damage, failure, noise, parts};
use crate::server::{Server, free_address};
use commonscloud_backup::report::{FailureReason, Outcome};

#[test]
fn a_stolen_credential_adds_and_removes_nothing_on_an_append_only_server() {
    let server = Server::rest(&["--append-only"]);
    let pod = server.rest_pod("garden/wiki", "password");
    pod.prepared();
    pod.write("volumes/uploads/a", "a");
    let stored = pod.stored();
    let left = pod.run(["forget", &stored[0].snapshot]);
    assert_eq!(left, Outcome::Left { snapshots: vec![stored[0].snapshot.clone()] });
    assert!(matches!(pod.run(["prepare", "--unlock"]), Outcome::Prepared { .. }), "locks can be removed");
}

#[test]
fn credentials_that_the_server_refuses_are_told_at_once_and_not_repeated() {
    let server = Server::rest(&[]);
    let begun = Instant::now();
    let failed = failure(server.rest_pod("garden/wiki", "hunter2").run(["prepare"]));
    assert_eq!(failed.reason, FailureReason::CredentialsRefused, "{failed}");
    assert!(!failed.message.contains("hunter2"), "{failed}");
    let failed = failure(server.rest_pod("school/wiki", "password").run(["prepare"]));
    assert_eq!(failed.reason, FailureReason::CredentialsRefused, "another's folder: {failed}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_full_server_is_told() {
    let server = Server::rest(&["--max-size", "1000000"]);
    let pod = server.rest_pod("garden/wiki", "password");
    pod.prepared();
    pod.write("volumes/uploads/a", noise(7, 3 << 20));
    let failed = failure(pod.run(["--deadline", "10", "files", "--run", RUN, "--tag", "files"]));
    assert_eq!(failed.reason, FailureReason::TargetFull, "{failed}");
}

/// Another reason than a quota of the server: its disk.
fn what_was_there_before_stays_when_a_disk_is_full(pod: &Pod) {
    pod.prepared();
    pod.write("volumes/uploads/a", noise(8, 1 << 20));
    let stored = pod.stored();
    pod.write("volumes/uploads/b", noise(9, 12 << 20));
    let failed = failure(pod.run(["--deadline", "15", "files", "--run", RUN, "--tag", "files"]));
    assert_eq!(failed.reason, FailureReason::TargetFull, "{failed}");
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    other.run(["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads"]);
    assert_eq!(std::fs::read(other.path("volumes/uploads/a")).unwrap(), noise(8, 1 << 20));
}

#[test]
fn a_server_whose_disk_is_full_is_told() {
    let server = Server::rest_on(8 << 20);
    what_was_there_before_stays_when_a_disk_is_full(&server.rest_pod("garden/wiki", "password"));
}

#[test]
#[ignore = "needs versitygw, which takes minutes to build: make slow"]
fn a_bucket_whose_disk_is_full_is_told() {
    let server = Server::s3_on(8 << 20);
    what_was_there_before_stays_when_a_disk_is_full(&server.s3_pod("hunter2hunter2"));
}

#[test]
#[ignore = "needs versitygw, which takes minutes to build: make slow"]
fn what_is_damaged_in_a_bucket_is_found_and_not_restored() {
    let server = Server::s3();
    let pod = server.s3_pod("hunter2hunter2");
    pod.prepared();
    pod.write("volumes/uploads/a", noise(8, 1 << 20));
    let stored = pod.stored();
    let name = damage(&server.path("cloud/backups/garden/wiki/data"));
    assert_eq!(pod.run(["check", "--subset", "1/1"]), Outcome::Checked { damaged: vec![name] });
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let failed = failure(other.run(["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads"]));
    assert_eq!(failed.reason, FailureReason::Damaged, "{failed}");
}

#[test]
fn a_server_that_is_not_there_is_told_within_the_probe() {
    let begun = Instant::now();
    let urls = [format!("rest:http://{}/garden/wiki", free_address()), format!("s3:http://{}/cloud/x", free_address())];
    let environment = [("AWS_ACCESS_KEY_ID", "cloud"), ("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")];
    let pods: Vec<Pod> = urls.iter().map(|url| Pod::at(url, &environment)).collect();
    let probes: Vec<_> = pods.iter().map(|pod| pod.start(["prepare"])).collect();
    for probe in probes {
        let failed = failure(probe.ended());
        assert_eq!(failed.reason, FailureReason::Unreachable, "{failed}");
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// The S3 server takes minutes to build.
#[test]
#[ignore = "needs versitygw, which takes minutes to build: make slow"]
fn a_bucket_is_backed_up_to_and_restored_from() {
    let server = Server::s3();
    let pod = server.s3_pod("hunter2hunter2");
    let id = pod.prepared();
    pod.write("volumes/uploads/a", noise(8, 1 << 20));
    let stored = parts(pod.run(["files", "--run", RUN, "--tag", "files"]));
    assert!(matches!(pod.run(["prepare", "--unlock", "--expect", &id]), Outcome::Prepared { .. }));
    assert!(matches!(pod.recorded(&stored), Outcome::Recorded { .. }));
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    other.run(["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads"]);
    assert_eq!(std::fs::read(other.path("volumes/uploads/a")).unwrap(), noise(8, 1 << 20));
    assert!(server.path("cloud/backups/garden/wiki/config").is_file());
}

#[test]
#[ignore = "needs versitygw, which takes minutes to build: make slow"]
fn a_wrong_key_of_a_bucket_is_told_within_the_probe() {
    let server = Server::s3();
    let failed = failure(server.s3_pod("another").run(["prepare"]));
    assert_eq!(failed.reason, FailureReason::CredentialsRefused, "{failed}");
    assert!(!failed.message.contains("another"), "{failed}");
}
