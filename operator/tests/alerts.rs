//! The chart's alerting rules: each is about figures that the operator shows, has a page that says what to do, and
//! a test for promtool (e2e/tests/conformance runs it where promtool is there).

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_operator::api::{DedicatedOffice, Platform, ServiceBackup};
use commonscloud_operator::cache::{Caches, Identity, RepositoryState};
use commonscloud_operator::metrics::{Depth, Metrics};
use serde_json::{Value, json};

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> Value {
    serde_yaml::from_str(&fs::read_to_string(source(path)).unwrap()).unwrap()
}

/// The rules of all groups.
fn rules() -> Vec<Value> {
    let file = read("charts/commonscloud/files/alerts.yaml");
    let groups = file["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// The names of our metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("commonscloud_")).map(str::to_owned).collect()
}

/// Metrics that have seen a service that is late, one that is quiet, one whose backup and drill failed, and a target:
/// a family without a member is not shown.
fn shown() -> BTreeSet<String> {
    let caches = Caches::new();
    let platform: Platform = serde_json::from_value(json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Platform", "metadata": {"name": "default"},
        "spec": {"baseDomain": "example.org", "backup": {"targets": [{"name": "offsite"}], "recipients": ["age1"]}},
    }))
    .unwrap();
    caches.platforms.put(&Identity::of(&platform.metadata), platform);
    let office: DedicatedOffice = serde_json::from_value(json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "DedicatedOffice",
        "metadata": {"name": "office", "namespace": "hort", "creationTimestamp": "2020-01-01T00:00:00Z"},
        "spec": {"tier": "1gb"},
        "status": {"conditions": [{
            "type": "RestoreProven", "status": "False", "reason": "DrillFailed", "message": "",
            "lastTransitionTime": "2026-11-30T00:00:00Z",
        }]},
    }))
    .unwrap();
    caches.offices.put(&Identity::of(&office.metadata), office);
    for (name, phase, finalizers) in
        [("failed", "Failed", json!([])), ("quiet", "SecondPass", json!(["commonscloud.coop/unquiesce"]))]
    {
        let run: ServiceBackup = serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceBackup",
            "metadata": {"name": name, "namespace": "hort", "uid": name, "finalizers": finalizers},
            "spec": {"service": "office", "requestedBy": "anna"}, "status": {"phase": phase},
        }))
        .unwrap();
        caches.backups.put(&Identity::of(&run.metadata), run);
    }
    let of = ("hort".to_owned(), "office".to_owned());
    caches.repositories.put([(of, RepositoryState::default())].into(), true);
    let metrics = Metrics::default();
    metrics.observe(&caches, Depth::default(), true);
    metrics.records_stored([("offsite".to_owned(), 0)]);
    named(&metrics.text())
}

#[test]
fn every_metric_that_an_alert_names_is_one_that_the_operator_shows() {
    let shown = shown();
    for rule in rules() {
        let asked = named(rule["expr"].as_str().unwrap());
        assert!(!asked.is_empty(), "{rule}: about nothing of ours");
        for metric in asked {
            assert!(shown.contains(&metric), "{}: there is no {metric}; there are {shown:?}", rule["alert"]);
        }
    }
}

#[test]
fn every_alert_names_a_page_that_says_what_to_do() {
    let rules = rules();
    assert!(rules.len() >= 4, "{rules:?}");
    for rule in rules {
        let page = rule["annotations"]["runbook"].as_str().unwrap_or_default();
        assert!(page.starts_with("docs/operations/"), "{}: runbook {page:?}", rule["alert"]);
        let text = fs::read_to_string(source(page)).unwrap_or_default();
        let alert = rule["alert"].as_str().unwrap();
        assert!(text.contains(&format!("`{alert}`")), "{page} is not there, or is not about {alert}");
        for annotation in ["summary", "description"] {
            assert!(rule["annotations"][annotation].as_str().is_some_and(|text| text.len() > 20), "{alert}");
        }
    }
}

#[test]
fn every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let file = read("charts/commonscloud/tests/alerts.yaml");
    let tests = file["tests"].as_array().unwrap();
    let tests: Vec<&Value> = tests.iter().flat_map(|test| test["alert_rule_test"].as_array().unwrap()).collect();
    for rule in rules() {
        let of = tests.iter().filter(|test| test["alertname"] == rule["alert"]);
        let fires: BTreeSet<bool> = of.map(|test| !test["exp_alerts"].as_array().unwrap().is_empty()).collect();
        assert_eq!(fires, [false, true].into(), "{}", rule["alert"]);
    }
}
