//! Why a pod is not ready, in the API's own words.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Event, Pod};

use super::conditions::Problem;
use crate::api::Reason;

/// What stops a pod, if anything does.
pub(super) fn problem(pod: &Pod, events: &[&Event]) -> Option<Problem> {
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let status = pod.status.as_ref()?;
    if status.phase.as_deref() == Some("Succeeded") {
        return None;
    }
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let init = status.init_container_statuses.as_deref().unwrap_or_default();
    unschedulable(pod)
        .or_else(|| init.iter().find_map(|c| failed_init(name, c)))
        .or_else(|| init.iter().chain(containers).find_map(|c| waiting(name, c)))
        .or_else(|| containers.iter().find_map(|c| failed(name, c)))
        .or_else(|| if is(pod, "Initialized") { None } else { init.iter().find_map(|c| running_init(name, c)) })
        .or_else(|| not_ready(name, containers, events))
        .or_else(|| starting(name, pod, events))
}

/// Whether a condition of the pod holds.
fn is(pod: &Pod, condition: &str) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|c| c.type_ == condition && c.status == "True")
}

fn unschedulable(pod: &Pod) -> Option<Problem> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    let scheduled = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let reason = scheduled.reason.as_deref().unwrap_or(Reason::Unschedulable.name());
    Some(Problem::quoted(
        reason,
        format!("pod {name}: {}", scheduled.message.as_deref().unwrap_or("not scheduled yet")),
    ))
}

fn terminated(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let now = container.state.as_ref().and_then(|s| s.terminated.as_ref());
    let last = container.last_state.as_ref().and_then(|s| s.terminated.as_ref());
    now.or(last).filter(|t| t.exit_code != 0)
}

fn failed_init(pod: &str, container: &ContainerStatus) -> Option<Problem> {
    let running = container.state.as_ref().is_some_and(|s| s.running.is_some());
    let done = container.state.as_ref().and_then(|s| s.terminated.as_ref()).is_some_and(|t| t.exit_code == 0);
    if running || done {
        return None;
    }
    let terminated = terminated(container)?;
    Some(Problem::new(
        Reason::InitFailed,
        format!("pod {pod}, init container {}: {}", container.name, ending(terminated)),
    ))
}

/// An init step at work, and how its last try ended: a wait that never ends is named as well.
fn running_init(pod: &str, container: &ContainerStatus) -> Option<Problem> {
    container.state.as_ref()?.running.as_ref()?;
    let before = terminated(container).map(|t| format!("; its last try: {}", ending(t))).unwrap_or_default();
    Some(Problem::new(Reason::Starting, format!("pod {pod}, init container {} is at work{before}", container.name)))
}

fn failed(pod: &str, container: &ContainerStatus) -> Option<Problem> {
    if container.ready || container.state.as_ref().is_some_and(|s| s.running.is_some()) {
        return None;
    }
    let terminated = terminated(container)?;
    let waits = container.state.as_ref().and_then(|s| s.waiting.as_ref()).and_then(|w| w.reason.as_deref());
    let reason = waits.unwrap_or(Reason::ContainerFailed.name());
    Some(Problem::quoted(reason, format!("pod {pod}, container {}: {}", container.name, ending(terminated))))
}

fn ending(terminated: &ContainerStateTerminated) -> String {
    let last = terminated.message.as_deref().and_then(|m| m.lines().rev().find(|line| !line.trim().is_empty()));
    let reason = terminated.reason.as_deref().filter(|reason| *reason != "Error");
    let how = reason.map_or_else(
        || format!("exit code {}", terminated.exit_code),
        |r| format!("{r}, exit code {}", terminated.exit_code),
    );
    last.map_or(how.clone(), |line| format!("{how}: {}", line.trim()))
}

/// A container that cannot start. Its usual waiting, and the wait after a crash, are no news here.
fn waiting(pod: &str, container: &ContainerStatus) -> Option<Problem> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    if matches!(reason, "ContainerCreating" | "PodInitializing" | "CrashLoopBackOff") {
        return None;
    }
    let message = waiting.message.as_deref().unwrap_or("waiting");
    Some(Problem::quoted(reason, format!("pod {pod}, container {}: {message}", container.name)))
}

fn not_ready(pod: &str, containers: &[ContainerStatus], events: &[&Event]) -> Option<Problem> {
    let container = containers.iter().find(|c| !c.ready && c.state.as_ref().is_some_and(|s| s.running.is_some()))?;
    let probe = newest(pod, "Pod", events, |event| event.reason.as_deref() == Some("Unhealthy"));
    match probe.and_then(|event| event.message.as_deref()) {
        Some(message) => {
            // A probe that printed nothing leaves a colon with nothing behind it.
            let message = message.trim_end().trim_end_matches(':');
            Some(Problem::new(Reason::ProbeFailing, format!("pod {pod}, container {}: {message}", container.name)))
        }
        None => Some(Problem::new(
            Reason::Starting,
            format!("pod {pod}, container {} runs and is not ready yet", container.name),
        )),
    }
}

fn starting(pod: &str, live: &Pod, events: &[&Event]) -> Option<Problem> {
    if is(live, "Ready") {
        return None;
    }
    match newest(pod, "Pod", events, |_| true) {
        Some(event) => {
            let reason = event.reason.as_deref().unwrap_or(Reason::Starting.name());
            Some(Problem::quoted(reason, format!("pod {pod}: {}", event.message.as_deref().unwrap_or_default())))
        }
        None => Some(Problem::new(Reason::Starting, format!("pod {pod} is starting"))),
    }
}

/// The newest warning about an object.
pub(super) fn newest<'a>(
    name: &str,
    kind: &str,
    events: &[&'a Event],
    keep: impl Fn(&Event) -> bool,
) -> Option<&'a Event> {
    let about = |event: &&&Event| {
        let object = &event.involved_object;
        object.name.as_deref() == Some(name) && object.kind.as_deref() == Some(kind)
    };
    let time = |event: &&&Event| {
        let series = event.series.as_ref().and_then(|s| s.last_observed_time.as_ref()).map(|t| t.0);
        let last = event.last_timestamp.as_ref().map(|t| t.0);
        series.max(last).max(event.event_time.as_ref().map(|t| t.0))
    };
    events.iter().filter(about).filter(|event| keep(event)).max_by_key(time).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: &str) -> Pod {
        let status: serde_json::Value = serde_yaml::from_str(status).unwrap();
        serde_json::from_value(serde_json::json!({"metadata": {"name": "p", "namespace": "n"}, "status": status}))
            .unwrap()
    }

    fn reason(status: &str) -> (String, String) {
        let problem = problem(&pod(status), &[]).unwrap();
        (problem.reason, problem.message)
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_named() {
        let (reason, message) = reason(
            "containerStatuses: [{name: app, ready: false, restartCount: 0, image: x, imageID: '', state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image \"x\"'}}}]",
        );
        assert_eq!(reason, "ImagePullBackOff");
        assert_eq!(message, "pod p, container app: Back-off pulling image \"x\"");
    }

    #[test]
    fn a_failed_init_step_shows_its_last_line() {
        let (reason, message) = reason(
            "initContainerStatuses: [{name: install, ready: false, restartCount: 3, image: x, imageID: '', state: {waiting: {reason: CrashLoopBackOff, message: back-off}}, lastState: {terminated: {exitCode: 7, reason: Error, message: \"a\\nno database\\n\"}}}]",
        );
        assert_eq!(reason, "InitFailed");
        assert_eq!(message, "pod p, init container install: exit code 7: no database");
    }

    #[test]
    fn an_init_step_at_work_is_named_with_how_its_last_try_ended() {
        let (reason, message) = reason(
            "initContainerStatuses: [{name: install, ready: false, restartCount: 1, image: x, imageID: '', state: {running: {}}, lastState: {terminated: {exitCode: 7, reason: Error, message: no database}}}]",
        );
        assert_eq!(reason, "Starting");
        assert_eq!(message, "pod p, init container install is at work; its last try: exit code 7: no database");
    }

    #[test]
    fn a_pod_that_fits_nowhere_says_why() {
        let (reason, message) = reason(
            "conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/1 nodes are available: 1 Insufficient memory.'}]",
        );
        assert_eq!(reason, "Unschedulable");
        assert!(message.contains("Insufficient memory"));
    }

    #[test]
    fn an_event_tells_why_a_probe_fails() {
        let event: Event = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "e", "namespace": "n"}, "reason": "Unhealthy", "message": "Startup probe failed: HTTP 400",
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "n"},
        }))
        .unwrap();
        let pod = pod(
            "containerStatuses: [{name: app, ready: false, restartCount: 0, image: x, imageID: '', state: {running: {}}}]",
        );
        assert_eq!(problem(&pod, &[]).unwrap().reason, "Starting");
        let found = problem(&pod, &[&event]).unwrap();
        assert_eq!(
            (found.reason.as_str(), found.message.as_str()),
            ("ProbeFailing", "pod p, container app: Startup probe failed: HTTP 400")
        );
    }

    #[test]
    fn a_ready_pod_has_no_problem() {
        let ready = "conditions: [{type: Ready, status: 'True'}]\ncontainerStatuses: [{name: app, ready: true, restartCount: 2, image: x, imageID: '', state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]";
        assert_eq!(problem(&pod(ready), &[]), None);
    }
}
