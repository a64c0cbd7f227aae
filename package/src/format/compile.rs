//! Reads a package, and tries it out before anybody uses it: each fault is found, not only the first.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::engine::object::ObjectSet;
use crate::fault::{Fault, PackageError, once_each};
use crate::format::fields;
use crate::format::sample::{self, Surroundings};
use crate::format::{names, offered, operations};
use crate::package::Package;
use crate::plan::Plan;
use crate::render::render;
use crate::rule::Rule;
use crate::security::pods;
use commonscloud_api::{ServiceTemplateSpec, TemplateVersion};

impl Package {
    /// Reads a package that is offered and checks it against every rule of the format; its manifests are
    /// rendered for each version and each example of its parameters, on platforms of three kinds.
    ///
    /// # Errors
    /// Every fault that was found, with manifest and line where known.
    pub fn compile(name: &str, spec: &ServiceTemplateSpec) -> Result<Self, PackageError> {
        let package = Self::new(fields::read(name, spec)?);
        let faults = try_out(&package, true);
        package.if_good(faults)
    }

    /// Reads a package that was offered to some release and may run: what is only asked of those that are
    /// offered is not asked again.
    ///
    /// # Errors
    /// Every fault that was found, with manifest and line where known.
    pub fn of_revision(name: &str, spec: &ServiceTemplateSpec) -> Result<Self, PackageError> {
        let package = Self::new(fields::read(name, spec)?);
        let faults = try_out(&package, false);
        package.if_good(faults)
    }

    fn if_good(self, faults: Vec<Fault>) -> Result<Self, PackageError> {
        if faults.is_empty() {
            return Ok(self);
        }
        Err(PackageError { package: self.name().to_owned(), faults: once_each(faults) })
    }
}

/// Renders the package for each version, each example of its parameters, and with as little and as
/// much of a platform as there can be; the faults of what is rendered. `is_offered`: on a platform where all
/// is otherwise too, and by the rules for what is offered once it breaks no other.
fn try_out(package: &Package, is_offered: bool) -> Vec<Fault> {
    let mut faults = names::faults(package);
    let misspelt = |fault: &Fault, known: &[Fault]| {
        known
            .iter()
            .any(|known| known.rule == fault.rule && known.manifest == fault.manifest && known.line == fault.line)
    };
    let known = faults.clone();
    let examples = package.compiled().parameters.examples();
    if examples.is_empty() {
        faults.push(Fault::package(
            Rule::ParameterExample,
            "spec.parameters",
            "parameters: no value can be left out, so give at least one whole example in the schema's `examples`",
        ));
    }
    let surroundings: &[Surroundings] = if is_offered { &Surroundings::ALL } else { &Surroundings::OF_REVISIONS };
    let mut containers = BTreeSet::new();
    let mut of_offered = if is_offered { offered::of_fields(package.spec()) } else { Vec::new() };
    for version in package.versions() {
        for (field, example) in &examples {
            for surroundings in surroundings {
                match try_one(package, version, (field, example), *surroundings) {
                    Ok((plan, set)) => {
                        containers.extend(set.objects.iter().flat_map(pods::container_names));
                        if is_offered {
                            of_offered.extend(offered::of_objects(&plan, &set.objects));
                        }
                    }
                    Err(found) => faults.extend(found.into_iter().filter(|fault| !misspelt(fault, &known))),
                }
            }
        }
    }
    if faults.is_empty() {
        faults.extend(unknown_containers(package, &containers));
    }
    if faults.is_empty() {
        faults.extend(of_offered);
    }
    faults
}

/// Renders one sample. `example`: the field of the package that it comes from, and itself.
fn try_one(
    package: &Package,
    version: &TemplateVersion,
    (field, example): (&str, &Value),
    surroundings: Surroundings,
) -> Result<(Plan, ObjectSet), Vec<Fault>> {
    let parameters = package.validate_parameters(example).map_err(|error| {
        let message = format!("parameters: an example does not follow the schema: {error}");
        vec![Fault::package(Rule::ParameterExample, field, message)]
    })?;
    let plan = sample::plan(package, version, parameters, surroundings)
        .map_err(|error| vec![Fault::package(Rule::VolumeSize, "spec.volumes", error.to_string())])?;
    let set = render(&plan).map_err(|error| error.faults)?;
    let faults = operations::rendered(package, &plan, &set.objects);
    if faults.is_empty() { Ok((plan, set)) } else { Err(faults) }
}

/// What is said of containers that there are not: what is meant may have been renamed.
fn unknown_containers(package: &Package, containers: &BTreeSet<String>) -> Vec<Fault> {
    let spec = package.spec();
    let exceptions = spec.pod_security_exceptions.iter().enumerate().map(|(at, exception)| {
        (
            Rule::Exception,
            "podSecurityExceptions",
            format!("podSecurityExceptions[{at}].container"),
            &exception.container,
        )
    });
    let configured_by = spec.configured_by.iter().enumerate();
    let configured_by = configured_by
        .map(|(at, container)| (Rule::ConfiguredBy, "configuredBy", format!("configuredBy[{at}]"), container));
    let known = containers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    exceptions
        .chain(configured_by)
        .filter(|(.., container)| !containers.contains(*container))
        .map(|(rule, list, field, container)| {
            let message = format!("{list}: {container:?} names no container that is rendered; there are: {known}");
            Fault::package(rule, format!("spec.{field}"), message)
        })
        .collect()
}
