//! The leaves of who belongs and who may enter: nobody writes what is the operator's, nor in another's name; and those
//! of the Platform's identity: what they may be. What they do is seen where a provider is: `node/sign_in.rs`.

use commonscloud_e2e::manifests::{entity, namespaced};
use serde_json::{Value, json};

use super::case::{Case, refused};
use super::live::Stage;

/// The namespace of the people.
const NAME: &str = "leaves-people";
const SINCE: &str = "2026-12-01T00:00:00Z";
const UNTIL: &str = "2030-01-01T00:00:00Z";
const LATER: &str = "2026-12-02T00:00:00Z";

/// The cases of the Platform.
pub fn of_platform() -> Vec<Case> {
    let keycloak = json!({"entity": "cloud", "service": "identity"});
    let driven = json!({"issuer": "https://id.example.org/realms/commons", "keycloak": keycloak});
    let case = |leaf: &'static str, value: Value| {
        refused("Platform", leaf, value, &[leaf]).given("spec.identity", driven.clone())
    };
    vec![
        case("spec.identity.issuer", json!("http://id.example.org")),
        case("spec.identity.userPrefix", json!("o idc:")),
        case("spec.identity.keepHistoryDays", json!(29)),
        case("spec.identity.keycloak.entity", json!("Cloud")),
        case("spec.identity.keycloak.service", json!("Identity")),
    ]
}

fn account() -> Value {
    json!({"issuer": "https://id.example.org", "subject": "anna", "user": "person:anna"})
}

/// An object as `commonscloud recover` brings it back.
fn back(kind: &str, name: &str, spec: Value) -> Value {
    let mut object = namespaced(kind, NAME, name, spec);
    object["metadata"]["annotations"] = json!({"commonscloud.coop/recovered": "a-former-uid"});
    object
}

/// A Collective, an Access, a month of history and a request to leave, for whoever asks.
pub fn stages(user: &str) -> [Stage; 4] {
    let stage = |subject: Value, cases: Vec<Case>| Stage {
        namespace: NAME.to_owned(),
        around: vec![entity(NAME, json!({}))],
        subject,
        ready: Vec::new(),
        cases,
    };
    let members = json!({
        "annaanna": {"displayName": "Anna", "account": account(), "by": "a-founder", "since": SINCE},
        "dinadinad": {"displayName": "Dina", "mail": "dina@example.org", "by": "a-founder", "since": SINCE},
    });
    let managers = json!({"annaanna": {"by": "a-founder", "since": SINCE}});
    let guest =
        |guest: Value| json!({"role": "User", "by": "a-founder", "since": SINCE, "until": UNTIL, "guest": guest});
    let people = json!({
        "annaanna": {"role": "User", "by": "a-founder", "since": SINCE, "until": UNTIL},
        "guestguest": guest(json!({"displayName": "Guest", "mail": "guest@example.org"})),
        "knownknow": guest(json!({"displayName": "Known", "account": account()})),
    });
    let entry = json!({
        "at": SINCE, "by": "a-founder", "change": "Admitted", "person": "annaanna", "displayName": "Anna",
        "service": "site",
    });
    [
        stage(back("Collective", "collective", json!({"members": members, "managers": managers})), of_collectives()),
        stage(back("Access", "site", json!({"people": people})), of_accesses()),
        stage(back("AccessHistory", "2026-12", json!({"entries": {"a": entry}})), of_histories()),
        stage(namespaced("LeaveRequest", NAME, "leave", json!({"user": user})), of_requests()),
    ]
}

const OPERATORS: &str = "since and removed.at are written by the operator";
const BOUND_ONCE: &str = "account: is bound once";

/// The cases of a Collective.
pub fn of_collectives() -> Vec<Case> {
    let own = |leaf: &str, value: &str, words: &'static str| {
        refused("Collective", format!("spec.{leaf}"), json!(value), &[words])
    };
    vec![
        own("members{annaanna}.displayName", "Another", "spec.members.annaanna"),
        own("members{dinadinad}.mail", "no address", "allowed: one mail address"),
        own("members{annaanna}.account.issuer", "https://other.example.org", BOUND_ONCE),
        own("members{annaanna}.account.subject", "another", BOUND_ONCE),
        own("members{annaanna}.account.user", "person:another", BOUND_ONCE),
        own("members{dinadinad}.by", "somebody-else", "spec.members.dinadinad.by: is who writes this entry"),
        own("members{dinadinad}.since", LATER, OPERATORS),
        own("members{dinadinad}.removed.by", "somebody-else", "spec.members.dinadinad.removed.by: is who removes"),
        own("members{dinadinad}.removed.at", LATER, OPERATORS)
            .given("spec.members{dinadinad}.removed", json!({"by": "somebody-else"})),
        own("managers{annaanna}.by", "somebody-else", "spec.managers.annaanna.by: is who writes this entry"),
        own("managers{annaanna}.since", LATER, OPERATORS),
        own("managers{annaanna}.removed.by", "somebody-else", "spec.managers.annaanna.removed.by: is who removes"),
        own("managers{annaanna}.removed.at", LATER, OPERATORS)
            .given("spec.managers{annaanna}.removed", json!({"by": "somebody-else"})),
    ]
}

/// The cases of an Access.
pub fn of_accesses() -> Vec<Case> {
    let own = |leaf: &str, value: &str, words: &'static str| {
        refused("Access", format!("spec.people{{{leaf}"), json!(value), &[words])
    };
    vec![
        own("guestguest}.role", "Manager", "a guest is a User"),
        own("annaanna}.until", "tomorrow", "allowed: a day and time with its zone"),
        own("guestguest}.guest.displayName", "", "allowed: one line of text"),
        own("guestguest}.guest.mail", "no address", "allowed: one mail address"),
        own("knownknow}.guest.account.issuer", "https://other.example.org", BOUND_ONCE),
        own("knownknow}.guest.account.subject", "another", BOUND_ONCE),
        own("knownknow}.guest.account.user", "person:another", BOUND_ONCE),
        own("annaanna}.by", "somebody-else", "spec.people.annaanna.by: is who writes this entry"),
        own("annaanna}.since", LATER, OPERATORS),
        own("annaanna}.removed.by", "somebody-else", "spec.people.annaanna.removed.by: is who removes"),
        own("annaanna}.removed.at", LATER, OPERATORS)
            .given("spec.people{annaanna}.removed", json!({"by": "somebody-else"})),
    ]
}

/// The cases of the history.
pub fn of_histories() -> Vec<Case> {
    let own = |leaf: &str, value: &str| {
        let words = &["spec: AccessHistory 2026-12", "is written by the operator"];
        refused("AccessHistory", format!("spec.entries{{a}}.{leaf}"), json!(value), words)
    };
    vec![
        own("at", LATER),
        own("by", "somebody-else"),
        own("change", "Dismissed"),
        own("person", "dinadinad"),
        own("displayName", "Another"),
        own("service", "other"),
    ]
}

/// The cases of a request to leave.
pub fn of_requests() -> Vec<Case> {
    vec![refused("LeaveRequest", "spec.user", json!("somebody-else"), &["spec: a request cannot be changed"])]
}
