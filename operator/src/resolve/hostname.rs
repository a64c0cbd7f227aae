//! Which host name an instance has, and who else wants it.

use super::facts::{Facts, HostnameClaim};
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

/// Whether an instance asks for this very host name. The same as making it and comparing, without
/// making it: every look at an instance asks this of all others in the cluster.
pub fn asks_for(platform: &PlatformSpec, entity: &str, service: &str, spec: &InstanceSpec, hostname: &str) -> bool {
    let values = [("{entity}", entity), ("{service}", service), ("{baseDomain}", platform.base_domain.as_str())];
    match &spec.hostname {
        Some(own) => own == hostname,
        None => is_filled(&platform.hostname_pattern, &values, hostname),
    }
}

/// Which entity and service the Platform's pattern may make a host name of: where each may begin and
/// end. That such an instance exists is not said.
pub fn may_be_made_of(platform: &PlatformSpec, hostname: &Hostname) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let names = Names { base: &platform.base_domain, entity: None, service: None };
    names.fill(&platform.hostname_pattern, hostname.as_str(), &mut found);
    found
}

/// The names that a part of the pattern was filled with.
#[derive(Clone, Copy)]
struct Names<'a> {
    base: &'a str,
    entity: Option<&'a str>,
    service: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn fill(self, pattern: &str, text: &'a str, found: &mut Vec<(String, String)>) {
        if let Some(rest) = pattern.strip_prefix("{baseDomain}") {
            return text.strip_prefix(self.base).into_iter().for_each(|text| self.fill(rest, text, found));
        }
        if let Some(rest) = pattern.strip_prefix("{entity}") {
            return ends(self.entity, text).for_each(|(name, text)| {
                Self { entity: Some(name), ..self }.fill(rest, text, found);
            });
        }
        if let Some(rest) = pattern.strip_prefix("{service}") {
            return ends(self.service, text).for_each(|(name, text)| {
                Self { service: Some(name), ..self }.fill(rest, text, found);
            });
        }
        match (pattern.chars().next(), self.entity, self.service) {
            (Some(literal), ..) => {
                let rest = &pattern[literal.len_utf8()..];
                text.strip_prefix(literal).into_iter().for_each(|text| self.fill(rest, text, found));
            }
            (None, Some(entity), Some(service)) if text.is_empty() => {
                found.push((entity.to_owned(), service.to_owned()));
            }
            _ => {}
        }
    }
}

/// Every name that a text may begin with, and what follows it; one that is known already, if so.
fn ends<'a>(known: Option<&'a str>, text: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let label = text.find('.').unwrap_or(text.len());
    let end = move |end: usize| text.split_at_checked(end).filter(|(name, _)| known.is_none_or(|known| known == *name));
    (1..=label).filter_map(end)
}

/// Whether `text` is `pattern` with its placeholders replaced by their values.
fn is_filled(mut pattern: &str, values: &[(&str, &str)], mut text: &str) -> bool {
    loop {
        let placeholder = values.iter().find_map(|(key, value)| Some((pattern.strip_prefix(key)?, *value)));
        let (rest, after) = match (placeholder, pattern.chars().next()) {
            (Some((rest, value)), _) => (rest, text.strip_prefix(value)),
            (None, Some(literal)) => (&pattern[literal.len_utf8()..], text.strip_prefix(literal)),
            (None, None) => return text.is_empty(),
        };
        let Some(after) = after else { return false };
        (pattern, text) = (rest, after);
    }
}

/// Whether an Entity may have this host name: one of its domains' own, or the made one. A domain
/// that holds the Platform's base domain counts for nothing: below it are all Entities' host names.
pub fn may_have(platform: &PlatformSpec, entity: &str, spec: &EntitySpec, service: &str, hostname: &Hostname) -> bool {
    let base: Option<Hostname> = platform.base_domain.parse().ok();
    let domains = spec.domains.iter().filter_map(|domain| domain.parse::<Hostname>().ok());
    let own = domains.filter(|domain| !base.as_ref().is_some_and(|base| base.lies_within(domain)));
    own.into_iter().any(|domain| hostname.lies_within(&domain))
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
    // Whoever serves there keeps it; among those who only ask, the older gets it.
    let holds = instance.status.hostname.as_deref() == Some(wanted.as_str());
    let mine = (!holds, instance.created, reference.uid.as_str());
    let comes_first = |claim: &&HostnameClaim| (!claim.holds, claim.created, claim.uid.as_str()) < mine;
    match facts.claims.iter().filter(|claim| claim.hostname == wanted).find(comes_first) {
        Some(claim) => Err(Refusal::HostnameTaken { hostname: wanted.to_string(), holder: claim.holder.clone() }),
        None => Ok(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_be_meant_by_a_host_name_is_found_without_asking_all() {
        let of = |pattern: &str, hostname: &str| {
            let spec =
                serde_json::json!({"baseDomain": "example.org", "hostnamePattern": pattern, "storageClasses": []});
            may_be_made_of(&serde_json::from_value(spec).unwrap(), &hostname.parse().unwrap())
        };
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(entity, service)| ((*entity).to_owned(), (*service).to_owned())).collect()
        };
        let usual = "{entity}-{service}.{baseDomain}";
        assert_eq!(of(usual, "a-b-c.example.org"), pairs(&[("a", "b-c"), ("a-b", "c")]));
        assert_eq!(of("{service}.{entity}.{baseDomain}", "office.hort.example.org"), pairs(&[("hort", "office")]));
        assert_eq!(of("{entity}.{service}-{entity}.{baseDomain}", "a.b-a.example.org"), pairs(&[("a", "b")]));
        assert_eq!(of(usual, "a-b.example.net"), pairs(&[]));
        assert_eq!(of(usual, "files.hort.example"), pairs(&[]));
    }

    #[test]
    fn who_asks_for_a_name_is_who_would_get_it() {
        let platform = |pattern: &str| -> PlatformSpec {
            let spec = serde_json::json!({
                "baseDomain": "example.org", "hostnamePattern": pattern,
                "exposure": {"ingressClass": "traefik"}, "storageClasses": [{"name": "xfs"}],
            });
            serde_json::from_value(spec).unwrap()
        };
        let own = |hostname: Option<&str>| -> InstanceSpec {
            serde_json::from_value(serde_json::json!({"tier": "1gb", "hostname": hostname})).unwrap()
        };
        let names = ["a-office.example.org", "a-offic.example.org", "ab-office.example.org", "office.a.example.org"];
        for pattern in ["{entity}-{service}.{baseDomain}", "{service}.{entity}.{baseDomain}"] {
            for (entity, service) in [("a", "office"), ("a", "offic"), ("ab", "office"), ("a-office", "x")] {
                for spec in [own(None), own(Some("a-office.example.org"))] {
                    let made = wanted_hostname(&platform(pattern), entity, service, &spec).unwrap();
                    for name in names {
                        let asks = asks_for(&platform(pattern), entity, service, &spec, name);
                        assert_eq!(asks, made.as_str() == name, "{pattern} {entity} {service} {name}");
                    }
                }
            }
        }
    }
}
