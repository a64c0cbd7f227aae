//! A growth that the storage cannot give is taken back by asking for less.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::object;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("a growth that the storage cannot give is taken back by asking for less", taken_back)]
}

const NAME: &str = "massa-gran";
/// The driver is asked within seconds; Kubernetes asks one that failed again after a while.
const SHOWS: Duration = Duration::from_mins(2);

async fn taken_back(node: Arc<Node>) -> Outcome {
    let tariff = object(
        "Tariff",
        NAME,
        json!({
            "currency": "EUR", "tiers": [{"name": "1gb", "storage": "1Gi", "price": "5.00"}],
            "extraBlock": {"storage": "10Ti", "price": "5.00", "maximum": 100},
        }),
    );
    node.cluster.applied(&[tariff]).await?;
    node.running(&with_blocks(0)).await?;
    let services = resources::ours_in(&node.cluster.client, "DedicatedService", NAME);
    let service = async || Ok::<Value, Failure>(serde_json::to_value(services.get("site").await?)?);

    node.cluster.applied(&[with_blocks(100)]).await?;
    eventually("the status says that it cannot be given", SHOWS, async || {
        let service = service().await?;
        let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
        ensure_eq!(ready["reason"], json!("VolumeGrowthFailed"), "{}", conditions(&service));
        ensure!(ready["message"].as_str().is_some_and(|m| m.contains("has 1121Mi")), "{ready}");
        ensure!(!ready.to_string().contains("/volumes/") && !ready.to_string().contains("/var/"), "{ready}");
        ensure!(condition(&service, "PendingShrink").is_none(), "{}", conditions(&service));
        Ok(())
    })
    .await?;

    node.running(&with_blocks(0)).await?;
    let claims = resources::any_in(&node.cluster.client, "", "v1", "PersistentVolumeClaim", NAME).await?;
    eventually("the claim asks for what Kubernetes takes, and has it", SHOWS, async || {
        let claim = claims.get("site-data").await?;
        // 1 GiB and 97 MiB for the file system; a request equal to what it has would be refused.
        ensure_eq!(storage(&claim, "/spec/resources/requests/storage"), "1122Mi", "requested");
        ensure_eq!(storage(&claim, "/status/capacity/storage"), "1122Mi", "what it has");
        Ok(())
    })
    .await?;
    let quotas = resources::any_in(&node.cluster.client, "", "v1", "ResourceQuota", NAME).await?;
    eventually("the namespace's quota follows", SHOWS, async || {
        let quota = quotas.get("entity").await?;
        ensure_eq!(storage(&quota, "/spec/hard/requests.storage"), "1122Mi", "the quota");
        Ok(())
    })
    .await?;
    let service = service().await?;
    is_ready(&service)?;
    ensure!(condition(&service, "PendingShrink").is_none(), "{}", conditions(&service));
    let enforced = condition(&service, "QuotaEnforced").map(|condition| condition["status"].clone());
    ensure_eq!(enforced, Some(json!("True")), "{}", conditions(&service));
    node.discard(NAME).await
}

fn storage(object: &DynamicObject, pointer: &str) -> String {
    object.data.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn with_blocks(blocks: u32) -> Value {
    let site = json!({"name": "site", "template": "radicale", "tier": "1gb", "extraBlocks": blocks});
    object("Entity", NAME, json!({"displayName": "Massa gran", "tariff": NAME, "services": {"others": [site]}}))
}
