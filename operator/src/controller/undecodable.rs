//! Reports on a resource that does not decode: on its own status, all else in it left as it is.

use serde_json::{Value, json};

use super::context::Context;
use super::queue::Next;
use crate::api::{Condition, ConditionType, GROUP, Reason, VERSION};
use crate::apply::{Target, WriteError};
use crate::cache::{Key, Undecodable};
use crate::kinds;
use crate::redact;
use crate::report::{Problem, Verdict, conditions};

/// One pass over a resource that does not decode. It is written to once, and again when its error
/// changes.
///
/// # Errors
/// When its status is not taken.
pub(super) async fn reconcile(context: &Context, key: &Key, found: &Undecodable) -> Result<Next, WriteError> {
    let Some(status) = status(found, context.now()) else { return Ok(Next::Wait) };
    let kind = key.kind.as_str();
    let mut metadata = json!({"name": key.name, "uid": found.uid});
    if !key.namespace.is_empty() {
        metadata["namespace"] = Value::from(key.namespace.as_str());
    }
    let object =
        json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind, "metadata": metadata, "status": status});
    let target = Target { kind, namespace: &key.namespace, name: &key.name };
    let answer = context.server.apply_status(target, &object).await?;
    context.known.take_in(key, kind, answer);
    Ok(Next::Wait)
}

/// The status that says why it is left alone, whatever else was reported of it kept; none when it
/// says so already.
fn status(found: &Undecodable, now: k8s_openapi::jiff::Timestamp) -> Option<Value> {
    let before = found.conditions();
    let message =
        format!("{found}; nothing of it is changed until it can be: correct it, or run the release that wrote it");
    let shown = Verdict::Stalled(Problem::new(Reason::Undecodable, redact::by_form(&message))).shown();
    let mut after = conditions(&before, shown, found.generation, now);
    after.extend(before.iter().filter(|condition| is_beside(condition)).cloned());
    after.sort_by_key(|condition| (condition.type_ != "Ready", condition.type_.clone()));
    if after == before {
        return None;
    }
    let mut status = found.status.clone().filter(Value::is_object).unwrap_or_else(|| json!({}));
    status["conditions"] = json!(after);
    if found.kind != kinds::SERVICE_DATA.kind {
        status["observedGeneration"] = json!(found.generation);
    }
    Some(status)
}

fn is_beside(condition: &Condition) -> bool {
    let progress = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];
    progress.iter().all(|kind| kind.as_str() != condition.type_)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_reported_once_and_keeps_what_was_reported() {
        let reported = json!({
            "type": "Reachable", "status": "True", "reason": "Answers", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let found = Undecodable {
            kind: "DedicatedOffice".into(),
            name: "office".into(),
            namespace: "coop".into(),
            generation: 3,
            error: "spec.language: unknown variant `pt`".into(),
            status: Some(json!({"hostname": "office.example.org", "conditions": [reported]})),
            ..Undecodable::default()
        };
        let status = status(&found, Timestamp::from_second(100).unwrap()).unwrap();
        assert_eq!(status["hostname"], "office.example.org", "a status without it would give the host name away");
        let of = |kind: &str| {
            let conditions = status["conditions"].as_array().unwrap();
            conditions.iter().find(|condition| condition["type"] == kind).cloned().unwrap_or_default()
        };
        assert_eq!((&of("Ready")["status"], &of("Ready")["reason"]), (&json!("False"), &json!("Undecodable")));
        assert_eq!(of("Stalled")["status"], "True");
        assert_eq!(of("Reachable")["status"], "True");
        assert!(of("Ready")["message"].as_str().unwrap().contains("coop/office cannot be read: spec.language"));
        let again = Undecodable { status: Some(status), ..found };
        assert_eq!(super::status(&again, Timestamp::from_second(200).unwrap()), None, "written in a loop");
    }
}
