//! A field that somebody else changes back each time is named, not fought over.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::audit::Request;
use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use commonscloud_operator::kinds;
use kube::api::{Api, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::tier::ControlPlane;

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new(
        "a field that a rival changes back each time ends in a condition that names both, not in a loop",
        named,
    )]
}

/// So many repairs of one object within a minute are made at most.
const REPAIRS: usize = 6;
/// How long the rival may go on until it is named.
const NAMED: Duration = Duration::from_secs(30);

/// Whom the rival annoys: an object, what it sets there, and where that is reported.
struct Fight {
    kind: &'static str,
    object: &'static str,
    field: &'static str,
    patch: fn(usize) -> Value,
    reported: (&'static str, &'static str),
}

const FIGHTS: [Fight; 2] = [
    Fight {
        kind: "Deployment",
        object: "site-app",
        field: "/spec/replicas",
        patch: |turn| json!({"spec": {"replicas": 2 + turn % 2}}),
        reported: ("DedicatedService", "site"),
    },
    Fight {
        kind: "ResourceQuota",
        object: "entity",
        field: "/spec/hard/pods",
        patch: |turn| json!({"spec": {"hard": {"pods": (900 + turn % 2).to_string()}}}),
        reported: ("Entity", "rival"),
    },
];

async fn named(tier: Arc<ControlPlane>) -> Outcome {
    let name = "rival";
    tier.running(&entity_with(name, "radicale")).await?;
    let mark = tier.cluster.audit.mark()?;
    futures::future::try_join_all(FIGHTS.iter().map(|fight| fought(&tier, name, fight))).await?;
    // All are counted, the refused ones too: the rival's pace may not become the operator's.
    let requests = tier.cluster.audit.requests(mark, USER)?;
    for fight in &FIGHTS {
        let about = requests.only(|request| {
            let object = &request.object_ref;
            object.namespace == name && object.name == fight.object && object.subresource.is_empty()
        });
        let repairs = about.only(Request::is_write).all.len();
        ensure!((1..=REPAIRS).contains(&repairs), "{} {}: {repairs} repairs", fight.kind, fight.object);
        // One look at who the other manager is.
        let reads = about.only(Request::is_read).all.len();
        ensure!(reads <= 1, "{} {}: {reads} reads", fight.kind, fight.object);
    }
    Ok(())
}

/// The rival writes at each look until the condition says so.
async fn fought(tier: &ControlPlane, namespace: &str, fight: &Fight) -> Outcome {
    let client = &tier.cluster.client;
    let resource = kinds::resource(fight.kind).ok_or_else(|| Failure::new(format!("no kind {}", fight.kind)))?;
    let object: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let reported = match fight.reported {
        ("Entity", _) => tier.entities(),
        (kind, _) => resources::ours_in(client, kind, namespace),
    };
    let params = PatchParams { field_manager: Some("autoscaler".to_owned()), ..PatchParams::default() };
    let mut turn = 0;
    eventually(&format!("the rival of {} {} is named", fight.kind, fight.object), NAMED, async || {
        turn += 1;
        object.patch(fight.object, &params, &Patch::Merge((fight.patch)(turn))).await?;
        let seen = serde_json::to_value(reported.get(fight.reported.1).await?)?;
        let stalled = condition(&seen, "Stalled").ok_or_else(|| Failure::new(conditions(&seen)))?;
        let message = stalled["message"].as_str().unwrap_or_default();
        let names = message.contains("autoscaler") && message.contains(fight.field) && message.contains(fight.object);
        ensure!(stalled["reason"] == "FieldContested" && names, "{stalled}");
        Ok(())
    })
    .await
}
