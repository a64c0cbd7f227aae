//! Compares what is desired with what the caches saw: the smallest set of writes. Pure.

mod change;
mod copies;
mod data;
mod difference;
mod exclusive;
mod namespace;
mod parts;
mod rebind;
mod record;
mod removal;
mod stuck_pods;
mod unused_copies;

#[cfg(test)]
mod data_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod rebind_tests;
#[cfg(test)]
mod removal_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

pub use change::{Action, Change, Origin};
pub use copies::{CopyFault, compare_copies};
pub use data::{DataConflict, KnownData, compare_data, compare_growth, data_labels, labels};
pub(crate) use data::{capacity, create_claim, growth_failed, requested};
pub use difference::{Difference, Fault, differences};
pub use namespace::compare_namespace;
pub(crate) use parts::volume_name;
pub use parts::{Part, PartKind, parts};
pub use rebind::{RebindError, Rebound, rebound};
pub use record::{compare_record, create_record, is_complete};
pub use stuck_pods::compare_stuck_pods;
pub use unused_copies::{KnownCopies, NeededCopies, UnusedCopies, compare_unused_copies};

use crate::api::marks;
use crate::cache::Live;
use crate::kinds;
use crate::template::RenderedObject;

/// An object that another instance owns already has the name of one of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name} belongs to {holder} already; choose another name for this instance")]
pub struct ObjectTaken {
    kind: String,
    name: String,
    holder: String,
}

/// The writes that bring `live` to `desired`: in the order of `desired`, then deletions of what is
/// `owned` and no longer desired. What holds data is never deleted.
///
/// # Errors
/// When an object with a desired name belongs to another instance.
pub fn compare_objects(
    desired: &[RenderedObject],
    live: impl Fn(&str, &str) -> Option<Arc<Live>>,
    owned: &[Arc<Live>],
) -> Result<Vec<Change>, ObjectTaken> {
    let mut changes = Vec::new();
    for object in desired {
        match live(&object.kind, &object.name) {
            Some(found) => {
                same_owner(object, &found)?;
                changes.extend(repair(object, &found));
            }
            None => changes.push(change(object, Action::Apply { object: object.value.clone(), because: Vec::new() })),
        }
    }
    changes.extend(owned.iter().filter_map(|found| prune(desired, found)));
    Ok(changes)
}

fn change(object: &RenderedObject, action: Action) -> Change {
    Change { kind: object.kind.clone(), namespace: object.namespace.clone(), name: object.name.clone(), action }
}

/// Instances whose names and components run together must not fight over one object.
fn same_owner(object: &RenderedObject, live: &Live) -> Result<(), ObjectTaken> {
    let label = |key: &str| {
        object.value.pointer("/metadata/labels").and_then(|l| l.get(key)).and_then(Value::as_str).unwrap_or_default()
    };
    let instance = (label(marks::INSTANCE_KIND), label(marks::INSTANCE));
    let holder = (live.label(marks::INSTANCE_KIND), live.label(marks::INSTANCE));
    if holder == instance || holder.1.is_empty() {
        return Ok(());
    }
    Err(ObjectTaken {
        kind: object.kind.clone(),
        name: object.name.clone(),
        holder: format!("{} {}", holder.0, holder.1),
    })
}

fn repair(object: &RenderedObject, live: &Live) -> Vec<Change> {
    // The API server takes no finalizer any more.
    if live.metadata.deletion_timestamp.is_some() && object.value.pointer("/metadata/finalizers").is_some() {
        return Vec::new();
    }
    let found = difference::compare(&object.kind, &object.value, &live.value);
    let (extra, wrong): (Vec<_>, Vec<_>) = found.differences.into_iter().partition(|d| d.fault == Fault::Extra);
    let version = live.metadata.resource_version.as_deref().unwrap_or_default();
    let remove = (!extra.is_empty())
        .then(|| change(object, Action::Remove { patch: removal::patch(&found.removals, version), because: extra }));
    let apply =
        (!wrong.is_empty()).then(|| change(object, Action::Apply { object: object.value.clone(), because: wrong }));
    remove.into_iter().chain(apply).collect()
}

fn prune(desired: &[RenderedObject], live: &Live) -> Option<Change> {
    let wanted =
        desired.iter().any(|o| o.kind == live.kind && o.name == live.name() && o.namespace == live.namespace());
    if wanted || kinds::DATA.contains(&live.kind.as_str()) || live.metadata.deletion_timestamp.is_some() {
        return None;
    }
    Some(Change {
        kind: live.kind.clone(),
        namespace: live.namespace().to_owned(),
        name: live.name().to_owned(),
        action: Action::Delete { uid: live.metadata.uid.clone()? },
    })
}
