//! What the Jobs of a restore came to, and which are begun, ended or awaited.

use commonscloud_backup::manifest::Manifest;
use commonscloud_backup::report::Outcome;
use kube::ResourceExt as _;

use super::again;
use super::jobs::{self, Jobs};
use super::observed::ObservedRestore;
use super::step::{Step, failed};
use crate::api::Reason;
use crate::backup::jobs::delete;
use crate::backup::{JobState, KeyState, SeenJob, Subject, failure};
use crate::compare::Change;
use crate::report::Problem;

/// The Jobs, if all of them have succeeded.
///
/// # Errors
/// What comes first: they are begun, awaited, or one of them failed.
pub(super) fn all(observed: &ObservedRestore, wanted: Jobs) -> Result<Vec<&SeenJob>, Box<Step>> {
    let wanted = wanted.map_err(|error| {
        Box::new(failed(observed, Problem::new(Reason::RestoreFailed, format!("no Job can be made: {error}"))))
    })?;
    let (mut done, mut awaited, mut changes, mut meets) = (Vec::new(), Vec::new(), Vec::new(), None);
    for one in wanted {
        let name = one.name.clone();
        match observed.jobs.get(&name) {
            None => changes.extend(one.start()),
            // Another run's that has ended; its name is free once it is gone.
            Some(job) if !is_own(observed, job) && !job.is_being_deleted && job.state != JobState::Runs => {
                changes.push(end(observed, job));
            }
            Some(job) if !is_own(observed, job) || job.is_being_deleted => {}
            Some(job) => match &job.state {
                JobState::Runs if !job.is_failing() => {}
                JobState::Succeeded => {
                    done.push(job);
                    continue;
                }
                JobState::Runs | JobState::Failed(_) => {
                    let problem = failure::of_job(job, observed.subject.as_ref().ok());
                    if !again::is_tried_again(observed, job) {
                        return Err(Box::new(failed(observed, problem)));
                    }
                    changes.extend(again::is_time(observed, job).then(|| end(observed, job)));
                    meets = Some(problem);
                }
            },
        }
        awaited.push(name);
    }
    if awaited.is_empty() {
        return Ok(done);
    }
    let copies = if changes.is_empty() { Vec::new() } else { copies(observed) };
    let changes = copies.into_iter().chain(changes).collect();
    let waits = Step::waits(observed, format!("Job {}", awaited.join(", "))).with(changes);
    Err(Box::new(Step { problem: meets, ..waits }))
}

/// What the Jobs' pods need, where somebody took it away.
fn copies(observed: &ObservedRestore) -> Vec<Change> {
    match observed.subject.as_ref().map(|subject| &subject.key) {
        Ok(KeyState::NotCopied(copies)) => copies.clone(),
        _ => Vec::new(),
    }
}

/// What the snapshot is made of. Its Job is run again where it is gone.
///
/// # Errors
/// What comes first.
pub(super) fn manifest<'o>(observed: &'o ObservedRestore, subject: &Subject) -> Result<&'o Manifest, Box<Step>> {
    let done = all(observed, jobs::manifest(subject, observed))?;
    let outcomes = done.iter().flat_map(|job| outcomes(job));
    let found = outcomes.filter_map(|outcome| match outcome {
        Outcome::Manifest { manifest } => Some(manifest.as_ref()),
        _ => None,
    });
    found.last().ok_or_else(|| Box::new(unheard(observed, &done)))
}

/// What differs, by Jobs that have compared.
///
/// # Errors
/// When one of them has not said.
pub(super) fn differences(observed: &ObservedRestore, done: &[&SeenJob]) -> Result<Vec<String>, Box<Step>> {
    let mut all = Vec::new();
    for job in done {
        let compared = outcomes(job).find_map(|outcome| match outcome {
            Outcome::Compared { differences } => Some(differences),
            _ => None,
        });
        all.extend(compared.ok_or_else(|| Box::new(unheard(observed, &[job])))?.iter().cloned());
    }
    Ok(all)
}

/// A pod that is gone took along what it had to say: it is asked once more.
fn unheard(observed: &ObservedRestore, done: &[&SeenJob]) -> Step {
    let names: Vec<&str> = done.iter().map(|job| job.name.as_str()).collect();
    let ends = done.iter().map(|job| end(observed, job)).collect();
    Step::waits(observed, format!("Job {}, once more, since its pod is gone", names.join(", "))).with(ends)
}

/// The end of the restore's Jobs: their pods hold the new claims, at work or not.
pub(crate) fn end_all(observed: &ObservedRestore) -> Vec<Change> {
    end_those(observed, |job| is_own(observed, job))
}

/// The end of all Jobs of the service that are not another's at work: a pod that ended holds the former claims too.
pub(super) fn clear(observed: &ObservedRestore) -> Vec<Change> {
    end_those(observed, |job| is_own(observed, job) || job.state != JobState::Runs)
}

fn end_those(observed: &ObservedRestore, is_to_end: impl Fn(&SeenJob) -> bool) -> Vec<Change> {
    let jobs = observed.jobs.values().filter(|job| !job.is_being_deleted && is_to_end(job));
    jobs.map(|job| end(observed, job)).collect()
}

fn is_own(observed: &ObservedRestore, job: &SeenJob) -> bool {
    observed.restore.metadata.uid.as_ref() == Some(&job.owner)
}

fn outcomes(job: &SeenJob) -> impl Iterator<Item = &Outcome> {
    job.said.values().filter_map(|said| Some(&said.report.as_ref()?.outcome))
}

fn end(observed: &ObservedRestore, job: &SeenJob) -> Change {
    delete(&observed.restore.namespace().unwrap_or_default(), job)
}
