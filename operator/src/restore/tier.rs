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

/// A dump has two signs for each byte of binary data, and hardly more than one for any other.
const SIGNS: u64 = 2;

/// Whether what the run of the backup says of the size of files fits: before anything begins.
///
/// # Errors
/// The step that waits for a larger tier.
pub(super) fn fits(observed: &ObservedRestore, subject: &Subject, chosen: &Chosen) -> Result<(), Box<Step>> {
    let statuses = observed.runs.iter().filter_map(|run| run.status.as_ref());
    let of_it = statuses.filter(|status| status.snapshot.as_deref() == Some(&chosen.snapshot));
    let parts = of_it.flat_map(|status| &status.contents);
    let parts = parts.map(|part| (part.kind, part.name.as_str(), u64::try_from(part.bytes).unwrap_or_default()));
    files(observed, subject, parts).map_or(Ok(()), |problem| Err(Box::new(Step::asks(observed, problem))))
}

/// The same of what the backup says itself, and of the database.
///
/// # Errors
/// When it does not.
pub(super) fn holds(observed: &ObservedRestore, subject: &Subject, manifest: &Manifest) -> Result<(), Problem> {
    let parts = manifest.parts.iter().map(|part| (part.kind, part.name.as_str(), part.bytes));
    let problem = files(observed, subject, parts).or_else(|| database(observed, subject, manifest));
    problem.map_or(Ok(()), Err)
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

/// Of these parts, by kind, name and bytes, the first volume for whose files there is no room.
fn files<'p>(
    observed: &ObservedRestore,
    subject: &Subject,
    parts: impl Iterator<Item = (SnapshotPartKind, &'p str, u64)>,
) -> Option<Problem> {
    if !is_new(observed) {
        return None;
    }
    let mut files = parts.filter(|(kind, ..)| *kind == SnapshotPartKind::Files);
    files.find_map(|(_, name, bytes)| {
        let gives = usable(subject, &[name])?;
        let held = format!("{} in files of volume {name}", whole(bytes));
        (bytes > gives).then(|| too_small(observed, subject, &held, gives))
    })
}

/// Why the database does not fit. How large one becomes nobody knows by its dump: indices come to it, and long values
/// are compressed. It was on a volume of the size that the backup says, though, so it fits where the new one may become as
/// large; where it may not, a dump that is longer by more than its writing explains is taken for too large.
fn database(observed: &ObservedRestore, subject: &Subject, manifest: &Manifest) -> Option<Problem> {
    let names: Vec<&str> = subject.operations.operations()?.operations.dumped.iter().map(String::as_str).collect();
    let dump = manifest.parts.iter().find(|part| part.kind == SnapshotPartKind::Dump).filter(|_| is_new(observed))?;
    let had = names.iter().map(|name| manifest.volumes.get(*name).copied()).sum::<Option<u64>>()?;
    let most = |volume: &PlannedVolume| volume.growth.map_or(volume.request, |growth| growth.maximum).get();
    let (gives, most) = (usable(subject, &names)?, sum(subject, &names, most)?);
    let names = names.join(", ");
    let held = format!(
        "{} in the dump of volume {names}, whose claim had grown to {} (a dump is at most about twice as long as its data)",
        whole(dump.bytes),
        whole(had),
    );
    (had > most && dump.bytes / SIGNS > gives).then(|| too_small(observed, subject, &held, gives))
}

fn too_small(observed: &ObservedRestore, subject: &Subject, held: &str, gives: u64) -> Problem {
    let (plan, from) = (&subject.plan, &observed.restore.spec.from.service);
    let message = format!(
        "spec.tier of {into} is too small: the backup of {from} holds {held}, and {into}, with {} by its tier and blocks, takes {} of that; give it a larger tier or more blocks (spec.extraBlocks)",
        plan.quota,
        Bytes::new(gives),
        into = plan.instance.name,
    );
    Problem::new(Reason::NoRoom, message)
}

fn whole(bytes: u64) -> Bytes {
    Bytes::new(bytes.div_ceil(MIB).saturating_mul(MIB))
}

/// How many bytes there may be in volumes of these names; nothing where there are none.
fn usable(subject: &Subject, names: &[&str]) -> Option<u64> {
    sum(subject, names, |volume| volume.growth.map_or(volume.usable, |growth| growth.usable).get())
}

fn sum(subject: &Subject, names: &[&str], of: impl Fn(&PlannedVolume) -> u64) -> Option<u64> {
    let volumes = subject.plan.volumes.iter().filter(|volume| names.contains(&volume.name.as_str()));
    volumes.map(of).reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::super::world::World;
    use super::*;

    /// What is said of a dump of so many GiB, of a database whose claim requested so many in the backup. In the new
    /// service files take 8 GiB of it, and its claim requests a MiB more.
    fn said(dump: u64, volume: Option<u64>) -> Option<String> {
        let mut world = World::new();
        world.restore.spec.into.kind = RestoreDestinationKind::NewService;
        let part = world.manifest.parts.iter_mut().find(|part| part.kind == SnapshotPartKind::Dump).unwrap();
        part.bytes = dump << 30;
        world.manifest.volumes = volume.map(|gib| ("db".to_owned(), gib << 30)).into_iter().collect();
        let judged = |world: &World| holds(&world.seen(), &world.subject(), &world.manifest).err();
        let problem = judged(&world);
        assert!(problem.iter().all(|problem| problem.is(Reason::NoRoom)));
        world.restore.spec.into.kind = RestoreDestinationKind::InPlace;
        assert_eq!(judged(&world), None, "in place its former volume had it");
        problem.map(|problem| problem.message)
    }

    #[test]
    fn a_dump_is_too_large_only_where_its_volume_was_and_binary_data_does_not_explain_it() {
        assert_eq!(
            said(40, Some(8)),
            None,
            "it was on a volume that the new service may have, however its dump is written"
        );
        assert_eq!(said(16, Some(20)), None, "half of it, where it is binary data");
        assert_eq!(said(40, None), None, "nobody knows");
        let said = said(17, Some(20)).unwrap();
        for words in ["17Gi in the dump of volume db", "had grown to 20Gi", "twice as long", "takes 8Gi of that"] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
