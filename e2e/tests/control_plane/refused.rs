//! What the API server refuses for good is named for what it is, and not asked for again and again.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{entity, entity_with};
use commonscloud_e2e::resources;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure};
use k8s_openapi::api::core::v1::LimitRange;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

use crate::tier::{ControlPlane, READY};

/// How long nothing may be asked for while nothing changes: it was a minute between two tries.
const QUIET: Duration = Duration::from_secs(75);
/// Until the refusal is in the status.
const NAMED: Duration = Duration::from_secs(30);
/// Until the last reports are written.
const SETTLED: Duration = Duration::from_secs(5);

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new(
        "a claim above a LimitRange is named so, asked for once, and made after the next change",
        above_the_limit,
    )]
}

async fn above_the_limit(tier: Arc<ControlPlane>) -> Outcome {
    let name = "refused";
    tier.running(&entity(name, json!({}))).await?;
    let limits: Api<LimitRange> = Api::namespaced(tier.cluster.client.clone(), name);
    let limit: LimitRange = serde_json::from_value(json!({
        "metadata": {"name": "small-claims"},
        "spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Mi"}}]},
    }))?;
    limits.create(&PostParams::default(), &limit).await?;

    tier.cluster.applied(&[entity_with(name, "radicale")]).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    eventually("the refusal is named", NAMED, async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        let stalled = condition(&service, "Stalled").ok_or_else(|| Failure::new(conditions(&service)))?;
        let says = stalled.to_string();
        ensure!(
            stalled["reason"] == "LimitRangeViolated" && says.contains("usage per PersistentVolumeClaim"),
            "{says}"
        );
        Ok(())
    })
    .await?;
    tokio::time::sleep(SETTLED).await;

    let mark = tier.cluster.audit.mark()?;
    tokio::time::sleep(QUIET).await;
    let requests = tier.cluster.audit.requests(mark, USER)?;
    let about: Vec<String> =
        requests.all.iter().filter(|request| request.is_about(name)).map(|request| request.shown()).collect();
    ensure!(about.is_empty(), "nothing changed: {about:?}");

    limits.delete("small-claims", &DeleteParams::default()).await?;
    let mut changed = entity_with(name, "radicale");
    changed["spec"]["displayName"] = json!("Cooperativa with room");
    tier.cluster.applied(&[changed]).await?;
    ready(&tier.entities(), name, READY).await.map(drop)
}
