//! Whether a run's turn in the cluster has come.

use jiff::Timestamp;

use super::backup::{goes_first, is_at_work};
use crate::api::ServiceBackup;
use crate::backup::{ahead, packages_ahead, packs};
use crate::cache::{Caches, has_ended};

/// What a run waits for: before it begins, those of its own service, then its turn in the cluster; before its package
/// is made, other packages. Whose they are is nobody else's to know.
pub fn awaited(caches: &Caches, run: &ServiceBackup, now: Timestamp) -> Option<String> {
    if packs(run) {
        return package(caches, run);
    }
    goes_first(caches, run, now).or_else(|| begun(caches, run, now))
}

/// What a run that has not begun waits for where as many are at work as the Platform lets at once.
fn begun(caches: &Caches, run: &ServiceBackup, now: Timestamp) -> Option<String> {
    if has_ended(run) || is_at_work(run) {
        return None;
    }
    let at_once = at_once(caches)?;
    let others = caches.backups.all();
    let may_begin = |other: &ServiceBackup| is_at_work(other) || goes_first(caches, other, now).is_none();
    let others: Vec<_> = others.into_iter().filter(|other| !has_ended(other) && may_begin(other)).collect();
    let is_full = ahead(run, &others, now) >= usize::try_from(at_once).unwrap_or(usize::MAX);
    let first = || format!("another backup, of which {at_once} run at once (backup.schedule.atOnce of the Platform),");
    is_full.then(first)
}

/// The same of a package: as many are made beside the backups that run.
fn package(caches: &Caches, run: &ServiceBackup) -> Option<String> {
    let at_once = at_once(caches)?;
    let is_full = packages_ahead(run, &caches.backups.all()) >= usize::try_from(at_once).unwrap_or(usize::MAX);
    let first = || {
        format!("another exit package, of which {at_once} are made at once (backup.schedule.atOnce of the Platform),")
    };
    is_full.then(first)
}

fn at_once(caches: &Caches) -> Option<u32> {
    Some(caches.platform()?.spec.backup.as_ref()?.schedule.at_once)
}
