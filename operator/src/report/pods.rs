//! Why a pod is not ready, in the API's own words.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Event, Pod, PodStatus};
use k8s_openapi::jiff::Timestamp;

use super::conditions::Problem;
use super::warnings::{About, is_said_after, newest, without_directories};
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
        .or_else(|| not_ready(pod, containers, events))
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
    let last = terminated.message.as_deref().and_then(last_line);
    let reason = terminated.reason.as_deref().filter(|reason| *reason != "Error");
    let how = reason.map_or_else(
        || format!("exit code {}", terminated.exit_code),
        |r| format!("{r}, exit code {}", terminated.exit_code),
    );
    last.map_or(how.clone(), |line| format!("{how}: {}", line.trim()))
}

/// The last line that tells something: what ends a program's trace only says where it was.
fn last_line(message: &str) -> Option<&str> {
    let lines = || message.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let tells = |line: &&str| {
        let is_frame = line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        !(is_frame || line.starts_with("thrown in ") || *line == "Stack trace:")
    };
    lines().find(tells).or_else(|| lines().next())
}

/// When a container came into its state.
fn last_transition(state: &ContainerState) -> Option<Timestamp> {
    let started = state.running.as_ref().and_then(|running| running.started_at.as_ref());
    let ended = state.terminated.as_ref().and_then(|terminated| terminated.finished_at.as_ref());
    started.max(ended).map(|time| time.0)
}

/// When a pod last came a step further: it was scheduled, its sandbox stood, a container began or ended.
fn last_progress(status: &PodStatus) -> Option<Timestamp> {
    let conditions = status.conditions.iter().flatten().filter(|condition| condition.status == "True");
    let turns = conditions.filter_map(|condition| Some(condition.last_transition_time.as_ref()?.0));
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let of_containers = containers.flat_map(|container| container.state.iter().chain(&container.last_state));
    turns.chain(of_containers.filter_map(last_transition)).max()
}

/// A container that cannot start. Its usual waiting, and the wait after a crash, are no news here.
fn waiting(pod: &str, container: &ContainerStatus) -> Option<Problem> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    if matches!(reason, "ContainerCreating" | "PodInitializing" | "CrashLoopBackOff") {
        return None;
    }
    let message = without_directories(waiting.message.as_deref().unwrap_or("waiting"));
    Some(Problem::quoted(reason, format!("pod {pod}, container {}: {message}", container.name)))
}

fn about(pod: &Pod, since: Option<Timestamp>) -> About<'_> {
    let metadata = &pod.metadata;
    About { kind: "Pod", name: metadata.name.as_deref().unwrap_or_default(), uid: metadata.uid.as_deref(), since }
}

fn not_ready(live: &Pod, containers: &[ContainerStatus], events: &[&Event]) -> Option<Problem> {
    let container = containers.iter().find(|c| !c.ready && c.state.as_ref().is_some_and(|s| s.running.is_some()))?;
    let about = about(live, container.state.as_ref().and_then(last_transition));
    let pod = about.name;
    let probe = newest(about, events, |event| is_of_probe(event, &container.name));
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

/// Why what is applied while the application runs is not: what the liveness probe of the container that
/// applies it prints, since that container began.
pub(super) fn settings_failed(live: &Pod, container: &str, events: &[&Event]) -> Option<Problem> {
    const PROBE: &str = "Liveness probe failed: ";
    let status = live.status.as_ref()?.container_statuses.as_ref()?.iter().find(|status| status.name == container)?;
    let about = about(live, status.state.as_ref().and_then(last_transition));
    if status.started == Some(false) {
        let message = format!("pod {}, container {container} applies the settings", about.name);
        return Some(Problem::new(Reason::Starting, message));
    }
    let said = newest(about, events, |event| {
        // The kubelet says when both were, by one clock: what the container before said is over at once.
        is_of_probe(event, container)
            && about.since.is_none_or(|since| is_said_after(event, since))
            && event.message.as_deref().is_some_and(|message| message.starts_with(PROBE))
    });
    let why = said?.message.as_deref()?.strip_prefix(PROBE)?.trim();
    Some(Problem::new(Reason::SettingsFailed, why))
}

/// Whether a Warning is about a probe of this container.
fn is_of_probe(event: &Event, container: &str) -> bool {
    let place = event.involved_object.field_path.as_deref();
    let is_its = place.is_none_or(|place| place == format!("spec.containers{{{container}}}"));
    is_its && event.reason.as_deref() == Some("Unhealthy")
}

fn starting(pod: &str, live: &Pod, events: &[&Event]) -> Option<Problem> {
    if is(live, "Ready") {
        return None;
    }
    match newest(about(live, live.status.as_ref().and_then(last_progress)), events, |_| true) {
        Some(event) => {
            let reason = event.reason.as_deref().unwrap_or(Reason::Starting.name());
            let message = without_directories(event.message.as_deref().unwrap_or_default());
            Some(Problem::quoted(reason, format!("pod {pod}: {message}")))
        }
        None => Some(Problem::new(Reason::Starting, format!("pod {pod} is starting"))),
    }
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
    fn a_container_that_cannot_be_made_shows_no_path_of_the_node() {
        let (reason, message) = reason(
            "containerStatuses: [{name: app, ready: false, restartCount: 0, image: x, imageID: '', state: {waiting: {reason: CreateContainerError, message: 'failed to stat \"/var/lib/kubelet/pods/u/volumes/data\"'}}}]",
        );
        assert_eq!(reason, "CreateContainerError");
        assert_eq!(message, "pod p, container app: failed to stat \"…/data\"");
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

    fn event(reason: &str, message: &str, time: &str, uid: &str) -> Event {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "e", "namespace": "n"}, "reason": reason, "message": message, "lastTimestamp": time,
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "n", "uid": uid},
        }))
        .unwrap()
    }

    #[test]
    fn what_was_said_before_a_pod_came_further_is_over() {
        let scheduled =
            "conditions: [{type: PodScheduled, status: 'True', lastTransitionTime: '2026-01-01T10:30:00Z'}]";
        let old = event("FailedScheduling", "0/1 nodes are available", "2026-01-01T10:00:00Z", "u");
        let found = problem(&pod(scheduled), &[&old]).unwrap();
        assert_eq!((found.reason.as_str(), found.message.as_str()), ("Starting", "pod p is starting"));
        let since = event("FailedMount", "secret \"a\" not found in /var/lib/kubelet/x", "2026-01-01T10:30:20Z", "u");
        let found = problem(&pod(scheduled), &[&old, &since]).unwrap();
        assert_eq!(found.message, "pod p: secret \"a\" not found in …/x");
        let just_before = event("FailedMount", "a clock differs", "2026-01-01T10:29:57Z", "u");
        assert_eq!(problem(&pod(scheduled), &[&just_before]).unwrap().reason, "FailedMount");
    }

    #[test]
    fn what_was_said_of_an_earlier_container_or_pod_is_over() {
        let running = "containerStatuses: [{name: app, ready: false, restartCount: 1, image: x, imageID: '', state: {running: {startedAt: '2026-01-01T10:30:00Z'}}}]";
        let unhealthy = |time: &str, uid: &str| event("Unhealthy", "HTTP 500", time, uid);
        let mut pod = pod(running);
        pod.metadata.uid = Some("u".to_owned());
        let reason = |event: &Event| problem(&pod, &[event]).unwrap().reason;
        assert_eq!(reason(&unhealthy("2026-01-01T10:00:00Z", "u")), "Starting", "the container before");
        assert_eq!(reason(&unhealthy("2026-01-01T10:31:00Z", "v")), "Starting", "another pod of that name");
        assert_eq!(reason(&unhealthy("2026-01-01T10:31:00Z", "u")), "ProbeFailing");
    }

    #[test]
    fn the_end_of_a_trace_is_not_what_a_container_said() {
        let php = "PHP Fatal error:  Uncaught PDOException: no database in /x.php:3\nStack trace:\n#0 {main}\n  thrown in /x.php on line 3\n";
        assert_eq!(last_line(php), Some("PHP Fatal error:  Uncaught PDOException: no database in /x.php:3"));
        assert_eq!(last_line("a\n#1 first\n"), Some("a"));
        assert_eq!(last_line("#0 {main}"), Some("#0 {main}"), "better than nothing");
    }

    #[test]
    fn settings_that_could_not_be_applied_are_told_until_their_container_begins_again() {
        let begun = |at: &str| {
            let running = format!("running: {{startedAt: '{at}'}}");
            let mut pod = pod(&format!(
                "containerStatuses: [{{name: cron, ready: true, restartCount: 0, image: x, imageID: '', state: {{{running}}}}}]"
            ));
            pod.metadata.uid = Some("u".to_owned());
            pod
        };
        let said = "Liveness probe failed: settings: no key client-id\n";
        let mut event = event("Unhealthy", said, "2026-01-01T10:31:00Z", "u");
        event.involved_object.field_path = Some("spec.containers{cron}".to_owned());
        let told = |pod: &Pod, event: &Event| settings_failed(pod, "cron", &[event]);
        let failed = Problem::new(Reason::SettingsFailed, "settings: no key client-id");
        assert_eq!(told(&begun("2026-01-01T10:30:00Z"), &event), Some(failed));
        assert_eq!(told(&begun("2026-01-01T10:40:00Z"), &event), None, "it began again");
        assert_eq!(told(&begun("2026-01-01T10:31:00Z"), &event), None, "it began again in that very second");
        assert_eq!(told(&begun("2026-01-01T10:31:03Z"), &event), None, "it began again three seconds later");
        event.involved_object.field_path = Some("spec.containers{app}".to_owned());
        assert_eq!(told(&begun("2026-01-01T10:30:00Z"), &event), None, "of another container");
    }

    #[test]
    fn a_ready_pod_has_no_problem() {
        let ready = "conditions: [{type: Ready, status: 'True'}]\ncontainerStatuses: [{name: app, ready: true, restartCount: 2, image: x, imageID: '', state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]";
        assert_eq!(problem(&pod(ready), &[]), None);
    }
}
