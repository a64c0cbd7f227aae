//! An Entity's namespace, and what is in it whatever its services are.

use serde_json::{Value, json};

use super::{labels, name, object};
use crate::api::{Entity, SubjectKind, marks};
use crate::gather::OPERATOR_BINDING;
use crate::template::RenderedObject;

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// The service account that the operator runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The namespace: called like its Entity, and nobody's property, since data lives in it.
pub fn namespace(entity: &Entity) -> Value {
    let mut labels = labels(entity);
    for (key, value) in [
        ("pod-security.kubernetes.io/enforce", "baseline"),
        ("pod-security.kubernetes.io/warn", "restricted"),
        ("pod-security.kubernetes.io/audit", "restricted"),
        // Admission checks the tiers of hand-written Dedicated resources by it.
        (marks::TARIFF, entity.spec.tariff.as_str()),
    ] {
        labels.insert(key.to_owned(), Value::from(value));
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name(entity), "labels": labels}})
}

/// The operator's own rights in the namespace. Not owned: kept data must still be reached.
pub fn operator_binding(entity: &Entity, account: &ServiceAccount) -> RenderedObject {
    object(
        entity,
        "RoleBinding",
        RBAC,
        OPERATOR_BINDING,
        false,
        json!({
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "commonscloud-tenant"},
            "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
        }),
    )
}

/// What the Entity's managers may look at, if any of them is known to the cluster.
pub fn manager_binding(entity: &Entity) -> Option<RenderedObject> {
    let subjects: Vec<Value> = entity
        .spec
        .managers
        .iter()
        .filter_map(|manager| manager.subject.as_ref())
        .map(|subject| {
            let kind = match subject.kind {
                SubjectKind::User => "User",
                SubjectKind::Group => "Group",
            };
            json!({"apiGroup": RBAC_GROUP, "kind": kind, "name": subject.name})
        })
        .filter(|subject| !subject["name"].as_str().is_some_and(|name| name.starts_with("system:")))
        .collect();
    (!subjects.is_empty()).then(|| {
        object(
            entity,
            "RoleBinding",
            RBAC,
            "commonscloud-manager",
            true,
            json!({
                "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": "commonscloud-manager"},
                "subjects": subjects,
            }),
        )
    })
}

/// Closed networks and default limits.
pub fn namespace_objects(entity: &Entity) -> Vec<RenderedObject> {
    let policy = object(
        entity,
        "NetworkPolicy",
        "networking.k8s.io/v1",
        "default-deny",
        true,
        json!({
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []},
        }),
    );
    let limits = object(
        entity,
        "LimitRange",
        "v1",
        "defaults",
        true,
        json!({
            "spec": {"limits": [{
                "type": "Container",
                "default": {"cpu": "1", "memory": "512Mi"},
                "defaultRequest": {"cpu": "50m", "memory": "128Mi"},
            }]},
        }),
    );
    vec![policy, limits]
}
