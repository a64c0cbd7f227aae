//! Reads a package, and tries it out before anybody uses it: each fault is found, not only the first.

use serde_json::Value;

use super::fault::{Fault, PackageError, once_each};
use super::fields;
use super::package::Package;
use super::render::render;
use super::sample::{self, Surroundings};
use crate::api::{ServiceTemplateSpec, TemplateVersion};

impl Package {
    /// Reads a package and checks it against every rule of the format; its manifests are rendered
    /// once for each version and each example of its parameters.
    ///
    /// # Errors
    /// Every fault that was found, with manifest and line where known.
    pub fn compile(name: &str, spec: &ServiceTemplateSpec) -> Result<Self, PackageError> {
        let package = Self::new(fields::read(name, spec)?);
        try_out(&package)?;
        Ok(package)
    }
}

/// Renders the package for each version, each example of its parameters, and with as little and as
/// much of a platform as there can be.
///
/// # Errors
/// Every rule that a rendered object breaks.
fn try_out(package: &Package) -> Result<(), PackageError> {
    let mut faults = Vec::new();
    let examples = package.compiled().parameters.examples();
    if examples.is_empty() {
        faults.push(Fault::package(
            "parameters: no value can be left out, so give at least one whole example in the schema's `examples`",
        ));
    }
    for version in package.versions() {
        for example in &examples {
            for surroundings in [Surroundings::Bare, Surroundings::Full] {
                faults.extend(try_one(package, version, example, surroundings));
            }
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(PackageError { package: package.name().to_owned(), faults: once_each(faults) })
    }
}

fn try_one(package: &Package, version: &TemplateVersion, example: &Value, surroundings: Surroundings) -> Vec<Fault> {
    let parameters = match package.validate_parameters(example) {
        Ok(parameters) => parameters,
        Err(error) => {
            return vec![Fault::package(format!("parameters: an example does not follow the schema: {error}"))];
        }
    };
    match sample::plan(package, version, parameters, surroundings) {
        Err(error) => vec![Fault::package(error.to_string())],
        Ok(plan) => render(&plan).err().map(|error| error.faults).unwrap_or_default(),
    }
}
