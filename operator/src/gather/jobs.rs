//! The Jobs of runs and restores of a service, with what their containers said.

use std::collections::BTreeMap;
use std::sync::Arc;

use commonscloud_backup::report::Report;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::backup::{JobState, Said, SeenJob};
use crate::cache::{Caches, Live};
use crate::template::operation::OPERATION_OF;

/// For how long a Job that has ended counts as running while its pod is not seen ending: the two are watched apart,
/// and what the pod said is what the Job is for.
pub const LAG: SignedDuration = SignedDuration::from_secs(10);

/// The Jobs of runs and restores of a service, by name.
pub fn seen_jobs(caches: &Caches, namespace: &str, service: &str, now: Timestamp) -> BTreeMap<String, SeenJob> {
    let pods = operation_pods(caches, namespace, service);
    let jobs = caches.jobs_in(namespace);
    let own = jobs.iter().filter(|job| job.label(OPERATION_OF) == service);
    own.map(|job| (job.name().to_owned(), seen_job(job, pods.iter().map(AsRef::as_ref), now))).collect()
}

/// The pods of runs and restores of a service.
fn operation_pods(caches: &Caches, namespace: &str, service: &str) -> Vec<Arc<Pod>> {
    let is_its = |pod: &Arc<Pod>| {
        let labels = pod.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(OPERATION_OF)).is_some_and(|of| of == service)
    };
    caches.pods.in_namespace(namespace).into_iter().filter(is_its).collect()
}

/// A Job with what the containers of its pod said. Of several pods the newest counts.
pub fn seen_job<'p>(job: &Live, pods: impl IntoIterator<Item = &'p Pod>, now: Timestamp) -> SeenJob {
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let of_job = pods.into_iter().filter(|pod| is_owned_by(pod, &uid));
    let pod = of_job.max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|made| made.0));
    let (state, ended) = state(job);
    let is_seen = pod.is_some_and(has_ended) || ended.is_none_or(|ended| now.duration_since(ended) >= LAG);
    SeenJob {
        name: job.name().to_owned(),
        owner: job.metadata.owner_references.iter().flatten().next().map(|owner| owner.uid.clone()).unwrap_or_default(),
        state: if is_seen { state } else { JobState::Runs },
        said: pod.map(said).unwrap_or_default(),
        is_being_deleted: job.metadata.deletion_timestamp.is_some(),
        ended,
        uid,
    }
}

pub(super) fn is_owned_by(pod: &Pod, uid: &str) -> bool {
    pod.metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid)
}

/// How far it is, and when it ended.
fn state(job: &Live) -> (JobState, Option<Timestamp>) {
    let conditions: Vec<JobCondition> = job
        .value
        .pointer("/status/conditions")
        .and_then(|conditions| serde_json::from_value(conditions.clone()).ok())
        .unwrap_or_default();
    for condition in conditions.into_iter().filter(|condition| condition.status == "True") {
        let ended = condition.last_transition_time.map(|time| time.0);
        match condition.type_.as_str() {
            "Complete" => return (JobState::Succeeded, ended),
            "Failed" => return (JobState::Failed(condition.message.unwrap_or_default()), ended),
            _ => {}
        }
    }
    (JobState::Runs, None)
}

/// The same of one that the caches have.
pub(super) fn live_has_ended(job: &Live) -> bool {
    state(job).0 != JobState::Runs
}

/// Whether a Job has ended, whatever of its pods is seen.
pub fn job_has_ended(job: &Job) -> bool {
    let mut conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.status == "True" && ["Complete", "Failed"].contains(&condition.type_.as_str()))
}

/// When the last of these pods ended; none while one has not. No pods ended at no time.
pub fn ended(pods: &[Pod]) -> Option<Option<Timestamp>> {
    let ends = |pod: &Pod| said(pod).into_values().filter_map(|said| said.at).max();
    pods.iter().all(has_ended).then(|| pods.iter().filter_map(ends).max())
}

/// Since when none of these is at work; none while one is, and where none ever was.
pub fn idle_since(jobs: &[SeenJob], pods: &[Pod]) -> Option<Timestamp> {
    if jobs.iter().any(|job| job.state == JobState::Runs) {
        return None;
    }
    jobs.iter().filter_map(|job| job.ended).chain(ended(pods)?).max()
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn said(pod: &Pod) -> BTreeMap<String, Said> {
    let statuses = pod.status.iter().flat_map(|status| {
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
    });
    statuses.filter_map(|status| Some((status.name.clone(), last_words(terminated(status)?)))).collect()
}

fn terminated(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    status.state.as_ref()?.terminated.as_ref()
}

fn last_words(ended: &ContainerStateTerminated) -> Said {
    let message = ended.message.as_deref().unwrap_or_default();
    let report = Report::read(message).ok();
    // Without a message the kubelet's own word: `OOMKilled`, say.
    let words = if message.is_empty() { ended.reason.as_deref().unwrap_or_default() } else { message };
    Said {
        code: ended.exit_code,
        at: ended.finished_at.as_ref().map(|time| time.0),
        words: if report.is_some() { String::new() } else { words.trim().to_owned() },
        report,
    }
}

#[cfg(test)]
mod tests {
    use commonscloud_backup::report::{Outcome, REPORT_VERSION};
    use serde_json::{Value, json};

    use super::*;

    const ENDED: &str = "2026-11-30T10:00:00Z";

    fn job(condition: Option<&str>) -> Live {
        let conditions: Vec<Value> = condition
            .iter()
            .map(|kind| json!({"type": kind, "status": "True", "message": "said", "lastTransitionTime": ENDED}))
            .collect();
        let object = json!({
            "metadata": {
                "name": "wiki-files", "namespace": "coop", "uid": "j1", "labels": {OPERATION_OF: "wiki"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "ServiceBackup", "name": "b", "uid": "b1"}],
            },
            "status": {"conditions": conditions},
        });
        Live::of("Job", serde_json::from_value(object).unwrap())
    }

    fn pod(phase: &str, made: &str, message: &str) -> Pod {
        let ended = json!({"terminated": {"exitCode": 1, "finishedAt": ENDED, "message": message}});
        serde_json::from_value(json!({
            "metadata": {
                "name": made, "creationTimestamp": made,
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "wiki-files", "uid": "j1"}],
            },
            "status": {"phase": phase, "containerStatuses": [{
                "name": "files", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": ended,
            }, {
                "name": "runs", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}},
            }]},
        }))
        .unwrap()
    }

    fn after(seconds: i64) -> Timestamp {
        ENDED.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_job_has_ended_once_its_pod_is_seen_ending_or_is_not_to_be_waited_for() {
        let state = |condition, pods: &[Pod], seconds| seen_job(&job(condition), pods, after(seconds)).state;
        let ended = pod("Failed", "2026-11-30T09:00:00Z", "words");
        let runs = pod("Running", "2026-11-30T09:00:00Z", "words");
        let failed = JobState::Failed("said".to_owned());
        assert_eq!(state(None, std::slice::from_ref(&ended), 99), JobState::Runs);
        assert_eq!(state(Some("FailureTarget"), &[], 99), JobState::Runs, "it is about to fail");
        assert_eq!(state(Some("Complete"), &[ended], 0), JobState::Succeeded);
        assert_eq!(state(Some("Complete"), std::slice::from_ref(&runs), 9), JobState::Runs, "its words are on the way");
        assert_eq!(state(Some("Complete"), &[runs], 10), JobState::Succeeded);
        assert_eq!(state(Some("Failed"), &[], 9), JobState::Runs);
        assert_eq!(state(Some("Failed"), &[], 10), failed, "the pod is lost");
    }

    #[test]
    fn nobody_is_at_work_once_all_pods_have_ended() {
        let (done, runs) = (pod("Failed", "2026-11-30T09:00:00Z", ""), pod("Running", "2026-11-30T09:00:00Z", ""));
        assert_eq!(ended(&[]), Some(None));
        assert_eq!(ended(std::slice::from_ref(&done)), Some(Some(after(0))));
        assert_eq!(ended(&[done, runs]), None);
    }

    #[test]
    fn what_a_container_said_is_its_report_or_its_words_and_who_runs_says_nothing() {
        let report = Report { version: REPORT_VERSION, outcome: Outcome::Done };
        let older = pod("Failed", "2026-11-30T08:00:00Z", "older");
        for (message, read, words) in [(report.write(), Some(report), ""), (" at line 3\n".into(), None, "at line 3")] {
            let pods = [pod("Failed", "2026-11-30T09:00:00Z", &message), older.clone()];
            let seen = seen_job(&job(Some("Failed")), &pods, after(0));
            assert_eq!((seen.name.as_str(), seen.owner.as_str(), seen.said.len()), ("wiki-files", "b1", 1));
            let said = &seen.said["files"];
            assert_eq!((said.code, &said.report, said.words.as_str()), (1, &read, words));
        }
        let mut another = pod("Failed", "2026-11-30T09:00:00Z", "words");
        another.metadata.owner_references = None;
        assert!(seen_job(&job(Some("Failed")), &[another], after(99)).said.is_empty(), "of another Job");
    }
}
