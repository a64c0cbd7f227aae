//! Forgets what the Platform does not keep, and what failed runs left: marks the runs, then a Job of the operator's
//! namespace removes their snapshots, then they say what became of these. One step for each service in each round.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::backup::{exists, home_job};
use super::clock;
use super::context::Context;
use super::repository;
use crate::api::{Platform, PlatformBackup, ServiceBackup, ServiceBackupStatus};
use crate::apply::{ErrorKind, Target, WriteError};
use crate::backup::copied::{Copied, next_copied};
use crate::backup::maintenance::CareJob;
use crate::backup::{JobState, batch, forget_job, forget_name, given_up, label, marked, told};
use crate::cache::{Key, Kind, Live};
use crate::core::lifecycle::agreed;
use crate::gather::{self, KeptService};
use crate::kinds;

/// When a Job that failed, or said nothing, is made anew.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// One step for each service of which nothing is at work. `jobs`: those that care for repositories. Says whether a Job
/// was begun.
///
/// # Errors
/// The first request that failed; what other services need is done all the same.
pub(super) async fn round(
    context: &Context,
    platform: &Platform,
    services: &[KeptService],
    jobs: &[CareJob],
    now: Timestamp,
) -> Result<bool, WriteError> {
    let Some(backup) = &platform.spec.backup else { return Ok(false) };
    let mut outcome = Ok(false);
    for service in services.iter().filter(|service| !service.is_busy) {
        let step = step(context, platform, backup, service, jobs, now).await;
        outcome = outcome.and_then(|begun| step.map(|began| began || begun));
    }
    outcome
}

/// Whether nothing of what the caches know is to be forgotten.
pub(super) fn is_at_rest(backup: &PlatformBackup, services: &[KeptService], now: Timestamp) -> bool {
    services.iter().filter(|service| !service.is_busy).all(|service| {
        batch(&service.runs, backup, now).is_empty()
            && next_copied(&service.copies, &service.runs, backup, now).is_none()
            && given_up(&service.runs, backup, service.is_gone, now).is_empty()
    })
}

async fn step(
    context: &Context,
    platform: &Platform,
    backup: &PlatformBackup,
    service: &KeptService,
    jobs: &[CareJob],
    now: Timestamp,
) -> Result<bool, WriteError> {
    let next = batch(&service.runs, backup, now);
    if let Some(name) = forget_name(&next) {
        let at = next.first().and_then(|run| run.status.as_ref()?.repository.as_ref()).map(label);
        if at.is_some_and(|at| another_works(jobs, &at, &name)) {
            return Ok(false);
        }
        return forget(context, platform, &name, &next, service, now).await;
    }
    let given_up = given_up(&service.runs, backup, service.is_gone, now);
    if given_up.is_empty() {
        let free = |copied: &&Copied| !another_works(jobs, &label(&copied.at), &copied.forget_name());
        let Some(copied) = next_copied(&service.copies, &service.runs, backup, now).filter(free) else {
            return Ok(false);
        };
        return forget_copy(context, platform, copied, service, now).await;
    }
    // A wrong clock would give up what is young.
    if !clocks_agree(context, &service.runs).await {
        return Ok(false);
    }
    if service.is_gone && is_there(context, service).await? {
        return Ok(false);
    }
    for run in given_up {
        report(context, &run, &marked(&run, now)).await?;
    }
    Ok(false)
}

/// Whether another Job than this one cares for a repository.
fn another_works(jobs: &[CareJob], repository: &str, name: &str) -> bool {
    jobs.iter().any(|job| job.repository == repository && job.seen.name != name && job.is_at_work())
}

/// Whether a service, or its data, is there that the caches do not show.
async fn is_there(context: &Context, service: &KeptService) -> Result<bool, WriteError> {
    if exists(context, &service.entity, &service.service).await? {
        return Ok(true);
    }
    let kind = kinds::SERVICE_DATA.kind;
    match context.server.get(Target { kind, namespace: &service.entity, name: &service.service }).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == ErrorKind::Missing => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether all clocks agree: else nothing is forgotten, and nothing pruned.
pub(super) async fn clocks_agree(context: &Context, runs: &[Arc<ServiceBackup>]) -> bool {
    let newest = runs.iter().filter_map(|run| run.creation_timestamp()).map(|made| made.0).max();
    let clocks = clock::read(context.start, context.server.client(), newest).await;
    clocks.is_some_and(|clocks| agreed(&clocks).is_ok())
}

/// Makes the Job, waits for it, or takes in what it said. No cache has it.
async fn forget(
    context: &Context,
    platform: &Platform,
    name: &str,
    batch: &[Arc<ServiceBackup>],
    service: &KeptService,
    now: Timestamp,
) -> Result<bool, WriteError> {
    let home = context.server.home();
    let target = Target { kind: "Job", namespace: home, name };
    let job = match context.server.get(target).await {
        Ok(job) => job,
        Err(error) if error.kind == ErrorKind::Missing => {
            let Some(job) = forget_job(batch, platform, &context.own) else { return Ok(false) };
            let is_idle = repository::is_idle(context, &service.entity, &service.service).await?;
            let at = batch.first().and_then(|run| run.status.as_ref()?.repository.as_ref());
            let is_read = match at {
                Some(at) => repository::is_copied(context, at).await?,
                None => false,
            };
            if !is_idle || is_read || !clocks_agree(context, &service.runs).await {
                return Ok(false);
            }
            return context.server.create(target, &job).await.map(|_| true);
        }
        Err(error) => return Err(error),
    };
    let metadata = job.metadata.clone();
    let job = Live::of("Job", job);
    let pods = context.server.pods(home, &format!("batch.kubernetes.io/job-name={name}")).await?;
    let seen = gather::seen_job(&job, &pods, now);
    if seen.state == JobState::Runs || seen.is_being_deleted {
        return Ok(false);
    }
    let told = told(&seen, &metadata, &service.runs, now);
    for (run, status) in &told {
        report(context, run, status).await?;
    }
    let is_long_ago = seen.ended.is_none_or(|ended| now.duration_since(ended) > AGAIN);
    if told.is_empty() && !is_long_ago {
        return Ok(false);
    }
    context.server.delete(target, &seen.uid).await.map(|()| false)
}

/// The same of a copy whose restore has ended.
async fn forget_copy(
    context: &Context,
    platform: &Platform,
    copied: &Copied,
    service: &KeptService,
    now: Timestamp,
) -> Result<bool, WriteError> {
    let name = copied.forget_name();
    let target = Target { kind: "Job", namespace: context.server.home(), name: &name };
    let Some(found) = home_job(context, &name).await? else {
        let Some(job) = copied.forget_job(platform, &context.own) else { return Ok(false) };
        let is_idle = repository::is_idle(context, &service.entity, &service.service).await?;
        // A later restore of the same backup copies into it, and copies no part again that it finds there.
        if !is_idle
            || repository::goes_first(context, &[&copied.at]).await?.is_some()
            || repository::is_copied(context, &copied.at).await?
        {
            return Ok(false);
        }
        return context.server.create(target, &job).await.map(|_| true);
    };
    let seen = found.seen(now);
    if seen.state == JobState::Runs || seen.is_being_deleted {
        return Ok(false);
    }
    let restore = &copied.restore;
    let is_told = match copied.told(&seen, &found.metadata, now) {
        Some(status) => {
            let key = Key::new(Kind::ServiceRestore, &service.entity, &restore.name_any());
            context.report(&key, &restore.uid().unwrap_or_default(), restore.status.as_ref(), &status).await?;
            true
        }
        None => false,
    };
    let is_long_ago = seen.ended.is_none_or(|ended| now.duration_since(ended) > AGAIN);
    if !is_told && !is_long_ago {
        return Ok(false);
    }
    context.server.delete(target, &seen.uid).await.map(|()| false)
}

async fn report(context: &Context, run: &ServiceBackup, status: &ServiceBackupStatus) -> Result<(), WriteError> {
    let key = Key::new(Kind::ServiceBackup, &run.namespace().unwrap_or_default(), &run.name_any());
    context.report(&key, &run.uid().unwrap_or_default(), run.status.as_ref(), status).await
}
