//! Which revision and which version an instance runs.

use std::sync::Arc;

use super::facts::{Facts, UnfinishedRestore};
use super::instance::Instance;
use super::refusal::{Refusal, revision_not_found, template_not_found};
use super::rollout::{Rollout, rollout};
use crate::api::{Platform, PlatformSpec};
use crate::template::Package;

/// The names of the revisions that an instance could be on, most wanted first.
pub fn candidates<'a>(instance: &'a Instance, facts: &'a Facts, platform: Option<&PlatformSpec>) -> Vec<&'a str> {
    let newest = facts.newest_revision.as_deref();
    let recorded = facts.record.as_deref().and_then(|record| record.spec.revision.as_deref());
    let (named, runs) = (instance.spec.revision.as_deref(), instance.status.revision.as_deref());
    // No other revision begins while a restore goes on: what the data is of, once it is restored, else what runs.
    if facts.is_being_restored() {
        let has_switched = facts.restore.as_ref().is_some_and(UnfinishedRestore::has_switched);
        let pinned = if has_switched || facts.is_lost() { [recorded, runs] } else { [runs, recorded] };
        return pinned.into_iter().chain([named, newest]).flatten().collect();
    }
    let moves = matches!(rollout(instance, facts, platform), Rollout::Newest(_));
    [named, newest.filter(|_| moves), runs, recorded, newest].into_iter().flatten().collect()
}

pub(super) fn package(
    instance: &Instance,
    facts: &Facts,
    platform: &Platform,
) -> Result<(String, Arc<Package>), Refusal> {
    let wanted = candidates(instance, facts, Some(&platform.spec));
    let revision = *wanted.first().ok_or_else(|| no_revision(instance, facts, platform))?;
    let missing = || revision_not_found(revision, &instance.template, Some(platform));
    let package = facts.packages.get(revision).ok_or_else(missing)?;
    let package = package
        .as_ref()
        .map_err(|message| Refusal::PackageInvalid { revision: revision.to_owned(), message: message.clone() })?;
    if package.name() != instance.template {
        return Err(Refusal::RevisionForeign {
            revision: revision.to_owned(),
            of: package.name().to_owned(),
            template: instance.template.clone(),
        });
    }
    Ok((revision.to_owned(), Arc::clone(package)))
}

fn no_revision(instance: &Instance, facts: &Facts, platform: &Platform) -> Refusal {
    match facts.template_fault.clone() {
        Some(message) => Refusal::TemplateRefused { template: instance.template.clone(), message },
        None => template_not_found(&instance.template, Some(platform)),
    }
}

pub(super) fn version(
    instance: &Instance,
    facts: &Facts,
    revision: &str,
    package: &Package,
) -> Result<String, Refusal> {
    // What the data has, not what was asked for: an upgrade that changed nothing can be taken back.
    let runs = match facts.record.as_deref() {
        Some(record) => record.spec.version.as_deref(),
        None => instance.status.version.as_deref(),
    };
    let waits = facts.is_being_restored();
    let version = match (instance.spec.version.as_ref().filter(|_| !waits), runs) {
        (Some(asked), _) => asked.as_str(),
        (None, Some(runs)) if package.version(runs).is_some() => runs,
        (None, _) => package.latest(),
    };
    if package.version(version).is_none() {
        let allowed: Vec<&str> = package.versions().iter().map(|v| v.name.as_str()).collect();
        return Err(Refusal::VersionUnknown {
            version: version.to_owned(),
            revision: revision.to_owned(),
            allowed: allowed.join(", "),
        });
    }
    match runs {
        Some(from) if from != version && !package.may_upgrade(from, version) => Err(Refusal::UpgradeNotAllowed {
            from: from.to_owned(),
            to: version.to_owned(),
            instead: steps(package, revision, from, version),
        }),
        _ => Ok(version.to_owned()),
    }
}

/// The way from one version to another, which is not one step.
fn steps(package: &Package, revision: &str, from: &str, to: &str) -> String {
    let place = |name: &str| package.versions().iter().position(|version| version.name == name);
    match package.steps(from, to) {
        Some(steps) => format!("take one after the other, each once the one before it is Ready: {}", steps.join(", ")),
        // The newest stands first.
        None if place(from).is_some_and(|from| Some(from) < place(to)) => "there is no way back".to_owned(),
        None => format!("no versions of {revision} lead from one to the other"),
    }
}
