//! Collects what the caches know around one instance, Entity, run, restore or drill. No request is made here.

mod backup;
mod care;
mod collective;
mod consent;
mod drill;
mod entity;
#[cfg(test)]
mod fixtures;
mod identity;
mod jobs;
mod observed;
mod packages;
mod records;
mod restore;
mod schedule;
mod stage;
mod subject;
mod turn;
mod undecodable;

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt as _;

pub use backup::{
    ENTITY_UID, folder, key_state, needed, needed_copies, observe_run, operations, service_named, target, with_escrow,
};
pub use care::{
    KeptService, awaited_copy, care_jobs, home_jobs, kept_services, knows_all_runs, knows_own_repositories,
    own_repositories, repositories,
};
pub use collective::observe_collective;
pub use consent::seen_consent;
pub use drill::observe_drill;
pub use entity::{EntityObserved, observe_entity};
pub use identity::{
    ObservedIdentity, ObservedPeople, ProviderPlace, SIGN_IN, SigningIn, observe_identity, provider_place, wanted_now,
};
pub use jobs::{LAG, ended, idle_since, job_has_ended, seen_job, seen_jobs};
pub use observed::{Inside, Observed, observe};
pub use packages::Packages;
pub use records::{knows_secrets, records};
pub use restore::{observe_restore, rooms};
pub use schedule::{ServiceSchedule, schedules, service_schedule};
pub use turn::awaited;
pub use undecodable::undecodable_service;
use undecodable::{undecodable, undecodable_for_entity};

use crate::api::{ConditionType, Dedicated, Entity, Platform, PlatformSpec, RolloutStrategy, marks};
use crate::cache::{Caches, Live, Sealed};
use crate::compare::{KnownData, capacity, requested};
use crate::core::Hostname;
use crate::entity::OPERATOR_BINDING;
use crate::plan::Stage;
use crate::resolve::{
    Facts, HostnameClaim, Instance, NamespaceFacts, Peer, SecretFacts, VolumeFacts, asks_for, candidates,
    claim as claim_of, may_be_made_of, may_have, recorded_entity, wanted_hostname,
};
use crate::usage::Measurement;

/// What the caches know around one instance of a namespace; not who else asks for its host name, and not
/// the Platform's Secrets.
fn facts_in(caches: &Caches, packages: &Packages, instance: &Instance, inside: &Inside) -> Facts {
    let namespace = &instance.reference.namespace;
    let platform = caches.platform();
    let entity = caches.entities.get("", namespace);
    let restore = stage::unfinished(caches, instance);
    let mut facts = Facts {
        tariff: entity.as_ref().and_then(|entity| caches.tariffs.get("", &entity.spec.tariff)),
        namespace: namespace_facts(caches, namespace, inside),
        newest_revision: newest_revision(caches, &instance.template),
        template_fault: template_fault(caches, &instance.template),
        record: caches.records.get(namespace, &instance.reference.name),
        volumes: inside.claims().map(|claim| (claim.name().to_owned(), volume(caches, claim))).collect(),
        packages: BTreeMap::new(),
        secret_keys: secret_keys(inside),
        secrets: secrets(inside),
        platform_secrets: BTreeMap::new(),
        claims: Vec::new(),
        peers: Vec::new(),
        stage: Stage::Whole,
        restore: restore.as_deref().map(stage::known),
        entity,
        platform,
    };
    facts.peers = peers(caches, instance, &facts);
    facts.packages = compiled(caches, packages, instance, &facts);
    if let Some(restore) = restore {
        stage::put(caches, packages, instance, &restore, &mut facts);
    }
    facts
}

/// What is known of the data under a name, its Secrets apart.
pub fn recorded(caches: &Caches, namespace: &str, name: &str) -> KnownData {
    KnownData {
        record: caches.records.get(namespace, name),
        entity: caches.entities.get("", namespace).map(|entity| recorded_entity(&entity)),
        volumes: caches.claims_in(namespace),
        ..KnownData::default()
    }
}

fn secret_keys(inside: &Inside) -> BTreeMap<String, Vec<String>> {
    inside.secrets.iter().flatten().map(|(name, secret)| (name.clone(), secret.keys.clone())).collect()
}

/// Whose the Secrets are: a label that somebody put on one of the operator's own makes it nobody else's.
fn secrets(inside: &Inside) -> BTreeMap<String, SecretFacts> {
    let of = |secret: &Sealed| {
        secret.labels.get(marks::INSTANCE).map_or(SecretFacts::Copied, |name| SecretFacts::Generated(name.clone()))
    };
    let managed = inside.secrets.iter().flatten().map(|(name, secret)| (name.clone(), of(secret)));
    let made = inside.made_secrets.iter().map(|(name, service)| (name.clone(), SecretFacts::MadeFor(service.clone())));
    made.chain(managed).collect()
}

/// The Secrets of the operator's own namespace that the Platform names, those that are there.
fn sources(caches: &Caches, platform: Option<&Platform>) -> BTreeMap<String, Arc<Sealed>> {
    let named = platform.into_iter().flat_map(|platform| platform.spec.secrets());
    named.filter_map(|(_, name)| Some((name.to_owned(), caches.platform_secret(name)?))).collect()
}

/// The revisions of the Secrets that the Platform names: each by its source or, while that is away or
/// was made anew with the same in it, as the copy in the namespace has it: neither restarts a pod.
fn revisions(
    caches: &Caches,
    platform: &PlatformSpec,
    copies: Option<&BTreeMap<String, Arc<Sealed>>>,
) -> BTreeMap<String, String> {
    let revision = |name: &str| {
        let source = caches.platform_secret(name);
        let copy = copies.and_then(|copies| copies.get(name));
        let is_same = |copy: &&Arc<Sealed>| source.as_ref().is_none_or(|source| source.digest == copy.digest);
        let of_copy = copy.filter(is_same).and_then(|copy| copy.source.clone());
        of_copy.or_else(|| source.map(|source| source.revision()))
    };
    platform.secrets().filter_map(|(_, name)| Some((name.to_owned(), revision(name)?))).collect()
}

fn namespace_facts(caches: &Caches, name: &str, inside: &Inside) -> NamespaceFacts {
    let Some(namespace) = caches.namespaces.get("", name) else { return NamespaceFacts::default() };
    NamespaceFacts {
        exists: namespace.metadata.deletion_timestamp.is_none(),
        entity: namespace.labels().get(marks::ENTITY).cloned(),
        // What is not taken in yet would be made once more.
        writable: inside.object("RoleBinding", OPERATOR_BINDING).is_some() && !inside.lacks,
    }
}

fn newest_revision(caches: &Caches, template: &str) -> Option<String> {
    caches.templates.get("", template)?.status.as_ref()?.revision.clone()
}

/// What the template's own status says, while it is stalled.
fn template_fault(caches: &Caches, template: &str) -> Option<String> {
    let template = caches.templates.get("", template)?;
    let conditions = &template.status.as_ref()?.conditions;
    let stalled = conditions.iter().find(|c| c.type_ == ConditionType::Stalled.as_str() && c.status == "True")?;
    Some(stalled.message.clone())
}

/// The other instances in the queue of a roll-out: looked for only while this one may be in it.
fn peers(caches: &Caches, instance: &Instance, facts: &Facts) -> Vec<Peer> {
    let automatic = facts.platform.as_ref().is_some_and(|p| p.spec.rollout.strategy == RolloutStrategy::Automatic);
    let runs = instance.status.revision.as_deref();
    let Some(newest) = facts.newest_revision.as_deref().filter(|newest| automatic && runs != Some(newest)) else {
        return Vec::new();
    };
    if runs.is_none() || instance.spec.revision.is_some() || instance.spec.paused {
        return Vec::new();
    }
    let all = caches.dedicated_all().into_iter().filter(|resource| resource.template() == instance.template);
    let others = all.filter(|resource| resource.metadata().uid.as_deref() != Some(&instance.reference.uid));
    others.filter_map(|resource| Peer::of(resource.as_ref(), newest)).collect()
}

/// How full it is, no cache of the API server knows: see [`measure`].
fn volume(caches: &Caches, claim: &Live) -> VolumeFacts {
    let class = claim.value.pointer("/spec/storageClassName").and_then(|class| class.as_str());
    let known = class.and_then(|class| caches.storage_classes.get("", class));
    VolumeFacts {
        storage_class: class.map(str::to_owned),
        expandable: known.is_some_and(|class| class.allow_volume_expansion == Some(true)),
        requested: requested(claim),
        capacity: capacity(claim),
        usage: Measurement::NotYet,
    }
}

/// Asks how full the instance's volumes are, whichever of its packages it runs.
fn measure(facts: &mut Facts, instance: &Instance, usage: impl Fn(&str) -> Measurement) {
    let packages = facts.packages.values().filter_map(|package| package.as_ref().ok());
    let asked = packages.flat_map(|package| package.volumes());
    let record = facts.record.as_deref();
    let claims: Vec<String> = asked.map(|volume| claim_of(record, &instance.reference.name, &volume.name)).collect();
    for claim in claims {
        if let Some(volume) = facts.volumes.get_mut(&claim) {
            volume.usage = usage(&claim);
        }
    }
}

fn compiled(
    caches: &Caches,
    packages: &Packages,
    instance: &Instance,
    facts: &Facts,
) -> BTreeMap<String, Result<Arc<crate::template::Package>, String>> {
    let platform = facts.platform.as_ref().map(|platform| &platform.spec);
    let names = candidates(instance, facts, platform).into_iter();
    names
        .filter_map(|name| {
            let revision = caches.revisions.get("", name)?;
            Some((name.to_owned(), packages.compile(&revision)))
        })
        .collect()
}

/// Whoever else could have the instance's host name; whoever may not have it claims nothing.
fn claims(caches: &Caches, platform: &PlatformSpec, instance: &Instance) -> Vec<HostnameClaim> {
    let reference = &instance.reference;
    let Ok(wanted) = wanted_hostname(platform, &reference.namespace, &reference.name, &instance.spec) else {
        return Vec::new();
    };
    let made = may_be_made_of(platform, &wanted);
    let asking = made.iter().flat_map(|(entity, service)| caches.dedicated_named(entity, service));
    let mut all = caches.dedicated_at(&wanted);
    // Who is found twice is still one.
    all.extend(asking.filter(|resource| resource.instance().hostname.is_none()));
    all.sort_by(|a, b| a.metadata().uid.cmp(&b.metadata().uid));
    all.dedup_by(|a, b| a.metadata().uid == b.metadata().uid);
    let others = all.into_iter().filter(|resource| resource.metadata().uid.as_deref() != Some(&reference.uid));
    let claims = others.filter_map(|resource| claim(caches, platform, resource.as_ref(), &wanted));
    claims.chain(undecodable::claims(caches, &wanted)).collect()
}

fn claim(
    caches: &Caches,
    platform: &PlatformSpec,
    resource: &dyn Dedicated,
    wanted: &Hostname,
) -> Option<HostnameClaim> {
    let metadata = resource.metadata();
    let (namespace, name) = (metadata.namespace.as_deref()?, metadata.name.as_deref()?);
    let holds = resource.status().is_some_and(|status| status.hostname.as_deref() == Some(wanted.as_str()));
    if !holds && !asks_for(platform, namespace, name, resource.instance(), wanted.as_str()) {
        return None;
    }
    let entity: Arc<Entity> = caches.entities.get("", namespace)?;
    may_have(platform, namespace, &entity.spec, name, wanted).then(|| HostnameClaim {
        hostname: wanted.clone(),
        holder: format!("{} {namespace}/{name}", resource.kind()),
        holds,
        created: metadata.creation_timestamp.as_ref().map(|time| time.0),
        uid: metadata.uid.clone().unwrap_or_default(),
    })
}
