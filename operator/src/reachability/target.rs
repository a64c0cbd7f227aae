//! What is asked of an instance.

use std::sync::Arc;

use super::{Place, Target};
use crate::api::HealthCheck;
use crate::cache::Live;
use crate::plan::Plan;

/// The page of an instance's health check: at the ingress that the Platform names, else at the one
/// that the Ingress among `objects` is served by, else wherever the host name leads.
pub fn target(plan: &Plan, health: &HealthCheck, objects: &[Arc<Live>]) -> Target {
    let mut ingresses = objects.iter().filter(|object| object.kind == "Ingress");
    let served = move || ingresses.find_map(|ingress| address(ingress));
    let address = plan.exposure.address.as_deref().map(Place::from).or_else(served);
    Target {
        url_host: plan.hostname.clone(),
        address: address.unwrap_or_else(|| Place::Name(plan.hostname.to_string())),
        path: health.path.clone(),
        statuses: health.statuses.clone(),
        ca_bundle: plan.exposure.ca_bundle.clone(),
    }
}

fn address(ingress: &Live) -> Option<Place> {
    let first = ingress.value.pointer("/status/loadBalancer/ingress/0")?;
    let address = first.get("ip").or_else(|| first.get("hostname"))?;
    address.as_str().map(Place::from)
}
