//! Somebody who has what a run has: the key, and the credentials of an append-only server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::fixture::{Pod, files_below, noise};
use crate::server::Server;
use commonscloud_backup::report::{Outcome, StoredPart};

const REPOSITORY: &str = "garden/wiki";
/// Of `garden`, as HTTP has it.
const AUTHORIZATION: &str = "Basic Z2FyZGVuOnBhc3N3b3Jk";

/// The same volume in three nights.
fn nights(pod: &Pod) -> Vec<StoredPart> {
    pod.prepared();
    (0..3)
        .map(|night| {
            pod.write("volumes/uploads/a", noise(200 + night, 1 << 20));
            pod.stored().remove(0)
        })
        .collect()
}

fn comes_back(pod: &Pod, night: u64, stored: &StoredPart) {
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let restored = other.run(["restore", "--snapshot", &stored.snapshot, "--volume", "uploads"]);
    assert!(matches!(restored, Outcome::Restored { files: 1, .. }), "{restored:?}");
    assert_eq!(std::fs::read(other.path("volumes/uploads/a")).unwrap(), noise(200 + night, 1 << 20));
}

/// A clock that is a year ahead or behind writes the same.
#[test]
fn snapshots_that_a_stranger_dates_make_no_forget_drop_a_good_one() {
    let server = Server::rest(&["--append-only"]);
    let pod = server.rest_pod(REPOSITORY, "password");
    let stored = nights(&pod);
    pod.write("volumes/uploads/a", "nothing of yours");
    for date in ["2031-01-01 00:00:00", "2027-11-30 01:00:00", "2019-01-01 00:00:00"] {
        let ours = ["--host", "commonscloud", "--tag", "files", "--tag", "part:uploads", "--time", date];
        let added = pod.restic(["backup"].into_iter().chain(ours).chain(["volumes/uploads"]));
        assert!(added.status.success(), "an append-only server takes what is new");
    }
    let care = server.beside();
    let cared = care.rest_pod(REPOSITORY, "password");
    assert_eq!(cared.run(["forget", &stored[0].snapshot]), Outcome::Left { snapshots: Vec::new() });
    assert_eq!(cared.run(["prune"]), Outcome::Done);
    assert_eq!(cared.run(["check", "--subset", "1/1"]), Outcome::Checked { damaged: Vec::new() });
    let left = files_below(&server.path("garden/wiki/snapshots"));
    assert_eq!(left.len(), 2 + 3, "of two nights, and all of the stranger's");
    for night in [1, 2] {
        comes_back(&cared, night, &stored[usize::try_from(night).unwrap()]);
    }
}

#[test]
fn whatever_a_stolen_credential_asks_for_all_that_was_there_comes_back() {
    let server = Server::rest(&["--append-only"]);
    let pod = server.rest_pod(REPOSITORY, "password");
    let stored = nights(&pod);
    let before = files_below(&server.path(REPOSITORY));
    pod.write("another", "a thief's\n");
    let asks: [&[&str]; 9] = [
        &["forget", &stored[0].snapshot],
        &["forget", "--keep-last", "1", "--group-by", "", "--prune"],
        &["prune", "--max-unused", "0", "--repack-small"],
        &["rewrite", "--forget", "--exclude", "*"],
        &["tag", "--set", "mine"],
        &["repair", "index"],
        &["repair", "snapshots", "--forget"],
        &["key", "passwd", "--new-password-file", "another"],
        &["unlock", "--remove-all"],
    ];
    for words in asks {
        // Whether it ends well says nothing: what is left does.
        pod.restic(words.iter().copied());
    }
    for path in before.iter().filter(|path| !path.to_string_lossy().contains("/locks/")) {
        assert!(path.is_file(), "{} is gone", path.display());
    }
    assert!(matches!(pod.run(["prepare", "--unlock"]), Outcome::Prepared { .. }), "our key opens it");
    assert_eq!(pod.run(["check", "--subset", "1/1"]), Outcome::Checked { damaged: Vec::new() });
    for night in 0..3 {
        comes_back(&pod, night, &stored[usize::try_from(night).unwrap()]);
    }
}

/// Without restic in between.
#[test]
fn nothing_is_removed_or_written_over_by_the_protocol_itself() {
    let server = Server::rest(&["--append-only"]);
    let pod = server.rest_pod(REPOSITORY, "password");
    let stored = nights(&pod);
    let contents = || -> Vec<_> {
        let files = files_below(&server.path(REPOSITORY));
        files.into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect()
    };
    let before = contents();
    for (_, path) in &before {
        let folder = path.parent().unwrap().strip_prefix(server.path(REPOSITORY)).unwrap();
        // Of data the first two letters are a folder, of which the protocol knows nothing.
        let kind = folder.components().next().map(|kind| format!("{}/", kind.as_os_str().display()));
        let of = format!("/{REPOSITORY}/{}{}", kind.unwrap_or_default(), path.file_name().unwrap().display());
        for method in ["DELETE", "POST", "PUT"] {
            let status = asked(&server, method, &of);
            assert!((400..500).contains(&status), "{method} {of}: {status}");
        }
    }
    assert!((400..500).contains(&asked(&server, "DELETE", &format!("/{REPOSITORY}/"))));
    assert!(contents() == before, "what was there is as it was");
    comes_back(&pod, 2, &stored[2]);
}

/// The status of the answer to a request with a body of three bytes.
fn asked(server: &Server, method: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {AUTHORIZATION}", server.address);
    write!(stream, "{head}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nx\n\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap()
}
