//! The package of the identity provider: what it renders, and what its realm is made of.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::packages::{plan, text};
use super::*;
use crate::plan::Plan;

const VERSION: &str = "26.7.3";

#[test]
fn a_provider_with_all_that_it_can_have() {
    let package = compiled(&named("keycloak"));
    insta::assert_snapshot!("keycloak_full", text(&plan(&package, VERSION, Surroundings::Full, true)));
}

#[test]
fn a_provider_on_a_bare_platform() {
    let package = compiled(&named("keycloak"));
    insta::assert_snapshot!("keycloak_bare", text(&plan(&package, VERSION, Surroundings::Bare, false)));
}

/// What `prepare` reads of the realm.
fn realm(plan: &Plan) -> String {
    let objects = render(plan).unwrap_or_else(|error| panic!("{error:#?}")).objects;
    let found = objects.into_iter().find(|object| object.kind == "ConfigMap" && object.name == "sample-realm");
    found.unwrap().value["data"]["realm.json"].as_str().unwrap().to_owned()
}

#[test]
fn a_realm_is_of_the_entity_and_the_platform_and_mail_is_sent_as_the_platform_says() {
    let package = compiled(&named("keycloak"));
    for surroundings in Surroundings::ALL {
        let plan = plan(&package, VERSION, surroundings, false);
        let realm: Value = serde_json::from_str(&realm(&plan)).unwrap();
        assert_eq!(realm["displayName"], sample::HOSTILE);
        assert_eq!((&realm["realm"], &realm["defaultLocale"]), (&json!("commons"), &json!("ca")));
        let mail = &realm["smtpServer"];
        let told = ["host", "port", "ssl", "starttls"].map(|field| mail[field].as_str().unwrap_or_default());
        match surroundings {
            Surroundings::Bare => assert_eq!(*mail, json!({})),
            Surroundings::Full => assert_eq!(told, ["mail.example.org", "465", "true", "false"]),
            Surroundings::Elsewhere => assert_eq!(told, ["relay.elsewhere.example", "10025", "false", "true"]),
        }
    }
}

#[test]
fn the_operator_alone_may_do_something_and_no_more_than_it_needs() {
    let realm = realm(&plan(&compiled(&named("keycloak")), VERSION, Surroundings::Full, false));
    let realm: Value = serde_json::from_str(&realm).unwrap();
    let users = realm["users"].as_array().unwrap();
    assert_eq!(users.len(), 1);
    let roles = json!({"realm-management": ["manage-clients", "manage-realm", "manage-users", "view-events"]});
    assert_eq!(users[0]["clientRoles"], roles);
    let client = &realm["clients"][0];
    for flow in ["standardFlowEnabled", "implicitFlowEnabled", "directAccessGrantsEnabled", "publicClient"] {
        assert_eq!(client[flow], false, "{flow}");
    }
    let set = render(&plan(&compiled(&named("keycloak")), VERSION, Surroundings::Full, false)).unwrap();
    let all = set.objects.iter().map(|object| object.value.to_string()).collect::<String>();
    assert!(!all.contains("BOOTSTRAP"), "there is no administrator");
}

#[test]
fn nobody_outside_reaches_more_than_the_realm() {
    let package = compiled(&named("keycloak"));
    let objects = render(&plan(&package, VERSION, Surroundings::Full, true)).unwrap().objects;
    let ingress = objects.iter().find(|object| object.kind == "Ingress").unwrap();
    let paths = ingress.value["spec"]["rules"][0]["http"]["paths"].as_array().unwrap();
    let paths: Vec<&str> = paths.iter().map(|path| path["path"].as_str().unwrap()).collect();
    let health = package.health().unwrap().path.as_str();
    assert_eq!(paths, ["/realms/garden", "/admin/realms/garden", "/resources", health]);
}

#[test]
fn a_realm_is_never_the_one_that_administers_all() {
    let package = compiled(&named("keycloak"));
    for (realm, is_taken) in [("commons", true), ("a", true), ("master", false), ("A", false), ("a/b", false)] {
        assert_eq!(package.validate_parameters(&json!({"realm": realm})).is_ok(), is_taken, "{realm}");
    }
}

/// Runs `prepare` on a folder in the place of its mounts, with a database that answers.
fn prepared(folder: &Path, realm: &str, mail: Option<[&str; 2]>) -> Output {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("realm/realm.json", realm);
    write("secrets/operator/client-secret", "client");
    for (name, text) in ["username", "password"].into_iter().zip(mail.into_iter().flatten()) {
        write(&format!("secrets/mail/{name}"), text);
    }
    write("opt/keycloak/lib/quarkus/built.jar", "");
    write("built/of-before", "");
    std::fs::create_dir_all(folder.join("import")).unwrap();
    let mut script = operations::script(&named("keycloak"), "prepare").unwrap();
    for mount in ["/realm/", "/secrets/", "/import/", "/built/", "/opt/"] {
        script = script.replace(mount, &format!("{}{mount}", folder.display()));
    }
    let database = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    script = script.replace("/5432", &format!("/{}", database.local_addr().unwrap().port()));
    Command::new("bash").args(["-c", &script]).env("DATABASE", "127.0.0.1").output().unwrap()
}

#[test]
fn what_people_and_passwords_say_is_text_and_never_a_place_or_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let package = compiled(&named("keycloak"));
    let mut plan = plan(&package, VERSION, Surroundings::Full, false);
    let name = "${KC_DB_PASSWORD} @CLIENT_SECRET@ \"3\"";
    name.clone_into(&mut plan.entity.display_name);
    let [user, password] = ["@MAIL_PASSWORD@", "p\"a\\s${HOME}&$x*é"];
    for _ in 0..2 {
        let output = prepared(folder.path(), &realm(&plan), Some([user, password]));
        assert!(output.status.success(), "{output:?}");
        let text = std::fs::read_to_string(folder.path().join("import/realm.json")).unwrap();
        assert!(!text.contains('$'), "Keycloak would put a variable there: {text}");
        let made: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&made["displayName"], &made["clients"][0]["secret"]), (&json!(name), &json!("client")));
        let mail = ["auth", "user", "password"].map(|field| made["smtpServer"][field].as_str().unwrap());
        assert_eq!(mail, ["true", user, password]);
        assert!(folder.path().join("built/built.jar").exists() && !folder.path().join("built/of-before").exists());
    }
}

#[test]
fn a_mail_server_that_asks_for_no_password_gets_none() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&compiled(&named("keycloak")), VERSION, Surroundings::Elsewhere, false);
    let output = prepared(folder.path(), &realm(&plan), None);
    assert!(output.status.success(), "{output:?}");
    let made = std::fs::read_to_string(folder.path().join("import/realm.json")).unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    let mail = ["auth", "user", "password"].map(|field| made["smtpServer"][field].as_str().unwrap());
    assert_eq!(mail, ["false", "", ""]);
}
