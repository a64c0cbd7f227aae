//! A pass that panicked, reported in the status of its resource.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::context::Context;
use super::events::Reported;
use crate::api::{Condition, ConditionType, Reason};
use crate::apply::WriteError;
use crate::cache::{Key, Kind};
use crate::report::{Problem, Verdict, conditions};

/// Writes it into the status; everything else that was reported stays.
///
/// # Errors
/// When the API server does not take it.
pub(super) async fn report(context: &Context, key: &Key, words: &str) -> Result<(), WriteError> {
    let caches = context.caches();
    match key.kind {
        Kind::Platform => {
            let Some(found) = caches.platforms.get("", &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::ServiceTemplate => {
            let Some(found) = caches.templates.get("", &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::Entity => {
            let Some(found) = caches.entities.get("", &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::ServiceData => {
            let Some(found) = caches.records.get(&key.namespace, &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::ServiceBackup => {
            let Some(found) = caches.backups.get(&key.namespace, &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::ServiceRestore => {
            let Some(found) = caches.restores.get(&key.namespace, &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::RestoreConsent => {
            let Some(found) = caches.consents.get(&key.namespace, &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::Collective => {
            let Some(found) = caches.collectives.get(&key.namespace, &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::Access => {
            let Some(found) = caches.accesses.get(&key.namespace, &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::LeaveRequest => {
            let Some(found) = caches.leave_requests.get(&key.namespace, &key.name) else { return Ok(()) };
            write(context, key, &found.metadata, found.status.as_ref(), words).await
        }
        Kind::DedicatedOffice | Kind::DedicatedAgora | Kind::DedicatedProjects | Kind::DedicatedService => {
            let Some(found) = caches.dedicated(key.kind.as_str(), &key.namespace, &key.name) else { return Ok(()) };
            write(context, key, found.metadata(), found.status(), words).await
        }
    }
}

async fn write<S: Serialize + PartialEq + Reported + Clone + Default>(
    context: &Context,
    key: &Key,
    metadata: &ObjectMeta,
    before: Option<&S>,
    words: &str,
) -> Result<(), WriteError> {
    let mut status = before.cloned().unwrap_or_default();
    let generation = metadata.generation.unwrap_or_default();
    let conditions = with_internal_error(status.conditions(), words, generation, context.now());
    status.set_conditions(conditions, generation);
    context.report(key, metadata.uid.as_deref().unwrap_or_default(), before, &status).await
}

fn with_internal_error(before: &[Condition], words: &str, generation: i64, now: Timestamp) -> Vec<Condition> {
    let message = format!(
        "the operator met a fault of its own: {words}; report it with the lines of its log that say \"panicked at\""
    );
    let verdict = Verdict::Stalled(Problem::new(Reason::InternalError, message));
    let mut shown = conditions(before, verdict.shown(), generation, now);
    let of_verdict =
        [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled].map(ConditionType::as_str);
    shown.extend(before.iter().filter(|condition| !of_verdict.contains(&condition.type_.as_str())).cloned());
    shown.sort_by_key(|condition| (condition.type_ != "Ready", condition.type_.clone()));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ConditionUpdate;

    #[test]
    fn a_panic_is_told_in_the_status_and_what_else_was_reported_stays() {
        let verdict = Verdict::Reconciling(Problem::new(Reason::Starting, "starts"));
        let mut before = verdict.shown();
        before.push(ConditionUpdate::new(ConditionType::Reachable, true, Reason::Answers, "answers"));
        let before = conditions(&[], before, 1, Timestamp::UNIX_EPOCH);
        let after = with_internal_error(&before, "overflow", 2, Timestamp::UNIX_EPOCH);
        let shown: Vec<_> = after.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect();
        let expected = [
            ("Ready", "False", "InternalError"),
            ("Reachable", "True", "Answers"),
            ("Stalled", "True", "InternalError"),
        ];
        assert_eq!(shown, expected);
        assert!(after[0].message.contains("overflow") && after[0].message.contains("log"), "{}", after[0].message);
        assert_eq!(with_internal_error(&after, "overflow", 2, Timestamp::UNIX_EPOCH), after, "written once");
    }
}
