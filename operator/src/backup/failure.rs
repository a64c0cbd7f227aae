//! Why a Job failed, in words for people.

use commonscloud_backup::report::{Failure, FailureReason};

use super::{JobState, Place, SeenJob, Subject, key_name};
use crate::api::{BackupTarget, Reason};
use crate::report::Problem;

/// The exit code of a process that was killed.
const KILLED: i32 = 137;

/// The failure that a container reported, and which container it was.
pub(crate) fn reported(job: &SeenJob) -> Option<(&str, &Failure)> {
    let failures = || {
        job.said
            .iter()
            .filter_map(|(container, said)| Some((container.as_str(), said.report.as_ref()?.outcome.failure()?)))
    };
    failures().find(|(_, failure)| !is_consequence(failure.reason)).or_else(|| failures().next())
}

/// What a container meets because another one failed.
const fn is_consequence(reason: FailureReason) -> bool {
    matches!(reason, FailureReason::HalfStream | FailureReason::Interrupted | FailureReason::TimedOut)
}

/// Why it failed. `subject`: where it is known, the message names its Secrets.
pub(crate) fn of_job(job: &SeenJob, subject: Option<&Subject>) -> Problem {
    at(job, subject.map(Place::of).as_ref())
}

/// The same of a Job at a place.
pub(super) fn at(job: &SeenJob, place: Option<&Place<'_>>) -> Problem {
    let silent = job.said.iter().find(|(_, said)| said.code != 0 && said.report.is_none());
    let failure = reported(job).filter(|(_, failure)| silent.is_none() || !is_consequence(failure.reason));
    match (failure, silent) {
        (Some((container, failure)), _) => {
            let words = format!("Job {}, container {container}: {}", job.name, failure.message);
            Problem::new(reason(failure.reason), format!("{words}{}", to_do(failure.reason, place)))
        }
        (None, Some((container, said))) => {
            let words = match (said.code, said.words.trim()) {
                (KILLED, "") => {
                    "it was killed, mostly for want of memory: raise `backup.resources` of the Platform".to_owned()
                }
                (code, "") => format!("it ended with code {code} and said nothing"),
                (code, words) => format!("it ended with code {code}: {words}"),
            };
            Problem::new(Reason::BackupFailed, format!("Job {}, container {container}: {words}", job.name))
        }
        (None, None) => {
            let words = match &job.state {
                JobState::Failed(message) if !message.is_empty() => message.as_str(),
                _ => "it ended, and its containers said nothing",
            };
            Problem::new(Reason::BackupFailed, format!("Job {}: {words}", job.name))
        }
    }
}

const fn reason(failure: FailureReason) -> Reason {
    match failure {
        FailureReason::Unreachable => Reason::TargetUnreachable,
        FailureReason::CredentialsRefused => Reason::TargetCredentialsRefused,
        FailureReason::WrongKey => Reason::KeyWrong,
        FailureReason::NoRepository | FailureReason::RepositoryReplaced => Reason::RepositoryReplaced,
        FailureReason::Locked => Reason::RepositoryLocked,
        FailureReason::TargetFull => Reason::TargetFull,
        FailureReason::NoRoom => Reason::NoRoom,
        FailureReason::Damaged
        | FailureReason::HalfStream
        | FailureReason::FormatTooNew
        | FailureReason::TimedOut
        | FailureReason::Interrupted
        | FailureReason::Other => Reason::BackupFailed,
    }
}

fn to_do(failure: FailureReason, place: Option<&Place<'_>>) -> String {
    let Some(place) = place else { return String::new() };
    let (target, home) = (place.target, &place.own.namespace);
    if let Some(words) = target.volume.as_ref().and_then(|_| to_do_at_volume(failure, target, home)) {
        return words;
    }
    match failure {
        FailureReason::Unreachable => {
            format!("; look at `backup.targets` of the Platform, target {:?}: its address, its `network`", target.name)
        }
        FailureReason::CredentialsRefused => {
            format!("; correct Secret {} in namespace {home}", target.secret().unwrap_or_default())
        }
        FailureReason::WrongKey => {
            format!("; restore Secret {} in namespace {home}, if it was replaced", key_name(place.folder))
        }
        FailureReason::TargetFull => format!("; make room at target {:?}", target.name),
        _ => String::new(),
    }
}

/// The same where the operator runs the server itself.
fn to_do_at_volume(failure: FailureReason, target: &BackupTarget, home: &str) -> Option<String> {
    let name = target.server_name();
    let words = match failure {
        FailureReason::Unreachable => format!(
            "; target {:?} is served by Deployment {name} of namespace {home}: conditions of Platform default say how it is",
            target.name
        ),
        FailureReason::CredentialsRefused => {
            format!("; delete Secrets {name} and backup-care-{} in namespace {home}: they are made anew", target.name)
        }
        FailureReason::TargetFull => {
            format!("; write a larger volume.size of target {:?} in the Platform", target.name)
        }
        _ => return None,
    };
    Some(words)
}
