//! Collects what the caches know of what the identity provider is to have: who is to enter what, and which services let
//! people sign in. Of what cannot be read, or is not all there yet, it is said that it stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::Value;

use super::Packages;
use super::collective::{entries, has_unreadable_collective};
use crate::api::{Dedicated, Entity, Exposure, PlatformIdentity, marks};
use crate::cache::{Caches, Sealed, Undecodable};
use crate::collective::{Facts, Wanted, former_entity, wanted};
use crate::core::Hostname;
use crate::entity::{OPERATOR_BINDING, ServiceAccount};
use crate::kinds;
use crate::reachability::{Place, place};

/// The Secret in a package by which an instance signs people in at the provider that the platform drives, and its key.
pub const SIGN_IN: (&str, &str) = ("oidc", "client-secret");
/// The template of the provider.
const TEMPLATE: &str = "keycloak";
/// The realm that it makes where its parameters name none.
const REALM: &str = "commons";
/// The Secret by which the operator signs in there, and its keys.
const OPERATOR: &str = "operator";

/// What the identity provider is to have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedIdentity {
    /// The Entities by their names.
    pub entities: BTreeMap<String, ObservedPeople>,
    /// The Entities of which nothing is known: all of theirs stays as it is.
    pub unknown: BTreeSet<String>,
    /// What cannot be read.
    pub unreadable: Vec<Arc<Undecodable>>,
}

/// What it is to have of one Entity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedPeople {
    /// The Entity's uid.
    pub uid: String,
    /// The name that people read.
    pub display_name: String,
    /// Who is to enter what; none: that is not known, and whoever is there stays.
    pub people: Option<Wanted>,
    /// The services that let people sign in.
    pub services: BTreeMap<String, SigningIn>,
    /// The services of which it is not known whether they do: what there is of them stays.
    pub unknown: BTreeSet<String>,
    /// The services of which it is not known who is to enter: whoever enters does so further on, but those who were
    /// removed from the Collective.
    pub unreadable_accesses: BTreeSet<String>,
    /// Subjects and mail addresses, in lower case, of those who were.
    pub removed: BTreeSet<String>,
}

/// A service that lets people sign in at the provider.
#[derive(Clone, Debug, PartialEq)]
pub struct SigningIn {
    /// Its address, for example `https://coop-wiki.example.org`.
    pub url: String,
    /// What it signs in with.
    pub secret: Arc<Sealed>,
}

/// Where the provider is, and what the operator signs in there with.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderPlace {
    /// Its host name.
    pub host: Hostname,
    /// Where that is asked.
    pub address: Place,
    /// PEM certificates of the authority to trust. None: the public ones.
    pub ca_bundle: Option<String>,
    /// The realm.
    pub realm: String,
    /// The Secret of the operator's own client.
    pub secret: Arc<Sealed>,
}

impl ObservedIdentity {
    /// Whether all of it is known: everybody, what they are to enter, and which services sign people in.
    pub fn knows_all(&self) -> bool {
        let is_known =
            |of: &ObservedPeople| of.people.is_some() && of.unreadable_accesses.is_empty() && of.unknown.is_empty();
        self.unknown.is_empty() && self.unreadable.is_empty() && self.entities.values().all(is_known)
    }
}

/// What the caches know of what the provider is to have.
pub fn observe_identity(
    caches: &Caches,
    packages: &Packages,
    account: &ServiceAccount,
    identity: &PlatformIdentity,
    now: Timestamp,
) -> ObservedIdentity {
    let mut observed = ObservedIdentity::default();
    for object in caches.undecodable_of(kinds::ENTITY.kind) {
        observed.unknown.insert(object.name.clone());
        observed.unreadable.push(object);
    }
    for entity in caches.entities.all() {
        let name = entity.name_any();
        observed.unreadable.extend(unreadable_in(caches, &name));
        if is_its_own(caches, &name) {
            observed.entities.insert(name, people(caches, packages, account, entity, identity, now));
        } else {
            observed.unknown.insert(name);
        }
    }
    let key = |object: &Arc<Undecodable>| (object.namespace.clone(), object.kind.clone(), object.name.clone());
    observed.unreadable.sort_by_key(key);
    observed
}

/// Who is to enter what of one Entity, as it is now. None where that is not known.
pub fn wanted_now(
    caches: &Caches,
    account: &ServiceAccount,
    identity: &PlatformIdentity,
    entity: &str,
    now: Timestamp,
) -> Option<Wanted> {
    let of = caches.entities.get("", entity)?;
    if !is_its_own(caches, entity) || has_unreadable_collective(caches, entity) {
        return None;
    }
    who(&entries(caches, account, of, Some(identity.clone()), now))
}

/// Whether a namespace is its Entity's, and all of it is taken in.
fn is_its_own(caches: &Caches, name: &str) -> bool {
    let lacks = caches.door.lacks(name);
    let namespace = caches.namespaces.get("", name);
    let is_labelled = namespace.is_some_and(|namespace| {
        namespace.metadata.deletion_timestamp.is_none()
            && namespace.labels().get(marks::ENTITY).is_some_and(|of| of == name)
    });
    is_labelled && !lacks && caches.object("RoleBinding", name, OPERATOR_BINDING).is_some()
}

fn is_of_people(object: &Undecodable) -> bool {
    [kinds::COLLECTIVE.kind, kinds::ACCESS.kind].contains(&object.kind.as_str()) || is_service(object)
}

fn is_service(object: &Undecodable) -> bool {
    kinds::DEDICATED.iter().any(|kind| kind.kind == object.kind)
}

/// What of an Entity's people and services cannot be read.
fn unreadable_in(caches: &Caches, namespace: &str) -> Vec<Arc<Undecodable>> {
    caches.undecodable_in(namespace).into_iter().filter(|object| is_of_people(object)).collect()
}

fn people(
    caches: &Caches,
    packages: &Packages,
    account: &ServiceAccount,
    entity: Arc<Entity>,
    identity: &PlatformIdentity,
    now: Timestamp,
) -> ObservedPeople {
    let namespace = entity.name_any();
    let facts = entries(caches, account, Arc::clone(&entity), Some(identity.clone()), now);
    let unreadable = unreadable_in(caches, &namespace);
    let of_kind = |kind: &'static str| unreadable.iter().filter(move |object| object.kind == kind);
    let services = unreadable.iter().filter(|object| is_service(object));
    let mut observed = ObservedPeople {
        uid: entity.uid().unwrap_or_default(),
        display_name: entity.spec.display_name.clone(),
        people: (!has_unreadable_collective(caches, &namespace)).then(|| who(&facts)).flatten(),
        removed: removed(&facts, &identity.issuer),
        unknown: services.map(|object| object.name.clone()).collect(),
        unreadable_accesses: of_kind(kinds::ACCESS.kind).map(|object| object.name.clone()).collect(),
        services: BTreeMap::new(),
    };
    for service in caches.dedicated_in(&namespace) {
        let Some(name) = service.metadata().name.clone() else { continue };
        if identity.is_provider(&namespace, &name) || service.metadata().deletion_timestamp.is_some() {
            continue;
        }
        match signing_in(caches, packages, service.as_ref(), &namespace, &name) {
            SignIn::None => {}
            SignIn::Unknown => {
                observed.unknown.insert(name);
            }
            SignIn::Here(signing_in) => {
                observed.services.insert(name, signing_in);
            }
        }
    }
    observed
}

/// Who is to enter what. None while there is no Collective yet: it is made in a moment. Those of another Entity enter
/// nothing.
fn who(facts: &Facts) -> Option<Wanted> {
    let collective = facts.collective.as_ref()?;
    if former_entity(collective, &facts.entity).is_some() {
        return Some(Wanted::default());
    }
    Some(wanted(facts))
}

/// By what the provider knows those who were removed and are still in the Collective.
fn removed(facts: &Facts, issuer: &str) -> BTreeSet<String> {
    let members = facts.collective.iter().flat_map(|collective| collective.spec.members.values());
    let mut removed = BTreeSet::new();
    for member in members.filter(|member| member.removed.is_some()) {
        let account = member.account.as_ref().filter(|account| account.issuer == issuer);
        removed.extend(account.map(|account| account.subject.clone()));
        removed.extend(member.mail.as_ref().map(|mail| mail.to_lowercase()));
    }
    removed
}

/// Whether a service lets people sign in.
enum SignIn {
    /// It does not.
    None,
    /// Not known yet, or not any more.
    Unknown,
    /// It does.
    Here(SigningIn),
}

fn signing_in(caches: &Caches, packages: &Packages, service: &dyn Dedicated, namespace: &str, name: &str) -> SignIn {
    // Whoever names a provider of their own signs in there.
    if service.parameters().get("oidc").is_some_and(|own| !own.is_null()) {
        return SignIn::None;
    }
    let status = service.status();
    let runs = status.and_then(|status| status.revision.as_deref()).or(service.instance().revision.as_deref());
    let Some(revision) = runs.and_then(|runs| caches.revisions.get("", runs)) else { return SignIn::Unknown };
    let Ok(package) = packages.compile(&revision) else { return SignIn::Unknown };
    if !package.secrets().iter().any(|secret| secret.name == SIGN_IN.0) {
        return SignIn::None;
    }
    let Some(hostname) = status.and_then(|status| status.hostname.as_deref()) else { return SignIn::Unknown };
    match secret(caches, namespace, name, SIGN_IN.0) {
        Some(secret) if secret.keys.iter().any(|key| key == SIGN_IN.1) => {
            SignIn::Here(SigningIn { url: format!("https://{hostname}"), secret })
        }
        _ => SignIn::Unknown,
    }
}

/// A Secret that was generated for a service.
fn secret(caches: &Caches, namespace: &str, service: &str, name: &str) -> Option<Arc<Sealed>> {
    let secret = caches.secrets.of(namespace)?.remove(&format!("{service}-{name}"))?;
    let is_its_own = secret.labels.get(marks::INSTANCE).is_some_and(|of| of == service);
    (is_its_own && !secret.deleting).then_some(secret)
}

/// Where the provider is that the Platform names.
///
/// # Errors
/// What of it is not there, or does not fit the issuer.
pub fn provider_place(
    caches: &Caches,
    identity: &PlatformIdentity,
    exposure: &Exposure,
) -> Result<ProviderPlace, String> {
    let keycloak = identity.keycloak.as_ref().ok_or("spec.identity.keycloak: none is named")?;
    let (entity, service) = (keycloak.entity.as_str(), keycloak.service.as_str());
    let named = format!("spec.identity.keycloak: DedicatedService {entity}/{service}");
    let (host, realm) = identity
        .realm()
        .and_then(|(host, realm)| Some((host.parse::<Hostname>().ok()?, realm)))
        .ok_or("spec.identity.issuer: of a keycloak it is https://HOST/realms/REALM")?;
    let found = caches.services.get(entity, service).ok_or_else(|| format!("{named} does not exist (yet)"))?;
    if found.template() != TEMPLATE {
        return Err(format!("{named} is of template {}; it must be of template {TEMPLATE}", found.template()));
    }
    let status = found.status.as_ref();
    let serves = status.and_then(|status| status.hostname.as_deref());
    let serves = serves.ok_or_else(|| format!("{named} has no host name yet"))?;
    if serves != host.as_str() {
        return Err(format!(
            "spec.identity.issuer: its host is {host}, and DedicatedService {entity}/{service} serves at {serves}"
        ));
    }
    let parameters = found.parameters();
    let own = parameters.get("realm").and_then(Value::as_str).unwrap_or(REALM);
    if own != realm {
        return Err(format!(
            "spec.identity.issuer: its realm is {realm}, and that of DedicatedService {entity}/{service} is {own}"
        ));
    }
    let secret = secret(caches, entity, service, OPERATOR)
        .ok_or_else(|| format!("Secret {service}-{OPERATOR} does not exist (yet) in namespace {entity}"))?;
    let ingresses = caches.objects_in(entity);
    let own = ingresses.into_iter().filter(|object| object.label(marks::INSTANCE) == service).collect::<Vec<_>>();
    Ok(ProviderPlace {
        address: place(exposure, &host, &own),
        ca_bundle: exposure.ca_bundle.clone(),
        realm: realm.to_owned(),
        secret,
        host,
    })
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
