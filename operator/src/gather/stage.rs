//! What a restore of all of a service means for it: what of it runs meanwhile, and which claims it makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::{Resource as _, ResourceExt as _};

use super::Packages;
use crate::api::{Operations, RestoreDestinationKind, RestorePhase, ServiceData, ServiceRestore};
use crate::cache::{Caches, restore_has_ended, restored_service};
use crate::plan::Stage;
use crate::resolve::{Facts, Instance, UnfinishedRestore, candidates};
use crate::restore::restored_volumes;
use crate::template::Package;
use crate::template::operation::operations_for;

/// Puts into the facts what the unfinished restore means. All else that decides on the package is there.
pub(super) fn put(
    caches: &Caches,
    packages: &Packages,
    instance: &Instance,
    restore: &ServiceRestore,
    facts: &mut Facts,
) {
    let operations = operations(caches, packages, instance, facts);
    let record = facts.record.clone();
    let record = record.as_deref();
    facts.stage = stage(restore, record, operations.as_ref());
    if let Some(known) = &mut facts.restore {
        known.claims = claims(restore, &instance.reference.name, record, operations.as_ref());
    }
}

/// The restore of all of a service that has not ended: of several the one that is furthest.
pub(super) fn unfinished(caches: &Caches, instance: &Instance) -> Option<Arc<ServiceRestore>> {
    let reference = &instance.reference;
    let restores = caches.restores.in_namespace(&reference.namespace).into_iter();
    let restores = restores.filter(|restore| is_of(restore, &reference.name) && !restore_has_ended(restore));
    restores.max_by_key(|restore| (phase(restore), std::cmp::Reverse(restore.meta().creation_timestamp.clone())))
}

pub(super) fn known(restore: &ServiceRestore) -> UnfinishedRestore {
    let progress = restore.status.as_ref().and_then(|status| status.progress.clone());
    UnfinishedRestore {
        name: restore.name_any(),
        phase: phase(restore),
        progress,
        claims: BTreeMap::new(),
        is_of_another: restore.spec.into.kind == RestoreDestinationKind::NewService,
    }
}

/// A part is restored into what runs.
fn is_of(restore: &ServiceRestore, service: &str) -> bool {
    let spec = &restore.spec;
    let is_whole = spec.only.is_none() && spec.into.kind != RestoreDestinationKind::Drill;
    is_whole && restored_service(restore) == service
}

fn phase(restore: &ServiceRestore) -> Option<RestorePhase> {
    restore.status.as_ref().and_then(|status| status.phase)
}

/// Stopped, but for the components that `load` and `verify` talk to, while nobody may see what is in the volumes that
/// the record names. One that returns has not returned before the record names what was there before; where nothing
/// was, because all was lost, nothing begins at all before there is data for it.
pub(super) fn stage(restore: &ServiceRestore, record: Option<&ServiceData>, operations: Option<&Operations>) -> Stage {
    let is_lost = record.is_some_and(|record| record.spec.restoring.is_some());
    let stops = match phase(restore) {
        Some(RestorePhase::Switching | RestorePhase::Loading | RestorePhase::Verifying) => true,
        Some(RestorePhase::Returning) => is_lost || names_what_was_made(restore, record, false),
        _ => false,
    };
    if !stops {
        return Stage::Whole;
    }
    if is_lost && !names_what_was_made(restore, record, true) {
        return Stage::Stopped { but: BTreeSet::new() };
    }
    let talks = operations.iter().flat_map(|operations| [&operations.load, &operations.verify]).flatten();
    Stage::Stopped { but: talks.flat_map(|talk| &talk.connects_to).map(|peer| peer.component.clone()).collect() }
}

/// `all`: also what took no former claim's place, and so stays named.
fn names_what_was_made(restore: &ServiceRestore, record: Option<&ServiceData>, all: bool) -> bool {
    let made = restore.status.iter().flat_map(|status| &status.volumes);
    let made = made.filter(|volume| all || volume.former_claim.is_some());
    let made: BTreeSet<&str> = made.map(|volume| volume.claim.as_str()).collect();
    record.is_some_and(|record| record.spec.volumes.iter().any(|volume| made.contains(volume.claim.as_str())))
}

/// The claims that it makes, by the volume's name: as its status says, or, before it does, under names that no claim
/// has, for all that a backup holds. Of a package whose operations are not known that is all that is recorded.
fn claims(
    restore: &ServiceRestore,
    instance: &str,
    record: Option<&ServiceData>,
    operations: Option<&Operations>,
) -> BTreeMap<String, String> {
    let said = restore.status.iter().flat_map(|status| &status.volumes);
    let said: BTreeMap<String, String> = said.map(|made| (made.name.clone(), made.claim.clone())).collect();
    if !said.is_empty() {
        return said;
    }
    let restored = operations.map(restored_volumes);
    let volumes = record.iter().flat_map(|record| &record.spec.volumes).map(|volume| &volume.name);
    let made = volumes.filter(|name| restored.as_ref().is_none_or(|restored| restored.contains(*name)));
    made.map(|name| (name.clone(), format!("{instance}-{name}-r?"))).collect()
}

/// The operations that the instance uses: its revision's, or those of the newest that declares itself compatible.
fn operations(caches: &Caches, packages: &Packages, instance: &Instance, facts: &Facts) -> Option<Operations> {
    let platform = facts.platform.as_deref().map(|platform| &platform.spec);
    let compiled = |name: &str| facts.packages.get(name)?.as_ref().ok().cloned();
    let pinned: Arc<Package> = candidates(instance, facts, platform).into_iter().find_map(compiled)?;
    if let Some(own) = pinned.operations() {
        return Some(own.operations.clone());
    }
    let mut revisions = caches.revisions.all();
    revisions.retain(|revision| revision.spec.template == instance.template);
    revisions.sort_by_key(|revision| std::cmp::Reverse(revision.meta().creation_timestamp.clone()));
    let others: Vec<Arc<Package>> = revisions.iter().filter_map(|revision| packages.compile(revision).ok()).collect();
    operations_for(&pinned, others.iter().map(AsRef::as_ref)).map(|source| source.operations.clone())
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
