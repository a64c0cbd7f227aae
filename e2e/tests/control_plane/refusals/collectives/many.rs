//! A thousand people: what they weigh, and that rules which look at all of them may still cost what they cost.

use std::sync::Arc;
use std::time::Instant;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, resources};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Map, Value, json};

use super::{ANNA, BERTA, FOUNDER, SINCE, as_whom, back, rights};
use crate::tier::{ControlPlane, READY};

const NAME: &str = "many-people";
/// As many as a Collective has at most.
const MEMBERS: usize = 1000;

/// What a provider may well call somebody.
fn subject(number: usize) -> String {
    format!("6f7b2c1e-0000-4000-8000-{number:012}")
}

fn id(number: usize) -> String {
    format!("k3v9x2m4q7w1{number:04}")
}

fn member(number: usize) -> (String, Value) {
    let account = json!({
        "issuer": "https://id.example.org/realms/commons", "subject": subject(number),
        "user": format!("person:{}", subject(number)),
    });
    let member = json!({
        "displayName": format!("Maria dels Àngels Puig {number}"), "account": account, "by": FOUNDER, "since": SINCE,
    });
    (id(number), member)
}

/// An object in this namespace, as it is brought back.
fn here(kind: &str, name: &str, spec: Value) -> Value {
    let mut object = back(kind, name, spec);
    object["metadata"]["namespace"] = json!(NAME);
    object
}

pub async fn a_thousand(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&entity(NAME, json!({}))).await?;
    tier.cluster.applied(&rights(NAME)).await?;
    let members: Map<String, Value> = (1..MEMBERS).map(member).collect();
    let managers = json!({id(1): {"by": FOUNDER, "since": SINCE}, id(2): {"by": FOUNDER, "since": SINCE}});
    let collective = here("Collective", "collective", json!({"members": members, "managers": managers}));
    tier.cluster.applied(&[collective, here("Access", "site", json!({"people": {}}))]).await?;

    let anna = as_whom(&tier, ANNA, None).await?;
    let berta = as_whom(&tier, BERTA, None).await?;
    let collectives = resources::ours_in(&anna, "Collective", NAME);
    let accesses = resources::ours_in(&berta, "Access", NAME);
    let invited = json!({"displayName": "The last", "mail": "last@example.org", "by": ANNA});
    let last = json!({"spec": {"members": {id(MEMBERS): invited}}});
    eventually("one more is invited", READY, async || patched(&collectives, "collective", &last).await).await?;
    let full = json!({"spec": {"members": {id(MEMBERS + 1): invited}}});
    let refusal = patched(&collectives, "collective", &full).await.err().map(|failure| failure.to_string());
    ensure!(refusal.as_ref().is_some_and(|words| words.contains("spec.members")), "one too many: {refusal:?}");

    // All but the last at once, as a table is taken in; then one.
    let user = |number: usize| (id(number), json!({"role": "User", "by": BERTA}));
    let all: Map<String, Value> = (1..MEMBERS).map(user).collect();
    let all = json!({"spec": {"people": all}});
    eventually("all are let in", READY, async || patched(&accesses, "site", &all).await).await?;
    let one: Map<String, Value> = [user(MEMBERS)].into_iter().collect();
    patched(&accesses, "site", &json!({"spec": {"people": one}})).await?;

    // Every entry changes, and every rule looks at each; one manager stays.
    let leaving = |number: usize| (id(number), json!({"removed": {"by": ANNA}}));
    let leaving: Map<String, Value> = (2..=MEMBERS).map(leaving).collect();
    patched(&collectives, "collective", &json!({"spec": {"members": leaving}})).await?;
    let leaving = |number: usize| (id(number), json!({"removed": {"by": BERTA}}));
    let leaving: Map<String, Value> = (1..=MEMBERS).map(leaving).collect();
    patched(&accesses, "site", &json!({"spec": {"people": leaving}})).await?;
    weighed(&collectives, "collective").await?;
    weighed(&accesses, "site").await
}

async fn patched(api: &Api<DynamicObject>, name: &str, change: &Value) -> Outcome {
    let begun = Instant::now();
    api.patch(name, &PatchParams::default(), &Patch::Merge(change)).await?;
    eprintln!("a patch of {} bytes to {name}: {} ms", change.to_string().len(), begun.elapsed().as_millis());
    Ok(())
}

async fn weighed(api: &Api<DynamicObject>, name: &str) -> Outcome {
    let object = serde_json::to_value(api.get(name).await?)?;
    let of_managers = object["metadata"]["managedFields"].to_string().len();
    let all = object.to_string().len();
    eprintln!("{name} of {MEMBERS} people: {all} bytes, {of_managers} of them managedFields");
    // Of the 1.5 MiB that etcd takes.
    ensure!(all < 1024 * 1024, "{name} has {all} bytes");
    Ok(())
}
