//! The month of an Entity: no service is missing in it, whatever the Tariff says by now.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity, entity_with_office, namespaced, tariff};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, gone, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::refusals::delete_in_use;
use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a service whose tier is gone from the tariff stays in the entity's totals, by name", lost_tier),
        Scenario::new("a service written by hand counts in its entity's list, totals and count", by_hand),
        Scenario::new("an entity whose only unready service is stalled is stalled", stalled),
    ]
}

/// Waits until the Entity's status says these values.
async fn says(tier: &ControlPlane, name: &str, expected: &[(&str, &str)]) -> Outcome<Value> {
    eventually(&format!("{name} says {expected:?}"), Duration::from_secs(30), async || {
        let entity = serde_json::to_value(tier.entities().get(name).await?)?;
        for (field, value) in expected {
            ensure_eq!(entity["status"][field], json!(value), "{field}");
        }
        Ok(entity)
    })
    .await
}

async fn lost_tier(tier: Arc<ControlPlane>) -> Outcome {
    let name = "totals-lost-tier";
    let whole = tariff(name);
    let mut less = whole.clone();
    less["spec"]["tiers"] = json!([{"name": "1gb", "storage": "1Gi", "price": "5.00"}]);
    let wiki = json!({"name": "wiki", "template": "radicale", "tier": "5gb"});
    let mut manifest = entity(name, json!({"office": {"tier": "1gb"}, "others": [wiki]}));
    manifest["spec"]["tariff"] = json!(name);
    tier.cluster.applied(&[whole]).await?;
    tier.running(&manifest).await?;
    says(&tier, name, &[("price", "15.00 EUR"), ("storage", "6Gi")]).await?;
    delete_in_use(&tier, name).await?;
    gone(&resources::ours(&tier.cluster.client, "Tariff"), name, READY).await?;
    says(&tier, name, &[("price", "2 unknown (office, wiki)")]).await?;
    tier.cluster.applied(&[less]).await?;
    let unknown =
        [("price", "5.00 EUR + 1 unknown (wiki)"), ("storage", "1Gi + 1 unknown (wiki)"), ("servicesReady", "1/2")];
    says(&tier, name, &unknown).await.map(drop)
}

async fn by_hand(tier: Arc<ControlPlane>) -> Outcome {
    let name = "totals-by-hand";
    tier.running(&entity_with_office(name)).await?;
    let by_hand = namespaced("DedicatedService", name, "byhand", json!({"template": "radicale", "tier": "5gb"}));
    tier.cluster.applied(&[by_hand]).await?;
    ready(&resources::ours_in(&tier.cluster.client, "DedicatedService", name), "byhand", READY).await?;
    let all = [("price", "15.00 EUR"), ("storage", "6Gi"), ("servicesReady", "2/2")];
    let entity = says(&tier, name, &all).await?;
    let names: Vec<&Value> =
        entity["status"]["services"].as_array().into_iter().flatten().map(|s| &s["name"]).collect();
    ensure_eq!(names, [&json!("office"), &json!("byhand")], "the services");
    tier.cluster.kubectl.ok(&["delete", "dedicatedservice", "byhand", "-n", name, "--timeout=60s"]).await?;
    says(&tier, name, &[("price", "5.00 EUR"), ("storage", "1Gi"), ("servicesReady", "1/1")]).await.map(drop)
}

async fn stalled(tier: Arc<ControlPlane>) -> Outcome {
    let name = "stalled-service";
    let site = json!({"name": "site", "template": "radicale", "tier": "1gb", "parameters": {"relm": "x"}});
    tier.cluster.applied(&[entity(name, json!({"others": [site]}))]).await?;
    eventually("the entity is Stalled", READY, async || {
        let entity = serde_json::to_value(tier.entities().get(name).await?)?;
        let stalled = condition(&entity, "Stalled").ok_or_else(|| Failure::new(conditions(&entity)))?;
        ensure!(stalled["reason"] == "ServicesNotReady", "{}", conditions(&entity));
        let message = stalled["message"].as_str().unwrap_or_default();
        ensure!(message.starts_with("DedicatedService site: ParametersInvalid"), "{message}");
        Ok(())
    })
    .await
}
