//! An Entity that goes, with people in it: nothing hangs, and another one under its name inherits nobody.

use std::sync::Arc;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, gone};
use commonscloud_e2e::{Outcome, ensure};
use serde_json::json;

use super::{COLLECTIVE, SEEN, accepts, belongs, bound, collective, id_of, managed, patched, seen, signing_in, user};
use crate::tier::{ControlPlane, READY};

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new("an entity that goes takes its people along or keeps them for itself alone", goes).apart()]
}

const BERTA: &str = "bertaberta01";

async fn deleted(tier: &ControlPlane, name: &str) -> Outcome {
    tier.cluster.kubectl.ok(&["delete", "entity", name, "--wait=false"]).await?;
    gone(&tier.entities(), name, READY).await
}

async fn goes(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    signing_in(&tier, async || {
        without_data(&tier).await?;
        with_data(&tier).await
    })
    .await
}

/// Nothing of value is in its namespace: that goes, with somebody on the way out.
async fn without_data(tier: &ControlPlane) -> Outcome {
    let name = "people-go";
    let mut manifest = entity(name, json!({}));
    manifest["spec"]["managers"] = managed(name)["spec"]["managers"].clone();
    tier.running(&manifest).await?;
    collective(tier, name, "it is there", |_| true).await?;
    belongs(tier, name, BERTA, "berta").await?;
    let by = tier.cluster.user().await?;
    let removal = json!({"spec": {"members": {BERTA: {"removed": {"by": by}}}}});
    patched(tier, "Collective", name, COLLECTIVE, &removal).await?;
    deleted(tier, name).await?;
    eventually("the namespace goes", READY, async || {
        tier.cluster.kubectl.run(&["get", "namespace", name], None).await?.refused("the namespace").map(drop)
    })
    .await
}

/// Data is kept, and its people with it: without any right until the same Entity is back.
async fn with_data(tier: &ControlPlane) -> Outcome {
    let name = "people-kept";
    tier.running(&managed(name)).await?;
    let seeded = collective(tier, name, "it is there", |_| true).await?;
    accepts(tier, name, &id_of(&seeded, "anna")?, "anna").await?;
    deleted(tier, name).await?;
    rights(tier, name, false).await?;
    let mut another = managed(name);
    another["spec"]["displayName"] = json!("Another under the same name");
    another["spec"]["services"] = json!({});
    tier.running(&another).await?;
    eventually("another entity inherits nobody", SEEN, async || {
        let collective = seen(tier, "Collective", name, COLLECTIVE).await?;
        let ready = condition(&collective, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == "DataOfAnother", "{}", conditions(&collective));
        Ok(())
    })
    .await?;
    rights(tier, name, false).await?;
    deleted(tier, name).await?;
    tier.running(&managed(name)).await?;
    collective(tier, name, "its people are back", |seen| seen["status"]["members"] == 1).await?;
    rights(tier, name, true).await
}

/// Whether anna has her rights.
async fn rights(tier: &ControlPlane, name: &str, expected: bool) -> Outcome {
    eventually(&format!("anna has rights in {name}: {expected}"), SEEN, async || {
        let bound = bound(tier, name, &user("anna")).await?;
        ensure!(bound.is_empty() != expected, "{bound:?}");
        Ok(())
    })
    .await
}
