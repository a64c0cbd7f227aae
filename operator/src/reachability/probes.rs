//! Which services are to be asked, and what is known of each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::schedule::ProbeSchedule;
use super::{Answer, Target};
use crate::cache::Key;

/// A slow service is asked again this long after the end of a probe, at the earliest.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// One probe, as it is on its way.
pub(super) struct Probe {
    /// Whom it is about.
    pub(super) key: Key,
    /// What is asked.
    pub(super) target: Arc<Target>,
    /// Which want it belongs to: an answer to an earlier one tells nothing.
    serial: u64,
    asked: Instant,
}

struct Entry {
    target: Arc<Target>,
    serial: u64,
    schedule: ProbeSchedule,
    /// When it is to be asked; none while it is being asked.
    due: Option<Instant>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    serial: u64,
}

/// The services that are to be asked, shared between those who want and the one who asks.
#[derive(Default)]
pub(super) struct Probes {
    state: Mutex<State>,
    /// Something new is wanted.
    pub(super) wanted: Notify,
}

impl Probes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets, changes or forgets what is asked.
    pub(super) fn probe(&self, key: &Key, target: Option<Target>) {
        let mut state = self.lock();
        let Some(target) = target else {
            state.entries.remove(key);
            return;
        };
        if state.entries.get(key).is_some_and(|entry| *entry.target == target) {
            return;
        }
        state.serial += 1;
        let due = Some(Instant::now());
        let entry = Entry { target: Arc::new(target), serial: state.serial, schedule: ProbeSchedule::default(), due };
        state.entries.insert(key.clone(), entry);
        drop(state);
        self.wanted.notify_one();
    }

    /// What is known.
    pub(super) fn answer(&self, key: &Key) -> Answer {
        self.lock().entries.get(key).map(|entry| entry.schedule.answer().clone()).unwrap_or_default()
    }

    /// When the next service is to be asked.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.lock().entries.values().filter_map(|entry| entry.due).min()
    }

    /// Takes the service that waited longest, if one is to be asked by now.
    pub(super) fn take_due(&self, now: Instant) -> Option<Probe> {
        let mut state = self.lock();
        let waiting = state.entries.iter_mut().filter(|(_, entry)| entry.due.is_some_and(|due| due <= now));
        let (key, entry) = waiting.min_by_key(|(_, entry)| entry.due)?;
        entry.due = None;
        Some(Probe { key: key.clone(), target: entry.target.clone(), serial: entry.serial, asked: now })
    }

    /// Takes in what came back. True when the answer is another one now.
    pub(super) fn note(&self, probe: &Probe, outcome: Result<(), String>, now: Instant) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(&probe.key) else { return false };
        if entry.serial != probe.serial {
            return false;
        }
        let changed = entry.schedule.record(outcome);
        let pause = entry.schedule.pause();
        entry.due = Some((probe.asked + pause).max(now + pause.min(MIN_PAUSE)));
        changed
    }
}
