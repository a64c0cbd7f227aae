//! Pods that a StatefulSet waits for in vain: of an earlier revision, and unable to become ready.
//!
//! A StatefulSet replaces a pod only once the one before is ready. A pod that cannot start, because
//! of an image that does not exist say, keeps the revision that would mend it away for ever
//! (kubernetes/kubernetes#67250). Deleting it is the only way out. A pod of which anything runs is left
//! alone, ready or not: it may be a database that recovers, or a migration.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodStatus};
use serde_json::Value;

use super::change::{Action, Change};
use crate::cache::Live;
use crate::kinds;

/// What a container waits for that does not come by itself.
const CANNOT_START: [&str; 9] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    // Nothing runs during the pause after a crash.
    "CrashLoopBackOff",
];

/// The pods to be deleted so that their StatefulSets go on.
pub fn compare_stuck_pods(owned: &[Arc<Live>], pods: &[Arc<Pod>]) -> Vec<Change> {
    let sets = owned.iter().filter(|object| object.kind == "StatefulSet");
    sets.flat_map(|set| pods.iter().filter_map(|pod| deletion(set, pod))).collect()
}

fn deletion(set: &Live, pod: &Pod) -> Option<Change> {
    let newest = newest_revision(set)?;
    let metadata = &pod.metadata;
    let of_set = metadata.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == set.metadata.uid.as_ref());
    let revision = metadata.labels.as_ref()?.get("controller-revision-hash")?;
    if !of_set || revision == newest || metadata.deletion_timestamp.is_some() {
        return None;
    }
    cannot_become_ready(pod.status.as_ref()?).then_some(())?;
    Some(Change {
        kind: kinds::POD.kind.to_owned(),
        namespace: metadata.namespace.clone()?,
        name: metadata.name.clone()?,
        action: Action::Delete { uid: metadata.uid.clone()? },
    })
}

/// The revision that a StatefulSet gives to the pods that it makes; none while its controller has not
/// seen its newest spec, or while its spec keeps pods on an earlier revision.
fn newest_revision(set: &Live) -> Option<&str> {
    let at = |pointer: &str| set.value.pointer(pointer);
    let is_current = at("/status/observedGeneration").and_then(Value::as_i64) == Some(set.metadata.generation?);
    let keeps_old = at("/spec/updateStrategy/type").and_then(Value::as_str) == Some("OnDelete")
        || at("/spec/updateStrategy/rollingUpdate/partition").and_then(Value::as_i64).is_some_and(|from| from > 0);
    if !is_current || keeps_old || set.metadata.deletion_timestamp.is_some() {
        return None;
    }
    at("/status/updateRevision").and_then(Value::as_str).filter(|revision| !revision.is_empty())
}

/// Whether nothing of a pod runs, and nothing will: it fits no node, a container cannot start, or its
/// volumes are not mounted and nothing ever ran in it.
fn cannot_become_ready(status: &PodStatus) -> bool {
    let is = |kind: &str, value: &str| {
        status.conditions.iter().flatten().any(|condition| condition.type_ == kind && condition.status == value)
    };
    let containers = || status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    if is("Ready", "True") || containers().any(|container| state(container).is_some_and(|s| s.running.is_some())) {
        return false;
    }
    is("PodScheduled", "False")
        || containers().any(waits_in_vain)
        || (is("PodReadyToStartContainers", "False") && containers().all(never_ran))
}

fn state(container: &ContainerStatus) -> Option<&ContainerState> {
    container.state.as_ref()
}

fn waits_in_vain(container: &ContainerStatus) -> bool {
    let reason = state(container).and_then(|state| state.waiting.as_ref()?.reason.as_deref());
    reason.is_some_and(|reason| CANNOT_START.contains(&reason))
}

fn never_ran(container: &ContainerStatus) -> bool {
    let ended = |state: &Option<ContainerState>| state.as_ref().is_some_and(|state| state.terminated.is_some());
    container.restart_count == 0 && !ended(&container.state) && !ended(&container.last_state)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn set(change: impl FnOnce(&mut Value)) -> Arc<Live> {
        let mut set = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "wiki-db", "namespace": "coop", "uid": "s1", "generation": 3},
            "spec": {"replicas": 1, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
            "status": {"observedGeneration": 3, "replicas": 1, "currentRevision": "wiki-db-1", "updateRevision": "wiki-db-1"},
        });
        change(&mut set);
        Arc::new(Live::of("StatefulSet", serde_json::from_value(set).unwrap()))
    }

    /// A pod of revision 2, which was taken back, with this status as YAML.
    fn pod(status: &str, change: impl FnOnce(&mut Value)) -> Arc<Pod> {
        let mut status: Value = serde_yaml::from_str(status).unwrap();
        for list in ["containerStatuses", "initContainerStatuses"] {
            for container in status[list].as_array_mut().into_iter().flatten() {
                for (field, value) in [("image", json!("x")), ("imageID", json!("")), ("ready", json!(false))] {
                    container.as_object_mut().unwrap().entry(field).or_insert(value);
                }
                container.as_object_mut().unwrap().entry("restartCount").or_insert(json!(0));
            }
        }
        let mut pod = json!({
            "metadata": {
                "name": "wiki-db-0", "namespace": "coop", "uid": "p1",
                "labels": {"controller-revision-hash": "wiki-db-2"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "wiki-db", "uid": "s1", "controller": true}],
            },
            "status": status,
        });
        change(&mut pod);
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    fn deleted(set: Arc<Live>, pod: Arc<Pod>) -> bool {
        let changes = compare_stuck_pods(&[set], &[pod]);
        let shown: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty() || shown == ["delete Pod/wiki-db-0"], "{shown:?}");
        assert!(changes.iter().all(|change| change.action == Action::Delete { uid: "p1".into() }), "{changes:?}");
        !changes.is_empty()
    }

    const NO_IMAGE: &str = "containerStatuses: [{name: db, state: {waiting: {reason: ImagePullBackOff}}}]";

    #[test_case(NO_IMAGE, true; "an image that does not exist")]
    #[test_case("containerStatuses: [{name: db, state: {waiting: {reason: ErrImagePull}}}]", true; "an image that is refused")]
    #[test_case("containerStatuses: [{name: db, state: {waiting: {reason: InvalidImageName}}}]", true; "an image whose name is none")]
    #[test_case("containerStatuses: [{name: db, state: {waiting: {reason: CreateContainerConfigError}}}]", true; "a Secret that is not there")]
    #[test_case("conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable}]", true; "a pod that fits no node")]
    #[test_case("containerStatuses: [{name: db, restartCount: 4, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}]", true; "a container that crashes each time, in the pause between")]
    #[test_case("initContainerStatuses: [{name: prepare, restartCount: 4, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1}}}]\ncontainerStatuses: [{name: db, state: {waiting: {reason: PodInitializing}}}]", true; "an init step that fails each time, in the pause between")]
    #[test_case("initContainerStatuses: [{name: prepare, state: {terminated: {exitCode: 0}}}]\ncontainerStatuses: [{name: db, state: {waiting: {reason: ImagePullBackOff}}}]", true; "an image that does not exist, after an init step that ended well")]
    #[test_case("conditions: [{type: PodReadyToStartContainers, status: 'False'}]\ncontainerStatuses: [{name: db, state: {waiting: {reason: ContainerCreating}}}]", true; "a volume that cannot be mounted")]
    #[test_case("conditions: [{type: PodReadyToStartContainers, status: 'False'}]\ncontainerStatuses: [{name: db, restartCount: 1, state: {waiting: {reason: ContainerCreating}}, lastState: {terminated: {exitCode: 0}}}]", false; "a database whose node began again")]
    #[test_case("containerStatuses: [{name: db, state: {running: {}}}]", false; "a database that recovers")]
    #[test_case("containerStatuses: [{name: db, restartCount: 7, state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]", false; "a container that crashes each time, while it runs")]
    #[test_case("containerStatuses: [{name: db, state: {running: {}}}, {name: side, state: {waiting: {reason: ImagePullBackOff}}}]", false; "a database that runs beside an image that does not exist")]
    #[test_case("initContainerStatuses: [{name: prepare, state: {running: {}}}]\ncontainerStatuses: [{name: db, state: {waiting: {reason: PodInitializing}}}]", false; "an init step that migrates")]
    #[test_case("conditions: [{type: Ready, status: 'True'}]\ncontainerStatuses: [{name: db, ready: true, state: {running: {}}}]", false; "a database that serves")]
    #[test_case("conditions: [{type: PodReadyToStartContainers, status: 'True'}]\ncontainerStatuses: [{name: db, state: {waiting: {reason: ContainerCreating}}}]", false; "an image that is being pulled")]
    #[test_case("containerStatuses: [{name: db, state: {terminated: {exitCode: 1}}}]", false; "a container that ended just now")]
    #[test_case("{}", false; "a pod of which nothing is known yet")]
    fn a_pod_of_an_earlier_revision_is_deleted_if_nothing_of_it_runs_or_will(status: &str, expected: bool) {
        assert_eq!(deleted(set(|_| {}), pod(status, |_| {})), expected);
    }

    #[test]
    fn a_pod_of_the_newest_revision_is_left_however_it_is() {
        let newest = |pod: &mut Value| pod["metadata"]["labels"]["controller-revision-hash"] = json!("wiki-db-1");
        assert!(!deleted(set(|_| {}), pod(NO_IMAGE, newest)));
    }

    #[test]
    fn a_pod_that_goes_already_or_is_anothers_is_left() {
        assert!(!deleted(
            set(|_| {}),
            pod(NO_IMAGE, |pod| pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"))
        ));
        assert!(!deleted(set(|_| {}), pod(NO_IMAGE, |pod| pod["metadata"]["ownerReferences"][0]["uid"] = json!("s0"))));
        assert!(!deleted(set(|_| {}), pod(NO_IMAGE, |pod| pod["metadata"]["labels"] = json!({}))));
    }

    #[test_case(|set| set["metadata"]["generation"] = json!(4); "its controller has not seen the newest spec")]
    #[test_case(|set| set["status"] = json!({}); "its controller has not seen it at all")]
    #[test_case(|set| set["spec"]["updateStrategy"] = json!({"type": "OnDelete"}); "somebody replaces its pods by hand")]
    #[test_case(|set| set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(1); "its pods are kept on an earlier revision")]
    fn no_pod_is_deleted_while_it_would_come_back_as_it_was(change: fn(&mut Value)) {
        assert!(deleted(set(|_| {}), pod(NO_IMAGE, |_| {})));
        assert!(!deleted(set(change), pod(NO_IMAGE, |_| {})));
    }
}
