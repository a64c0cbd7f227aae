//! What is forgotten, and what becomes of the runs.

use commonscloud_backup::report::{REPORT_VERSION, Report};
use serde_json::json;

use super::super::Said;
use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-30T12:00:00Z")
}

fn id(of: &str) -> String {
    hexadecimal(&Sha256::digest(of))
}

/// The run of a night of November at a target.
fn night(day: u32, target: &str) -> Arc<ServiceBackup> {
    let name = format!("office-202611{day:02}-0100");
    let part = |of: &str| json!({"name": of, "kind": "Files", "snapshot": id(&format!("{name} {of}")), "bytes": 1, "files": 1});
    let run = json!({
        "metadata": {"name": name, "namespace": "coop", "uid": name, "generation": 1},
        "spec": {"service": "office", "requestedBy": "operator", "reason": "Scheduled"},
        "status": {
            "phase": "Succeeded", "snapshot": id(&name), "takenAt": format!("2026-11-{day:02}T01:30:00Z"),
            "contents": [part("data"), part("dump")], "firstPass": [part("first")],
            "repository": {"target": target, "path": "coop-0a1b2c3d.office", "id": "r1"},
        },
    });
    Arc::new(serde_json::from_value(run).unwrap())
}

fn platform() -> Platform {
    let s3 =
        json!({"endpoint": "https://s3.example.org", "bucket": "cloud", "secretName": "add", "careSecretName": "care"});
    serde_json::from_value(json!({
        "metadata": {"name": "default"},
        "spec": {"baseDomain": "example.org", "imagePullSecrets": ["pull"], "backup": {
            "targets": [{"name": "far", "s3": s3}], "recipients": ["age1"],
            "keep": {"last": 2, "daily": 0, "weekly": 0, "monthly": 0},
        }},
    }))
    .unwrap()
}

fn backup() -> PlatformBackup {
    platform().spec.backup.unwrap()
}

fn names(runs: &[Arc<ServiceBackup>]) -> Vec<String> {
    runs.iter().map(|run| run.name_any()).collect()
}

fn with_status(run: &ServiceBackup, status: ServiceBackupStatus) -> Arc<ServiceBackup> {
    Arc::new(ServiceBackup { status: Some(status), ..run.clone() })
}

fn given(run: &Arc<ServiceBackup>) -> Arc<ServiceBackup> {
    with_status(run, marked(run, now()))
}

#[test]
fn what_the_rule_gives_up_is_marked_once_and_is_no_backup_from_then_on() {
    let runs: Vec<_> = (1..=4).map(|day| night(day, "far")).collect();
    let gone = given_up(&runs, &backup(), false, now());
    assert_eq!(names(&gone), ["office-20261101-0100", "office-20261102-0100"]);
    let after: Vec<_> = runs.iter().map(|run| if gone.contains(run) { given(run) } else { Arc::clone(run) }).collect();
    assert_eq!(after.iter().filter(|run| is_backup(run)).count(), 2);
    assert!(given_up(&after, &backup(), false, now()).is_empty());
    assert_eq!(names(&batch(&after, &backup(), now())), names(&gone));
}

#[test]
fn each_repository_keeps_its_newest_and_one_that_is_not_named_any_more_all() {
    let mut runs: Vec<_> = (1..=4).map(|day| night(day, "former")).collect();
    runs.push(night(5, "far"));
    assert!(given_up(&runs, &backup(), false, now()).is_empty());
    assert!(batch(&[given(&runs[0])], &backup(), now()).is_empty(), "nobody knows how to reach it");
}

#[test]
fn a_job_forgets_whole_runs_and_no_more_than_its_report_can_tell_of() {
    let many: Vec<_> = (1..=30).map(|day| given(&night(day, "far"))).collect();
    let ten = batch(&many, &backup(), now());
    assert_eq!(ten.len(), MOST_FORGOTTEN / 4, "four snapshots each");
    let own = Own { namespace: "cloud".into(), backup_image: "backup:1".into(), ..Own::default() };
    let job = forget_job(&ten, &platform(), &own).unwrap();
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let arguments: Vec<&str> = container["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    assert_eq!(arguments[0], "forget");
    let asked: BTreeSet<&str> = arguments.iter().copied().filter(|argument| argument.len() == 64).collect();
    assert_eq!(asked, ten.iter().flat_map(|run| snapshots(run)).collect(), "all of each run, and whole ids");
    assert_eq!(job["metadata"]["namespace"], "cloud");
    let text = job.to_string();
    assert!(text.contains("\"name\":\"care\"") && !text.contains("\"name\":\"add\""), "what may remove: {text}");
    assert!(text.contains("backup-key-coop-0a1b2c3d") && text.contains("/coop-0a1b2c3d.office"), "{text}");
}

#[test]
fn a_package_is_forgotten_with_its_backup_and_is_told_of_as_long_as_it_is_there() {
    let mut leaving = (*night(1, "far")).clone();
    let package = json!({"path": "coop-0a1b2c3d.office.exit", "snapshot": id("package"), "bytes": 1, "sha256": ""});
    leaving.status.as_mut().unwrap().package = serde_json::from_value(package).unwrap();
    let given = given(&Arc::new(leaving));
    let batch = batch(std::slice::from_ref(&given), &backup(), now());
    let own = Own { namespace: "cloud".into(), backup_image: "backup:1".into(), ..Own::default() };
    let job = forget_job(&batch, &platform(), &own).unwrap();
    let arguments = &job["spec"]["template"]["spec"]["containers"][0]["args"];
    let asked: Vec<&str> = arguments.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert!(asked.windows(2).any(|pair| pair == ["--package", &id("package")]), "{asked:?}");
    let left: BTreeSet<String> = [id("package")].into();
    let left: BTreeSet<&str> = left.iter().map(String::as_str).collect();
    assert_eq!(ended(&given, &left, now()), None, "it stays given up, and is forgotten once more");
    let gone = ended(&given, &BTreeSet::new(), now()).unwrap();
    assert_eq!(gone.conditions[0].reason, "SnapshotForgotten");
}

#[test]
fn who_is_about_to_take_a_lock_away_knows_the_job_that_may_hold_it() {
    let backup = backup();
    let at = repository("cloud", &backup.targets[0], "coop-0a1b2c3d", "office", Purpose::Run);
    let at = BackupRepository { path: at.path(), target: at.target, id: String::new() };
    let batch = batch(&[given(&night(1, "far"))], &backup, now());
    let own = Own { namespace: "cloud".into(), backup_image: "backup:1".into(), ..Own::default() };
    let job = forget_job(&batch, &platform(), &own).unwrap();
    assert_eq!(job["metadata"]["labels"][REPOSITORY], label(&at));
    assert_eq!(job["metadata"]["labels"][CARE], "forget");
}

#[test]
fn what_its_target_locks_is_not_given_up_and_of_a_service_that_is_gone_the_old_is() {
    let runs: Vec<_> = [1, 10, 29, 30].map(|day| night(day, "far")).into();
    let mut backup = backup();
    backup.targets[0].s3.as_mut().unwrap().locked_days = Some(25);
    assert_eq!(names(&given_up(&runs, &backup, false, now())), ["office-20261101-0100"]);
    let later = at("2027-03-01T00:00:00Z");
    assert_eq!(given_up(&runs, &backup, false, later).len(), 2, "the newest two stay");
    assert_eq!(given_up(&runs, &backup, true, later).len(), 4, "of what is gone for longer than the rule holds any");
    let mut proven = runs[1].as_ref().clone();
    proven.status.as_mut().unwrap().proven_at = proven.status.as_ref().unwrap().taken_at.clone();
    let with_proven = [Arc::clone(&runs[0]), Arc::new(proven), Arc::clone(&runs[2])];
    let gone = names(&given_up(&with_proven, &backup, true, later));
    assert_eq!(gone, ["office-20261101-0100", "office-20261129-0100"], "never the newest proven one");
}

/// A run that ended without a backup.
fn broken(day: u32, ended: &str) -> Arc<ServiceBackup> {
    let mut run = night(day, "far").as_ref().clone();
    let status = run.status.as_mut().unwrap();
    status.phase = Some(crate::api::BackupPhase::Failed);
    status.snapshot = None;
    status.ended_at = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(ended)));
    run.metadata.creation_timestamp = status.ended_at.clone();
    let failed = Problem::new(Reason::TargetFull, "no room");
    let shown = vec![ConditionUpdate::problem(ConditionType::Ready, false, &failed)];
    status.conditions = conditions(&[], shown, 1, at(ended));
    Arc::new(run)
}

#[test]
fn what_failed_runs_left_is_forgotten_by_their_ids_once_nothing_of_them_can_write() {
    let old = broken(28, "2026-11-28T02:00:00Z");
    let runs = [night(1, "far"), Arc::clone(&old), broken(30, "2026-11-30T11:30:00Z")];
    let next = batch(&runs, &backup(), now());
    assert_eq!(names(&next), ["office-20261128-0100"], "neither a backup nor what ended half an hour ago");
    let own = Own { namespace: "cloud".into(), backup_image: "backup:1".into(), ..Own::default() };
    let job = forget_job(&next, &platform(), &own).unwrap();
    let arguments = &job["spec"]["template"]["spec"]["containers"][0]["args"];
    let arguments: BTreeSet<&str> = arguments.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(snapshots(&old).is_subset(&arguments) && !arguments.contains("--run"), "{arguments:?}");
    let mut silent = old.as_ref().clone();
    let status = silent.status.as_mut().unwrap();
    (status.contents, status.first_pass) = (Vec::new(), Vec::new());
    let silent = Arc::new(silent);
    assert!(batch(&[Arc::clone(&silent)], &backup(), now()).is_empty(), "what nobody recorded is nobody's to forget");
    assert!(!remains::awaits_forgetting(&silent, &backup(), now()));
    assert!(remains::awaits_forgetting(&old, &backup(), now()), "its record stays until then");
    let ours = snapshots(&old).into_iter().next().unwrap();
    for (left, reason) in [(vec!["a stranger's"], Reason::SnapshotForgotten), (vec![ours], Reason::SnapshotKept)] {
        let after = with_status(&old, ended(&old, &left.into_iter().collect(), now()).unwrap());
        assert_eq!(mark(&after), Some(reason.name()));
        let ready = after.status.as_ref().unwrap().conditions[0].clone();
        assert_eq!(
            (ready.type_.as_str(), ready.reason.as_str()),
            ("Ready", "TargetFull"),
            "why it failed is still told"
        );
        assert!(batch(&[Arc::clone(&after)], &backup(), now()).is_empty());
        assert!(!remains::awaits_forgetting(&after, &backup(), now()));
    }
}

/// What a Job for these runs says that left these snapshots.
fn said(runs: &[Arc<ServiceBackup>], left: &[&str], state: JobState) -> Vec<(String, Option<String>)> {
    let outcome = Outcome::Left { snapshots: left.iter().map(|id| (*id).to_owned()).collect() };
    let report = Some(Report { version: REPORT_VERSION, outcome });
    let job = SeenJob {
        name: "forget".into(),
        uid: "u".into(),
        owner: String::new(),
        said: [("forget".to_owned(), Said { code: 0, at: None, report, words: String::new() })].into(),
        is_being_deleted: false,
        ended: None,
        state,
    };
    let annotations = [(FORGETS.to_owned(), names(runs).join(","))].into();
    let metadata = ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() };
    let mut all = runs.to_vec();
    all.push(given(&night(29, "far")));
    let after = told(&job, &metadata, &all, now()).into_iter();
    after.map(|(run, status)| (run.name_any(), mark(&with_status(&run, status)).map(str::to_owned))).collect()
}

#[test]
fn a_run_says_what_became_of_its_snapshot_and_half_of_one_is_forgotten_once_more() {
    let runs: Vec<_> = (1..=3).map(|day| given(&night(day, "far"))).collect();
    let mut left: Vec<&str> = snapshots(&runs[1]).into_iter().collect();
    left.push(snapshots(&runs[2]).into_iter().next().unwrap());
    let of = |name: &str, reason: Reason| (name.to_owned(), Some(reason.name().to_owned()));
    let gone = of("office-20261101-0100", Reason::SnapshotForgotten);
    let kept = of("office-20261102-0100", Reason::SnapshotKept);
    assert_eq!(said(&runs, &left, JobState::Succeeded), [gone, kept]);
    assert_eq!(said(&runs, &left, JobState::Failed("deadline".into())), [], "what is left is not known");
}

#[test]
fn what_the_target_keeps_is_a_backup_again_and_not_given_up_once_more() {
    let runs: Vec<_> = (1..=4).map(|day| night(day, "far")).collect();
    let first = given(&runs[0]);
    let kept = with_status(&first, ended(&first, &snapshots(&first), now()).unwrap());
    assert!(is_backup(&kept));
    let all = [kept, Arc::clone(&runs[2]), Arc::clone(&runs[3])];
    assert!(given_up(&all, &backup(), false, now()).is_empty() && batch(&all, &backup(), now()).is_empty());
}
