//! The operator's memory beside a small fleet, held to that fleet's share of the chart's limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::fleet::{self, all_ready, apply, entities};
use commonscloud_e2e::operator::HostOperator;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, chart, ensure};

use crate::tier::ControlPlane;

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a fleet, and a restart beside it, take no more than their share of the chart's memory", share)
            .apart(),
    ]
}

/// Entities with three services of some 22 objects each.
const ENTITIES: usize = 12;
const OBJECTS: u64 = 12 * 68;
/// What the chart's limit is derived from: 1000 instances with 15 objects and two of the operator's own.
const FLEET: u64 = 17_000;
const LIMIT: Duration = Duration::from_mins(5);

async fn share(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    tier.stop_operator().await?;
    let kept = keeps_to_its_share(&tier).await;
    tier.start_operator().await?;
    kept
}

async fn keeps_to_its_share(tier: &ControlPlane) -> Outcome {
    let client = &tier.cluster.client;
    let share = chart::memory_limit(&tier.cluster.programs.source)? * OBJECTS / FLEET;
    let operator = HostOperator::start(&tier.cluster, &tier.kubeconfig(), &tier.log()).await?;
    // With what other scenarios left in the cluster.
    let (_, before) = fleet::memory(operator.pid())?;
    apply(client, &entities("memory", ENTITIES)).await?;
    all_ready(client, "memory", ENTITIES, Instant::now(), LIMIT).await?;
    let (_, peak) = fleet::memory(operator.pid())?;
    ensure!(peak <= before + share, "{peak} MiB after the fleet was made, {before} MiB before; {share} are its share");
    operator.stop().await?;
    let again = HostOperator::start(&tier.cluster, &tier.kubeconfig(), &tier.log()).await?;
    let (_, peak) = fleet::memory(again.pid())?;
    ensure!(peak <= before + share, "{peak} MiB after a restart, {before} MiB before; {share} are the fleet's share");
    again.stop().await?;
    let names: Vec<String> = (0..ENTITIES).map(|number| format!("memory-{number}")).collect();
    let words = ["delete", "entities", "--wait=false"].into_iter().chain(names.iter().map(String::as_str));
    tier.cluster.kubectl.ok(&words.collect::<Vec<&str>>()).await.map(drop)
}
