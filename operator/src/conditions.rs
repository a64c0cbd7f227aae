//! Conditions as kstatus reads them, their transition times kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::api::{Condition, ConditionType, Reason};

/// The longest message that a condition holds (the API's own limit is 32768).
const MESSAGE: usize = 1024;

/// How far a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does what its spec says.
    Ready(String),
    /// It waits for something that may come by itself.
    Reconciling(Problem),
    /// Nothing goes on until somebody changes something.
    Stalled(Problem),
}

/// What stops a resource from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// One word in `UpperCamelCase`.
    pub reason: String,
    /// What people read: object, what the API says of it.
    pub message: String,
}

impl Problem {
    /// A problem that the operator found.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self::quoted(reason.name(), message)
    }

    /// A problem in Kubernetes' own word, such as `ImagePullBackOff`.
    pub fn quoted(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }

    /// Whether the operator found it for this reason.
    pub fn is(&self, reason: Reason) -> bool {
        self.reason == reason.name()
    }
}

/// One condition that is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    kind: ConditionType,
    status: &'static str,
    problem: Problem,
}

impl ConditionUpdate {
    /// A condition that is true or false.
    pub fn new(kind: ConditionType, truth: bool, reason: Reason, message: impl Into<String>) -> Self {
        Self::problem(kind, truth, &Problem::new(reason, message))
    }

    /// A condition that is true or false because of a problem.
    pub fn problem(kind: ConditionType, truth: bool, problem: &Problem) -> Self {
        Self { kind, status: if truth { "True" } else { "False" }, problem: problem.clone() }
    }

    /// A condition of which nothing is known.
    pub fn unknown(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self { status: "Unknown", ..Self::new(kind, false, reason, message) }
    }
}

impl Verdict {
    /// In the words of where a spec is edited, which may be a field of another object.
    #[must_use]
    pub fn edited_at(self, place: &str) -> Self {
        let there = |problem: Problem| match problem.message.strip_prefix("spec.") {
            Some(field) => Problem { message: format!("{place}.{field}"), ..problem },
            None => problem,
        };
        match self {
            Self::Ready(message) => Self::Ready(message),
            Self::Reconciling(problem) => Self::Reconciling(there(problem)),
            Self::Stalled(problem) => Self::Stalled(there(problem)),
        }
    }

    /// `Ready`, and `Reconciling` or `Stalled` while true.
    pub fn shown(&self) -> Vec<ConditionUpdate> {
        let beside = |kind, problem: &Problem| {
            vec![
                ConditionUpdate::problem(ConditionType::Ready, false, problem),
                ConditionUpdate::problem(kind, true, problem),
            ]
        };
        match self {
            Self::Ready(message) => {
                vec![ConditionUpdate::new(ConditionType::Ready, true, Reason::Ready, message.clone())]
            }
            Self::Reconciling(problem) => beside(ConditionType::Reconciling, problem),
            Self::Stalled(problem) => beside(ConditionType::Stalled, problem),
        }
    }

    /// Whether it is ready.
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

/// Conditions for a status: those of `before` that did not change keep their transition time.
pub fn conditions(
    before: &[Condition],
    shown: Vec<ConditionUpdate>,
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let mut conditions: Vec<Condition> =
        shown.into_iter().map(|shown| condition(before, shown, generation, now)).collect();
    conditions.sort_by_key(|condition| (condition.type_ != "Ready", condition.type_.clone()));
    conditions
}

fn condition(before: &[Condition], shown: ConditionUpdate, generation: i64, now: Timestamp) -> Condition {
    let kind = shown.kind.as_str();
    let same = before.iter().find(|c| c.type_ == kind && c.status == shown.status);
    Condition {
        type_: kind.to_owned(),
        status: shown.status.to_owned(),
        reason: shown.problem.reason,
        message: shortened(shown.problem.message),
        observed_generation: Some(generation),
        last_transition_time: same.map_or_else(|| whole_seconds(now), |c| c.last_transition_time.clone()),
    }
}

/// The API server stores whole seconds: a fraction would make the written status differ from the
/// one that comes back.
pub fn whole_seconds(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE {
        let end = (0..=MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or_default();
        // Between two words: half a password would no longer be known as one.
        let blank = message[..end].rfind(char::is_whitespace).filter(|at| *at > MESSAGE / 2);
        let end = blank.unwrap_or(end);
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_where_it_is_edited() {
        let stalled = |message: &str| Verdict::Stalled(Problem::new(Reason::VersionUnknown, message));
        let there = |message: &str| stalled(message).edited_at("spec.services.others[wiki]");
        assert_eq!(there("spec.version: 4"), stalled("spec.services.others[wiki].version: 4"));
        assert_eq!(there("Tariff t does not exist"), stalled("Tariff t does not exist"));
        assert_eq!(stalled("spec.version: 4").edited_at("spec"), stalled("spec.version: 4"));
    }

    #[test]
    fn a_condition_that_does_not_turn_keeps_its_time() {
        let early = Timestamp::from_second(100).unwrap();
        let late = Timestamp::from_second(200).unwrap();
        let waits = |message: &str| Verdict::Reconciling(Problem::new(Reason::Starting, message)).shown();
        let first = conditions(&[], waits("a"), 1, early);
        let second = conditions(&first, waits("b"), 1, late);
        assert_eq!(second[0].last_transition_time, first[0].last_transition_time);
        let third = conditions(&second, Verdict::Ready(String::new()).shown(), 1, late);
        assert_eq!(third.len(), 1, "Reconciling is present only while true");
        assert_eq!(third[0].last_transition_time.0, late);
    }
}
