//! Which host name an instance has, and who else wants it.

use super::facts::Facts;
use super::instance::Instance;
use super::refusal::Refusal;
use crate::api::{EntitySpec, InstanceSpec, PlatformSpec};
use crate::core::{Hostname, HostnameError};

/// The host name that an instance asks for: its own, or the Platform's pattern filled in.
///
/// # Errors
/// When that is no host name.
pub fn wanted_hostname(
    platform: &PlatformSpec,
    entity: &str,
    service: &str,
    spec: &InstanceSpec,
) -> Result<Hostname, HostnameError> {
    match &spec.hostname {
        Some(own) => own.parse(),
        None => made_hostname(platform, entity, service),
    }
}

fn made_hostname(platform: &PlatformSpec, entity: &str, service: &str) -> Result<Hostname, HostnameError> {
    platform
        .hostname_pattern
        .replace("{entity}", entity)
        .replace("{service}", service)
        .replace("{baseDomain}", &platform.base_domain)
        .parse()
}

/// Whether an Entity may have this host name: one of its domains' own, or the made one.
pub fn may_have(platform: &PlatformSpec, entity: &str, spec: &EntitySpec, service: &str, hostname: &Hostname) -> bool {
    let domains = spec.domains.iter().filter_map(|domain| domain.parse::<Hostname>().ok());
    domains.into_iter().any(|domain| hostname.lies_within(&domain))
        || made_hostname(platform, entity, service).is_ok_and(|made| made == *hostname)
}

pub(super) fn hostname(
    instance: &Instance,
    facts: &Facts,
    platform: &PlatformSpec,
    entity: &EntitySpec,
) -> Result<Hostname, Refusal> {
    let reference = &instance.reference;
    let wanted = wanted_hostname(platform, &reference.namespace, &reference.name, &instance.spec)?;
    if !may_have(platform, &reference.namespace, entity, &reference.name, &wanted) {
        let allowed = if entity.domains.is_empty() { "none".to_owned() } else { entity.domains.join(", ") };
        return Err(Refusal::HostnameForeign { hostname: wanted.to_string(), allowed });
    }
    let mine = (instance.created, reference.uid.as_str());
    let older =
        facts.claims.iter().find(|claim| claim.hostname == wanted && (claim.created, claim.uid.as_str()) < mine);
    match older {
        Some(claim) => Err(Refusal::HostnameTaken { hostname: wanted.to_string(), holder: claim.holder.clone() }),
        None => Ok(wanted),
    }
}
