//! The leaves of a package: what an instance is made of, or why the package is refused.

use commonscloud_e2e::manifests::object;
use commonscloud_e2e::{Failure, Outcome};
use serde_json::{Value, json};

use super::case::{Case, refused, see, shows};
use super::live::Stage;
use super::planned::package;

fn own(leaf: &str, value: Value, at: (&str, &str), seen: impl Into<Value>) -> Case {
    shows("ServiceTemplate", format!("spec.{leaf}"), value, vec![see(at.0, at.1, seen)])
}

fn refuses(leaf: &str, value: Value, words: &[&'static str]) -> Case {
    refused("ServiceTemplate", format!("spec.{leaf}"), value, words)
}

/// The text of a manifest of the office with one text in the place of another.
fn edited(office: &Value, manifest: usize, from: &str, to: &str) -> Outcome<Value> {
    let text = office["spec"]["manifests"][manifest]["template"].as_str().unwrap_or_default();
    if !text.contains(from) {
        return Err(Failure::new(format!("no {from:?} in manifest {manifest} of the office")));
    }
    Ok(json!(text.replace(from, to)))
}

/// The cases of the office's package, by what the operator's own steps make of it.
pub fn planned() -> Outcome<Vec<Case>> {
    let office = package("office")?;
    let mut cases = parts();
    cases.extend(data());
    let broken = json!("{{ nothing }}");
    let smaller = edited(&office, 5, "proxy-body-size: \"0\"", "proxy-body-size: \"7m\"")?;
    let body_size = "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-body-size";
    cases.extend([
        // By its name a manifest is found when something is wrong in it.
        refuses("manifests[0].name", json!("other.yaml"), &["other.yaml", "nothing"])
            .given("spec.manifests[0].template", broken),
        own("manifests[5].template", smaller, ("Ingress/office-app", body_size), "7m"),
        refuses("manifests[0].objects[0].kind", json!("Service"), &["network.yaml", "NetworkPolicy"]),
        refuses("manifests[0].objects[0].name", json!("other"), &["network.yaml", "closed"]),
        refuses("manifests[4].objects[0].optional", json!(false), &["editor.yaml", "NetworkPolicy editor"]),
    ]);
    let mut region = office["spec"]["parameters"].clone();
    region["properties"]["phoneRegion"]["default"] = json!("FR");
    cases.push(own("parameters", region, ("ConfigMap/office-settings", "/data/phone_region"), "FR"));
    Ok(cases)
}

/// Versions, images, components, files, the health check.
fn parts() -> Vec<Case> {
    let app = "Deployment/office-app";
    let of_app = |at: &str| format!("/spec/template/spec/containers/nextcloud/{at}");
    vec![
        own("title{ca}", json!("Una altra"), ("ConfigMap/office-settings", "/data/title"), "Una altra"),
        own("versions[0].name", json!("34.0.2"), (app, "/metadata/annotations/commonscloud.coop~1version"), "34.0.2"),
        refuses("versions[0].upgradesFrom[0]", json!("30.0.0"), &["34.0.1 cannot follow 34.0.0 in one step"]),
        refuses("versions[0].images[0].name", json!("other"), &["has other images than the first version"]),
        own(
            "versions[0].images[0].reference",
            json!("docker.io/other/nextcloud:1"),
            (app, &of_app("image")),
            "docker.io/other/nextcloud:1",
        ),
        refuses("components[0].name", json!("other"), &["\"app\" is no component of the package"]),
        own("components[0].resources.requests{cpu}", json!("77m"), (app, &of_app("resources/requests/cpu")), "77m"),
        own("components[0].resources.limits{memory}", json!("7Gi"), (app, &of_app("resources/limits/memory")), "7Gi"),
        refuses("files[0].name", json!("other"), &["`prepare` is not defined"]),
        own("files[0].content", json!("#!/bin/sh\n"), ("ConfigMap/office-scripts", "/data/prepare.sh"), "#!/bin/sh\n"),
        own("health.path", json!("/other"), ("Question/office", "/path"), "/other"),
        own("health.statuses[0]", json!(204), ("Question/office", "/statuses/0"), 204),
    ]
}

/// Volumes and Secrets.
fn data() -> Vec<Case> {
    let claim = |name: &str| format!("PersistentVolumeClaim/office-{name}");
    let admin = "Secret/office-admin";
    vec![
        refuses("volumes[0].name", json!("other"), &["\"data\" is no volume of the package"]),
        own("volumes[1].size", json!("6Gi"), (&claim("app"), "/spec/resources/requests/storage"), "6241Mi"),
        refuses("volumes[1].carriesQuota", json!(true), &["only one can be the one that carriesQuota"]),
        own("volumes[2].growth.maximum", json!("max(64Gi, quota / 2)"), ("Growth/office-db", "/maximum"), "65633Mi"),
        own("volumes[2].growth.whenFreeBelowPercent", json!(50), ("Growth/office-db", "/next"), "6290Mi"),
        own("volumes[2].growth.stepPercent", json!(100), ("Growth/office-db", "/next"), "8386Mi")
            .given("spec.volumes[2].growth.whenFreeBelowPercent", json!(50)),
        own("volumes[0].access", json!("ReadWriteMany"), (&claim("data"), "/spec/accessModes/0"), "ReadWriteMany"),
        refuses("secrets[0].name", json!("other"), &["`admin` is not defined"]),
        own("secrets[0].keys[0].name", json!("user"), (admin, "/keys/0/name"), "user"),
        own("secrets[0].keys[0].value", json!("root"), (admin, "/keys/username/value"), "root"),
        own("secrets[0].keys[1].length", json!(64), (admin, "/keys/password/length"), 64),
    ]
}

/// What only the API server says of a package: a stage with one that lists an exception.
pub fn refused_at_admission() -> Outcome<Stage> {
    let spec = package("agora")?["spec"].clone();
    Ok(Stage {
        namespace: String::new(),
        around: Vec::new(),
        subject: object("ServiceTemplate", "leaves-exceptions", spec),
        ready: vec!["ServiceTemplate/leaves-exceptions".to_owned()],
        cases: exceptions(),
    })
}

/// The cases of the exceptions from Pod Security.
pub fn exceptions() -> Vec<Case> {
    let stalled = |words: &'static str| {
        let at = "/status/conditions/Stalled/message";
        vec![super::case::reads("ServiceTemplate/leaves-exceptions", at, words)]
    };
    vec![
        // Reviewers read it: it is no word.
        refuses("podSecurityExceptions[0].reason", json!("because"), &["podSecurityExceptions[0].reason"]),
        refuses("operations.leftOut[0].reason", json!("because"), &["operations.leftOut[0].reason"]),
        shows("ServiceTemplate", "spec.podSecurityExceptions[0].container", json!("app/other"), stalled("prepare")),
        shows("ServiceTemplate", "spec.configuredBy[0]", json!("app/other"), stalled("prepare")),
    ]
}
