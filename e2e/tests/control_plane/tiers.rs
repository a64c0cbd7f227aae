//! What tiers mean: a Tariff that is not there yet is waited for, a tier without a price is unpriced.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity, entity_with_office, tariff};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("an entity whose tariff is not there yet waits and says so, then goes on", tariff_comes_later),
        Scenario::new("a tier without a price is called unpriced", unpriced),
    ]
}

async fn tariff_comes_later(tier: Arc<ControlPlane>) -> Outcome {
    let name = "early-bird";
    let mut early = entity_with_office(name);
    early["spec"]["tariff"] = json!("late");
    tier.cluster.applied(&[early]).await?;
    eventually("the status names the missing tariff", Duration::from_secs(20), async || {
        let entity = serde_json::to_value(tier.entities().get(name).await?)?;
        let waiting =
            condition(&entity, "Ready").is_some_and(|c| c["status"] == "False" && c["reason"] == "TariffNotFound");
        ensure!(waiting, "{}", conditions(&entity));
        ensure!(
            condition(&entity, "Ready").is_some_and(|c| c["message"].as_str().is_some_and(|m| m.contains("late"))),
            "{}",
            conditions(&entity)
        );
        Ok(())
    })
    .await?;
    tier.cluster.applied(&[tariff("late")]).await?;
    ready(&tier.entities(), name, READY).await.map(drop)
}

async fn unpriced(tier: Arc<ControlPlane>) -> Outcome {
    let services = json!({"office": {"tier": "5gb", "extraBlocks": 2}, "others": [{"name": "site", "template": "radicale", "tier": "50gb"}]});
    let entity = tier.running(&entity("half-priced", services)).await?;
    ensure_eq!(
        entity["status"]["price"],
        json!("20.00 EUR + 1 unpriced"),
        "the month's price of 10.00 and two blocks at 5.00"
    );
    ensure_eq!(entity["status"]["storage"], json!("57Gi"), "the quotas of all services");
    let site = tier.cluster.kubectl.ok(&["get", "dedicatedservice", "-n", "half-priced", "site", "-o", "json"]).await?;
    let site: Value = serde_json::from_str(&site).map_err(Failure::from)?;
    ensure_eq!(site["status"]["price"], json!("unpriced"), "the price of a tier without one");
    Ok(())
}
