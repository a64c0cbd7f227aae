//! MediaWiki: a package in one file, for an application with a database.

use std::collections::BTreeSet;

use serde_json::Value;

use super::packages::{plan, text};
use super::*;
use crate::plan::Plan;
use commonscloud_api::Language;

const VERSION: &str = "1.39";

#[test]
fn mediawiki() {
    let package = compiled(&example("mediawiki.yaml"));
    insta::assert_snapshot!("mediawiki", text(&plan(&package, VERSION, Surroundings::Full, true)));
}

#[test]
fn a_wiki_is_named_as_its_entity_unless_it_says_otherwise() {
    let package = compiled(&example("mediawiki.yaml"));
    let settings = |with_example: bool| {
        let objects = render(&plan(&package, VERSION, Surroundings::Bare, with_example)).unwrap().objects;
        let found = objects.into_iter().find(|object| object.name == "sample-settings").unwrap();
        ["site_name", "language", "private"].map(|key| found.value["data"][key].as_str().unwrap().to_owned())
    };
    assert_eq!(settings(true), ["L'Hort", "oc", "yes"]);
    assert_eq!(settings(false), [sample::HOSTILE, "ca", "no"]);
}

fn wiki(surroundings: Surroundings, with_example: bool) -> Plan {
    plan(&compiled(&example("mediawiki.yaml")), VERSION, surroundings, with_example)
}

fn rendered(plan: &Plan) -> Vec<RenderedObject> {
    render(plan).unwrap_or_else(|error| panic!("{error:#?}")).objects
}

fn found<'o>(objects: &'o [RenderedObject], kind: &str, name: &str) -> &'o Value {
    &objects.iter().find(|object| object.kind == kind && object.name == name).unwrap().value
}

#[test]
fn a_wiki_where_the_platform_signs_nobody_in_has_nothing_of_it() {
    let mut without = wiki(Surroundings::Full, true);
    without.identity = None;
    let text = text(&without).to_lowercase();
    // What its texts may say: the files are the same, and find nothing to do.
    for word in ["identity_", "sign-in.conf:", "secretname: sample-oidc", "mountpath: /identity", "10.0.0.4/32"] {
        assert!(!text.contains(word), "{word}");
    }
    let objects = rendered(&without);
    let keys = found(&objects, "ConfigMap", "sample-configuration")["data"].as_object().unwrap();
    let keys: BTreeSet<&str> = keys.keys().map(String::as_str).collect();
    assert_eq!(keys, ["LocalSettings.php", "php.ini", "prepare.sh"].into());
}

#[test]
fn a_wiki_asks_whom_the_platform_names_who_somebody_is() {
    let plan = wiki(Surroundings::Elsewhere, true);
    let objects = rendered(&plan);
    let pod = &found(&objects, "Deployment", "sample-app")["spec"]["template"]["spec"];
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let variable = |name: &str| variables.iter().find(|variable| variable["name"] == name).unwrap()["value"].clone();
    assert_eq!(variable("IDENTITY_ISSUER"), "https://login.elsewhere.example:10444/realms/other");
    assert_eq!(variable("IDENTITY_CLIENT"), "garden.sample");
    assert_eq!(variable("IDENTITY_GROUPS"), "rights");
    assert_eq!(variable("WIKI_URL"), "https://garden-sample.example.org");
    let data = &found(&objects, "ConfigMap", "sample-configuration")["data"];
    assert_eq!(data["ca.pem"].as_str(), plan.exposure.ca_bundle.as_deref());
    assert_eq!(data["private"], "yes");
    // The client's secret is read by the step before the start alone.
    let mounts = |container: &Value| container["volumeMounts"].to_string().contains("/secrets/oidc");
    assert!(mounts(&pod["initContainers"][0]) && !mounts(&pod["containers"][0]), "{pod}");
    let public = rendered(&wiki(Surroundings::Full, false));
    let data = &found(&public, "ConfigMap", "sample-configuration")["data"];
    assert!(data["private"].is_null() && data["ca.pem"].is_null(), "{data}");
}

#[test]
fn who_is_refused_reads_why_in_the_language_of_the_entity() {
    let title = |language: Language, page: &str| {
        let mut plan = wiki(Surroundings::Full, true);
        plan.entity.language = language;
        let objects = rendered(&plan);
        let page = found(&objects, "ConfigMap", "sample-configuration")["data"][page].as_str().unwrap().to_owned();
        // Apache's module fills in what looks like a directive of printf.
        assert!(!page.contains('%'), "{page}");
        page.split("<h1>").nth(1).unwrap().split("</h1>").next().unwrap().to_owned()
    };
    assert_eq!(title(Language::Ca, "refused.html"), "No teniu accés a aquest wiki");
    assert_eq!(title(Language::En, "refused.html"), "You have no access to this wiki");
    assert_eq!(title(Language::Es, "refused.html"), "No tiene acceso a este wiki");
    assert_eq!(title(Language::Ca, "failed.html"), "No s'ha pogut iniciar la sessió");
    assert_eq!(title(Language::En, "failed.html"), "Signing in did not work");
    assert_eq!(title(Language::Es, "failed.html"), "No se ha podido iniciar la sesión");
}

#[test]
fn a_wiki_that_becomes_private_begins_again_where_apache_asks_who_somebody_is() {
    let pods = |is_private: bool, signs_in: bool| {
        let mut plan = wiki(Surroundings::Full, true);
        plan.parameters["private"] = Value::Bool(is_private);
        plan.identity = plan.identity.filter(|_| signs_in);
        found(&rendered(&plan), "Deployment", "sample-app")["spec"]["template"].clone()
    };
    assert_ne!(pods(true, true), pods(false, true));
    assert_eq!(pods(true, false), pods(false, false), "MediaWiki reads it at each request");
}
