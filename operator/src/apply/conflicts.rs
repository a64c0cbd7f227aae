//! Conflicts with other field managers: a field that one changes back each time is not fought over.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use tokio::time::Instant;

use super::target::ObjectKey;
use crate::api::marks;

/// So many rounds of repairs of one object towards the same end ...
const ROUNDS: usize = 6;
/// ... within this time are a contest.
const WITHIN: Duration = Duration::from_mins(1);
/// How long the other manager has to leave a contested object alone until it is repaired again.
const QUIET: Duration = Duration::from_secs(30);
/// That time doubles with each repair that is undone, up to this.
const LONGEST_QUIET: Duration = Duration::from_mins(10);

/// The objects that were repaired lately, and those that are contested.
#[derive(Default)]
pub(super) struct ConflictTracker {
    objects: Mutex<HashMap<ObjectKey, Repaired>>,
}

/// The repairs of one object, as long as it is wanted to be the same.
#[derive(Default)]
struct Repaired {
    wanted: u64,
    rounds: VecDeque<Instant>,
    contest: Option<Contest>,
}

struct Contest {
    /// What people are told; none until the other manager was looked for.
    message: Option<String>,
    /// What was seen at the contested places, as a digest.
    seen: u64,
    /// When the other manager was last seen to write.
    since: Instant,
    quiet: Duration,
    /// Whether it was repaired after a quiet time.
    repaired: bool,
}

/// Whether an object may be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody contests it.
    Free,
    /// Somebody undid each repair.
    Contested {
        /// What people are told; none: the other manager has not been looked for yet.
        message: Option<String>,
        /// When to look again.
        wait: Duration,
    },
}

impl ConflictTracker {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Repaired>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How an object stands that differs from what is `wanted`, where the differing places look as
    /// `seen` (both are digests). Where something else is wanted than before, nobody undid what was
    /// repaired; what only removes an addition (`wanted` is none) says nothing of that.
    pub(super) fn standing(&self, object: &ObjectKey, wanted: Option<u64>, seen: u64) -> Standing {
        let mut objects = self.lock();
        let Some(of) = objects.get_mut(object) else { return Standing::Free };
        let now = Instant::now();
        if of.is_anew(wanted) || of.contest.as_ref().is_some_and(|contest| contest.is_over(now)) {
            objects.remove(object);
            return Standing::Free;
        }
        of.forget_old_rounds(now);
        if of.contest.is_none() && of.rounds.len() < ROUNDS {
            return Standing::Free;
        }
        of.contest.get_or_insert_with(|| Contest::begun(seen, now)).standing(seen, now)
    }

    /// What people are told of a contest from now on.
    pub(super) fn name(&self, object: &ObjectKey, message: &str) {
        if let Some(contest) = self.lock().get_mut(object).and_then(|of| of.contest.as_mut()) {
            contest.message = Some(message.to_owned());
        }
    }

    /// Notes a round of repairs that the API server took, or that lost a race against another
    /// manager. Any other that failed changed nothing, and is no round of a contest: several
    /// instances may try to repair what they share.
    pub(super) fn repaired(&self, object: &ObjectKey, wanted: Option<u64>) {
        let now = Instant::now();
        let mut objects = self.lock();
        objects.retain(|_, of| {
            of.forget_old_rounds(now);
            !of.rounds.is_empty() || of.contest.as_ref().is_some_and(|contest| !contest.is_over(now))
        });
        let of = objects.entry(object.clone()).or_default();
        if of.is_anew(wanted) {
            *of = Repaired::default();
        }
        of.wanted = wanted.unwrap_or(of.wanted);
        of.rounds.push_back(now);
        if let Some(contest) = &mut of.contest {
            contest.repaired = true;
            contest.since = now;
        }
    }
}

impl Repaired {
    fn is_anew(&self, wanted: Option<u64>) -> bool {
        wanted.is_some_and(|wanted| self.wanted != 0 && wanted != self.wanted)
    }

    fn forget_old_rounds(&mut self, now: Instant) {
        self.rounds.retain(|time| now.duration_since(*time) < WITHIN);
    }
}

impl Contest {
    const fn begun(seen: u64, now: Instant) -> Self {
        Self { message: None, seen, since: now, quiet: QUIET, repaired: false }
    }

    /// Nothing differed for so long that what differs now is another matter.
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.since) > self.quiet + WITHIN
    }

    fn standing(&mut self, seen: u64, now: Instant) -> Standing {
        if self.repaired {
            // It was repaired after a quiet time, and differs again.
            self.repaired = false;
            self.quiet = (self.quiet * 2).min(LONGEST_QUIET);
            (self.seen, self.since) = (seen, now);
        } else if self.seen != seen {
            (self.seen, self.since) = (seen, now);
        }
        let left = self.quiet.saturating_sub(now.duration_since(self.since));
        if left.is_zero() {
            return Standing::Free;
        }
        Standing::Contested { message: self.message.clone(), wait: left }
    }
}

/// The manager, other than ours and the cluster's own controllers, that wrote last.
pub(super) fn other_manager(fields: &[ManagedFieldsEntry]) -> Option<&str> {
    let others = fields.iter().filter(|entry| entry.subresource.is_none());
    let others = others.filter(|entry| {
        let manager = entry.manager.as_deref().unwrap_or_default();
        !manager.is_empty() && !manager.starts_with(marks::OPERATOR) && manager != "kube-controller-manager"
    });
    others.max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?.manager.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Option<u64> = Some(1);

    fn object() -> ObjectKey {
        ("Deployment".to_owned(), "e".to_owned(), "s-app".to_owned())
    }

    /// Conflicts among which `object()` has become a contested one.
    fn contested() -> ConflictTracker {
        let conflicts = ConflictTracker::default();
        for _ in 0..ROUNDS {
            assert_eq!(conflicts.standing(&object(), WANTED, 0), Standing::Free);
            conflicts.repaired(&object(), WANTED);
        }
        conflicts
    }

    fn is_free(conflicts: &ConflictTracker, seen: u64) -> bool {
        conflicts.standing(&object(), WANTED, seen) == Standing::Free
    }

    async fn after(time: Duration) {
        tokio::time::advance(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_contest_is_named_once_and_costs_nothing_more() {
        let conflicts = contested();
        assert_eq!(conflicts.standing(&object(), WANTED, 1), Standing::Contested { message: None, wait: QUIET });
        conflicts.name(&object(), "autoscaler changes it");
        for seen in 2..1000 {
            after(Duration::from_millis(50)).await;
            let message = Some("autoscaler changes it".to_owned());
            assert_eq!(conflicts.standing(&object(), WANTED, seen), Standing::Contested { message, wait: QUIET });
        }
        assert_eq!(conflicts.standing(&("Service".into(), "e".into(), "s-app".into()), WANTED, 0), Standing::Free);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_alone_is_repaired_half_a_minute_later() {
        let conflicts = contested();
        assert!(!is_free(&conflicts, 1));
        after(QUIET / 2).await;
        assert!(!is_free(&conflicts, 2), "the last write of the other manager");
        after(QUIET.saturating_sub(Duration::from_millis(1))).await;
        assert!(!is_free(&conflicts, 2));
        after(Duration::from_millis(1)).await;
        assert!(is_free(&conflicts, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_repair_that_is_undone_waits_longer_each_time() {
        let conflicts = contested();
        let (mut seen, mut quiet) = (1, QUIET);
        assert!(!is_free(&conflicts, seen));
        for _ in 0..8 {
            after(quiet.saturating_sub(Duration::from_millis(1))).await;
            assert!(!is_free(&conflicts, seen));
            after(Duration::from_millis(1)).await;
            assert!(is_free(&conflicts, seen), "repaired after {quiet:?}");
            conflicts.repaired(&object(), WANTED);
            seen += 1;
            assert!(!is_free(&conflicts, seen), "undone at once");
            quiet = (quiet * 2).min(LONGEST_QUIET);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_repair_that_lasts_ends_the_contest() {
        let conflicts = contested();
        assert!(!is_free(&conflicts, 1));
        after(QUIET).await;
        assert!(is_free(&conflicts, 1));
        conflicts.repaired(&object(), WANTED);
        after(QUIET + WITHIN + Duration::from_millis(1)).await;
        assert!(is_free(&conflicts, 7));
        conflicts.repaired(&object(), WANTED);
        assert!(is_free(&conflicts, 8), "an ordinary repair");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_for_something_else_each_time_fights_nobody() {
        let conflicts = ConflictTracker::default();
        for wanted in 1..60 {
            assert_eq!(conflicts.standing(&object(), Some(wanted), 0), Standing::Free);
            conflicts.repaired(&object(), Some(wanted));
        }
        assert_eq!(contested().standing(&object(), Some(2), 0), Standing::Free, "a contest ends with it");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_only_taken_away_is_contested_too() {
        let conflicts = ConflictTracker::default();
        for _ in 0..ROUNDS {
            assert_eq!(conflicts.standing(&object(), None, 0), Standing::Free);
            conflicts.repaired(&object(), None);
        }
        assert_ne!(conflicts.standing(&object(), None, 0), Standing::Free);
    }

    #[test]
    fn the_other_manager_is_who_wrote_last() {
        let fields: Vec<ManagedFieldsEntry> = serde_json::from_value(serde_json::json!([
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-01T00:00:00Z"},
            {"manager": "autoscaler", "operation": "Update", "time": "2026-01-02T00:00:00Z"},
            {"manager": "commonscloud", "operation": "Apply", "time": "2026-01-03T00:00:00Z"},
        ]))
        .unwrap();
        assert_eq!(other_manager(&fields), Some("autoscaler"));
    }
}
