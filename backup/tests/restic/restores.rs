//! Recorded, restored, compared.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::fixture::{Pod, RUN, failure, noise, parts, until};
use commonscloud_backup::report::{FailureReason, Outcome};

fn snapshot(outcome: Outcome) -> String {
    match outcome {
        Outcome::Recorded { snapshot } => snapshot,
        other => panic!("{other:?}"),
    }
}

fn differences(outcome: Outcome) -> Vec<String> {
    match outcome {
        Outcome::Compared { differences } => differences,
        other => panic!("{other:?}"),
    }
}

fn fill(pod: &Pod) {
    pod.write("volumes/uploads/a", noise(2, 300_000));
    pod.write("volumes/uploads/empty", "");
    pod.write("volumes/uploads/some \"folder\"\nof * two [lines]/it's", "quoted");
    symlink("a", pod.path("volumes/uploads/link")).unwrap();
    std::fs::hard_link(pod.path("volumes/uploads/a"), pod.path("volumes/uploads/twice")).unwrap();
    let sparse = std::fs::File::create(pod.path("volumes/uploads/sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
}

#[test]
fn a_backup_comes_back_equal_and_each_change_is_seen() {
    use std::os::unix::fs::MetadataExt;
    let pod = Pod::new();
    pod.prepared();
    fill(&pod);
    pod.run(["pipes", "verify"]);
    let stream = pod.start(["stream", "--run", RUN, "verify"]);
    let verify = |pod: &Pod, text: &str| {
        let folder = pod.path("stream").display().to_string();
        let script = format!("printf '{text}' >{folder}/verify && : >{folder}/verify.done");
        Command::new("sh").args(["-c", &script]).spawn().unwrap()
    };
    verify(&pod, "table page 1 aa\\n").wait().unwrap();
    let all = [pod.stored(), parts(stream.ended())].concat();
    let recorded = snapshot(pod.recorded(&all));
    let Outcome::Manifest { manifest } = pod.run(["manifest", "--snapshot", &recorded]) else { panic!() };
    assert_eq!(manifest.parts, all);

    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let Outcome::Restored { bytes, files } =
        other.run(["restore", "--snapshot", &all[0].snapshot, "--volume", "uploads"])
    else {
        panic!()
    };
    assert!(bytes >= 300_000 && files >= 5, "{bytes} {files}");
    assert_eq!(std::fs::read(other.path("volumes/uploads/a")).unwrap(), noise(2, 300_000));
    let sparse = other.path("volumes/uploads/sparse").metadata().unwrap();
    assert!(sparse.len() == 64 << 20 && sparse.blocks() * 512 < 1 << 20, "{} blocks", sparse.blocks());

    let compare = |text: &str| {
        let _ = std::fs::remove_file(other.path("stream/verify.done"));
        other.run(["pipes", "verify"]);
        let compare = other.start(["compare", "--snapshot", &recorded]);
        verify(&other, text).wait().unwrap();
        differences(compare.ended())
    };
    std::fs::create_dir(other.path("volumes/uploads/lost+found")).unwrap();
    assert_eq!(compare("table page 1 aa\\n"), Vec::<String>::new());

    other.write("volumes/uploads/empty", "not any more");
    other.write("volumes/uploads/more", "x");
    std::fs::remove_file(other.path("volumes/uploads/some \"folder\"\nof * two [lines]/it's")).unwrap();
    let found = compare("table page 2 bb\\n");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert_eq!(found[0], "table page: 1 aa when backed up, 2 bb now");
    assert!(found[1].contains("empty") && found[2].contains("missing") && found[3].contains("more"), "{found:#?}");

    std::fs::remove_file(other.path("stream/verify")).unwrap();
    let failed = failure(other.run(["compare", "--snapshot", &recorded]));
    assert!(failed.message.contains("no verify runs"), "{failed}");
    std::fs::remove_dir_all(other.path("stream")).unwrap();
    let found = differences(other.run(["compare", "--snapshot", &recorded]));
    assert_eq!(found.len(), 3, "files alone, where another pod has the state: {found:#?}");
}

#[test]
fn a_whole_volume_is_restored_into_an_empty_one_and_goes_on_after_a_kill() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", noise(9, 40 << 20));
    pod.write("volumes/uploads/b", "b");
    let stored = pod.stored();
    let arguments = ["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads"];
    pod.write("volumes/uploads/b", "of today");
    let failed = failure(pod.run(arguments));
    assert!(failed.message.contains("not empty") && failed.message.contains("uploads"), "{failed}");
    assert_eq!(std::fs::read(pod.path("volumes/uploads/b")).unwrap(), b"of today");

    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    let restore = other.start(arguments);
    until("the first bytes", || other.path("volumes/uploads/a").exists());
    restore.kill();
    assert!(matches!(other.run(arguments), Outcome::Restored { .. }));
    assert_eq!(std::fs::read(other.path("volumes/uploads/a")).unwrap(), noise(9, 40 << 20));
    let mut names: Vec<_> = std::fs::read_dir(other.path("volumes/uploads")).unwrap().collect();
    names.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
    let names: Vec<_> = names.into_iter().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a", "b"], "the mark is gone");
    // The Job begins again, for another volume's sake.
    assert_eq!(other.run(arguments), Outcome::Restored { bytes: 0, files: 0 });
    other.write("volumes/uploads/c", "somebody is at work");
    assert!(failure(other.run(arguments)).message.contains("not empty"));
}

#[test]
fn names_that_are_no_text_come_back_and_are_compared() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let pod = Pod::new();
    pod.prepared();
    let names =
        [&b"caf\xe9 \"quoted\".txt"[..], b"-rf *", b"a\\b\r\n\tc", "l\u{b7}l \u{202e}txt".as_bytes(), &[b'n'; 255]];
    std::fs::create_dir(pod.path("volumes/uploads")).unwrap();
    let path = |pod: &Pod, name: &[u8]| pod.path("volumes/uploads").join(OsStr::from_bytes(name));
    for name in names {
        std::fs::write(path(&pod, name), name).unwrap();
    }
    let stored = pod.stored();
    let recorded = snapshot(pod.recorded(&stored));
    let other = pod.next();
    std::fs::create_dir(other.path("volumes/uploads")).unwrap();
    other.run(["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads"]);
    for name in names {
        assert_eq!(std::fs::read(path(&other, name)).unwrap(), name, "{name:?}");
    }
    assert_eq!(differences(other.run(["compare", "--snapshot", &recorded])), Vec::<String>::new());
    std::fs::write(path(&other, names[0]), "another").unwrap();
    assert_eq!(differences(other.run(["compare", "--snapshot", &recorded])).len(), 1);
}

#[test]
fn nothing_is_equal_to_a_state_that_was_not_recorded() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", "a");
    pod.run(["pipes", "verify"]);
    let stored = pod.stored();
    let recorded = snapshot(pod.recorded(&stored));
    let failed = failure(pod.run(["--deadline", "20", "compare", "--snapshot", &recorded]));
    assert!(failed.message.contains("no state"), "{failed}");
}

#[test]
fn a_manifest_of_what_is_not_there_is_not_recorded() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("volumes/uploads/a", "a");
    let mut stored = pod.stored();
    stored[0].snapshot = "0".repeat(64);
    let failed = failure(pod.recorded(&stored));
    assert_eq!(failed.reason, FailureReason::Damaged);
    assert!(failed.message.contains(&"0".repeat(64)), "{failed}");
    assert_eq!(pod.stored_files("snapshots").len(), 1, "no manifest was written");
}

#[test]
fn a_manifest_of_a_newer_release_is_refused() {
    let pod = Pod::new();
    pod.prepared();
    pod.write("newer/manifest.json", r#"{"version":2,"parts":"elsewhere"}"#);
    let made = pod.restic([
        "--json",
        "backup",
        "--stdin-from-command",
        "--stdin-filename",
        "manifest.json",
        "--",
        "cat",
        "newer/manifest.json",
    ]);
    let made = String::from_utf8(made.stdout).unwrap();
    let id = made.split("\"snapshot_id\":\"").nth(1).unwrap()[..64].to_owned();
    for command in ["manifest", "compare"] {
        assert_eq!(failure(pod.run([command, "--snapshot", &id])).reason, FailureReason::FormatTooNew);
    }
}

#[test]
fn a_part_comes_back_beside_what_is_there() {
    let pod = Pod::new();
    pod.prepared();
    fill(&pod);
    let stored = pod.stored();
    let name = "some \"folder\"\nof * two [lines]";
    pod.write(&format!("volumes/uploads/{name}/it's"), "changed since");
    let restore =
        |path: &str| pod.run(["restore", "--snapshot", &stored[0].snapshot, "--volume", "uploads", "--path", path]);
    assert!(matches!(restore(&format!("{name}/it's")), Outcome::Restored { .. }));
    assert!(matches!(restore(name), Outcome::Restored { .. }));
    let beside = |folder: &str, name: &str| {
        let found = std::fs::read_dir(pod.path(folder)).unwrap().map(|entry| entry.unwrap().path());
        let found: Vec<_> = found
            .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&format!("{name} (restored 2")))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    let file = beside(&format!("volumes/uploads/{name}"), "it's");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "quoted");
    assert_eq!(std::fs::read_to_string(beside("volumes/uploads", name).join("it's")).unwrap(), "quoted");
    assert_eq!(std::fs::read_to_string(pod.path(&format!("volumes/uploads/{name}/it's"))).unwrap(), "changed since");

    for wrong in ["nothing", "no/such/folder", "../uploads/a", "/etc/passwd"] {
        assert!(matches!(restore(wrong), Outcome::Failed(_)), "{wrong}");
    }
    assert!(!pod.path("volumes/uploads/.commonscloud-restore").exists());
}
