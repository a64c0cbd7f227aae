//! The rules of a package's own fields: what can be checked without rendering it.

use std::collections::BTreeSet;

use super::engine;
use super::fault::{Fault, PackageError, once_each};
use super::kinds;
use super::package::{Compiled, Package, PackageVolume, matches_version};
use super::parameters::Parameters;
use crate::api::{ServiceTemplateSpec, VolumeTemplate};
use crate::core::{Bytes, SizeExpression};

/// Kinds whose names Kubernetes extends, and how long the declared part may be.
const SHORTER_NAMES: [(&str, usize); 2] = [("CronJob", 21), ("StatefulSet", 21)];

/// Reads a package and checks what can be checked without rendering it.
///
/// # Errors
/// Every fault.
pub(super) fn read(name: &str, spec: &ServiceTemplateSpec) -> Result<Compiled, PackageError> {
    let mut faults = Vec::new();
    faults.extend(name_rules(name));
    faults.extend(version_rules(spec));
    faults.extend(uniqueness(spec));
    faults.extend(manifest_rules(spec));
    let mut tera = engine::engine();
    for manifest in &spec.manifests {
        if let Err(found) = engine::add(&mut tera, &manifest.name, &manifest.template) {
            faults.extend(found);
        }
    }
    let (volumes, volume_faults) = volumes(spec);
    faults.extend(volume_faults);
    let parameters = Parameters::new(&spec.parameters).map_err(|message| faults.push(Fault::package(message))).ok();
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
        Fault::package(format!(
            "metadata.name {name:?}: at most 30 of a-z, 0-9 and -, beginning with a letter, not ending with -"
        ))
    })
}

fn version_rules(spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    if spec.versions.is_empty() {
        faults.push(Fault::package("versions: needs at least one"));
    }
    let names = |at: usize| {
        spec.versions.get(at).map(|version| version.images.iter().map(|i| i.name.as_str()).collect::<BTreeSet<_>>())
    };
    for (at, version) in spec.versions.iter().enumerate() {
        if names(at) != names(0) {
            faults.push(Fault::package(format!(
                "versions: {:?} has other images than the first version; manifests need the same names in each",
                version.name
            )));
        }
        for image in &version.images {
            let tail = image.reference.rsplit('/').next().unwrap_or_default();
            if !tail.contains(':') || tail.ends_with(":latest") {
                faults.push(Fault::package(format!(
                    "versions: image {:?} needs a tag other than latest, or a digest",
                    image.reference
                )));
            }
        }
        for pattern in &version.upgrades_from {
            if matches_version(pattern, &version.name) || pattern.trim_end_matches('*').contains('*') {
                faults.push(Fault::package(format!(
                    "versions: {:?} cannot be upgraded from {pattern:?}: name other versions, with * only at the end",
                    version.name
                )));
            }
        }
    }
    faults
}

/// The API server holds list maps unique; a package from a file has to be checked here.
fn uniqueness(spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut once = |what: &str, names: Vec<&str>| {
        let mut seen = BTreeSet::new();
        faults.extend(
            names
                .into_iter()
                .filter(|name| !seen.insert(*name))
                .map(|name| Fault::package(format!("{what}: {name:?} is there twice"))),
        );
    };
    once("versions", spec.versions.iter().map(|v| v.name.as_str()).collect());
    once("components", spec.components.iter().map(|c| c.name.as_str()).collect());
    once("volumes and secrets", spec.volumes.iter().map(|v| v.name.as_str()).collect());
    once("secrets", spec.secrets.iter().map(|s| s.name.as_str()).collect());
    once("files", spec.files.iter().map(|f| f.name.as_str()).collect());
    once("manifests", spec.manifests.iter().map(|m| m.name.as_str()).collect());
    for version in &spec.versions {
        once("images", version.images.iter().map(|i| i.name.as_str()).collect());
    }
    let objects: Vec<_> =
        spec.manifests.iter().flat_map(|m| &m.objects).map(|o| format!("{} {}", o.kind, o.name)).collect();
    once("objects", objects.iter().map(String::as_str).collect());
    faults
}

fn manifest_rules(spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    if spec.manifests.is_empty() {
        faults.push(Fault::package("manifests: needs at least one"));
    }
    let mut workloads = BTreeSet::new();
    for manifest in &spec.manifests {
        for object in &manifest.objects {
            if kinds::find(&object.kind).is_none() {
                let allowed = kinds::allowed_kinds().iter().map(|kind| kind.kind).collect::<Vec<_>>().join(", ");
                faults.push(Fault::manifest(
                    &manifest.name,
                    None,
                    format!("objects: the kind {:?} is not allowed; allowed: {allowed}", object.kind),
                ));
            }
            let longest =
                SHORTER_NAMES.iter().find(|(kind, _)| *kind == object.kind).map_or(30, |(_, longest)| *longest);
            if object.name.len() > longest {
                faults.push(Fault::manifest(
                    &manifest.name,
                    None,
                    format!("objects: the name {:?} is too long for a {}; at most {longest}", object.name, object.kind),
                ));
            }
            workloads.insert(object.name.as_str());
        }
    }
    for exception in &spec.pod_security_exceptions {
        let workload = exception.container.split_once('/').map(|(workload, _)| workload);
        if !workload.is_some_and(|workload| workloads.contains(workload)) {
            faults.push(Fault::package(format!(
                "podSecurityExceptions: {:?} names no declared object; write workload/container",
                exception.container
            )));
        }
    }
    faults
}

fn volumes(spec: &ServiceTemplateSpec) -> (Vec<PackageVolume>, Vec<Fault>) {
    let mut faults = Vec::new();
    if spec.volumes.iter().filter(|volume| volume.carries_quota).count() > 1 {
        faults.push(Fault::package("volumes: only one can be the one that carriesQuota"));
    }
    let read = |volume: &VolumeTemplate| -> Result<PackageVolume, String> {
        let size: SizeExpression = volume.size.parse().map_err(|error| format!("{error}"))?;
        for quota in [1_u64 << 30, 5 << 30, 10 << 40] {
            size.evaluate(Bytes::new(quota)).map_err(|error| error.to_string())?;
        }
        if volume.carries_quota && size.evaluate(Bytes::new(7 << 30)).ok() != Some(Bytes::new(7 << 30)) {
            return Err("the volume that carriesQuota has the size quota".to_owned());
        }
        Ok(PackageVolume {
            name: volume.name.clone(),
            carries_quota: volume.carries_quota,
            access: volume.access,
            size,
        })
    };
    let mut volumes = Vec::new();
    for volume in &spec.volumes {
        match read(volume) {
            Ok(volume) => volumes.push(volume),
            Err(message) => faults.push(Fault::package(format!("volumes: {:?}: {message}", volume.name))),
        }
    }
    (volumes, faults)
}
