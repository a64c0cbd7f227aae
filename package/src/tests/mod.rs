//! Packages as their authors write them, through the same doors as in production.

use std::path::{Path, PathBuf};

use super::*;
use crate::format::sample::{self, Surroundings};
use commonscloud_api::ServiceTemplate;

mod agora;
mod containers;
mod database_start;
mod hostile;
mod keycloak;
mod loads;
mod network;
mod offered;
mod office;
mod operation_cases;
mod operations;
mod packages;
mod projects;
mod revisions;
mod rules;
mod scaffold;
mod schema;
mod stages;
mod typos;
mod wiki;

/// The folder of the whole source.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn radicale() -> ServiceTemplate {
    load_directory(&source("examples/templates/radicale.yaml")).unwrap()
}

/// A package that is compiled in, by its name.
fn named(name: &str) -> ServiceTemplate {
    builtin().into_iter().find(|package| package.metadata.name.as_deref() == Some(name)).unwrap()
}

/// A package of the examples.
fn example(file: &str) -> ServiceTemplate {
    load_directory(&source("examples/templates").join(file)).unwrap()
}

fn compiled(template: &ServiceTemplate) -> Package {
    Package::compile(template.metadata.name.as_deref().unwrap(), &template.spec)
        .unwrap_or_else(|error| panic!("{error:#?}"))
}
