//! Scenarios that take turns: a run of all has a few of them, while there is time
//! (`docs/decisions/2026-11-30-long-scenarios-take-turns.md`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::failure::{Failure, Outcome};
use crate::seed::{Seed, VARIABLE};

/// Of the scenarios that take turns, one in so many runs.
const ONE_IN: usize = 3;
/// Until when they begin, in seconds since 1970: CI has so many minutes, and not always the same machine.
const UNTIL: &str = "COMMONSCLOUD_TURNS_UNTIL";

/// Until when scenarios that take turns begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns(Option<SystemTime>);

impl Turns {
    /// At any time: a filter, or `make slow`.
    pub const ALWAYS: Self = Self(None);

    /// What `COMMONSCLOUD_TURNS_UNTIL` says; without it they begin at any time.
    ///
    /// # Errors
    /// When the variable is no number.
    pub fn of_this_run() -> Outcome<Self> {
        std::env::var(UNTIL).map_or(Ok(Self::ALWAYS), |given| Self::read(&given))
    }

    fn read(given: &str) -> Outcome<Self> {
        let seconds =
            given.trim().parse().map_err(|_| Failure::new(format!("{UNTIL}={given} is no number of seconds")))?;
        Ok(Self(Some(UNIX_EPOCH + Duration::from_secs(seconds))))
    }

    /// Why one of them does not begin any more, if it does not.
    pub fn over(self) -> Option<&'static str> {
        self.0.is_some_and(|until| SystemTime::now() >= until).then_some("no time is left: make slow runs it")
    }
}

/// Leaves one in [`ONE_IN`] of those that take turns, after the others and in the order of the seed, and says so.
pub fn sample<S>(tier: &str, scenarios: Vec<S>, takes_turns: impl Fn(&S) -> bool, mut seed: Seed) -> Vec<S> {
    let (mut waiting, mut left): (Vec<S>, Vec<S>) = scenarios.into_iter().partition(takes_turns);
    let all = waiting.len();
    let run = all.div_ceil(ONE_IN);
    for _ in 0..run {
        let which = seed.below(u32::try_from(waiting.len()).unwrap_or(u32::MAX));
        left.push(waiting.remove(usize::try_from(which).unwrap_or_default()));
    }
    if all > run {
        eprintln!("{tier}: {run} of {all} scenarios that take turns, by {VARIABLE}={}; make slow runs all", seed.first);
    }
    left
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Seed, Turns, sample};

    fn left_by(seed: u64) -> Vec<&'static str> {
        sample("tier", vec!["a", "always", "b", "c", "d"], |name| *name != "always", Seed::new(seed))
    }

    #[test]
    fn a_third_of_those_that_take_turns_run_after_the_others_and_each_has_its_turn() {
        let seen: Vec<_> = (0..50).map(left_by).collect();
        assert!(seen.iter().all(|left| left.len() == 3 && left[0] == "always"), "{seen:?}");
        assert_eq!(seen.iter().flatten().collect::<BTreeSet<_>>().len(), 5, "{seen:?}");
        // Who is last when time runs out is not always the same one.
        assert!(seen.iter().map(|left| left[2]).collect::<BTreeSet<_>>().len() > 1, "{seen:?}");
        assert_eq!(left_by(7), left_by(7));
    }

    #[test]
    fn they_begin_until_their_time_is_over() {
        assert_eq!(Turns::ALWAYS.over(), None);
        assert!(Turns::read("1").unwrap().over().is_some());
        assert_eq!(Turns::read(" 99999999999\n").unwrap().over(), None);
        assert!(Turns::read("soon").unwrap_err().to_string().contains("COMMONSCLOUD_TURNS_UNTIL=soon"));
    }
}
