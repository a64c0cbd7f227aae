//! When a service is probed again, and how many failures count.

use std::time::Duration;

use super::Answer;

/// The first pause of a service that was not heard yet; each further one is twice as long.
const INITIAL_INTERVAL: Duration = Duration::from_millis(250);
/// How many of its failures are no news: routes take a moment after the pods are ready.
const INITIAL_FAILURES: u32 = 3;
/// How often a service is asked that does not answer.
const UNREACHABLE_INTERVAL: Duration = Duration::from_secs(2);
/// How often a service is asked that answers.
const REACHABLE_INTERVAL: Duration = Duration::from_mins(1);
/// How soon a failure of a service that answered is looked at again.
const RECHECK_INTERVAL: Duration = Duration::from_secs(3);
/// How many repetitions must fail as well before a service that answered counts as unreachable.
const RECHECKS: u32 = 3;

/// The outcomes of one service's probes so far.
#[derive(Debug, Default)]
pub(super) struct ProbeSchedule {
    answer: Answer,
    /// Failures since it last answered.
    failures: u32,
    /// A new reason that was heard once.
    pending_reason: Option<String>,
}

impl ProbeSchedule {
    /// What is known.
    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }

    /// How long to wait before it is asked again, from when it was asked last.
    pub(super) fn pause(&self) -> Duration {
        match &self.answer {
            Answer::Reachable if self.failures == 0 => REACHABLE_INTERVAL,
            Answer::Reachable => RECHECK_INTERVAL,
            Answer::Unknown => (INITIAL_INTERVAL * (1 << self.failures.saturating_sub(1).min(INITIAL_FAILURES)))
                .min(UNREACHABLE_INTERVAL),
            Answer::Unreachable { .. } => UNREACHABLE_INTERVAL,
        }
    }

    /// Takes in what one question brought. True when the answer is another one now.
    pub(super) fn record(&mut self, outcome: Result<(), String>) -> bool {
        match outcome {
            Ok(()) => {
                let before = std::mem::replace(self, Self { answer: Answer::Reachable, ..Self::default() });
                before.answer != Answer::Reachable
            }
            Err(reason) => self.fail(reason),
        }
    }

    fn fail(&mut self, reason: String) -> bool {
        self.failures = self.failures.saturating_add(1);
        match &self.answer {
            Answer::Unknown if self.failures <= INITIAL_FAILURES => return false,
            Answer::Reachable if self.failures <= RECHECKS => return false,
            // A reason counts when it is heard twice: services that start give many in turn.
            Answer::Unreachable { reason: known } if *known == reason => {
                self.pending_reason = None;
                return false;
            }
            Answer::Unreachable { .. } if self.pending_reason.as_ref() != Some(&reason) => {
                self.pending_reason = Some(reason);
                return false;
            }
            Answer::Unknown | Answer::Reachable | Answer::Unreachable { .. } => {}
        }
        self.pending_reason = None;
        self.answer = Answer::Unreachable { reason };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Result<(), String> {
        Err("connection refused".to_owned())
    }

    fn unreachable(reason: &str) -> Answer {
        Answer::Unreachable { reason: reason.to_owned() }
    }

    #[test]
    fn the_first_failures_of_a_new_service_are_repeated_quickly_and_are_no_news() {
        let mut schedule = ProbeSchedule::default();
        for pause in [250, 500, 1000] {
            assert!(!schedule.record(refused()));
            assert_eq!((schedule.answer(), schedule.pause()), (&Answer::Unknown, Duration::from_millis(pause)));
        }
        assert!(schedule.record(refused()));
        assert_eq!(schedule.answer(), &unreachable("connection refused"));
    }

    #[test]
    fn a_service_is_asked_every_two_seconds_until_it_answers_and_then_every_minute() {
        let mut schedule = ProbeSchedule::default();
        while !schedule.record(refused()) {}
        assert_eq!((schedule.answer(), schedule.pause()), (&unreachable("connection refused"), UNREACHABLE_INTERVAL));
        assert!(!schedule.record(refused()));
        assert!(schedule.record(Ok(())));
        assert_eq!((schedule.answer(), schedule.pause()), (&Answer::Reachable, REACHABLE_INTERVAL));
        assert!(!schedule.record(Ok(())));
    }

    #[test]
    fn a_service_that_answered_is_doubted_only_after_three_repetitions_within_ten_seconds() {
        let mut schedule = ProbeSchedule::default();
        schedule.record(Ok(()));
        let mut spent = Duration::ZERO;
        for _ in 0..3 {
            assert!(!schedule.record(refused()));
            assert_eq!(schedule.answer(), &Answer::Reachable);
            spent += schedule.pause();
        }
        assert!(spent <= Duration::from_secs(10), "{spent:?}");
        assert!(schedule.record(refused()));
        assert_eq!(schedule.answer(), &unreachable("connection refused"));
    }

    #[test]
    fn one_answer_ends_the_doubt() {
        let mut schedule = ProbeSchedule::default();
        schedule.record(Ok(()));
        for _ in 0..3 {
            schedule.record(refused());
        }
        assert!(!schedule.record(Ok(())));
        assert_eq!(schedule.pause(), REACHABLE_INTERVAL);
        for _ in 0..3 {
            assert!(!schedule.record(refused()));
        }
    }

    #[test]
    fn a_reason_is_replaced_when_the_new_one_is_heard_twice_in_a_row() {
        let mut schedule = ProbeSchedule::default();
        while !schedule.record(Err("503".to_owned())) {}
        assert!(!schedule.record(Err("404".to_owned())));
        assert!(!schedule.record(Err("503".to_owned())));
        assert!(!schedule.record(Err("404".to_owned())));
        assert_eq!(schedule.answer(), &unreachable("503"));
        assert!(schedule.record(Err("404".to_owned())));
        assert_eq!(schedule.answer(), &unreachable("404"));
    }
}
