//! A volume that does not grow says so before it is full, and is silent once there is room again.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::broken::Trial;
use crate::package::office_copy;
use crate::tier::Node;

/// The kubelet measures every 10 s, the operator asks every 30 s.
const TOLD: Duration = Duration::from_mins(3);

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("a volume that does not grow says so before it is full", is_told)]
}

async fn is_told(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "narrow")?;
    package.spec.volumes.iter_mut().for_each(|volume| volume.growth = None);
    let trial = Trial::begin_with(&node, &package, &json!({})).await?;
    trial.becomes_ready().await?;
    let name = trial.name();
    let pod = node.pod(name, "site", "app").await?;
    let run = async |script: &str| {
        let words = ["/bin/sh", "-c", script];
        node.cluster.kubectl.exec(name, &pod, "nextcloud", &words).await?.succeeded(script)
    };
    ensure!(filling(&node, name).await?.is_none(), "a volume with room is said to fill up");
    let said = run("df -B1 --output=size,avail /var/www/html | tail -n 1").await?;
    let mut numbers = said.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
    let (Some(size), Some(free)) = (numbers.next(), numbers.next()) else {
        return Err(Failure::new(format!("df said {said}")));
    };
    run(&format!("fallocate -l {} /var/www/html/fill", free - size * 15 / 100)).await?;
    eventually("the office says that its volume does not grow", TOLD, async || {
        let told = filling(&node, name).await?.ok_or_else(|| Failure::new("no condition VolumeFilling"))?;
        ensure_eq!(told["reason"], "VolumeNearlyFull", "{told}");
        let message = told["message"].as_str().unwrap_or_default();
        ensure!(message.contains("site-app is nearly full") && message.contains("does not grow"), "{message}");
        Ok(())
    })
    .await?;
    // It is written after the status.
    eventually("an Event says so too", TOLD, async || {
        let selector = "--field-selector=reason=VolumeNearlyFull";
        let words = ["get", "events", "-n", name, selector, "-o", "jsonpath={.items[*].type}"];
        ensure_eq!(node.cluster.kubectl.ok(&words).await?, "Warning", "Events of the volume");
        Ok(())
    })
    .await?;
    run("rm /var/www/html/fill").await?;
    eventually("the office says nothing once there is room", TOLD, async || {
        let told = filling(&node, name).await?;
        ensure!(told.is_none(), "{told:?}");
        Ok(())
    })
    .await?;
    trial.end().await
}

/// Condition `VolumeFilling` of the office, which is Ready all the time.
async fn filling(node: &Node, entity: &str) -> Outcome<Option<Value>> {
    let services = resources::ours_in(&node.cluster.client, "DedicatedService", entity);
    let office = serde_json::to_value(services.get("site").await?)?;
    is_ready(&office)?;
    Ok(condition(&office, "VolumeFilling").cloned())
}
