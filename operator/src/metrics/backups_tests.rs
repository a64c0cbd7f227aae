//! What is told of backups, by service.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::Metrics;
use super::backups::{Late, late, observe};
use crate::api::{DedicatedOffice, Platform, Reason, ServiceBackup};
use crate::cache::{Caches, Identity, RepositoryState};
use crate::report::Problem;

const NOON: &str = "2026-11-30T12:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn platform(backup: Value) -> Platform {
    let mut platform = json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Platform", "metadata": {"name": "default"},
        "spec": {"baseDomain": "example.org"},
    });
    if !backup.is_null() {
        platform["spec"]["backup"] = backup;
    }
    serde_json::from_value(platform).unwrap()
}

/// A platform that has backups daily, in a window of four hours, and one office of Entity hort.
fn caches() -> Caches {
    let caches = Caches::new();
    put_platform(&caches, json!({"targets": [{"name": "offsite"}], "recipients": ["age1"]}));
    let office: DedicatedOffice = serde_json::from_value(json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "DedicatedOffice",
        "metadata": {"name": "office", "namespace": "hort", "creationTimestamp": "2026-11-01T00:00:00Z"},
        "spec": {"tier": "1gb"},
    }))
    .unwrap();
    caches.offices.put(&Identity::of(&office.metadata), office);
    caches
}

fn pause(caches: &Caches) {
    let mut office = caches.offices.get("hort", "office").unwrap().as_ref().clone();
    office.spec.instance.paused = true;
    caches.offices.put(&Identity::of(&office.metadata), office);
}

fn put_platform(caches: &Caches, backup: Value) {
    let platform = platform(backup);
    caches.platforms.put(&Identity::of(&platform.metadata), platform);
}

/// A run of the office that was asked for at a time of 2026.
fn put(caches: &Caches, name: &str, asked: &str, status: &Value) {
    let mut run: ServiceBackup = serde_json::from_value(json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceBackup",
        "metadata": {"name": name, "namespace": "hort", "uid": name, "creationTimestamp": asked},
        "spec": {"service": "office", "requestedBy": "anna"}, "status": status,
    }))
    .unwrap();
    if status["phase"] == "SecondPass" {
        run.metadata.finalizers = Some(vec!["commonscloud.coop/unquiesce".to_owned()]);
    }
    caches.backups.put(&Identity::of(&run.metadata), run);
}

fn ready(status: &str, reason: &str) -> Value {
    json!([{"type": "Ready", "status": status, "reason": reason, "message": "",
        "lastTransitionTime": "2026-11-30T00:00:00Z"}])
}

fn succeeded(taken: &str, bytes: i64) -> Value {
    let ended = at(taken).as_second() + 90;
    json!({"phase": "Succeeded", "startedAt": taken, "takenAt": taken, "bytes": bytes, "snapshot": "a".repeat(64),
        "endedAt": Timestamp::from_second(ended).unwrap().to_string(), "conditions": ready("True", "Ready")})
}

fn failed(began: &str) -> Value {
    json!({"phase": "Failed", "startedAt": began, "endedAt": began, "conditions": ready("False", "Unreachable")})
}

/// The samples of backups, as `NAME{LABELS} FIGURE`.
fn told(caches: &Caches, metrics: &Metrics, now: &str) -> Vec<String> {
    observe(caches, at(now), &metrics.backups);
    let text = metrics.text();
    let samples = text.lines().filter(|line| line.starts_with("commonscloud_backup_"));
    samples.map(|line| line.trim_start_matches("commonscloud_backup_").to_owned()).collect()
}

#[test]
fn the_newest_success_and_the_newest_run_are_told_of_each_service() {
    let (caches, metrics) = (caches(), Metrics::default());
    put(&caches, "first", "2026-11-29T01:00:00Z", &succeeded("2026-11-29T01:00:00Z", 7));
    put(&caches, "second", "2026-11-30T01:00:00Z", &succeeded("2026-11-30T01:00:00Z", 8));
    put(&caches, "third", "2026-11-30T10:00:00Z", &failed("2026-11-30T10:00:00Z"));
    put(&caches, "fourth", "2026-11-30T11:00:00Z", &json!({"phase": "Waiting"}));
    let of = r#"{entity="hort",service="office"}"#;
    let taken = at("2026-11-30T01:00:00Z").as_second();
    let mut expected = vec![
        "configured 1".to_owned(),
        format!("last_success_timestamp_seconds{of} {taken}"),
        format!("stored_bytes{of} 8"),
        format!("duration_seconds{of} 0"),
        format!("failed{of} 1"),
        format!("unfinished{of} 1"),
    ];
    let mut seen = told(&caches, &metrics, NOON);
    expected.sort();
    seen.sort();
    assert_eq!(seen, expected);
    put(&caches, "fourth", "2026-11-30T11:00:00Z", &succeeded("2026-11-30T11:00:00Z", 9));
    let seen = told(&caches, &metrics, NOON);
    for line in [format!("failed{of} 0"), format!("duration_seconds{of} 90"), format!("stored_bytes{of} 9")] {
        assert!(seen.contains(&line), "{line}: {seen:?}");
    }
}

#[test]
fn without_backups_in_the_platform_nothing_is_told_but_that() {
    let (caches, metrics) = (caches(), Metrics::default());
    put(&caches, "first", "2026-11-29T01:00:00Z", &succeeded("2026-11-29T01:00:00Z", 7));
    assert!(told(&caches, &metrics, NOON).len() > 3);
    put_platform(&caches, Value::Null);
    assert_eq!(told(&caches, &metrics, NOON), ["configured 0"]);
    assert!(late(&caches, at("2027-11-30T12:00:00Z")).is_empty());
}

#[test]
fn a_service_is_late_when_its_last_success_is_older_than_a_day_and_the_window() {
    let caches = caches();
    let office = |why| vec![("hort".to_owned(), "office".to_owned(), why)];
    assert!(late(&caches, at("2026-11-01T03:00:00Z")).is_empty(), "it is new");
    assert_eq!(late(&caches, at(NOON)), office(Late::NoSuccess), "it never had a backup");
    let line = r#"late{entity="hort",service="office",reason="NoSuccess"} 1"#;
    assert!(told(&caches, &Metrics::default(), NOON).contains(&line.to_owned()));
    put(&caches, "first", "2026-11-29T08:00:00Z", &succeeded("2026-11-29T08:00:00Z", 7));
    assert!(late(&caches, at(NOON)).is_empty(), "28 hours, and not a second more");
    assert_eq!(late(&caches, at("2026-11-30T12:00:01Z")), office(Late::NoSuccess));
    put(&caches, "second", "2026-11-30T09:00:00Z", &failed("2026-11-30T09:00:00Z"));
    assert_eq!(late(&caches, at("2026-11-30T12:00:01Z")), office(Late::NoSuccess), "a failed run is none");
    let unsupported = json!({"phase": "Failed", "conditions": ready("False", "BackupUnsupported")});
    put(&caches, "third", "2026-11-30T10:00:00Z", &unsupported);
    assert_eq!(late(&caches, at(NOON)), office(Late::BackupUnsupported));
}

#[test]
fn a_backup_of_a_clock_that_was_a_year_ahead_is_as_old_as_its_run() {
    let caches = caches();
    put(&caches, "first", "2026-11-29T08:00:00Z", &succeeded("2027-11-29T08:00:00Z", 7));
    assert!(late(&caches, at(NOON)).is_empty());
    assert_eq!(late(&caches, at("2026-11-30T12:00:01Z")).len(), 1);
}

#[test]
fn a_snapshot_that_is_gone_counts_no_more() {
    let caches = caches();
    let mut gone = succeeded("2026-11-30T08:00:00Z", 7);
    put(&caches, "first", "2026-11-30T08:00:00Z", &gone);
    assert!(late(&caches, at(NOON)).is_empty());
    gone["conditions"] = ready("False", "SnapshotGone");
    put(&caches, "first", "2026-11-30T08:00:00Z", &gone);
    assert_eq!(late(&caches, at(NOON)).len(), 1);
}

#[test]
fn a_service_is_quiet_since_it_was_first_seen_so_and_only_while_it_is() {
    let (caches, metrics) = (caches(), Metrics::default());
    let quiet = |now: &str| {
        let told = told(&caches, &metrics, now);
        told.into_iter().find(|line| line.starts_with("quiet_since"))
    };
    put(&caches, "first", "2026-11-30T11:00:00Z", &json!({"phase": "FirstPass"}));
    assert_eq!(quiet(NOON), None);
    put(&caches, "first", "2026-11-30T11:00:00Z", &json!({"phase": "SecondPass"}));
    let since = |time: &str| {
        let since = at(time).as_second();
        Some(format!(r#"quiet_since_timestamp_seconds{{entity="hort",service="office"}} {since}"#))
    };
    assert_eq!(quiet(NOON), since(NOON));
    assert_eq!(quiet("2026-11-30T12:05:00Z"), since(NOON));
    put(&caches, "first", "2026-11-30T11:00:00Z", &json!({"phase": "SecondPass", "takenAt": "2026-11-30T11:58:00Z"}));
    assert_eq!(quiet("2026-11-30T12:06:00Z"), since("2026-11-30T11:58:00Z"));
    put(&caches, "first", "2026-11-30T11:00:00Z", &succeeded("2026-11-30T11:58:00Z", 1));
    assert_eq!(quiet("2026-11-30T12:07:00Z"), None);
}

#[test]
fn a_paused_service_is_not_late() {
    let caches = caches();
    assert_eq!(late(&caches, at(NOON)).len(), 1);
    pause(&caches);
    assert!(late(&caches, at(NOON)).is_empty());
}

#[test]
fn a_damaged_repository_is_told_and_whole_ones_are_as_well() {
    let (caches, metrics) = (caches(), Metrics::default());
    let of = |now: &str| {
        let told = told(&caches, &metrics, now);
        told.into_iter().filter(|line| line.starts_with("repository_")).collect::<Vec<_>>()
    };
    assert_eq!(of(NOON), Vec::<String>::new(), "nobody has looked yet");
    let damaged = Some(Problem::new(Reason::RepositoryDamaged, "pack"));
    let state = RepositoryState { damaged, checked: Timestamp::from_second(5).ok(), ..RepositoryState::default() };
    let whole = RepositoryState::default();
    let named = |service: &str| ("hort".to_owned(), service.to_owned());
    caches.repositories.put([(named("office"), state), (named("wiki"), whole)].into(), true);
    let labels = |service: &str| format!(r#"{{entity="hort",service="{service}"}}"#);
    let expected = [
        format!("repository_checked_timestamp_seconds{} 5", labels("office")),
        format!("repository_damaged{} 1", labels("office")),
        format!("repository_damaged{} 0", labels("wiki")),
    ];
    let mut told = of(NOON);
    told.sort();
    assert_eq!(told, expected);
}
