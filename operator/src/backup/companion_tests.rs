//! What is in a container, and who sees which Secret.

use super::*;
use crate::api::{BackupTarget, NetworkPeers};
use crate::backup::target::{Purpose, access, repository};

fn made(first: &[Command], commands: &[Command]) -> Companion {
    let target: BackupTarget = serde_json::from_value(json!({
        "name": "here",
        "rest": {"url": "https://backup.example.org", "secretName": "add", "caBundle": "PEM"},
    }))
    .unwrap();
    let repository = repository("system", &target, "garden-1", "wiki", Purpose::Run);
    let access = access("system", &target, Purpose::Run, &NetworkPeers::default());
    let restic =
        Restic { image: "backup:1", resources: None, repository: &repository, key_of: "garden-1", access: &access };
    restic.companion(first, commands)
}

fn paths(container: &Value) -> Vec<&str> {
    container["volumeMounts"].as_array().unwrap().iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect()
}

#[test]
fn who_makes_pipes_and_who_watches_them_has_neither_key_nor_credentials() {
    let kinds = [OperationKind::Dump, OperationKind::Verify];
    let made = made(&[Command::pipes(&kinds)], &[Command::stream("u-1", &kinds), Command::quiet(&kinds)]);
    assert_eq!(made.init_containers[0]["args"], json!(["pipes", "dump", "verify"]));
    assert_eq!(made.containers[0]["args"], json!(["stream", "--run", "u-1", "dump", "verify"]));
    for local in [&made.init_containers[0], &made.containers[1]] {
        assert_eq!((paths(local), &local["env"]), (vec!["/stream"], &json!([])));
    }
    assert_eq!(paths(&made.containers[0]), ["/stream", "/key", "/cache", "/ca"]);
}

#[test]
fn each_container_keeps_to_the_restricted_standard_and_reports_by_file() {
    let made = made(&[], &[Command::prepare(None, false)]);
    let container = &made.containers[0];
    let context = json!({
        "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(container["securityContext"], context, "the user is the pod's");
    assert_eq!(container["terminationMessagePolicy"], "File");
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
    assert_eq!(made.volumes[0]["secret"]["secretName"], "backup-key-garden-1");
    assert_eq!(made.annotations.len(), 1);
}

#[test]
fn restic_has_enough_memory_where_only_a_request_is_said() {
    let limits = |resources: Value| {
        let resources: ResourceRequirements = serde_json::from_value(resources).unwrap();
        let target =
            serde_json::from_value(json!({"name": "here", "rest": {"url": "https://b.org", "secretName": "a"}}))
                .unwrap();
        let repository = repository("system", &target, "garden-1", "wiki", Purpose::Run);
        let access = access("system", &target, Purpose::Run, &NetworkPeers::default());
        let restic = Restic {
            image: "backup:1",
            resources: Some(&resources),
            repository: &repository,
            key_of: "garden-1",
            access: &access,
        };
        restic.resources()["limits"].clone()
    };
    assert_eq!(limits(json!({"requests": {"memory": "600Mi"}})), json!({"memory": "1Gi"}));
    assert_eq!(limits(json!({"requests": {"memory": "3Gi"}})), json!({"memory": "3Gi"}));
    assert_eq!(limits(json!({"limits": {"cpu": "1"}})), json!({"cpu": "1", "memory": "1Gi"}));
    assert_eq!(limits(json!({"limits": {"memory": "512Mi"}})), json!({"memory": "512Mi"}), "as somebody says");
}

#[test]
fn who_takes_locks_away_has_another_name() {
    let names = |expected, unlock| {
        let made = made(&[], &[Command::prepare(expected, unlock)]);
        (made.containers[0]["name"].clone(), made.containers[0]["args"].clone())
    };
    assert_eq!(names(None, false), (json!("prepare"), json!(["prepare"])));
    assert_eq!(names(Some("0f"), true), (json!("unlock"), json!(["prepare", "--unlock", "--expect", "0f"])));
}

#[test]
fn a_pattern_arrives_as_the_package_has_it() {
    let place = FilePlace {
        volume: "data".into(),
        claim: "wiki-data".into(),
        component: "app".into(),
        user: 33,
        exclude: vec!["$(cache)/**".into()],
    };
    let made = made(&[], &[Command::files("u-1", FilesPass::Second, &[place], &["0f".into()]).within(60)]);
    let expected = [
        "files",
        "--run",
        "u-1",
        "--tag",
        "files",
        "--parent",
        "0f",
        "--exclude",
        "data=$$(cache)/**",
        "--deadline",
        "60",
    ];
    assert_eq!(made.containers[0]["args"], json!(expected));
}

#[test]
fn secrets_are_mounted_by_their_names_and_a_manifest_comes_with_the_pod() {
    let secrets = ["wiki-db".to_owned(), "wiki-db-2".to_owned()];
    let made = made(&[], &[Command::secrets("u-1", &secrets), Command::record("{}".into())]);
    assert!(paths(&made.containers[0]).starts_with(&["/secrets/wiki-db", "/secrets/wiki-db-2"]));
    assert!(!paths(&made.containers[1]).iter().any(|path| path.starts_with("/secrets")));
    assert_eq!(made.annotations[MANIFEST], "{}");
    let file = json!({"apiVersion": "v1", "fieldPath": "metadata.annotations['commonscloud.coop/manifest']"});
    let manifest = made.volumes.iter().find(|volume| volume["name"] == "manifest").unwrap();
    assert_eq!(manifest["downwardAPI"]["items"][0]["fieldRef"], file);
}
