//! One file with Platform, Tariff, ServiceTemplate and Entity works in any order.
//!
//! There is only one Platform, so the 24 orders run one after another: each begins without a
//! Platform, and its Tariff, ServiceTemplate and Entity have names of their own. All of that on a
//! cluster where nobody else needs the Platform meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity_with, tariff};
use commonscloud_e2e::objects::{Kinds, comparable, differences};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{gone, ready};
use commonscloud_e2e::{Outcome, ensure, resources};
use commonscloud_operator::template;
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY, platform};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("one file with platform, tariff, template and entity works in all 24 orders", all_orders).apart(),
    ]
}

/// All orders of the numbers below `count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(count - 1);
    let insert = |order: Vec<usize>| {
        (0..count).map(move |place| {
            let mut longer = order.clone();
            longer.insert(place, count - 1);
            longer
        })
    };
    shorter.into_iter().flat_map(insert).collect()
}

async fn all_orders(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let mut first: Option<BTreeMap<String, Value>> = None;
    let orders = orders(4);
    ensure!(orders.len() == 24, "{} orders", orders.len());
    let mut ended = Ok(());
    for (number, order) in orders.iter().enumerate() {
        let seen = one_order(&tier, &kinds, number, order).await;
        ended = seen.and_then(|seen| {
            let expected = first.get_or_insert_with(|| seen.clone());
            let lines = differences(expected, &seen);
            ensure!(lines.is_empty(), "{}", lines.join("\n"));
            Ok(())
        });
        if let Err(failure) = ended {
            ended = Err(failure.during(&format!("order {order:?} of platform, tariff, template, entity")));
            break;
        }
    }
    // Other scenarios need the Platform, whatever happened.
    tier.cluster.kubectl.applied(&[platform()]).await?;
    ended
}

async fn one_order(
    tier: &ControlPlane,
    kinds: &Kinds,
    number: usize,
    order: &[usize],
) -> Outcome<BTreeMap<String, Value>> {
    let name = format!("order-{number:02}");
    tier.cluster.kubectl.ok(&["delete", "platform", "default", "--ignore-not-found"]).await?;
    gone(&resources::ours(&tier.cluster.client, "Platform"), "default", Duration::from_secs(20)).await?;
    let mut package = template::load_directory(&tier.cluster.programs.source.join("examples/templates/radicale.yaml"))?;
    package.metadata.name = Some(name.clone());
    let mut entity = entity_with(&name, &name);
    entity["spec"]["tariff"] = json!(name);
    let objects = [platform(), tariff(&name), json!(package), entity];
    let file: Vec<Value> = order.iter().map(|index| objects[*index].clone()).collect();
    tier.cluster.kubectl.applied(&file).await?;
    ready(&tier.entities(), &name, READY).await?;
    let seen = comparable(&kinds.all(&tier.cluster.client, &name).await?, &name)?;
    tier.cluster.kubectl.ok(&["delete", "entity", &name, "--timeout=60s"]).await?;
    Ok(seen)
}
