//! The people of an Entity: who belongs, who may enter, who changed what, on a Platform where somebody signs people in.
//! The accounts are bound by the administrator, who is in the place of an identity provider that is kept by hand.

mod gone;
mod killed;
mod made;
mod people;

use std::time::Duration;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{conditions, eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::tier::{ControlPlane, platform};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    let mut scenarios = made::scenarios();
    scenarios.extend(people::scenarios());
    scenarios.extend(gone::scenarios());
    scenarios.extend(killed::scenarios());
    scenarios
}

/// How long a change may take to be seen.
const SEEN: Duration = Duration::from_secs(30);
/// The name of every Collective.
const COLLECTIVE: &str = "collective";
/// The service whose Access is looked at.
const SITE: &str = "site";

/// Has somebody sign people in while `run` lasts.
pub async fn signing_in(tier: &ControlPlane, run: impl AsyncFnOnce() -> Outcome) -> Outcome {
    let mut with_identity = platform();
    with_identity["spec"]["identity"] = json!({"issuer": "https://id.example.org"});
    tier.cluster.applied(&[with_identity]).await?;
    let ended = run().await;
    tier.cluster.applied(&[platform()]).await?;
    ended
}

/// An Entity with a manager who has a mail address and is known to the cluster, and a service with one of its own.
pub fn managed(name: &str) -> Value {
    let pere = json!([{"name": "pere", "mail": format!("pere@{name}.example")}]);
    let site = json!({"name": SITE, "template": "radicale", "tier": "1gb", "managers": pere});
    let mut entity = entity(name, json!({"others": [site]}));
    let subject = json!({"kind": "User", "name": format!("eva-of-{name}")});
    entity["spec"]["managers"] = json!([{"name": "anna", "mail": format!("anna@{name}.example"), "subject": subject}]);
    entity
}

fn api(tier: &ControlPlane, kind: &str, namespace: &str) -> Api<DynamicObject> {
    resources::ours_in(&tier.cluster.client, kind, namespace)
}

async fn seen(tier: &ControlPlane, kind: &str, namespace: &str, name: &str) -> Outcome<Value> {
    Ok(serde_json::to_value(api(tier, kind, namespace).get(name).await?)?)
}

/// A merge patch by the administrator. A policy may see the Collective as it was a moment ago.
async fn patched(tier: &ControlPlane, kind: &str, namespace: &str, name: &str, patch: &Value) -> Outcome {
    eventually(&format!("{kind} {namespace}/{name} is changed"), SEEN, async || {
        api(tier, kind, namespace).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    })
    .await
}

/// Waits until an object is Ready as it is now and as `holds` says.
async fn becomes(
    tier: &ControlPlane,
    (kind, namespace, name): (&str, &str, &str),
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Outcome<Value> {
    eventually(&format!("{kind} {namespace}/{name}: {what}"), SEEN, async || {
        let object = seen(tier, kind, namespace, name).await?;
        ensure!(holds(&object), "{}; {}", object["spec"], conditions(&object));
        is_ready(&object)?;
        Ok(object)
    })
    .await
}

pub async fn collective(
    tier: &ControlPlane,
    namespace: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Outcome<Value> {
    becomes(tier, ("Collective", namespace, COLLECTIVE), what, holds).await
}

pub async fn access(
    tier: &ControlPlane,
    namespace: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Outcome<Value> {
    becomes(tier, ("Access", namespace, SITE), what, holds).await
}

/// The id of the member of this display name.
fn id_of(collective: &Value, name: &str) -> Outcome<String> {
    let members = collective["spec"]["members"].as_object();
    let found = members.into_iter().flatten().find(|(_, member)| member["displayName"] == name);
    found.map(|(id, _)| id.clone()).ok_or_else(|| Failure::new(format!("no {name} in {}", collective["spec"])))
}

/// The account that somebody of this name has at the provider.
fn account(name: &str) -> Value {
    json!({"issuer": "https://id.example.org", "subject": name, "user": user(name)})
}

/// The name by which the API server knows them.
fn user(name: &str) -> String {
    format!("person:{name}")
}

/// Invites somebody, and binds the account that they accept with.
async fn belongs(tier: &ControlPlane, namespace: &str, id: &str, name: &str) -> Outcome {
    let by = tier.cluster.user().await?;
    let member = json!({"displayName": name, "mail": format!("{name}@people.example"), "by": by});
    patched(tier, "Collective", namespace, COLLECTIVE, &json!({"spec": {"members": {id: member}}})).await?;
    collective(tier, namespace, "the invitation is taken in", |seen| seen["spec"]["members"][id]["since"].is_string())
        .await?;
    accepts(tier, namespace, id, name).await
}

/// Binds an account.
async fn accepts(tier: &ControlPlane, namespace: &str, id: &str, name: &str) -> Outcome {
    let account = json!({"spec": {"members": {id: {"account": account(name)}}}});
    patched(tier, "Collective", namespace, COLLECTIVE, &account).await?;
    let has_accepted = |seen: &Value| {
        let member = &seen["spec"]["members"][id];
        member["account"]["user"] == user(name) && member["mail"].is_null()
    };
    collective(tier, namespace, "the mail address goes once there is an account", has_accepted).await.map(drop)
}

/// Everything that is told of an Entity's people, by key.
async fn told(tier: &ControlPlane, namespace: &str) -> Outcome<Vec<(String, Value)>> {
    let months = api(tier, "AccessHistory", namespace).list(&ListParams::default()).await?;
    let mut told = Vec::new();
    for month in months {
        let month = serde_json::to_value(month)?;
        let entries = month["spec"]["entries"].as_object().cloned().unwrap_or_default();
        told.extend(entries);
    }
    Ok(told)
}

/// What was told of one person and this change, of which there is one.
async fn told_once(tier: &ControlPlane, namespace: &str, id: &str, change: &str) -> Outcome<Value> {
    let mut of_it = told(tier, namespace).await?;
    of_it.retain(|(_, entry)| entry["person"] == id && entry["change"] == change);
    ensure!(of_it.len() == 1, "{change} of {id} is told {} times: {of_it:?}", of_it.len());
    of_it.pop().map(|(_, entry)| entry).ok_or_else(|| Failure::new("none"))
}

/// The RoleBindings in a namespace that name a user.
async fn bound(tier: &ControlPlane, namespace: &str, user: &str) -> Outcome<Vec<String>> {
    let all = tier.cluster.kubectl.ok(&["get", "rolebindings", "-n", namespace, "-o", "json"]).await?;
    let all: Value = serde_json::from_str(&all)?;
    let names = |binding: &Value| {
        let subjects = binding["subjects"].as_array();
        subjects.is_some_and(|subjects| subjects.iter().any(|subject| subject["name"] == user))
    };
    let bindings = all["items"].as_array().into_iter().flatten().filter(|binding| names(binding));
    Ok(bindings.filter_map(|binding| binding["metadata"]["name"].as_str().map(str::to_owned)).collect())
}

/// Waits until whether somebody may do something is as expected.
async fn may(tier: &ControlPlane, namespace: &str, user: &str, question: &[&str], expected: bool) -> Outcome {
    let words = [&["auth", "can-i"][..], question, &["-n", namespace, "--as", user]].concat();
    eventually(&format!("may {user} {}: {expected}", question.join(" ")), SEEN, async || {
        let said = tier.cluster.kubectl.run(&words, None).await?;
        ensure!((said.stdout.trim() == "yes") == expected, "{}{}", said.stdout, said.stderr);
        Ok(())
    })
    .await
}
