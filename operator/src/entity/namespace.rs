//! An Entity's namespace, and what is in it whatever its services are.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde_json::{Value, json};

use super::people::People;
use super::{labels, name, object};
use crate::api::{Entity, Manager, SubjectKind, marks};
use crate::rbac::{ENTITY_MANAGER, MANAGER, TENANT};
use crate::template::RenderedObject;

/// The RoleBinding that gives the operator its rights in an Entity's namespace.
pub const OPERATOR_BINDING: &str = "commonscloud-operator";
/// The policy that lets the ingress reach cert-manager's solvers.
const SOLVER_POLICY: &str = "acme-http01-solver";
/// The label of the pods by which cert-manager answers an ACME server, and where they listen.
const SOLVER: (&str, u16) = ("acme.cert-manager.io/http01-solver", 8089);
pub(super) const RBAC: &str = "rbac.authorization.k8s.io/v1";
pub(super) const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// The service account that the operator runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The namespace: called like its Entity, and nobody's property, since data lives in it. `baseline`: the
/// containers that may keep to less than *restricted*; admission judges a namespace that has the list.
pub fn namespace(entity: &Entity, baseline: &str) -> Value {
    let mut labels = labels(entity);
    for (key, value) in [
        // The floor of every container; the policy commonscloud-restricted judges each by itself.
        ("pod-security.kubernetes.io/enforce", "baseline"),
        // Said, so that an older version, which forbids less, is seen.
        ("pod-security.kubernetes.io/enforce-version", "latest"),
        ("pod-security.kubernetes.io/warn", "restricted"),
        ("pod-security.kubernetes.io/audit", "restricted"),
        // Admission checks the tiers of hand-written Dedicated resources by it.
        (marks::TARIFF, entity.spec.tariff.as_str()),
    ] {
        labels.insert(key.to_owned(), Value::from(value));
    }
    let annotations = json!({marks::DISPLAY_NAME: entity.spec.display_name, marks::BASELINE: baseline});
    let metadata = json!({"name": name(entity), "labels": labels, "annotations": annotations});
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
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
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": TENANT},
            "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
        }),
    )
}

/// What managers may look at: one binding for the Entity's, one for each service's, where any of
/// them is known to the cluster. Each is to the same role, which reads the whole namespace: Events
/// and lists cannot be limited to one service, and there is nothing but states to be read. The Entity's own
/// may ask for backups and restores besides: a restore overwrites what all of the Entity have written.
/// `people`: who manages by the Collective and each Access, where the Platform has people sign in.
pub fn manager_bindings<'a>(
    entity: &Entity,
    services: impl Iterator<Item = (&'a str, &'a [Manager])>,
    people: Option<&People>,
) -> Vec<RenderedObject> {
    let own = || subjects(&entity.spec.managers, people.into_iter().flat_map(|people| &people.managers));
    let services = services.map(|(service, managers)| {
        let users = people.into_iter().flat_map(|people| people.managers_of(service));
        (format!("{MANAGER}-{service}"), MANAGER, subjects(managers, users))
    });
    [(MANAGER.to_owned(), MANAGER, own()), (ENTITY_MANAGER.to_owned(), ENTITY_MANAGER, own())]
        .into_iter()
        .chain(services)
        .filter_map(|(name, role, subjects)| manager_binding(entity, &name, role, subjects))
        .collect()
}

/// The subjects that managers name, then the users that are none of them, each once.
pub(super) fn subjects<'a>(managers: &[Manager], users: impl IntoIterator<Item = &'a String>) -> Vec<Value> {
    let mut subjects: Vec<Value> = managers
        .iter()
        .filter_map(|manager| manager.subject.as_ref())
        // Admission refuses these; it can be absent.
        .filter(|subject| !subject.name.starts_with("system:"))
        .map(|subject| {
            let kind = match subject.kind {
                SubjectKind::User => "User",
                SubjectKind::Group => "Group",
            };
            json!({"apiGroup": RBAC_GROUP, "kind": kind, "name": subject.name})
        })
        .collect();
    let users: BTreeSet<&String> = users.into_iter().collect();
    let users = users.into_iter().map(|user| json!({"apiGroup": RBAC_GROUP, "kind": "User", "name": user}));
    // Of a thousand members each is another one: only those who are named are looked through.
    let others: Vec<Value> = users.filter(|user| !subjects.contains(user)).collect();
    subjects.extend(others);
    subjects
}

fn manager_binding(entity: &Entity, binding: &str, role: &str, subjects: Vec<Value>) -> Option<RenderedObject> {
    (!subjects.is_empty()).then(|| {
        object(
            entity,
            "RoleBinding",
            RBAC,
            binding,
            true,
            json!({
                "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role},
                "subjects": subjects,
            }),
        )
    })
}

/// Closed networks and default limits. `challengers`: who brings an ACME server's questions to
/// cert-manager's solvers; where nobody does, they stay closed.
pub fn namespace_objects(entity: &Entity, challengers: &[NetworkPolicyPeer]) -> Vec<RenderedObject> {
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
                // No limit of CPU: what is idle is anybody's, and requests share what is not.
                "default": {"memory": "512Mi"},
                // Of scratch space neither: a default would count against the temporary folders of the whole pod.
                "defaultRequest": {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
            }]},
        }),
    );
    std::iter::once(policy).chain(solver_policy(entity, challengers)).chain([limits]).collect()
}

/// cert-manager runs its solvers in the namespace of the Ingress that asks for a certificate.
fn solver_policy(entity: &Entity, challengers: &[NetworkPolicyPeer]) -> Option<RenderedObject> {
    let (label, port) = SOLVER;
    (!challengers.is_empty()).then(|| {
        object(
            entity,
            "NetworkPolicy",
            "networking.k8s.io/v1",
            SOLVER_POLICY,
            true,
            json!({
                "spec": {
                    "podSelector": {"matchLabels": {label: "true"}},
                    "policyTypes": ["Ingress"],
                    "ingress": [{"from": challengers, "ports": [{"port": port, "protocol": "TCP"}]}],
                },
            }),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn managers(subjects: &[(&str, &str)]) -> Vec<Manager> {
        let one = |(kind, name): &(&str, &str)| json!({"name": "m", "subject": {"kind": kind, "name": name}});
        serde_json::from_value(subjects.iter().map(one).collect()).unwrap()
    }

    #[test]
    fn a_container_that_names_no_limit_of_cpu_gets_none() {
        let spec = serde_json::from_value(json!({"displayName": "A", "tariff": "t"})).unwrap();
        let objects = namespace_objects(&Entity::new("a", spec), &[]);
        let limits = objects.iter().find(|object| object.kind == "LimitRange").unwrap();
        let container = &limits.value["spec"]["limits"][0];
        assert_eq!(container["default"], json!({"memory": "512Mi"}));
        assert_eq!(
            container["defaultRequest"],
            json!({"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"}),
            "a quota that names scratch space refuses a pod that does not"
        );
        assert!(container.get("max").is_none());
    }

    #[test]
    fn managers_look_by_who_made_them_so_and_only_the_entitys_ask_for_backups() {
        let spec = serde_json::from_value(json!({"displayName": "A", "tariff": "t"})).unwrap();
        let mut entity = Entity::new("a", spec);
        entity.spec.managers = managers(&[("User", "anna"), ("User", "system:masters")]);
        let office = managers(&[("Group", "secretaria")]);
        let services = || [("office", office.as_slice()), ("agora", &[])].into_iter();
        let bindings = manager_bindings(&entity, services(), None);
        let shown: Vec<_> = bindings
            .iter()
            .map(|binding| {
                let subjects = binding.value["subjects"].as_array().unwrap();
                let names: Vec<_> = subjects.iter().map(|subject| subject["name"].as_str().unwrap()).collect();
                (binding.name.as_str(), binding.value["roleRef"]["name"].as_str().unwrap(), names)
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("commonscloud-manager", "commonscloud-manager", vec!["anna"]),
                ("commonscloud-entity-manager", "commonscloud-entity-manager", vec!["anna"]),
                ("commonscloud-manager-office", "commonscloud-manager", vec!["secretaria"]),
            ]
        );
    }

    #[test]
    fn managers_who_accepted_look_like_those_that_the_entity_names() {
        let spec = serde_json::from_value(json!({"displayName": "A", "tariff": "t"})).unwrap();
        let mut entity = Entity::new("a", spec);
        entity.spec.managers = managers(&[("User", "anna")]);
        let bernd = || ["person:bernd".to_owned()].into();
        let people = People {
            managers: ["anna".to_owned(), "person:carla".to_owned()].into(),
            members: bernd(),
            accesses: [("office".to_owned(), bernd())].into(),
        };
        let nobody: &[Manager] = &[];
        let services = [("office", nobody), ("agora", nobody)].into_iter();
        let bindings = manager_bindings(&entity, services, Some(&people));
        let users = |name: &str| -> Vec<&str> {
            let binding = bindings.iter().find(|binding| binding.name == name).unwrap();
            let subjects = binding.value["subjects"].as_array().unwrap().iter();
            subjects.map(|subject| subject["name"].as_str().unwrap()).collect()
        };
        assert_eq!(users("commonscloud-manager"), ["anna", "person:carla"], "each once");
        assert_eq!(users("commonscloud-entity-manager"), ["anna", "person:carla"]);
        assert_eq!(users("commonscloud-manager-office"), ["person:bernd"]);
        assert_eq!(bindings.len(), 3, "nobody manages the agora");
    }
}
