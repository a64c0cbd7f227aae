use commonscloud_backup::records::RecordedMetadata;
use commonscloud_operator::api::ServiceBackup;

use super::*;

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o444);
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn spec() -> ServiceDataSpec {
    serde_json::from_value(json!({
        "owner": {"kind": "DedicatedService", "name": "site", "uid": "u"}, "template": "radicale",
        "secrets": [{"name": "admin", "secret": "site-admin", "formerUid": "s1", "keys": ["password"],
            "further": [{"secret": "site-admin-2", "keys": ["token"]}]}],
    }))
    .unwrap()
}

fn record() -> RecordedObject {
    let metadata = RecordedMetadata {
        name: "site".to_owned(),
        namespace: Some("hort".to_owned()),
        labels: [(marks::DATA.to_owned(), "true".to_owned())].into(),
        ..RecordedMetadata::default()
    };
    RecordedObject { metadata, ..RecordedObject::default() }
}

#[test]
fn secrets_come_back_byte_for_byte_immutable_and_marked_as_data() {
    let files: [(&str, &[u8]); 2] = [("./site-admin/password", b"hunter2\xff\n"), ("./site-admin-2/token", b"t")];
    let made = made(&record(), &spec(), &unpacked(&archive(&files)).unwrap()).unwrap();
    assert_eq!(made.len(), 2);
    let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(made[0].clone()).unwrap();
    assert_eq!(secret.data.unwrap()["password"].0, b"hunter2\xff\n");
    assert_eq!(secret.immutable, Some(true));
    let marked = (&made[0]["metadata"]["labels"][marks::DATA], &made[0]["metadata"]["annotations"][marks::RECOVERED]);
    assert_eq!(marked, (&json!("true"), &json!("s1")));
}

#[test]
fn a_secret_or_a_key_that_the_run_lacks_is_named() {
    let of = |files: &[(&str, &[u8])]| made(&record(), &spec(), &unpacked(&archive(files)).unwrap()).unwrap_err();
    assert_eq!(of(&[("./site-admin-2/token", b"t")]), "the run has no Secret site-admin");
    assert_eq!(of(&[("./site-admin/user", b"t")]), "the run has no key password of Secret site-admin");
}

#[test]
fn a_name_that_leads_out_of_the_archive_is_a_name_and_no_path() {
    let secrets = unpacked(&archive(&[("../../etc/passwd", b"x"), ("./a", b"x")])).unwrap();
    assert!(!secrets.contains_key("a") && secrets.keys().all(|name| name == ".."), "{secrets:?}");
}

#[test]
fn a_record_is_bound_once_to_the_secrets_that_are_there_now() {
    let uids: BTreeMap<String, String> =
        [("site-admin", "n1"), ("site-admin-2", "n2")].map(|(name, uid)| (name.to_owned(), uid.to_owned())).into();
    let patch = bound(&spec(), &uids).unwrap();
    assert_eq!(patch["secrets"][0]["uid"], "n1");
    assert_eq!(
        (&patch["secrets"][0]["formerUid"], &patch["secrets"][0]["further"][0]["uid"]),
        (&json!("s1"), &json!("n2"))
    );
    let mut again = spec();
    again.secrets = serde_json::from_value(patch["secrets"].clone()).unwrap();
    assert_eq!(bound(&again, &uids), None);
}

#[test]
fn a_run_comes_back_complete_with_who_asked_for_it() {
    let run: RecordedRun = serde_json::from_value(json!({
        "name": "nightly", "uid": "r1",
        "spec": {"service": "site", "reason": "Scheduled", "requestedBy": "operator"},
        "status": {"phase": "Succeeded", "snapshot": "a".repeat(64), "takenAt": "2026-11-29T01:00:00Z", "size": "3Gi"},
    }))
    .unwrap();
    let (mut object, status) = backup("hort", &run, "2026-11-30T00:00:00Z".parse().unwrap());
    assert_eq!(
        (&object["metadata"]["annotations"][marks::RECOVERED], &object["spec"]["reason"]),
        (&json!("r1"), &json!("Scheduled"))
    );
    object["status"] = status["status"].clone();
    let back: ServiceBackup = serde_json::from_value(object).unwrap();
    assert_eq!(crate::asked::snapshot(&back).unwrap().0, "a".repeat(64), "it can be restored");
}

#[test]
fn a_restore_that_failed_is_followed_by_another_of_another_name() {
    assert_eq!(restore_name("site", &"ab".repeat(32), 0), "recover-site-abababab");
    assert_eq!(restore_name("site", &"ab".repeat(32), 1), "recover-site-abababab-2");
}
