//! A write that was refused for good is not sent again while nothing has changed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::{ErrorKind, WriteError};
use super::target::ObjectKey;
use crate::cache::Key;

/// What admission judges by may be a moment behind what the caches show: the first time a refused
/// write is tried once more after this long.
const SOON: Duration = Duration::from_secs(2);
/// A policy or a webhook that refused it may have been mended, which nobody tells: then it is tried
/// after this long ...
const FIRST_TRY: Duration = Duration::from_mins(10);
/// ... then after twice as long each time, up to this.
const LAST_TRY: Duration = Duration::from_hours(1);
/// Nobody watches somebody else's object that has the name of ours: tried this often.
const NAME_TAKEN: Duration = Duration::from_mins(1);

/// The writes that were refused for good.
#[derive(Default)]
pub(super) struct Refusals {
    writes: Mutex<HashMap<Write, Refused>>,
}

/// An object, what was to be done to it, and by which resource: two may share an object.
pub(super) type Write = (ObjectKey, &'static str, Key);

/// A digest of what was sent, and one of what the refusal may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    pub(super) sent: u64,
    pub(super) surroundings: u64,
}

struct Refused {
    basis: Basis,
    error: WriteError,
    again: Instant,
    wait: Duration,
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, HashMap<Write, Refused>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How this write was refused, if nothing has changed since, and how long it waits.
    pub(super) fn of(&self, write: &Write, basis: impl FnOnce() -> Basis) -> Option<(WriteError, Duration)> {
        let writes = self.lock();
        let refused = writes.get(write)?;
        if refused.basis != basis() {
            return None;
        }
        let left = refused.again.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| (refused.error.clone(), left))
    }

    /// Notes a refusal; answers when the write is tried again though nothing changes.
    pub(super) fn refused(&self, write: &Write, basis: Basis, error: &WriteError) -> Duration {
        let mut writes = self.lock();
        let now = Instant::now();
        // What is not asked for any more is forgotten.
        writes.retain(|_, refused| now.saturating_duration_since(refused.again) < LAST_TRY);
        let before = writes.get(write).filter(|refused| refused.basis == basis);
        let wait = match before.map(|refused| refused.wait) {
            _ if error.kind == ErrorKind::Foreign => NAME_TAKEN,
            None => SOON,
            Some(SOON) => FIRST_TRY,
            Some(wait) => (wait * 2).min(LAST_TRY),
        };
        writes.insert(write.clone(), Refused { basis, error: error.clone(), again: now + wait, wait });
        wait
    }

    /// Forgets the refusal of a write that was taken.
    pub(super) fn taken(&self, write: &Write) {
        self.lock().remove(write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Kind;

    const BASIS: Basis = Basis { sent: 1, surroundings: 1 };

    fn write(verb: &'static str, by: &str) -> Write {
        let object = ("Deployment".to_owned(), "e".to_owned(), "s-app".to_owned());
        (object, verb, Key::new(Kind::DedicatedService, "e", by))
    }

    fn apply() -> Write {
        write("apply", "s")
    }

    fn error() -> WriteError {
        WriteError { kind: ErrorKind::Refused, object: "Deployment/s-app".to_owned(), message: "no".to_owned() }
    }

    fn is_sent(refusals: &Refusals, basis: Basis) -> bool {
        refusals.of(&apply(), || basis).is_none()
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_write_is_not_sent_again_while_nothing_has_changed() {
        let refusals = Refusals::default();
        assert!(is_sent(&refusals, BASIS));
        refusals.refused(&apply(), BASIS, &error());
        tokio::time::advance(SOON).await;
        assert!(is_sent(&refusals, BASIS), "admission may have been behind");
        refusals.refused(&apply(), BASIS, &error());
        tokio::time::advance(Duration::from_mins(9)).await;
        assert_eq!(refusals.of(&apply(), || BASIS), Some((error(), Duration::from_mins(1))));
        assert!(is_sent(&refusals, Basis { sent: 2, ..BASIS }), "another write");
        assert!(is_sent(&refusals, Basis { surroundings: 2, ..BASIS }), "another Tariff, say");
        assert!(refusals.of(&write("remove", "s"), || BASIS).is_none(), "another sort of write");
        assert!(refusals.of(&write("apply", "t"), || BASIS).is_none(), "for another service");
        refusals.taken(&apply());
        assert!(is_sent(&refusals, BASIS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_somebody_else_has_is_tried_each_minute() {
        let refusals = Refusals::default();
        let taken = WriteError { kind: ErrorKind::Foreign, ..error() };
        for _ in 0..3 {
            assert_eq!(refusals.refused(&write("create", "s"), BASIS, &taken), NAME_TAKEN);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_ever_more_rarely_though_nothing_changes() {
        let refusals = Refusals::default();
        let mut waits = Vec::new();
        for _ in 0..5 {
            let wait = refusals.refused(&apply(), BASIS, &error());
            waits.push(wait.as_secs());
            tokio::time::advance(wait).await;
            assert!(is_sent(&refusals, BASIS));
        }
        assert_eq!(waits, [2, 600, 1200, 2400, 3600]);
        let changed = Basis { sent: 2, ..BASIS };
        assert_eq!(refusals.refused(&apply(), changed, &error()), SOON, "something else is tried");
    }
}
