//! Packages as their authors write them, through the same doors as in production.

use std::path::{Path, PathBuf};

use super::*;
use crate::api::ServiceTemplate;
use crate::template::sample::{self, Surroundings};

mod hostile;
mod packages;
mod rules;

/// The folder of the whole source.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn radicale() -> ServiceTemplate {
    load_directory(&source("examples/templates/radicale.yaml")).unwrap()
}

fn compiled(template: &ServiceTemplate) -> Package {
    Package::compile(template.metadata.name.as_deref().unwrap(), &template.spec)
        .unwrap_or_else(|error| panic!("{error:#?}"))
}
