//! The claims of a service that is restored in place. A claim is never renamed and never emptied: new ones are
//! made beside it, and the record says which ones count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::api::{DataVolume, Operations, RestoredVolume, ServiceData, ServiceDataSpec, marks};
use crate::cache::Live;
use crate::compare::{Action, Change, create_claim, requested, volume_name};
use crate::core::Bytes;
use crate::kinds;
use crate::plan::{Plan, PlannedVolume};

/// A claim that the record is to name cannot be named: nothing empty may take its place later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "PersistentVolumeClaim {claim} is not there, being deleted, or another one by now, and the record of the data does not name it; see what became of it: kubectl -n {namespace} describe persistentvolumeclaim {claim}"
)]
pub struct NotThere {
    /// The namespace.
    pub namespace: String,
    /// The claim.
    pub claim: String,
}

/// A claim that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Kept {
    /// The record names it.
    #[error("PersistentVolumeClaim {0} is named by the record of the data and is kept")]
    Named(String),
    /// Another claim has the name by now, or it is another service's.
    #[error("PersistentVolumeClaim {0} is not the one that the restore knew, and is kept; look whose it is")]
    Another(String),
}

/// The volumes that a backup holds, by their names in the package: the others keep what is in them.
pub fn restored_volumes(operations: &Operations) -> BTreeSet<String> {
    let files = operations.files.iter().map(|tree| &tree.volume);
    files.chain(&operations.dumped).cloned().collect()
}

/// The claims that are made for the volumes in `restored`, and those whose place they take. They are called
/// `{instance}-{volume}-r{n}`, with one `n` for all: one more than the largest that the record or one of the
/// namespace's `claims` uses. A volume that is not restored keeps its claim.
pub fn next_claims(
    record: &ServiceDataSpec,
    volumes: &[PlannedVolume],
    restored: &BTreeSet<String>,
    claims: &[Arc<Live>],
) -> Vec<RestoredVolume> {
    let instance = &record.owner.name;
    let taken: Vec<&str> = claims
        .iter()
        .map(|claim| claim.name())
        .chain(record.volumes.iter().map(|volume| volume.claim.as_str()))
        .collect();
    let made: Vec<&PlannedVolume> = volumes.iter().filter(|volume| restored.contains(&volume.name)).collect();
    let numbers =
        made.iter().flat_map(|volume| taken.iter().filter_map(move |claim| number(instance, &volume.name, claim)));
    let next = numbers.max().unwrap_or_default().saturating_add(1);
    let one = |volume: &&PlannedVolume| {
        // A name that no claim has, and none is known to have had, is no place to be taken, nor to go back to.
        let is_known = |of: &&DataVolume| of.uid.is_some() || find(claims, &of.claim).is_some();
        let recorded = record.volumes.iter().find(|recorded| recorded.name == volume.name).filter(is_known);
        RestoredVolume {
            name: volume.name.clone(),
            claim: format!("{instance}-{}-r{next}", volume.name),
            uid: None,
            former_claim: recorded.map(|recorded| recorded.claim.clone()),
            former_uid: recorded.and_then(|recorded| recorded.uid.clone()),
        }
    };
    made.iter().map(one).collect()
}

/// The number of a claim that a restore made for this volume.
fn number(instance: &str, volume: &str, claim: &str) -> Option<u32> {
    let number = claim.strip_prefix(instance)?.strip_prefix('-')?.strip_prefix(volume)?.strip_prefix("-r")?;
    number.parse().ok()
}

/// Makes the new claims, as the plan makes its own: labels, class and access are the same. One requests what its
/// volume is to have now or what the former one has grown to, whichever is more.
pub fn claim_objects(plan: &Plan, volumes: &[RestoredVolume], claims: &[Arc<Live>]) -> Vec<Change> {
    large_enough(plan, volumes, claims, &BTreeMap::new())
}

/// The same, and none requests less than its volume did in the backup: `sizes`, in bytes, of the manifest. Where all
/// was lost nothing else knows it.
pub(super) fn large_enough(
    plan: &Plan,
    volumes: &[RestoredVolume],
    claims: &[Arc<Live>],
    sizes: &BTreeMap<String, u64>,
) -> Vec<Change> {
    let made = volumes.iter().filter_map(|made| {
        let planned = plan.volumes.iter().find(|planned| planned.name == made.name)?;
        let former = made.former_claim.as_ref().and_then(|former| find(claims, former)).and_then(requested);
        let stored = sizes.get(&made.name).copied().map(Bytes::new);
        let request = [former, stored].into_iter().flatten().fold(planned.request, Ord::max);
        Some(create_claim(plan, &PlannedVolume { claim: made.claim.clone(), request, ..planned.clone() }))
    });
    made.collect()
}

/// Lets the record name the new claims, by the uids of those in `claims`: the namespace's. Nothing where it does.
///
/// # Errors
/// When one of them is not there, or being deleted.
pub fn switch(
    record: &ServiceData,
    volumes: &[RestoredVolume],
    claims: &[Arc<Live>],
) -> Result<Option<Change>, NotThere> {
    rename(record, volumes, "use what was restored", |made| {
        let bound = bind(record, claims, &made.claim, made.uid.as_deref())?;
        Ok(DataVolume { name: made.name.clone(), former_uid: made.former_uid.clone(), ..bound })
    })
}

/// Lets the record name the former claims again. Nothing where it does.
///
/// # Errors
/// When one of them is not there, or being deleted.
pub fn switch_back(
    record: &ServiceData,
    volumes: &[RestoredVolume],
    claims: &[Arc<Live>],
) -> Result<Option<Change>, NotThere> {
    let replaced: Vec<RestoredVolume> = volumes.iter().filter(|made| made.former_claim.is_some()).cloned().collect();
    rename(record, &replaced, "use what was there before", |made| {
        let former = made.former_claim.as_deref().unwrap_or_default();
        let bound = bind(record, claims, former, made.former_uid.as_deref())?;
        Ok(DataVolume { name: made.name.clone(), former_uid: made.uid.clone(), ..bound })
    })
}

/// Takes away what the record says of a work on the data as a whole: it is there, and equal to its backup. Nothing
/// where it says nothing.
pub fn restored(record: &ServiceData) -> Option<Change> {
    record.spec.restoring.as_ref()?;
    let metadata = &record.metadata;
    let patch = json!({
        "metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version},
        "spec": {"restoring": Value::Null},
    });
    Some(of_record(record, patch, "the data is there"))
}

/// A patch of the record as it was seen, if it says something else of these volumes. Any other is left as it is.
fn rename(
    record: &ServiceData,
    volumes: &[RestoredVolume],
    because: &str,
    bound: impl Fn(&RestoredVolume) -> Result<DataVolume, NotThere>,
) -> Result<Option<Change>, NotThere> {
    let mut renamed = record.spec.volumes.clone();
    for made in volumes {
        let wanted = bound(made)?;
        match renamed.iter_mut().find(|volume| volume.name == wanted.name) {
            Some(known) if known.claim == wanted.claim && known.uid == wanted.uid => {}
            Some(known) => *known = wanted,
            None => renamed.push(wanted),
        }
    }
    if renamed == record.spec.volumes {
        return Ok(None);
    }
    let metadata = &record.metadata;
    let patch = json!({
        "metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version},
        "spec": {"volumes": renamed},
    });
    Ok(Some(of_record(record, patch, because)))
}

fn of_record(record: &ServiceData, patch: Value, because: &str) -> Change {
    Change {
        kind: kinds::SERVICE_DATA.kind.to_owned(),
        namespace: record.namespace().unwrap_or_default(),
        name: record.name_any(),
        action: Action::Merge { patch, because: because.to_owned() },
    }
}

/// What the record is to say of a volume whose claim is this one. `uid`: what it is known by, once it is.
fn bind(record: &ServiceData, claims: &[Arc<Live>], claim: &str, uid: Option<&str>) -> Result<DataVolume, NotThere> {
    let not_there = || NotThere { namespace: record.namespace().unwrap_or_default(), claim: claim.to_owned() };
    let is_it = |live: &&Live| uid.is_none() || live.metadata.uid.as_deref() == uid;
    let live = find(claims, claim).filter(is_it).filter(|live| live.metadata.deletion_timestamp.is_none());
    let live = live.ok_or_else(not_there)?;
    Ok(DataVolume {
        claim: claim.to_owned(),
        uid: live.metadata.uid.clone(),
        // That of a database may be bound no earlier than the database begins on it.
        volume_name: volume_name(live).map(str::to_owned),
        ..DataVolume::default()
    })
}

/// The next step to the end of a claim that the record does not name any more, or never did: first it says that the
/// ServiceRestore `restore` superseded it, which lets admission take its deletion; then it is deleted as it was seen.
/// `uid`: what it is known by, once it is. Nothing where it is gone or on its way.
///
/// # Errors
/// When the claim is not to be deleted.
pub fn discard(
    record: &ServiceDataSpec,
    restore: &str,
    (claim, uid): (&str, Option<&str>),
    claims: &[Arc<Live>],
) -> Result<Option<Change>, Kept> {
    let Some(live) = find(claims, claim).filter(|live| live.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let own = live.metadata.uid.clone().unwrap_or_default();
    if record.volumes.iter().any(|volume| volume.claim == claim || volume.uid.as_ref() == Some(&own)) {
        return Err(Kept::Named(claim.to_owned()));
    }
    let owner = (record.owner.kind.as_str(), record.owner.name.as_str());
    let is_its = (live.label(marks::INSTANCE_KIND), live.label(marks::INSTANCE)) == owner;
    if !is_its || uid.is_some_and(|uid| uid != own) {
        return Err(Kept::Another(claim.to_owned()));
    }
    let version = live.metadata.resource_version.clone().unwrap_or_default();
    let annotations = live.metadata.annotations.as_ref();
    let is_marked = annotations.and_then(|all| all.get(marks::SUPERSEDED_BY)).is_some_and(|by| by == restore);
    let action = if is_marked {
        Action::Discard { uid: own, resource_version: version }
    } else {
        let patch = json!({"metadata": {
            "uid": own, "resourceVersion": version, "annotations": {marks::SUPERSEDED_BY: restore},
        }});
        Action::Merge { patch, because: format!("superseded by ServiceRestore {restore}") }
    };
    let (kind, namespace) = (kinds::VOLUME.kind.to_owned(), live.namespace().to_owned());
    Ok(Some(Change { kind, namespace, name: claim.to_owned(), action }))
}

fn find<'a>(claims: &'a [Arc<Live>], name: &str) -> Option<&'a Live> {
    claims.iter().find(|live| live.name() == name).map(AsRef::as_ref)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
