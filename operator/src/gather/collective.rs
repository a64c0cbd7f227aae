//! Collects what the caches know of the people of an Entity: for its Collective's pass, and for the rights that the
//! Entity's own pass gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::Value;

use super::{Inside, namespace_facts};
use crate::api::{Collective, Entity, Manager, PlatformIdentity};
use crate::cache::{Caches, Live, Provided, Undecodable};
use crate::collective::{Facts, Lingering, former_entity, lingering};
use crate::compare::{Change, compare_objects};
use crate::entity::{self, COLLECTIVE_RIGHTS, People, ServiceAccount, access_rights, service_managers};
use crate::kinds;
use crate::rbac::MEMBER;
use crate::template::RenderedObject;

/// What the caches know of an Entity's people; none where nothing may be made or changed: there is no such Entity,
/// or it goes, or its namespace is not its own, or what all of it depends on cannot be read.
pub fn observe_collective(caches: &Caches, account: &ServiceAccount, namespace: &str, now: Timestamp) -> Option<Facts> {
    let entity = caches.entities.get("", namespace)?;
    let platform = caches.platform()?;
    let inside = Inside::of(caches, namespace);
    let place = namespace_facts(caches, namespace, &inside);
    let is_its_own = place.exists && place.writable && place.entity.as_deref() == Some(namespace);
    if entity.metadata.deletion_timestamp.is_some() || !is_its_own || has_unreadable_collective(caches, namespace) {
        return None;
    }
    let histories = caches.histories.in_namespace(namespace).into_iter();
    let mut requests = caches.leave_requests.in_namespace(namespace);
    requests.sort_by_key(|request| (request.creation_timestamp().map(|made| made.0), request.name_any()));
    let services = services(caches, namespace);
    let excess = excess(caches, &entity, &inside, &services);
    let mut facts = Facts {
        kept: kept(caches, namespace),
        histories: histories.map(|history| (history.name_any(), history)).collect(),
        requests,
        rights: without(&excess, &inside),
        excess: excess.into_iter().map(|(binding, excess)| (binding, excess.users)).collect(),
        services,
        ..entries(caches, account, entity, platform.spec.identity.clone(), now)
    };
    // Last: whoever lets somebody in at the provider says so there first, and then looks here whether they still may.
    facts.provider = provider(caches, facts.identity.as_ref(), namespace);
    facts.lingering = lingering(&facts);
    Some(facts)
}

/// Who belongs to an Entity and who may enter, and nothing else.
pub(super) fn entries(
    caches: &Caches,
    account: &ServiceAccount,
    entity: Arc<Entity>,
    identity: Option<PlatformIdentity>,
    now: Timestamp,
) -> Facts {
    let namespace = entity.name_any();
    let accesses = caches.accesses.in_namespace(&namespace).into_iter();
    Facts {
        now,
        operator: format!("system:serviceaccount:{}:{}", account.namespace, account.name),
        identity,
        collective: caches.collectives.get(&namespace, Collective::NAME),
        accesses: accesses.map(|access| (access.name_any(), access)).collect(),
        unreadable: unreadable(caches, &namespace),
        services: BTreeMap::new(),
        kept: BTreeSet::new(),
        histories: BTreeMap::new(),
        requests: Vec::new(),
        excess: BTreeMap::new(),
        rights: Vec::new(),
        provider: None,
        lingering: Lingering::Nowhere,
        entity,
    }
}

/// What is known of the identity provider; none: none is driven.
fn provider(caches: &Caches, identity: Option<&PlatformIdentity>, namespace: &str) -> Option<Provided> {
    let identity = identity.filter(|identity| identity.keycloak.is_some())?;
    Some(caches.providers.of(&identity.issuer, namespace))
}

pub(super) fn has_unreadable_collective(caches: &Caches, namespace: &str) -> bool {
    caches.collectives.undecodable(namespace, Collective::NAME).is_some()
}

/// The Accesses and histories that cannot be read.
fn unreadable(caches: &Caches, namespace: &str) -> Vec<Arc<Undecodable>> {
    let mut unreadable = caches.accesses.undecodable_in(namespace);
    unreadable.extend(caches.histories.undecodable_in(namespace));
    unreadable.sort_by(|a, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
    unreadable
}

/// The services that stay, and whom each names as its managers.
fn services(caches: &Caches, namespace: &str) -> BTreeMap<String, Vec<Manager>> {
    let services = caches.dedicated_in(namespace).into_iter();
    let stay = services.filter(|service| service.metadata().deletion_timestamp.is_none());
    stay.map(|service| (service.metadata().name.clone().unwrap_or_default(), service.instance().managers.clone()))
        .collect()
}

/// The names of which there is a service or data, be it one that cannot be read, or that goes.
fn kept(caches: &Caches, namespace: &str) -> BTreeSet<String> {
    let services = caches.dedicated_in(namespace);
    let services = services.iter().filter_map(|service| service.metadata().name.clone());
    let records = caches.records.in_namespace(namespace);
    let records = records.iter().map(|record| record.name_any());
    let is_data = |object: &Arc<Undecodable>| {
        object.kind == kinds::SERVICE_DATA.kind || kinds::DEDICATED.iter().any(|kind| kind.kind == object.kind)
    };
    let unreadable = caches.undecodable_in(namespace).into_iter().filter(is_data);
    services.chain(records).chain(unreadable.map(|object| object.name.clone())).collect()
}

/// A RoleBinding that gives somebody a right that they should not have (any more).
struct Excess {
    /// Who.
    users: BTreeSet<String>,
    /// As it is to be; none: it goes.
    wanted: Option<RenderedObject>,
}

/// By RoleBinding, what is too much of it.
fn excess(
    caches: &Caches,
    entity: &Entity,
    inside: &Inside,
    services: &BTreeMap<String, Vec<Manager>>,
) -> BTreeMap<String, Excess> {
    let services: Vec<(&str, &[Manager])> =
        services.iter().map(|(name, managers)| (name.as_str(), managers.as_slice())).collect();
    let people = people(caches, entity, inside);
    let mut wanted = entity::bindings(entity, &services, people.as_ref());
    wanted.retain(|object| object.kind == "RoleBinding");
    // What somebody else made is theirs, whatever they call it.
    let uid = entity.uid().unwrap_or_default();
    let live = inside.objects.iter().filter(|object| object.kind == "RoleBinding" && object.is_owned_by(&uid));
    let beyond = |live: &Arc<Live>| {
        let wanted = wanted.iter().find(|wanted| wanted.name == live.name()).cloned();
        let stay = wanted.as_ref().map(|wanted| users(&wanted.value)).unwrap_or_default();
        let users = users(&live.value).difference(&stay).cloned().collect();
        (live.name().to_owned(), Excess { users, wanted })
    };
    live.map(beyond).filter(|(_, excess)| !excess.users.is_empty()).collect()
}

/// The writes that take what is too much away.
fn without(excess: &BTreeMap<String, Excess>, inside: &Inside) -> Vec<Change> {
    let wanted: Vec<RenderedObject> = excess.values().filter_map(|excess| excess.wanted.clone()).collect();
    let live: Vec<Arc<Live>> = excess.keys().filter_map(|name| inside.object("RoleBinding", name)).collect();
    compare_objects(&wanted, |kind, name| inside.object(kind, name), &live).unwrap_or_default()
}

/// The users that a RoleBinding names.
fn users(binding: &Value) -> BTreeSet<String> {
    let subjects = binding.pointer("/subjects").and_then(Value::as_array);
    let users = subjects.into_iter().flatten().filter(|subject| subject["kind"] == "User");
    users.filter_map(|user| user["name"].as_str().map(str::to_owned)).collect()
}

/// Who belongs to an Entity and who manages, as its rights are made of it. Of what cannot be read, and without a
/// Platform, they stay as they were given. None where nobody signs in, or where the Collective is another Entity's.
pub(super) fn people(caches: &Caches, entity: &Entity, inside: &Inside) -> Option<People> {
    let namespace = entity.name_any();
    let Some(platform) = caches.platform() else {
        let is_given = inside.object(kinds::ROLE.kind, COLLECTIVE_RIGHTS).is_some();
        return is_given.then(|| as_given(caches, &namespace, inside));
    };
    platform.spec.identity.as_ref()?;
    if has_unreadable_collective(caches, &namespace) {
        return Some(as_given(caches, &namespace, inside));
    }
    let collective = caches.collectives.get(&namespace, Collective::NAME);
    if collective.as_ref().is_some_and(|collective| former_entity(collective, entity).is_some()) {
        return None;
    }
    let spec = collective.map(|collective| collective.spec.clone()).unwrap_or_default();
    let mut people = People::of(&spec);
    for access in caches.accesses.in_namespace(&namespace) {
        people.accesses.insert(access.name_any(), service_managers(&spec, &access.spec));
    }
    for access in caches.accesses.undecodable_in(&namespace) {
        let mut managers = given(inside, &access_rights(&access.name));
        // Who does not belong any more keeps nothing.
        managers.retain(|user| people.members.contains(user));
        people.accesses.insert(access.name.clone(), managers);
    }
    Some(people)
}

/// The users that a RoleBinding names now.
fn given(inside: &Inside, binding: &str) -> BTreeSet<String> {
    inside.object("RoleBinding", binding).map(|binding| users(&binding.value)).unwrap_or_default()
}

/// Who has which right now.
fn as_given(caches: &Caches, namespace: &str, inside: &Inside) -> People {
    let readable = caches.accesses.in_namespace(namespace);
    let unreadable = caches.accesses.undecodable_in(namespace);
    let names = readable.iter().map(|access| access.name_any());
    let names = names.chain(unreadable.iter().map(|access| access.name.clone()));
    let managers = |name: String| {
        let users = given(inside, &access_rights(&name));
        (name, users)
    };
    People {
        managers: given(inside, COLLECTIVE_RIGHTS),
        members: given(inside, MEMBER),
        accesses: names.map(managers).collect(),
    }
}

#[cfg(test)]
#[path = "collective_tests.rs"]
mod tests;
