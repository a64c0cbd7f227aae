//! What is backed up, restored or drilled: a service as it is, or as a backup of it has it. No request is made here.

use std::sync::Arc;

use super::backup::{chosen, folder, key_state, operations, target, why};
use super::{Packages, observe};
use crate::api::{BackupTarget, BackupVersions, Dedicated, Entity, PlatformBackup, Reason, ServiceData};
use crate::backup::{KeyState, Own, Subject};
use crate::cache::Caches;
use crate::plan::Plan;
use crate::report::{Obstacle, Problem};
use crate::resolve::{Facts, Instance, resolve};
use crate::template::{Package, render};
use crate::usage::Measurement;

/// What is asked of a subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The target's name; of no name, the one that the service chose.
    pub(super) target: Option<&'a str>,
    /// Whether it is only to be opened: nothing is read or kept, so neither target nor key is missed.
    pub(super) only_opens: bool,
    /// The versions of the backup that it is to be as, whatever the service is by now; none: as it is.
    pub(super) of: Option<&'a BackupVersions>,
}

/// What is backed up or restored: the plan of the instance's own controller.
pub(super) fn subject(
    caches: &Caches,
    packages: &Packages,
    own: &Own,
    asked: Asked<'_>,
    resource: &dyn Dedicated,
) -> Result<Subject, Problem> {
    let mut instance = Instance::of(resource);
    let mut seen = observe(caches, packages, &instance, |_| Measurement::NotYet);
    if let Some(undecodable) = &seen.undecodable {
        return Err(why(&Obstacle::Undecodable(Arc::clone(undecodable))));
    }
    if let Some(versions) = asked.of {
        as_backed_up(caches, packages, versions, &mut instance, &mut seen.facts)?;
    }
    let resolved = resolve(&instance, &seen.facts).map_err(|refusal| why(&refusal.into()))?;
    let objects = render(&resolved.plan).map_err(|error| why(&error.into()))?.objects;
    let data = seen.data.as_ref().ok_or_else(|| why(&Obstacle::SecretsUnknown))?;
    let (Some(entity), Some(record)) = (seen.facts.entity.clone(), seen.facts.record.clone()) else {
        let message = format!("ServiceData {} is not there yet: there is no data", instance.reference.name);
        return Err(Problem::new(Reason::DataBeingMade, message));
    };
    let (backup, target) = place(asked, &seen.facts, &entity, resource)?;
    let folder = folder(caches, &entity);
    let plan = as_grown(resolved.plan, &seen.facts);
    let key = match key_state(caches, &plan, &folder, &target, data) {
        Err(_) if asked.only_opens => KeyState::There,
        key => key?,
    };
    Ok(Subject {
        operations: operations(caches, packages, &plan)?,
        is_running: !seen.owned.is_empty() && seen.children(&plan, &[]).are_running(),
        on_nodes: seen.on_nodes(),
        key,
        own: own.clone(),
        plan,
        objects,
        record,
        entity,
        backup,
        target,
        folder,
    })
}

/// What the Platform says of backups, and the target that is asked for.
fn place(
    asked: Asked<'_>,
    facts: &Facts,
    entity: &Entity,
    resource: &dyn Dedicated,
) -> Result<(PlatformBackup, BackupTarget), Problem> {
    let backup = facts.platform.as_ref().and_then(|platform| platform.spec.backup.clone());
    let found = match asked.target {
        Some(name) => target(backup.clone(), Some(name)),
        None => chosen(backup.clone(), entity, Some(resource)),
    };
    match found {
        Err(_) if asked.only_opens => Ok((backup.unwrap_or_default(), placeholder(asked.target))),
        found => found,
    }
}

/// The plan with volumes as large as they are: what is stored may not fit into what they began with.
fn as_grown(mut plan: Plan, facts: &Facts) -> Plan {
    for volume in &mut plan.volumes {
        let requested = facts.volumes.get(&volume.claim).and_then(|known| known.requested);
        volume.request = requested.map_or(volume.request, |requested| requested.max(volume.request));
    }
    plan
}

/// In the place of a target that is gone: nothing can be sent there.
fn placeholder(name: Option<&str>) -> BackupTarget {
    BackupTarget { name: name.unwrap_or_default().to_owned(), ..BackupTarget::default() }
}

/// Has it be what it was: on the revision and version that a backup was made with, by a record that says so. Its Entity
/// says what it is now, and a restore what it becomes: neither is asked.
fn as_backed_up(
    caches: &Caches,
    packages: &Packages,
    versions: &BackupVersions,
    instance: &mut Instance,
    facts: &mut Facts,
) -> Result<(), Problem> {
    let revision = caches.revisions.get("", &versions.revision).ok_or_else(|| {
        let message = format!(
            "ServiceTemplateRevision {}, with which the backup was made, is not there any more; make another backup",
            versions.revision
        );
        Problem::new(Reason::RevisionNotFound, message)
    })?;
    let compiled = packages.compile(&revision);
    if let Ok(package) = &compiled {
        leave_known(package, instance);
    }
    facts.packages.insert(versions.revision.clone(), compiled);
    facts.restore = None;
    instance.made_by = None;
    instance.spec.revision = Some(versions.revision.clone());
    instance.spec.version = Some(versions.application.clone());
    if let Some(record) = &facts.record {
        let mut former = ServiceData::clone(record);
        let has = (former.spec.version.take(), former.spec.revision.take());
        (former.spec.version, former.spec.revision) = (instance.spec.version.clone(), instance.spec.revision.clone());
        if has != (former.spec.version.clone(), former.spec.revision.clone()) {
            // It says on which images the data runs now.
            former.spec.images = None;
        }
        facts.record = Some(Arc::new(former));
    }
    Ok(())
}

/// Takes away the parameters that came with a later revision, where this one refuses them.
fn leave_known(package: &Package, instance: &mut Instance) {
    let known = package.spec().parameters["properties"].as_object();
    let is_refused = package.validate_parameters(&instance.parameters).is_err();
    if let (true, Some(known), Some(parameters)) = (is_refused, known, instance.parameters.as_object_mut()) {
        parameters.retain(|name, _| known.contains_key(name));
    }
}
