//! The key of a folder, sealed to people.

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;

use crate::fixture::{Pod, failure};
use commonscloud_backup::escrow::{ESCROW_PASSWORD, EscrowError, Escrowed, open};
use commonscloud_backup::report::{FailureReason, Outcome};

const FOLDER: &str = "garden-1a2b3c4d";

fn escrow(pod: &Pod, recipients: &[&Identity]) -> Outcome {
    let key = pod.path("key/password").display().to_string();
    let public: Vec<String> = recipients.iter().map(|identity| identity.to_public().to_string()).collect();
    let recipients = public.iter().flat_map(|recipient| ["--recipient", recipient]);
    pod.run(["escrow", "--folder", FOLDER, "--key", &key].into_iter().chain(recipients))
}

/// All sealed keys of the folder, as whoever finds the target reads them.
fn found(pod: &Pod) -> Vec<Vec<u8>> {
    pod.write("public", ESCROW_PASSWORD);
    let tags = format!("escrow,folder={FOLDER}");
    let open = ["--password-file", "public", "--no-lock"];
    let listed = pod.restic(open.into_iter().chain(["--json", "snapshots", "--tag", &tags]));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let ids: Vec<&str> = listed.split("\"id\":\"").skip(1).map(|rest| &rest[..64]).collect();
    let file = format!("/{FOLDER}.age");
    ids.iter().map(|id| pod.restic(open.into_iter().chain(["dump", id, &file])).stdout).collect()
}

#[test]
fn a_sealed_key_is_at_the_target_and_opens_with_each_recipients_private_half_alone() {
    let pod = Pod::new();
    let (first, second, other) = (Identity::generate(), Identity::generate(), Identity::generate());
    assert_eq!(escrow(&pod, &[&first, &second]), Outcome::Done);
    let sealed = found(&pod);
    assert_eq!(sealed.len(), 1);
    let key = Escrowed { folder: FOLDER.to_owned(), password: "correct horse battery".to_owned() };
    for identity in [&first, &second] {
        assert_eq!(open(identity.to_string().expose_secret(), &sealed[0]), Ok(key.clone()));
    }
    assert_eq!(open(other.to_string().expose_secret(), &sealed[0]), Err(EscrowError::NotForThis));
}

#[test]
fn it_is_sealed_again_to_others_and_what_was_there_stays() {
    let pod = Pod::new();
    let (first, second) = (Identity::generate(), Identity::generate());
    for recipient in [&first, &first, &second] {
        assert_eq!(escrow(&pod, &[recipient]), Outcome::Done);
    }
    let sealed = found(&pod);
    let opens = |identity: &Identity| {
        sealed.iter().filter(|sealed| open(identity.to_string().expose_secret(), sealed).is_ok()).count()
    };
    assert_eq!((opens(&first), opens(&second)), (2, 1));
}

#[test]
fn without_a_key_or_in_anothers_repository_nothing_is_sealed() {
    let pod = Pod::new();
    pod.write("key/password", "\n");
    let failed = failure(escrow(&pod, &[&Identity::generate()]));
    assert!(failed.message.contains("empty"), "{failed}");
    assert!(pod.stored_files("snapshots").is_empty());
    pod.write("key/password", "correct horse battery\n");
    pod.prepared();
    let failed = failure(escrow(&pod, &[&Identity::generate()]));
    assert_eq!(failed.reason, FailureReason::WrongKey, "a repository with a password of its own: {failed}");
}

#[test]
fn what_is_damaged_of_the_sealed_keys_is_found_without_any_key() {
    let pod = Pod::new();
    let none = failure(pod.run(["check", "--subset", "1/1", "--escrow"]));
    assert_eq!(none.reason, FailureReason::NoRepository, "and none is made: {none}");
    assert_eq!(escrow(&pod, &[&Identity::generate()]), Outcome::Done);
    assert_eq!(pod.run(["check", "--subset", "1/1", "--escrow"]), Outcome::Checked { damaged: Vec::new() });
    assert_eq!(
        failure(pod.run(["check", "--subset", "1/1"])).reason,
        FailureReason::WrongKey,
        "the key opens no escrow"
    );
    for pack in pod.stored_files("data") {
        std::fs::remove_file(pack).unwrap();
    }
    let Outcome::Checked { damaged } = pod.run(["check", "--subset", "1/1", "--escrow"]) else { panic!() };
    assert!(!damaged.is_empty());
}
