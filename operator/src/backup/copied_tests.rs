//! When copies of other Entities' backups are forgotten, and what the restores say of it.

use commonscloud_backup::report::{REPORT_VERSION, Report};
use serde_json::json;

use super::super::Said;
use super::*;

const COPY: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn restore(change: impl FnOnce(&mut Value)) -> Arc<ServiceRestore> {
    let mut restore = json!({
        "metadata": {"name": "from-other", "namespace": "coop", "uid": "u1", "generation": 1},
        "spec": {
            "from": {"service": "calendar", "entity": "other", "snapshot": "a".repeat(64)},
            "into": {"kind": "NewService", "service": "agenda"}, "requestedBy": "anna",
        },
        "status": {
            "phase": "Failed", "snapshot": COPY, "copyTarget": "far", "copiedAt": "2026-11-30T08:00:00Z",
            "endedAt": "2026-11-30T09:00:00Z",
        },
    });
    change(&mut restore);
    Arc::new(serde_json::from_value(restore).unwrap())
}

fn copied(change: impl FnOnce(&mut Value)) -> Copied {
    Copied::of(&restore(change), "coop-0a1b2c3d").unwrap()
}

fn platform() -> Platform {
    let s3 =
        json!({"endpoint": "https://s3.example.org", "bucket": "cloud", "secretName": "add", "careSecretName": "care"});
    let backup = json!({"targets": [{"name": "far", "s3": s3}], "recipients": ["age1"]});
    let spec = json!({"baseDomain": "example.org", "backup": backup});
    serde_json::from_value(json!({"metadata": {"name": "default"}, "spec": spec})).unwrap()
}

fn is_due(copied: Copied, now: &str) -> bool {
    next_copied(&[copied], &[], &platform().spec.backup.unwrap(), at(now)).is_some()
}

/// What a copy is told by a Job that forgets another one, or the same.
fn said(copied: &Copied, of: &Copied, state: JobState, outcome: Outcome) -> Option<ServiceRestoreStatus> {
    let own = Own { namespace: "cloud".into(), backup_image: "backup:1".into(), ..Own::default() };
    let job = of.forget_job(&platform(), &own).unwrap();
    let metadata: ObjectMeta = serde_json::from_value(job["metadata"].clone()).unwrap();
    let report = Some(Report { version: REPORT_VERSION, outcome });
    let said = Said { code: 0, at: None, report, words: String::new() };
    let seen = SeenJob {
        name: copied.forget_name(),
        uid: "j1".into(),
        owner: String::new(),
        state,
        said: [("forget".to_owned(), said)].into(),
        is_being_deleted: false,
        ended: None,
    };
    copied.told(&seen, &metadata, at("2026-11-30T12:00:00Z"))
}

#[test]
fn a_copy_is_forgotten_once_its_restore_has_been_over_for_an_hour() {
    assert!(!is_due(copied(|_| {}), "2026-11-30T09:30:00Z"));
    assert!(is_due(copied(|_| {}), "2026-11-30T10:30:00Z"));
    assert!(is_due(copied(|of| of["status"]["phase"] = json!("Succeeded")), "2026-11-30T10:30:00Z"));
    for phase in ["Files", "Removing"] {
        assert!(!is_due(copied(|of| of["status"]["phase"] = json!(phase)), "2026-11-30T10:30:00Z"), "{phase}");
    }
    assert!(!is_due(copied(|_| {}), "2026-12-31T10:30:00Z"), "nothing is tried for ever");
    let elsewhere = copied(|of| of["status"]["copyTarget"] = json!("gone"));
    assert!(!is_due(elsewhere, "2026-11-30T10:30:00Z"), "nobody knows how to reach it");
}

#[test]
fn one_whose_restore_is_deleted_is_forgotten_at_once_and_the_restore_stays_until_then() {
    let (backup, now) = (platform().spec.backup.unwrap(), "2026-11-30T09:10:00Z");
    let deleted = |at: &str| copied(|of| of["metadata"]["deletionTimestamp"] = json!(at));
    let subject = deleted("2026-11-30T09:05:00Z");
    assert!(!is_due(copied(|_| {}), now) && is_due(subject.clone(), now));
    assert!(
        subject.is_awaited(&backup, at(now)) && copied(|_| {}).is_awaited(&backup, at(now)),
        "nobody else knows it"
    );
    let told = subject.given_up(at(now));
    let gone = told.conditions.iter().find(|of| of.type_ == "SnapshotGone").unwrap();
    assert_eq!((gone.status.as_str(), gone.reason.as_str()), ("False", "SnapshotGivenUp"));
    let given_up = |status| Copied {
        restore: Arc::new(ServiceRestore { status, ..(*subject.restore).clone() }),
        ..subject.clone()
    };
    let held = given_up(Some(told));
    assert!(is_due(held.clone(), now) && held.is_awaited(&backup, at(now)), "that is no end yet");
    assert_eq!(
        held.given_up(at("2026-11-30T09:20:00Z")),
        held.restore.status.clone().unwrap(),
        "nothing is written again"
    );
    let ended = said(&held, &held, JobState::Succeeded, Outcome::Left { snapshots: Vec::new() }).unwrap();
    assert_eq!(ended.conditions.iter().filter(|of| of.type_ == "SnapshotGone").count(), 1);
    let forgotten = given_up(Some(ended));
    assert!(!is_due(forgotten.clone(), now) && !forgotten.is_awaited(&backup, at(now)));
    // Nothing hangs for ever.
    assert!(!deleted("2026-11-29T09:00:00Z").is_awaited(&backup, at(now)));
    assert!(!copied(|of| of["status"]["copyTarget"] = json!("gone")).is_awaited(&backup, at(now)));
    assert!(!copied(|_| {}).is_awaited(&backup, at("2026-12-31T10:30:00Z")));
}

#[test]
fn one_whose_target_does_not_answer_keeps_no_other_waiting() {
    let named = |name: &str| copied(|of| of["metadata"]["name"] = json!(name));
    let (both, backup) = ([named("b"), named("a")], platform().spec.backup.unwrap());
    let next = |now: &str| next_copied(&both, &[], &backup, at(now)).map(|copied| copied.restore.name_any()).unwrap();
    let (first, second) = (next("2026-11-30T11:00:00Z"), next("2026-11-30T12:00:00Z"));
    assert_ne!(first, second);
    assert_eq!(next("2026-11-30T11:59:59Z"), first, "until a Job of it could have been made anew");
    assert_eq!(next("2026-11-30T13:00:00Z"), first);
    assert!(next_copied(&[], &[], &backup, at("2026-11-30T11:00:00Z")).is_none());
}

#[test]
fn what_was_not_copied_is_nobodys_to_forget() {
    let of = |change: fn(&mut Value)| Copied::of(&restore(change), "coop-0a1b2c3d").is_some();
    assert!(of(|_| {}));
    assert!(!of(|of| of["status"]["copiedAt"] = Value::Null), "its snapshot is the other Entity's");
    assert!(!of(|of| of["spec"]["from"]["entity"] = Value::Null), "its snapshot is a run's");
    assert!(!of(|of| of["spec"]["into"] = json!({"kind": "Drill"})));
    assert!(!of(|of| of["status"] = Value::Null));
}

#[test]
fn what_a_run_of_the_service_recorded_is_no_copy_whatever_a_status_says() {
    let (copied, backup) = ([copied(|_| {})], platform().spec.backup.unwrap());
    let is_due = |snapshot: &str| {
        let run: ServiceBackup = serde_json::from_value(json!({
            "metadata": {"name": "monday", "namespace": "coop"},
            "spec": {"service": "agenda", "requestedBy": "anna"},
            "status": {"phase": "Succeeded", "snapshot": snapshot},
        }))
        .unwrap();
        next_copied(&copied, &[Arc::new(run)], &backup, at("2026-11-30T10:30:00Z")).is_some()
    };
    assert!(is_due(&"d".repeat(64)));
    assert!(!is_due(COPY));
}

#[test]
fn the_job_has_what_may_remove_and_names_the_manifest_alone() {
    let own = Own { namespace: "cloud".into(), backup_image: "backup:1".into(), ..Own::default() };
    let copied = copied(|_| {});
    let job = copied.forget_job(&platform(), &own).unwrap();
    assert_eq!(
        (&job["metadata"]["name"], &job["metadata"]["namespace"]),
        (&json!(copied.forget_name()), &json!("cloud"))
    );
    let text = job.to_string();
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"].as_array().unwrap()[..3], [json!("forget"), json!("--copied"), json!(COPY)]);
    assert!(text.contains("/coop-0a1b2c3d.agenda") && text.contains("backup-key-coop-0a1b2c3d"), "{text}");
    assert!(text.contains("\"name\":\"care\"") && !text.contains("\"name\":\"add\""), "{text}");
}

#[test]
fn the_restore_says_what_became_of_its_copy_and_is_asked_no_more() {
    let subject = copied(|of| {
        let ready = json!({"type": "Ready", "status": "False", "reason": "RestoreDiffers", "message": "",
            "lastTransitionTime": "2026-11-30T09:00:00Z"});
        of["status"]["conditions"] = json!([ready]);
    });
    for (left, reason, status) in
        [(vec![], "SnapshotForgotten", "True"), (vec![COPY.to_owned()], "SnapshotKept", "False")]
    {
        let told = said(&subject, &subject, JobState::Succeeded, Outcome::Left { snapshots: left }).unwrap();
        let kinds: Vec<_> = told.conditions.iter().map(|of| (of.type_.as_str(), of.reason.as_str())).collect();
        assert_eq!(kinds, [("Ready", "RestoreDiffers"), ("SnapshotGone", reason)]);
        assert_eq!(told.conditions[1].status, status);
        let restore = Arc::new(ServiceRestore { status: Some(told), ..(*subject.restore).clone() });
        assert!(!is_due(Copied { restore, ..subject.clone() }, "2026-11-30T12:00:00Z"));
    }
    assert_eq!(said(&subject, &subject, JobState::Succeeded, Outcome::Done), None);
    let left = Outcome::Left { snapshots: Vec::new() };
    assert_eq!(said(&subject, &subject, JobState::Failed(String::new()), left.clone()), None);
    let another = copied(|of| of["metadata"]["uid"] = json!("u2"));
    assert_eq!(said(&subject, &another, JobState::Succeeded, left), None, "of an earlier restore");
}
