//! Which resources are to be reconciled, and when: each at most once at a time, what changes while
//! it is worked on once more afterwards, and what fails ever more rarely.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::api::Reason;
use crate::apply::Applied;
pub use crate::metrics::Depth;

/// A resource that changes all the time is reconciled this often ...
const SPACING: Duration = Duration::from_millis(50);
/// ... and this often when it fails again and again.
const SPACING_OF_FAILURES: Duration = Duration::from_secs(1);
/// How far ahead of its pace a resource may be: an edit reaches it as several changes, one after the other.
const AHEAD: Duration = Duration::from_millis(200);
/// So many failures in a row tell no more than that one change of an edit came before the others.
const FLEETING: u32 = 2;
/// The first wait after a failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// The longest wait after a failure.
const LAST_RETRY: Duration = Duration::from_mins(1);

/// What came of a pass over a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing more until something changes.
    Wait,
    /// Reconcile again after this long, whatever happens.
    After(Duration),
    /// It failed in a way that may pass: reconcile again, ever more rarely.
    Retry(Reason),
    /// It failed in a way that only a change mends; reconcile again after this long all the same.
    Blocked(Reason, Duration),
}

impl Next {
    /// Why it failed.
    pub const fn failure(self) -> Option<Reason> {
        match self {
            Self::Wait | Self::After(_) => None,
            Self::Retry(reason) | Self::Blocked(reason, _) => Some(reason),
        }
    }
}

impl Applied {
    /// When to reconcile again after these writes. What was refused is not sent again before its time, so
    /// that a pass for the sake of another failure costs nothing.
    pub fn next(&self) -> Next {
        let transient = self.failures.iter().find(|failure| failure.kind.is_transient());
        match (transient, self.worst()) {
            (None, None) => Next::Wait,
            (Some(failure), _) => Next::Retry(failure.kind.reason()),
            (None, Some(failure)) => Next::Blocked(failure.kind.reason(), self.wait.unwrap_or(BLOCKED)),
        }
    }
}

/// When a resource is reconciled again that failed for good outside of *apply*.
pub(super) const BLOCKED: Duration = Duration::from_mins(10);

struct State<K> {
    closed: bool,
    due: BTreeSet<(Instant, K)>,
    when: HashMap<K, Instant>,
    running: BTreeSet<K>,
    /// Until when the passes so far last, at the pace that each is allowed.
    paced: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
}

/// The resources that are to be reconciled.
pub struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
    closing: Notify,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            closed: false,
            due: BTreeSet::new(),
            when: HashMap::new(),
            running: BTreeSet::new(),
            paced: HashMap::new(),
            failures: HashMap::new(),
        };
        Self { state: Mutex::new(state), changed: Notify::new(), closing: Notify::new() }
    }
}

impl<K: Clone + Ord + Hash> Queue<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a resource reconciled as soon as possible.
    pub fn add(&self, key: K) {
        let mut state = self.lock();
        let now = Instant::now();
        let earliest = state.paced.get(&key).and_then(|until| until.checked_sub(AHEAD)).map_or(now, |at| now.max(at));
        state.schedule(key, earliest);
        drop(state);
        self.changed.notify_one();
    }

    /// How many resources wait, now or for later.
    pub fn len(&self) -> usize {
        self.lock().when.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are, by what they wait for.
    pub fn depth(&self) -> Depth {
        let state = self.lock();
        let now = Instant::now();
        let due = state.due.iter().take_while(|(at, _)| *at <= now).count();
        let later = state.due.len().saturating_sub(due);
        Depth { due, later, running: state.running.len(), failing: state.failures.len() }
    }

    /// No resource is handed out any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        self.closing.notify_waiters();
    }

    /// Waits until the queue is closed.
    pub async fn closed(&self) {
        loop {
            let changed = self.closing.notified();
            if self.lock().closed {
                return;
            }
            changed.await;
        }
    }

    /// The next resource, whose [`Self::done`] must follow; none once the queue is closed.
    pub async fn next(&self) -> Option<K> {
        loop {
            let changed = self.changed.notified();
            if self.lock().closed {
                return None;
            }
            let wait = match self.lock().take(Instant::now()) {
                Ok(key) => {
                    // Another worker may find one more.
                    self.changed.notify_one();
                    return Some(key);
                }
                Err(wait) => wait,
            };
            match wait {
                Some(until) => tokio::select! { () = changed => {}, () = tokio::time::sleep_until(until) => {} },
                None => changed.await,
            }
        }
    }

    /// A pass over a resource has ended.
    pub fn done(&self, key: &K, next: Next) {
        let mut state = self.lock();
        let now = Instant::now();
        state.running.remove(key);
        let failures = match next {
            Next::Retry(_) => state.failures.get(key).map_or(1, |n| n.saturating_add(1)),
            _ => 0,
        };
        state.paced.retain(|_, until| *until > now);
        let ahead = state.paced.get(key).copied().unwrap_or(now);
        // What fails again and again waits for its time, however rarely it was looked at before.
        let is_steady = matches!(next, Next::Wait | Next::After(_)) || (1..=FLEETING).contains(&failures);
        let begun = if is_steady { ahead } else { now + AHEAD };
        state.paced.insert(key.clone(), begun + spacing(next, failures));
        match failures {
            0 => drop(state.failures.remove(key)),
            n => drop(state.failures.insert(key.clone(), n)),
        }
        match next {
            Next::Wait => {}
            Next::After(wait) | Next::Blocked(_, wait) => state.schedule(key.clone(), now + wait),
            Next::Retry(_) => state.schedule(key.clone(), now + backoff(failures)),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// How often in a row a resource failed.
    pub fn failures(&self, key: &K) -> u32 {
        self.lock().failures.get(key).copied().unwrap_or_default()
    }
}

impl<K: Clone + Ord + Hash> State<K> {
    fn schedule(&mut self, key: K, at: Instant) {
        match self.when.get(&key) {
            Some(earlier) if *earlier <= at => return,
            Some(later) => drop(self.due.remove(&(*later, key.clone()))),
            None => {}
        }
        self.when.insert(key.clone(), at);
        self.due.insert((at, key));
    }

    /// A resource that is due and not worked on, or when the next one will be.
    fn take(&mut self, now: Instant) -> Result<K, Option<Instant>> {
        let mut free = self.due.iter().filter(|(_, key)| !self.running.contains(key));
        match free.next().cloned() {
            Some((at, key)) if at <= now => {
                self.due.remove(&(at, key.clone()));
                self.when.remove(&key);
                self.running.insert(key.clone());
                Ok(key)
            }
            other => Err(other.map(|(at, _)| at)),
        }
    }
}

/// Another manager, or a child that comes and goes, must not set the pace of what fails each time.
fn spacing(next: Next, failures: u32) -> Duration {
    match next {
        Next::Wait | Next::After(_) => SPACING,
        Next::Retry(_) => (SPACING * (1 << failures.saturating_sub(FLEETING).min(16))).min(SPACING_OF_FAILURES),
        Next::Blocked(..) => SPACING_OF_FAILURES,
    }
}

fn backoff(failures: u32) -> Duration {
    FIRST_RETRY
        .saturating_mul(1_u32.checked_shl(failures.saturating_sub(1).min(16)).unwrap_or(u32::MAX))
        .min(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{ErrorKind, WriteError};

    #[tokio::test(start_paused = true)]
    async fn what_changes_while_it_is_worked_on_is_looked_at_once_more() {
        let queue = Queue::default();
        queue.add("a");
        queue.add("a");
        let key = queue.next().await.unwrap();
        queue.add("a");
        queue.add("a");
        assert!(tokio::time::timeout(Duration::from_secs(9), queue.next()).await.is_err(), "one at a time");
        queue.done(&key, Next::Wait);
        assert_eq!(queue.next().await, Some("a"));
        queue.done(&"a", Next::Wait);
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_looked_at_ever_more_rarely_until_it_succeeds() {
        let queue = Queue::default();
        queue.add("a");
        let mut waits = Vec::new();
        for _ in 0..12 {
            let before = Instant::now();
            let key = queue.next().await.unwrap();
            waits.push(before.elapsed());
            queue.done(&key, Next::Retry(Reason::ApiUnavailable));
        }
        assert_eq!(waits[1], FIRST_RETRY);
        assert_eq!(waits[2], FIRST_RETRY * 2);
        assert_eq!(waits[11], LAST_RETRY);
        queue.add("a");
        assert_eq!(queue.next().await, Some("a"));
        queue.done(&"a", Next::Wait);
        assert_eq!(queue.failures(&"a"), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_told_from_what_is_due() {
        let queue = Queue::default();
        queue.add("a");
        let key = queue.next().await.unwrap();
        queue.add("b");
        assert_eq!(queue.depth(), Depth { due: 1, later: 0, running: 1, failing: 0 });
        queue.done(&key, Next::Retry(Reason::ApiUnavailable));
        assert_eq!(queue.depth(), Depth { due: 1, later: 1, running: 0, failing: 1 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_comes_before_a_planned_look() {
        let queue = Queue::default();
        queue.add("a");
        let key = queue.next().await.unwrap();
        queue.done(&key, Next::After(Duration::from_mins(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        let before = Instant::now();
        queue.add("a");
        queue.next().await;
        assert!(before.elapsed() < SPACING);
    }

    #[tokio::test(start_paused = true)]
    async fn an_edit_that_arrives_as_several_changes_waits_for_none_of_them() {
        let queue = Queue::default();
        let begun = Instant::now();
        for _ in 0..4 {
            queue.add("a");
            let key = queue.next().await.unwrap();
            queue.done(&key, Next::Wait);
        }
        assert!(begun.elapsed() < SPACING, "{:?}", begun.elapsed());
        queue.done(&"a", Next::Blocked(Reason::FieldContested, BLOCKED));
        queue.add("a");
        queue.next().await;
        assert!(begun.elapsed() >= SPACING_OF_FAILURES, "what fails is not looked at at once");
    }

    /// How often a resource is looked at within a minute that changes all the time and always ends so.
    async fn looks_within_a_minute(next: Next) -> u32 {
        let queue = Queue::default();
        let end = Instant::now() + Duration::from_mins(1);
        let mut looks = 0;
        queue.add("a");
        while Instant::now() < end {
            let key = queue.next().await.unwrap();
            looks += 1;
            queue.done(&key, next);
            queue.add("a");
        }
        looks
    }

    #[tokio::test(start_paused = true)]
    async fn another_manager_does_not_set_the_pace_of_what_fails_each_time() {
        assert!((1190..=1210).contains(&looks_within_a_minute(Next::Wait).await));
        assert!(looks_within_a_minute(Next::Blocked(Reason::FieldContested, BLOCKED)).await <= 61);
        assert!(looks_within_a_minute(Next::Retry(Reason::Conflict)).await <= 68);
    }

    #[test]
    fn what_was_refused_waits_for_a_change_and_what_passes_does_not() {
        let failure = |kind| WriteError { kind, object: String::new(), message: String::new() };
        let after = |failures: &[ErrorKind], wait| {
            let failures = failures.iter().map(|kind| failure(*kind)).collect();
            Applied { failures, wait, ..Applied::default() }.next()
        };
        let hour = Duration::from_hours(1);
        assert_eq!(after(&[], None), Next::Wait);
        assert_eq!(after(&[ErrorKind::Refused], Some(hour)), Next::Blocked(Reason::Refused, hour));
        let both = after(&[ErrorKind::Refused, ErrorKind::QuotaExceeded], Some(hour));
        assert_eq!(both, Next::Retry(Reason::QuotaExceeded), "the refused one is not sent again for it");
    }

    #[tokio::test]
    async fn a_closed_queue_lets_its_workers_go() {
        let queue = Queue::<&str>::default();
        let (next, ()) = tokio::join!(queue.next(), async { queue.close() });
        assert_eq!(next, None);
    }
}
