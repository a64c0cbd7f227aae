use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn target() -> BackupTarget {
    serde_json::from_value(json!({"name": "here", "volume": {"size": "5Gi", "storageClassName": "fast"}})).unwrap()
}

fn own() -> Own {
    Own { namespace: "system".into(), backup_server_image: "rest-server:1".into(), ..Own::default() }
}

fn with<R>(look: impl FnOnce(Server<'_>) -> R) -> R {
    let (target, own, pull) = (target(), own(), ["registry".to_owned()]);
    let volume = target.volume.as_ref().unwrap();
    look(Server { target: &target, volume, own: &own, image_pull_secrets: &pull, platform: Some("p1") })
}

fn spec(kind: &str) -> Value {
    let objects = with(|server| server.objects("a b"));
    objects.into_iter().find(|object| object.kind == kind).unwrap().value["spec"].clone()
}

#[test]
fn what_runs_reach_only_appends_and_what_removes_knows_another_account() {
    let pod = &spec("Deployment")["template"]["spec"];
    let commands: Vec<&Value> = pod["containers"].as_array().unwrap().iter().map(|one| &one["command"]).collect();
    let run =
        json!(["rest-server", "--path=/data", "--listen=:8000", "--htpasswd-file=/accounts/run", "--append-only"]);
    let care = json!(["rest-server", "--path=/data", "--listen=:8001", "--htpasswd-file=/accounts/care"]);
    assert_eq!(commands, [&run, &care]);
    let reads = |container: &Value| container["volumeMounts"].to_string().contains("credentials");
    assert!(reads(&pod["initContainers"][0]));
    assert!(!pod["containers"].as_array().unwrap().iter().any(reads), "what serves never sees a password");
    let policy = spec("NetworkPolicy");
    let here = json!({"podSelector": {"matchLabels": {"app.kubernetes.io/name": "commonscloud-operation"}}});
    assert_eq!(policy["ingress"][1]["from"], json!([here]), "only the operator's own namespace");
    assert_eq!(policy["ingress"][1]["ports"][0]["port"], 8001);
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    assert!(policy["egress"].as_array().is_none_or(Vec::is_empty), "it asks nobody");
}

#[test]
fn its_pod_keeps_to_pod_security_restricted() {
    let pod = &spec("Deployment")["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    let containers = ["initContainers", "containers"].map(|list| pod[list].as_array().unwrap());
    for container in containers.into_iter().flatten() {
        let confined = &container["securityContext"];
        assert_eq!(confined["allowPrivilegeEscalation"], false);
        assert_eq!(confined["readOnlyRootFilesystem"], true);
        assert_eq!(confined["capabilities"]["drop"], json!(["ALL"]));
        assert_eq!(container["image"], "rest-server:1");
        assert!(container["resources"]["limits"]["memory"].is_string());
    }
}

#[test]
fn two_pods_are_never_there_at_once_and_other_accounts_begin_another() {
    let deployment = spec("Deployment");
    assert_eq!((&deployment["replicas"], &deployment["strategy"]["type"]), (&json!(1), &json!("Recreate")));
    let annotations = |accounts: &str| {
        with(|server| server.objects(accounts)).pop().unwrap().value["spec"]["template"]["metadata"].clone()
    };
    assert_ne!(annotations("a b"), annotations("a c"));
    assert_eq!(annotations("a b"), annotations("a b"));
}

#[test]
fn each_account_has_a_random_password_and_no_secret_is_written_over() {
    let secrets = with(|server| server.secrets());
    let names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["backup-server-here", "backup-care-here"]);
    for (secret, user) in secrets.iter().zip(["run", "care"]) {
        let Action::Generate { secret, keys } = &secret.action else { panic!("{:?}", secret.action) };
        assert_eq!(secret["immutable"], true);
        assert_eq!((keys[0].name.as_str(), keys[0].value.as_deref()), ("username", Some(user)));
        assert_eq!((keys[1].name.as_str(), keys[1].length), ("password", Some(48)));
    }
}

#[test]
fn what_holds_data_has_no_owner_and_all_else_goes_with_the_platform() {
    let owners = |value: &Value| value["metadata"]["ownerReferences"][0]["uid"].clone();
    assert!(with(|server| server.objects("a b")).iter().all(|object| owners(&object.value) == "p1"));
    let [run, care] = with(|server| server.secrets());
    for change in [with(|server| server.claim()), run, care] {
        let (Action::Create(value) | Action::Generate { secret: value, .. }) = change.action else { panic!() };
        assert!(owners(&value).is_null());
    }
}

#[test]
fn the_claim_says_its_size_and_class() {
    let Action::Create(claim) = with(|server| server.claim()).action else { panic!("a claim is made once") };
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "5Gi");
    assert_eq!(claim["spec"]["storageClassName"], "fast");
    assert_eq!(claim["metadata"]["labels"][SERVER], "here");
}

#[test]
fn every_other_target_is_as_it_is() {
    let rest: BackupTarget =
        serde_json::from_value(json!({"name": "far", "rest": {"url": "https://r.example.org", "secretName": "s"}}))
            .unwrap();
    assert_eq!(served(&rest, "system"), rest);
}

/// The policy lets the operator write nothing else there.
#[test]
fn what_it_is_made_of_is_called_as_the_policy_of_the_chart_knows_it() {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/commonscloud");
    let policies = fs::read_to_string(chart.join("templates/policies/hold-operator.yaml")).unwrap();
    let (_, policy) = policies.split_once("commonscloud-hold-operator-servers").unwrap();
    assert!(policy.contains(&format!("labels['{SERVER}']")));
    assert!(policy.contains("variables.name == 'backup-server-' + variables.target"));
    for object in with(|server| server.objects("a b")) {
        let (target, plural) =
            (&object.value["metadata"]["labels"][SERVER], kinds::resource(&object.kind).unwrap().plural);
        assert_eq!(object.name, format!("backup-server-{}", target.as_str().unwrap()));
        assert!(policy.contains(&format!("resources: [{plural}]")), "{plural}");
    }
}
