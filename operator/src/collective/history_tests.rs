use serde_json::json;

use super::fixtures::{at, facts, member, with, written};
use super::history::{History, MOST, key, month, over, told};
use super::*;
use crate::api::AccessChange;
use crate::compare::Action;

/// The keys of all that is told.
fn keys(facts: &Facts) -> Vec<String> {
    facts.histories.values().flat_map(|month| month.spec.entries.keys().cloned()).collect()
}

/// The facts once all is told.
fn all_told(facts: &Facts) -> Facts {
    let changes = told(facts, &History::of(facts));
    written(facts, &changes)
}

#[test]
fn each_entry_is_told_once_in_the_month_of_its_time() {
    let people = json!({
        "members": {"annaannaanna": member("anna", false)},
        "managers": {"annaannaanna": {"by": "eva", "since": "2026-11-30T23:59:59Z"}},
    });
    let access = json!({"annaannaanna": {"by": "eva", "role": "Manager", "since": "2026-12-02T00:00:00Z"}});
    let facts = all_told(&with(&people, &access));
    let months: Vec<&String> = facts.histories.keys().collect();
    assert_eq!(months, ["2026-11", "2026-12"]);
    let mut keys = keys(&facts);
    keys.sort();
    let expected = [
        "1796083199-MadeManager-annaannaanna",
        "1796083200-Invited-annaannaanna",
        "1796169600-Appointed-annaannaanna-wiki",
    ];
    assert_eq!(keys, expected);
    let entry = &facts.histories["2026-12"].spec.entries["1796083200-Invited-annaannaanna"];
    assert_eq!((entry.by.as_str(), entry.display_name.as_str()), ("eva", "anna"));
    assert_eq!(told(&facts, &History::of(&facts)), [], "once");
}

#[test]
fn the_time_of_the_tests_is_what_their_keys_say() {
    let since = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at("2026-12-01T00:00:00Z"));
    assert_eq!(key(&since, AccessChange::Removed, "a", Some("wiki")), "1796083200-Removed-a-wiki");
    assert_eq!(month(at("2026-12-01T00:00:00Z")), "2026-12");
    assert_eq!(month(at("2026-11-30T23:59:59Z")), "2026-11");
}

#[test]
fn an_invitation_that_is_accepted_is_told_and_the_address_goes_after_that() {
    let mut accepted = member("anna", true);
    accepted["mail"] = json!("anna@example.org");
    let before = with(&json!({"members": {"annaannaanna": accepted}}), &json!({}));
    let facts = all_told(&before);
    let entry = &facts.histories["2026-12"].spec.entries["1796083200-Accepted-annaannaanna"];
    assert_eq!(entry.by, "person:anna");
    let step = next(&facts);
    let Action::Merge { patch, .. } = &step.changes[0].action else { panic!("{step:?}") };
    assert_eq!(patch["spec"], json!({"members": {"annaannaanna": {"mail": null}}}));
    let facts = written(&facts, &step.changes);
    assert_eq!(next(&facts).changes, []);
    assert!(!json!(facts.histories["2026-12"].as_ref()).to_string().contains("example.org\""), "no mail address");
}

#[test]
fn who_is_promoted_and_made_a_user_again_is_told_each_time() {
    let people = json!({"members": {"annaannaanna": member("anna", true)}});
    let entry =
        |role: &str, by: &str| json!({"annaannaanna": {"by": by, "role": role, "since": "2026-12-02T00:00:00Z"}});
    let mut facts = all_told(&with(&people, &entry("User", "eva")));
    for (role, by, change) in [
        ("Manager", "bernd", AccessChange::Appointed),
        ("User", "carla", AccessChange::Dismissed),
        ("Manager", "doris", AccessChange::Appointed),
    ] {
        let before = keys(&facts).len();
        let next = with(&people, &entry(role, by));
        facts = all_told(&Facts { histories: facts.histories, ..next });
        assert_eq!(keys(&facts).len(), before + 1, "{role}: in one second, each is told");
        let entries = &facts.histories["2026-12"].spec.entries;
        let last = entries.values().max_by_key(|entry| entry.at.0).unwrap();
        assert_eq!((last.change, last.by.as_str()), (change, by));
        assert_eq!(told(&facts, &History::of(&facts)), [], "once");
    }
}

#[test]
fn what_is_older_than_is_kept_is_not_told_and_its_months_go() {
    let mut old = member("anna", true);
    old["since"] = json!("2024-01-01T00:00:00Z");
    let facts = with(&json!({"members": {"annaannaanna": old}}), &json!({}));
    assert_eq!(told(&facts, &History::of(&facts)), [], "730 days");
    let month = |name: &str| crate::api::AccessHistory {
        metadata: serde_json::from_value(json!({"name": name, "namespace": "coop", "uid": name})).unwrap(),
        ..crate::api::AccessHistory::new(name, crate::api::AccessHistorySpec::default())
    };
    let mut facts = self::facts();
    for name in ["2024-11", "2024-11-2", "2024-12", "2026-12", "by-hand", "2024-01-x"] {
        facts.histories.insert(name.to_owned(), month(name).into());
    }
    let gone: Vec<String> = over(&facts, &History::of(&facts)).into_iter().map(|change| change.name).collect();
    assert_eq!(gone, ["2024-11", "2024-11-2"], "the days of a month that are kept keep all of it");
}

#[test]
fn a_month_that_cannot_be_read_is_left_alone() {
    let mut facts = with(&json!({"members": {"annaannaanna": member("anna", true)}}), &json!({}));
    facts.unreadable.push(
        crate::cache::Undecodable {
            kind: "AccessHistory".to_owned(),
            name: "2026-12".to_owned(),
            ..crate::cache::Undecodable::default()
        }
        .into(),
    );
    assert_eq!(told(&facts, &History::of(&facts)), []);
}

#[test]
fn a_month_that_is_full_goes_on_in_another_object() {
    let member = |number: usize| (format!("member{number:06}"), member(&format!("m{number}"), false));
    let members: serde_json::Map<String, serde_json::Value> = (0..=MOST).map(member).collect();
    let before = with(&json!({"members": members}), &json!({}));
    let facts = all_told(&before);
    let counts: Vec<(&str, usize)> =
        facts.histories.iter().map(|(name, month)| (name.as_str(), month.spec.entries.len())).collect();
    assert_eq!(counts, [("2026-12", MOST), ("2026-12-2", 1)]);
    assert_eq!(told(&facts, &History::of(&facts)), [], "once");
}

#[test]
fn an_object_that_is_full_of_the_longest_names_is_one_that_etcd_takes() {
    let long = |count: usize| "\u{1F331}".repeat(count);
    let entry = json!({
        "at": fixtures::NOW, "by": long(320), "change": "UnmadeManager", "person": "a".repeat(26),
        "displayName": long(120), "service": "s".repeat(30),
    });
    let at = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(fixtures::NOW));
    let key = key(&at, AccessChange::UnmadeManager, &"a".repeat(26), Some(&"s".repeat(30)));
    // What managedFields say of each entry beside its key.
    let fields = r#""f:":{".":{},"f:at":{},"f:by":{},"f:change":{},"f:displayName":{},"f:person":{},"f:service":{}},"#;
    let each = entry.to_string().len() + 2 * key.len() + fields.len() + 4;
    assert!(each * MOST < 1536 << 10, "{each} bytes each");
}
