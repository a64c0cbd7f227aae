//! What is asked of an instance.

use std::sync::Arc;

use serde_json::Value;

use super::{Place, Target};
use crate::api::{Exposure, HealthCheck};
use crate::cache::Live;
use crate::core::Hostname;
use crate::plan::Plan;

/// The page of an instance's health check: at the host name that its live Ingress has, whatever it is
/// to have; none while it has none. Asked at the ingress that the Platform names, else at the one that
/// the Ingress is served by, else wherever the host name leads.
pub fn target(plan: &Plan, health: &HealthCheck, objects: &[Arc<Live>]) -> Option<Target> {
    let ingresses = || objects.iter().filter(|object| object.kind == "Ingress");
    let hosts: Vec<&str> = ingresses().flat_map(|ingress| hosts(ingress)).collect();
    let url_host =
        if hosts.contains(&plan.hostname.as_str()) { plan.hostname.clone() } else { hosts.first()?.parse().ok()? };
    Some(Target {
        address: place(&plan.exposure, &url_host, objects),
        url_host,
        path: health.path.clone(),
        statuses: health.statuses.clone(),
        ca_bundle: plan.exposure.ca_bundle.clone(),
    })
}

/// Where a host name is asked: at the ingress that the Platform names, else at the one that an Ingress among these
/// objects is served by, else wherever the host name leads.
pub fn place(exposure: &Exposure, host: &Hostname, objects: &[Arc<Live>]) -> Place {
    let served = || objects.iter().filter(|object| object.kind == "Ingress").find_map(|ingress| address(ingress));
    let named = exposure.address.as_deref().map(Place::from);
    named.or_else(served).unwrap_or_else(|| Place::Name(host.to_string()))
}

fn hosts(ingress: &Live) -> impl Iterator<Item = &str> {
    let rules = ingress.value.pointer("/spec/rules").and_then(Value::as_array);
    rules.into_iter().flatten().filter_map(|rule| rule.get("host")?.as_str())
}

fn address(ingress: &Live) -> Option<Place> {
    let first = ingress.value.pointer("/status/loadBalancer/ingress/0")?;
    let address = first.get("ip").or_else(|| first.get("hostname"))?;
    address.as_str().map(Place::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resolve::fixtures::{facts, instance};
    use crate::resolve::resolve;

    fn asked(ingresses: &[&[&str]]) -> Option<(String, Place)> {
        let plan = resolve(&instance("tier: 1gb"), &facts()).unwrap().plan;
        let ingress = |hosts: &&[&str]| {
            let rules: Vec<Value> = hosts.iter().map(|host| json!({"host": host})).collect();
            let object = json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "coop"},
                "spec": {"rules": rules},
            });
            Arc::new(Live::of("Ingress", serde_json::from_value(object).unwrap()))
        };
        let objects: Vec<Arc<Live>> = ingresses.iter().map(ingress).collect();
        let target = target(&plan, &HealthCheck::default(), &objects)?;
        Some((target.url_host.to_string(), target.address))
    }

    #[test]
    fn a_service_is_asked_where_its_ingress_says_that_it_is_served() {
        let served = |by: Value| {
            let object = json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "coop"},
                "spec": {"rules": [{"host": "coop-calendar.example.org"}]},
                "status": {"loadBalancer": {"ingress": [by]}},
            });
            let plan = resolve(&instance("tier: 1gb"), &facts()).unwrap().plan;
            let ingress = Arc::new(Live::of("Ingress", serde_json::from_value(object).unwrap()));
            target(&plan, &HealthCheck::default(), &[ingress]).unwrap().address
        };
        assert_eq!(served(json!({"ip": "192.0.2.1"})), Place::from("192.0.2.1"));
        assert_eq!(served(json!({"hostname": "balancer.example.org"})), Place::from("balancer.example.org"));
    }

    #[test]
    fn a_host_name_that_no_ingress_has_is_not_asked() {
        let (wanted, old) = ("coop-calendar.example.org", "old.coop.cat");
        assert_eq!(asked(&[&[wanted]]).unwrap().0, wanted);
        assert_eq!(asked(&[&["a.coop.cat", wanted]]).unwrap().0, wanted);
        let before = asked(&[&[old]]).unwrap();
        assert_eq!(before, (old.to_owned(), Place::Name(old.to_owned())), "the write of the new one was refused");
        assert_eq!(asked(&[]), None, "it has no Ingress yet");
    }
}
