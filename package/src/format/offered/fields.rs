//! Images and figures, as the package has them before any Platform changes them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Figure;

use crate::fault::Fault;
use crate::rule::Rule;
use commonscloud_api::values::Quantity;
use commonscloud_api::{Component, ServiceTemplateSpec};

/// The names by which images of PostgreSQL go.
const POSTGRESQL: [&str; 6] = ["postgres", "postgresql", "pgvector", "postgis", "timescaledb", "timescaledb-ha"];

/// The faults of a package's images and figures.
pub(crate) fn faults(spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let images = spec.versions.iter().enumerate().flat_map(|(at, version)| {
        let images = version.images.iter().enumerate();
        images.map(move |(image, of)| (format!("spec.versions[{at}].images[{image}].reference"), &of.reference))
    });
    let images = images.filter_map(|(field, reference)| {
        let (rule, why) = image(reference)?;
        Some(Fault::package(rule, field, format!("versions: image {reference:?} {why}")))
    });
    images.chain(spec.components.iter().enumerate().flat_map(|(at, component)| figures(at, component))).collect()
}

/// What is wrong with an image that is named by its tag alone.
fn image(reference: &str) -> Option<(Rule, &'static str)> {
    let last = reference.rsplit('/').next().unwrap_or_default();
    let (name, tag) = last.split_once(':').filter(|_| !last.contains('@'))?;
    if !tag.contains(|c: char| c.is_ascii_digit()) {
        return Some((
            Rule::ImageTag,
            "has a tag that is moved from version to version: name the version, such as app:2.1, or a digest",
        ));
    }
    let names_base = |part: &str| {
        let has_digit = part.contains(|c: char| c.is_ascii_digit());
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && (part != "alpine") && (has_digit || part.len() > 3)
    };
    let is_postgresql = POSTGRESQL.contains(&name);
    (is_postgresql && !tag.split('-').skip(1).any(names_base)).then_some((
        Rule::ImageBase,
        "needs the release of the system below it in its tag, such as postgres:16-trixie or postgres:16-alpine3.22, or a digest",
    ))
}

/// Requests above limits are refused by the API server, pod by pod; a limit of CPU slows down what nobody
/// else needs.
fn figures(at: usize, component: &Component) -> Vec<Fault> {
    let none = BTreeMap::new();
    let limits = component.resources.limits.as_ref().unwrap_or(&none);
    let requests = component.resources.requests.as_ref().unwrap_or(&none);
    let field = |list: &str, name: &str| format!("spec.components[{at}].resources.{list}.{name}");
    let mut faults = Vec::new();
    if limits.contains_key("cpu") {
        let message = format!(
            "components: {}: leave limits.cpu out, since it slows the application down on an idle node; a Platform that wants one has `resources` for it",
            component.name
        );
        faults.push(Fault::package(Rule::Figures, field("limits", "cpu"), message));
    }
    let amount = |figure: &Figure| figure.0.parse::<Quantity>().ok();
    for (name, request) in requests {
        if let Some(limit) = limits.get(name)
            && amount(request) > amount(limit)
        {
            let message = format!(
                "components: {}: requests {name} {} and is limited to {}, so no pod can be made; raise the limit, or lower the request",
                component.name, request.0, limit.0
            );
            faults.push(Fault::package(Rule::Figures, field("requests", name), message));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_a_version_and_postgresqls_its_base_too() {
        for good in [
            "docker.io/library/nginx:1.29",
            "registry:5000/app@sha256:00",
            "docker.io/library/postgres@sha256:00",
            "docker.io/library/postgres:16-trixie",
            "docker.io/library/postgres:16.4-alpine3.22",
            "docker.io/pgvector/pgvector:pg16-bookworm",
            "docker.io/bitnami/postgresql:16.4.0-debian-12-r1",
            "docker.io/library/mariadb:11",
        ] {
            assert_eq!(image(good), None, "{good}");
        }
        for moved in ["docker.io/library/nginx:stable", "app:main", "app:bookworm"] {
            assert_eq!(image(moved).map(|(rule, _)| rule), Some(Rule::ImageTag), "{moved}");
        }
        for floating in ["docker.io/library/postgres:16", "postgres:16-alpine", "docker.io/pgvector/pgvector:pg16"] {
            assert_eq!(image(floating).map(|(rule, _)| rule), Some(Rule::ImageBase), "{floating}");
        }
    }
}
