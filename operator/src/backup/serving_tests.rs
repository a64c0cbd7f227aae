use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::*;

fn platform(targets: Value) -> Platform {
    let backup = json!({"targets": targets, "recipients": []});
    let spec = json!({"baseDomain": "example.org", "backup": backup});
    serde_json::from_value(json!({"metadata": {"name": "default"}, "spec": spec})).unwrap()
}

fn here(size: &str) -> Value {
    json!({"name": "here", "volume": {"size": size}})
}

fn far() -> Value {
    json!({"name": "far", "rest": {"url": "https://backup.example.org", "secretName": "far"}})
}

fn own() -> Own {
    Own { namespace: "system".into(), backup_server_image: "rest-server:1".into(), ..Own::default() }
}

fn live(kind: &str, mut object: Value, status: Value) -> Arc<Live> {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    object["metadata"]["uid"] = json!(format!("{kind}-{name}"));
    object["metadata"]["resourceVersion"] = json!("7");
    object["status"] = status;
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    Arc::new(Live::of(kind, object))
}

/// What there is once all is written, and the server answers.
fn taken(serving: &Serving, mut observed: ObservedServers) -> ObservedServers {
    for change in serving.changes.iter().flatten() {
        let status = match change.kind.as_str() {
            "Deployment" => json!({"observedGeneration": 1, "availableReplicas": 1}),
            "PersistentVolumeClaim" => json!({"phase": "Bound", "capacity": {"storage": "5Gi"}}),
            _ => Value::Null,
        };
        match &change.action {
            Action::Generate { .. } => {
                observed.secrets.insert(change.name.clone(), format!("uid of {}", change.name));
            }
            Action::Create(object) | Action::Apply { object, .. } => {
                observed.objects.push(live(&change.kind, object.clone(), status));
            }
            Action::Delete { uid } => observed.objects.retain(|live| live.metadata.uid.as_ref() != Some(uid)),
            other => panic!("{other:?}"),
        }
    }
    observed
}

fn done(platform: &Platform, mut observed: ObservedServers) -> ObservedServers {
    for _ in 0..3 {
        observed = taken(&serving(platform, &own(), &observed), observed);
    }
    observed
}

fn shown(serving: &Serving) -> Vec<String> {
    serving.changes.iter().flatten().map(ToString::to_string).collect()
}

fn told(serving: &Serving) -> Vec<(String, String)> {
    serving.problems.iter().map(|problem| (problem.reason.clone(), problem.message.clone())).collect()
}

#[test]
fn a_server_is_made_with_its_accounts_and_then_nothing_is_written() {
    let platform = platform(json!([here("5Gi"), far()]));
    let first = serving(&platform, &own(), &ObservedServers::default());
    let made = ["create Secret/backup-server-here", "create Secret/backup-care-here"];
    assert_eq!(shown(&first), [&made[..], &["create PersistentVolumeClaim/backup-server-here"]].concat());
    assert_eq!(told(&first)[0].0, "BackupServerNotReady");
    let observed = taken(&first, ObservedServers::default());
    let second = serving(&platform, &own(), &observed);
    let made = ["NetworkPolicy", "Service", "Deployment"].map(|kind| format!("create {kind}/backup-server-here"));
    assert_eq!(shown(&second), made);
    let third = serving(&platform, &own(), &taken(&second, observed));
    assert_eq!(third, Serving::default());
    assert!(third.is_at_rest() && third.shown("system").is_empty());
}

#[test]
fn what_somebody_changes_or_removes_of_it_is_mended() {
    let platform = platform(json!([here("5Gi")]));
    let mut observed = done(&platform, ObservedServers::default());
    observed.objects.retain(|live| live.kind != "NetworkPolicy");
    assert_eq!(shown(&serving(&platform, &own(), &observed)), ["create NetworkPolicy/backup-server-here"]);
    observed.secrets.insert("backup-care-here".to_owned(), "another".to_owned());
    let again = shown(&serving(&platform, &own(), &observed));
    assert!(again.iter().any(|change| change.starts_with("apply Deployment/backup-server-here")), "{again:?}");
}

#[test]
fn a_claim_grows_and_is_never_made_smaller() {
    let observed = done(&platform(json!([here("5Gi")])), ObservedServers::default());
    let grows = serving(&platform(json!([here("8Gi")])), &own(), &observed);
    assert_eq!(shown(&grows), ["patch PersistentVolumeClaim/backup-server-here: grow from 5Gi to 8Gi"]);
    let Action::Merge { patch, .. } = &grows.changes[0][0].action else { panic!() };
    assert_eq!(patch["spec"]["resources"]["requests"]["storage"], "8Gi");
    assert_eq!(patch["metadata"]["resourceVersion"], "7");
    let shrinks = serving(&platform(json!([here("4Gi")])), &own(), &observed);
    assert_eq!(shown(&shrinks), [""; 0]);
    let (reason, message) = &told(&shrinks)[0];
    assert_eq!(reason, "BackupVolumeDiffers");
    assert!(message.contains("has 5Gi, and is never made smaller; write volume.size: 5Gi or more"), "{message}");
    assert!(shrinks.is_at_rest(), "nothing comes of looking again at once");
}

#[test]
fn another_storage_class_is_refused_in_words() {
    let of = |class: &str| platform(json!([{"name": "here", "volume": {"size": "5Gi", "storageClassName": class}}]));
    let observed = done(&of("slow"), ObservedServers::default());
    let other = serving(&of("fast"), &own(), &observed);
    assert_eq!(shown(&other), [""; 0]);
    assert!(told(&other)[0].1.contains("is of storage class slow, and stays"), "{:?}", told(&other));
    let default = serving(&platform(json!([here("5Gi")])), &own(), &observed);
    assert!(told(&default).is_empty(), "the default is whichever it was");
}

#[test]
fn a_server_that_nobody_names_goes_and_its_claim_stays_and_comes_back() {
    let named = platform(json!([here("5Gi"), far()]));
    let observed = done(&named, ObservedServers::default());
    let unnamed = platform(json!([far()]));
    let gone = serving(&unnamed, &own(), &observed);
    let expected = ["NetworkPolicy", "Service", "Deployment"].map(|kind| format!("delete {kind}/backup-server-here"));
    assert_eq!(shown(&gone), expected);
    let observed = taken(&gone, observed);
    let after = serving(&unnamed, &own(), &observed);
    assert_eq!(
        (shown(&after), after.kept.as_slice()),
        (Vec::new(), &["PersistentVolumeClaim backup-server-here".to_owned()][..])
    );
    let said = format!("{:?}", after.shown("system"));
    assert!(
        said.contains("BackupVolumeKept")
            && said.contains("namespace system: PersistentVolumeClaim backup-server-here"),
        "{said}"
    );
    let back = serving(&named, &own(), &observed);
    assert!(back.kept.is_empty());
    assert!(!shown(&back).iter().any(|change| change.contains("PersistentVolumeClaim")), "{:?}", shown(&back));
}

#[test]
fn why_nobody_answers_is_told_with_where_to_look() {
    let platform = platform(json!([here("5Gi")]));
    let observed = done(&platform, ObservedServers::default());
    let with = |kind: &str, edit: &dyn Fn(&mut Value)| {
        let mut observed = observed.clone();
        let found = observed.objects.iter_mut().find(|live| live.kind == kind).unwrap();
        let mut value = Value::clone(&found.value);
        edit(&mut value);
        *found = Arc::new(Live::with_value(kind, value));
        observed
    };
    let dead = with("Deployment", &|value| value["status"]["availableReplicas"] = json!(0));
    let found = told(&serving(&platform, &own(), &dead));
    assert!(found[0].1.contains("has no pod that answers: kubectl describe pods --namespace system"), "{found:?}");
    let mut pending = dead;
    pending.objects.retain(|live| live.kind != "PersistentVolumeClaim");
    let found = told(&serving(&platform, &own(), &pending));
    assert!(found[0].1.contains("is not there: kubectl describe pvc backup-server-here"), "{found:?}");
    let leaving = |value: &mut Value| value["metadata"]["deletionTimestamp"] = json!("2026-11-30T00:00:00Z");
    let found = told(&serving(&platform, &own(), &with("PersistentVolumeClaim", &leaving)));
    assert!(found[0].1.contains("is being deleted"), "{found:?}");
}

#[test]
fn volumes_alone_are_told_and_another_target_ends_that() {
    let said = |targets: Value| off_site(&platform(targets)).map(|update| format!("{update:?}"));
    let alone = said(json!([here("1Gi")])).unwrap();
    assert!(alone.contains("BackupsNotOffSite") && alone.contains("s3, sftp or rest"), "{alone}");
    assert_eq!(said(json!([here("1Gi"), far()])), None);
    assert_eq!(said(json!([far()])), None);
    let none: Platform =
        serde_json::from_value(json!({"metadata": {}, "spec": {"baseDomain": "example.org"}})).unwrap();
    assert_eq!(off_site(&none), None);
    assert!(has_volumes(&platform(json!([far(), here("1Gi")]))) && !has_volumes(&none));
}
