//! Pruning and checking of repositories: what the Jobs say that are there, and which comes next. Pure.
//!
//! The record is the Jobs themselves, in the operator's namespace and without an end to their lives: of each repository
//! the last one that did its work, and the newest. What a check found is written onto its Job, since pods go.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use commonscloud_backup::report::{FailureReason, Outcome};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use serde_json::Value;

use super::care::{CareJobOf, CareWork, PROBE_SECONDS, label};
use super::companion::Command;
use super::failure::{of_job, reported};
use super::step::reports;
use super::{JobState, Own, SeenJob};
use crate::api::{BackupRepository, Platform, PlatformBackup, Reason};
use crate::cache::{RepositoryState, RepositoryStates};
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

/// A repository that runs of this cluster wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cared {
    /// The Entity.
    pub entity: String,
    /// The service.
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
        self.record.is_empty() && self.remove.is_empty() && self.begin.is_empty()
    }
}

/// What is to be written now. `repositories`: all that runs wrote; `jobs`: all that care for one.
pub fn maintenance(backup: &PlatformBackup, repositories: &[Cared], jobs: &[CareJob], now: Timestamp) -> Maintenance {
    let times = Times::of(backup);
    let mut plan = Maintenance { record: to_record(jobs), ..Maintenance::default() };
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
        if let Some(work) = free.and_then(|times| history.next(times, &cared.at, now)) {
            due.push((history.checked(), cared.clone(), work));
        }
    }
    // What was read the longest time ago goes first, so that nothing is passed over for ever.
    due.sort_by(|(a, of_a, _), (b, of_b, _)| (a, &of_a.at.path).cmp(&(b, &of_b.at.path)));
    let at_work = jobs.iter().filter(|job| job.work != CareWork::Forget && job.is_at_work()).count();
    let free = usize::try_from(backup.care.at_once).unwrap_or(usize::MAX).saturating_sub(at_work);
    plan.free = free;
    plan.begin = due.into_iter().filter(|_| free > 0).map(|(_, cared, work)| (cared, work)).collect();
    plan.remove = to_remove(repositories, jobs, now);
    plan
}

/// Those whose word is not yet written onto them.
fn to_record(jobs: &[CareJob]) -> Vec<(String, String)> {
    let unwritten = jobs.iter().filter(|job| job.recorded.is_none() && !job.seen.is_being_deleted);
    unwritten.filter_map(|job| Some((job.seen.name.clone(), job.told()?))).collect()
}

/// Those that ended before the last that did its work, and those of repositories that no run has named for long.
fn to_remove(repositories: &[Cared], jobs: &[CareJob], now: Timestamp) -> Vec<(String, String)> {
    let known: BTreeMap<String, History<'_>> =
        repositories.iter().map(|cared| (label(&cared.at), History::of(cared, jobs))).collect();
    let is_old = |job: &&CareJob| match known.get(&job.repository) {
        _ if job.is_at_work() || job.seen.is_being_deleted => false,
        None => now.duration_since(job.made) > FORSAKEN,
        Some(history) => job.work != CareWork::Forget && !history.is_record(job),
    };
    jobs.iter().filter(is_old).map(|job| (job.seen.name.clone(), job.seen.uid.clone())).collect()
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

    /// In how many parts a repository is read: one in each window, all of them within the days.
    fn parts(&self) -> u32 {
        self.schedule.times_within(self.backup.care.read_within_days).min(MOST_PARTS)
    }

    /// When the turn of a repository came, while it is.
    fn turn(&self, at: &BackupRepository, now: Timestamp) -> Option<Timestamp> {
        let offset = offset(self.window, &at.target, &at.path);
        let turn = self.schedule.last(now.checked_sub(offset).ok()?)?.checked_add(offset).ok()?;
        (now < turn.checked_add(self.window).ok()?).then_some(turn)
    }
}

/// The Jobs of one repository, the newest first.
struct History<'j>(Vec<&'j CareJob>);

impl<'j> History<'j> {
    fn of(cared: &Cared, jobs: &'j [CareJob]) -> Self {
        let label = label(&cared.at);
        let mut own: Vec<&CareJob> = jobs.iter().filter(|job| job.repository == label).collect();
        own.sort_by(|a, b| (b.made, &b.seen.name).cmp(&(a.made, &a.seen.name)));
        Self(own)
    }

    fn newest(&self, work: CareWork) -> Option<&'j CareJob> {
        self.0.iter().copied().find(|job| job.work == work)
    }

    fn newest_ended(&self, work: CareWork) -> Option<&'j CareJob> {
        self.0.iter().copied().find(|job| job.work == work && !job.is_at_work())
    }

    fn last_done(&self, work: CareWork) -> Option<&'j CareJob> {
        self.0.iter().copied().find(|job| job.work == work && job.is_done())
    }

    fn checked(&self) -> Option<Timestamp> {
        self.last_done(CareWork::Check).map(|job| job.made)
    }

    fn is_record(&self, job: &CareJob) -> bool {
        let (newest, ended) = (self.newest(job.work), self.newest_ended(job.work));
        let kept = [newest, ended, self.last_done(job.work), self.stopped_by_damage()];
        kept.into_iter().flatten().any(|kept| kept.seen.uid == job.seen.uid)
    }

    fn has_just_failed(&self, work: CareWork, now: Timestamp) -> bool {
        let failed = self.newest(work).filter(|job| !job.is_done());
        failed.is_some_and(|job| job.seen.ended.is_none_or(|ended| now.duration_since(ended) < AGAIN))
    }

    /// What is next, while it is the repository's turn.
    fn next(&self, times: &Times<'_>, at: &BackupRepository, now: Timestamp) -> Option<Work> {
        let turn = times.turn(at, now)?;
        if self.0.iter().any(|job| job.is_at_work() || job.seen.is_being_deleted) {
            return None;
        }
        // Where something is damaged, prune would remove what could still be repaired.
        let may_prune = self.damage().is_none() && !self.has_just_failed(CareWork::Prune, now);
        let days = SignedDuration::from_hours(24 * i64::from(times.backup.care.prune_every_days));
        let pruned = self.last_done(CareWork::Prune).map(|job| turn.duration_since(job.made));
        if may_prune && pruned.is_none_or(|since| since >= days - HALF_A_DAY) {
            return Some(Work::Prune);
        }
        let may_check = !self.has_just_failed(CareWork::Check, now);
        let is_due = self.checked().is_none_or(|checked| checked < turn);
        (may_check && is_due).then(|| Work::Check(self.part(times.parts())))
    }

    /// The part that is read next. A damaged one is read again until it is whole, so that whoever repairs it is told.
    fn part(&self, of: u32) -> Part {
        let last = self.last_done(CareWork::Check).and_then(|job| Some((job.part?, job.found()?)));
        match last {
            Some((part, found)) if !found.is_empty() => part,
            Some((part, _)) if part.of == of => Part { at: part.at % of + 1, of },
            _ => Part { at: 1, of },
        }
    }

    /// The prune that met damage, where no check has looked since.
    fn stopped_by_damage(&self) -> Option<&'j CareJob> {
        let prune = self.0.iter().copied().find(|job| job.work == CareWork::Prune && job.found().is_some());
        prune.filter(|prune| self.checked().is_none_or(|checked| checked < prune.made))
    }

    /// What is damaged, in words.
    fn damage(&self) -> Option<String> {
        let job = self.stopped_by_damage().or_else(|| self.last_done(CareWork::Check))?;
        let found = job.found().filter(|found| !found.is_empty())?;
        let part = job.part.map(|part| part.to_string()).unwrap_or_default();
        Some(format!("Job {} found in part {part}: {found}", job.seen.name))
    }

    /// How the repository is. `untimely`: why it is never its turn.
    fn state(&self, cared: &Cared, untimely: Option<&Problem>) -> RepositoryState {
        let BackupRepository { target, path, .. } = &cared.at;
        let damaged = self.damage().map(|found| {
            let message = format!("repository {path} at target {target:?} is damaged: {found}");
            Problem::new(Reason::RepositoryDamaged, message)
        });
        let failed = [CareWork::Check, CareWork::Prune].into_iter().filter_map(|work| self.newest_ended(work));
        let mut failed = failed.filter(|job| !job.is_done());
        let neglected = failed.next().map(|job| {
            let problem = of_job(&job.seen, None);
            let message = format!("repository {path} at target {target:?} is not cared for: {}", problem.message);
            Problem { message, ..problem }
        });
        let done = |work| self.last_done(work).map(|job| job.seen.ended.unwrap_or(job.made));
        RepositoryState {
            damaged,
            neglected: neglected.or_else(|| untimely.cloned()),
            checked: done(CareWork::Check),
            pruned: done(CareWork::Prune),
        }
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
        Work::Check(part) => (CareWork::Check, Command::check(&part.to_string()), part.to_string()),
    };
    let name = format!("{kind}-{}-{}", label(&cared.at), now.strftime("%Y%m%d%H%M%S"));
    // Another repository in its place is not ours to prune.
    let first = Command::expect(&cared.at.id).within(PROBE_SECONDS);
    let (said, first, seconds) = ((PART, part), Some(first), SECONDS);
    let job = CareJobOf { at: &cared.at, work: kind, name: name.clone(), said, seconds, first, command };
    Some((name, job.object(platform, own)?))
}

#[cfg(test)]
#[path = "maintenance_tests.rs"]
mod tests;
