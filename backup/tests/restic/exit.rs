//! Packages to leave with: whole, readable with Debian's own tools, gone on with after a stop.

use std::cell::RefCell;
use std::path::Path;
use std::process::{Command, Stdio};

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;

use crate::fixture::{Pod, noise};
use commonscloud_api::{BackupVersions, SnapshotPartKind};
use commonscloud_backup::exit::{
    EXIT_VERSION, Engine, ExitManifest, ExitRepository, ExitService, Folder, Found, Source, pack, verify,
};
use commonscloud_backup::manifest::{ManifestEntity, ManifestInstance};
use commonscloud_backup::report::{Failure, FailureReason, StoredPart};

pub const DUMP: &str =
    "BEGIN;\n--\n-- PostgreSQL database dump\n--\nCREATE TABLE acta (què text);\nCOMMIT;\nSELECT 'whole';\n";

/// A snapshot of one file of this name, as a stream leaves it.
pub fn streamed(pod: &Pod, kind: SnapshotPartKind, name: &str, file: &str, content: &[u8]) -> StoredPart {
    pod.write("content", content);
    let call = ["--json", "backup", "--stdin-filename", file, "--stdin-from-command", "--", "cat", "content"];
    let said = pod.restic(call);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout).unwrap();
    let summary: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let snapshot = summary["snapshot_id"].as_str().unwrap().to_owned();
    StoredPart { name: name.to_owned(), kind, snapshot, bytes: 0, added: 0, files: 1 }
}

/// A wiki's backup: a dump and two volumes.
pub fn backup(pod: &Pod) -> Vec<StoredPart> {
    pod.prepared();
    pod.write("volumes/data/images/acta de l'assemblea.pdf", noise(7, 3_000_000));
    pod.write("volumes/data/images/two\nlines\\x", "a name of two lines");
    pod.write("volumes/data/empty", "");
    std::os::unix::fs::symlink("images", pod.path("volumes/data/link")).unwrap();
    pod.write("volumes/app/config.php", "<?php");
    let mut parts = vec![streamed(pod, SnapshotPartKind::Dump, "dump", "dump", DUMP.as_bytes())];
    parts.extend(pod.stored());
    parts
}

fn manifest(recipients: &[String]) -> ExitManifest {
    let service = ExitService {
        instance: ManifestInstance {
            name: "wiki".to_owned(),
            kind: "DedicatedService".to_owned(),
            uid: "u-2".to_owned(),
        },
        taken_at: "2026-11-30T01:02:03Z".parse().unwrap(),
        versions: BackupVersions { template: "mediawiki".to_owned(), ..BackupVersions::default() },
        engine: None,
        volumes: std::collections::BTreeMap::new(),
        repository: ExitRepository { path: "garden-1.wiki".to_owned(), id: "r".to_owned(), snapshot: "s".to_owned() },
        files: Vec::new(),
    };
    ExitManifest {
        version: EXIT_VERSION,
        entity: ManifestEntity { name: "garden".to_owned(), uid: "u-1".to_owned() },
        exported_at: "2026-11-30T02:03:04Z".parse().unwrap(),
        release: "0.1.0".to_owned(),
        recipients: recipients.to_vec(),
        services: vec![service],
        guides: Vec::new(),
    }
}

/// Makes the package or goes on with it: what came of it, and what was said.
pub fn packed(
    pod: &Pod,
    to: &Path,
    parts: &[StoredPart],
    recipients: &[String],
) -> (Result<ExitManifest, Failure>, Vec<String>) {
    let folder = Folder::open(to).unwrap();
    let manifest = match folder.found().unwrap() {
        Found::Empty => manifest(recipients),
        Found::Unfinished(manifest) => *manifest,
        Found::Whole(_) => panic!("it is whole"),
    };
    let sources = [Source { service: "wiki".to_owned(), restic: pod.opened(), parts: parts.to_vec() }];
    let said = RefCell::new(Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(pack(&folder, manifest, &sources, |line| said.borrow_mut().push(line.to_owned())));
    (made, said.into_inner())
}

/// What a shell says in a folder; it has to succeed.
pub fn shell(folder: &Path, script: &str) -> String {
    let said = Command::new("sh")
        .args(["-ec", script])
        .env("LC_ALL", "C")
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{script}: {text}");
    text
}

/// The hash of everything below a folder, with names and links.
pub fn content(folder: &Path) -> String {
    shell(folder, "find . -type f -print0 | sort -z | xargs -0 sha256sum; find . -type l -printf '%p %l\\n' | sort")
}

#[test]
fn a_package_is_read_with_tar_and_sha256sum_alone_and_is_what_was_backed_up() {
    let pod = Pod::new();
    let parts = backup(&pod);
    let to = pod.path("exit");
    let manifest = packed(&pod, &to, &parts, &[]).0.unwrap();
    assert_eq!(manifest.services[0].engine, Some(Engine::PostgreSQL));
    assert_eq!(std::fs::read_to_string(to.join("wiki/dump.sql")).unwrap(), DUMP);

    let listed = shell(&to, "sha256sum --check --quiet SHA256SUMS; find . -type f | sort");
    let expected = "./LLEGIU-ME.md ./README.md ./SHA256SUMS ./manifest.json ./wiki/dump.sql ./wiki/files/app.sha256 \
                    ./wiki/files/app.tar ./wiki/files/data.sha256 ./wiki/files/data.tar";
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    let guide = std::fs::read_to_string(to.join("README.md")).unwrap();
    assert!(guide.contains("createdb --owner=wiki wiki") && guide.contains("/srv/wiki/data/images"), "{guide}");

    let unpack = "mkdir ../unpacked; for tar in wiki/files/*.tar; do tar -xpf \"$tar\" -C ../unpacked; done
        for sums in wiki/files/*.sha256; do (cd ../unpacked && sha256sum --check --quiet) <\"$sums\"; done";
    shell(&to, unpack);
    assert_eq!(content(&pod.path("unpacked")), content(&pod.path("volumes")));
    let verified = verify(&to).unwrap();
    assert!(verified.damages.is_empty() && verified.others.is_empty(), "{verified:?}");
    assert_eq!(verified.manifest, manifest);
}

#[test]
fn what_was_stopped_goes_on_and_what_was_done_is_not_done_again() {
    let pod = Pod::new();
    let parts = backup(&pod);
    let to = pod.path("exit");
    let mut lacking = parts.clone();
    "f".repeat(64).clone_into(&mut lacking[2].snapshot);
    let failed = packed(&pod, &to, &lacking, &[]).0.unwrap_err();
    assert!(failed.message.contains("wiki/files/data.tar"), "{failed}");
    assert!(verify(&to).unwrap_err().message.contains("has not come to its end"));
    assert!(!to.join("wiki/files/data.tar").exists(), "half a file is none");
    let (made, said) = packed(&pod, &to, &parts, &[]);
    made.unwrap();
    assert_eq!(said[..2], ["wiki/dump.sql: is there", "wiki/files/app.tar: is there"]);
    assert!(verify(&to).unwrap().damages.is_empty());
    shell(&to, "sha256sum --check --quiet SHA256SUMS");
    assert_eq!(shell(&to, "find . -name '*.part' -o -name '.*' ! -name ."), "");
}

#[test]
fn nothing_whole_comes_of_a_damaged_repository() {
    let pod = Pod::new();
    let parts = backup(&pod);
    for pack in pod.stored_files("data") {
        let mut bytes = std::fs::read(&pack).unwrap();
        bytes[20..40].fill(0x5a);
        std::fs::set_permissions(&pack, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&pack, bytes).unwrap();
    }
    let to = pod.path("exit");
    let failed = packed(&pod, &to, &parts, &[]).0.unwrap_err();
    assert_eq!(failed.reason, FailureReason::Damaged, "{failed}");
    assert!(verify(&to).is_err());
}

#[test]
fn a_sealed_package_opens_for_its_recipient_alone() {
    let pod = Pod::new();
    let parts = backup(&pod);
    let (to, identity) = (pod.path("exit"), Identity::generate());
    packed(&pod, &to, &parts, &[identity.to_public().to_string()]).0.unwrap();
    assert!(verify(&to).unwrap().damages.is_empty(), "without the private half");
    let sealed = shell(&to, "find wiki -type f | sort | tr '\\n' ' '");
    assert!(
        sealed.split_whitespace().all(|file| file.rsplit_once('.').is_some_and(|(_, kind)| kind == "age")),
        "{sealed}"
    );
    let file = std::fs::File::open(to.join("wiki/dump.sql.age")).unwrap();
    let decryptor = age::Decryptor::new(file).unwrap();
    let mut opened = String::new();
    let mut reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).unwrap();
    std::io::Read::read_to_string(&mut reader, &mut opened).unwrap();
    assert_eq!(opened, DUMP);
    let everything = shell(&to, "cat README.md LLEGIU-ME.md manifest.json");
    assert!(!everything.contains(identity.to_string().expose_secret()), "the private half is nowhere");
    let pod = Pod::new();
    let private = identity.to_string().expose_secret().to_owned();
    let refused = packed(&pod, &pod.path("exit"), &[], &[private]).0.unwrap_err();
    assert!(refused.message.contains("age1..."), "{refused}");
}
