//! Events: what `kubectl describe` and `kubectl events` show when a resource turns.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};

use super::recorder::Recorder;
use crate::api::{
    AccessStatus, CollectiveStatus, Condition, ConditionType, EntityStatus, GROUP, InstanceStatus, LeaveRequestStatus,
    PlatformStatus, Reason, RestoreConsentStatus, ServiceBackupStatus, ServiceDataStatus, ServiceRestoreStatus,
    ServiceTemplateStatus, VERSION,
};
use crate::cache::Key;

/// How long an Event may take.
const EVENT_TIMEOUT: Duration = Duration::from_secs(5);

/// An Event that is not taken is no reason to do anything again.
pub(super) async fn publish(recorder: &Recorder, key: &Key, uid: &str, event: &Event) {
    let about = ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(key.kind.as_str().to_owned()),
        namespace: (!key.namespace.is_empty()).then(|| key.namespace.clone()),
        name: Some(key.name.clone()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    };
    match tokio::time::timeout(EVENT_TIMEOUT, recorder.publish(event, &about)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "event not taken"),
        Err(_) => tracing::debug!("event not taken in time"),
    }
}

/// A status that has conditions.
pub trait Reported {
    /// Its conditions.
    fn conditions(&self) -> &[Condition];
    /// Has it say these conditions of this generation.
    fn set_conditions(&mut self, conditions: Vec<Condition>, generation: i64);
    /// All that it says in the words of others, or may.
    fn messages(&mut self) -> Vec<&mut String>;
}

macro_rules! reported {
    ($($status:ident $(and its $list:ident)?),+) => {
        $(impl Reported for $status {
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }

            fn set_conditions(&mut self, conditions: Vec<Condition>, generation: i64) {
                self.conditions = conditions;
                self.observed_generation = Some(generation);
            }

            fn messages(&mut self) -> Vec<&mut String> {
                let messages = self.conditions.iter_mut().map(|condition| &mut condition.message);
                $(let messages = messages.chain(self.$list.iter_mut().filter_map(|item| item.message.as_mut()));)?
                messages.collect()
            }
        })+
    };
}

reported!(
    EntityStatus and its services,
    InstanceStatus and its components,
    PlatformStatus,
    ServiceTemplateStatus,
    ServiceBackupStatus,
    ServiceRestoreStatus,
    RestoreConsentStatus,
    CollectiveStatus,
    AccessStatus,
    LeaveRequestStatus
);

/// Of data only what is wrong is news: the instance tells the rest.
impl Reported for ServiceDataStatus {
    fn conditions(&self) -> &[Condition] {
        let stalled = self.conditions.iter().any(|condition| condition.type_ == ConditionType::Stalled.as_str());
        if stalled { &self.conditions } else { &[] }
    }

    fn set_conditions(&mut self, conditions: Vec<Condition>, generation: i64) {
        self.conditions = conditions;
        self.observed_generation = Some(generation);
    }

    fn messages(&mut self) -> Vec<&mut String> {
        self.conditions.iter_mut().map(|condition| &mut condition.message).collect()
    }
}

/// The Events of a status: one when `Ready` turned, or is false for another reason than before, and one when a volume
/// begins to fill up, or cannot grow any more, or nobody may rely on its backups. That what was not ready before is on
/// its way is no news.
pub(super) fn events(before: Option<&impl Reported>, after: &impl Reported) -> Vec<Event> {
    let turned = |kind| {
        let now = find(after.conditions(), kind)?;
        let known = before.and_then(|before| find(before.conditions(), kind));
        let same = known.is_some_and(|known| known.status == now.status && known.reason == now.reason);
        (!same).then_some(now)
    };
    let stalled = find(after.conditions(), ConditionType::Stalled).is_some();
    let was_ready = before.and_then(|before| find(before.conditions(), ConditionType::Ready));
    let was_ready = was_ready.is_some_and(|ready| ready.status == "True");
    let is_news = |ready: &&Condition| was_ready || stalled || ready.status == "True" || fails(ready);
    let ready = turned(ConditionType::Ready).filter(is_news).map(|ready| event(ready, stalled || fails(ready)));
    let filling = turned(ConditionType::VolumeFilling)
        .map(|filling| event(filling, filling.reason != Reason::VolumeGrowing.name()));
    let unproven = turned(ConditionType::RestoreProven).map(|unproven| event(unproven, true));
    ready.into_iter().chain(filling).chain(unproven).collect()
}

/// What is on its way, or as somebody wants it. Whatever else keeps a resource from being ready fails, be
/// it that it may still come by itself: `--field-selector type=Warning` has to show it.
const ON_ITS_WAY: [Reason; 17] = [
    Reason::BackupRuns,
    Reason::DataBeingMade,
    Reason::DataRestoring,
    Reason::Deleting,
    Reason::NamespaceNotReady,
    Reason::NamespaceTerminating,
    Reason::NotAsked,
    Reason::Removing,
    Reason::RepositoryInUse,
    Reason::Restoring,
    Reason::RevisionWaits,
    Reason::RollingOut,
    Reason::ServicesNotReady,
    Reason::Starting,
    Reason::VolumeGrowing,
    Reason::VolumePending,
    Reason::WaitsForTurn,
];

fn fails(ready: &Condition) -> bool {
    let is_on_its_way = Reason::named(&ready.reason).is_some_and(|reason| ON_ITS_WAY.contains(&reason));
    ready.status != "True" && !is_on_its_way
}

fn event(condition: &Condition, warns: bool) -> Event {
    Event {
        type_: if warns { EventType::Warning } else { EventType::Normal },
        reason: condition.reason.clone(),
        note: Some(condition.message.clone()),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::report::{ConditionUpdate, Problem, Verdict, conditions};

    fn status(verdict: &Verdict) -> InstanceStatus {
        InstanceStatus {
            conditions: conditions(&[], verdict.shown(), 1, Timestamp::UNIX_EPOCH),
            ..InstanceStatus::default()
        }
    }

    #[test]
    fn only_what_turned_is_news() {
        let waits = |message: &str| status(&Verdict::Reconciling(Problem::new(Reason::Starting, message)));
        let stalled = status(&Verdict::Stalled(Problem::new(Reason::TierUnknown, "no such tier")));
        assert!(events(None::<&InstanceStatus>, &waits("a")).is_empty(), "it begins");
        assert!(events(Some(&waits("a")), &waits("b")).is_empty());
        let ready = status(&Verdict::Ready("answers".to_owned()));
        assert_eq!(events(Some(&waits("a")), &ready)[0].reason, "Ready");
        assert_eq!(events(Some(&ready), &waits("a"))[0].reason, "Starting");
        let news = events(Some(&waits("a")), &stalled);
        assert_eq!((news[0].reason.as_str(), news[0].type_ == EventType::Warning), ("TierUnknown", true));
    }

    #[test]
    fn what_fails_is_a_warning_though_it_may_come_by_itself() {
        let warns = |reason: &str| {
            let waits = status(&Verdict::Reconciling(Problem::quoted(reason, "said")));
            events(None::<&InstanceStatus>, &waits).iter().any(|event| event.type_ == EventType::Warning)
        };
        for reason in [
            "InitFailed",
            "CreateContainerConfigError",
            "ImagePullBackOff",
            "FailedCreate",
            "Unschedulable",
            "Conflict",
            "QuotaExceeded",
            "TemplateNotFound",
        ] {
            assert!(warns(reason), "{reason}");
        }
        for reason in ON_ITS_WAY {
            assert!(!warns(reason.name()), "{reason}");
        }
        let ready = status(&Verdict::Ready("answers".to_owned()));
        assert!(events(None::<&InstanceStatus>, &ready).iter().all(|event| event.type_ == EventType::Normal));
    }

    #[test]
    fn a_volume_that_grows_is_news_and_one_that_cannot_is_a_warning() {
        let filling = |reason: Reason| {
            let mut shown = Verdict::Ready("answers".to_owned()).shown();
            shown.push(ConditionUpdate::new(ConditionType::VolumeFilling, true, reason, "office-db is nearly full"));
            InstanceStatus { conditions: conditions(&[], shown, 1, Timestamp::UNIX_EPOCH), ..InstanceStatus::default() }
        };
        let calm = status(&Verdict::Ready("answers".to_owned()));
        let news = |before: &InstanceStatus, after: &InstanceStatus| -> Vec<(String, bool)> {
            let news = events(Some(before), after).into_iter();
            news.map(|event| (event.reason, event.type_ == EventType::Warning)).collect()
        };
        let (growing, at_maximum) = (filling(Reason::VolumeGrowing), filling(Reason::VolumeAtMaximum));
        assert_eq!(news(&calm, &growing), [("VolumeGrowing".to_owned(), false)]);
        assert_eq!(news(&growing, &at_maximum), [("VolumeAtMaximum".to_owned(), true)]);
        assert_eq!(news(&at_maximum, &at_maximum), []);
        assert_eq!(news(&at_maximum, &calm), []);
    }
}
