//! The finalizer of an Entity and of its services: without it nobody records until when data is kept.

use std::sync::Arc;

use commonscloud_e2e::manifests::{entity, entity_with_office, namespaced};
use commonscloud_e2e::wait::{eventually, gone, ready};
use commonscloud_e2e::{Outcome, ensure, resources};
use commonscloud_operator::api::marks;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::json;

use super::REPAIR;
use crate::tier::{ControlPlane, READY};

pub async fn put_back(tier: Arc<ControlPlane>) -> Outcome {
    let name = "drift-finalizers";
    let client = &tier.cluster.client;
    tier.running(&entity_with_office(name)).await?;
    // One that changes nothing of its own while it is paused, and one that was refused meanwhile.
    let by_hand =
        |name_of: &str| namespaced("DedicatedService", name, name_of, json!({"template": "radicale", "tier": "1gb"}));
    let services = resources::ours_in(client, "DedicatedService", name);
    for service in ["paused", "refused"] {
        tier.cluster.applied(&[by_hand(service)]).await?;
        ready(&services, service, READY).await?;
    }
    let change = async |service: &str, spec: serde_json::Value| {
        services.patch(service, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await
    };
    change("paused", json!({"paused": true})).await?;
    change("refused", json!({"parameters": {"relm": "x"}})).await?;

    let offices = resources::ours_in(client, "DedicatedOffice", name);
    let entities = tier.entities();
    for (api, resource) in [(&entities, name), (&offices, "office"), (&services, "paused"), (&services, "refused")] {
        let without = json!({"metadata": {"finalizers": null}});
        api.patch(resource, &PatchParams::default(), &Patch::Merge(without)).await?;
        has_finalizer(api, resource).await?;
    }
    tier.cluster.applied(&[entity(name, json!({}))]).await?;
    gone(&offices, "office", REPAIR).await?;
    services.delete("refused", &DeleteParams::default()).await?;
    gone(&services, "refused", REPAIR).await?;
    let records = resources::ours_in(client, "ServiceData", name);
    for service in ["office", "refused"] {
        let record = serde_json::to_value(records.get(service).await?)?;
        ensure!(record["spec"]["keepUntil"].is_string(), "{service}: the record says no date: {record}");
    }
    Ok(())
}

async fn has_finalizer(api: &Api<DynamicObject>, name: &str) -> Outcome {
    eventually(&format!("the finalizer of {name} is put back"), REPAIR, async || {
        let finalizers = api.get(name).await?.metadata.finalizers.unwrap_or_default();
        ensure!(finalizers.iter().any(|finalizer| finalizer == marks::FINALIZER), "{finalizers:?}");
        Ok(())
    })
    .await
}
