//! Decides what an Entity gets, or why it gets nothing yet. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::ResourceExt as _;

use super::facts::Facts;
use super::{Instance, Resolved, resolve};
use crate::api::{Entity, Platform, Reason, marks};
use crate::cache::Live;
use crate::core::{Bytes, is_entity_name};
use crate::entity::{EntityPlan, Needs, People, ServiceAccount};
use crate::plan::PlannedVolume;

/// What is known around one Entity.
#[derive(Clone, Debug, Default)]
pub struct EntityFacts {
    /// The namespace that is called like it.
    pub namespace: Option<Live>,
    /// The instances in it, and those that are about to be made, each with what is known around it.
    pub instances: Vec<(Instance, Facts)>,
    /// The claims in it, and what each requests.
    pub claims: Vec<(String, Bytes)>,
    /// The storage that its quota gives now.
    pub granted: Bytes,
    /// The Platform `default`.
    pub platform: Option<Arc<Platform>>,
    /// Who belongs and who manages; none where nobody signs in, or the Collective is another Entity's.
    pub people: Option<People>,
}

/// Why an Entity has no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntityRefusal {
    /// The name belongs to the cluster.
    #[error(
        "metadata.name: {0} is reserved for the cluster itself or is not a valid name; choose another, it also becomes the namespace"
    )]
    NameInvalid(String),
    /// The namespace is somebody else's.
    #[error(
        "namespace {0} exists and is not this Entity's; remove it, choose another name, or let an administrator label it commonscloud.coop/entity={0}"
    )]
    NamespaceForeign(String),
    /// The namespace is on its way out.
    #[error("namespace {0} is being deleted; waiting until it is gone")]
    NamespaceTerminating(String),
}

impl EntityRefusal {
    /// The condition's reason.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NameInvalid(_) => Reason::NameInvalid,
            Self::NamespaceForeign(_) => Reason::NamespaceForeign,
            Self::NamespaceTerminating(_) => Reason::NamespaceTerminating,
        }
    }

    /// Whether it may pass by itself; otherwise somebody must change something.
    pub const fn waits(&self) -> bool {
        matches!(self, Self::NamespaceTerminating(_))
    }
}

/// Decides what an Entity gets.
///
/// # Errors
/// Why there is no plan.
pub fn resolve_entity<'a>(
    entity: &'a Entity,
    facts: &'a EntityFacts,
    account: &'a ServiceAccount,
) -> Result<EntityPlan<'a>, EntityRefusal> {
    let name = entity.name_any();
    if !is_entity_name(&name) {
        return Err(EntityRefusal::NameInvalid(name));
    }
    if let Some(namespace) = &facts.namespace {
        if namespace.metadata.deletion_timestamp.is_some() {
            return Err(EntityRefusal::NamespaceTerminating(name));
        }
        if namespace.label(marks::ENTITY) != name {
            return Err(EntityRefusal::NamespaceForeign(name));
        }
    }
    let stay = facts.instances.iter().map(|(instance, _)| instance).filter(|instance| !instance.is_being_deleted());
    Ok(EntityPlan {
        entity,
        account,
        managers: stay.map(|instance| (instance.reference.name.as_str(), instance.spec.managers.as_slice())).collect(),
        people: facts.people.as_ref(),
        needs: needs(facts),
        baseline: baseline(facts),
        instances: facts.instances.len() as u64,
        challengers: facts.platform.as_deref().map(challengers).unwrap_or_default(),
    })
}

/// The ingress, where certificates come from an issuer: what an ACME server asks by HTTP comes through it.
fn challengers(platform: &Platform) -> &[NetworkPolicyPeer] {
    let asks = platform.spec.exposure.tls.as_ref().is_some_and(|tls| tls.cluster_issuer.is_some());
    if asks { platform.spec.network.ingress.as_slice() } else { &[] }
}

/// Each as `WORKLOAD/CONTAINER`. Of every revision that an instance runs, ran or may come to run: a pod of
/// either may have to start again.
fn baseline(facts: &EntityFacts) -> String {
    let mut containers = BTreeSet::new();
    for (instance, facts_of_it) in &facts.instances {
        let name = &instance.reference.name;
        let packages = facts_of_it.packages.values().filter_map(|package| package.as_ref().ok());
        let listed = packages.flat_map(|package| &package.spec().pod_security_exceptions);
        containers.extend(listed.map(|exception| format!("{name}-{}", exception.container)));
    }
    containers.into_iter().collect::<Vec<_>>().join(" ")
}

/// What the volumes of the namespace need: those that exist, and those of each service's plan.
fn needs(facts: &EntityFacts) -> Needs {
    let mut needs = Needs::default();
    for (claim, requested) in &facts.claims {
        needs.claim(claim, *requested);
    }
    // Room for all that a volume may grow to: it grows on its own, in the middle of the night.
    let most = |volume: &PlannedVolume| volume.growth.map_or(volume.request, |growth| growth.maximum);
    for (instance, facts_of_it) in &facts.instances {
        match resolve(instance, facts_of_it) {
            Ok(resolved) => {
                resolved.plan.volumes.iter().for_each(|v| needs.claim(&v.claim, most(v)));
                beside(facts, &resolved).for_each(|(claim, request)| needs.claim(&claim, request));
            }
            // Without a Platform, say, what may grow keeps the room that it was given.
            Err(_) => needs.keep(facts.granted),
        }
    }
    needs
}

/// The claims that an unfinished restore makes beside those that there are, from before it begins: without room
/// nothing does. Each requests what its volume is to have, or what the one has grown to whose place it takes.
fn beside(facts: &EntityFacts, resolved: &Resolved) -> impl Iterator<Item = (String, Bytes)> {
    let made = resolved.restore.iter().flat_map(|restore| &restore.claims);
    made.filter_map(move |(name, claim)| {
        let volume = resolved.plan.volumes.iter().find(|volume| volume.name == *name)?;
        let there = facts.claims.iter().find(|(there, _)| *there == volume.claim).map(|(_, requested)| *requested);
        Some((claim.clone(), there.map_or(volume.request, |there| there.max(volume.request))))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{PodSecurityException, RestorePhase};
    use crate::resolve::UnfinishedRestore;
    use crate::resolve::fixtures;
    use crate::template::Package;

    fn refusal(namespace: serde_json::Value) -> Option<EntityRefusal> {
        let spec = serde_json::from_value(json!({"displayName": "Coop", "tariff": "t"})).unwrap();
        let entity = Entity::new("coop", spec);
        let namespace = serde_json::from_value(json!({"metadata": namespace})).unwrap();
        let facts = EntityFacts { namespace: Some(Live::of("Namespace", namespace)), ..EntityFacts::default() };
        let account = ServiceAccount { namespace: "system".into(), name: "operator".into() };
        resolve_entity(&entity, &facts, &account).err()
    }

    #[test]
    fn the_containers_that_packages_list_are_named_and_no_others() {
        let mut template = fixtures::template();
        let reason = "it starts as root and changes its user".to_owned();
        template.spec.pod_security_exceptions.push(PodSecurityException { container: "app/radicale".into(), reason });
        let package = Package::compile("radicale", &template.spec).unwrap();
        let packages = [(package.revision_name(), Ok(Arc::new(package)))].into();
        let of_it = Facts { packages, ..fixtures::facts() };
        let instances = vec![(fixtures::instance("tier: 1gb"), of_it)];
        let listed = EntityFacts { instances, ..EntityFacts::default() };
        assert_eq!(baseline(&listed), "calendar-app/radicale");
        assert_eq!(baseline(&EntityFacts::default()), "", "admission judges only where there is a list");
    }

    /// What the volumes need: storage, and how many claims.
    fn needed(facts_of_it: Facts, claims: &[(&str, &str)]) -> (String, u64) {
        let instances = vec![(fixtures::instance("tier: 1gb"), facts_of_it)];
        let claims = claims.iter().map(|(claim, size)| ((*claim).to_owned(), size.parse().unwrap())).collect();
        let needs = needs(&EntityFacts { instances, claims, ..EntityFacts::default() });
        (needs.storage().to_string(), needs.count())
    }

    fn restoring(phase: Option<RestorePhase>, claim: &str) -> Facts {
        let claims = [("data".to_owned(), claim.to_owned())].into();
        let restore = UnfinishedRestore { name: "may-4".to_owned(), phase, claims, ..UnfinishedRestore::default() };
        Facts { restore: Some(restore), ..fixtures::facts() }
    }

    #[test]
    fn a_restore_has_room_for_its_volumes_before_it_begins_and_as_long_as_it_lasts() {
        let there = [("calendar-data", "1025Mi")];
        assert_eq!(needed(fixtures::facts(), &there), ("1025Mi".to_owned(), 1));
        for phase in [None, Some(RestorePhase::Waiting), Some(RestorePhase::Preparing)] {
            assert_eq!(needed(restoring(phase, "calendar-data-r?"), &there), ("2050Mi".to_owned(), 2), "{phase:?}");
        }
        let both = [("calendar-data", "1025Mi"), ("calendar-data-r1", "1025Mi")];
        let files = restoring(Some(RestorePhase::Files), "calendar-data-r1");
        assert_eq!(needed(files.clone(), &there), ("2050Mi".to_owned(), 2), "its status names it");
        assert_eq!(needed(files, &both), ("2050Mi".to_owned(), 2), "it counts once");
        assert_eq!(needed(fixtures::facts(), &there), ("1025Mi".to_owned(), 1), "it has ended");
    }

    #[test]
    fn a_volume_that_has_grown_needs_as_much_once_more() {
        let facts = restoring(None, "calendar-data-r?");
        assert_eq!(needed(facts, &[("calendar-data", "3Gi")]), ("6Gi".to_owned(), 2));
    }

    #[test]
    fn a_namespace_of_somebody_else_is_left_alone() {
        let labels = json!({marks::ENTITY: "coop"});
        assert_eq!(refusal(json!({"name": "coop", "labels": labels})), None);
        assert_eq!(refusal(json!({"name": "coop"})), Some(EntityRefusal::NamespaceForeign("coop".into())));
        let going = json!({"name": "coop", "labels": labels, "deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(refusal(going), Some(EntityRefusal::NamespaceTerminating("coop".into())));
    }
}
