//! Whether a run's turn in the cluster has come.

use jiff::Timestamp;

use super::backup::{goes_first, is_at_work};
use crate::api::ServiceBackup;
use crate::backup::ahead;
use crate::cache::{Caches, has_ended};

/// What a run that has not begun waits for where as many are at work as the Platform lets at once. Whose they are is
/// nobody else's to know.
pub fn awaited(caches: &Caches, run: &ServiceBackup, now: Timestamp) -> Option<String> {
    if has_ended(run) || is_at_work(run) {
        return None;
    }
    let at_once = caches.platform()?.spec.backup.as_ref()?.schedule.at_once;
    let others = caches.backups.all();
    let may_begin = |other: &ServiceBackup| is_at_work(other) || goes_first(caches, other, now).is_none();
    let others: Vec<_> = others.into_iter().filter(|other| !has_ended(other) && may_begin(other)).collect();
    let is_full = ahead(run, &others, now) >= usize::try_from(at_once).unwrap_or(usize::MAX);
    let first = || format!("another backup, of which {at_once} run at once (backup.schedule.atOnce of the Platform),");
    is_full.then(first)
}
