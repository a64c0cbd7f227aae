//! Decides what is to run: resource, Entity, Tariff, Platform and package make a [`Plan`], or a
//! typed reason why not. Pure; repeats every rule of admission, since admission can be absent.
//!
//! | module | what lives there |
//! |---|---|
//! | `facts`, `instance`, `entity` | what goes in: of any kind of instance, of an Entity |
//! | `refusal` | every reason why there is no plan |
//! | `sale`, `hostname`, `revision`, `rollout` | what is sold, where it serves, which package, and when |
//! | `images` | which image of each name, by package, Platform and record |
//! | `ownership`, `volumes`, `growth`, `secrets` | whose data it is, and what it consists of |

mod entity;
mod facts;
mod growth;
mod hostname;
mod images;
mod instance;
mod ownership;
mod refusal;
mod revision;
mod rollout;
mod sale;
mod secrets;
mod volumes;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod images_tests;
#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod rollout_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ResourceRequirements;

pub use entity::{EntityFacts, EntityRefusal, resolve_entity};
pub use facts::{Facts, HostnameClaim, NamespaceFacts, SecretFacts, UnfinishedRestore, VolumeFacts};
pub use hostname::{asks_for, may_be_made_of, may_have, wanted_hostname};
pub use images::{ImageNotice, differing_images, overridden, tag};
pub use instance::{Instance, edited_at};
pub use ownership::{is_of, recorded_entity};
pub use refusal::{Refusal, tariff_not_found};
pub use revision::candidates;
pub use rollout::{Peer, Rollout, rollout};
pub use sale::{Sale, Sold, sell, total_price, total_storage};
pub use secrets::may_name;
pub use volumes::{claim, request, storage_class};

use crate::api::{Component, Entity, Manager, Platform, PlatformIdentity, PlatformSpec, Tariff};
use crate::entity::asked;
use crate::plan::{InstanceReference, Plan, PlannedEntity, PlannedIdentity};
use crate::template::Package;

/// A plan and the sale that it fulfils.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What is to run.
    pub plan: Plan,
    /// Quota and price.
    pub sale: Sale,
    /// Who decides who may enter, as people read it.
    pub managers: Vec<String>,
    /// What a roll-out does with the instance.
    pub rollout: Rollout,
    /// The images that are not what the Platform names, or not what the version has.
    pub images: Vec<ImageNotice>,
    /// The restore of all of it that has not ended, if there is one.
    pub restore: Option<UnfinishedRestore>,
}

/// Decides what is to run for an instance.
///
/// # Errors
/// The first reason why there is no plan; [`Refusal::waits`] tells whether it may pass by itself.
pub fn resolve(instance: &Instance, facts: &Facts) -> Result<Resolved, Refusal> {
    let surroundings = surroundings(instance, facts)?;
    name_is_free(instance, facts)?;
    let Surroundings { entity, platform, tariff } = surroundings;
    ownership::is_theirs(instance, facts, &entity)?;
    is_as_its_entity_says(instance, &entity)?;
    let spec = &instance.spec;
    let tariff_name = &entity.spec.tariff;
    let sale = sell(tariff_name, &tariff.spec, &instance.template, &spec.tier, spec.extra_blocks)?;
    let (revision, package) = revision::package(instance, facts, &platform)?;
    let version = revision::version(instance, facts, &revision, &package)?;
    let parameters = package.validate_parameters(&instance.parameters)?;
    let hostname = hostname::hostname(instance, facts, &platform.spec, &entity.spec)?;
    let name = &instance.reference.name;
    let volumes = volumes::volumes(&package, name, sale.quota, &platform.spec, facts)?;
    let (images, notices) = images::images(facts, &platform.spec, &package, &version);
    let plan = Plan {
        instance: instance.reference.clone(),
        entity: PlannedEntity {
            name: instance.reference.namespace.clone(),
            display_name: entity.spec.display_name.clone(),
            language: entity.spec.language,
            contacts: contacts(instance, &entity),
        },
        images,
        image_pull_secrets: platform.spec.image_pull_secrets.clone(),
        resources: resources(&package, &platform.spec),
        secrets: secrets::secrets(&package, name, facts),
        package,
        revision,
        version,
        quota: sale.quota,
        volumes,
        hostname,
        parameters,
        exposure: platform.spec.exposure.clone(),
        network: platform.spec.network.clone(),
        smtp: platform.spec.smtp.clone(),
        platform_secrets: facts.platform_secrets.clone(),
        editor: platform.spec.editor.clone(),
        stage: facts.stage.clone(),
        identity: identity(instance, &platform.spec),
    };
    let rollout = rollout(instance, facts, Some(&platform.spec));
    let restore = facts.restore.clone();
    Ok(Resolved { plan, sale, managers: managers(instance, &entity), rollout, images: notices, restore })
}

/// The claim that has what somebody may do in a service.
const GROUPS_CLAIM: &str = "groups";

/// By whom an instance lets people sign in: by the provider that the platform drives, unless it is that one itself.
fn identity(instance: &Instance, platform: &PlatformSpec) -> Option<PlannedIdentity> {
    let InstanceReference { namespace, name, .. } = &instance.reference;
    let identity = platform.identity.as_ref().filter(|identity| identity.keycloak.is_some())?;
    (!identity.is_provider(namespace, name)).then(|| PlannedIdentity {
        issuer: identity.issuer.clone(),
        client_id: PlatformIdentity::client_id(namespace, name),
        groups_claim: GROUPS_CLAIM.to_owned(),
    })
}

/// The service's managers, then the Entity's.
fn all_managers<'a>(instance: &'a Instance, entity: &'a Entity) -> impl Iterator<Item = &'a Manager> {
    instance.spec.managers.iter().chain(&entity.spec.managers)
}

/// The managers as `name <mail>`, each once.
fn managers(instance: &Instance, entity: &Entity) -> Vec<String> {
    let shown = |manager: &Manager| match &manager.mail {
        Some(mail) => format!("{} <{mail}>", manager.name),
        None => manager.name.clone(),
    };
    each_once(all_managers(instance, entity).map(shown))
}

/// The managers' mail addresses, each once.
fn contacts(instance: &Instance, entity: &Entity) -> Vec<String> {
    each_once(all_managers(instance, entity).filter_map(|manager| manager.mail.clone()))
}

fn each_once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut once = Vec::new();
    for text in texts {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once
}

struct Surroundings {
    entity: Arc<Entity>,
    platform: Arc<Platform>,
    tariff: Arc<Tariff>,
}

/// The namespace belongs to an Entity, and what the Entity and the instance refer to is there.
fn surroundings(instance: &Instance, facts: &Facts) -> Result<Surroundings, Refusal> {
    let namespace = &instance.reference.namespace;
    let belongs = facts.namespace.entity.as_ref() == Some(namespace);
    let entity = match (&facts.entity, belongs) {
        (Some(entity), true) => Arc::clone(entity),
        (None, true) => return Err(Refusal::EntityNotFound(namespace.clone())),
        (_, false) => return Err(Refusal::NamespaceForeign(namespace.clone())),
    };
    if !facts.namespace.exists || !facts.namespace.writable {
        return Err(Refusal::NamespaceNotReady(namespace.clone()));
    }
    let platform = facts.platform.clone().ok_or(Refusal::PlatformNotFound)?;
    let tariff = facts.tariff.clone().ok_or_else(|| tariff_not_found(&entity.spec.tariff, Some(&platform)))?;
    Ok(Surroundings { entity, platform, tariff })
}

/// What an Entity made is what it says: a hand edit must not grow a volume before it is repaired.
fn is_as_its_entity_says(instance: &Instance, entity: &Entity) -> Result<(), Refusal> {
    if instance.made_by.is_none() || instance.made_by != entity.metadata.uid {
        return Ok(());
    }
    let reference = &instance.reference;
    let asked = asked(entity).into_iter().find(|asked| asked.kind == reference.kind && asked.name == reference.name);
    let same = asked.is_some_and(|asked| {
        *asked.instance == instance.spec
            && asked.template == instance.template
            && asked.parameters == instance.parameters
    });
    if same { Ok(()) } else { Err(Refusal::EntityDiffers { entity: reference.namespace.clone() }) }
}

/// A name is reserved by the data under it, over all Dedicated kinds.
fn name_is_free(instance: &Instance, facts: &Facts) -> Result<(), Refusal> {
    let Some(record) = &facts.record else { return Ok(()) };
    let owner = &record.spec.owner;
    if owner.kind == instance.reference.kind
        && owner.name == instance.reference.name
        && record.spec.template == instance.template
    {
        return Ok(());
    }
    Err(Refusal::NameTaken {
        name: instance.reference.name.clone(),
        holder: format!("{} {} (template {})", owner.kind, owner.name, record.spec.template),
    })
}

/// A component's resources with those of the Platform, figure by figure: what it does not name stays the package's.
pub fn with_figures(own: ResourceRequirements, given: &ResourceRequirements) -> ResourceRequirements {
    let mut figures = own;
    figures.requests.get_or_insert_default().extend(given.requests.clone().unwrap_or_default());
    figures.limits.get_or_insert_default().extend(given.limits.clone().unwrap_or_default());
    figures
}

fn resources(package: &Package, platform: &PlatformSpec) -> BTreeMap<String, ResourceRequirements> {
    let overridden =
        |name: &str| platform.resources.iter().find(|o| o.template == package.name() && o.component == name);
    let merged = |part: &Component| {
        let own = part.resources.clone();
        let figures = match overridden(&part.name) {
            Some(given) => with_figures(own, &given.resources),
            None => own,
        };
        (part.name.clone(), figures)
    };
    package.components().iter().map(merged).collect()
}
