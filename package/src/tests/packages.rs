//! The packages that are shipped: they compile, and what they render is what was looked at.

use serde_json::{Value, json};

use super::*;
use crate::plan::Plan;
use commonscloud_api::values::Bytes;

/// A plan of the package's first example, or of no parameters at all.
pub(super) fn plan(package: &Package, version: &str, full: Surroundings, with_example: bool) -> Plan {
    let example = if with_example { package.spec().parameters["examples"][0].clone() } else { json!({}) };
    let parameters = package.validate_parameters(&example).unwrap();
    let mut plan = sample::plan(package, package.version(version).unwrap(), parameters, full).unwrap();
    // The golden files are about what is rendered, not about the digest of the whole package.
    plan.revision = "REVISION".to_owned();
    plan
}

/// All objects as YAML documents.
pub(super) fn text(plan: &Plan) -> String {
    let objects = render(plan).unwrap_or_else(|error| panic!("{error:#?}")).objects;
    let documents: Vec<_> = objects.iter().map(|object| serde_yaml::to_string(&object.value).unwrap()).collect();
    documents.join("---\n")
}

#[test]
fn every_package_that_is_compiled_in_compiles() {
    let packages = builtin();
    assert_eq!(
        packages.iter().map(|p| p.metadata.name.as_deref().unwrap()).collect::<Vec<_>>(),
        ["office", "agora", "projects", "keycloak"]
    );
    for package in &packages {
        compiled(package);
        let folder = source("templates").join(package.metadata.name.as_deref().unwrap());
        assert_eq!(load_directory(&folder).unwrap().spec, package.spec, "PACKAGES lists every file of the folder");
    }
}

#[test]
fn the_office_with_all_that_it_can_have() {
    let package = compiled(&builtin()[0]);
    insta::assert_snapshot!("office_full", text(&plan(&package, "34.0.1", Surroundings::Full, true)));
}

#[test]
fn the_office_on_a_bare_platform() {
    let package = compiled(&builtin()[0]);
    insta::assert_snapshot!("office_bare", text(&plan(&package, "33.0.8", Surroundings::Bare, false)));
}

#[test]
fn the_agora_with_all_that_it_can_have() {
    let package = compiled(&builtin()[1]);
    insta::assert_snapshot!("agora_full", text(&plan(&package, "2026.1", Surroundings::Full, true)));
}

#[test]
fn the_agora_on_a_bare_platform() {
    let package = compiled(&builtin()[1]);
    insta::assert_snapshot!("agora_bare", text(&plan(&package, "2026.1", Surroundings::Bare, false)));
}

#[test]
fn radicale() {
    let package = compiled(&super::radicale());
    insta::assert_snapshot!("radicale", text(&plan(&package, "3", Surroundings::Full, false)));
}

#[test]
fn rendering_is_the_same_each_time() {
    let template = builtin().remove(0);
    let first = compiled(&template);
    let second = compiled(&template);
    let plans = [&first, &second].map(|package| plan(package, "34.0.1", Surroundings::Full, true));
    assert_eq!(text(&plans[0]), text(&plans[1]));
    assert_eq!(render(&plans[0]).unwrap(), render(&plans[0]).unwrap());
}

#[test]
fn a_changed_quota_or_setting_changes_no_pod() {
    let package = compiled(&builtin()[0]);
    let before = plan(&package, "34.0.1", Surroundings::Full, true);
    let mut after = before.clone();
    after.quota = "10Gi".parse().unwrap();
    after.revision = "another".to_owned();
    after.parameters["defaultUserQuota"] = json!("2Gi");
    after.parameters["phoneRegion"] = json!("FR");
    after.parameters["oidc"]["allowedGroups"] = json!(["garden"]);
    after.entity.display_name = "Another".to_owned();
    let pods = |plan: &Plan| -> Vec<Value> {
        render(plan)
            .unwrap()
            .objects
            .iter()
            .filter_map(|object| object.value.pointer("/spec/template").cloned())
            .collect()
    };
    assert_eq!(pods(&before), pods(&after));
    assert_ne!(text(&before), text(&after), "the settings are somewhere");
}

#[test]
fn a_changed_script_restarts_the_pods_that_read_it() {
    let mut template = builtin().remove(0);
    let annotation = |template: &ServiceTemplate, name: &str| {
        let package = compiled(template);
        let objects = render(&plan(&package, "34.0.1", Surroundings::Full, true)).unwrap().objects;
        let found =
            objects.iter().find(|object| object.name == name && object.value["spec"]["template"].is_object()).unwrap();
        found.value["spec"]["template"]["metadata"]["annotations"]["commonscloud.coop/scripts"].clone()
    };
    let before = ["sample-app", "sample-db"].map(|name| annotation(&template, name));
    template.spec.files.iter_mut().find(|file| file.name == "prepare").unwrap().content.push_str("# more\n");
    let after = ["sample-app", "sample-db"].map(|name| annotation(&template, name));
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);
    assert!(before[0].as_str().is_some_and(|sum| sum.len() == 64), "{before:?}");
}

#[test]
fn a_new_revision_of_a_platform_secret_restarts_the_pods_that_use_it_and_no_others() {
    let package = compiled(&builtin()[0]);
    let rolled_out = |revision: Option<&str>| -> Vec<(String, String)> {
        let mut plan = plan(&package, "34.0.1", Surroundings::Full, false);
        plan.platform_secrets.extend(revision.map(|revision| ("smtp".to_owned(), revision.to_owned())));
        plan.platform_secrets.insert("wildcard".to_owned(), "used by no pod".to_owned());
        let objects = render(&plan).unwrap().objects.into_iter();
        objects
            .filter_map(|object| {
                let annotations = object.value.pointer("/spec/template/metadata/annotations")?;
                let revision = annotations.get("commonscloud.coop/platform-secrets")?.as_str()?.to_owned();
                Some((object.name, revision))
            })
            .collect()
    };
    assert_eq!(rolled_out(Some("1")), [("sample-app".to_owned(), "1".to_owned())]);
    assert_eq!(rolled_out(None), []);
}

#[test]
fn an_office_without_known_peers_is_closed_and_not_open() {
    let package = compiled(&builtin()[0]);
    let objects = render(&plan(&package, "34.0.1", Surroundings::Bare, false)).unwrap().objects;
    let policy = objects.iter().find(|object| object.kind == "NetworkPolicy" && object.name == "sample-app").unwrap();
    assert_eq!(policy.value["spec"]["ingress"], json!([]));
    assert_eq!(policy.value["spec"]["egress"].as_array().unwrap().len(), 2, "its database and its cache");
}

#[test]
fn an_office_knows_whether_it_is_let_out_to_everywhere() {
    let package = compiled(&builtin()[0]);
    let mut plan = plan(&package, "34.0.1", Surroundings::Full, true);
    let told = |plan: &Plan| {
        let objects = render(plan).unwrap_or_else(|error| panic!("{error:#?}")).objects;
        let settings = objects.into_iter().find(|object| object.name == "sample-settings").unwrap();
        settings.value["data"].get("internet").cloned()
    };
    assert_eq!(told(&plan), None, "the identity provider alone");
    plan.network.public = vec![serde_json::from_value(json!({"ipBlock": {"cidr": "0.0.0.0/0"}})).unwrap()];
    assert_eq!(told(&plan), Some(json!("yes")));
    plan.parameters = package.validate_parameters(&json!({})).unwrap();
    assert_eq!(told(&plan), None, "without editor and sign-in nothing is opened");
}

#[test]
fn every_container_has_its_share_of_the_nodes_disk() {
    for template in builtin().into_iter().chain([super::radicale(), example("mediawiki.yaml")]) {
        for part in &template.spec.components {
            for figures in [&part.resources.requests, &part.resources.limits] {
                let has = figures.as_ref().is_some_and(|figures| figures.contains_key("ephemeral-storage"));
                assert!(has, "{:?} {}: {figures:?}", template.metadata.name, part.name);
            }
        }
    }
}

#[test]
fn what_a_pod_may_write_to_its_node_is_within_its_limits() {
    for template in builtin().into_iter().chain([super::radicale(), example("mediawiki.yaml")]) {
        let package = compiled(&template);
        let has_example = template.spec.parameters.get("examples").is_some();
        for object in render(&plan(&package, package.latest(), Surroundings::Full, has_example)).unwrap().objects {
            let Some(pod) = object.value.pointer("/spec/template/spec") else { continue };
            let bytes = |value: &Value| value.as_str().unwrap().parse::<Bytes>().unwrap().get();
            let volumes = pod["volumes"].as_array().into_iter().flatten().map(|volume| &volume["emptyDir"]);
            let on_disk = volumes.filter(|empty| empty.is_object() && empty["medium"] != "Memory");
            let scratch: u64 = on_disk.map(|empty| bytes(&empty["sizeLimit"])).sum();
            let containers = pod["containers"].as_array().unwrap().iter();
            let limits: u64 = containers.map(|one| bytes(&one["resources"]["limits"]["ephemeral-storage"])).sum();
            assert!(scratch < limits, "{} {}: {scratch} of {limits} bytes", package.name(), object.name);
        }
    }
}

#[test]
fn the_platform_overrides_images_and_resources_one_by_one() {
    let package = compiled(&builtin()[0]);
    let mut plan = plan(&package, "34.0.1", Surroundings::Full, false);
    plan.images.insert("postgres".to_owned(), "mirror.example.org/postgres:16".to_owned());
    plan.resources.insert(
        "db".to_owned(),
        serde_json::from_value(json!({"requests": {"cpu": "5m", "memory": "1024Ki"}, "limits": {"memory": "1Gi"}}))
            .unwrap(),
    );
    let set = render(&plan).unwrap();
    let db = set.objects.iter().find(|object| object.kind == "StatefulSet").unwrap();
    let container = &db.value["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "mirror.example.org/postgres:16");
    assert_eq!(container["resources"]["requests"], json!({"cpu": "5m", "memory": "1Mi"}));
    assert!(text(&plan).contains("docker.io/library/nextcloud:34.0.1-apache"));
    assert_eq!(set.platform_secrets.into_iter().collect::<Vec<_>>(), ["smtp"], "only what an object refers to");
}

#[test]
fn versions_say_which_upgrades_there_are() {
    let package = compiled(&builtin()[0]);
    assert_eq!(package.latest(), "34.0.1");
    for (from, to, allowed) in [
        ("33.0.8", "34.0.1", true),
        ("33.0.2", "34.0.1", true),
        ("34.0.1", "34.0.1", true),
        ("32.0.1", "34.0.1", false),
        ("34.0.1", "33.0.8", false),
        ("32.0.9", "33.0.8", true),
    ] {
        assert_eq!(package.may_upgrade(from, to), allowed, "{from} to {to}");
    }
}

#[test]
fn volumes_follow_the_quota() {
    let package = compiled(&builtin()[0]);
    let sizes = |quota: &str| -> Vec<String> {
        let quota = quota.parse().unwrap();
        package.volumes().iter().map(|volume| format!("{} {}", volume.name, volume.size(quota).unwrap())).collect()
    };
    assert_eq!(sizes("5Gi"), ["data 5Gi", "app 5Gi", "db 4Gi"]);
    assert_eq!(sizes("100Gi"), ["data 100Gi", "app 5Gi", "db 10Gi"]);
}

/// The type of a kind's parameters takes all that its package takes, and the other way round.
fn same_parameters<P: serde::de::DeserializeOwned + serde::Serialize + Default>(package: &Package) {
    let example = package.validate_parameters(&package.spec().parameters["examples"][0]).unwrap();
    let typed: P = serde_json::from_value(example.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), example, "no field of the package is lost in the type");
    for typed in [typed, P::default()] {
        package.validate_parameters(&serde_json::to_value(typed).unwrap()).unwrap();
    }
}

#[test]
fn what_a_typed_kind_can_say_is_what_its_package_takes() {
    let packages = builtin();
    same_parameters::<commonscloud_api::OfficeParameters>(&compiled(&packages[0]));
    same_parameters::<commonscloud_api::AgoraParameters>(&compiled(&packages[1]));
}

#[test]
fn a_platform_lets_in_many_but_not_everybody_and_mail_goes_anywhere_by_its_port() {
    let package = compiled(&builtin()[0]);
    let mut plan = plan(&package, "34.0.1", Surroundings::Full, true);
    plan.smtp.as_mut().unwrap().port = 2525;
    let rendered = |peer: Value| {
        let mut plan = plan.clone();
        plan.network.ingress = vec![serde_json::from_value(peer).unwrap()];
        render(&plan).map_or_else(|error| error.to_string(), |_| String::new())
    };
    let block = |cidr: &str| rendered(json!({"ipBlock": {"cidr": cidr}}));
    assert_eq!(block("10.0.0.0/8"), "");
    assert_eq!(rendered(json!({"namespaceSelector": {"matchLabels": {"a": "b"}}})), "");
    for everybody in ["0.0.0.0/1", "::/0", "::ffff:0:0/96"] {
        assert!(block(everybody).contains(&format!("lets everybody in: {everybody}")), "{}", block(everybody));
    }
    assert!(rendered(json!({})).contains("podSelector"), "a peer that says nothing");
}

#[test]
fn images_are_pulled_with_the_platforms_secrets_and_a_new_password_restarts_nothing() {
    let mut plan = plan(&compiled(&builtin()[0]), "34.0.1", Surroundings::Full, false);
    let pods = |plan: &Plan| {
        let set = render(plan).unwrap_or_else(|error| panic!("{error:#?}"));
        let templates: Vec<Value> =
            set.objects.iter().filter_map(|object| object.value.pointer("/spec/template").cloned()).collect();
        (templates, set.platform_secrets)
    };
    assert!(pods(&plan).0.iter().all(|pod| pod["spec"].get("imagePullSecrets").is_none()));
    plan.image_pull_secrets = vec!["registry".to_owned()];
    let (before, copied) = pods(&plan);
    assert!(before.iter().all(|pod| pod["spec"]["imagePullSecrets"] == json!([{"name": "registry"}])), "{before:#?}");
    assert!(copied.contains("registry"));
    assert!(!render(&plan).unwrap().named_secrets.contains("registry"), "no parameter names it");
    plan.platform_secrets.insert("registry".to_owned(), "another".to_owned());
    assert_eq!(pods(&plan).0, before);
    let oidc = json!({"oidc": {"issuer": "https://id.example.org", "clientSecretName": "registry"}});
    plan.parameters = plan.package.validate_parameters(&oidc).unwrap();
    assert!(render(&plan).unwrap().named_secrets.contains("registry"), "a parameter that names it is told");
}

#[test]
fn a_secret_that_is_read_and_pulled_with_restarts_those_that_read_it() {
    let mut plan = plan(&compiled(&builtin()[0]), "34.0.1", Surroundings::Full, false);
    plan.image_pull_secrets = vec!["smtp".to_owned()];
    plan.platform_secrets.insert("smtp".to_owned(), "1".to_owned());
    let marked: Vec<(String, Value)> = render(&plan)
        .unwrap()
        .objects
        .into_iter()
        .filter_map(|object| {
            let annotations = object.value.pointer("/spec/template/metadata/annotations")?;
            Some((object.name.clone(), annotations.get("commonscloud.coop/platform-secrets")?.clone()))
        })
        .collect();
    assert_eq!(marked, [("sample-app".to_owned(), json!("1"))], "the others are only pulled with it");
}

#[test]
fn the_secrets_that_parameters_name_are_told_and_no_others() {
    let named = |with_example: bool| {
        let plan = plan(&compiled(&builtin()[0]), "34.0.1", Surroundings::Full, with_example);
        render(&plan).unwrap().named_secrets.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(named(true), ["office-oidc"]);
    assert_eq!(named(false), Vec::<String>::new(), "neither what is generated nor the mail server's");
}
