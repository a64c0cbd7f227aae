//! kubectl does what people expect of it.

use std::sync::Arc;

use commonscloud_e2e::manifests::{entity, entity_with_office};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure};
use serde_json::json;

use crate::tier::ControlPlane;

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("kubectl explain reads like a manual", explain),
        Scenario::new("kubectl get answers the first question in its columns", columns),
        Scenario::new("kubectl wait ends when an entity and its office are ready", wait_for_ready),
    ]
}

async fn explain(tier: Arc<ControlPlane>) -> Outcome {
    let services = tier.cluster.kubectl.ok(&["explain", "entity.spec.services"]).await?;
    for words in ["office", "others", "DESCRIPTION", "Each becomes a Dedicated resource"] {
        ensure!(services.contains(words), "no {words:?} in:\n{services}");
    }
    for path in [
        "entity.spec",
        "entity.spec.services.office",
        "tariff.spec.tiers",
        "platform.spec",
        "servicetemplate.spec",
        "servicetemplate.spec.volumes.growth",
        "dedicatedoffice.spec",
        "dedicatedoffice.status",
        "servicedata.spec",
    ] {
        let text = tier.cluster.kubectl.ok(&["explain", path]).await?;
        ensure!(!text.contains("<no description>"), "a field without a description:\n{text}");
    }
    Ok(())
}

async fn columns(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&entity("columns", json!({"office": {"tier": "5gb"}}))).await?;
    let entities = tier.cluster.kubectl.ok(&["get", "entities", "columns"]).await?;
    for words in ["SERVICES", "STORAGE", "MONTH", "READY", "1/1", "5Gi", "10.00 EUR", "True"] {
        ensure!(entities.contains(words), "no {words:?} in:\n{entities}");
    }
    let offices = tier.cluster.kubectl.ok(&["get", "office", "-n", "columns"]).await?;
    for words in [
        "TIER",
        "QUOTA",
        "USED",
        "URL",
        "VERSION",
        "READY",
        "5gb",
        "5Gi",
        "https://columns-office.test-cp.commonscloud.test",
        "True",
    ] {
        ensure!(offices.contains(words), "no {words:?} in:\n{offices}");
    }
    let all = tier.cluster.kubectl.ok(&["get", "commonscloud", "-n", "columns"]).await?;
    ensure!(all.contains("dedicatedoffice") && all.contains("servicedata"), "the category lacks a kind:\n{all}");
    Ok(())
}

async fn wait_for_ready(tier: Arc<ControlPlane>) -> Outcome {
    tier.cluster.kubectl.applied(&[entity_with_office("waited-for")]).await?;
    let words = ["wait", "--for=condition=Ready", "entity/waited-for", "--timeout=60s"];
    let said = tier.cluster.kubectl.ok(&words).await?;
    ensure!(said.contains("condition met"), "{said}");
    let words = ["wait", "--for=condition=Ready", "dedicatedoffice/office", "-n", "waited-for", "--timeout=10s"];
    tier.cluster.kubectl.ok(&words).await.map(drop)
}
