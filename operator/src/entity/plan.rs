//! What an Entity gets, decided, and the objects of it.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde_json::Value;

use super::{
    Needs, People, ServiceAccount, dedicated, manager_bindings, namespace, namespace_objects, operator_binding,
    resource_quota, rights,
};
use crate::api::{Entity, Manager};
use crate::template::RenderedObject;

/// What an Entity gets: the only thing that its objects are rendered from.
#[derive(Clone, Debug)]
pub struct EntityPlan<'a> {
    /// The Entity.
    pub entity: &'a Entity,
    /// Who the operator is: it gets its rights in the namespace.
    pub account: &'a ServiceAccount,
    /// The managers of each service that stays, by its name.
    pub managers: Vec<(&'a str, &'a [Manager])>,
    /// Who belongs and who manages; none where the Platform has nobody sign in.
    pub people: Option<&'a People>,
    /// What the volumes of the namespace need.
    pub needs: Needs,
    /// The containers of its packages that list a reason why they keep to *baseline* only, as admission reads
    /// them.
    pub baseline: String,
    /// How many instances there are, or are about to be.
    pub instances: u64,
    /// Who brings an ACME server's questions to cert-manager's solvers, where it is asked for certificates.
    pub challengers: &'a [NetworkPolicyPeer],
}

/// The objects of an Entity.
#[derive(Clone, Debug)]
pub struct RenderedEntity {
    /// Its namespace, which nobody owns.
    pub namespace: Value,
    /// What is in it, in the order in which it is applied.
    pub objects: Vec<RenderedObject>,
}

/// The objects of a plan.
pub fn render(plan: &EntityPlan<'_>) -> RenderedEntity {
    let entity = plan.entity;
    let mut objects = vec![operator_binding(entity, plan.account)];
    objects.extend(namespace_objects(entity, plan.challengers));
    objects.push(resource_quota(entity, &plan.needs, plan.instances));
    objects.extend(bindings(entity, &plan.managers, plan.people));
    objects.extend(dedicated(entity));
    RenderedEntity { namespace: namespace(entity, &plan.baseline), objects }
}

/// All that gives people rights in the namespace. `services`: the managers of each service that stays.
pub fn bindings(entity: &Entity, services: &[(&str, &[Manager])], people: Option<&People>) -> Vec<RenderedObject> {
    let given = people.map(|people| rights(entity, people, services)).unwrap_or_default();
    given.into_iter().chain(manager_bindings(entity, services.iter().copied(), people)).collect()
}
