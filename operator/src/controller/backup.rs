//! The controller of ServiceBackups: what is seen, what is next of it, the status, then the writes. A phase is in
//! the status before anything of it is written.

use std::time::Duration;

use commonscloud_backup::report::FailureReason;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::context::Context;
use super::finalizer::hold;
use super::queue::Next;
use super::repository;
use super::step::{self, Carried};
use crate::api::{BackupPhase, BackupRepository, BackupTarget, Reason, ServiceBackup, ServiceBackupStatus, marks};
use crate::apply::{Applied, ErrorKind, Target, WriteError, apply};
use crate::backup::escrow::{TARGET, escrow_name, making};
use crate::backup::target::{Purpose, escrow_repository, repository as repository_of};
use crate::backup::{KeyState, ObservedRun, SeenJob, Standing, Step, UNQUIESCE, backup_status, needs_service, next};
use crate::cache::{Key, Live, has_ended};
use crate::gather;
use crate::kinds;
use crate::report::Problem;
use crate::template::operation::OPERATION_OF;

/// When a run looks again whose turn another took meanwhile.
const AWAITED: Duration = Duration::from_secs(5);

/// One pass over a run. One that has ended costs nothing.
///
/// # Errors
/// When a request outside of *apply* fails.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(run) = context.caches().backups.get(&key.namespace, &key.name) else { return Ok(Next::Wait) };
    if has_ended(&run) {
        return leave(context, key, &run).await;
    }
    if is_coming_back(&run) {
        return Ok(Next::Wait);
    }
    if is_too_soon(context, key) {
        return Ok(Next::Wait);
    }
    let Some(mut observed) = observe(context, key).await? else { return Ok(Next::Wait) };
    // Until the Job is written: another run's pass sees it then.
    let alone = if is_to_be_escrowed(&observed) { Some(context.escrows.lock().await) } else { None };
    if alone.is_some() {
        observed = after_another(context, observed).await?;
    }
    let step = next(&observed);
    let status = backup_status(&observed, &step);
    if phase(&run) == Some(step.phase) {
        return carry_out(context, key, &observed, &step, &status).await;
    }
    // One after the other: of two that look at once neither would see the other begin.
    let _turn = if step.phase == BackupPhase::Preparing { Some(context.turns.lock().await) } else { None };
    if step.phase == BackupPhase::Preparing && gather::awaited(context.caches(), &run, context.now()).is_some() {
        return Ok(Next::After(AWAITED));
    }
    context.report(key, &run.uid().unwrap_or_default(), run.status.as_ref(), &status).await?;
    context.known.again(key);
    Ok(Next::Wait)
}

/// What a run leaves that has ended: no finalizer, and no Job at work.
async fn leave(context: &Context, key: &Key, run: &ServiceBackup) -> Result<Next, WriteError> {
    hold(context, key, &run.metadata, UNQUIESCE, false).await?;
    let jobs = gather::seen_jobs(context.caches(), &key.namespace, &run.spec.service, context.now());
    let is_at_work =
        |job: &SeenJob| Some(&job.owner) == run.metadata.uid.as_ref() && job.ended.is_none() && !job.is_being_deleted;
    if !jobs.values().any(is_at_work) {
        return Ok(Next::Wait);
    }
    let seen = gather::observe_run(context.caches(), &context.packages, &context.own, context.now(), key);
    let changes = seen.map(|observed| next(&observed).changes).unwrap_or_default();
    Ok(apply(&context.server, &context.known, key, &changes).await.next())
}

fn phase(run: &ServiceBackup) -> Option<BackupPhase> {
    run.status.as_ref()?.phase
}

/// Whether what it came to is about to be written by who brings it back. The API server shows a status where none is.
fn is_coming_back(run: &ServiceBackup) -> bool {
    phase(run).is_none() && run.annotations().contains_key(marks::RECOVERED)
}

/// Whether the Secrets of an Entity's namespace are on their way: their watch wakes the run.
pub(super) fn is_too_soon(context: &Context, key: &Key) -> bool {
    let caches = context.caches();
    let is_expected =
        caches.entities.get("", &key.namespace).is_some_and(|of| of.metadata.deletion_timestamp.is_none());
    is_expected && caches.secrets.of(&key.namespace).is_none() && context.secrets.failing(&key.namespace).is_none()
}

/// What the caches know, and what only the API server does.
async fn observe(context: &Context, key: &Key) -> Result<Option<ObservedRun>, WriteError> {
    let seen = gather::observe_run(context.caches(), &context.packages, &context.own, context.now(), key);
    let Some(mut observed) = seen else { return Ok(None) };
    let needs_service = needs_service(&observed.run, observed.now);
    if observed.service == Standing::Gone
        && needs_service
        && exists(context, &key.namespace, &observed.run.spec.service).await?
    {
        observed.service = Standing::There;
    }
    let waits = phase(&observed.run).is_none_or(|phase| phase == BackupPhase::Waiting);
    if waits && observed.goes_first.is_none() {
        let at = place(&observed);
        observed.cared_for = repository::goes_first(context, at.as_ref().as_slice()).await?;
    }
    if waits && observed.goes_first.is_none() && observed.cared_for.is_none() {
        observed = escrowed(context, observed).await?;
    }
    if has_met_a_lock(&observed) {
        observed.idle_since = idle_since(context, key, &observed).await?;
    }
    Ok(Some(observed))
}

/// Whether a service is there that the caches do not show.
pub(super) async fn exists(context: &Context, namespace: &str, service: &str) -> Result<bool, WriteError> {
    for kind in kinds::DEDICATED {
        let target = Target { kind: kind.kind, namespace, name: service };
        match context.server.get(target).await {
            Ok(_) => return Ok(true),
            Err(error) if error.kind == ErrorKind::Missing => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// With the record of the key's escrow, which is its Job in the operator's namespace: no cache has it.
async fn escrowed(context: &Context, observed: ObservedRun) -> Result<ObservedRun, WriteError> {
    let Ok(subject) = &observed.subject else { return Ok(observed) };
    if !matches!(subject.key, KeyState::There | KeyState::NotCopied(_)) {
        return Ok(observed);
    }
    let found = home_job(context, &escrow_name(&subject.target.name, &subject.folder)).await?;
    let (job, pods) = found.map_or((None, Vec::new()), |found| (Some(found.job), found.pods));
    Ok(gather::with_escrow(observed, job.as_ref(), &pods))
}

/// A Job of the operator's namespace: no cache has it.
pub(super) struct FoundJob {
    /// The Job.
    pub(super) job: Live,
    /// Its metadata with its long texts.
    pub(super) metadata: ObjectMeta,
    /// Its pods.
    pub(super) pods: Vec<Pod>,
}

impl FoundJob {
    /// With what its containers said.
    pub(super) fn seen(&self, now: Timestamp) -> SeenJob {
        gather::seen_job(&self.job, &self.pods, now)
    }

    /// One of its annotations.
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

/// A Job of the operator's namespace, where it is there.
pub(super) async fn home_job(context: &Context, name: &str) -> Result<Option<FoundJob>, WriteError> {
    let home = context.server.home();
    let job = match context.server.get(Target { kind: "Job", namespace: home, name }).await {
        Ok(job) => job,
        Err(error) if error.kind == ErrorKind::Missing => return Ok(None),
        Err(error) => return Err(error),
    };
    let pods = context.server.pods(home, &format!("batch.kubernetes.io/job-name={name}")).await?;
    let metadata = job.metadata.clone();
    Ok(Some(FoundJob { job: Live::of("Job", job), metadata, pods }))
}

fn is_to_be_escrowed(observed: &ObservedRun) -> bool {
    observed.subject.as_ref().is_ok_and(|subject| matches!(subject.key, KeyState::NotEscrowed(None)))
}

/// With the Job, if any, that may be making the repository of escrows for another key.
async fn after_another(context: &Context, mut observed: ObservedRun) -> Result<ObservedRun, WriteError> {
    if let Ok(subject) = &mut observed.subject
        && let Some(first) = first_escrow(context, &subject.target).await?
    {
        subject.key = KeyState::WaitsForEscrow(first);
    }
    Ok(observed)
}

/// The Job, if any, that may be making the repository of escrows at a target. Whoever asks holds `escrows` of the
/// context until its own Job is written.
pub(super) async fn first_escrow(context: &Context, target: &BackupTarget) -> Result<Option<String>, WriteError> {
    let jobs = context.server.jobs(context.server.home(), TARGET).await?;
    Ok(making(&jobs, &escrow_repository(context.server.home(), target)).map(str::to_owned))
}

fn has_met_a_lock(observed: &ObservedRun) -> bool {
    let said = observed.jobs.values().flat_map(|job| job.said.values());
    let mut reports = said.filter_map(|said| said.report.as_ref());
    reports.any(|report| report.outcome.failure().is_some_and(|failure| failure.reason == FailureReason::Locked))
}

/// Where the run's repository is; its id is not asked for.
fn place(observed: &ObservedRun) -> Option<BackupRepository> {
    let subject = observed.subject.as_ref().ok()?;
    let at = repository_of(
        &subject.own.namespace,
        &subject.target,
        &subject.folder,
        &observed.run.spec.service,
        Purpose::Run,
    );
    Some(BackupRepository { path: at.path(), target: at.target, id: String::new() })
}

/// Since when nobody is at work with the repository: no Job runs, not even one that forgets, prunes, checks or copies,
/// and a live look finds no pod.
async fn idle_since(context: &Context, key: &Key, observed: &ObservedRun) -> Result<Option<Timestamp>, WriteError> {
    let Some(at) = place(observed) else { return Ok(None) };
    let (beside, mut pods) = repository::at_home(context, &at).await?;
    let of_service = format!("{OPERATION_OF}={}", observed.run.spec.service);
    for namespace in [key.namespace.as_str(), marks::DRILLS] {
        pods.extend(context.server.pods(namespace, &of_service).await?);
    }
    let mut jobs = gather::home_jobs(&beside, observed.now);
    jobs.extend(observed.jobs.values().cloned());
    Ok(gather::idle_since(&jobs, &pods))
}

async fn carry_out(
    context: &Context,
    key: &Key,
    observed: &ObservedRun,
    step: &Step,
    status: &ServiceBackupStatus,
) -> Result<Next, WriteError> {
    let run = &observed.run;
    let carried = Carried {
        metadata: &run.metadata,
        before: run.status.as_ref(),
        status,
        finalizer: UNQUIESCE,
        is_held: step.is_held,
        // Nothing is made quiet that would be forgotten.
        waits_for_hold: step.is_held && step.phase < BackupPhase::Unquiescing,
        changes: &step.changes,
        jobs: &observed.jobs,
        again: step.again,
    };
    let latest = || Some(context.caches().backups.get(&key.namespace, &key.name)?.metadata.clone());
    step::carry_out(context, key, carried, latest, |applied| told(observed, step, status, applied)).await
}

/// The status, with what was not taken. Why a run is going to fail stays as it is: what comes of it is read there.
fn told(observed: &ObservedRun, step: &Step, status: &ServiceBackupStatus, applied: &Applied) -> ServiceBackupStatus {
    let Some(worst) = applied.worst() else { return status.clone() };
    let told = match (step.phase, &step.problem) {
        (BackupPhase::Unquiescing, _) => Step { still_quiet: Some(worst.to_string()), ..step.clone() },
        (BackupPhase::Waiting, Some(waits)) => {
            let message = format!("{}; not written: {worst}", waits.message);
            Step { problem: Some(Problem::quoted(&waits.reason, message)), ..step.clone() }
        }
        (_, None) => Step { problem: Some(Problem::new(Reason::BackupRuns, worst.to_string())), ..step.clone() },
        _ => return status.clone(),
    };
    backup_status(observed, &told)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_that_is_brought_back_is_left_alone_until_it_says_what_came_of_it() {
        let run = |status: serde_json::Value| -> ServiceBackup {
            let metadata = json!({"name": "nightly", "annotations": {marks::RECOVERED: "r1"}});
            let spec = json!({"service": "site", "requestedBy": "operator"});
            serde_json::from_value(json!({"metadata": metadata, "spec": spec, "status": status})).unwrap()
        };
        let as_the_server_shows_it = json!({"observedGeneration": -1});
        assert!(is_coming_back(&run(as_the_server_shows_it.clone())) && is_coming_back(&run(json!(null))));
        assert!(!is_coming_back(&run(json!({"phase": "Succeeded"}))));
        let mut asked_for = run(as_the_server_shows_it);
        asked_for.metadata.annotations = None;
        assert!(!is_coming_back(&asked_for));
    }
}
