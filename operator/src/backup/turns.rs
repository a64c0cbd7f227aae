//! Whose turn it is to be backed up. Pure: what is known comes in [`Scheduled`].
//!
//! A window begins when the schedule says; in it each service has a time of its own, and one run. The newest window
//! alone counts: however long the operator was down, one run makes up for it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use crate::api::{BackupPhase, Condition, ConditionType, Reason, ServiceBackup};
use crate::cache::has_ended;
use crate::core::lifecycle::TOLERANCE;
use crate::core::schedule::{Schedule, ScheduleError, offset};
use crate::report::Problem;

/// So many runs are made for one window.
const TRIES: u32 = 3;
/// The wait before the second try; it is four times as long before the third.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// A run that has waited this long for what it needs does not keep others waiting.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// The longest time between two looks: services come and go.
const LONGEST: Duration = Duration::from_mins(1);
/// Between two looks while runs are at work or wait for their turn.
const SHORTEST: Duration = Duration::from_secs(5);

/// When the runs of one service begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    schedule: Schedule,
    window: SignedDuration,
    offset: SignedDuration,
}

/// A service whose backups are scheduled.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// Its Entity, whose namespace is called the same.
    pub entity: String,
    /// Its name.
    pub service: String,
    /// Since when it is there.
    pub since: Timestamp,
    /// When its runs begin.
    pub times: Times,
    /// Its runs.
    pub runs: Vec<Arc<ServiceBackup>>,
    /// Why none of its runs begins, whenever its turn comes.
    pub held: Option<Problem>,
    /// Whether a restore of it has not ended.
    pub is_restored: bool,
}

/// What is next of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// When its next run begins. In the past: it waits for its turn, or is at work.
    pub next: Timestamp,
    /// The name of that run; none while it is at work.
    pub name: Option<String>,
    /// Whether there was no backup in the last window that has ended.
    pub is_late: bool,
    /// When one of these is another though nothing happens.
    pub turns: Timestamp,
}

impl Times {
    /// The times of a service, of windows of so many minutes.
    pub fn new(schedule: Schedule, window_minutes: u32, entity: &str, service: &str) -> Self {
        let window = schedule.window(window_minutes);
        Self { offset: offset(window, entity, service), window, schedule }
    }

    /// The window whose turn came last: its begin.
    fn newest(&self, now: Timestamp) -> Option<Timestamp> {
        self.schedule.last(now.checked_sub(self.offset).ok()?)
    }
}

/// What is later by a time that is known to fit.
fn after(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn before(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// Whether a run left a backup that is there.
pub fn is_backup(run: &ServiceBackup) -> bool {
    let Some(status) = &run.status else { return false };
    let is_gone = fate(run).is_some_and(|condition| condition.status == "True");
    status.phase == Some(BackupPhase::Succeeded) && status.snapshot.is_some() && !is_gone
}

/// What became of the snapshot of a run that was given up.
pub(super) fn fate(run: &ServiceBackup) -> Option<&Condition> {
    let conditions = &run.status.as_ref()?.conditions;
    conditions.iter().find(|condition| condition.type_ == ConditionType::SnapshotGone.as_str())
}

/// When the data was as a run has it.
pub fn taken_at(run: &ServiceBackup) -> Option<Timestamp> {
    run.status.as_ref()?.taken_at.as_ref().map(|time| time.0)
}

/// The same as far as it is to be believed: instead of a time that has not come, when the run was made by the API
/// server's clock; of neither, none.
pub fn taken_by(run: &ServiceBackup, now: Timestamp) -> Option<Timestamp> {
    let made = run.creation_timestamp().map(|made| made.0);
    [taken_at(run), made].into_iter().flatten().find(|time| has_come(*time, now))
}

/// Whether a time has come by this clock. One that a clock has written which was ahead has not.
pub fn has_come(time: Timestamp, now: Timestamp) -> bool {
    time <= after(now, TOLERANCE)
}

pub(super) fn made_at(run: &ServiceBackup) -> Timestamp {
    run.creation_timestamp().map_or(Timestamp::MIN, |time| time.0)
}

fn ended_at(run: &ServiceBackup) -> Timestamp {
    let ended = run.status.as_ref().and_then(|status| status.ended_at.as_ref());
    ended.map_or_else(|| made_at(run), |time| time.0)
}

impl Scheduled {
    /// What is next of it.
    ///
    /// # Errors
    /// When no time comes any more.
    pub fn outlook(&self, now: Timestamp) -> Result<Outlook, ScheduleError> {
        let Times { schedule, offset, .. } = &self.times;
        let newest = self.times.newest(now);
        let coming = schedule.next(newest.unwrap_or_else(|| before(now, *offset)))?;
        let turn = after(coming, *offset);
        let of_newest = newest.filter(|begin| after(*begin, *offset) >= self.since);
        let of_newest = of_newest.and_then(|begin| self.in_window(begin));
        let (next, name) = of_newest.unwrap_or_else(|| (turn, Some(self.run_name(coming, 1))));
        let (is_late, judged) = self.late(now)?;
        let turns = [turn, judged, next].into_iter().filter(|time| *time > now).min().unwrap_or(turn);
        Ok(Outlook { next, name, is_late, turns })
    }

    /// The run of a window that is to begin, or is at work; none where there is no more of it.
    fn in_window(&self, begin: Timestamp) -> Option<(Timestamp, Option<String>)> {
        let turn = after(begin, self.times.offset);
        let Some((tries, last)) = self.tries(begin).max_by_key(|(number, _)| *number) else {
            return Some((turn, Some(self.run_name(begin, 1))));
        };
        if !has_ended(last) {
            return Some((turn, None));
        }
        let has_failed = last.status.as_ref().is_some_and(|status| status.phase == Some(BackupPhase::Failed));
        // What begins late has as much time as what begins in time.
        let first = self.tries(begin).map(|(_, run)| made_at(run)).min().unwrap_or(begin);
        let end = after(first.max(begin), self.times.window);
        let again = after(ended_at(last), FIRST_WAIT * 4_i32.pow(tries.saturating_sub(1).min(8)));
        (has_failed && tries < TRIES && again < end).then(|| (again, Some(self.run_name(begin, tries + 1))))
    }

    /// The runs of a window, each with its number.
    fn tries(&self, begin: Timestamp) -> impl Iterator<Item = (u32, &ServiceBackup)> {
        let name = self.run_name(begin, 1);
        self.runs.iter().filter_map(move |run| {
            let run_name = run.metadata.name.as_deref()?;
            let rest = run_name.strip_prefix(&name)?;
            let number = if rest.is_empty() { 1 } else { rest.strip_prefix('-')?.parse().ok()? };
            Some((number, run.as_ref()))
        })
    }

    /// What a run is called: two looks at the same window make one object.
    fn run_name(&self, begin: Timestamp, number: u32) -> String {
        let name = format!("{}-{}", self.service, begin.strftime("%Y%m%d-%H%M"));
        if number > 1 { format!("{name}-{number}") } else { name }
    }

    /// Whether the last window that has ended left no backup, and when the next one is judged.
    fn late(&self, now: Timestamp) -> Result<(bool, Timestamp), ScheduleError> {
        let Times { schedule, window, .. } = &self.times;
        let ended = before(now, *window);
        let missed = schedule.last(ended).filter(|begin| *begin >= self.since).is_some_and(|begin| {
            !self.runs.iter().any(|run| is_backup(run) && taken_by(run, now).is_some_and(|taken| taken >= begin))
        });
        Ok((missed, after(schedule.next(ended)?, *window)))
    }

    /// Whether it is being backed up or restored.
    pub fn is_busy(&self) -> bool {
        self.is_restored || self.runs.iter().any(|run| !has_ended(run))
    }

    /// When it was last begun to be backed up.
    fn begun(&self) -> Timestamp {
        self.runs.iter().map(|run| made_at(run)).max().unwrap_or(self.since)
    }

    /// Since when runs are remembered whatever became of them: those of a window say what was tried in it.
    pub fn remembered_since(&self, now: Timestamp) -> Timestamp {
        self.times.newest(now).unwrap_or(Timestamp::MIN)
    }
}

/// A run that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The Entity.
    pub entity: String,
    /// The service.
    pub service: String,
    /// What the run is called.
    pub name: String,
}

/// What is to be begun now, and when to look again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turns {
    /// The runs to make.
    pub begin: Vec<Turn>,
    /// When to look again.
    pub again: Duration,
}

/// Whose turn it is. `unfinished`: all runs of the cluster that have not ended; at most `at_once` are at work.
pub fn turns(services: &[Scheduled], unfinished: &[Arc<ServiceBackup>], at_once: u32, now: Timestamp) -> Turns {
    let known = services.iter().filter_map(|service| Some((service, service.outlook(now).ok()?)));
    let (mut due, mut next) = (Vec::new(), Timestamp::MAX);
    for (service, outlook) in known {
        next = next.min(outlook.turns);
        let is_free = service.held.is_none() && !service.is_busy();
        if let Some(name) = outlook.name.filter(|_| is_free && outlook.next <= now) {
            due.push((service, name));
        }
    }
    // Who was not backed up for the longest time goes first, so that nobody is passed over for ever.
    due.sort_by(|(a, a_name), (b, b_name)| (a.begun(), &a.entity, a_name).cmp(&(b.begun(), &b.entity, b_name)));
    let at_work = unfinished.iter().filter(|run| is_at_work(run, now)).count();
    let free = usize::try_from(at_once).unwrap_or(usize::MAX).saturating_sub(at_work);
    let again = if unfinished.is_empty() && due.is_empty() { until(next, now) } else { SHORTEST };
    let begin = due.into_iter().take(free).map(|(service, name)| Turn {
        entity: service.entity.clone(),
        service: service.service.clone(),
        name,
    });
    Turns { begin: begin.collect(), again }
}

/// How many packages keep this one from being written: those that are, and of those that wait who was made before it.
/// `others`: the runs of the cluster that have not ended.
pub fn packages_ahead(run: &ServiceBackup, others: &[Arc<ServiceBackup>]) -> usize {
    let place = |run: &ServiceBackup| (made_at(run), run.namespace(), run.name_any());
    let others = others.iter().filter(|other| packs(other) && other.metadata.uid != run.metadata.uid);
    // One that waits for its target, say, may wait for ever.
    let comes_first = |other: &&Arc<ServiceBackup>| {
        says(other, Reason::BackupRuns) || (says(other, Reason::WaitsForTurn) && place(other) < place(run))
    };
    others.filter(comes_first).count()
}

/// Whether it makes a package of what it has recorded. That may take a day, in which nobody waits for it but its own
/// service.
pub fn packs(run: &ServiceBackup) -> bool {
    run.status.as_ref().and_then(|status| status.phase) == Some(BackupPhase::Packing)
}

/// How many runs keep one that was asked for from beginning: those at work, and of those that wait who was made before
/// it and may begin. `others`: the runs of the cluster that have not ended and wait for nobody of their own service.
pub fn ahead(run: &ServiceBackup, others: &[Arc<ServiceBackup>], now: Timestamp) -> usize {
    let place = |run: &ServiceBackup| (made_at(run), run.namespace(), run.name_any());
    let others = others.iter().filter(|other| other.metadata.uid != run.metadata.uid && !packs(other));
    others
        .filter(|other| {
            has_begun(other) || (place(other) < place(run) && (is_at_work(other, now) || waits_for_turn(other)))
        })
        .count()
}

fn has_begun(run: &ServiceBackup) -> bool {
    run.status.as_ref().and_then(|status| status.phase).is_some_and(|phase| phase != BackupPhase::Waiting)
}

/// Whether it would begin, were it its turn.
fn waits_for_turn(run: &ServiceBackup) -> bool {
    run.metadata.deletion_timestamp.is_none() && says(run, Reason::WaitsForTurn)
}

fn says(run: &ServiceBackup, reason: Reason) -> bool {
    let conditions = run.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.filter(|condition| condition.type_ == ConditionType::Ready.as_str());
    ready.any(|condition| condition.reason == reason.name())
}

/// Whether a run is at work, or about to be. One that waits until its repository is pruned or checked is neither, nor one
/// that makes a package: those have turns of their own.
fn is_at_work(run: &ServiceBackup, now: Timestamp) -> bool {
    let begins = || after(made_at(run), PATIENCE) > now && !says(run, Reason::RepositoryInUse);
    !packs(run) && (has_begun(run) || begins())
}

fn until(next: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(next.duration_since(now)).unwrap_or(SHORTEST).clamp(SHORTEST, LONGEST)
}

/// The runs that are forgotten: of those of one service that failed, or whose snapshot is gone, all but the newest
/// `history`, and none that was made since `since`.
pub fn old_runs(runs: &[Arc<ServiceBackup>], history: u32, since: Timestamp) -> Vec<Arc<ServiceBackup>> {
    let is_record = |run: &ServiceBackup| {
        let succeeded = run.status.as_ref().is_some_and(|status| status.phase == Some(BackupPhase::Succeeded));
        // Of what is given up nobody knows yet whether all of it is gone.
        let is_given_up = fate(run).is_some_and(|fate| fate.reason == Reason::SnapshotGivenUp.name());
        succeeded && (is_backup(run) || is_given_up)
    };
    let mut old: Vec<_> = runs.iter().filter(|run| has_ended(run) && !is_record(run)).cloned().collect();
    old.sort_by_key(|run| std::cmp::Reverse((made_at(run), run.name_any())));
    old.into_iter().skip(usize::try_from(history).unwrap_or(usize::MAX)).filter(|run| made_at(run) < since).collect()
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
