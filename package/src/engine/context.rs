//! What manifests know: the plan as Tera's context.

use serde_json::{Map, Value, json};
use tera::Context;

use crate::engine::labels::{labels, selector};
use crate::engine::network::network;
use crate::plan::Plan;
use commonscloud_api::Language;
use commonscloud_api::values::AddressBlock;

/// What pods and nodes of a cluster usually have for addresses. Only the ingress reaches applications.
pub(crate) const TRUSTED_PROXIES: [&str; 5] =
    ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// The context that a plan's manifests are rendered with.
///
/// # Errors
/// When a value of the plan cannot be shown as JSON.
pub(crate) fn context(plan: &Plan) -> Result<Context, String> {
    let value = value(plan).map_err(|error| format!("the plan is no JSON: {error}"))?;
    Context::from_serialize(&value).map_err(|error| error.to_string())
}

/// What manifests know, as JSON.
///
/// # Errors
/// When a value of the plan cannot be shown so.
pub(crate) fn value(plan: &Plan) -> Result<Value, serde_json::Error> {
    let volumes: Map<_, _> = plan.volumes.iter().map(|v| (v.name.clone(), Value::from(v.claim.as_str()))).collect();
    let secrets: Map<_, _> = plan.secrets.iter().map(|s| (s.name.clone(), Value::from(s.secret.as_str()))).collect();
    let files: Map<_, _> =
        plan.package.spec().files.iter().map(|f| (f.name.clone(), Value::from(f.content.as_str()))).collect();
    Ok(json!({
        "files": files,
        "instance": {"name": plan.instance.name, "namespace": plan.instance.namespace},
        "entity": {
            "name": plan.entity.name,
            "display_name": plan.entity.display_name,
            "language": language(plan.entity.language),
        },
        "title": title(plan),
        "contacts": plan.entity.contacts,
        "hostname": plan.hostname.as_str(),
        "url": url(plan),
        "version": plan.version,
        "images": plan.images,
        "resources": serde_json::to_value(&plan.resources)?,
        "quota": {"bytes": plan.quota.get()},
        "volumes": volumes,
        "secrets": secrets,
        "parameters": plan.parameters,
        "network": network(plan)?,
        "exposure": exposure(plan),
        "smtp": smtp(plan),
        "editor": serde_json::to_value(&plan.editor)?,
        "identity": identity(plan),
        "__labels": {"labels": labels(plan), "selector": selector(plan)},
    }))
}

/// Where the service answers.
pub(crate) fn url(plan: &Plan) -> String {
    format!("https://{}", plan.hostname)
}

fn language(language: Language) -> &'static str {
    match language {
        Language::Ca => "ca",
        Language::En => "en",
        Language::Es => "es",
    }
}

/// The service's name in the Entity's language, else in English, else in any.
fn title(plan: &Plan) -> &str {
    let titles = &plan.package.spec().title;
    let known = [language(plan.entity.language), "en"].into_iter().find_map(|language| titles.get(language));
    known.or_else(|| titles.values().next()).map_or_else(|| plan.package.name(), String::as_str)
}

/// `tls_secret` is null where the ingress controller's default certificate serves.
pub(crate) fn exposure(plan: &Plan) -> Value {
    let tls = plan.exposure.tls.as_ref();
    let issuer = tls.and_then(|tls| tls.cluster_issuer.as_deref());
    let own_secret = issuer.map(|_| format!("{}-tls", plan.instance.name));
    let secret = own_secret.or_else(|| tls.and_then(|tls| tls.secret_name.clone()));
    json!({
        "ingress_class": plan.exposure.ingress_class,
        "cluster_issuer": issuer,
        "tls_secret": secret,
        "trusted_proxies": trusted_proxies(plan),
        "ca_bundle": plan.exposure.ca_bundle,
    })
}

/// Whom applications believe what they say of the client's address.
fn trusted_proxies(plan: &Plan) -> Vec<&str> {
    let named = plan.exposure.trusted_proxies.iter().map(String::as_str);
    // Admission, which refuses what is no block, can be absent; applications do not start with one.
    let named: Vec<&str> = named.filter(|block| block.parse::<AddressBlock>().is_ok()).collect();
    if named.is_empty() { TRUSTED_PROXIES.to_vec() } else { named }
}

fn identity(plan: &Plan) -> Value {
    let Some(identity) = &plan.identity else { return Value::Null };
    json!({
        "issuer": identity.issuer, "client_id": identity.client_id, "groups_claim": identity.groups_claim,
    })
}

fn smtp(plan: &Plan) -> Value {
    let Some(smtp) = &plan.smtp else { return Value::Null };
    let (local, domain) = smtp.from.split_once('@').unwrap_or((smtp.from.as_str(), ""));
    json!({
        "host": smtp.host, "port": smtp.port, "from": smtp.from,
        "from_local": local, "from_domain": domain, "secret": smtp.secret_name,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::format::sample::{self, Surroundings};
    use crate::{Package, builtin};

    #[test]
    fn the_page_on_packages_lists_all_that_manifests_know() {
        let template = builtin().into_iter().next().unwrap();
        let package = Package::compile("office", &template.spec).unwrap();
        let plan = sample::plan(&package, &package.versions()[0], json!({}), Surroundings::Full).unwrap();
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/writing-a-package.md");
        let page = std::fs::read_to_string(page).unwrap();
        let known = value(&plan).unwrap();
        let names = known.as_object().unwrap().keys().filter(|name| !name.starts_with("__"));
        let listed = |name: &str| page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}."));
        let missing: Vec<&String> = names.filter(|name| !listed(name)).collect();
        assert!(missing.is_empty(), "docs/writing-a-package.md does not list {missing:?}");
    }
}
