//! Whose turn it is, and who is not proven.

use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-11-30T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn drill(entity: &str, made: &str, status: Value) -> Arc<ServiceRestore> {
    let drill = json!({
        "metadata": {
            "name": format!("{entity}.office-{}", &made[..10]), "namespace": marks::DRILLS, "uid": made,
            "creationTimestamp": made,
        },
        "spec": {
            "from": {"entity": entity, "service": "office", "snapshot": "a".repeat(64)}, "into": {"kind": "Drill"},
            "requestedBy": "operator",
        },
        "status": status,
    });
    Arc::new(serde_json::from_value(drill).unwrap())
}

fn failed(entity: &str, made: &str, has_volumes: bool) -> Arc<ServiceRestore> {
    let volumes = if has_volumes { json!([{"name": "data", "claim": "office-data", "uid": "p"}]) } else { json!([]) };
    let ready = json!({
        "type": "Ready", "status": "False", "reason": "RestoreDiffers", "message": "3 rows, not 4",
        "lastTransitionTime": made,
    });
    drill(entity, made, json!({"phase": "Failed", "endedAt": made, "volumes": volumes, "conditions": [ready]}))
}

fn office(entity: &str, proven: Option<&str>, drills: &[Arc<ServiceRestore>]) -> Drilled {
    Drilled {
        entity: entity.to_owned(),
        service: "office".to_owned(),
        since: at("2026-01-01T00:00:00Z"),
        newest: Some("b".repeat(64)),
        proven_at: proven.map(at),
        drills: drills.iter().filter(|drill| is_of(drill, entity, "office")).cloned().collect(),
        barred: None,
        is_busy: false,
    }
}

fn turns(services: &[Drilled], drills: &[Arc<ServiceRestore>]) -> DrillTurns {
    drill_turns(&services.iter().collect::<Vec<_>>(), drills, &DrillRule::default(), at(NOW))
}

fn made(services: &[Drilled], drills: &[Arc<ServiceRestore>]) -> Option<String> {
    turns(services, drills).make.map(|turn| turn.name)
}

#[test]
fn who_was_not_tried_for_the_longest_time_comes_first() {
    let never = office("never", None, &[]);
    let long_ago = office("long-ago", Some("2026-11-01T00:00:00Z"), &[]);
    let lately = office("lately", Some("2026-11-29T00:00:00Z"), &[]);
    let all = [lately.clone(), long_ago.clone(), never];
    let turn = turns(&all, &[]).make.unwrap();
    assert_eq!((turn.entity.as_str(), turn.snapshot), ("never", "b".repeat(64)));
    assert_eq!(turn.name, "never.office-20261130-1200");
    assert_eq!(made(&[lately.clone(), long_ago], &[]).as_deref(), Some("long-ago.office-20261130-1200"));
    assert_eq!(made(&[lately], &[]), None, "its week is not over");
}

#[test]
fn nothing_is_drilled_that_cannot_be_or_is_at_work() {
    let whole = office("coop", None, &[]);
    assert!(made(std::slice::from_ref(&whole), &[]).is_some());
    let barred = Drilled { barred: Some(Problem::new(Reason::DrillTooLarge, "it is")), ..whole.clone() };
    let busy = Drilled { is_busy: true, ..whole.clone() };
    let nothing = Drilled { newest: None, ..whole.clone() };
    assert_eq!(made(&[barred.clone(), busy, nothing], &[]), None);
    assert!(barred.unproven(&DrillRule::default(), at(NOW)).unwrap().is(Reason::DrillTooLarge));
    let off = DrillRule { enabled: false, ..DrillRule::default() };
    assert_eq!(drill_turns(&[&whole], &[], &off, at(NOW)), DrillTurns::default());
    assert_eq!(barred.unproven(&off, at(NOW)), None);
}

#[test]
fn one_is_at_work_at_a_time() {
    let others = drill("other", "2026-11-30T11:00:00Z", json!({"phase": "Files"}));
    let services = [office("coop", None, &[]), office("other", None, &[Arc::clone(&others)])];
    assert_eq!(turns(&services, &[others]), DrillTurns::default());
}

/// A target that is broken fails the drills of all services that are there.
#[test]
fn a_failed_drill_keeps_no_other_service_waiting_and_is_made_again_after_a_day() {
    let young = [failed("other", "2026-11-30T11:59:00Z", true), failed("third", "2026-11-30T11:00:00Z", true)];
    let services = |drills: &[Arc<ServiceRestore>]| {
        ["coop", "other", "third"].map(|entity| office(entity, None, drills)).into_iter().collect::<Vec<_>>()
    };
    let next = turns(&services(&young), &young);
    assert!(next.make.unwrap().name.starts_with("coop."));
    assert!(next.remove.is_empty(), "what they left gives way where its room is needed, and says why until then");
    assert_eq!(made(&services(&young)[1..], &young), None, "a day has not passed");
    let old = [failed("other", "2026-11-29T12:00:00Z", true)];
    let again = turns(&services(&old)[1..2], &old);
    assert_eq!(again.make.unwrap().entity, "other", "a day later, not a week");
    assert_eq!(again.remove, old);
}

#[test]
fn a_drill_of_a_service_that_is_gone_or_was_drilled_since_is_removed() {
    let drills = [
        drill("coop", "2026-11-20T00:00:00Z", json!({"phase": "Succeeded"})),
        drill("coop", "2026-11-27T00:00:00Z", json!({"phase": "Succeeded"})),
        drill("gone", "2026-11-27T00:00:00Z", json!({"phase": "Succeeded"})),
    ];
    let office = office("coop", Some("2026-11-27T00:00:00Z"), &drills);
    assert_eq!(office.proof().as_deref(), Some("coop.office-2026-11-27"));
    let next = turns(&[office], &drills);
    assert_eq!(next.remove, [Arc::clone(&drills[0]), Arc::clone(&drills[2])]);
    assert_eq!(next.make, None);
}

#[test]
fn a_service_says_that_its_drill_failed_or_that_none_was_for_two_weeks() {
    let rule = DrillRule::default();
    let told = |office: &Drilled| office.unproven(&rule, at(NOW));
    let failing = office("coop", Some("2026-11-23T00:00:00Z"), &[failed("coop", "2026-11-30T00:00:00Z", true)]);
    let problem = told(&failing).unwrap();
    assert!(problem.is(Reason::DrillFailed) && problem.message.contains("RestoreDiffers: 3 rows"), "{problem:?}");
    assert_eq!(told(&office("coop", Some("2026-11-17T00:00:00Z"), &[])), None);
    let late = told(&office("coop", Some("2026-11-16T00:00:00Z"), &[])).unwrap();
    assert!(late.is(Reason::RestoreUnproven) && late.message.contains("since 2026-11-16T00:00:00Z"), "{late:?}");
    let new = Drilled { since: at("2026-11-29T00:00:00Z"), ..office("coop", None, &[]) };
    assert_eq!(told(&new), None, "its time has not come");
    assert!(told(&office("coop", None, &[])).unwrap().is(Reason::RestoreUnproven));
}
