//! The key of a folder, at the target, encrypted to the Platform's recipients: who loses the cluster opens the
//! backups with it. Its record is its Job in the operator's namespace, which is never removed but to be made anew.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::companion::Command;
use super::failure;
use super::home_job::HomeJob;
use super::jobs::delete;
use super::target::{Purpose, Repository, escrow_repository};
use super::{JobState, Place, SeenJob, key_name};
use crate::api::{Reason, SecretKey, marks};
use crate::compare::{Action, Change};
use crate::kinds;
use crate::report::Problem;
use crate::template::hexadecimal;

/// Label of it and of its pod: the folder whose key it leaves.
pub const FOLDER: &str = "commonscloud.coop/backup-folder";
/// Label of it and of its pod: the target.
pub const TARGET: &str = "commonscloud.coop/backup-target";
/// Its annotation: [`recipients_digest`] of those that it encrypts to.
pub const RECIPIENTS: &str = "commonscloud.coop/recipients";

/// How long it takes at most.
const SECONDS: u32 = 600;
/// How long the password of a repository is.
const PASSWORD: u32 = 64;
/// When it is tried again after a failure.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// The Job's name.
pub fn escrow_name(target: &str, folder: &str) -> String {
    let digest = hexadecimal(&Sha256::digest(format!("{target}/{folder}")));
    format!("escrow-{}", &digest[..16])
}

/// The Job that may be making this repository of escrows: two that do so at once break it for good. None once any has
/// succeeded there. `jobs`: those with label [`TARGET`] as the API server has them; two targets may be one place.
pub fn making<'j>(jobs: &'j [Job], repository: &Repository) -> Option<&'j str> {
    let is = |job: &Job, condition: &str| {
        let mut conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.any(|is| is.type_ == condition && is.status == "True")
    };
    let is_there = |job: &&Job| {
        let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let mut env = pod.iter().flat_map(|pod| &pod.containers).flat_map(|container| container.env.iter().flatten());
        env.any(|env| env.name == "RESTIC_REPOSITORY" && env.value.as_ref() == Some(&repository.url))
    };
    let escrows: Vec<&Job> = jobs.iter().filter(is_there).collect();
    if escrows.iter().any(|job| is(job, "Complete")) {
        return None;
    }
    escrows.into_iter().find(|job| !is(job, "Failed"))?.metadata.name.as_deref()
}

/// What tells these recipients from others, in whatever order.
pub fn recipients_digest(recipients: &[String]) -> String {
    let mut sorted: Vec<&str> = recipients.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    hexadecimal(&Sha256::digest(sorted.join("\n")))
}

/// Whether a Job says that the key is at the target for these recipients. `annotation`: its [`RECIPIENTS`].
pub fn is_escrowed(state: &JobState, annotation: Option<&str>, recipients: &[String]) -> bool {
    *state == JobState::Succeeded && annotation == Some(recipients_digest(recipients).as_str())
}

/// The Secret with the key of a folder: made once, never written over.
pub fn make_key(home: &str, folder: &str) -> Change {
    let name = key_name(folder);
    let secret = json!({
        "apiVersion": "v1",
        "kind": kinds::SECRET.kind,
        "metadata": {
            "name": name,
            "namespace": home,
            "labels": {marks::MANAGED_BY: marks::OPERATOR, marks::DATA: "true"},
            "annotations": {FOLDER: folder},
        },
    });
    let key = SecretKey { name: "password".to_owned(), value: None, length: Some(PASSWORD) };
    Change {
        kind: kinds::SECRET.kind.to_owned(),
        namespace: home.to_owned(),
        name,
        action: Action::Generate { secret, keys: vec![key] },
    }
}

/// The Job.
pub fn escrow_job(place: &Place<'_>) -> Value {
    let recipients = &place.backup.recipients;
    let access = place.access(Purpose::Run);
    let repository = escrow_repository(&place.own.namespace, place.target);
    let restic = place.restic(&repository, &access);
    let job = HomeJob {
        namespace: &place.own.namespace,
        name: escrow_name(&place.target.name, place.folder),
        labels: &[(FOLDER, place.folder), (TARGET, &place.target.name)],
        annotation: (RECIPIENTS, recipients_digest(recipients)),
        seconds: SECONDS,
        image_pull_secrets: place.image_pull_secrets,
        made: restic.companion(&[], &[Command::escrow(place.folder, recipients).within(SECONDS)]),
    };
    job.object()
}

/// What is next of a key that is not escrowed. `job`: as it is; one that succeeded did so for other recipients.
pub fn next(place: &Place<'_>, job: Option<&SeenJob>, now: Timestamp) -> (Vec<Change>, Problem, Duration) {
    let waits = |message: String| Problem::new(Reason::KeyNotEscrowed, message);
    let there = format!("target {:?}", place.target.name);
    let soon = Duration::from_secs(5);
    let Some(job) = job else {
        let change = Change {
            kind: "Job".to_owned(),
            namespace: place.own.namespace.clone(),
            name: escrow_name(&place.target.name, place.folder),
            action: Action::Create(escrow_job(place)),
        };
        return (vec![change], waits(format!("the key goes to {there}, encrypted to the recipients")), soon);
    };
    let remove = || vec![delete(&place.own.namespace, job)];
    match &job.state {
        _ if job.is_being_deleted => (Vec::new(), waits(format!("Job {} is made anew", job.name)), soon),
        JobState::Runs => (Vec::new(), waits(format!("Job {} brings the key to {there}", job.name)), soon),
        JobState::Succeeded => (remove(), waits("the Platform names other recipients than before".to_owned()), soon),
        JobState::Failed(_) => {
            let failed = failure::at(job, Some(place)).message;
            let left = job
                .ended
                .unwrap_or(now)
                .saturating_add(AGAIN)
                .map_or(SignedDuration::ZERO, |at| at.duration_since(now));
            let left = Duration::try_from(left).unwrap_or_default();
            let changes = if left.is_zero() { remove() } else { Vec::new() };
            let message = format!("the key is not at {there}: {failed}; it is tried again every ten minutes");
            (changes, waits(message), left.max(soon))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn repository(url: &str) -> Repository {
        Repository {
            target: "here".to_owned(),
            url: url.to_owned(),
            folder: "escrow".to_owned(),
            instance: String::new(),
        }
    }

    fn job(name: &str, repository: &str, condition: Option<&str>) -> Job {
        let conditions: Vec<Value> =
            condition.iter().map(|condition| json!({"type": condition, "status": "True"})).collect();
        let container = json!({"name": "escrow", "env": [{"name": "RESTIC_REPOSITORY", "value": repository}]});
        let spec = json!({"template": {"spec": {"containers": [container]}}});
        serde_json::from_value(json!({
            "metadata": {"name": name}, "spec": spec, "status": {"conditions": conditions},
        }))
        .unwrap()
    }

    #[test]
    fn the_first_escrow_in_a_repository_is_alone_and_those_after_it_are_not() {
        let here = repository("rest:https://here/escrow");
        let of = |name, condition| job(name, &here.url, condition);
        let (runs, failed) = (of("escrow-1", None), of("escrow-2", Some("Failed")));
        let elsewhere = job("escrow-3", "rest:https://there/escrow", None);
        assert_eq!(making(&[], &here), None);
        assert_eq!(making(&[failed.clone(), elsewhere.clone()], &here), None);
        assert_eq!(making(&[failed.clone(), elsewhere, runs.clone()], &here), Some("escrow-1"));
        assert_eq!(making(&[of("escrow-4", Some("FailureTarget"))], &here), Some("escrow-4"), "its pod is still there");
        let made_elsewhere = job("escrow-5", "rest:https://there/escrow", Some("Complete"));
        assert_eq!(making(&[made_elsewhere, runs.clone()], &here), Some("escrow-1"));
        assert_eq!(making(&[runs, failed, of("escrow-6", Some("Complete"))], &here), None);
    }

    #[test]
    fn an_escrow_is_seen_by_the_next_one_at_the_same_place() {
        let subject = crate::backup::fixtures::subject();
        let made: Job = serde_json::from_value(escrow_job(&Place::of(&subject))).unwrap();
        let name = escrow_name(&subject.target.name, &subject.folder);
        assert_eq!(making(&[made], &escrow_repository(&subject.own.namespace, &subject.target)), Some(name.as_str()));
    }
}
