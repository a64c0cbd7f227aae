//! Files of volumes: what a snapshot holds, and what it does not.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use crate::fixture::{Pod, RUN, failure, parts};
use commonscloud_api::SnapshotPartKind;
use commonscloud_backup::report::Outcome;

#[test]
fn each_volume_has_a_snapshot_of_its_own_and_a_second_pass_adds_what_changed() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", "a");
    pod.write("volumes/uploads/lost+found/x", "of the file system");
    pod.write("volumes/uploads/cache/y", "made anew");
    pod.write("volumes/pages/b", crate::fixture::noise(1, 3 << 20));
    let first = parts(pod.run(["files", "--run", RUN, "--tag", "first", "--exclude", "uploads=cache/**"]));
    assert_eq!(first.iter().map(|part| &*part.name).collect::<Vec<_>>(), ["pages", "uploads"]);
    assert!(first.iter().all(|part| part.kind == SnapshotPartKind::Files && part.files == 1), "{first:?}");
    assert!(first[0].added > 3 << 20, "{first:?}");

    pod.write("volumes/uploads/c", "c");
    let mut second = vec!["files", "--run", RUN, "--tag", "files", "--exclude", "uploads=cache/**"];
    for part in &first {
        second.extend(["--parent", &part.snapshot]);
    }
    let second = parts(pod.run(second));
    assert_eq!((second[0].files, second[1].files), (1, 2));
    assert!(second[0].added < 1 << 20 && second[0].bytes == 3 << 20, "{second:?}");
    let listed = pod.restic(["ls", &second[1].snapshot]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("/uploads/c") && !listed.contains("lost+found") && !listed.contains("cache/y"), "{listed}");
}

/// Nobody starts two of one repository; a lock of one is no damage to the other all the same.
#[test]
fn two_passes_at_once_are_both_whole() {
    let (one, id) = (Pod::new(), "a".repeat(36));
    one.prepared();
    let two = one.next();
    one.write("volumes/uploads/a", crate::fixture::noise(21, 8 << 20));
    two.write("volumes/pages/b", crate::fixture::noise(22, 8 << 20));
    let pass = ["files", "--run", &id, "--tag", "files"];
    let both = [one.start(pass), two.start(pass)];
    let stored: Vec<_> = both.into_iter().flat_map(|pass| parts(pass.ended())).collect();
    assert_eq!(stored.iter().map(|part| (&*part.name, part.files)).collect::<Vec<_>>(), [("uploads", 1), ("pages", 1)]);
    assert_eq!(one.run(["check", "--subset", "1/1"]), Outcome::Checked { damaged: Vec::new() });
    assert_eq!(one.stored_files("locks").len(), 0);
}

#[test]
fn a_parent_that_is_gone_costs_time_and_nothing_else() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", "a");
    let gone = "0".repeat(64);
    let stored = parts(pod.run(["files", "--run", RUN, "--tag", "files", "--parent", &gone]));
    assert_eq!(stored[0].files, 1);
}

/// Whoever has the key may write a snapshot that says of a file that it is another.
#[test]
fn a_strangers_snapshot_is_no_parent() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", "true");
    // The same path, host and tags, and the newest date: restic by itself would take it.
    let arguments = ["-q", "backup", "--host", "commonscloud", "--tag", "files", "--time", "2031-01-01 00:00:00"];
    assert!(pod.restic(arguments.into_iter().chain(["volumes/uploads"])).status.success());
    let stored = pod.stored();
    let told = pod.restic(["snapshots", "--json", &stored[0].snapshot]).stdout;
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("tree") && !told.contains("\"parent\""), "{told}");
}

#[test]
fn what_cannot_be_read_fails_the_second_pass_and_not_the_first() {
    let pod = Pod::new().without_privileges();
    pod.prepared();
    pod.write("volumes/uploads/a", "a");
    pod.write("volumes/uploads/closed", "x");
    std::fs::set_permissions(pod.path("volumes/uploads/closed"), Permissions::from_mode(0o0)).unwrap();
    assert_eq!(parts(pod.run(["files", "--run", RUN, "--tag", "first"]))[0].files, 1);
    let failed = failure(pod.run(["files", "--run", RUN, "--tag", "files"]));
    assert!(failed.message.contains("closed"), "{failed}");
}

#[test]
fn what_is_excluded_is_of_a_volume_that_is_there() {
    let pod = Pod::new();
    pod.write("volumes/uploads/a", "a");
    let failed = failure(pod.run(["files", "--run", RUN, "--tag", "files", "--exclude", "other=x"]));
    assert!(failed.message.contains("other") && failed.message.contains("uploads"), "{failed}");
}

#[test]
fn a_wrong_command_line_is_told_in_the_report() {
    let pod = Pod::new();
    let failed = failure(pod.run(["restore", "--snapshot", "latest", "--volume", "uploads"]));
    assert!(failed.message.contains("whole id"), "{failed}");
    assert!(failure(pod.run(["files", "--run", "a,b", "--tag", "files"])).message.contains("uid"));
}

#[test]
fn secrets_are_stored_without_the_links_of_their_mount() {
    use std::os::unix::fs::symlink;
    let pod = Pod::new();
    pod.prepared();
    pod.write("secrets/wiki-db/..2026_11_30/password", "it's \"quoted\"\n");
    symlink("..2026_11_30", pod.path("secrets/wiki-db/..data")).unwrap();
    symlink("..data/password", pod.path("secrets/wiki-db/password")).unwrap();
    let stored = parts(pod.run(["secrets", "--run", RUN]));
    assert_eq!((&*stored[0].name, stored[0].kind), ("secrets", SnapshotPartKind::Secrets));
    let archive = pod.restic(["dump", &stored[0].snapshot, "/secrets.tar"]).stdout;
    pod.write("secrets.tar", archive);
    let tar = |arguments: &[&str]| {
        let output = std::process::Command::new("tar").args(arguments).arg(pod.path("secrets.tar")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(tar(&["-tf"]), "./\n./wiki-db/\n./wiki-db/password\n");
    assert_eq!(tar(&["-xOf"]), "it's \"quoted\"\n");
}
