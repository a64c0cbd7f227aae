use serde_json::{Value, json};
use test_case::test_case;

use super::super::world::SNAPSHOT;
use super::*;

const NOW: &str = "2026-11-30T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(in super::super) fn consent(change: impl FnOnce(&mut Value)) -> Arc<RestoreConsent> {
    let mut consent = json!({
        "metadata": {
            "name": "to-coop", "namespace": "other", "uid": "c-1", "generation": 1,
            "creationTimestamp": "2026-11-30T10:00:00Z",
        },
        "spec": {
            "service": "calendar", "snapshot": SNAPSHOT, "entity": "coop", "until": "2026-12-07T00:00:00Z",
            "requestedBy": "berta",
        },
    });
    change(&mut consent);
    Arc::new(serde_json::from_value(consent).unwrap())
}

fn restore() -> ServiceRestore {
    let restore = json!({
        "metadata": {"name": "back", "namespace": "coop", "uid": "r-1"},
        "spec": {
            "from": {"service": "calendar", "entity": "other", "snapshot": SNAPSHOT},
            "into": {"kind": "NewService", "service": "calendar"}, "requestedBy": "anna",
        },
    });
    serde_json::from_value(restore).unwrap()
}

fn foreign(consents: Vec<Arc<RestoreConsent>>) -> Foreign {
    let since = Some("2026-01-01T00:00:00Z".parse().unwrap());
    Foreign { entity: "other".to_owned(), consents, since, ..Foreign::default() }
}

fn judged(consents: Vec<Arc<RestoreConsent>>) -> Result<(), String> {
    given(&foreign(consents), &restore(), now()).map_err(|problem| problem.reason)
}

#[test]
fn a_consent_to_this_snapshot_and_this_entity_lets_a_copy_begin() {
    assert_eq!(judged(vec![consent(|_| {})]), Ok(()));
    let expired = consent(|of| of["spec"]["until"] = json!("2026-11-30T11:59:59Z"));
    assert_eq!(judged(vec![Arc::clone(&expired), consent(|_| {})]), Ok(()), "one of two is enough");
    assert_eq!(judged(vec![expired]), Err("ConsentExpired".to_owned()));
    assert_eq!(judged(vec![consent(|of| of["spec"]["until"] = json!(NOW))]), Ok(()), "the last moment");
}

#[test_case("/spec/snapshot", json!("b".repeat(64)); "another snapshot")]
#[test_case("/spec/service", json!("office"); "another service")]
#[test_case("/spec/entity", json!("third"); "another entity")]
#[test_case("/metadata/deletionTimestamp", json!(NOW); "one that is being deleted")]
#[test_case("/metadata/creationTimestamp", json!("2025-12-31T23:59:59Z"); "one from before this entity was made")]
#[test_case("/metadata/creationTimestamp", Value::Null; "one of no known time")]
fn any_other_consent_is_none(path: &str, value: Value) {
    let (parent, field) = path.rsplit_once('/').unwrap();
    let other = consent(|of| of.pointer_mut(parent).unwrap()[field] = value);
    assert_eq!(judged(vec![Arc::clone(&other)]), Err("ConsentMissing".to_owned()));
    assert!(stands(&foreign(vec![other]), &restore()).is_err());
}

#[test]
fn an_entity_that_is_not_known_inherits_nothing() {
    let unknown = Foreign { since: None, ..foreign(vec![consent(|_| {})]) };
    assert!(given(&unknown, &restore(), now()).is_err());
}

#[test]
fn who_lacks_one_learns_what_to_ask_for_and_nothing_of_what_others_have() {
    let to_third = consent(|of| of["spec"]["entity"] = json!("third"));
    let with = given(&foreign(vec![to_third]), &restore(), now()).unwrap_err();
    let without = given(&foreign(Vec::new()), &restore(), now()).unwrap_err();
    assert_eq!(with, without);
    for part in ["namespace other", "service calendar", SNAPSHOT, "entity coop"] {
        assert!(with.message.contains(part), "{}", with.message);
    }
}

#[test]
fn what_has_begun_is_ended_by_whoever_takes_it_back_and_not_by_the_date() {
    let expired = consent(|of| of["spec"]["until"] = json!("2026-11-30T11:00:00Z"));
    assert!(stands(&foreign(vec![expired]), &restore()).is_ok());
    let taken_back = stands(&foreign(Vec::new()), &restore()).unwrap_err();
    assert!(taken_back.is(Reason::ConsentMissing) && taken_back.message.contains("taken back"), "{taken_back:?}");
}

fn seen(consent: Arc<RestoreConsent>) -> SeenConsent {
    let entity_since = Some("2026-01-01T00:00:00Z".parse().unwrap());
    SeenConsent { consent, now: now(), has_snapshot: true, entity_since, restores: Vec::new() }
}

fn ready(seen: &SeenConsent) -> (String, String) {
    let status = consent_status(seen);
    let ready = status.conditions.into_iter().find(|condition| condition.type_ == "Ready").unwrap();
    (ready.status, ready.reason)
}

#[test]
fn a_consent_says_whether_it_holds() {
    let holds = seen(consent(|_| {}));
    assert_eq!(ready(&holds).0, "True");
    let said = |seen: SeenConsent| {
        let (status, reason) = ready(&seen);
        assert_eq!(status, "False");
        reason
    };
    assert_eq!(said(SeenConsent { now: "2026-12-07T00:00:01Z".parse().unwrap(), ..holds.clone() }), "ConsentExpired");
    assert_eq!(said(SeenConsent { has_snapshot: false, ..holds.clone() }), "SnapshotNotFound");
    assert_eq!(said(SeenConsent { entity_since: None, ..holds.clone() }), "ConsentMissing");
    let later = Some("2026-11-30T10:00:01Z".parse().unwrap());
    assert_eq!(said(SeenConsent { entity_since: later, ..holds }), "ConsentMissing");
}

#[test]
fn a_consent_says_who_used_it_also_once_that_restore_is_gone() {
    let used = |name: &str, copied: Option<&str>| {
        let mut restore = restore();
        restore.metadata.name = Some(name.to_owned());
        let status = json!({"copiedAt": copied});
        restore.status = Some(serde_json::from_value(status).unwrap());
        Arc::new(restore)
    };
    let restores = vec![
        used("waits", None),
        used("first", Some("2026-11-30T11:00:00Z")),
        used("last", Some("2026-11-30T11:30:00Z")),
        used("before", Some("2026-11-30T09:00:00Z")),
    ];
    let mut mine = seen(consent(|_| {}));
    mine.restores = restores;
    let status = consent_status(&mine);
    assert_eq!(status.used_by.as_deref(), Some("coop/last"));
    let mut after = RestoreConsent::clone(&mine.consent);
    after.status = Some(status.clone());
    let gone = SeenConsent { consent: Arc::new(after), restores: Vec::new(), has_snapshot: false, ..mine };
    assert_eq!(consent_status(&gone), status, "nothing is written twice");
}
