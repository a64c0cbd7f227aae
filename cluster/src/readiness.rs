//! Whether an object is ready, by the rules of kstatus: pure, from the object alone.

use kube::api::DynamicObject;
use serde_json::Value;

/// What an object says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It is what its spec asks for.
    Ready,
    /// It is on its way.
    Waiting(String),
    /// It says that it will not get there by itself.
    Failed(String),
}

use Readiness::{Failed, Ready, Waiting};

/// Judges the object. `reported` says that a controller is to write its status: then silence is
/// not readiness.
pub fn judge(object: &DynamicObject, reported: bool) -> Readiness {
    if object.metadata.deletion_timestamp.is_some() {
        return Waiting("is being deleted".to_owned());
    }
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    if let (Some(observed), Some(generation)) = (status["observedGeneration"].as_i64(), object.metadata.generation)
        && observed < generation
    {
        return Waiting("its last change is not looked at yet".to_owned());
    }
    let kind = object.types.as_ref().map_or("", |types| types.kind.as_str());
    match kind {
        "Deployment" => deployment(spec, status),
        "StatefulSet" => stateful_set(spec, status),
        "DaemonSet" => daemon_set(status),
        "ReplicaSet" | "ReplicationController" => count("ready", &status["readyReplicas"], replicas(spec)),
        "Pod" => pod(status),
        "Job" => job(status),
        "PersistentVolumeClaim" => phase(status, "Bound"),
        "Namespace" => phase(status, "Active"),
        "CustomResourceDefinition" => required(status, "Established"),
        "APIService" => required(status, "Available"),
        _ => by_conditions(status, reported),
    }
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

fn is_true(status: &Value, kind: &str) -> bool {
    condition(status, kind).is_some_and(|condition| condition["status"] == "True")
}

/// Reason and message of a condition, as far as it has them.
fn words(condition: &Value) -> String {
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    let (reason, message) = (text("reason"), text("message"));
    match (reason.is_empty(), message.is_empty()) {
        (false, false) => format!("{reason}: {message}"),
        (true, true) => format!("{} is {}", text("type"), text("status")),
        _ => reason + &message,
    }
}

fn by_conditions(status: &Value, reported: bool) -> Readiness {
    if let Some(stalled) = condition(status, "Stalled").filter(|stalled| stalled["status"] == "True") {
        return Failed(words(stalled));
    }
    match condition(status, "Ready") {
        Some(ready) if ready["status"] == "True" => match condition(status, "Reconciling") {
            Some(reconciling) if reconciling["status"] == "True" => Waiting(words(reconciling)),
            _ => Ready,
        },
        Some(ready) => Waiting(words(ready)),
        None if reported => Waiting("no controller has reported on it".to_owned()),
        None => Ready,
    }
}

fn required(status: &Value, kind: &str) -> Readiness {
    match condition(status, kind) {
        Some(found) if found["status"] == "True" => Ready,
        Some(found) => Waiting(words(found)),
        None => Waiting(format!("is not {kind} yet")),
    }
}

fn phase(status: &Value, wanted: &str) -> Readiness {
    match status["phase"].as_str() {
        Some(phase) if phase == wanted => Ready,
        phase => Waiting(format!("is {}", phase.unwrap_or("without a phase"))),
    }
}

fn replicas(spec: &Value) -> i64 {
    spec["replicas"].as_i64().unwrap_or(1)
}

fn count(what: &str, have: &Value, want: i64) -> Readiness {
    let have = have.as_i64().unwrap_or(0);
    if have >= want { Ready } else { Waiting(format!("{have} of {want} replicas are {what}")) }
}

/// The first that is not ready.
fn first(all: impl IntoIterator<Item = Readiness>) -> Readiness {
    all.into_iter().find(|one| *one != Ready).unwrap_or(Ready)
}

fn deployment(spec: &Value, status: &Value) -> Readiness {
    if let Some(late) = condition(status, "Progressing").filter(|it| it["reason"] == "ProgressDeadlineExceeded") {
        return Failed(words(late));
    }
    // No pod could be made at all, as when a quota is used up.
    if let Some(failure) = condition(status, "ReplicaFailure").filter(|it| it["status"] == "True") {
        return Waiting(words(failure));
    }
    let want = replicas(spec);
    let surplus = status["replicas"].as_i64().unwrap_or(0) > want;
    first([
        count("updated", &status["updatedReplicas"], want),
        if surplus { Waiting("old replicas are still there".to_owned()) } else { Ready },
        count("available", &status["availableReplicas"], want),
    ])
}

fn stateful_set(spec: &Value, status: &Value) -> Readiness {
    let want = replicas(spec);
    let rolling = spec["updateStrategy"]["type"] != "OnDelete"
        && spec["updateStrategy"]["rollingUpdate"]["partition"].as_i64().unwrap_or(0) == 0;
    let updated =
        if rolling && status["updateRevision"].is_string() && status["currentRevision"] != status["updateRevision"] {
            count("updated", &status["updatedReplicas"], want)
        } else {
            Ready
        };
    first([count("ready", &status["readyReplicas"], want), updated])
}

fn daemon_set(status: &Value) -> Readiness {
    let want = status["desiredNumberScheduled"].as_i64();
    let Some(want) = want.filter(|_| status["observedGeneration"].is_i64()) else {
        return Waiting("is not looked at yet".to_owned());
    };
    first([
        count("updated", &status["updatedNumberScheduled"], want),
        count("available", &status["numberAvailable"], want),
    ])
}

fn pod(status: &Value) -> Readiness {
    match status["phase"].as_str() {
        Some("Succeeded") => Ready,
        Some("Failed") => Failed(words(status)),
        _ if is_true(status, "Ready") => Ready,
        phase => {
            let why = waiting_container(status).or_else(|| unscheduled(status));
            Waiting(why.unwrap_or_else(|| format!("is {}", phase.unwrap_or("unknown"))))
        }
    }
}

/// Why no node takes the pod.
fn unscheduled(status: &Value) -> Option<String> {
    condition(status, "PodScheduled").filter(|scheduled| scheduled["status"] == "False").map(words)
}

/// Why a container does not run: `ImagePullBackOff: …` and its like.
fn waiting_container(status: &Value) -> Option<String> {
    let lists = ["initContainerStatuses", "containerStatuses"].map(|list| status[list].as_array());
    let mut waiting = lists.into_iter().flatten().flatten().map(|container| &container["state"]["waiting"]);
    waiting.find(|state| state.is_object()).map(words)
}

fn job(status: &Value) -> Readiness {
    if let Some(failed) = condition(status, "Failed").filter(|failed| failed["status"] == "True") {
        return Failed(words(failed));
    }
    if is_true(status, "Complete") { Ready } else { Waiting("is not complete".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(kind: &str, rest: Value, reported: bool) -> Readiness {
        let mut object = json!({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "a", "generation": 2}});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        judge(&serde_json::from_value(object).unwrap(), reported)
    }

    #[test]
    fn a_resource_nobody_reported_on_is_not_ready() {
        assert!(matches!(judged("Entity", json!({}), true), Waiting(_)));
        assert_eq!(judged("ConfigMap", json!({}), false), Ready);
    }

    #[test]
    fn a_ready_condition_of_an_older_generation_does_not_count() {
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let status = |observed| json!({"status": {"observedGeneration": observed, "conditions": ready}});
        assert!(matches!(judged("Entity", status(1), true), Waiting(_)));
        assert_eq!(judged("Entity", status(2), true), Ready);
    }

    #[test]
    fn stalled_is_a_failure_with_its_reason() {
        let conditions = json!([
            {"type": "Ready", "status": "False", "reason": "TierUnknown"},
            {"type": "Stalled", "status": "True", "reason": "TierUnknown", "message": "no tier 7"},
        ]);
        let found = judged("DedicatedOffice", json!({"status": {"conditions": conditions}}), true);
        assert_eq!(found, Failed("TierUnknown: no tier 7".to_owned()));
    }

    #[test]
    fn a_deployment_with_an_old_replica_is_waited_for() {
        let status = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2});
        assert!(matches!(judged("Deployment", json!({"spec": {}, "status": status}), false), Waiting(_)));
        let status = json!({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
        assert_eq!(judged("Deployment", json!({"spec": {}, "status": status}), false), Ready);
    }

    #[test]
    fn a_deployment_whose_pods_cannot_be_made_says_why() {
        let failure =
            json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"});
        let status = json!({"observedGeneration": 2, "conditions": [failure]});
        let found = judged("Deployment", json!({"spec": {}, "status": status}), false);
        assert_eq!(found, Waiting("FailedCreate: exceeded quota".to_owned()));
    }

    #[test]
    fn a_pod_says_why_its_container_does_not_run() {
        let waiting = json!({"reason": "ErrImagePull", "message": "no such image"});
        let status = json!({"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]});
        let found = judged("Pod", json!({"status": status}), false);
        assert_eq!(found, Waiting("ErrImagePull: no such image".to_owned()));
    }
}
