//! Where records could not be stored, and since when there are none newer: the Platform's condition, and a metric.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::{Known, by};
use crate::api::{Condition, ConditionType, Reason};
use crate::backup::records::KeptRecords;
use crate::controller::context::Context;
use crate::metrics::Metrics;
use crate::report::ConditionUpdate;

/// Where records could not be stored, for the Platform's condition. None: nobody has looked since the start.
#[derive(Default)]
pub struct RecordsTold(Mutex<Option<Vec<String>>>);

/// Shows when records were last stored at each target, and where the newest ones could not be.
pub(super) fn tell(context: &Context, metrics: &Metrics, targets: &[String], known: &BTreeMap<String, Known>) {
    let newest = |name: &String| {
        let kept = known.get(name)?.kept.as_ref()?;
        Some((name.clone(), kept.newest().map_or(0, Timestamp::as_second)))
    };
    metrics.records_stored(targets.iter().filter_map(newest));
    let failed = |name: &String| {
        let known = known.get(name)?;
        let newest = known.kept.as_ref().and_then(KeptRecords::newest);
        let stored = newest.map_or("none were stored yet".to_owned(), |at| format!("the newest there are of {at}"));
        known.failed.as_ref().map(|failed| format!("target {name:?}: {failed}; {stored}"))
    };
    let messages: Vec<String> = targets.iter().filter_map(failed).collect();
    let mut told = context.records.0.lock().unwrap_or_else(PoisonError::into_inner);
    if told.as_ref() != Some(&messages) {
        *told = Some(messages);
        context.known.again(&by());
    }
}

/// What the Platform says of it; what it said before, until somebody has looked.
pub fn condition(told: &RecordsTold, before: &[Condition]) -> Option<ConditionUpdate> {
    let kind = ConditionType::RecordsStored;
    let said = || before.iter().find(|condition| condition.type_ == kind.as_str()).map(|said| said.message.clone());
    let told = told.0.lock().unwrap_or_else(PoisonError::into_inner);
    let message = told.as_ref().map_or_else(said, |told| (!told.is_empty()).then(|| told.join("; ")));
    message.map(|message| ConditionUpdate::new(kind, false, Reason::RecordsNotStored, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::conditions;

    #[test]
    fn a_start_changes_nothing_of_what_was_told_before_somebody_has_looked() {
        let told = |messages: Option<&[&str]>| {
            let messages = messages.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
            RecordsTold(Mutex::new(messages))
        };
        let shown = |told: &RecordsTold, before: &[Condition]| {
            let shown = condition(told, before).into_iter().collect();
            conditions(before, shown, 1, Timestamp::UNIX_EPOCH)
        };
        let failing = shown(&told(Some(&["target \"far\": no way there"])), &[]);
        assert_eq!((failing[0].type_.as_str(), failing[0].status.as_str()), ("RecordsStored", "False"));
        assert_eq!(shown(&told(None), &failing), failing);
        assert_eq!(shown(&told(Some(&[])), &failing), []);
        assert_eq!(shown(&told(None), &[]), []);
    }
}
