//! The objects that scenarios apply.

use serde_json::{Value, json};

/// `apiVersion` of the project's kinds.
pub const API_VERSION: &str = "commonscloud.coop/v1alpha1";
/// The Tariff that scenarios use unless they are about tariffs.
pub const TARIFF: &str = "e2e";

/// A cluster-scoped object of the project's API.
pub fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A namespaced object of the project's API.
pub fn namespaced(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"name": name, "namespace": namespace});
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec})
}

/// A Tariff with tiers of 1, 5 and 10 GiB, one of 50 GiB without a price, and blocks of 1 GiB.
pub fn tariff(name: &str) -> Value {
    object(
        "Tariff",
        name,
        json!({
            "currency": "EUR",
            "tiers": [
                {"name": "1gb", "storage": "1Gi", "price": "5.00"},
                {"name": "5gb", "storage": "5Gi", "price": "10.00"},
                {"name": "10gb", "storage": "10Gi", "price": "15.00"},
                {"name": "50gb", "storage": "50Gi"},
            ],
            "extraBlock": {"storage": "1Gi", "price": "5.00", "maximum": 20},
        }),
    )
}

/// An Entity with the given services.
pub fn entity(name: &str, services: Value) -> Value {
    object(
        "Entity",
        name,
        json!({"displayName": format!("Cooperativa {name}"), "tariff": TARIFF, "services": services}),
    )
}

/// An Entity with an office of 1 GiB.
pub fn entity_with_office(name: &str) -> Value {
    entity(name, json!({"office": {"tier": "1gb"}}))
}

/// An Entity with one service, called `site`, of 1 GiB made from a template.
pub fn entity_with(name: &str, template: &str) -> Value {
    entity(name, json!({"others": [{"name": "site", "template": template, "tier": "1gb"}]}))
}

/// What an identity provider gave for a service, as whoever runs the cluster makes it.
pub fn client_secret(namespace: &str, name: &str, service: &str) -> Value {
    let metadata = json!({"name": name, "namespace": namespace, "labels": {"commonscloud.coop/for": service}});
    let values = json!({"client-id": service, "client-secret": "secret"});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})
}

/// The Platform of simulated nodes.
pub fn simulated_platform(base_domain: &str) -> Value {
    object(
        "Platform",
        "default",
        json!({
            "baseDomain": base_domain,
            "exposure": {"ingressClass": "traefik"},
            "storageClasses": [{"name": "commonscloud-xfs", "overhead": {"bytes": 101_711_872}}],
        }),
    )
}
