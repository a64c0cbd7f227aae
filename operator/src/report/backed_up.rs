//! What a service shows of its backups.

use k8s_openapi::jiff::Timestamp;

use super::conditions::{ConditionUpdate, Problem, conditions};
use crate::api::{BackupSummary, ConditionType, InstanceStatus};

/// How the backups of a service are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackedUp {
    /// What is there, and what is next.
    pub summary: BackupSummary,
    /// Why there is no backup as new as the schedule says.
    pub late: Option<Problem>,
    /// What was chosen and is not done.
    pub not_as_chosen: Option<Problem>,
    /// Why nobody may rely on its backups.
    pub unproven: Option<Problem>,
    /// What is wrong with its repositories.
    pub unsound: Unsound,
}

/// What is wrong with the repositories of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unsound {
    /// Nobody has looked since the operator began: what was said stays.
    #[default]
    Unknown,
    /// This, or nothing.
    Known(Option<Problem>),
}

const KINDS: [ConditionType; 4] = [
    ConditionType::BackedUp,
    ConditionType::BackupAsChosen,
    ConditionType::RestoreProven,
    ConditionType::RepositorySound,
];

impl BackedUp {
    /// Whether a status says the same.
    pub fn is_in(&self, status: &InstanceStatus) -> bool {
        let reason = |kind| status.condition(kind).map(|condition| condition.reason.as_str());
        let of = |problem: &Option<Problem>| problem.as_ref().map(|problem| problem.reason.clone());
        status.backup.as_ref() == Some(&self.summary)
            && reason(ConditionType::BackedUp) == of(&self.late).as_deref()
            && reason(ConditionType::BackupAsChosen) == of(&self.not_as_chosen).as_deref()
            && reason(ConditionType::RestoreProven) == of(&self.unproven).as_deref()
            && match &self.unsound {
                Unsound::Unknown => true,
                Unsound::Known(problem) => reason(ConditionType::RepositorySound) == of(problem).as_deref(),
            }
    }
}

/// The status of an instance with what is known of its backups; `before` is what was reported. None: the Platform
/// has no backups.
pub fn with_backups(
    mut status: InstanceStatus,
    before: &InstanceStatus,
    backups: Option<BackedUp>,
    now: Timestamp,
) -> InstanceStatus {
    let problems = |found: &BackedUp| {
        let unsound = unsound(&found.unsound, before);
        [found.late.clone(), found.not_as_chosen.clone(), found.unproven.clone(), unsound]
    };
    let problems = backups.as_ref().map(problems).unwrap_or_default();
    let shown = KINDS.into_iter().zip(problems);
    let shown = shown.filter_map(|(kind, problem)| Some(ConditionUpdate::problem(kind, false, &problem?))).collect();
    let generation = status.observed_generation.unwrap_or_default();
    let own = conditions(&before.conditions, shown, generation, now);
    status.conditions.retain(|condition| KINDS.iter().all(|kind| kind.as_str() != condition.type_));
    status.conditions.extend(own);
    status.conditions.sort_by_key(|condition| (condition.type_ != "Ready", condition.type_.clone()));
    status.backup = backups.map(|found| found.summary);
    status
}

fn unsound(unsound: &Unsound, before: &InstanceStatus) -> Option<Problem> {
    match unsound {
        Unsound::Known(problem) => problem.clone(),
        Unsound::Unknown => {
            let said = before.condition(ConditionType::RepositorySound)?;
            Some(Problem::quoted(&said.reason, said.message.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;
    use crate::report::Verdict;

    fn status() -> InstanceStatus {
        let shown = Verdict::Ready("all workloads run".to_owned()).shown();
        let conditions = conditions(&[], shown, 3, Timestamp::UNIX_EPOCH);
        InstanceStatus { observed_generation: Some(3), conditions, ..InstanceStatus::default() }
    }

    fn late() -> BackedUp {
        let summary = BackupSummary { target: Some("far".to_owned()), ..BackupSummary::default() };
        let late = Some(Problem::new(Reason::BackupMissed, "no backup yet"));
        BackedUp { summary, late, ..BackedUp::default() }
    }

    #[test]
    fn a_late_service_says_so_and_stays_ready() {
        let early = Timestamp::from_second(100).unwrap();
        let shown = with_backups(status(), &status(), Some(late()), early);
        assert_eq!(shown.condition(ConditionType::Ready).unwrap().status, "True");
        let condition = shown.condition(ConditionType::BackedUp).unwrap();
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "BackupMissed"));
        assert!(late().is_in(&shown) && !late().is_in(&status()));
        let again = with_backups(status(), &shown, Some(late()), Timestamp::from_second(200).unwrap());
        assert_eq!(again, shown, "nothing to write");
    }

    #[test]
    fn what_is_over_is_not_said_any_more() {
        let shown = with_backups(status(), &status(), Some(late()), Timestamp::UNIX_EPOCH);
        let well = BackedUp { late: None, ..late() };
        let after = with_backups(shown.clone(), &shown, Some(well.clone()), Timestamp::UNIX_EPOCH);
        assert!(after.condition(ConditionType::BackedUp).is_none() && well.is_in(&after));
        assert_eq!(with_backups(shown.clone(), &shown, None, Timestamp::UNIX_EPOCH), status(), "the Platform has none");
    }

    #[test]
    fn a_damaged_repository_is_said_until_somebody_has_looked_again() {
        let damaged = Problem::new(Reason::RepositoryDamaged, "pack 1");
        let found = |unsound| Some(BackedUp { unsound, ..BackedUp::default() });
        let now = Timestamp::UNIX_EPOCH;
        let shown = with_backups(status(), &status(), found(Unsound::Known(Some(damaged))), now);
        let condition = shown.condition(ConditionType::RepositorySound).unwrap();
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "RepositoryDamaged"));
        let restarted = with_backups(status(), &shown, found(Unsound::Unknown), now);
        assert_eq!(restarted.conditions, shown.conditions, "the operator began anew");
        let repaired = found(Unsound::Known(None));
        assert!(!repaired.as_ref().unwrap().is_in(&shown));
        let after = with_backups(status(), &restarted, repaired, now);
        assert!(after.condition(ConditionType::RepositorySound).is_none());
    }
}
