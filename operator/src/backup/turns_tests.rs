//! Whose turn it is, window by window.

use proptest::prelude::*;
use serde_json::{Value, json};
use test_case::test_case;

use super::*;
use crate::api::Reason;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn run(service: &str, name: &str, made: Timestamp, status: Value) -> Arc<ServiceBackup> {
    let run = json!({
        "metadata": {"name": name, "namespace": "coop", "uid": name, "creationTimestamp": made.to_string()},
        "spec": {"service": service, "requestedBy": "operator", "reason": "Scheduled"}, "status": status,
    });
    Arc::new(serde_json::from_value(run).unwrap())
}

fn succeeded(taken: &str) -> Value {
    json!({"phase": "Succeeded", "snapshot": "a".repeat(64), "takenAt": taken, "endedAt": taken})
}

fn failed(ended: &str) -> Value {
    json!({"phase": "Failed", "endedAt": ended})
}

/// A service that is backed up between one and five in the morning, made in January, with these runs: name after
/// `office-`, when it was made, status.
fn office(runs: &[(&str, &str, Value)]) -> Scheduled {
    let schedule = Schedule::new("0 1 * * *", "Etc/UTC").unwrap();
    let runs =
        runs.iter().map(|(name, made, status)| run("office", &format!("office-{name}"), at(made), status.clone()));
    let times = Times { offset: SignedDuration::from_mins(30), window: SignedDuration::from_mins(240), schedule };
    Scheduled {
        entity: "coop".to_owned(),
        service: "office".to_owned(),
        since: at("2026-01-01T12:00:00Z"),
        times,
        runs: runs.collect(),
        held: None,
        is_restored: false,
    }
}

/// `WHEN NAME`, what is to begin; `WHEN` while it is at work.
fn next(service: &Scheduled, now: &str) -> String {
    let outlook = service.outlook(at(now)).unwrap();
    outlook.name.map_or(outlook.next.to_string(), |name| format!("{} {name}", outlook.next))
}

#[test]
fn a_service_runs_once_in_each_window_at_its_own_time() {
    let done = ("20261130-0100", "2026-11-30T01:30:05Z", succeeded("2026-11-30T01:31:00Z"));
    assert_eq!(next(&office(&[]), "2026-11-30T01:30:00Z"), "2026-11-30T01:30:00Z office-20261130-0100");
    let at_work = ("20261130-0100", "2026-11-30T01:30:05Z", json!({"phase": "FirstPass"}));
    assert_eq!(next(&office(&[at_work]), "2026-11-30T01:40:00Z"), "2026-11-30T01:30:00Z");
    let after = office(&[done]);
    for now in ["2026-11-30T01:40:00Z", "2026-12-01T00:59:00Z", "2026-12-01T01:20:00Z", "2026-12-01T01:30:00Z"] {
        assert_eq!(next(&after, now), "2026-12-01T01:30:00Z office-20261201-0100", "{now}");
    }
}

#[test]
fn what_was_missed_while_the_operator_was_down_is_made_once() {
    let days_ago = ("20261125-0100", "2026-11-25T01:30:05Z", succeeded("2026-11-25T01:31:00Z"));
    let back = office(std::slice::from_ref(&days_ago));
    assert_eq!(next(&back, "2026-11-30T11:00:00Z"), "2026-11-30T01:30:00Z office-20261130-0100");
    let made = ("20261130-0100", "2026-11-30T11:00:05Z", succeeded("2026-11-30T11:01:00Z"));
    assert_eq!(next(&office(&[days_ago, made]), "2026-11-30T11:10:00Z"), "2026-12-01T01:30:00Z office-20261201-0100");
}

#[test]
fn a_service_that_was_made_after_its_turn_waits_for_the_next_one() {
    let mut young = office(&[]);
    young.since = at("2026-11-30T10:00:00Z");
    assert_eq!(next(&young, "2026-11-30T10:30:00Z"), "2026-12-01T01:30:00Z office-20261201-0100");
    assert!(!young.outlook(at("2026-11-30T10:30:00Z")).unwrap().is_late);
}

#[test]
fn a_failed_run_is_tried_again_twice_with_growing_waits() {
    let first = ("20261130-0100", "2026-11-30T01:30:00Z", failed("2026-11-30T01:40:00Z"));
    let second = ("20261130-0100-2", "2026-11-30T01:50:00Z", failed("2026-11-30T02:00:00Z"));
    let third = ("20261130-0100-3", "2026-11-30T02:40:00Z", failed("2026-11-30T02:50:00Z"));
    let now = "2026-11-30T03:00:00Z";
    assert_eq!(next(&office(std::slice::from_ref(&first)), now), "2026-11-30T01:50:00Z office-20261130-0100-2");
    assert_eq!(next(&office(&[first.clone(), second.clone()]), now), "2026-11-30T02:40:00Z office-20261130-0100-3");
    assert_eq!(next(&office(&[first, second, third.clone()]), now), "2026-12-01T01:30:00Z office-20261201-0100");
    assert_eq!(
        next(&office(&[third]), now),
        "2026-12-01T01:30:00Z office-20261201-0100",
        "though the first two are not remembered"
    );
}

#[test]
fn no_try_begins_after_the_window_but_one_that_began_late_has_its_time() {
    let late = ("20261130-0100", "2026-11-30T04:50:00Z", failed("2026-11-30T08:55:00Z"));
    assert_eq!(next(&office(&[late]), "2026-11-30T09:30:00Z"), "2026-12-01T01:30:00Z office-20261201-0100");
    let missed = ("20261130-0100", "2026-11-30T11:00:00Z", failed("2026-11-30T11:05:00Z"));
    assert_eq!(next(&office(&[missed]), "2026-11-30T11:30:00Z"), "2026-11-30T11:15:00Z office-20261130-0100-2");
}

#[test_case(json!({"phase": "Succeeded", "snapshot": "s", "takenAt": "2026-11-30T01:31:00Z"}), false; "a backup")]
#[test_case(json!({"phase": "Succeeded", "snapshot": "s", "takenAt": "2026-11-29T01:31:00Z"}), true; "one of the window before")]
#[test_case(json!({"phase": "Failed", "takenAt": "2026-11-30T01:31:00Z"}), true; "a run that failed")]
#[test_case(json!({"phase": "Recording", "takenAt": "2026-11-30T01:31:00Z"}), true; "a run that has not ended")]
fn who_has_no_backup_of_the_window_that_ended_is_late(status: Value, is_late: bool) {
    let service = office(&[("x", "2026-11-30T01:30:00Z", status)]);
    let before = service.outlook(at("2026-11-30T04:59:59Z")).unwrap();
    assert!(before.turns <= at("2026-11-30T05:00:00Z"), "it is judged when the window ends");
    assert_eq!(service.outlook(at("2026-11-30T05:00:00Z")).unwrap().is_late, is_late);
}

#[test]
fn a_snapshot_that_is_gone_is_no_backup() {
    let mut status = succeeded("2026-11-30T01:31:00Z");
    let condition = json!({
        "type": "SnapshotGone", "status": "True", "reason": "X", "message": "", "lastTransitionTime": "2026-11-30T02:00:00Z",
    });
    status["conditions"] = json!([condition]);
    let service = office(&[("20261130-0100", "2026-11-30T01:30:00Z", status)]);
    assert!(service.outlook(at("2026-11-30T06:00:00Z")).unwrap().is_late);
}

/// Its run was made in this night, by the API server's clock.
#[test_case("2026-11-30T01:30:00Z", false; "in the window")]
#[test_case("2026-11-28T01:30:00Z", true; "two nights before")]
fn a_backup_of_a_clock_that_was_a_year_ahead_is_as_old_as_its_run(made: &str, is_late: bool) {
    let service = office(&[("x", made, succeeded("2027-11-30T01:31:00Z"))]);
    assert_eq!(service.outlook(at("2026-11-30T06:00:00Z")).unwrap().is_late, is_late);
}

/// The window of a year ago has another name, and so has its run.
#[test]
fn runs_of_a_clock_that_was_a_year_off_keep_none_of_today_from_its_turn() {
    let behind = ("20251130-0100", "2026-11-30T01:30:05Z", succeeded("2025-11-30T01:31:00Z"));
    let ahead = ("20271130-0100", "2026-11-30T01:40:05Z", succeeded("2027-11-30T01:31:00Z"));
    let service = office(&[behind, ahead]);
    assert_eq!(next(&service, "2026-11-30T02:00:00Z"), "2026-11-30T01:30:00Z office-20261130-0100");
    assert_eq!(turns(&[service], &[], 1, at("2026-11-30T02:00:00Z")).begin.len(), 1);
}

/// Services `s00`, `s01`, ... whose turns all come at half past one, none of which was ever backed up.
fn many(count: usize) -> Vec<Scheduled> {
    let named = |number: usize| Scheduled { service: format!("s{number:02}"), ..office(&[]) };
    (0..count).map(named).collect()
}

const NIGHT: &str = "2026-11-30T01:30:00Z";

#[test]
fn at_most_so_many_runs_are_at_work() {
    let working: Vec<_> =
        (0..3).map(|n| run("x", &format!("x-{n}"), at(NIGHT), json!({"phase": "FirstPass"}))).collect();
    assert_eq!(turns(&many(9), &[], 4, at(NIGHT)).begin.len(), 4);
    assert_eq!(turns(&many(9), &working, 4, at(NIGHT)).begin.len(), 1);
    assert_eq!(turns(&many(9), &working, 2, at(NIGHT)).begin.len(), 0);
}

#[test]
fn who_waits_in_vain_keeps_nobody_waiting() {
    let waits = |made: &str| [run("x", "x-1", at(made), json!({"phase": "Waiting"}))];
    assert_eq!(turns(&many(2), &waits("2026-11-30T01:29:00Z"), 1, at(NIGHT)).begin.len(), 0, "it is about to begin");
    assert_eq!(turns(&many(2), &waits("2026-11-30T01:00:00Z"), 1, at(NIGHT)).begin.len(), 1);
}

/// Thirty that are asked for at one moment, each at work for forty minutes: whoever waits, waits for long.
#[test]
fn what_is_asked_for_at_once_begins_in_its_order_and_never_more_than_are_let() {
    let condition = json!({
        "type": "Ready", "status": "False", "reason": "WaitsForTurn", "message": "", "lastTransitionTime": NIGHT,
    });
    let waits = json!({"phase": "Waiting", "conditions": [condition]});
    let mut runs: Vec<_> = (0..30).map(|n| run("x", &format!("x-{n:02}"), at(NIGHT), waits.clone())).collect();
    let (mut now, mut at_work, mut begun) = (at(NIGHT), Vec::<(Timestamp, usize)>::new(), Vec::new());
    while begun.len() < 30 {
        at_work.retain(|(since, number)| {
            let works = now.duration_since(*since) < SignedDuration::from_mins(40);
            if !works {
                runs[*number] = run("x", &format!("x-{number:02}"), at(NIGHT), failed(NIGHT));
            }
            works
        });
        let unfinished: Vec<_> = runs.iter().filter(|run| !has_ended(run)).cloned().collect();
        let free = |number: &usize| !begun.contains(number) && ahead(&runs[*number], &unfinished, now) < 3;
        // All at once, as workers side by side do.
        for number in (0..30).filter(free).collect::<Vec<_>>() {
            runs[number] = run("x", &format!("x-{number:02}"), at(NIGHT), json!({"phase": "FirstPass"}));
            at_work.push((now, number));
            begun.push(number);
        }
        assert!(at_work.len() <= 3, "{at_work:?}");
        now = after(now, SignedDuration::from_mins(1));
        assert!(now.duration_since(at(NIGHT)) < SignedDuration::from_hours(10), "{begun:?}");
    }
    assert_eq!(begun, (0..30).collect::<Vec<_>>());
}

#[test]
fn who_waits_for_something_else_than_its_turn_keeps_no_younger_one_waiting_for_long() {
    let stuck = run("x", "stuck", at("2026-11-30T01:00:00Z"), json!({"phase": "Waiting"}));
    let asked = run("y", "asked", at("2026-11-30T01:10:00Z"), json!({}));
    let others = [stuck, Arc::clone(&asked)];
    assert_eq!(ahead(&asked, &others, at("2026-11-30T01:14:00Z")), 1, "it is about to begin");
    assert_eq!(ahead(&asked, &others, at("2026-11-30T01:15:00Z")), 0);
    assert_eq!(ahead(&others[0], &others, at("2026-11-30T01:14:00Z")), 0, "the older one");
}

fn waiting(name: &str, made: &str, reason: Reason) -> Arc<ServiceBackup> {
    saying(name, made, "Waiting", reason)
}

fn saying(name: &str, made: &str, phase: &str, reason: Reason) -> Arc<ServiceBackup> {
    let condition = json!({
        "type": "Ready", "status": "False", "reason": reason.name(), "message": "", "lastTransitionTime": NIGHT,
    });
    run("x", name, at(made), json!({"phase": phase, "conditions": [condition]}))
}

/// Its repository may be pruned for hours.
#[test]
fn who_waits_until_its_repository_is_pruned_takes_nobodys_turn_and_has_its_own_afterwards() {
    let pruned = waiting("pruned", "2026-11-30T01:29:00Z", Reason::RepositoryInUse);
    assert_eq!(turns(&many(2), std::slice::from_ref(&pruned), 1, at(NIGHT)).begin.len(), 1);
    let asked = waiting("asked", "2026-11-30T01:29:30Z", Reason::WaitsForTurn);
    let others = [pruned, Arc::clone(&asked)];
    assert_eq!(ahead(&asked, &others, at(NIGHT)), 0);
    let free = waiting("pruned", "2026-11-30T01:29:00Z", Reason::WaitsForTurn);
    assert_eq!(ahead(&asked, &[free, Arc::clone(&asked)], at(NIGHT)), 1, "the older one, once it could begin");
}

fn packing(name: &str, made: &str, reason: Reason) -> Arc<ServiceBackup> {
    saying(name, made, "Packing", reason)
}

/// An Entity that leaves with much keeps nobody else from a backup for a day.
#[test]
fn packages_take_no_turn_of_backups_whenever_they_were_asked_for() {
    for reason in [Reason::BackupRuns, Reason::WaitsForTurn] {
        let packs = [packing("a", "2026-11-29T12:00:00Z", reason), packing("b", "2026-11-30T01:29:00Z", reason)];
        assert_eq!(turns(&many(3), &packs, 2, at(NIGHT)).begin.len(), 2, "{reason:?}");
        let asked = waiting("asked", "2026-11-30T01:29:30Z", Reason::WaitsForTurn);
        let others = [&packs[..], &[Arc::clone(&asked)]].concat();
        assert_eq!(ahead(&asked, &others, at(NIGHT)), 0, "{reason:?}");
    }
}

#[test]
fn packages_wait_for_one_another_in_their_order_and_for_none_that_is_stuck() {
    let names = [("a", "2026-11-29T12:00:00Z"), ("b", "2026-11-29T13:00:00Z"), ("c", "2026-11-29T14:00:00Z")];
    let waits = names.map(|(name, made)| packing(name, made, Reason::WaitsForTurn));
    let before = |others: &[Arc<ServiceBackup>]| waits.each_ref().map(|run| packages_ahead(run, others));
    assert_eq!(before(&waits), [0, 1, 2]);
    let younger = packing("d", "2026-11-30T00:00:00Z", Reason::BackupRuns);
    let all = [&waits[..], std::slice::from_ref(&younger)].concat();
    assert_eq!(before(&all), [1, 2, 3], "it is at work");
    assert_eq!(packages_ahead(&younger, std::slice::from_ref(&younger)), 0, "not for itself");
    let stuck = packing("e", "2026-11-28T00:00:00Z", Reason::TargetNotFound);
    let at_work = run("x", "f", at("2026-11-28T00:00:00Z"), json!({"phase": "FirstPass"}));
    assert_eq!(before(&[stuck, at_work]), [0; 3]);
}

#[test]
fn no_run_begins_of_what_is_held_or_at_work_or_restored() {
    let held = Scheduled { held: Some(Problem::new(Reason::Paused, "paused")), ..office(&[]) };
    let restored = Scheduled { is_restored: true, ..office(&[]) };
    let asked = office(&[("by-anna", "2026-11-30T01:00:00Z", json!({"phase": "SecondPass"}))]);
    for service in [held, restored, asked] {
        assert!(turns(&[service], &[], 9, at(NIGHT)).begin.is_empty());
    }
    assert_eq!(turns(&[office(&[])], &[], 9, at(NIGHT)).begin.len(), 1);
}

#[test]
fn it_looks_again_when_the_next_turn_comes_and_soon_while_somebody_waits() {
    let done = ("20261130-0100", "2026-11-30T01:30:05Z", succeeded("2026-11-30T01:31:00Z"));
    let service = office(&[done]);
    let again = |now: &str| turns(std::slice::from_ref(&service), &[], 1, at(now)).again;
    assert_eq!(again("2026-11-30T12:00:00Z"), LONGEST);
    assert_eq!(again("2026-12-01T01:29:30Z"), Duration::from_secs(30));
    assert_eq!(turns(&many(2), &[], 1, at(NIGHT)).again, SHORTEST);
    assert_eq!(turns(&[], &[], 1, at(NIGHT)).again, LONGEST);
}

#[test]
fn with_too_little_time_for_all_each_is_backed_up_in_its_order() {
    let (mut services, mut begun) = (many(10), Vec::new());
    let mut now = at("2026-11-01T00:00:00Z");
    // Each run takes five hours of an endless series of windows: about five services a day.
    while now < at("2026-11-21T00:00:00Z") {
        for turn in turns(&services, &[], 1, now).begin {
            begun.push(turn.service.clone());
            let service = services.iter_mut().find(|service| service.service == turn.service).unwrap();
            service.runs.push(run(&turn.service, &turn.name, now, succeeded(&now.to_string())));
        }
        now = after(now, SignedDuration::from_hours(5));
    }
    assert!(begun.len() > 60, "{}", begun.len());
    for ten in begun.chunks_exact(10) {
        let mut names = ten.to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 10, "each once before anybody comes again: {begun:?}");
    }
}

#[test]
fn failed_runs_are_remembered_as_far_as_the_platform_says_and_backups_for_ever() {
    let day = |day: u32| format!("2026-11-{day:02}T01:30:00Z");
    let mut runs: Vec<_> =
        (1..=9).map(|n| run("office", &format!("failed-{n}"), at(&day(n)), failed(&day(n)))).collect();
    runs.push(run("office", "backup", at(&day(1)), succeeded(&day(1))));
    runs.push(run("office", "at-work", at(&day(1)), json!({"phase": "FirstPass"})));
    let names = |history, since: &str| {
        let mut names: Vec<String> = old_runs(&runs, history, at(since)).iter().map(|run| run.name_any()).collect();
        names.sort();
        names
    };
    assert_eq!(names(7, "2026-11-30T00:00:00Z"), ["failed-1", "failed-2"]);
    assert_eq!(names(9, "2026-11-30T00:00:00Z"), [""; 0]);
    assert_eq!(names(1, &day(3)), ["failed-1", "failed-2"], "those of this window say what was tried in it");
}

proptest! {
    /// The status of a service at rest is another only when it is woken.
    #[test]
    fn nothing_is_another_before_its_turn(hours in 0_i64..96, minutes in 1_i64..600, done in any::<bool>()) {
        let status = if done { succeeded("2026-11-30T01:31:00Z") } else { failed("2026-11-30T01:40:00Z") };
        let service = office(&[("20261130-0100", "2026-11-30T01:30:05Z", status)]);
        let now = after(at("2026-11-30T02:00:00Z"), SignedDuration::from_hours(hours));
        let later = after(now, SignedDuration::from_mins(minutes));
        let (before, then) = (service.outlook(now).unwrap(), service.outlook(later).unwrap());
        prop_assert!(before.turns > now);
        if later < before.turns {
            prop_assert_eq!((before.next, before.name, before.is_late), (then.next, then.name, then.is_late));
        }
    }
}
