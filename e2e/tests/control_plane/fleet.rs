//! Twenty Entities with three services each, beside one that fails for ever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::allowance::MAKING;
use commonscloud_e2e::audit::Request;
use commonscloud_e2e::chart::USER;
use commonscloud_e2e::fleet::{Cost, all_ready, apply, broken_entity, broken_package, entities};
use commonscloud_e2e::objects::Kinds;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use kube::api::ListParams;
use kube::core::DynamicObject;
use serde_json::Value;

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "20 entities with three services each become Ready together, beside one that fails for ever",
            converges,
        )
        .apart(),
    ]
}

const ENTITIES: usize = 20;
/// No figure, only an end: figures are `make bench`'s.
const LIMIT: Duration = Duration::from_mins(5);

async fn converges(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let client = &tier.cluster.client;
    let broken = "broken-fleet";
    apply(client, &[broken_package()]).await?;
    let mark = tier.cluster.audit.mark()?;
    let mut fleet = vec![broken_entity(broken, 3)];
    fleet.extend(entities("fleet", ENTITIES));
    apply(client, &fleet).await?;
    all_ready(client, "fleet", ENTITIES, Instant::now(), LIMIT).await?;

    let kinds = Kinds::discover(client).await?;
    let requests = tier.cluster.audit.requests(mark, USER)?;
    let names: Vec<String> = (0..ENTITIES).map(|number| format!("fleet-{number}")).collect();
    for name in &names {
        let cost = Cost::of(client, &kinds, name, &requests.all).await?;
        ensure_eq!(cost.instances, 3, "services of {name}");
        ensure!(cost.writes <= cost.allowed(), "{name}: {cost:?}, allowed {} writes", cost.allowed());
        let unexpected = |request: &Request| request.is_about(name) && !(request.is_write() && request.succeeded());
        let lines = requests.only(unexpected).beyond(&MAKING);
        ensure!(lines.is_empty(), "{name} was made with reads or refusals: {}", lines.join(", "));
    }
    refused(&tier, broken).await?;
    let words = ["delete", "entities", "--wait=false", broken];
    let all: Vec<&str> = words.into_iter().chain(names.iter().map(String::as_str)).collect();
    tier.cluster.kubectl.ok(&all).await.map(drop)
}

/// The broken ones say so, each with the API server's words.
async fn refused(tier: &ControlPlane, namespace: &str) -> Outcome {
    let api = resources::ours_in(&tier.cluster.client, "DedicatedService", namespace);
    eventually("what fails says why", READY, async || {
        let services: Vec<DynamicObject> = api.list(&ListParams::default()).await?.items;
        ensure_eq!(services.len(), 3, "broken services");
        for service in services {
            let service: Value = serde_json::to_value(service)?;
            let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
            let message = ready["message"].as_str().unwrap_or_default();
            ensure!(ready["status"] == "False" && message.contains("ConfigMap"), "{ready}");
        }
        Ok(())
    })
    .await
}
