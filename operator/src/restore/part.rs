//! A part of a backup, beside what is there: the service goes on, and nothing of it is replaced.

use super::observed::ObservedRestore;
use super::step::{Flow, Learned, Step, failed, read, subject, unpaused};
use super::{choice, jobs, may_add, ran};
use crate::api::{Reason, RestorePart, RestorePhase};
use crate::backup::Subject;
use crate::report::Problem;

/// What is next of it. How it ends is that of any restore.
pub(super) fn next(observed: &ObservedRestore) -> Flow {
    let Some(part) = &observed.restore.spec.only else { return Ok(Step::at(observed.phase())) };
    match observed.phase() {
        RestorePhase::Waiting => waiting(observed, part),
        RestorePhase::Preparing => preparing(observed, part),
        _ => files(observed, part),
    }
}

fn waiting(observed: &ObservedRestore, part: &RestorePart) -> Flow {
    choice::supported(&observed.restore.spec).map_err(|problem| Box::new(failed(observed, problem)))?;
    choice::turn(observed)?;
    let subject = unpaused(observed)?;
    is_backed_up(subject, part).map_err(|problem| Box::new(failed(observed, problem)))?;
    if subject.record.spec.restoring.is_some() {
        let name = &subject.plan.instance.name;
        let message = format!("ServiceData {name} has spec.restoring: restore all of {name} first");
        return Ok(Step::not_yet(observed, Problem::new(Reason::DataRestoring, message)));
    }
    let learned = Learned { chosen: Some(choice::chosen(observed)?), ..Learned::default() };
    Ok(Step { learned, ..Step::at(RestorePhase::Preparing) })
}

fn is_backed_up(subject: &Subject, part: &RestorePart) -> Result<(), Problem> {
    let source = subject.operations.operations();
    let trees = source.iter().flat_map(|source| &source.operations.files);
    let volumes: Vec<&str> = trees.map(|tree| tree.volume.as_str()).collect();
    if volumes.contains(&part.volume.as_str()) {
        return Ok(());
    }
    let message = format!(
        "spec.only.volume: files of volume {} are not backed up; name one of: {}",
        part.volume,
        volumes.join(", ")
    );
    Err(Problem::new(Reason::RestoreNotSupported, message))
}

fn preparing(observed: &ObservedRestore, part: &RestorePart) -> Flow {
    let subject = subject(observed)?;
    let manifest = read(observed, subject)?;
    may_add(manifest, observed, subject, part).map_err(|refusal| Box::new(failed(observed, refusal.problem())))?;
    Ok(Step::at(RestorePhase::Files))
}

fn files(observed: &ObservedRestore, part: &RestorePart) -> Flow {
    let subject = subject(observed)?;
    let manifest = ran::manifest(observed, subject)?;
    ran::all(observed, jobs::add(subject, observed, manifest, part))?;
    Ok(Step::at(RestorePhase::Succeeded))
}

#[cfg(test)]
#[path = "part_tests.rs"]
mod tests;
