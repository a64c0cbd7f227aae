//! The platform's own records.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::fixture::{Pod, failure};
use commonscloud_backup::records::{RECORDS_VERSION, Records};
use commonscloud_backup::report::{FailureReason, Outcome};

fn records(name: &str) -> Records {
    let mut records = Records { version: RECORDS_VERSION, ..Records::default() };
    name.clone_into(&mut records.platform.metadata.name);
    records
}

/// The document in pieces as the pod has them mounted, and where.
fn mounted(pod: &Pod, records: &Records) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&serde_json::to_vec(records).unwrap()).unwrap();
    for (at, piece) in encoder.finish().unwrap().chunks(100).enumerate() {
        pod.write(&format!("records/{at:04}"), piece);
    }
    pod.path("records").display().to_string()
}

fn kept(outcome: Outcome) -> (String, String) {
    match outcome {
        Outcome::Kept { repository, snapshot } => (repository, snapshot),
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_are_read_with_restic_alone_and_the_repository_is_made_for_the_first() {
    let pod = Pod::new();
    let pieces = mounted(&pod, &records("default"));
    let (repository, first) = kept(pod.run(["records", "--pieces", &pieces]));
    let next = pod.next();
    let pieces = mounted(&next, &records("other"));
    let (same, second) = kept(next.run(["records", "--pieces", &pieces, "--expect", &repository]));
    assert_eq!(same, repository);
    for (snapshot, name) in [(first.as_str(), "default"), (&second, "other"), ("latest", "other")] {
        let text = pod.restic(["dump", "--no-lock", "--tag", "records", snapshot, "/records.json"]).stdout;
        assert_eq!(Records::read(&String::from_utf8(text).unwrap()), Ok(records(name)), "{snapshot}");
    }
}

#[test]
fn nothing_is_stored_of_half_a_document_or_into_another_repository() {
    let pod = Pod::new();
    let pieces = mounted(&pod, &records("default"));
    let other = "0".repeat(64);
    let missing = failure(pod.run(["records", "--pieces", &pieces, "--expect", &other]));
    assert_eq!(missing.reason, FailureReason::NoRepository, "{missing}");
    let (_, first) = kept(pod.run(["records", "--pieces", &pieces]));
    let replaced = failure(pod.run(["records", "--pieces", &pieces, "--expect", &other]));
    assert_eq!(replaced.reason, FailureReason::RepositoryReplaced, "{replaced}");
    std::fs::remove_file(pod.path("records/0001")).unwrap();
    assert!(failure(pod.run(["records", "--pieces", &pieces])).message.contains("not whole"));
    let listed = String::from_utf8(pod.restic(["snapshots", "--json", "--no-lock"]).stdout).unwrap();
    assert_eq!((listed.matches("\"id\":").count(), listed.contains(&first)), (1, true), "{listed}");
}
