//! When records are stored, what becomes of it, and what stands in the objects.

use commonscloud_backup::records::RECORDS_FOLDER;
use commonscloud_backup::report::{Failure, Report};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use test_case::test_case;

use super::objects::MOST_PIECES;
use super::*;
use crate::backup::{Said, fixtures};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-30T12:00:00Z")
}

fn attempt(taken_at: &str, digest: &str) -> Attempt {
    Attempt { taken_at: at(taken_at), digest: digest.to_owned() }
}

fn kept(snapshots: impl IntoIterator<Item = (String, Timestamp)>) -> KeptRecords {
    let one = |(snapshot, taken_at)| KeptSnapshot { snapshot, attempt: Attempt { taken_at, digest: "a".to_owned() } };
    KeptRecords { repository: Some("r1".to_owned()), snapshots: snapshots.into_iter().map(one).collect() }
}

fn once(taken_at: &str) -> KeptRecords {
    kept([("s1".to_owned(), at(taken_at))])
}

/// A Job that ended ten minutes and a second before now.
fn job(state: JobState, outcome: Option<Outcome>) -> SeenJob {
    let code = i32::from(state != JobState::Succeeded);
    let said = Said { code, at: None, report: outcome.map(Report::new), words: String::new() };
    SeenJob {
        name: "records-1".to_owned(),
        uid: "j1".to_owned(),
        owner: String::new(),
        state,
        said: [("records".to_owned(), said)].into(),
        is_being_deleted: false,
        ended: Some(at("2026-11-30T11:49:59Z")),
    }
}

struct Seen {
    subject: crate::backup::Subject,
    kept: KeptRecords,
    digest: &'static str,
    store: Option<(SeenJob, Option<Attempt>)>,
    forget: Option<(SeenJob, Vec<String>)>,
    may_forget: bool,
}

impl Seen {
    fn of(kept: KeptRecords) -> Self {
        Self { subject: fixtures::subject(), kept, digest: "b", store: None, forget: None, may_forget: true }
    }

    fn next(&self) -> RecordsStep {
        let place = Place { folder: RECORDS_FOLDER, ..Place::of(&self.subject) };
        next(&ObservedRecords {
            now: now(),
            place,
            kept: &self.kept,
            digest: self.digest,
            store: self.store.clone(),
            forget: self.forget.clone(),
            may_forget: self.may_forget,
        })
    }
}

#[test_case(None, "b" => true; "nothing was stored yet")]
#[test_case(Some("2026-11-30T11:49:00Z"), "b" => true; "another one after ten minutes")]
#[test_case(Some("2026-11-30T11:51:00Z"), "b" => false; "another one before")]
#[test_case(Some("2026-11-29T12:00:01Z"), "a" => false; "the same within a day")]
#[test_case(Some("2026-11-29T11:59:59Z"), "a" => true; "the same after a day")]
#[test_case(Some("2027-11-30T12:00:00Z"), "a" => true; "a clock was a year ahead")]
fn records_are_stored_when_they_changed_and_once_a_day(stored: Option<&str>, digest: &'static str) -> bool {
    let seen = Seen { digest, ..Seen::of(stored.map(once).unwrap_or_default()) };
    let step = seen.next();
    let is_due = matches!(step.action, RecordsAction::Store { replaces: None, meets_lock: false });
    assert!(is_due || step.action == RecordsAction::Nothing, "{step:?}");
    is_due
}

#[test]
fn what_a_job_stored_is_kept_before_the_job_goes_and_kept_once() {
    let outcome = Outcome::Kept { repository: "r1".to_owned(), snapshot: "s2".to_owned() };
    let stored = job(JobState::Succeeded, Some(outcome));
    let mut seen = Seen::of(once("2026-11-30T11:00:00Z"));
    seen.store = Some((stored.clone(), Some(attempt("2026-11-30T11:49:00Z", "b"))));
    let RecordsAction::Keep { kept, job } = seen.next().action else { panic!() };
    assert_eq!((job, kept.newest()), (stored, Some(at("2026-11-30T11:49:00Z"))));
    assert_eq!(kept.snapshots.len(), 2);
    assert!(!kept.is_due("b", now()) && kept.is_due("c", now()));
    // Killed before the Job was removed.
    seen.kept = kept.clone();
    let RecordsAction::Keep { kept: again, .. } = seen.next().action else { panic!() };
    assert_eq!(again, kept);
}

#[test]
fn while_a_job_is_at_work_nothing_else_begins() {
    let mut seen = Seen::of(KeptRecords::default());
    seen.store = Some((job(JobState::Runs, None), None));
    assert_eq!(seen.next(), RecordsStep::wait());
    let going = SeenJob { is_being_deleted: true, ..job(JobState::Succeeded, None) };
    seen.store = Some((going.clone(), None));
    assert_eq!(seen.next(), RecordsStep::wait());
    seen.store = None;
    seen.forget = Some((SeenJob { state: JobState::Runs, ..going }, Vec::new()));
    assert_eq!(seen.next(), RecordsStep::wait());
}

#[test_case(JobState::Failed(String::new()), Some(FailureReason::Unreachable), false; "an unreachable target")]
#[test_case(JobState::Failed(String::new()), Some(FailureReason::Locked), true; "a lock")]
#[test_case(JobState::Succeeded, None, false; "a container that said nothing")]
fn what_failed_is_told_and_tried_again_after_ten_minutes(state: JobState, reason: Option<FailureReason>, lock: bool) {
    let outcome = reason.map(|reason| Outcome::Failed(Failure::new(reason, "no way there")));
    let failed = job(state, outcome);
    let mut seen = Seen::of(once("2026-11-30T11:00:00Z"));
    seen.store = Some((failed.clone(), Some(attempt("2026-11-30T11:40:00Z", "b"))));
    let step = seen.next();
    assert!(step.failed.as_ref().is_some_and(|told| told.contains("Job records-1")), "{step:?}");
    assert_eq!(step.action, RecordsAction::Store { replaces: Some(failed.clone()), meets_lock: lock });
    seen.store = Some((SeenJob { ended: Some(at("2026-11-30T11:51:00Z")), ..failed }, None));
    let early = seen.next();
    assert_eq!((early.action, early.failed), (RecordsAction::Nothing, step.failed));
    assert_eq!(early.again, Some(Duration::from_mins(1)));
}

/// A snapshot each hour, the newest at now.
fn hourly(count: u32) -> KeptRecords {
    kept((0..count).rev().map(|hours| (format!("h{hours}"), now() - SignedDuration::from_hours(i64::from(hours)))))
}

#[test]
fn the_newest_stay_and_one_of_each_day_and_the_oldest_go_first() {
    assert_eq!(hourly(30).to_forget(now()), [""; 0]);
    assert_eq!(hourly(50).to_forget(now()), [""; 0], "a few are not worth a Job");
    let gone = hourly(200).to_forget(now());
    assert_eq!((gone.len(), gone[0].as_str()), (MOST_FORGOTTEN, "h199"));
    let mut left = hourly(200);
    while !left.to_forget(now()).is_empty() {
        let gone = left.to_forget(now());
        left = left.without(&gone);
    }
    let stays = |name: &str| left.snapshots.iter().any(|kept| kept.snapshot == name);
    assert!((0..30).all(|hours| stays(&format!("h{hours}"))), "{left:?}");
    // Noon is 12 hours after midnight: the last of each day before was 13 hours ago, and 24 more.
    assert!((1..8).all(|days| stays(&format!("h{}", 13 + 24 * (days - 1)))), "{left:?}");
}

#[test]
fn what_is_forgotten_is_no_longer_ours_whatever_the_target_keeps() {
    let mut seen = Seen { digest: "a", ..Seen::of(hourly(200)) };
    let RecordsAction::Forget(gone) = seen.next().action else { panic!() };
    let left = Outcome::Left { snapshots: vec![gone[0].clone()] };
    seen.forget = Some((job(JobState::Succeeded, Some(left)), gone.clone()));
    let RecordsAction::Keep { kept, .. } = seen.next().action else { panic!() };
    assert_eq!(kept.snapshots.len(), 200 - gone.len());
    // A failure changes nothing of what is kept.
    seen.forget = Some((job(JobState::Failed(String::new()), None), gone));
    assert!(matches!(seen.next().action, RecordsAction::Keep { kept, .. } if kept == seen.kept));
    seen.forget = None;
    seen.may_forget = false;
    assert_eq!(seen.next().action, RecordsAction::Nothing);
    seen.digest = "b";
    seen.kept.snapshots.pop();
    assert!(matches!(seen.next().action, RecordsAction::Store { .. }), "what is not forgotten stands in nobody's way");
}

fn records(name: &str) -> Records {
    let mut records = Records { taken_at: Timestamp::UNIX_EPOCH, ..Records::default() };
    records.platform.metadata.name = name.to_owned();
    records
}

#[test]
fn the_digest_is_of_what_there_is() {
    assert_eq!(digest(&records("default")), digest(&records("default")));
    assert_ne!(digest(&records("default")), digest(&records("other")));
}

#[test]
fn the_pieces_are_the_document_and_each_fits_a_config_map() {
    let mut records = records("default");
    // What gzip makes no smaller.
    let noise: Vec<String> = (0..40_000_u32).map(|number| hexadecimal(&Sha256::digest(number.to_be_bytes()))).collect();
    records.platform.spec = json!(noise);
    let pieces = Pieces::of(&records, "commonscloud").unwrap();
    assert!((2..MOST_PIECES).contains(&pieces.objects.len()), "{}", pieces.objects.len());
    let mut packed = Vec::new();
    for (at, (name, object)) in pieces.objects.iter().enumerate() {
        assert_eq!((object["metadata"]["name"].as_str(), &object["immutable"]), (Some(name.as_str()), &json!(true)));
        assert!(name.ends_with(&format!("-{at}")), "{name}");
        let piece: ByteString = serde_json::from_value(object["binaryData"]["piece"].clone()).unwrap();
        assert!(piece.0.len() <= 1 << 20);
        packed.extend(piece.0);
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed), &mut text).unwrap();
    assert_eq!(Records::read(&text).unwrap(), records);
    let same = Pieces::of(&records, "commonscloud").unwrap();
    assert_eq!(same, pieces, "the same names for the same document");
}

#[test]
fn the_job_mounts_the_pieces_and_has_no_secret_value() {
    let subject = fixtures::subject();
    let place = Place { folder: RECORDS_FOLDER, ..Place::of(&subject) };
    let pieces = Pieces::of(&records("default"), "commonscloud").unwrap();
    let wanted = attempt("2026-11-30T11:49:00Z", "b");
    let job = store_job(&place, &pieces, &wanted, Some("r1"), true);
    assert_eq!(job["metadata"]["name"], json!(store_name("here")));
    assert_eq!(stores(job["metadata"]["annotations"][STORES].as_str()), Some(wanted));
    let pod = &job["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["args"], json!(["records", "--unlock", "--expect", "r1", "--deadline", "900"]));
    let volume = |name: &str| {
        let volumes = pod["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == name).unwrap_or_else(|| panic!("{name}: {volumes:?}"))
    };
    let source = &volume("records")["projected"]["sources"][0]["configMap"];
    let items = json!([{"key": "piece", "path": "0000"}]);
    assert_eq!((&source["name"], &source["items"]), (&json!(pieces.objects[0].0), &items));
    assert_eq!(volume("key")["secret"]["secretName"], "backup-key-platform");
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(!name.starts_with("RESTIC_REST_") || variable["value"].is_null(), "{variable}");
    }
    assert!(job.to_string().contains("rest:https://backup.example.org/platform\""));
    let ids = vec!["1".repeat(64), "2".repeat(64)];
    let forget = forget_job(&place, &ids);
    assert_eq!(forgets(forget["metadata"]["annotations"][FORGETS].as_str()), ids);
    assert_ne!(forget["metadata"]["name"], job["metadata"]["name"]);
}

#[test]
fn what_is_kept_survives_a_restart_and_nonsense_is_told() {
    let kept = hourly(90);
    let object = kept_object("commonscloud", "here", &kept);
    assert!(object.to_string().len() < 32 << 10, "far from what a ConfigMap holds");
    let read = |value: Value| read_kept(&serde_json::from_value(value).unwrap());
    assert_eq!(read(object.clone()), Ok(kept));
    let mut nonsense = object;
    nonsense["data"]["kept.json"] = json!("{");
    let told = read(nonsense).unwrap_err();
    assert!(told.contains(&kept_name("here")) && told.contains("delete it"), "{told}");
}

#[test]
fn a_pod_at_work_in_the_repository_is_seen_whoever_began_it() {
    let subject = fixtures::subject();
    let place = Place { folder: RECORDS_FOLDER, ..Place::of(&subject) };
    let pod = |phase: &str, url: &str| -> Pod {
        let env = json!([{"name": "RESTIC_REPOSITORY", "value": url}]);
        let container = json!({"name": "prune", "env": env});
        serde_json::from_value(json!({"spec": {"containers": [container]}, "status": {"phase": phase}})).unwrap()
    };
    let here = "rest:https://backup.example.org/platform";
    assert!(is_at_work(&place, &[pod("Running", here)]) && is_at_work(&place, &[pod("Pending", here)]));
    assert!(!is_at_work(&place, &[pod("Succeeded", here), pod("Running", "rest:https://backup.example.org/escrow")]));
}
