//! The life of an instance's data: which state it is in, what follows from what is found in the
//! place of something recorded, and whose clock counts.
//!
//! ```text
//! Planned ─► Made ─► InUse ─► KeptUntil ─► Due ─► Purged
//!                      ▲          │
//!                      └─ adopted ┘        Restoring: from any of them, and back
//! ```

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use crate::api::DataState as State;

/// How far clocks may be apart before no date counts as passed.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(2);

/// What a record says of one volume or Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded<'a> {
    /// It is not in the record.
    Not,
    /// It is named, and was not seen yet.
    Named,
    /// It is named in a record that says nothing of uids although its data was used: a record of an
    /// earlier release, or one whose first installation was cut short.
    Unverified,
    /// It is the object with this uid.
    Uid(&'a str),
}

/// What is there under the name of a volume or Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Nothing.
    Nothing,
    /// Something that is not this instance's.
    Foreign,
    /// An object of this instance.
    Ours {
        /// Its uid.
        uid: &'a str,
        /// Whether it is what it will stay: a claim that is bound.
        settled: bool,
        /// Whether it is being deleted.
        deleting: bool,
    },
}

/// What follows for one volume or Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never existed: it is to be made.
    Make,
    /// It exists and is not settled yet: wait.
    Wait,
    /// It exists and its uid is to be recorded.
    Record,
    /// It is the recorded one.
    Keep,
    /// It is being deleted.
    BeingDeleted,
    /// The recorded one is gone. Nothing takes its place.
    Missing,
    /// Another object stands in the place of the recorded one.
    Replaced,
    /// Something of somebody else has its name.
    Foreign,
    /// It is not there, and nobody can tell whether it ever was.
    Unverified,
}

impl Fate {
    /// Whether somebody has to do something about it.
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Make | Self::Wait | Self::Record | Self::Keep)
    }
}

/// What follows from what is recorded and what is found. Only what was never recorded is made.
pub fn fate(recorded: Recorded<'_>, found: Found<'_>) -> Fate {
    match (recorded, found) {
        (Recorded::Uid(_), Found::Nothing) => Fate::Missing,
        (Recorded::Uid(recorded), Found::Ours { uid, .. }) if recorded != uid => Fate::Replaced,
        (Recorded::Uid(_), Found::Foreign) => Fate::Replaced,
        (_, Found::Foreign) => Fate::Foreign,
        (_, Found::Ours { deleting: true, .. }) => Fate::BeingDeleted,
        (Recorded::Uid(_), Found::Ours { .. }) => Fate::Keep,
        (_, Found::Ours { settled: true, .. }) => Fate::Record,
        (_, Found::Ours { settled: false, .. }) => Fate::Wait,
        (Recorded::Unverified, Found::Nothing) => Fate::Unverified,
        (Recorded::Not | Recorded::Named, Found::Nothing) => Fate::Make,
    }
}

/// A work on an instance's data as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its volumes and Secrets are being replaced.
    Restoring,
    /// The purge has ended.
    Purged,
}

/// What decides the state of an instance's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the record says of a work on the data as a whole.
    pub mark: Option<Mark>,
    /// Whether the instance exists, be it on its way out.
    pub instance_exists: bool,
    /// Whether anything that the record names exists.
    pub anything_exists: bool,
    /// Whether an application was ready on the data.
    pub was_used: bool,
    /// Until when the data stays.
    pub keep_until: Option<Timestamp>,
}

/// The state of an instance's data. `now` is the time on which all clocks agree; without one no date
/// has passed.
pub fn state(facts: &Facts, now: Option<Timestamp>) -> State {
    match facts.mark {
        Some(Mark::Restoring) => return State::Restoring,
        Some(Mark::Purged) => return State::Purged,
        None => {}
    }
    if !facts.instance_exists {
        let due = facts.keep_until.zip(now).is_some_and(|(until, now)| until <= now);
        return if due { State::Due } else { State::KeptUntil };
    }
    match (facts.anything_exists, facts.was_used) {
        (_, true) => State::InUse,
        (true, false) => State::Made,
        (false, false) => State::Planned,
    }
}

/// Until when data stays that is left now: `days` later, to the second.
pub fn keep_until(now: Timestamp, days: i64) -> Timestamp {
    let seconds = now.as_second().saturating_add(days.saturating_mul(24 * 60 * 60));
    Timestamp::from_second(seconds).unwrap_or(now)
}

/// The clocks, read in the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// The API server's time.
    pub server: Timestamp,
    /// The operator's time.
    pub own: Timestamp,
    /// The operator's time when it started.
    pub own_at_start: Timestamp,
    /// What has passed since it started, by a clock that nobody sets.
    pub passed: Duration,
    /// The newest time that the API server gave an object; its clock must not be before it.
    pub newest_seen: Option<Timestamp>,
}

/// Why no date counts as passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClocksDisagree {
    /// The API server's time is not the operator's.
    #[error("the API server's clock says {server}, the operator's {own}")]
    Server {
        /// The API server's time.
        server: Timestamp,
        /// The operator's time.
        own: Timestamp,
    },
    /// The operator's clock was set since it started.
    #[error("the operator's clock has moved by {moved:#} since it started, and {passed:#} have passed")]
    Own {
        /// How far the operator's clock has moved.
        moved: SignedDuration,
        /// How long the operator has been running.
        passed: SignedDuration,
    },
    /// The API server's clock was set back.
    #[error("the API server's clock says {server}, and it made an object at {newest}")]
    SetBack {
        /// The API server's time.
        server: Timestamp,
        /// The time of the newest object.
        newest: Timestamp,
    },
}

/// The time on which all clocks agree: the earliest of them.
///
/// # Errors
/// Which clocks are further apart than [`TOLERANCE`].
pub fn agreed(clocks: &Clocks) -> Result<Timestamp, ClocksDisagree> {
    let &Clocks { server, own, own_at_start, passed, newest_seen } = clocks;
    if is_beyond(server.duration_since(own)) {
        return Err(ClocksDisagree::Server { server, own });
    }
    let moved = own.duration_since(own_at_start);
    let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
    if moved.checked_sub(passed).is_none_or(is_beyond) {
        return Err(ClocksDisagree::Own { moved, passed });
    }
    if let Some(newest) = newest_seen
        && newest.duration_since(server) > TOLERANCE
    {
        return Err(ClocksDisagree::SetBack { server, newest });
    }
    Ok(server.min(own))
}

fn is_beyond(apart: SignedDuration) -> bool {
    apart.abs() > TOLERANCE
}

/// What tells one organisation from another one of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Organisation<'a> {
    /// Its uid; none where it is not known.
    pub uid: Option<&'a str>,
    /// Its name as people write it.
    pub display_name: &'a str,
    /// Its domains; none where they are not known.
    pub domains: Option<&'a [String]>,
    /// The short names of its managers; none where they are not known.
    pub managers: Option<&'a [String]>,
}

/// Whether `living` may have the data of `recorded`: it is the same object, or applied again as it
/// was. What is not recorded tells nobody apart.
pub fn is_same(recorded: &Organisation<'_>, living: &Organisation<'_>) -> bool {
    let same_object = recorded.uid.is_some() && recorded.uid == living.uid;
    same_object
        || (recorded.display_name == living.display_name
            && is_same_set(recorded.domains, living.domains)
            && is_same_set(recorded.managers, living.managers))
}

fn is_same_set(recorded: Option<&[String]>, living: Option<&[String]>) -> bool {
    let (Some(recorded), Some(living)) = (recorded, living) else { return true };
    recorded.len() == living.len() && recorded.iter().all(|item| living.contains(item))
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
