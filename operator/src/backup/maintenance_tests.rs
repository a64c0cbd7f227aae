//! When repositories are pruned and checked, and what is told of them.

use commonscloud_backup::report::{Failure, REPORT_VERSION, Report};
use serde_json::json;

use super::super::Said;
use super::*;

const DAYS: &[&str] = &["2026-11-30", "2026-12-01", "2026-12-02", "2026-12-03"];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn on(day: &str, time: &str) -> Timestamp {
    at(&format!("{day}T{time}Z"))
}

/// Of a day each, from six to ten.
fn platform(care: Value) -> Platform {
    let s3 =
        json!({"endpoint": "https://s3.example.org", "bucket": "cloud", "secretName": "add", "careSecretName": "care"});
    serde_json::from_value(json!({
        "metadata": {"name": "default"},
        "spec": {"baseDomain": "example.org", "backup": {
            "targets": [{"name": "far", "s3": s3}], "recipients": ["age1"], "care": care,
        }},
    }))
    .unwrap()
}

fn backup() -> PlatformBackup {
    platform(json!({"readWithinDays": 3, "pruneEveryDays": 2})).spec.backup.unwrap()
}

fn cared(service: &str) -> Cared {
    let at = BackupRepository { target: "far".into(), path: format!("coop-1.{service}"), id: format!("id-{service}") };
    Cared { holds: Holds::Backups, entity: "coop".into(), service: service.into(), at, is_busy: false }
}

/// A Job as the API server has it.
fn job(work: CareWork, part: Option<Part>, made: Timestamp, state: JobState, outcome: Option<Outcome>) -> CareJob {
    let report = outcome.map(|outcome| Report { version: REPORT_VERSION, outcome });
    let code = i32::from(matches!(state, JobState::Failed(_)));
    let said = Said { code, at: Some(made), report, words: String::new() };
    let name = format!("{work}-{}", made.as_second());
    let seen = SeenJob {
        uid: name.clone(),
        owner: String::new(),
        said: [(work.to_string(), said)].into(),
        is_being_deleted: false,
        ended: (state != JobState::Runs).then_some(made),
        name,
        state,
    };
    CareJob { work, repository: label(&cared("office").at), made, part, recorded: None, seen }
}

fn checked(part: &str, made: Timestamp, damaged: &[&str]) -> CareJob {
    let damaged = damaged.iter().map(|pack| (*pack).to_owned()).collect();
    job(CareWork::Check, part.parse().ok(), made, JobState::Succeeded, Some(Outcome::Checked { damaged }))
}

fn pruned(made: Timestamp) -> CareJob {
    job(CareWork::Prune, None, made, JobState::Succeeded, Some(Outcome::Done))
}

fn failed(work: CareWork, made: Timestamp, reason: FailureReason) -> CareJob {
    let failure = Failure { reason, message: "restic said so".to_owned() };
    job(work, None, made, JobState::Failed(String::new()), Some(Outcome::Failed(failure)))
}

fn works(jobs: &[CareJob], now: Timestamp) -> Vec<Work> {
    maintenance(&backup(), &[cared("office")], jobs, now).begin.into_iter().map(|(_, work)| work).collect()
}

fn check(at: u32, of: u32) -> Work {
    Work::Check(Part { at, of })
}

/// Each quarter of an hour what is due is done at once, and what is not needed any more goes.
#[test]
fn within_the_days_all_parts_are_read_and_the_room_is_given_back() {
    let (mut jobs, mut done): (Vec<CareJob>, Vec<Work>) = (Vec::new(), Vec::new());
    for day in DAYS {
        for quarter in 0..96 {
            let now = on(day, &format!("{:02}:{:02}:00", quarter / 4, quarter % 4 * 15));
            let plan = maintenance(&backup(), &[cared("office")], &jobs, now);
            for (name, found) in plan.record {
                jobs.iter_mut().filter(|job| job.seen.name == name).for_each(|job| job.recorded = Some(found.clone()));
            }
            jobs.retain(|job| !plan.remove.contains(&(job.seen.name.clone(), job.seen.uid.clone())));
            for (_, work) in plan.begin {
                assert!((24..56).contains(&quarter), "outside of any turn of the window: {now}");
                done.push(work);
                jobs.push(match work {
                    Work::Prune => pruned(now),
                    Work::Check(part) => checked(&part.to_string(), now, &[]),
                });
            }
        }
    }
    let expected = [Work::Prune, check(1, 3), check(2, 3), Work::Prune, check(3, 3), check(1, 3)];
    assert_eq!(done, expected, "an operator that is killed knows no more than the Jobs");
    assert!(jobs.len() <= 3, "{jobs:?}");
}

#[test]
fn a_damaged_part_is_told_and_read_again_until_it_is_whole_and_nothing_is_pruned_meanwhile() {
    let turn = on(DAYS[1], "09:59:00");
    let damaged = checked("2/3", on(DAYS[0], "09:00:00"), &["aa", "bb"]);
    assert_eq!(works(std::slice::from_ref(&damaged), turn), [check(2, 3)]);
    let of = |jobs: &[CareJob]| {
        let states = maintenance(&backup(), &[cared("office")], jobs, turn).states;
        states[&("coop".to_owned(), "office".to_owned())].clone()
    };
    let told = of(std::slice::from_ref(&damaged)).damaged.unwrap();
    assert!(told.is(Reason::RepositoryDamaged));
    for word in ["coop-1.office", "far", "2/3", "aa, bb"] {
        assert!(told.message.contains(word), "{word}: {told:?}");
    }
    let mut without_pod = damaged.clone();
    without_pod.recorded = Some("aa, bb".to_owned());
    without_pod.seen.said.clear();
    assert_eq!(of(&[without_pod]).damaged, Some(told), "the pod is gone");
    let whole = checked("2/3", on(DAYS[1], "09:00:00"), &[]);
    assert_eq!(of(&[damaged, whole]).damaged, None);
}

#[test]
fn an_index_that_names_what_is_not_there_is_damage_as_well() {
    let failed = failed(CareWork::Prune, on(DAYS[0], "07:00:00"), FailureReason::Damaged);
    let plan = |jobs: &[CareJob]| maintenance(&backup(), &[cared("office")], jobs, on(DAYS[1], "09:59:00"));
    let found = plan(std::slice::from_ref(&failed));
    assert!(found.states.values().next().unwrap().damaged.is_some());
    assert_eq!(found.begin[0].1, check(1, 3), "what is damaged is not pruned");
    assert_eq!(found.record, [(failed.seen.name.clone(), "restic said so".to_owned())], "its pod goes");
    let again = super::tests::failed(CareWork::Prune, on(DAYS[0], "07:30:00"), FailureReason::Unreachable);
    assert_eq!(plan(&[failed.clone(), again]).remove, [], "what is damaged is not forgotten for that");
    let unread = super::tests::failed(CareWork::Check, on(DAYS[0], "07:00:00"), FailureReason::Damaged);
    assert!(plan(&[unread]).states.values().next().unwrap().damaged.is_some(), "restic came to no end");
}

fn damage(jobs: &[CareJob], now: Timestamp) -> Option<String> {
    let states = maintenance(&backup(), &[cared("office")], jobs, now).states;
    states.into_values().next().unwrap().damaged.map(|problem| problem.message)
}

/// Which part a prune stumbled over it does not say.
#[test]
fn what_a_prune_met_is_told_until_every_part_was_read_since_and_is_whole() {
    let mut prune = failed(CareWork::Prune, on(DAYS[0], "07:00:00"), FailureReason::Damaged);
    prune.recorded = prune.told();
    let before = checked("3/3", on(DAYS[0], "06:00:00"), &[]);
    let mut jobs = vec![before, prune.clone()];
    for (day, part) in [(DAYS[0], "1/3"), (DAYS[1], "2/3")] {
        jobs.push(checked(part, on(day, "08:00:00"), &[]));
        let told = damage(&jobs, on(day, "09:00:00")).unwrap();
        assert!(told.contains(&prune.seen.name), "part {part} alone says little: {told}");
        let plan = maintenance(&backup(), &[cared("office")], &jobs, on(day, "09:00:00"));
        let needed =
            |job: &&CareJob| job.made >= prune.made && plan.remove.iter().any(|(name, _)| *name == job.seen.name);
        assert_eq!(jobs.iter().find(needed), None, "what was read since is the record");
    }
    assert_eq!(works(&jobs, on(DAYS[2], "09:59:00")), [check(3, 3)]);
    jobs.push(checked("3/3", on(DAYS[2], "08:00:00"), &[]));
    let plan = maintenance(&backup(), &[cared("office")], &jobs, on(DAYS[2], "09:00:00"));
    assert_eq!(damage(&jobs, on(DAYS[2], "09:00:00")), None);
    assert!(plan.record.contains(&(prune.seen.name.clone(), String::new())), "{:?}", plan.record);
    jobs.retain(|job| !plan.remove.iter().any(|(name, _)| *name == job.seen.name));
    jobs.iter_mut().filter(|job| job.seen.name == prune.seen.name).for_each(|job| job.recorded = Some(String::new()));
    assert!(jobs.len() < 4, "{jobs:?}");
    assert_eq!(damage(&jobs, on(DAYS[3], "09:00:00")), None, "though what was read since is not there any more");
    assert_eq!(works(&jobs, on(DAYS[3], "09:59:00")), [Work::Prune]);
}

#[test]
fn a_damaged_part_is_not_whole_because_another_one_is() {
    let damaged = checked("2/3", on(DAYS[0], "07:00:00"), &["aa"]);
    let other = checked("3/3", on(DAYS[1], "07:00:00"), &[]);
    let jobs = [damaged.clone(), other];
    assert!(damage(&jobs, on(DAYS[1], "09:00:00")).unwrap().contains("part 2/3"));
    assert_eq!(works(&jobs, on(DAYS[2], "09:59:00")), [check(2, 3)]);
    assert_eq!(maintenance(&backup(), &[cared("office")], &jobs, on(DAYS[1], "09:00:00")).remove, []);
    // The days were changed meanwhile.
    let whole = checked("1/1", on(DAYS[2], "07:00:00"), &[]);
    assert_eq!(damage(&[damaged, whole], on(DAYS[2], "09:00:00")), None);
}

#[test]
fn the_platforms_own_are_read_as_a_whole_and_keys_are_never_pruned() {
    let at = |path: &str, id: &str| BackupRepository { target: "far".into(), path: path.into(), id: id.into() };
    let own = |holds, path, id| Cared {
        holds,
        entity: "cloud".into(),
        service: String::from(path),
        at: at(path, id),
        is_busy: false,
    };
    let (records, keys) = (own(Holds::Records, "platform", "r1"), own(Holds::Keys, "escrow", ""));
    let now = on(DAYS[0], "09:59:00");
    let next = |cared: &Cared| maintenance(&backup(), std::slice::from_ref(cared), &[], now).begin.remove(0).1;
    assert_eq!((next(&records), next(&keys)), (Work::Prune, check(1, 1)));
    let home =
        Own { namespace: "cloud".into(), backup_image: "backup:1".into(), release: "0.1.0".into(), ..Own::default() };
    let pod = |cared: &Cared, work| {
        let job = maintenance_job(cared, work, &platform(json!({})), &home, now).unwrap().1;
        job["spec"]["template"]["spec"].clone()
    };
    let pruning = pod(&records, Work::Prune);
    assert_eq!(pruning["initContainers"][0]["args"].as_array().unwrap()[..3], ["prepare", "--expect", "r1"]);
    assert!(pruning.to_string().contains("backup-key-platform") && pruning.to_string().contains("/platform\""));
    let reading = pod(&keys, check(1, 1));
    assert_eq!(reading["initContainers"], json!([]), "what is not there is not made");
    let container = &reading["containers"][0];
    assert_eq!(container["args"].as_array().unwrap()[..4], ["check", "--subset", "1/1", "--escrow"]);
    assert!(
        container["env"].to_string().contains("/escrow\"") && !container["env"].to_string().contains("PASSWORD_FILE")
    );
}

#[test]
fn what_failed_is_told_and_tried_again_after_an_hour() {
    let last = on(DAYS[0], "09:00:00");
    let earlier = checked("2/3", on(DAYS[0], "07:00:00").checked_sub(SignedDuration::from_hours(24)).unwrap(), &[]);
    let jobs = [earlier, pruned(on(DAYS[0], "07:00:00")), failed(CareWork::Check, last, FailureReason::Unreachable)];
    assert_eq!(works(&jobs, on(DAYS[0], "09:59:00")), []);
    assert_eq!(works(&jobs, on(DAYS[1], "09:59:00")), [check(3, 3)], "the part that was not read");
    let state = maintenance(&backup(), &[cared("office")], &jobs, last).states;
    let state = &state[&("coop".to_owned(), "office".to_owned())];
    assert!(state.neglected.as_ref().unwrap().is(Reason::TargetUnreachable), "{state:?}");
    assert_eq!((&state.damaged, state.pruned), (&None, Some(on(DAYS[0], "07:00:00"))));
}

#[test]
fn nothing_begins_where_somebody_is_at_work_nor_more_than_is_allowed_at_once() {
    let now = on(DAYS[0], "09:59:00");
    let busy = Cared { is_busy: true, ..cared("office") };
    assert_eq!(maintenance(&backup(), &[busy], &[], now).begin, []);
    let forgets = job(CareWork::Forget, None, now, JobState::Runs, None);
    assert_eq!(works(std::slice::from_ref(&forgets), now), [], "another Job is at work there");
    let two = [cared("office"), cared("wiki")];
    let plan = maintenance(&backup(), &two, &[], now);
    assert_eq!((plan.begin.len(), plan.free), (2, 1), "where nobody begins the other has its turn");
    let at_wiki = maintenance(&backup(), &two, &[forgets], now).begin;
    assert_eq!(at_wiki.iter().map(|(cared, _)| cared.service.as_str()).collect::<Vec<_>>(), ["wiki"]);
    let prunes = job(CareWork::Prune, None, now, JobState::Runs, None);
    assert_eq!(maintenance(&backup(), &two, &[prunes], now).begin, [], "one at once");
    let elsewhere = Cared { at: BackupRepository { target: "gone".into(), ..cared("a").at }, ..cared("a") };
    assert_eq!(maintenance(&backup(), &[elsewhere], &[], now).begin, [], "nobody knows how to reach it");
}

#[test]
fn the_last_good_record_stays_while_a_newer_one_is_none_yet() {
    let good = checked("1/3", on(DAYS[0], "07:00:00"), &[]);
    let older = checked("3/3", on(DAYS[0], "06:00:00"), &[]);
    let newer = failed(CareWork::Check, on(DAYS[0], "08:00:00"), FailureReason::TimedOut);
    let jobs = [older.clone(), good, newer];
    let plan = maintenance(&backup(), &[cared("office")], &jobs, on(DAYS[0], "12:00:00"));
    assert_eq!(plan.remove, [(older.seen.name.clone(), older.seen.uid.clone())]);
    let unknown = maintenance(&backup(), &[], &jobs, on(DAYS[0], "12:00:00"));
    assert_eq!((unknown.remove, unknown.forsaken), (vec![], vec![]), "its runs may be seen again");
}

#[test]
fn what_no_run_names_is_forsaken_after_months_and_the_platforms_own_never_is() {
    let made = on(DAYS[0], "07:00:00");
    let later = made.checked_add(FORSAKEN).unwrap().checked_add(SignedDuration::from_hours(1)).unwrap();
    let of = |target: &str, path: &str, name: &str| {
        let at = BackupRepository { target: target.into(), path: path.into(), id: String::new() };
        let mut job = checked("1/1", made, &["aa"]);
        (job.repository, job.seen.name) = (label(&at), name.to_owned());
        job
    };
    let (office, own) = (checked("1/3", made, &[]), [of("far", "platform", "p"), of("far", "escrow", "e")]);
    let jobs = [vec![office.clone(), of("gone", "platform", "g")], own.into()].concat();
    let names = |repositories: &[Cared], now| {
        let plan = maintenance(&backup(), repositories, &jobs, now);
        assert_eq!(plan.remove, []);
        plan.forsaken.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[], later), [office.seen.name.as_str(), "g"], "nobody has looked where the records went");
    assert_eq!(names(&[cared("office")], later), ["g"]);
    assert_eq!(names(&[], on(DAYS[3], "07:00:00")), Vec::<String>::new());
}

#[test]
fn a_schedule_that_is_none_is_told_of_every_repository() {
    let wrong = platform(json!({"cron": "0 25 * * *"})).spec.backup.unwrap();
    let plan = maintenance(&wrong, &[cared("office")], &[], on(DAYS[0], "09:00:00"));
    let told = plan.states.values().next().unwrap().neglected.clone().unwrap();
    assert!(told.is(Reason::BackupScheduleInvalid) && told.message.contains("spec.backup.care"), "{told:?}");
    assert_eq!(plan.begin, []);
}

#[test]
fn a_job_has_what_may_remove_and_looks_first_whose_repository_it_is() {
    let own = Own { namespace: "cloud".into(), backup_image: "backup:1".into(), ..Own::default() };
    let made = |platform: &Platform, work| {
        let (name, job) = maintenance_job(&cared("office"), work, platform, &own, on(DAYS[0], "06:00:00")).unwrap();
        assert_eq!(job["metadata"]["name"], name);
        job
    };
    let job = made(&platform(json!({})), check(3, 28));
    let pod = &job["spec"]["template"]["spec"];
    let begins = |of: &str, words: Value| {
        let arguments = pod[of][0]["args"].as_array().unwrap();
        assert_eq!(arguments[..3], words.as_array().unwrap()[..], "{of}");
    };
    begins("initContainers", json!(["prepare", "--expect", "id-office"]));
    begins("containers", json!(["check", "--subset", "3/28"]));
    let text = job.to_string();
    assert!(text.contains("\"name\":\"care\"") && !text.contains("\"name\":\"add\""), "what may remove: {text}");
    let read: Job = serde_json::from_value({
        let mut job = job;
        job["metadata"]["creationTimestamp"] = json!("2026-11-30T06:00:00Z");
        job
    })
    .unwrap();
    let known = CareJob::of(&read, checked("1/1", on(DAYS[0], "06:00:00"), &[]).seen).unwrap();
    assert_eq!((known.work, known.part), (CareWork::Check, "3/28".parse().ok()));
    assert_eq!(known.repository, label(&cared("office").at));
    let mut locked = platform(json!({}));
    let target = &mut locked.spec.backup.as_mut().unwrap().targets[0];
    target.s3.as_mut().unwrap().locked_days = Some(30);
    let prune = |platform: &Platform| {
        made(platform, Work::Prune)["spec"]["template"]["spec"]["containers"][0]["args"].to_string()
    };
    assert!(prune(&locked).contains("--keep-packs") && !prune(&platform(json!({}))).contains("--keep-packs"));
}
