//! The rules of a package's own fields: what can be checked without rendering it.

use std::collections::BTreeSet;

use crate::engine::environment;
use crate::fault::{Fault, PackageError, once_each};
use crate::format::operations;
use crate::kinds;
use crate::package::{Compiled, Package, PackageGrowth, PackageVolume, matches_version};
use crate::parameters::{self, Parameters};
use crate::rule::Rule;
use commonscloud_api::values::{Bytes, ExpressionError, GrowthRule, SizeExpression};
use commonscloud_api::{ServiceTemplateSpec, TemplateVersion, VolumeTemplate};

/// Kinds whose names Kubernetes extends, and how long the declared part may be.
const SHORTER_NAMES: [(&str, usize); 2] = [("CronJob", 21), ("StatefulSet", 21)];

/// Reads a package and checks what can be checked without rendering it.
///
/// # Errors
/// Every fault.
pub(crate) fn read(name: &str, spec: &ServiceTemplateSpec) -> Result<Compiled, PackageError> {
    let mut faults = Vec::new();
    faults.extend(name_rules(name));
    faults.extend(version_rules(spec));
    faults.extend(uniqueness(spec));
    faults.extend(manifest_rules(spec));
    faults.extend(secret_rules(spec));
    faults.extend(operations::faults(name, spec));
    let mut tera = environment::engine();
    for manifest in &spec.manifests {
        if let Err(found) = environment::add(&mut tera, &manifest.name, &manifest.template) {
            faults.extend(found);
        }
    }
    let (volumes, volume_faults) = volumes(spec);
    faults.extend(volume_faults);
    let parameters = Parameters::new(&spec.parameters)
        .map_err(|(field, message)| faults.push(Fault::package(Rule::ParameterSchema, field, message)))
        .ok();
    faults.extend(parameters::open_objects(&spec.parameters, "spec.parameters").into_iter().map(|field| {
        let message = "parameters: say `additionalProperties: false`, so that a misspelt parameter is refused";
        Fault::package(Rule::ParametersClosed, field, message)
    }));
    match parameters {
        Some(parameters) if faults.is_empty() => Ok(Compiled {
            name: name.to_owned(),
            spec: spec.clone(),
            digest: Package::digest_of(spec),
            tera,
            volumes,
            parameters,
        }),
        _ => Err(PackageError { package: name.to_owned(), faults: once_each(faults) }),
    }
}

fn name_rules(name: &str) -> Option<Fault> {
    let good = (1..=30).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (!good).then(|| {
        let message =
            format!("metadata.name {name:?}: at most 30 of a-z, 0-9 and -, beginning with a letter, not ending with -");
        Fault::package(Rule::PackageName, "metadata.name", message)
    })
}

fn version_rules(spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    if spec.versions.is_empty() {
        faults.push(Fault::package(Rule::Schema, "spec.versions", "versions: needs at least one"));
    }
    let names = |version: &TemplateVersion| -> BTreeSet<String> {
        version.images.iter().map(|image| image.name.clone()).collect()
    };
    for (at, version) in spec.versions.iter().enumerate() {
        let field = format!("spec.versions[{at}]");
        if Some(names(version)) != spec.versions.first().map(names) {
            let message = format!(
                "versions: {:?} has other images than the first version; manifests need the same names in each",
                version.name
            );
            faults.push(Fault::package(Rule::VersionImages, format!("{field}.images"), message));
        }
        for (image_at, image) in version.images.iter().enumerate() {
            let tail = image.reference.rsplit('/').next().unwrap_or_default();
            if !tail.contains(':') || tail.ends_with(":latest") {
                let message =
                    format!("versions: image {:?} needs a tag other than latest, or a digest", image.reference);
                faults.push(Fault::package(Rule::ImageTag, format!("{field}.images[{image_at}].reference"), message));
            }
        }
    }
    faults.extend(upgrade_rules(&spec.versions));
    faults
}

/// Upgrades lead from older versions to newer ones, and from each of them somewhere.
fn upgrade_rules(versions: &[TemplateVersion]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, version) in versions.iter().enumerate() {
        for (pattern_at, pattern) in version.upgrades_from.iter().enumerate() {
            if let Some(why) = no_step(versions, at, pattern) {
                let message = format!(
                    "versions: {:?} cannot be upgraded from {pattern:?}: name older versions, {why}",
                    version.name
                );
                let field = format!("spec.versions[{at}].upgradesFrom[{pattern_at}]");
                faults.push(Fault::package(Rule::UpgradeStep, field, message));
            }
        }
        let from_here = |newer: &TemplateVersion| newer.upgrades_from.iter().any(|p| matches_version(p, &version.name));
        if at > 0 && !versions.iter().take(at).any(from_here) {
            let message = format!(
                "versions: {:?} can be upgraded to none of the newer ones, which stand before it in the list, so its instances would stay there; add it to a newer version's upgradesFrom",
                version.name
            );
            faults.push(Fault::package(Rule::UpgradePath, format!("spec.versions[{at}].name"), message));
        }
    }
    faults
}

/// Why the version at this place of the list cannot follow those that the pattern names.
fn no_step(versions: &[TemplateVersion], at: usize, pattern: &str) -> Option<String> {
    if pattern.trim_end_matches('*').contains('*') {
        return Some("with * only at the end".to_owned());
    }
    let newer = versions.iter().take(at + 1).rposition(|newer| matches_version(pattern, &newer.name))?;
    if newer == at {
        return Some("not the version itself".to_owned());
    }
    let name = versions.get(newer).map_or("", |version| version.name.as_str());
    Some(format!("and {name:?} stands before it in the list: the newest version stands first"))
}

/// The API server holds list maps unique; a package from a file has to be checked here.
fn uniqueness(spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut once = |what: &str, names: Vec<(String, String)>| {
        let mut seen = BTreeSet::new();
        for (field, name) in names {
            if !seen.insert(name.clone()) {
                faults.push(Fault::package(Rule::Unique, field, format!("{what}: {name:?} is there twice")));
            }
        }
    };
    let list = |list: &str, names: Vec<&String>| -> Vec<(String, String)> {
        let named = names.into_iter().enumerate();
        named.map(|(at, name)| (format!("spec.{list}[{at}].name"), name.clone())).collect()
    };
    once("versions", list("versions", spec.versions.iter().map(|v| &v.name).collect()));
    once("components", list("components", spec.components.iter().map(|c| &c.name).collect()));
    once("volumes", list("volumes", spec.volumes.iter().map(|v| &v.name).collect()));
    once("secrets", list("secrets", spec.secrets.iter().map(|s| &s.name).collect()));
    once("files", list("files", spec.files.iter().map(|f| &f.name).collect()));
    once("manifests", list("manifests", spec.manifests.iter().map(|m| &m.name).collect()));
    for (at, version) in spec.versions.iter().enumerate() {
        let names = version.images.iter().map(|image| &image.name).collect();
        once("images", list(&format!("versions[{at}].images"), names));
    }
    let objects = spec.manifests.iter().enumerate().flat_map(|(at, manifest)| {
        let objects = manifest.objects.iter().enumerate();
        objects.map(move |(o, object)| {
            (format!("spec.manifests[{at}].objects[{o}]"), format!("{} {}", object.kind, object.name))
        })
    });
    once("objects", objects.collect());
    faults
}

fn manifest_rules(spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    if spec.manifests.is_empty() {
        faults.push(Fault::package(Rule::Schema, "spec.manifests", "manifests: needs at least one"));
    }
    for (at, manifest) in spec.manifests.iter().enumerate() {
        for (object_at, object) in manifest.objects.iter().enumerate() {
            let field = format!("spec.manifests[{at}].objects[{object_at}]");
            if kinds::find(&object.kind).is_none() {
                let message = format!("objects: {}", kinds::why_not(&object.kind));
                faults.push(Fault::declared(Rule::Kind, &manifest.name, &field, message));
            }
            let longest =
                SHORTER_NAMES.iter().find(|(kind, _)| *kind == object.kind).map_or(30, |(_, longest)| *longest);
            if object.name.len() > longest {
                let message =
                    format!("objects: the name {:?} is too long for a {}; at most {longest}", object.name, object.kind);
                faults.push(Fault::declared(Rule::ObjectName, &manifest.name, &field, message));
            }
        }
    }
    faults
}

/// The API server holds this by a rule of the schema; a package from a file has to be checked here.
fn secret_rules(spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let keys = spec.secrets.iter().enumerate().flat_map(|(at, secret)| {
        let keys = secret.keys.iter().enumerate();
        keys.map(move |(key_at, key)| (format!("spec.secrets[{at}].keys[{key_at}]"), key))
    });
    keys.filter(|(_, key)| key.value.is_some() == key.length.is_some())
        .map(|(field, key)| {
            let message = format!("secrets: key {:?}: set one of value and length", key.name);
            Fault::package(Rule::SecretKey, field, message)
        })
        .collect()
}

fn volumes(spec: &ServiceTemplateSpec) -> (Vec<PackageVolume>, Vec<Fault>) {
    let (mut volumes, mut faults) = (Vec::new(), Vec::new());
    for (at, volume) in spec.volumes.iter().enumerate() {
        let before = spec.volumes.iter().take(at);
        if volume.carries_quota && before.clone().any(|other| other.carries_quota) {
            let message = "volumes: only one can be the one that carriesQuota";
            faults.push(Fault::package(Rule::VolumeQuota, format!("spec.volumes[{at}].carriesQuota"), message));
        }
        let mut fault = |rule: Rule, field: &str, message: &str| {
            let message = format!("volumes: {:?}: {message}", volume.name);
            faults.push(Fault::package(rule, format!("spec.volumes[{at}].{field}"), message));
        };
        let size = match size(volume) {
            Ok(size) => size,
            Err((rule, message)) => {
                fault(rule, "size", &message);
                continue;
            }
        };
        match growth(volume, &size) {
            Ok(growth) => volumes.push(PackageVolume {
                name: volume.name.clone(),
                carries_quota: volume.carries_quota,
                access: volume.access,
                growth,
                size,
            }),
            Err((field, message)) => fault(Rule::VolumeGrowth, field, &message),
        }
    }
    (volumes, faults)
}

/// Quotas that sizes are tried with.
const QUOTAS: [u64; 3] = [1 << 30, 5 << 30, 10 << 40];

/// How the volume grows, or the field at fault and what is wrong.
fn growth(volume: &VolumeTemplate, size: &SizeExpression) -> Result<Option<PackageGrowth>, (&'static str, String)> {
    let Some(growth) = &volume.growth else { return Ok(None) };
    if volume.carries_quota {
        return Err(("growth", "the volume that carriesQuota does not grow by itself: its size is sold".to_owned()));
    }
    let wrong = |error: ExpressionError| ("growth.maximum", error.to_string());
    let maximum: SizeExpression = growth.maximum.parse().map_err(wrong)?;
    for quota in QUOTAS.map(Bytes::new) {
        let (most, least) = (maximum.evaluate(quota).map_err(wrong)?, size.evaluate(quota).map_err(wrong)?);
        if most < least {
            let message = format!("for a quota of {quota} it is {most}, less than the size of {least}");
            return Err(("growth.maximum", message));
        }
    }
    let rule =
        GrowthRule { when_free_below_percent: growth.when_free_below_percent, step_percent: growth.step_percent };
    Ok(Some(PackageGrowth { rule, maximum }))
}

fn size(volume: &VolumeTemplate) -> Result<SizeExpression, (Rule, String)> {
    let wrong = |error: ExpressionError| (Rule::VolumeSize, error.to_string());
    let size: SizeExpression = volume.size.parse().map_err(wrong)?;
    for quota in QUOTAS {
        size.evaluate(Bytes::new(quota)).map_err(wrong)?;
    }
    if volume.carries_quota && size.evaluate(Bytes::new(7 << 30)).ok() != Some(Bytes::new(7 << 30)) {
        return Err((Rule::VolumeQuota, "the volume that carriesQuota has the size quota".to_owned()));
    }
    Ok(size)
}
