//! Packages that a run makes: one sealed file at the target, which holds what `export` writes.

use std::fs::File;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;

use crate::exit::{DUMP, backup, content, packed, shell, streamed};
use crate::fixture::{Pod, RUN, failure};
use crate::server::{Server, free_address};
use commonscloud_api::SnapshotPartKind;
use commonscloud_backup::exit::{Engine, fetch, unseal, verify};
use commonscloud_backup::report::{FailureReason, Outcome, StoredPart};
use commonscloud_backup::restic::{PACKAGES, PACKAGES_PASSWORD};

/// A wiki's backup as a run records it: its manifest's snapshot, and its parts.
fn recorded(pod: &Pod) -> (String, Vec<StoredPart>) {
    let mut parts = backup(pod);
    // As the run's own Jobs tell it.
    parts[0].bytes = DUMP.len() as u64;
    parts.push(StoredPart { bytes: 5, ..streamed(pod, SnapshotPartKind::State, "state", "state", b"acta\n") });
    match pod.recorded(&parts) {
        Outcome::Recorded { snapshot } => (snapshot, parts),
        other => panic!("{other:?}"),
    }
}

fn exit(pod: &Pod, snapshot: &str, recipient: &str) -> Outcome {
    pod.run(["exit", "--run", RUN, "--name", "sortida", "--snapshot", snapshot, "--recipient", recipient])
}

fn public(identity: &Identity) -> String {
    identity.to_public().to_string()
}

fn private(identity: &Identity) -> String {
    identity.to_string().expose_secret().to_owned()
}

/// The package as somebody who reads the target brings it, without the key of the backups.
fn fetched(pod: &Pod, snapshot: &str, sha256: Option<&str>) -> Result<PathBuf, String> {
    let to = pod.path("sortida.tar.age");
    let restic = pod.opened().at(&packages(pod)).with_password(PACKAGES_PASSWORD);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fetched = runtime.block_on(fetch(&restic, snapshot, "sortida", &to, sha256));
    fetched.map(|_| to).map_err(|failure| failure.message)
}

fn packages(pod: &Pod) -> String {
    pod.path(&format!("repository{PACKAGES}")).display().to_string()
}

/// What is in each file of a package that is the same whenever it is made.
fn files(folder: &Path) -> String {
    shell(folder, "cat wiki/dump.sql wiki/state.txt wiki/files/*.sha256; find . -type f | sort; sha256sum wiki/files/*")
}

#[test]
fn what_is_opened_is_what_an_export_writes() {
    let pod = Pod::new();
    let (snapshot, parts) = recorded(&pod);
    let identity = Identity::generate();
    let Outcome::Packed { snapshot: id, bytes, sha256 } = exit(&pod, &snapshot, &public(&identity)) else { panic!() };
    let sealed = fetched(&pod, &id, Some(&sha256)).unwrap();
    assert_eq!(sealed.metadata().unwrap().len(), bytes);
    let opened = pod.path("opened");
    unseal(&sealed, &private(&identity), &opened).unwrap();
    let verified = verify(&opened).unwrap();
    assert!(verified.damages.is_empty() && verified.others.is_empty(), "{verified:?}");
    let service = &verified.manifest.services[0];
    assert_eq!((service.engine, service.repository.path.as_str()), (Some(Engine::PostgreSQL), "repository"));
    assert_eq!(service.repository.snapshot, snapshot);
    assert!(verified.manifest.recipients.is_empty(), "what is in it is open, once it is");

    let exported = pod.path("exported");
    packed(&pod, &exported, &parts, &[]).0.unwrap();
    assert_eq!(files(&opened), files(&exported));
    shell(&opened, "sha256sum --check --quiet SHA256SUMS");
    let unpack = "mkdir ../unpacked; for tar in wiki/files/*.tar; do tar -xpf \"$tar\" -C ../unpacked; done";
    shell(&opened, unpack);
    assert_eq!(content(&pod.path("unpacked")), content(&pod.path("volumes")));
}

#[test]
fn age_and_tar_alone_open_it() {
    let pod = Pod::new();
    let (snapshot, _) = recorded(&pod);
    let identity = Identity::generate();
    let Outcome::Packed { snapshot: id, .. } = exit(&pod, &snapshot, &public(&identity)) else { panic!() };
    let sealed = fetched(&pod, &id, None).unwrap();
    let decryptor = age::Decryptor::new(File::open(sealed).unwrap()).unwrap();
    let mut opened = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).unwrap();
    std::io::copy(&mut opened, &mut File::create(pod.path("sortida.tar")).unwrap()).unwrap();
    std::fs::create_dir(pod.path("by-hand")).unwrap();
    shell(&pod.path("by-hand"), "tar -xf ../sortida.tar; sha256sum --check --quiet SHA256SUMS");
}

#[test]
fn nobody_else_opens_it_and_nothing_of_it_lies_open() {
    let pod = Pod::new();
    let (snapshot, _) = recorded(&pod);
    let identity = Identity::generate();
    let Outcome::Packed { snapshot: id, .. } = exit(&pod, &snapshot, &public(&identity)) else { panic!() };
    let sealed = fetched(&pod, &id, None).unwrap();
    let refused = unseal(&sealed, &private(&Identity::generate()), &pod.path("opened")).unwrap_err();
    assert!(refused.message.contains("sealed to others") && !pod.path("opened").exists(), "{refused}");
    let searched = format!("grep -rlF \"SELECT 'whole'\" '{}' sortida.tar.age cache || true", packages(&pod));
    assert_eq!(shell(&pod.path(""), &searched), "", "the dump");
    let again = fetched(&pod, &id, None).unwrap_err();
    assert!(again.contains("is there"), "{again}");
    std::fs::remove_file(&sealed).unwrap();
    let another = fetched(&pod, &id, Some(&"a".repeat(64))).unwrap_err();
    assert!(another.contains("another one") && !sealed.exists(), "{another}");
}

#[test]
fn what_is_no_public_key_is_refused_unseen() {
    let pod = Pod::new();
    let (snapshot, _) = recorded(&pod);
    let private = private(&Identity::generate());
    for recipient in [private.as_str(), "age1qqqq"] {
        for refused in [exit(&pod, &snapshot, recipient), pod.run(["prepare", "--recipient", recipient])] {
            let refused = failure(refused);
            assert!(refused.message.contains("age1...") && !refused.message.contains(&private), "{refused}");
        }
    }
    let fetched = fetched(&pod, &"a".repeat(64), None).unwrap_err();
    assert!(!pod.path("sortida.tar.age.part").exists(), "{fetched}");
}

#[test]
fn nothing_is_stored_of_a_backup_that_is_damaged_or_gone() {
    let pod = Pod::new();
    let (snapshot, _) = recorded(&pod);
    let identity = Identity::generate();
    let gone = failure(exit(&pod, &"f".repeat(64), &public(&identity)));
    assert!(gone.message.contains("ffff"), "{gone}");
    for pack in pod.stored_files("data") {
        let mut bytes = std::fs::read(&pack).unwrap();
        bytes[20..40].fill(0x5a);
        std::fs::set_permissions(&pack, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&pack, bytes).unwrap();
    }
    let damaged = failure(exit(&pod, &snapshot, &public(&identity)));
    assert_eq!(damaged.reason, FailureReason::Damaged, "{damaged}");
    assert!(crate::fixture::files_below(&Path::new(&packages(&pod)).join("snapshots")).is_empty());
}

#[test]
fn a_target_that_is_full_or_away_keeps_nothing_of_it_and_says_so() {
    let server = Server::rest(&["--max-size", "5000000"]);
    let pod = server.rest_pod("garden/wiki", "password");
    let (snapshot, _) = recorded(&pod);
    let recipient = public(&Identity::generate());
    let words = |deadline: &'static str, snapshot: &str| {
        let of = ["exit", "--deadline", deadline, "--run", RUN, "--name", "sortida", "--snapshot", snapshot];
        of.into_iter().chain(["--recipient", &recipient]).map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |pod: &Pod, words: Vec<String>| failure(pod.run(words.iter().map(String::as_str)));
    let full = run(&pod, words("15", &snapshot));
    assert_eq!(full.reason, FailureReason::TargetFull, "{full}");
    let away = Pod::at(&format!("rest:http://{}/garden/wiki", free_address()), &[]);
    let away = run(&away, words("60", &snapshot));
    assert_eq!(away.reason, FailureReason::Unreachable, "{away}");
}

#[test]
fn it_is_forgotten_with_its_backup_and_its_room_is_given_back() {
    let pod = Pod::new();
    let (snapshot, parts) = recorded(&pod);
    let Outcome::Packed { snapshot: id, .. } = exit(&pod, &snapshot, &public(&Identity::generate())) else { panic!() };
    let below = |folder: &str| crate::fixture::files_below(&Path::new(&packages(&pod)).join(folder)).len();
    assert!(below("data") > 0);
    let all: Vec<&str> = parts.iter().map(|part| part.snapshot.as_str()).chain([snapshot.as_str()]).collect();
    let words = ["forget"].into_iter().chain(all).chain(["--package", &id]);
    assert_eq!(pod.run(words), Outcome::Left { snapshots: Vec::new() });
    assert_eq!(pod.run(["prune"]), Outcome::Done);
    assert_eq!((below("snapshots"), below("data")), (0, 0));
    std::fs::remove_dir_all(packages(&pod)).unwrap();
    let gone = pod.run(["forget", &snapshot, "--package", &id]);
    assert_eq!(gone, Outcome::Left { snapshots: Vec::new() }, "nor does its repository have to be there");
    assert_eq!(pod.run(["prune"]), Outcome::Done);
}
