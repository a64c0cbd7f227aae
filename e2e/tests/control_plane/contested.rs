//! A rival that writes as fast as it can does not set the pace of the operator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::resources;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::tier::{ControlPlane, READY};

/// How long the rival goes on.
const FIGHT: Duration = Duration::from_secs(20);
/// Requests about the object while it does: six repairs, one look at who the rival is, and one
/// that was on its way.
const REQUESTS: usize = 8;
/// Reports while it does: that it is contested, and what the pods do meanwhile.
const REPORTS: usize = 6;
/// After the rival's last write it is repaired within this time.
const REPAIRED: Duration = Duration::from_mins(1);

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new(
        "a rival that writes as fast as it can costs a handful of requests, and its last write is undone",
        bounded,
    )]
}

async fn bounded(tier: Arc<ControlPlane>) -> Outcome {
    let name = "contested";
    tier.running(&entity_with(name, "radicale")).await?;
    let maps: Api<ConfigMap> = Api::namespaced(tier.cluster.client.clone(), name);
    let before = maps.get("site-app").await?.data.unwrap_or_default();
    let key = before.keys().next().ok_or_else(|| Failure::new("the ConfigMap is empty"))?;

    let mark = tier.cluster.audit.mark()?;
    let params = PatchParams { field_manager: Some("rival".to_owned()), ..PatchParams::default() };
    let (began, mut turns) = (Instant::now(), 0_usize);
    while began.elapsed() < FIGHT {
        turns += 1;
        let patch = json!({"data": {key: format!("turn {turns}")}});
        maps.patch("site-app", &params, &Patch::Merge(patch)).await?;
    }
    let requests = tier.cluster.audit.requests(mark, USER)?;
    let about = |resource: &str, object: &str| {
        let matches = requests.all.iter().filter(|request| {
            let of = &request.object_ref;
            of.namespace == name && of.resource == resource && of.name == object
        });
        matches.map(commonscloud_e2e::audit::Request::shown).collect::<Vec<_>>()
    };
    let repairs = about("configmaps", "site-app");
    ensure!(turns > 100, "the rival wrote only {turns} times");
    ensure!((1..=REQUESTS).contains(&repairs.len()), "{turns} turns: {repairs:?}");
    let reports = about("dedicatedservices", "site");
    ensure!(reports.len() <= REPORTS, "{turns} turns: {reports:?}");

    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    let service = serde_json::to_value(services.get("site").await?)?;
    let stalled = condition(&service, "Stalled").cloned().unwrap_or_default();
    ensure!(stalled["reason"] == "FieldContested" && stalled.to_string().contains("rival"), "{stalled}");

    eventually("the rival's last write is undone", REPAIRED, async || {
        let now = maps.get("site-app").await?.data.unwrap_or_default();
        ensure!(now == before, "{:?}", now.get(key));
        Ok(())
    })
    .await?;
    ready(&tier.entities(), name, READY).await.map(drop)
}
