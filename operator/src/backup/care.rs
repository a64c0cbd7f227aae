//! What is forgotten of a service's backups, and by which Job of the operator's namespace. Pure.
//!
//! A run is marked as given up before anything of it is removed: half a snapshot is nobody's backup. What the target
//! keeps all the same is a backup again, and is not given up once more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use commonscloud_backup::records::RECORDS_FOLDER;
use commonscloud_backup::report::{MOST_FORGOTTEN, Outcome};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::companion::{Command, Restic};
use super::home_job::HomeJob;
use super::maintenance::{CARE, REPOSITORY};
use super::remains;
use super::target::{ESCROW, Purpose, access, repository};
use super::turns::{fate, is_backup, taken_at};
use super::{JobState, Own, SeenJob};
use crate::api::{
    BackupRepository, ConditionType, Platform, PlatformBackup, Reason, ServiceBackup, ServiceBackupStatus,
};
use crate::core::keep::{self, Recorded};
use crate::report::{ConditionUpdate, Problem, conditions};
use crate::template::hexadecimal;

/// Annotation of the Job: the names of the runs whose snapshots it forgets, with commas between them.
const FORGETS: &str = "commonscloud.coop/forgets";
/// How long it takes at most, in seconds.
const SECONDS: u32 = 1800;
/// How long what comes before may take, in seconds.
pub(super) const PROBE_SECONDS: u32 = 300;

/// What a Job does that cares for a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CareWork {
    /// It forgets snapshots.
    Forget,
    /// It gives back their room.
    Prune,
    /// It reads a part.
    Check,
}

impl CareWork {
    const ALL: [Self; 3] = [Self::Forget, Self::Prune, Self::Check];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Forget => "forget",
            Self::Prune => "prune",
            Self::Check => "check",
        }
    }
}

impl fmt::Display for CareWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CareWork {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|work| work.as_str() == text).ok_or(())
    }
}

/// How far a run that was given up is.
fn mark(run: &ServiceBackup) -> Option<&str> {
    fate(run).map(|condition| condition.reason.as_str())
}

pub(super) fn place(run: &ServiceBackup) -> Option<&BackupRepository> {
    run.status.as_ref()?.repository.as_ref()
}

/// Of the runs of one service those that the Platform gives up, of each repository by itself. `is_gone`: the service
/// is, and its data.
pub fn given_up(
    runs: &[Arc<ServiceBackup>],
    backup: &PlatformBackup,
    is_gone: bool,
    now: Timestamp,
) -> Vec<Arc<ServiceBackup>> {
    let mut repositories: BTreeMap<(&str, &str, &str), Vec<Recorded>> = BTreeMap::new();
    for run in runs.iter().filter(|run| is_backup(run)) {
        if let (Some(at), Some(taken_at)) = (place(run), taken_at(run)) {
            let is_proven = run.status.as_ref().is_some_and(|status| status.proven_at.is_some());
            let recorded = Recorded { snapshot: run.name_any(), taken_at, is_proven };
            repositories.entry((at.target.as_str(), at.path.as_str(), at.id.as_str())).or_default().push(recorded);
        }
    }
    let mut names = BTreeSet::new();
    for ((target, ..), runs) in repositories {
        let Some(target) = backup.target(Some(target)) else { continue };
        let locked = SignedDuration::from_hours(24 * i64::from(target.locked_days()));
        let mut old = keep::given_up(&runs, backup.keep, now);
        old.extend(is_gone.then(|| keep::outlived(&runs, backup.keep, now)).into_iter().flatten());
        // What its target keeps all the same costs nothing more as a backup.
        let young = |run: &&Recorded| now.duration_since(run.taken_at) < locked;
        let kept: BTreeSet<&str> = runs.iter().filter(young).map(|run| run.snapshot.as_str()).collect();
        names.extend(old.into_iter().filter(|name| !kept.contains(name.as_str())));
    }
    runs.iter().filter(|run| names.contains(&run.name_any()) && mark(run).is_none()).cloned().collect()
}

/// The next runs that one Job forgets: those of one repository that are marked, as many as a report can tell of; else
/// those that left no backup.
pub fn batch(runs: &[Arc<ServiceBackup>], backup: &PlatformBackup, now: Timestamp) -> Vec<Arc<ServiceBackup>> {
    let marked = marked_batch(runs, backup);
    if marked.is_empty() { remains::batch(runs, backup, now) } else { marked }
}

fn marked_batch(runs: &[Arc<ServiceBackup>], backup: &PlatformBackup) -> Vec<Arc<ServiceBackup>> {
    let is_marked = |run: &&Arc<ServiceBackup>| mark(run) == Some(Reason::SnapshotGivenUp.name());
    let marked = || runs.iter().filter(is_marked);
    let is_here = |at: &&BackupRepository| backup.target(Some(&at.target)).is_some();
    let Some(first) = marked()
        .filter_map(|run| place(run))
        .filter(is_here)
        .min_by(|a, b| (&a.target, &a.path).cmp(&(&b.target, &b.path)))
    else {
        return Vec::new();
    };
    let mut batch: Vec<_> = marked().filter(|run| place(run) == Some(first)).cloned().collect();
    batch.sort_by_key(|run| run.name_any());
    as_many_as_a_report_tells(batch)
}

/// The first of these runs, with no more snapshots than one report tells of.
pub(super) fn as_many_as_a_report_tells(mut batch: Vec<Arc<ServiceBackup>>) -> Vec<Arc<ServiceBackup>> {
    let mut count = 0;
    batch.retain(|run| {
        count += snapshots(run).len() + usize::from(package(run).is_some());
        count <= MOST_FORGOTTEN
    });
    batch
}

/// All snapshots of a run that were recorded.
pub(super) fn snapshots(run: &ServiceBackup) -> BTreeSet<&str> {
    let Some(status) = &run.status else { return BTreeSet::new() };
    let parts = status.contents.iter().chain(&status.first_pass).map(|part| part.snapshot.as_str());
    status.snapshot.as_deref().into_iter().chain(parts).collect()
}

/// The snapshot of the package of a run, in the repository beside that of its backup.
pub(super) fn package(run: &ServiceBackup) -> Option<&str> {
    Some(run.status.as_ref()?.package.as_ref()?.snapshot.as_str())
}

/// The name of the Job that forgets of the repository of these runs; none where there are none.
pub fn forget_name(batch: &[Arc<ServiceBackup>]) -> Option<String> {
    Some(format!("forget-{}", label(place(batch.first()?)?)))
}

/// What tells a repository from all others, in names and labels.
pub fn label(at: &BackupRepository) -> String {
    let digest = hexadecimal(&Sha256::digest(format!("{}/{}", at.target, at.path)));
    digest[..16].to_owned()
}

/// The Job that forgets these runs; none where their target is not there.
pub fn forget_job(batch: &[Arc<ServiceBackup>], platform: &Platform, own: &Own) -> Option<Value> {
    let (name, at) = (forget_name(batch)?, place(batch.first()?)?);
    let ids: Vec<&str> = batch.iter().flat_map(|run| snapshots(run)).collect();
    let packages: Vec<&str> = batch.iter().filter_map(|run| package(run)).collect();
    let command = Command::forget(&ids, &packages);
    let names: Vec<String> = batch.iter().map(|run| run.name_any()).collect();
    let said = (FORGETS, names.join(","));
    let job = CareJobOf { at, work: CareWork::Forget, name, said, seconds: SECONDS, first: None, command };
    job.object(platform, own)
}

/// A Job that cares for a repository.
pub(super) struct CareJobOf<'a> {
    pub(super) at: &'a BackupRepository,
    pub(super) work: CareWork,
    pub(super) name: String,
    /// Its annotation.
    pub(super) said: (&'a str, String),
    /// How long it takes at most, in seconds.
    pub(super) seconds: u32,
    /// What comes before.
    pub(super) first: Option<Command>,
    /// What it does.
    pub(super) command: Command,
}

impl CareJobOf<'_> {
    /// The object; none where the target is not there.
    pub(super) fn object(self, platform: &Platform, own: &Own) -> Option<Value> {
        let backup = platform.spec.backup.as_ref()?;
        let target = backup.target(Some(&self.at.target))?;
        let (folder, instance) = self.at.path.split_once('.').unwrap_or((&self.at.path, ""));
        let access = access(&own.namespace, target, Purpose::Care, &platform.spec.network);
        let repository = repository(&own.namespace, target, folder, instance, Purpose::Care);
        let restic = Restic {
            image: &own.backup_image,
            resources: backup.resources.as_ref(),
            repository: &repository,
            // The repository of the keys has a password that everybody knows; a Secret has to be there all the same.
            key_of: if folder == ESCROW { RECORDS_FOLDER } else { folder },
            access: &access,
        };
        let of = label(self.at);
        let job = HomeJob {
            namespace: &own.namespace,
            name: self.name,
            labels: &[(REPOSITORY, &of), (CARE, self.work.as_str())],
            annotation: self.said,
            seconds: self.seconds + PROBE_SECONDS,
            image_pull_secrets: &platform.spec.image_pull_secrets,
            made: restic.companion(self.first.as_slice(), &[self.command.within(self.seconds)]),
        };
        Some(job.object())
    }
}

/// The status of a run that is given up.
pub fn marked(run: &ServiceBackup, now: Timestamp) -> ServiceBackupStatus {
    let message = "given up as spec.backup.keep of the Platform says; it is being forgotten at the target";
    with(run, true, &Problem::new(Reason::SnapshotGivenUp, message), now)
}

/// What a Job that has ended says of its runs: the status of each of which it says something. Those of which a part is
/// left stay marked, and are forgotten once more. `metadata`: as the API server has it, since what is kept of an object
/// has no long texts.
pub fn told(
    job: &SeenJob,
    metadata: &ObjectMeta,
    runs: &[Arc<ServiceBackup>],
    now: Timestamp,
) -> Vec<(Arc<ServiceBackup>, ServiceBackupStatus)> {
    let reports = job.said.values().filter_map(|said| said.report.as_ref());
    let mut left = reports.filter_map(|report| match &report.outcome {
        Outcome::Left { snapshots } => Some(snapshots.iter().map(String::as_str).collect::<BTreeSet<_>>()),
        _ => None,
    });
    let forgets = metadata.annotations.as_ref().and_then(|annotations| annotations.get(FORGETS));
    let (JobState::Succeeded, Some(left), Some(forgets)) = (&job.state, left.next(), forgets) else {
        return Vec::new();
    };
    let names: BTreeSet<&str> = forgets.split(',').collect();
    let of = runs.iter().filter(|run| names.contains(run.name_any().as_str()));
    of.filter_map(|run| Some((Arc::clone(run), ended(run, &left, now)?))).collect()
}

fn ended(run: &ServiceBackup, left: &BTreeSet<&str>, now: Timestamp) -> Option<ServiceBackupStatus> {
    let mut own = snapshots(run);
    own.extend(package(run));
    if remains::is_failed(run) {
        return Some(remains::told(run, !own.is_disjoint(left), now));
    }
    if own.is_disjoint(left) {
        let message = "its snapshot is forgotten, as spec.backup.keep of the Platform says";
        return Some(with(run, true, &Problem::new(Reason::SnapshotForgotten, message), now));
    }
    let message = "it was given up, and the target removes nothing: it is there as before";
    own.is_subset(left).then(|| with(run, false, &Problem::new(Reason::SnapshotKept, message), now))
}

/// The status of a run with what became of its snapshot.
fn with(run: &ServiceBackup, is_gone: bool, problem: &Problem, now: Timestamp) -> ServiceBackupStatus {
    let before = run.status.clone().unwrap_or_default();
    let ready = if is_gone { problem.clone() } else { Problem::new(Reason::Ready, problem.message.clone()) };
    let shown = vec![
        ConditionUpdate::problem(ConditionType::Ready, !is_gone, &ready),
        ConditionUpdate::problem(ConditionType::SnapshotGone, is_gone, problem),
    ];
    let generation = run.metadata.generation.unwrap_or_default();
    let conditions = conditions(&before.conditions, shown, generation, now);
    ServiceBackupStatus { conditions, ..before }
}

#[cfg(test)]
#[path = "care_tests.rs"]
mod tests;
