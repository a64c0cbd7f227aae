//! Whether an instance waits in a roll-out, or keeps others waiting.

use super::conditions::ConditionUpdate;
use crate::api::{ConditionType, InstanceStatus, Reason};
use crate::resolve::Rollout;

/// Condition `RevisionPending` of who waits, `HoldsRollout` of who was Ready before the newest revision
/// and is not: from that moment until it is Ready.
pub(super) fn rollout_condition(before: &InstanceStatus, rollout: &Rollout, is_ready: bool) -> Option<ConditionUpdate> {
    match rollout {
        Rollout::Waits { revision, after, maximum } => {
            let whom = match after.as_slice() {
                [] => "when it is its turn".to_owned(),
                [one] => format!("once {one} is Ready on it"),
                many => format!("once one of {} is Ready on it", many.join(", ")),
            };
            let message = format!(
                "revision {revision} comes {whom}; rollout.maxUnavailable of the Platform is {maximum}, and who keeps others waiting has condition HoldsRollout"
            );
            Some(ConditionUpdate::new(ConditionType::RevisionPending, true, Reason::RevisionWaits, message))
        }
        Rollout::Newest(revision) if !is_ready && (was_ready(before) || held(before)) => {
            let message = format!(
                "it was Ready before, and is not on revision {revision}: no other instance moves there meanwhile; an earlier one in spec.revision takes it back, spec.paused lets the others go on"
            );
            Some(ConditionUpdate::new(ConditionType::HoldsRollout, true, Reason::NotReadyOnRevision, message))
        }
        Rollout::Newest(_) | Rollout::Off => None,
    }
}

/// The same for an instance of which not all is applied until somebody changes something. One that runs
/// the newest revision and has a fault in its manifest runs on: it holds nobody.
pub(super) fn unapplied_condition(
    before: &InstanceStatus,
    rollout: &Rollout,
    is_ready: bool,
) -> Option<ConditionUpdate> {
    let runs = matches!(rollout, Rollout::Newest(newest) if before.revision.as_ref() == Some(newest));
    if runs && !held(before) { None } else { rollout_condition(before, rollout, is_ready) }
}

fn was_ready(before: &InstanceStatus) -> bool {
    before.is_true(ConditionType::Ready).is_some()
}

fn held(before: &InstanceStatus) -> bool {
    before.is_true(ConditionType::HoldsRollout).is_some()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::super::conditions::{Problem, Verdict, conditions};
    use super::super::instance::refused;
    use super::*;
    use crate::api::Condition;
    use crate::resolve::Instance;
    use crate::resolve::fixtures::instance;

    fn newest() -> Rollout {
        Rollout::Newest("radicale-new".to_owned())
    }

    fn not_ready() -> Verdict {
        Verdict::Stalled(Problem::new(Reason::ParametersInvalid, "no such parameter"))
    }

    /// An instance that reported this.
    fn reported(verdict: &Verdict) -> Instance {
        let mut instance = instance("tier: 1gb");
        instance.status.conditions = conditions(&[], verdict.shown(), 1, Timestamp::UNIX_EPOCH);
        instance
    }

    fn after(before: &Instance, rollout: &Rollout, verdict: &Verdict) -> InstanceStatus {
        refused(before, rollout, verdict, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn one_that_was_ready_and_is_not_on_the_newest_revision_holds_the_others_until_it_is() {
        let mut site = reported(&Verdict::Ready("runs".to_owned()));
        site.status = after(&site, &newest(), &not_ready());
        let holds = |status: &InstanceStatus| status.is_true(ConditionType::HoldsRollout).cloned();
        assert_eq!(holds(&site.status).unwrap().reason, "NotReadyOnRevision");
        site.status = after(&site, &newest(), &not_ready());
        assert!(holds(&site.status).is_some(), "it is not Ready yet");
        assert!(holds(&after(&site, &Rollout::Off, &not_ready())).is_none(), "it was taken back, or paused");
        let ready = Verdict::Ready("runs".to_owned());
        assert!(holds(&after(&site, &newest(), &ready)).is_none());
    }

    #[test]
    fn one_that_runs_the_newest_revision_and_has_a_fault_in_its_manifest_holds_nobody() {
        let mut site = reported(&Verdict::Ready("runs".to_owned()));
        site.status.revision = Some("radicale-new".to_owned());
        assert_eq!(after(&site, &newest(), &not_ready()).is_true(ConditionType::HoldsRollout), None);
        site.status.revision = Some("radicale-old".to_owned());
        assert!(after(&site, &newest(), &not_ready()).is_true(ConditionType::HoldsRollout).is_some());
    }

    #[test]
    fn one_that_was_not_ready_before_holds_nobody() {
        let status = after(&reported(&not_ready()), &newest(), &not_ready());
        assert_eq!(status.is_true(ConditionType::HoldsRollout), None);
        let new = instance("tier: 1gb");
        assert_eq!(after(&new, &newest(), &not_ready()).is_true(ConditionType::HoldsRollout), None);
    }

    #[test]
    fn one_that_waits_says_for_whom_and_is_ready_all_the_same() {
        let waits = Rollout::Waits {
            revision: "radicale-new".to_owned(),
            after: vec!["hort/site".to_owned(), "mas/site".to_owned()],
            maximum: 2,
        };
        let ready = Verdict::Ready("runs".to_owned());
        let status = after(&reported(&ready), &waits, &ready);
        let waits: &Condition = status.is_true(ConditionType::RevisionPending).unwrap();
        assert!(waits.message.contains("radicale-new comes once one of hort/site, mas/site is Ready"), "{waits:?}");
        assert!(status.is_true(ConditionType::Ready).is_some());
    }
}
