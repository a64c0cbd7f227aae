//! The schemas of backups keep to the rules of all others.

use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use super::*;
use crate::crds;

fn schema(kind: &str) -> Value {
    let crd = crds().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    serde_json::to_value(&crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema).unwrap()
}

fn rules(schema: &Value) -> Vec<String> {
    let rules = schema["x-kubernetes-validations"].as_array().cloned().unwrap_or_default();
    rules.iter().map(|rule| rule["message"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_was_asked_for_is_never_changed_and_says_who_asked() {
    for kind in ["ServiceBackup", "ServiceRestore", "RestoreConsent"] {
        let spec = &schema(kind)["properties"]["spec"];
        assert_eq!(spec["x-kubernetes-validations"][0]["rule"], "self == oldSelf", "{kind}");
        assert!(rules(spec)[0].contains("cannot be changed"), "{kind}");
        assert!(spec["required"].as_array().unwrap().contains(&json!("requestedBy")), "{kind}");
    }
}

#[test]
fn each_choice_between_fields_names_them() {
    let restore = schema("ServiceRestore");
    let spec = &restore["properties"]["spec"];
    let fields = [("from", "from: set at most one"), ("into", "into.service:")];
    for (field, words) in fields {
        let found = rules(&spec["properties"][field]);
        assert!(found.iter().any(|message| message.starts_with(words)), "{field}: {found:?}");
    }
    assert_eq!(spec["properties"]["only"]["required"], json!(["path", "volume"]));
    assert!(rules(&schema("ServiceBackup")["properties"]["spec"]).iter().any(|m| m.starts_with("recipient: ")));
}

#[test]
fn a_restore_is_in_place_and_of_the_newest_unless_it_says_otherwise() {
    let spec = json!({"from": {"service": "office"}, "requestedBy": "anna"});
    let read: ServiceRestoreSpec = serde_json::from_value(spec).unwrap();
    assert_eq!(read.into, RestoreDestination { kind: RestoreDestinationKind::InPlace, service: None });
    assert_eq!((read.from.snapshot, read.from.before, read.only), (None, None, None));
}

#[test]
fn backups_of_a_platform_need_a_target_and_a_recipient_and_nothing_else() {
    let spec = json!({
        "targets": [{"name": "here", "rest": {"url": "https://backup.example.org", "secretName": "add"}}],
        "recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
    });
    let backup: PlatformBackup = serde_json::from_value(spec.clone()).unwrap();
    assert_eq!((backup.schedule.cron.as_str(), backup.schedule.window_minutes), ("0 1 * * *", 240));
    assert_eq!(backup.keep, KeepRule { last: 3, daily: 7, weekly: 5, monthly: 12 });
    assert_eq!(backup.history, 10);
    assert_eq!((backup.care.prune_every_days, backup.care.read_within_days, backup.care.at_once), (7, 28, 1));
    assert_eq!(backup.target(None).unwrap().name, "here");
    assert_eq!((backup.target(Some("there")), backup.targets[0].secret()), (None, Some("add".into())));
    for missing in ["targets", "recipients"] {
        let mut less = spec.clone();
        less.as_object_mut().unwrap().remove(missing);
        assert!(serde_json::from_value::<PlatformBackup>(less).is_err(), "{missing}");
    }
}

#[test]
fn what_removes_is_another_secret_than_what_adds() {
    let s3 =
        json!({"endpoint": "https://s3.example.org", "bucket": "cloud", "secretName": "add", "careSecretName": "care"});
    let target: BackupTarget = serde_json::from_value(json!({"name": "offsite", "s3": s3})).unwrap();
    assert_eq!((target.secret(), target.care_secret()), (Some("add".into()), Some("care".into())));
    assert_eq!((target.locked_days(), BackupTarget::default().locked_days()), (0, 0));
}

#[test]
fn the_secrets_of_a_volume_are_never_those_of_another_one() {
    let of = |name: &str| -> BackupTarget {
        serde_json::from_value(json!({"name": name, "volume": {"size": "1Gi"}})).unwrap()
    };
    let (here, like_its_care) = (of("here"), of("care-here"));
    let secrets = [here.secret(), here.care_secret(), like_its_care.secret(), like_its_care.care_secret()];
    let mut names: Vec<_> = secrets.iter().flatten().collect();
    assert_eq!(names, ["backup-server-here", "backup-care-here", "backup-server-care-here", "backup-care-care-here"]);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 4);
}

#[test]
fn phases_are_in_the_order_in_which_they_come() {
    assert!(BackupPhase::FirstPass < BackupPhase::Quiescing && BackupPhase::Quiescing < BackupPhase::Unquiescing);
    assert!(RestorePhase::Waiting < RestorePhase::Copying && RestorePhase::Copying < RestorePhase::Preparing);
    assert!(RestorePhase::Files < RestorePhase::Switching && RestorePhase::Verifying < RestorePhase::Starting);
}

/// Each property and item of a schema.
fn walk(path: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        found.push((path.clone(), property.clone()));
        walk(&path, property, found);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], found);
    }
}

/// What stands in specs that have no field for it yet: `operator/tests/crds.rs` does not see it.
#[derive(kube::CustomResource, kube::KubeSchema, Clone, Debug, serde::Serialize, serde::Deserialize)]
#[kube(group = "commonscloud.coop", version = "v1alpha1", kind = "Sample")]
struct SampleSpec {
    /// Of a Platform.
    backup: PlatformBackup,
    /// Of an Entity, of a service.
    choice: BackupChoice,
}

#[test]
fn every_field_of_the_platforms_backups_is_described_and_bounded() {
    let crd = crate::definitions::finished(vec![Sample::crd()]).remove(0);
    let schema = serde_json::to_value(&crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema).unwrap();
    let schema = schema["properties"]["spec"].clone();
    let mut fields = Vec::new();
    walk("", &schema, &mut fields);
    fields.retain(|(path, _)| !path.contains(".network.") && !path.contains(".resources."));
    assert!(fields.len() > 40, "the walk finds fields: {}", fields.len());
    for (path, field) in fields {
        assert!(field["description"].as_str().is_some_and(|text| !text.is_empty()), "{path}");
        let is = |kind: &str| field["type"] == kind;
        assert!(!is("string") || field["maxLength"].is_number() || field["enum"].is_array(), "{path}");
        assert!(!is("integer") || field["minimum"].is_number() && field["maximum"].is_number(), "{path}");
        assert!(!is("array") || field["maxItems"].is_number() && field["x-kubernetes-list-type"].is_string(), "{path}");
        assert!(field["pattern"].is_null(), "{path}: a bare regular expression");
    }
}
