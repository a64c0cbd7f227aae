//! What the tier of a new service gives to what the backup of another one holds. In place a service has the room that it
//! had: there nothing is judged.

use std::collections::BTreeMap;

use commonscloud_backup::manifest::Manifest;

use super::observed::ObservedRestore;
use super::step::{Chosen, Step};
use crate::api::{Reason, RestoreDestinationKind, SnapshotPartKind};
use crate::backup::Subject;
use crate::core::Bytes;
use crate::plan::{Plan, PlannedVolume};
use crate::report::Problem;

const MIB: u64 = 1 << 20;

/// Whether what the run of the backup says of its size fits: before anything begins.
///
/// # Errors
/// The step that waits for a larger tier.
pub(super) fn fits(observed: &ObservedRestore, subject: &Subject, chosen: &Chosen) -> Result<(), Box<Step>> {
    let statuses = observed.runs.iter().filter_map(|run| run.status.as_ref());
    let of_it = statuses.filter(|status| status.snapshot.as_deref() == Some(&chosen.snapshot));
    let parts = of_it.flat_map(|status| &status.contents);
    let parts = parts.map(|part| (part.kind, part.name.as_str(), u64::try_from(part.bytes).unwrap_or_default()));
    too_large(observed, subject, parts).map_or(Ok(()), |problem| Err(Box::new(Step::asks(observed, problem))))
}

/// The same of what the backup says itself.
///
/// # Errors
/// When it does not.
pub(super) fn holds(observed: &ObservedRestore, subject: &Subject, manifest: &Manifest) -> Result<(), Problem> {
    let parts = manifest.parts.iter().map(|part| (part.kind, part.name.as_str(), part.bytes));
    too_large(observed, subject, parts).map_or(Ok(()), Err)
}

/// How large the volumes were in the backup; those of a new service become no larger than it may have.
pub(super) fn sizes(
    observed: &ObservedRestore,
    plan: &Plan,
    backed_up: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    let mut sizes = backed_up.clone();
    for volume in plan.volumes.iter().filter(|_| is_new(observed)) {
        let most = volume.growth.map_or(volume.request, |growth| growth.maximum).get();
        sizes.entry(volume.name.clone()).and_modify(|size| *size = most.min(*size));
    }
    sizes
}

fn is_new(observed: &ObservedRestore) -> bool {
    observed.restore.spec.into.kind == RestoreDestinationKind::NewService
}

/// Of these parts, by kind, name and bytes, the first for which there is no room.
fn too_large<'p>(
    observed: &ObservedRestore,
    subject: &Subject,
    mut parts: impl Iterator<Item = (SnapshotPartKind, &'p str, u64)>,
) -> Option<Problem> {
    if !is_new(observed) {
        return None;
    }
    let (what, bytes, gives) = parts.find_map(|(kind, name, bytes)| {
        let (what, gives) = given(subject, kind, name)?;
        (bytes > gives).then_some((what, bytes, gives))
    })?;
    let (plan, from) = (&subject.plan, &observed.restore.spec.from.service);
    let message = format!(
        "spec.tier of {into} is too small: the backup of {from} holds {} in {what}, and {into}, with {} by its tier and blocks, takes {} of that; give it a larger tier or more blocks (spec.extraBlocks)",
        Bytes::new(bytes.div_ceil(MIB).saturating_mul(MIB)),
        plan.quota,
        Bytes::new(gives),
        into = plan.instance.name,
    );
    Some(Problem::new(Reason::NoRoom, message))
}

/// What a part is, and how many bytes of it there may be; nothing of one that is in no volume.
fn given(subject: &Subject, kind: SnapshotPartKind, name: &str) -> Option<(String, u64)> {
    let (what, names) = match kind {
        SnapshotPartKind::Files => ("files", vec![name]),
        SnapshotPartKind::Dump => {
            let source = subject.operations.operations()?;
            ("the dump", source.operations.dumped.iter().map(String::as_str).collect())
        }
        SnapshotPartKind::Secrets | SnapshotPartKind::State => return None,
    };
    let volumes = subject.plan.volumes.iter().filter(|volume| names.contains(&volume.name.as_str()));
    let usable = |volume: &PlannedVolume| volume.growth.map_or(volume.usable, |growth| growth.usable).get();
    let gives = volumes.map(usable).reduce(u64::saturating_add)?;
    Some((format!("{what} of volume {}", names.join(", ")), gives))
}
