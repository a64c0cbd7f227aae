//! What the API server refuses for good is named for what it is, and not asked for again and again.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{entity, entity_with};
use commonscloud_e2e::resources;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure};
use k8s_openapi::api::core::v1::{LimitRange, PersistentVolumeClaim};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

/// How long nothing may be asked for while nothing changes: it was a minute between two tries.
const QUIET: Duration = Duration::from_secs(75);
/// Until the refusal is in the status.
const NAMED: Duration = Duration::from_secs(30);
/// Until the last reports are written.
const SETTLED: Duration = Duration::from_secs(5);

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a claim above a LimitRange is named so, asked for once, and made after the next change",
            above_the_limit,
        ),
        Scenario::new(
            "a growth that the storage class forbids is named so, and holds up no other change of the same edit",
            forbidden_growth,
        )
        .apart(),
    ]
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
    let about: Vec<String> = requests
        .all
        .iter()
        .filter(|request| request.is_about(name))
        .map(commonscloud_e2e::audit::Request::shown)
        .collect();
    ensure!(about.is_empty(), "nothing changed: {about:?}");

    limits.delete("small-claims", &DeleteParams::default()).await?;
    let mut changed = entity_with(name, "radicale");
    changed["spec"]["displayName"] = json!("Cooperativa with room");
    tier.cluster.applied(&[changed]).await?;
    ready(&tier.entities(), name, READY).await.map(drop)
}

async fn forbidden_growth(tier: Arc<ControlPlane>) -> Outcome {
    // All services of a cluster have one class: another scenario must not meet it as it is here.
    let tier = tier.aside().await?;
    expansion(&tier, false).await?;
    let outcome = grown_and_renamed(&tier).await;
    expansion(&tier, true).await?;
    outcome?;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(tier.cluster.client.clone(), "no-growth");
    eventually("the claim grows once its class lets it", NAMED, async || {
        let requested = requested(&claims).await?;
        ensure!(requested.starts_with('5'), "{requested}");
        Ok(())
    })
    .await
}

/// Has the one storage class let volumes grow, or not.
async fn expansion(tier: &ControlPlane, allowed: bool) -> Outcome {
    let classes: Api<StorageClass> = Api::all(tier.cluster.client.clone());
    let patch = json!({"allowVolumeExpansion": allowed});
    classes.patch("commonscloud-xfs", &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

async fn requested(claims: &Api<PersistentVolumeClaim>) -> Outcome<String> {
    let claim = serde_json::to_value(claims.get("site-data").await?)?;
    Ok(claim["spec"]["resources"]["requests"]["storage"].as_str().unwrap_or_default().to_owned())
}

async fn grown_and_renamed(tier: &ControlPlane) -> Outcome {
    let name = "no-growth";
    let with = |tier: &str, hostname: Option<&str>| -> Value {
        let mut manifest = entity_with(name, "radicale");
        manifest["spec"]["domains"] = json!(["grown.example"]);
        manifest["spec"]["services"]["others"][0]["tier"] = json!(tier);
        if let Some(hostname) = hostname {
            manifest["spec"]["services"]["others"][0]["hostname"] = json!(hostname);
        }
        manifest
    };
    tier.running(&with("1gb", None)).await?;
    tier.cluster.applied(&[with("5gb", Some("site.grown.example"))]).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    let ingresses: Api<Ingress> = Api::namespaced(tier.cluster.client.clone(), name);
    eventually("the growth is refused and the host name is there", NAMED, async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        let stalled = condition(&service, "Stalled").ok_or_else(|| Failure::new(conditions(&service)))?;
        ensure!(stalled["reason"] == "VolumeNotExpandable", "{stalled}");
        let ingress = serde_json::to_value(ingresses.get("site-app").await?)?;
        ensure!(ingress["spec"]["rules"][0]["host"] == "site.grown.example", "{}", ingress["spec"]["rules"]);
        Ok(())
    })
    .await
}
