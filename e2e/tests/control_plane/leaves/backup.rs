//! The leaves of backups: of the Platform, what the containers of a run get of it; of runs and restores, that nobody
//! changes one that is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::manifests::{entity, namespaced};
use commonscloud_e2e::{Failure, Outcome};
use commonscloud_operator::api::{Entity, PlatformBackup, ServiceData};
use commonscloud_operator::backup::escrow::escrow_job;
use commonscloud_operator::backup::target::{Purpose, access, repository};
use commonscloud_operator::backup::{KeyState, Own, Place, Subject};
use commonscloud_operator::plan::Plan;
use commonscloud_operator::template::RenderedObject;
use serde_json::{Value, json};

use super::case::{Case, See, reads, refused, see, shows};
use super::live::Stage;
use super::platform::peers;

/// What runs may read and add with, what may remove as well, and what leaves the key at the target.
const RUN: &str = "Target/run";
const CARE: &str = "Target/care";
const ESCROW: &str = "Escrow/office";
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const OTHER: &str = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";
/// The namespace of the runs and restores that are asked for.
const OF_RUNS: &str = "leaves-runs";

/// What an office's runs would get of the Platform's first target, by `Target/PURPOSE` and `Escrow/NAME`.
pub fn made(
    plan: &Plan,
    objects: &[RenderedObject],
    platform: &Value,
    of: &Arc<Entity>,
) -> Outcome<Vec<(String, Value)>> {
    let Some(backup) = platform.pointer("/spec/backup") else { return Ok(Vec::new()) };
    let backup: PlatformBackup = serde_json::from_value(backup.clone())?;
    let target = backup.target(None).cloned().ok_or_else(|| Failure::new("no target"))?;
    let shown = |purpose: Purpose| {
        let access = access(NAMESPACE, &target, purpose, &plan.network);
        let named = |volume: &Value| Some((volume["name"].as_str()?.to_owned(), volume.clone()));
        let volumes: serde_json::Map<String, Value> = access.volumes.iter().filter_map(named).collect();
        json!({
            "url": repository(NAMESPACE, &target, "folder", "office", purpose).url, "env": access.env, "volumes": volumes,
            "annotations": access.annotations, "egress": access.egress,
        })
    };
    let (run, care) = (shown(Purpose::Run), shown(Purpose::Care));
    let subject = Subject {
        plan: plan.clone(),
        objects: objects.to_vec(),
        operations: Arc::clone(&plan.package),
        record: Arc::new(ServiceData::new("office", commonscloud_operator::api::ServiceDataSpec::default())),
        entity: Arc::clone(of),
        is_running: true,
        on_nodes: BTreeSet::new(),
        target: target.clone(),
        folder: "folder".to_owned(),
        key: KeyState::There,
        own: Own::default(),
        backup,
    };
    let escrow = escrow_job(&Place::of(&subject));
    Ok([(RUN, run), (CARE, care), (ESCROW, escrow)].map(|(name, object)| (name.to_owned(), object)).into())
}

fn backup_to(kind: &str, target: Value) -> Value {
    let network = json!({"peers": peers()});
    let target = json!({"name": "target-a", kind: target, "network": network});
    let figures = json!({"requests": {"cpu": "11m"}, "limits": {"memory": "999Mi"}});
    json!({"targets": [target], "recipients": [RECIPIENT], "resources": figures})
}

fn s3() -> Value {
    json!({
        "endpoint": "https://s3.a.example", "bucket": "bucket-a", "prefix": "folder-a", "region": "region-a",
        "secretName": "add-a", "careSecretName": "care-a", "caBundle": "A",
    })
}

/// The cases that need no API server.
pub fn planned() -> Vec<Case> {
    let mut cases = of_s3();
    cases.extend(of_sftp());
    cases.extend(of_rest());
    cases.extend(of_network());
    cases.extend(of_escrow());
    cases
}

fn own(kind: &str, target: Value, leaf: &str, value: Value, sees: Vec<See>) -> Case {
    shows("Platform", format!("spec.backup.{leaf}"), value, sees).given("spec.backup", backup_to(kind, target))
}

fn secret_of(variable: &str) -> String {
    format!("/env/{variable}/valueFrom/secretKeyRef/name")
}

fn authority(value: &str) -> Vec<See> {
    vec![see(RUN, "/annotations/commonscloud.coop~1authority", value)]
}

fn of_s3() -> Vec<Case> {
    let case =
        |leaf: &str, value: &str, sees: Vec<See>| own("s3", s3(), &format!("targets[0].s3.{leaf}"), json!(value), sees);
    let key = secret_of("AWS_ACCESS_KEY_ID");
    vec![
        case("endpoint", "https://s3.b.example", vec![reads(RUN, "/url", "s3.b.example/")]),
        case("bucket", "bucket-b", vec![reads(RUN, "/url", "/bucket-b/")]),
        case("prefix", "folder-b", vec![reads(RUN, "/url", "/folder-b/")]),
        case("region", "region-b", vec![see(RUN, "/env/AWS_DEFAULT_REGION/value", "region-b")]),
        case("secretName", "add-b", vec![see(RUN, key.clone(), "add-b")]),
        case("careSecretName", "care-b", vec![see(CARE, key, "care-b")]),
        case("caBundle", "B", authority("B")),
    ]
}

fn of_sftp() -> Vec<Case> {
    let target = json!({
        "host": "a.example", "port": 22, "user": "cloud-a", "path": "/srv/a", "secretName": "add-a", "careSecretName": "care-a",
    });
    let case = |leaf: &str, value: Value, sees: Vec<See>| {
        own("sftp", target.clone(), &format!("targets[0].sftp.{leaf}"), value, sees)
    };
    let key = "/volumes/ssh/secret/secretName";
    vec![
        case("host", json!("b.example"), vec![reads(RUN, "/url", "@b.example:")]),
        case("port", json!(2222), vec![reads(RUN, "/url", ":2222/"), see(RUN, "/egress/0/ports/0/port", 2222)]),
        case("user", json!("cloud-b"), vec![reads(RUN, "/url", "cloud-b@")]),
        case("path", json!("/srv/b"), vec![reads(RUN, "/url", "/srv/b/")]),
        case("secretName", json!("add-b"), vec![see(RUN, key, "add-b")]),
        case("careSecretName", json!("care-b"), vec![see(CARE, key, "care-b")]),
    ]
}

fn of_rest() -> Vec<Case> {
    let target = json!({
        "url": "https://a.example/cloud", "secretName": "add-a", "careUrl": "https://care-a.example/cloud",
        "careSecretName": "care-a", "caBundle": "A",
    });
    let case = |leaf: &str, value: &str, sees: Vec<See>| {
        own("rest", target.clone(), &format!("targets[0].rest.{leaf}"), json!(value), sees)
    };
    let key = secret_of("RESTIC_REST_USERNAME");
    vec![
        case("url", "https://b.example/cloud", vec![reads(RUN, "/url", "//b.example/cloud/")]),
        case("secretName", "add-b", vec![see(RUN, key.clone(), "add-b")]),
        case("careUrl", "https://care-b.example/cloud", vec![reads(CARE, "/url", "//care-b.example/cloud/")]),
        case("careSecretName", "care-b", vec![see(CARE, key, "care-b")]),
        case("caBundle", "B", authority("B")),
    ]
}

fn of_network() -> Vec<Case> {
    let case = |leaf: &str, at: &str, value: Value| {
        let seen = vec![see(RUN, format!("/egress/0/{at}"), value.clone())];
        own("s3", s3(), &format!("targets[0].network.{leaf}"), value, seen)
    };
    let mut cases = vec![
        case("port", "ports/0/port", json!(9000)),
        case("peers[0].ipBlock.cidr", "to/0/ipBlock/cidr", json!("10.0.0.0/9")),
        case("peers[0].ipBlock.except[0]", "to/0/ipBlock/except/0", json!("10.2.0.0/16")),
    ];
    for selector in ["namespaceSelector", "podSelector"] {
        let leaf = |leaf: &str| format!("peers[1].{selector}.{leaf}");
        let at = |at: &str| format!("to/1/{selector}/{at}");
        cases.extend([
            case(&leaf("matchLabels{app}"), &at("matchLabels/app"), json!("b")),
            case(&leaf("matchExpressions[0].key"), &at("matchExpressions/0/key"), json!("other")),
            case(&leaf("matchExpressions[0].operator"), &at("matchExpressions/0/operator"), json!("NotIn")),
            case(&leaf("matchExpressions[0].values[0]"), &at("matchExpressions/0/values/0"), json!("b")),
        ]);
    }
    cases
}

fn of_escrow() -> Vec<Case> {
    let case = |leaf: &str, value: Value, at: &str| {
        own("s3", s3(), leaf, value.clone(), vec![see(ESCROW, at.to_owned(), value)])
    };
    let figure = |of: &str| format!("/spec/template/spec/containers/escrow/resources/{of}");
    vec![
        case("targets[0].name", json!("target-b"), "/metadata/labels/commonscloud.coop~1backup-target"),
        case("recipients[0]", json!(OTHER), "/spec/template/spec/containers/escrow/args/4"),
        case("resources.requests{cpu}", json!("12m"), &figure("requests/cpu")),
        case("resources.limits{memory}", json!("998Mi"), &figure("limits/memory")),
    ]
}

/// The storage class of a volume that backups go to.
const CLASS: &str = "spec.backup.targets[0].volume.storageClassName";

/// Leaves of the Platform that nothing runs by yet: what they may be.
pub fn of_platform() -> Vec<Case> {
    let case = |leaf: &'static str, value: Value| {
        refused("Platform", leaf, value, &[leaf]).given("spec.backup", backup_to("s3", s3()))
    };
    vec![
        case("spec.backup.schedule.cron", json!("at one o'clock")),
        case("spec.backup.schedule.timeZone", json!("")),
        case("spec.backup.schedule.windowMinutes", json!(0)),
        case("spec.backup.schedule.atOnce", json!(0)),
        case("spec.backup.schedule.bounds.longestHours", json!(0)),
        case("spec.backup.schedule.bounds.shortestMinutes", json!(0)),
        case("spec.backup.keep.last", json!(0)),
        case("spec.backup.keep.daily", json!(1001)),
        case("spec.backup.keep.weekly", json!(1001)),
        case("spec.backup.keep.monthly", json!(1001)),
        case("spec.backup.care.cron", json!("at six o'clock")),
        case("spec.backup.care.windowMinutes", json!(0)),
        case("spec.backup.care.atOnce", json!(0)),
        case("spec.backup.care.pruneEveryDays", json!(0)),
        case("spec.backup.care.readWithinDays", json!(0)),
        case("spec.backup.targets[0].s3.lockedDays", json!(0)),
        case("spec.backup.targets[0].volume.size", json!("")),
        refused("Platform", CLASS, json!(""), &[CLASS])
            .given("spec.backup", backup_to("volume", json!({"size": "20Gi"}))),
        case("spec.backup.drills.enabled", json!("at times")),
        case("spec.backup.drills.everyDays", json!(0)),
        case("spec.backup.drills.largest", json!("a lot")),
        case("spec.backup.drills.storageClass", json!("")),
        case("spec.backup.drills.timeoutMinutes", json!(0)),
        case("spec.backup.history", json!(0)),
    ]
}

/// A run, a restore and a consent that `user` asked for: another wish is another object.
pub fn asked(user: &str) -> [Stage; 3] {
    let run = json!({
        "service": "site", "target": "target-a", "format": "Exit", "recipient": RECIPIENT, "reason": "Requested",
        "requestedBy": user,
    });
    let restore = json!({
        "from": {"service": "site", "entity": "other", "snapshot": snapshot('a')},
        "into": {"kind": "NewService", "service": "new"}, "requestedBy": user,
    });
    let stage = |kind: &str, spec: Value, cases: Vec<Case>| Stage {
        namespace: OF_RUNS.to_owned(),
        around: vec![entity(OF_RUNS, json!({}))],
        subject: namespaced(kind, OF_RUNS, "asked", spec),
        ready: Vec::new(),
        cases,
    };
    let consent = json!({
        "service": "site", "snapshot": snapshot('a'), "entity": "other", "until": "2030-01-01T00:00:00Z",
        "requestedBy": user,
    });
    [
        stage("ServiceBackup", run, of_runs()),
        stage("ServiceRestore", restore, of_restores()),
        stage("RestoreConsent", consent, of_consents()),
    ]
}

fn snapshot(digit: char) -> String {
    std::iter::repeat_n(digit, 64).collect()
}

/// The cases of a run.
pub fn of_runs() -> Vec<Case> {
    let own = |leaf: &str, value: &str| {
        let words = &["spec: a run cannot be changed; make another ServiceBackup"];
        refused("ServiceBackup", format!("spec.{leaf}"), json!(value), words)
    };
    vec![
        own("service", "other"),
        own("target", "target-b"),
        own("format", "Snapshot"),
        own("recipient", OTHER),
        own("reason", "Scheduled"),
        own("requestedBy", "somebody-else"),
    ]
}

/// The cases of a restore.
pub fn of_restores() -> Vec<Case> {
    let own = |leaf: &str, value: Value| {
        let words = &["spec: a restore cannot be changed; make another ServiceRestore"];
        refused("ServiceRestore", format!("spec.{leaf}"), value, words)
    };
    let half = |leaf: &str, value: Value, words| refused("ServiceRestore", format!("spec.{leaf}"), value, &[words]);
    vec![
        own("from.service", json!("other")),
        own("from.entity", json!("another")),
        own("from.snapshot", json!(snapshot('b'))),
        own("from.before", json!("2026-01-01T00:00:00Z")),
        own("from.importedTo", json!("target-a")),
        own("into.kind", json!("InPlace")),
        own("into.service", json!("newer")),
        half("only.volume", json!("data"), "spec.only.path: Required value"),
        half("only.path", json!("a/folder"), "spec.only.volume: Required value"),
        own("requestedBy", json!("somebody-else")),
    ]
}

/// The cases of a consent.
pub fn of_consents() -> Vec<Case> {
    let own = |leaf: &str, value: Value| {
        let words = &["spec: a consent cannot be changed; make another RestoreConsent"];
        refused("RestoreConsent", format!("spec.{leaf}"), value, words)
    };
    vec![
        own("service", json!("other")),
        own("snapshot", json!(snapshot('b'))),
        own("entity", json!("another")),
        own("until", json!("2031-01-01T00:00:00Z")),
        own("requestedBy", json!("somebody-else")),
    ]
}
