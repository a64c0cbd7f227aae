//! Pruning and checking of repositories: what the Jobs say that are there, and which comes next. Pure.
//!
//! The record is the Jobs themselves, in the operator's namespace and without an end to their lives: of each repository
//! the last one that did its work, the newest, and those that found damage which nobody has found repaired. What was
//! found is written onto the Job, since pods go.

mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use commonscloud_backup::records::RECORDS_FOLDER;
use commonscloud_backup::report::{FailureReason, Outcome};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use serde_json::Value;

use self::history::History;
use super::care::{CareJobOf, CareWork, PROBE_SECONDS, label};
use super::companion::Command;
use super::failure::reported;
use super::step::reports;
use super::target::ESCROW;
use super::{JobState, Own, SeenJob};
use crate::api::{BackupRepository, Platform, PlatformBackup, Reason};
use crate::cache::RepositoryStates;
use crate::core::schedule::{Schedule, offset};
use crate::report::Problem;

/// Label of a Job that cares for a repository, and of its pod: [`label`] of the repository.
pub const REPOSITORY: &str = "commonscloud.coop/backup-repository";
/// Label of the same: `forget`, `prune` or `check`.
pub const CARE: &str = "commonscloud.coop/backup-care";
/// Annotation of a check: the part that it reads, as `3/28`.
const PART: &str = "commonscloud.coop/backup-part";
/// Annotation of one that has ended: what is damaged, empty where a check found nothing.
pub const FOUND: &str = "commonscloud.coop/backup-found";

/// How long either takes at most, in seconds.
const SECONDS: u32 = 4 * 3600;
/// When what failed is tried again in its window.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// A prune is due so long before its days are over: it begins at the same hour each time.
const HALF_A_DAY: SignedDuration = SignedDuration::from_hours(12);
/// For how long the record of a repository stays that no run names any more.
const FORSAKEN: SignedDuration = SignedDuration::from_hours(24 * 90);
/// restic takes no more parts.
const MOST_PARTS: u32 = 256;
/// Of what is damaged so many are named.
const MOST_NAMED: usize = 5;

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Backups of a service.
    Backups,
    /// The platform's own records.
    Records,
    /// Sealed keys. It is never pruned: nothing of it is ever forgotten, and who cannot open a key cannot say which is
    /// needed.
    Keys,
}

/// A repository that this cluster wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cared {
    /// What it holds.
    pub holds: Holds,
    /// The Entity; of the platform's own the operator's namespace, which no Entity can have.
    pub entity: String,
    /// The service; of the platform's own the folder at the target.
    pub service: String,
    /// Where it is.
    pub at: BackupRepository,
    /// Whether the service is being backed up or restored.
    pub is_busy: bool,
}

/// A part of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which, from 1.
    pub at: u32,
    /// Of how many.
    pub of: u32,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.at, self.of)
    }
}

impl FromStr for Part {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers = text.split_once('/').and_then(|(at, of)| Some((at.parse().ok()?, of.parse().ok()?)));
        numbers.filter(|(at, of)| (1..=*of).contains(at) && *of <= MOST_PARTS).map(|(at, of)| Self { at, of }).ok_or(())
    }
}

/// What is done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The room of what was forgotten is given back.
    Prune,
    /// A part is read.
    Check(Part),
}

/// A Job that cares for a repository, as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct CareJob {
    /// What it does.
    pub work: CareWork,
    /// [`label`] of the repository.
    pub repository: String,
    /// When it was made.
    pub made: Timestamp,
    /// The part that a check reads.
    part: Option<Part>,
    /// What a check found, as it is recorded.
    recorded: Option<String>,
    /// How far it is.
    pub seen: SeenJob,
}

impl CareJob {
    /// None: it is no Job of ours. `job`: as the API server has it, since what is kept of an object has no long texts.
    pub fn of(job: &Job, seen: SeenJob) -> Option<Self> {
        let labels = job.metadata.labels.as_ref()?;
        let annotation = |name| job.metadata.annotations.as_ref().and_then(|all| all.get(name));
        Some(Self {
            work: labels.get(CARE)?.parse().ok()?,
            repository: labels.get(REPOSITORY)?.clone(),
            made: job.metadata.creation_timestamp.as_ref()?.0,
            part: annotation(PART).and_then(|part| part.parse().ok()),
            recorded: annotation(FOUND).cloned(),
            seen,
        })
    }

    /// Whether it has not ended.
    pub fn is_at_work(&self) -> bool {
        self.seen.state == JobState::Runs
    }

    /// What is damaged, as a check says at its end or either says why it failed; none where neither does.
    fn told(&self) -> Option<String> {
        match (&self.seen.state, self.work) {
            (JobState::Succeeded, CareWork::Check) => reports(&self.seen).find_map(|report| match &report.outcome {
                Outcome::Checked { damaged } => Some(named(damaged)),
                _ => None,
            }),
            (JobState::Failed(_), CareWork::Check | CareWork::Prune) => {
                let failure = reported(&self.seen).map(|(_, failure)| failure);
                failure
                    .filter(|failure| failure.reason == FailureReason::Damaged)
                    .map(|failure| failure.message.clone())
            }
            _ => None,
        }
    }

    /// What is damaged; empty where nothing is, and none where it is not known.
    fn found(&self) -> Option<String> {
        self.recorded.clone().or_else(|| self.told())
    }

    /// Whether a check has looked, or a prune has removed.
    fn is_done(&self) -> bool {
        match self.work {
            CareWork::Check => self.found().is_some(),
            CareWork::Prune | CareWork::Forget => self.seen.state == JobState::Succeeded,
        }
    }
}

fn named(damaged: &[String]) -> String {
    let named = damaged.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match damaged.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// What is to be written now, and how the repositories are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maintenance {
    /// Names of Jobs, and what is to be recorded that each found.
    pub record: Vec<(String, String)>,
    /// Names and uids of Jobs that are the record of nothing any more.
    pub remove: Vec<(String, String)>,
    /// The same of those whose repository no known run has named for long.
    pub forsaken: Vec<(String, String)>,
    /// What is to be begun, as far as nobody else is at work there: the first ones of it, as many as there is room for.
    pub begin: Vec<(Cared, Work)>,
    /// For how many there is room.
    pub free: usize,
    /// How the repositories are.
    pub states: RepositoryStates,
}

impl Maintenance {
    /// Whether there is nothing to do.
    pub fn is_at_rest(&self) -> bool {
        self.record.is_empty() && self.remove.is_empty() && self.forsaken.is_empty() && self.begin.is_empty()
    }
}

/// What is to be written now. `repositories`: all that runs wrote; `jobs`: all that care for one.
pub fn maintenance(backup: &PlatformBackup, repositories: &[Cared], jobs: &[CareJob], now: Timestamp) -> Maintenance {
    let times = Times::of(backup);
    let mut plan = Maintenance { record: to_record(repositories, jobs), ..Maintenance::default() };
    let mut due: Vec<(Option<Timestamp>, Cared, Work)> = Vec::new();
    for cared in repositories {
        let history = History::of(cared, jobs);
        let state = history.state(cared, times.as_ref().err());
        let states = &mut plan.states;
        match states.remove(&(cared.entity.clone(), cared.service.clone())) {
            Some(other) => states.insert((cared.entity.clone(), cared.service.clone()), other.and(state)),
            None => states.insert((cared.entity.clone(), cared.service.clone()), state),
        };
        let free = times.as_ref().ok().filter(|_| !cared.is_busy && backup.target(Some(&cared.at.target)).is_some());
        if let Some(work) = free.and_then(|times| history.next(times, cared, now)) {
            due.push((history.checked(), cared.clone(), work));
        }
    }
    // What was read the longest time ago goes first, so that nothing is passed over for ever.
    due.sort_by(|(a, of_a, _), (b, of_b, _)| (a, &of_a.at.path).cmp(&(b, &of_b.at.path)));
    let at_work = jobs.iter().filter(|job| job.work != CareWork::Forget && job.is_at_work()).count();
    let free = usize::try_from(backup.care.at_once).unwrap_or(usize::MAX).saturating_sub(at_work);
    plan.free = free;
    plan.begin = due.into_iter().filter(|_| free > 0).map(|(_, cared, work)| (cared, work)).collect();
    plan.remove = to_remove(repositories, jobs);
    plan.forsaken = forsaken(backup, repositories, jobs, now);
    plan
}

/// Those whose word is not yet written onto them, and those that met what is repaired.
fn to_record(repositories: &[Cared], jobs: &[CareJob]) -> Vec<(String, String)> {
    let unwritten = jobs.iter().filter(|job| job.recorded.is_none() && !job.seen.is_being_deleted);
    let told = unwritten.filter_map(|job| Some((job.seen.name.clone(), job.told()?)));
    let repaired = repositories.iter().flat_map(|cared| {
        let history = History::of(cared, jobs);
        history.repaired_prunes().map(|job| (job.seen.name.clone(), String::new())).collect::<Vec<_>>()
    });
    told.chain(repaired).collect()
}

/// Those that ended before the last that did its work.
fn to_remove(repositories: &[Cared], jobs: &[CareJob]) -> Vec<(String, String)> {
    let known: BTreeMap<String, History<'_>> =
        repositories.iter().map(|cared| (label(&cared.at), History::of(cared, jobs))).collect();
    let is_old = |job: &&CareJob| {
        let history = known.get(&job.repository).filter(|_| job.work != CareWork::Forget);
        history.is_some_and(|history| !history.is_record(job))
    };
    ended(jobs).filter(is_old).map(name_and_uid).collect()
}

/// Those of repositories that no run has named for long. The platform's own no run ever names: where its records went
/// is not known at once.
fn forsaken(
    backup: &PlatformBackup,
    repositories: &[Cared],
    jobs: &[CareJob],
    now: Timestamp,
) -> Vec<(String, String)> {
    let own = |target: &str| {
        [RECORDS_FOLDER, ESCROW].map(|path| {
            label(&BackupRepository { target: target.to_owned(), path: path.to_owned(), id: String::new() })
        })
    };
    let mut needed: BTreeSet<String> = backup.targets.iter().flat_map(|target| own(&target.name)).collect();
    needed.extend(repositories.iter().map(|cared| label(&cared.at)));
    let is_old = |job: &&CareJob| !needed.contains(&job.repository) && now.duration_since(job.made) > FORSAKEN;
    ended(jobs).filter(is_old).map(name_and_uid).collect()
}

fn ended(jobs: &[CareJob]) -> impl Iterator<Item = &CareJob> {
    jobs.iter().filter(|job| !job.is_at_work() && !job.seen.is_being_deleted)
}

fn name_and_uid(job: &CareJob) -> (String, String) {
    (job.seen.name.clone(), job.seen.uid.clone())
}

/// When repositories are cared for.
struct Times<'a> {
    backup: &'a PlatformBackup,
    schedule: Schedule,
    window: SignedDuration,
}

impl<'a> Times<'a> {
    fn of(backup: &'a PlatformBackup) -> Result<Self, Problem> {
        let schedule = Schedule::new(&backup.care.cron, &backup.schedule.time_zone).map_err(|error| {
            Problem::new(Reason::BackupScheduleInvalid, format!("spec.backup.care of the Platform: {error}"))
        })?;
        Ok(Self { backup, window: schedule.window(backup.care.window_minutes), schedule })
    }

    /// In how many parts a repository is read: one in each window, all of them within the days. The platform's own are
    /// small.
    fn parts(&self, holds: Holds) -> u32 {
        if holds != Holds::Backups {
            return 1;
        }
        self.schedule.times_within(self.backup.care.read_within_days).min(MOST_PARTS)
    }

    /// When the turn of a repository came, while it is.
    fn turn(&self, at: &BackupRepository, now: Timestamp) -> Option<Timestamp> {
        let offset = offset(self.window, &at.target, &at.path);
        let turn = self.schedule.last(now.checked_sub(offset).ok()?)?.checked_add(offset).ok()?;
        (now < turn.checked_add(self.window).ok()?).then_some(turn)
    }
}

/// The name and the object of a Job; none where the target is not there.
pub fn maintenance_job(
    cared: &Cared,
    work: Work,
    platform: &Platform,
    own: &Own,
    now: Timestamp,
) -> Option<(String, Value)> {
    let backup = platform.spec.backup.as_ref()?;
    let locks = backup.target(Some(&cared.at.target))?.locked_days() > 0;
    let (kind, command, part) = match work {
        Work::Prune => (CareWork::Prune, Command::prune(locks), "1/1".to_owned()),
        Work::Check(part) => {
            let is_public = cared.holds == Holds::Keys;
            (CareWork::Check, Command::check(&part.to_string(), is_public), part.to_string())
        }
    };
    let name = format!("{kind}-{}-{}", label(&cared.at), now.strftime("%Y%m%d%H%M%S"));
    // Another repository in its place is not ours to prune. Of that of the keys nobody has the id.
    let first = (cared.holds != Holds::Keys).then(|| Command::expect(&cared.at.id).within(PROBE_SECONDS));
    let (said, seconds) = ((PART, part), SECONDS);
    let job = CareJobOf { at: &cared.at, work: kind, name: name.clone(), said, seconds, first, command };
    Some((name, job.object(platform, own)?))
}

#[cfg(test)]
#[path = "maintenance_tests.rs"]
mod tests;
