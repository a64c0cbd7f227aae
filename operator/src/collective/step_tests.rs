use serde_json::{Value, json};

use super::fixtures::{at, manager, member, named, request, with, with_service, written};
use super::*;
use crate::compare::{Action, Change};

/// The kinds and names that a step writes.
fn writes(step: &Step) -> Vec<String> {
    step.changes.iter().map(|change| format!("{}/{}", change.kind, change.name)).collect()
}

/// The facts once nothing is to be written any more, and all writes on the way.
fn settled(facts: &Facts) -> (Facts, Vec<Change>) {
    let (mut facts, mut all) = (facts.clone(), Vec::new());
    for _ in 0..20 {
        let step = next(&facts);
        if step.changes.is_empty() {
            return (facts, all);
        }
        facts = written(&facts, &step.changes);
        all.extend(step.changes);
    }
    panic!("it never ends: {all:?}");
}

/// What was told, without its time.
fn told(facts: &Facts) -> Vec<String> {
    let entries = facts.histories.values().flat_map(|month| month.spec.entries.keys());
    let mut told: Vec<String> = entries.filter_map(|key| Some(key.split_once('-')?.1.to_owned())).collect();
    told.sort();
    told
}

/// anna, who manages the collective and may enter the wiki; bernd, who manages the wiki and is removed.
fn removing() -> Facts {
    let mut bernd = member("bernd", true);
    bernd["removed"] = json!({"by": "person:anna"});
    let people = json!({
        "members": {"annaannaanna": member("anna", true), "berndbernd00": bernd},
        "managers": {"annaannaanna": since("eva"), "berndbernd00": since("eva")},
    });
    let mut manages = since("eva");
    manages["role"] = json!("Manager");
    with(&people, &json!({"annaannaanna": since("eva"), "berndbernd00": manages}))
}

fn since(by: &str) -> Value {
    json!({"by": by, "since": "2026-12-01T00:00:00Z"})
}

const ALL_TOLD: [&str; 10] = [
    "Accepted-annaannaanna",
    "Accepted-berndbernd00",
    "Admitted-annaannaanna-wiki",
    "Dismissed-berndbernd00-wiki",
    "Invited-annaannaanna",
    "Invited-berndbernd00",
    "MadeManager-annaannaanna",
    "MadeManager-berndbernd00",
    "Removed-berndbernd00",
    "UnmadeManager-berndbernd00",
];

#[test]
fn what_is_missing_is_made_once_and_then_nothing_is() {
    let mut facts = named(&[manager("anna", Some("anna@example.org"))]);
    facts.services.insert("wiki".to_owned(), vec![manager("bernd", Some("bernd@example.org"))]);
    facts.kept.insert("wiki".to_owned());
    let (facts, all) = settled(&facts);
    let made: Vec<&str> = all
        .iter()
        .filter(|change| matches!(change.action, Action::Create(_)))
        .map(|change| change.kind.as_str())
        .collect();
    assert_eq!(made, ["Collective", "AccessHistory", "Access"]);
    let people = &facts.collective.as_ref().unwrap().spec;
    assert_eq!((people.members.len(), people.managers.len()), (2, 1));
    assert_eq!(facts.accesses["wiki"].spec.people.len(), 1);
    assert_eq!(told(&facts).len(), 4, "{:?}", told(&facts));
    assert_eq!(next(&facts).changes, []);
}

#[test]
fn whoever_is_removed_leaves_each_access_first_and_the_collective_last() {
    let (facts, all) = settled(&removing());
    assert_eq!(told(&facts), ALL_TOLD);
    let people = &facts.collective.as_ref().unwrap().spec;
    assert!(!people.members.contains_key("berndbernd00") && !people.managers.contains_key("berndbernd00"));
    assert_eq!(facts.accesses["wiki"].spec.people.len(), 1);
    let took = |change: &&Change| match &change.action {
        Action::Merge { patch, .. } => {
            let nulls = ["/spec/people/berndbernd00", "/spec/members/berndbernd00"].map(|path| patch.pointer(path));
            nulls.contains(&Some(&Value::Null))
        }
        _ => false,
    };
    let taken: Vec<&str> = all.iter().filter(took).map(|change| change.kind.as_str()).collect();
    assert_eq!(taken, ["Access", "Collective"]);
    let history = &facts.histories["2026-12"].spec.entries;
    let removal = history.values().find(|entry| entry.change == crate::api::AccessChange::Removed).unwrap();
    assert_eq!((removal.by.as_str(), removal.at.0), ("person:anna", at(fixtures::NOW)));
}

/// At each write: what was written so far is there, what comes after is not, and a fresh operator goes on a while
/// later.
#[test]
fn whoever_is_killed_after_any_write_tells_each_change_once() {
    let mut kills = 0;
    let mut facts = removing();
    loop {
        let step = next(&facts);
        if step.changes.is_empty() {
            break;
        }
        for count in 0..=step.changes.len() {
            let mut cut = written(&facts, &step.changes[..count]);
            cut.now = at("2026-12-15T12:03:00Z");
            let (after, _) = settled(&cut);
            assert_eq!(told(&after), ALL_TOLD, "after {count} of {:?}", writes(&step));
            kills += 1;
        }
        facts = written(&facts, &step.changes);
    }
    assert!(kills >= 8, "{kills}");
}

#[test]
fn nothing_is_told_of_whoever_still_has_a_right_and_the_right_is_taken_in_the_end() {
    let mut facts = removing();
    facts.excess.insert("commonscloud-access-wiki".to_owned(), ["person:bernd".to_owned()].into());
    let mends = facts.change("RoleBinding", "commonscloud-access-wiki", Action::Delete { uid: "b".to_owned() });
    facts.rights = vec![mends.clone()];
    let (facts, _) = settled(&facts);
    assert!(!told(&facts).iter().any(|told| told.starts_with("Dismissed") || told.starts_with("Removed")));
    assert!(facts.accesses["wiki"].spec.people.contains_key("berndbernd00"));
    let step = next(&facts);
    assert!(step.is_fleeting && step.again.is_some(), "{step:?}");
    let later = Facts { now: at("2026-12-15T12:00:10Z"), ..facts.clone() };
    assert_eq!(next(&later).changes, [mends], "the Entity's own pass did not take it");
    assert_eq!(verdict(&later, None).shown().len(), 2, "it is told what it waits for");
    let free = Facts { excess: [].into(), rights: Vec::new(), ..later };
    assert_eq!(told(&settled(&free).0), ALL_TOLD);
}

#[test]
fn nobody_is_told_gone_while_an_access_cannot_be_read() {
    let mut facts = removing();
    facts.unreadable.push(
        crate::cache::Undecodable {
            kind: "Access".to_owned(),
            name: "office".to_owned(),
            ..crate::cache::Undecodable::default()
        }
        .into(),
    );
    let (facts, _) = settled(&facts);
    assert!(told(&facts).contains(&"Dismissed-berndbernd00-wiki".to_owned()), "what can be read goes on");
    assert!(facts.member("berndbernd00").is_some());
    assert!(verdict(&facts, None).shown().len() > 1);
}

#[test]
fn a_guest_goes_when_the_date_has_passed_and_the_next_date_is_waited_for() {
    let guest = |until: &str| {
        json!({"by": "eva", "since": "2026-12-01T00:00:00Z", "until": until,
               "guest": {"displayName": "Gast", "mail": "gast@example.org"}})
    };
    let people = json!({"guestguest00": guest("2026-12-15T12:00:00Z"), "guestguest11": guest("2026-12-15T12:10:00Z")});
    let (facts, _) = settled(&with(&json!({}), &people));
    let left: Vec<&String> = facts.accesses["wiki"].spec.people.keys().collect();
    assert_eq!(left, ["guestguest11"]);
    let dismissed = facts.histories["2026-12"].spec.entries.values();
    let dismissed: Vec<_> = dismissed.filter(|entry| entry.change == crate::api::AccessChange::Dismissed).collect();
    assert_eq!((dismissed.len(), dismissed[0].by.as_str()), (1, "system:serviceaccount:system:operator"));
    assert_eq!(dismissed[0].display_name, "Gast");
    assert_eq!(next(&facts).again, Some(std::time::Duration::from_secs(601)));
}

#[test]
fn a_member_leaves_with_all_access_and_the_request_goes_last() {
    let people = json!({
        "members": {"annaannaanna": member("anna", true), "berndbernd00": member("bernd", true)},
        "managers": {"annaannaanna": since("eva")},
    });
    let mut facts = with(&people, &json!({"berndbernd00": since("eva")}));
    facts.requests = vec![request("b", "person:bernd"), request("a", "person:anna")];
    let (facts, all) = settled(&facts);
    assert_eq!(all.last().map(|change| change.name.as_str()), Some("b"));
    assert!(facts.member("berndbernd00").is_none() && facts.member("annaannaanna").is_some());
    assert!(facts.accesses["wiki"].spec.people.is_empty());
    assert!(facts.histories["2026-12"].spec.entries.values().any(|entry| entry.by == "person:bernd"));
    assert_eq!(facts.requests.len(), 1, "the last manager is still here, and asks");
    assert!(request_status(&facts, &facts.requests[0]).is_some());
}

#[test]
fn an_access_is_kept_as_long_as_the_data_of_its_service() {
    let mut facts = with(&json!({}), &json!({}));
    let mut access = crate::api::Access::clone(&facts.accesses["wiki"]);
    access.metadata.resource_version = Some("7".to_owned());
    facts.accesses.insert("wiki".to_owned(), access.into());
    facts.services.clear();
    assert_eq!(next(&facts).changes, [], "its record is there");
    facts.kept.clear();
    assert_eq!(writes(&next(&facts)), ["Access/wiki"]);
    assert!(matches!(next(&facts).changes[0].action, Action::Discard { .. }));
}

#[test]
fn an_access_that_was_brought_back_waits_a_day_for_its_service() {
    let mut facts = with(&json!({}), &json!({}));
    let mut access = crate::api::Access::clone(&facts.accesses["wiki"]);
    access.metadata.resource_version = Some("7".to_owned());
    access.metadata.creation_timestamp = Some(serde_json::from_value(json!("2026-12-15T11:59:00Z")).unwrap());
    access.metadata.annotations = Some([(crate::api::marks::RECOVERED.to_owned(), "former".to_owned())].into());
    facts.accesses.insert("wiki".to_owned(), access.into());
    facts.services.clear();
    facts.kept.clear();
    let step = next(&facts);
    assert_eq!((step.changes, step.again), (Vec::new(), Some(std::time::Duration::from_hours(1))));
    let later = Facts { now: at("2026-12-16T11:59:00Z"), ..facts };
    assert_eq!(writes(&next(&later)), ["Access/wiki"]);
}

#[test]
fn what_cannot_be_made_keeps_nobody_on_a_list() {
    let mut facts = removing();
    facts.services.insert("office".to_owned(), vec![manager("eva", Some("eva@example.org"))]);
    facts.kept.insert("office".to_owned());
    let is_about_eva = |change: &Change| format!("{change:?}").contains("eva@example.org");
    for _ in 0..20 {
        let step = next(&facts);
        // As if the API server refused her for ever.
        if step.changes.iter().any(is_about_eva) {
            assert!(facts.member("berndbernd00").is_none(), "who was removed is gone by then");
            return;
        }
        facts = written(&facts, &step.changes);
    }
    panic!("eva is never invited");
}

#[test]
fn an_entry_of_whoever_had_the_id_before_lets_nobody_in() {
    let entry = |since: &str| json!({"by": "eva", "role": "Manager", "since": since});
    let people = json!({"members": {"annaannaanna": member("anna", true), "berndbernd00": member("bernd", true)}});
    let left = json!({"annaannaanna": entry("2026-11-30T23:58:00Z"), "berndbernd00": entry("2026-11-30T23:59:30Z")});
    let (facts, _) = settled(&with(&people, &left));
    let ids: Vec<&String> = facts.accesses["wiki"].spec.people.keys().collect();
    assert_eq!(ids, ["berndbernd00"], "but clocks differ");
    let dismissed = facts.histories["2026-12"].spec.entries.values();
    let mut dismissed = dismissed.filter(|entry| entry.change == crate::api::AccessChange::Dismissed);
    assert!(dismissed.any(|entry| entry.person == "annaannaanna" && entry.by == facts.operator));
}

#[test]
fn what_the_operator_writes_is_about_the_version_that_it_saw() {
    let mut facts = with_service("wiki", &[]);
    let mut collective = crate::api::Collective::clone(facts.collective.as_ref().unwrap());
    collective.metadata.uid = Some("c1".to_owned());
    collective.metadata.resource_version = Some("7".to_owned());
    let unstamped = json!({"displayName": "Anna", "mail": "anna@example.org", "by": "eva"});
    collective.spec.members.insert("annaannaanna".to_owned(), serde_json::from_value(unstamped).unwrap());
    facts.collective = Some(collective.into());
    facts.services.clear();
    let step = next(&facts);
    let Action::Merge { patch, because } = &step.changes[0].action else { panic!("{step:?}") };
    assert_eq!(patch["metadata"], json!({"uid": "c1", "resourceVersion": "7"}));
    assert_eq!(patch["spec"], json!({"members": {"annaannaanna": {"since": fixtures::NOW}}}));
    assert!(!because.contains("anna"), "what is written is logged: {because}");
}
