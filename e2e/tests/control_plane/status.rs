//! What stops a service is named in its own status: object, reason, message.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity, entity_with};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template;
use k8s_openapi::api::core::v1::LimitRange;
use kube::api::{Api, PostParams};
use serde_json::json;

use crate::tier::ControlPlane;

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a pod that fits no node is named with the scheduler's reason", unschedulable),
        Scenario::new("a pod beyond the entity's quota is named with what was asked for", beyond_quota),
        Scenario::new("a pod that the API server refuses is named with its reason", refused_pod),
    ]
}

/// A copy of the Radicale package under another name.
fn copy(tier: &ControlPlane, name: &str) -> Outcome<ServiceTemplate> {
    let mut copy = template::load_directory(&tier.cluster.programs.source.join("examples/templates/radicale.yaml"))?;
    copy.metadata.name = Some(name.to_owned());
    Ok(copy)
}

/// Waits until service `site` says all the words in its condition Ready=False.
async fn says(tier: &ControlPlane, namespace: &str, words: &[&str]) -> Outcome {
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", namespace);
    eventually(&format!("the status says {words:?}"), Duration::from_secs(45), async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
        ensure!(ready["status"] == "False", "{}", conditions(&service));
        let text = ready.to_string();
        for word in words {
            ensure!(text.contains(word), "no {word:?} in {text}");
        }
        Ok(())
    })
    .await?;
    eventually("the entity's status says it too", Duration::from_secs(15), async || {
        let entity = serde_json::to_value(tier.entities().get(namespace).await?)?;
        let text = entity["status"].to_string();
        for word in words {
            ensure!(text.contains(word), "no {word:?} in {text}");
        }
        Ok(())
    })
    .await
}

/// An Event of the operator's says so too: a warning, with the time by which people sort.
async fn warns(tier: &ControlPlane, namespace: &str, reason: &str) -> Outcome {
    let selector = format!("--field-selector=type=Warning,reason={reason},reportingComponent=commonscloud-operator");
    // It is written after the status.
    eventually("an Event with a time says so too", Duration::from_secs(15), async || {
        let words = ["get", "events", "-n", namespace, &selector, "-o", "jsonpath={.items[*].lastTimestamp}"];
        let times = tier.cluster.kubectl.ok(&words).await?;
        ensure!(!times.is_empty(), "no Event {reason} with a lastTimestamp in {namespace}");
        Ok(())
    })
    .await
}

/// A copy of the package whose containers ask for these resources and no less.
async fn asking_for(tier: &ControlPlane, name: &str, resources: serde_json::Value) -> Outcome {
    let mut package = copy(tier, name)?;
    let mut requests = resources;
    requests["ephemeral-storage"] = json!("128Mi");
    let mut limits = requests.clone();
    // No package has a limit of it.
    limits.as_object_mut().and_then(|limits| limits.remove("cpu"));
    for component in &mut package.spec.components {
        component.resources = serde_json::from_value(json!({"requests": requests, "limits": limits}))?;
    }
    tier.cluster.applied(&[json!(package), entity_with(name, name)]).await
}

async fn unschedulable(tier: Arc<ControlPlane>) -> Outcome {
    let name = "unschedulable";
    // Of what no quota speaks, or the pod would not even be made.
    asking_for(&tier, name, json!({"cpu": "50m", "memory": "64Mi", "hugepages-1Gi": "900Gi"})).await?;
    says(&tier, name, &["site-", "Insufficient hugepages-1Gi"]).await?;
    warns(&tier, name, "Unschedulable").await
}

async fn beyond_quota(tier: Arc<ControlPlane>) -> Outcome {
    let name = "beyond-quota";
    asking_for(&tier, name, json!({"cpu": "5000", "memory": "64Mi"})).await?;
    says(&tier, name, &["QuotaExceeded", "exceeded quota", "requests.cpu=5k"]).await?;
    warns(&tier, name, "QuotaExceeded").await
}

async fn refused_pod(tier: Arc<ControlPlane>) -> Outcome {
    let name = "refused-pod";
    tier.running(&entity(name, json!({}))).await?;
    // An administrator's own limit, for containers that name none.
    let limit: LimitRange = serde_json::from_value(json!({
        "metadata": {"name": "small-cpus"},
        "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]},
    }))?;
    let limits: Api<LimitRange> = Api::namespaced(tier.cluster.client.clone(), name);
    limits.create(&PostParams::default(), &limit).await?;
    let mut beyond = copy(&tier, name)?;
    for component in &mut beyond.spec.components {
        component.resources = serde_json::from_value(json!({
            "requests": {"cpu": "5000", "memory": "64Mi", "ephemeral-storage": "128Mi"},
            "limits": {"memory": "64Mi", "ephemeral-storage": "128Mi"},
        }))?;
    }
    tier.cluster.applied(&[json!(beyond), entity_with(name, name)]).await?;
    says(&tier, name, &["Deployment site-app", "must be less than or equal to cpu limit"]).await
}
