//! Events: what `kubectl describe` and `kubectl events` show when a resource turns.

use kube::runtime::events::{Event, EventType};

use crate::api::{Condition, ConditionType, EntityStatus, InstanceStatus, PlatformStatus, ServiceTemplateStatus};

/// A status that has conditions.
pub trait Reported {
    /// Its conditions.
    fn conditions(&self) -> &[Condition];
}

macro_rules! reported {
    ($($status:ty),+) => {
        $(impl Reported for $status {
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }
        })+
    };
}

reported!(EntityStatus, InstanceStatus, PlatformStatus, ServiceTemplateStatus);

/// The Event of a status whose `Ready` turned, or is false for another reason than before.
pub(super) fn event(before: Option<&impl Reported>, after: &impl Reported) -> Option<Event> {
    let ready = find(after.conditions(), ConditionType::Ready)?;
    let known = before.and_then(|before| find(before.conditions(), ConditionType::Ready));
    if known.is_some_and(|known| known.status == ready.status && known.reason == ready.reason) {
        return None;
    }
    let stalled = find(after.conditions(), ConditionType::Stalled).is_some();
    Some(Event {
        type_: if stalled { EventType::Warning } else { EventType::Normal },
        reason: ready.reason.clone(),
        note: Some(ready.message.clone()),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
}

fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::report::{Problem, Verdict, conditions};

    fn status(verdict: &Verdict) -> InstanceStatus {
        InstanceStatus {
            conditions: conditions(&[], verdict.shown(), 1, Timestamp::UNIX_EPOCH),
            ..InstanceStatus::default()
        }
    }

    #[test]
    fn only_what_turned_is_news() {
        let waits = |message: &str| status(&Verdict::Reconciling(Problem::new("Starting", message)));
        let stalled = status(&Verdict::Stalled(Problem::new("TierUnknown", "no such tier")));
        assert!(event(None::<&InstanceStatus>, &waits("a")).is_some());
        assert!(event(Some(&waits("a")), &waits("b")).is_none());
        let news = event(Some(&waits("a")), &stalled).unwrap();
        assert_eq!((news.reason.as_str(), news.type_ == EventType::Warning), ("TierUnknown", true));
    }
}
