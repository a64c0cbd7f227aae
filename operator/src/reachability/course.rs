//! When a service is asked again, and how many failures are believed.

use std::time::Duration;

use super::Answer;

/// The first pause of a service that was not heard yet; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(250);
/// How many of its failures are no news: routes take a moment after the pods are ready.
const EARLY: u32 = 3;
/// How often a service is asked that does not answer.
const SEARCHING: Duration = Duration::from_secs(2);
/// How often a service is asked that answers.
const ANSWERING: Duration = Duration::from_mins(1);
/// How soon a failure of a service that answered is looked at again.
const DOUBTING: Duration = Duration::from_secs(3);
/// How many repetitions must fail as well before a service that answered counts as unreachable.
const REPETITIONS: u32 = 3;

/// What one service said so far.
#[derive(Debug, Default)]
pub(super) struct Course {
    answer: Answer,
    /// Failures since it last answered.
    failures: u32,
    /// A new reason that was heard once.
    rumour: Option<String>,
}

impl Course {
    /// What is known.
    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }

    /// How long to wait before it is asked again, from when it was asked last.
    pub(super) fn pause(&self) -> Duration {
        match &self.answer {
            Answer::Reachable if self.failures == 0 => ANSWERING,
            Answer::Reachable => DOUBTING,
            Answer::Unknown => (FIRST * (1 << self.failures.saturating_sub(1).min(EARLY))).min(SEARCHING),
            Answer::Unreachable { .. } => SEARCHING,
        }
    }

    /// Takes in what one question brought. True when the answer is another one now.
    pub(super) fn hear(&mut self, outcome: Result<(), String>) -> bool {
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
            Answer::Unknown if self.failures <= EARLY => return false,
            Answer::Reachable if self.failures <= REPETITIONS => return false,
            // A reason counts when it is heard twice: services that start give many in turn.
            Answer::Unreachable { reason: known } if *known == reason => {
                self.rumour = None;
                return false;
            }
            Answer::Unreachable { .. } if self.rumour.as_ref() != Some(&reason) => {
                self.rumour = Some(reason);
                return false;
            }
            Answer::Unknown | Answer::Reachable | Answer::Unreachable { .. } => {}
        }
        self.rumour = None;
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
        let mut course = Course::default();
        for pause in [250, 500, 1000] {
            assert!(!course.hear(refused()));
            assert_eq!((course.answer(), course.pause()), (&Answer::Unknown, Duration::from_millis(pause)));
        }
        assert!(course.hear(refused()));
        assert_eq!(course.answer(), &unreachable("connection refused"));
    }

    #[test]
    fn a_service_is_asked_every_two_seconds_until_it_answers_and_then_every_minute() {
        let mut course = Course::default();
        while !course.hear(refused()) {}
        assert_eq!((course.answer(), course.pause()), (&unreachable("connection refused"), SEARCHING));
        assert!(!course.hear(refused()));
        assert!(course.hear(Ok(())));
        assert_eq!((course.answer(), course.pause()), (&Answer::Reachable, ANSWERING));
        assert!(!course.hear(Ok(())));
    }

    #[test]
    fn a_service_that_answered_is_doubted_only_after_three_repetitions_within_ten_seconds() {
        let mut course = Course::default();
        course.hear(Ok(()));
        let mut spent = Duration::ZERO;
        for _ in 0..3 {
            assert!(!course.hear(refused()));
            assert_eq!(course.answer(), &Answer::Reachable);
            spent += course.pause();
        }
        assert!(spent <= Duration::from_secs(10), "{spent:?}");
        assert!(course.hear(refused()));
        assert_eq!(course.answer(), &unreachable("connection refused"));
    }

    #[test]
    fn one_answer_ends_the_doubt() {
        let mut course = Course::default();
        course.hear(Ok(()));
        for _ in 0..3 {
            course.hear(refused());
        }
        assert!(!course.hear(Ok(())));
        assert_eq!(course.pause(), ANSWERING);
        for _ in 0..3 {
            assert!(!course.hear(refused()));
        }
    }

    #[test]
    fn a_reason_is_replaced_when_the_new_one_is_heard_twice_in_a_row() {
        let mut course = Course::default();
        while !course.hear(Err("503".to_owned())) {}
        assert!(!course.hear(Err("404".to_owned())));
        assert!(!course.hear(Err("503".to_owned())));
        assert!(!course.hear(Err("404".to_owned())));
        assert_eq!(course.answer(), &unreachable("503"));
        assert!(course.hear(Err("404".to_owned())));
        assert_eq!(course.answer(), &unreachable("404"));
    }
}
