//! What may not change once it is there, the removal of a field included.

use std::sync::Arc;

use commonscloud_e2e::manifests::{entity, namespaced, tariff};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure};
use serde_json::json;

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a tariff's tiers and block can be added to, never changed or removed", tariffs_only_grow),
        Scenario::new("a service's template cannot be changed", template_stays),
        Scenario::new("a template revision cannot be changed", revision_stays),
    ]
}

async fn patch_refused(tier: &ControlPlane, words: [&str; 3], patch: &str, says: &str) -> Outcome {
    let [kind, name, patch_type] = words;
    let words = ["patch", kind, name, "--type", patch_type, "-p", patch];
    let finished = tier.cluster.kubectl.run(&words, None).await?;
    let message = finished.refused(&words.join(" "))?;
    ensure!(message.contains(says), "{patch}: no {says:?} in {message}");
    Ok(())
}

async fn tariffs_only_grow(tier: Arc<ControlPlane>) -> Outcome {
    let name = "only-grows";
    tier.cluster.kubectl.applied(&[tariff(name)]).await?;
    let json = ["tariff", name, "json"];
    for (patch, says) in [
        (r#"[{"op":"replace","path":"/spec/tiers/0/price","value":"6.00"}]"#, "a tier cannot be changed"),
        (r#"[{"op":"remove","path":"/spec/tiers/0/price"}]"#, "a tier cannot be changed"),
        (r#"[{"op":"add","path":"/spec/tiers/3/price","value":"0.00"}]"#, "a tier cannot be changed"),
        (r#"[{"op":"replace","path":"/spec/tiers/0/storage","value":"2Gi"}]"#, "a tier cannot be changed"),
        (r#"[{"op":"remove","path":"/spec/tiers/1"}]"#, "a tier cannot be removed"),
        (r#"[{"op":"replace","path":"/spec/currency","value":"USD"}]"#, "currency: cannot be changed"),
        (r#"[{"op":"replace","path":"/spec/extraBlock/price","value":"1.00"}]"#, "extraBlock: cannot be changed"),
        (r#"[{"op":"remove","path":"/spec/extraBlock/price"}]"#, "extraBlock: cannot be changed"),
        (r#"[{"op":"remove","path":"/spec/extraBlock"}]"#, "extraBlock: cannot be removed"),
    ] {
        patch_refused(&tier, json, patch, says).await?;
    }
    let added = r#"[{"op":"add","path":"/spec/tiers/-","value":{"name":"100gb","storage":"100Gi"}}]"#;
    tier.cluster.kubectl.ok(&["patch", "tariff", name, "--type", "json", "-p", added]).await.map(drop)
}

async fn template_stays(tier: Arc<ControlPlane>) -> Outcome {
    let name = "fixed-template";
    tier.running(&entity(name, json!({}))).await?;
    let service = namespaced("DedicatedService", name, "site", json!({"template": "radicale", "tier": "1gb"}));
    tier.cluster.kubectl.applied(&[service]).await?;
    let words =
        ["patch", "-n", name, "dedicatedservice", "site", "--type", "merge", "-p", r#"{"spec":{"template":"office"}}"#];
    let message = tier.cluster.kubectl.run(&words, None).await?.refused("another template")?;
    ensure!(message.contains("template: cannot be changed"), "{message}");
    Ok(())
}

async fn revision_stays(tier: Arc<ControlPlane>) -> Outcome {
    let name = eventually("a built-in template is registered", READY, async || {
        let revisions = tier.cluster.kubectl.ok(&["get", "servicetemplaterevisions", "-o", "name"]).await?;
        let first = revisions.lines().next().unwrap_or_default();
        let name = first.rsplit('/').next().unwrap_or_default().to_owned();
        ensure!(!name.is_empty(), "there is no revision");
        Ok(name)
    })
    .await?;
    let patch = r#"{"spec":{"template":"other"}}"#;
    patch_refused(&tier, ["servicetemplaterevision", &name, "merge"], patch, "a revision cannot be changed").await
}
