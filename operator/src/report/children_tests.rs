//! Of several problems the cause is told, and what is over is told no more.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Event, Pod};
use serde_json::{Value, json};
use test_case::test_case;

use super::children::{Children, SettingsContainer};
use super::conditions::ConditionUpdate;
use crate::api::{ConditionType, Reason};
use crate::cache::Live;

fn workload(kind: &str, name: &str) -> Arc<Live> {
    let object = json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": name, "namespace": "coop", "uid": format!("of-{name}"), "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"part": name}}},
        "status": {"observedGeneration": 1},
    });
    Arc::new(Live::of(kind, serde_json::from_value(object).unwrap()))
}

/// A pod of a workload, its one container in this state, as YAML.
fn pod(of: &str, container: &str) -> Arc<Pod> {
    let mut container: Value = serde_yaml::from_str(container).unwrap();
    for (field, value) in
        [("name", json!("c")), ("image", json!("x")), ("imageID", json!("")), ("restartCount", json!(0))]
    {
        container[field] = value;
    }
    container["ready"] = json!(false);
    let list = if container.get("init").is_some() { "initContainerStatuses" } else { "containerStatuses" };
    Arc::new(
        serde_json::from_value(json!({
            "metadata": {"name": format!("{of}-0"), "namespace": "coop", "labels": {"part": of}, "creationTimestamp": "2026-01-01T10:30:00Z"},
            "status": {list: [container]},
        }))
        .unwrap(),
    )
}

fn event(kind: &str, name: &str, reason: &str, time: &str) -> Arc<Event> {
    Arc::new(
        serde_json::from_value(json!({
            "metadata": {"name": "e", "namespace": "coop"}, "reason": reason, "message": "said", "lastTimestamp": time,
            "involvedObject": {"kind": kind, "name": name, "namespace": "coop"},
        }))
        .unwrap(),
    )
}

const NO_IMAGE: &str = "state: {waiting: {reason: ImagePullBackOff, message: none}}";
const CRASHES: &str = "{state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}";
const INIT_FAILS: &str =
    "{init: true, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}";
const RUNS: &str = "state: {running: {}}";
const CREATING: &str = "state: {waiting: {reason: ContainerCreating}}";

#[test_case(RUNS, NO_IMAGE, "ImagePullBackOff", "wiki-db-0"; "the image of the database, not the probe of what waits for it")]
#[test_case(INIT_FAILS, CRASHES, "CrashLoopBackOff", "wiki-db-0"; "the database that crashes, not the step that waits for it")]
#[test_case(NO_IMAGE, RUNS, "ImagePullBackOff", "wiki-app-0"; "what cannot start, not a database that only starts")]
#[test_case(NO_IMAGE, CREATING, "ImagePullBackOff", "wiki-app-0"; "what cannot start, not what is being made")]
#[test_case(CRASHES, NO_IMAGE, "ImagePullBackOff", "wiki-db-0"; "the database before the application")]
fn of_two_workloads_in_trouble_the_cause_is_told(app: &str, db: &str, reason: &str, whose: &str) {
    let children = Children {
        objects: vec![workload("Deployment", "wiki-app"), workload("StatefulSet", "wiki-db")],
        pods: vec![pod("wiki-app", app), pod("wiki-db", db)],
        events: vec![event("Pod", "wiki-app-0", "Unhealthy", "2026-01-01T11:00:00Z")],
        ..Children::default()
    };
    let problem = children.problem(|_| false).unwrap();
    assert_eq!(problem.reason, reason, "{problem:?}");
    assert!(problem.message.contains(whose), "{problem:?}");
}

#[test]
fn a_refused_pod_is_told_no_more_once_a_later_one_was_made() {
    let told = |time: &str| {
        let children = Children {
            objects: vec![workload("StatefulSet", "wiki-db")],
            // It is on its way out: nothing of it is told.
            pods: vec![{
                let mut pod = Pod::clone(&pod("wiki-db", RUNS));
                pod.metadata.deletion_timestamp = pod.metadata.creation_timestamp.clone();
                Arc::new(pod)
            }],
            events: vec![event("StatefulSet", "wiki-db", "FailedCreate", time)],
            ..Children::default()
        };
        children.problem(|_| false).unwrap().reason
    };
    assert_eq!(told("2026-01-01T10:00:00Z"), "RollingOut");
    assert_eq!(told("2026-01-01T10:40:00Z"), "FailedCreate");
}

/// A claim of which the storage cannot give what is requested, as it was seen.
fn claim(requested: &str, resize: Value) -> Arc<Live> {
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "calendar-data", "namespace": "coop"},
        "spec": {"resources": {"requests": {"storage": requested}}},
        "status": {
            "phase": "Bound", "capacity": {"storage": "1121Mi"}, "allocatedResourceStatuses": {"storage": resize},
            "conditions": [{"type": "Resizing", "status": "True", "lastTransitionTime": "2026-01-01T10:30:00Z"}],
        },
    });
    Arc::new(Live::of("PersistentVolumeClaim", serde_json::from_value(claim).unwrap()))
}

#[test]
fn a_growth_is_told_as_it_is_now() {
    let told = |resize: &str, time: &str| {
        let volumes = vec![claim("1048577121Mi", json!(resize))];
        let mut event = Event::clone(&event("PersistentVolumeClaim", "calendar-data", "VolumeResizeFailed", time));
        event.message = Some("/var/lib/driver/volumes has room for 5 more bytes".to_owned());
        let children = Children { volumes, events: vec![Arc::new(event)], ..Children::default() };
        children.problem(|_| false).map(|problem| (problem.reason, problem.message)).unwrap()
    };
    let (reason, message) = told("ControllerResizeInfeasible", "2026-01-01T10:31:00Z");
    assert_eq!(reason, "VolumeGrowthFailed");
    assert_eq!(
        message,
        "PersistentVolumeClaim calendar-data has 1121Mi, and the storage cannot give it 1048577121Mi: …/volumes has room for 5 more bytes"
    );
    let (reason, message) = told("ControllerResizeInProgress", "2026-01-01T10:00:00Z");
    assert_eq!(reason, "VolumeGrowing");
    assert_eq!(message, "PersistentVolumeClaim calendar-data grows from 1121Mi to 1048577121Mi", "an earlier attempt");
}

/// An application that runs, and its container that applies settings, which has begun or not.
fn with_settings(begun: bool, said: Option<&str>) -> Children {
    let mut app = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "site-app", "namespace": "coop", "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"part": "site-app"}}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    });
    if !begun {
        app["status"]["availableReplicas"] = json!(0);
    }
    let cron = json!({"name": "cron", "image": "x", "imageID": "", "restartCount": 0, "ready": begun, "started": begun, "state": {"running": {}}});
    let pod = json!({
        "metadata": {"name": "site-app-0", "namespace": "coop", "labels": {"part": "site-app"}},
        "status": {"containerStatuses": [cron]},
    });
    let probe = said.map(|said| {
        let mut probe = Event::clone(&event("Pod", "site-app-0", "Unhealthy", "2026-01-01T11:00:00Z"));
        probe.message = Some(format!("Liveness probe failed: {said}"));
        probe.involved_object.field_path = Some("spec.containers{cron}".to_owned());
        Arc::new(probe)
    });
    Children {
        objects: vec![Arc::new(Live::of("Deployment", serde_json::from_value(app).unwrap()))],
        pods: vec![Arc::new(serde_json::from_value(pod).unwrap())],
        events: probe.into_iter().collect(),
        settings: vec![SettingsContainer { workload: "site-app".to_owned(), container: "cron".to_owned() }],
        ..Children::default()
    }
}

#[test]
fn settings_that_fail_are_told_and_the_application_counts_as_running() {
    let failed = with_settings(true, Some("settings: no provider\n"));
    let problem = failed.problem(|_| true).unwrap();
    assert_eq!((problem.reason.as_str(), problem.message.as_str()), ("SettingsFailed", "settings: no provider"));
    assert!(failed.are_running(), "it serves");
    assert_eq!(failed.configured(), Some(ConditionUpdate::problem(ConditionType::Configured, false, &problem)));

    let begins = with_settings(false, None);
    assert!(!begins.are_running());
    let mut begins_again = with_settings(false, None);
    begins_again.objects = with_settings(true, None).objects;
    assert_eq!(begins_again.problem(|_| true).unwrap().reason, "Starting", "whatever the Deployment says so far");
    let unknown =
        ConditionUpdate::unknown(ConditionType::Configured, Reason::Starting, "told once the application runs");
    assert_eq!(begins.configured(), Some(unknown));

    let applied = with_settings(true, None);
    assert_eq!(applied.problem(|_| true), None);
    let told =
        ConditionUpdate::new(ConditionType::Configured, true, Reason::SettingsApplied, "the settings are applied");
    assert_eq!(applied.configured(), Some(told));
    assert_eq!(Children::default().configured(), None, "a package that does not tell");
}
