//! The Jobs that care for one repository: which is the record of what, what is damaged, which comes next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::care::{CareWork, label};
use super::super::failure::of_job;
use super::{AGAIN, CareJob, Cared, HALF_A_DAY, Holds, Part, Times, Work};
use crate::api::{BackupRepository, Reason};
use crate::cache::RepositoryState;
use crate::report::Problem;

/// The Jobs of one repository, the newest first.
pub(super) struct History<'j>(Vec<&'j CareJob>);

impl<'j> History<'j> {
    pub(super) fn of(cared: &Cared, jobs: &'j [CareJob]) -> Self {
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

    pub(super) fn checked(&self) -> Option<Timestamp> {
        self.last_done(CareWork::Check).map(|job| job.made)
    }

    /// Whether a Job is still needed: as the last that did its work, as the newest, or to know what is damaged.
    pub(super) fn is_record(&self, job: &CareJob) -> bool {
        let (newest, ended) = (self.newest(job.work), self.newest_ended(job.work));
        let mut kept = [newest, ended, self.last_done(job.work)].into_iter().flatten().chain(self.damaged());
        let is_read_since = job.work == CareWork::Check && job.is_done() && {
            let mut prunes = self.damaged().filter(|damaged| damaged.work == CareWork::Prune);
            prunes.any(|prune| prune.made <= job.made)
        };
        is_read_since || kept.any(|kept| kept.seen.uid == job.seen.uid)
    }

    fn has_just_failed(&self, work: CareWork, now: Timestamp) -> bool {
        let failed = self.newest(work).filter(|job| !job.is_done());
        failed.is_some_and(|job| job.seen.ended.is_none_or(|ended| now.duration_since(ended) < AGAIN))
    }

    /// What is next, while it is the repository's turn.
    pub(super) fn next(&self, times: &Times<'_>, cared: &Cared, now: Timestamp) -> Option<Work> {
        let turn = times.turn(&cared.at, now)?;
        if self.0.iter().any(|job| job.is_at_work() || job.seen.is_being_deleted) {
            return None;
        }
        // Where something is damaged, prune would remove what could still be repaired.
        let is_whole = self.damaged().next().is_none();
        let may_prune = cared.holds != Holds::Keys && is_whole && !self.has_just_failed(CareWork::Prune, now);
        let days = SignedDuration::from_hours(24 * i64::from(times.backup.care.prune_every_days));
        let pruned = self.last_done(CareWork::Prune).map(|job| turn.duration_since(job.made));
        if may_prune && pruned.is_none_or(|since| since >= days - HALF_A_DAY) {
            return Some(Work::Prune);
        }
        let may_check = !self.has_just_failed(CareWork::Check, now);
        let is_due = self.checked().is_none_or(|checked| checked < turn);
        (may_check && is_due).then(|| Work::Check(self.part(times.parts(cared.holds))))
    }

    /// The part that is read next. A damaged one is read again until it is whole, so that whoever repairs it is told.
    fn part(&self, of: u32) -> Part {
        let mut damaged = self.damaged().filter(|job| job.work == CareWork::Check);
        if let Some(part) = damaged.find_map(|job| job.part) {
            return part;
        }
        match self.last_done(CareWork::Check).and_then(|job| job.part) {
            Some(part) if part.of == of => Part { at: part.at % of + 1, of },
            _ => Part { at: 1, of },
        }
    }

    /// Those that found damage, while nobody has read since what is damaged and found it whole.
    fn damaged(&self) -> impl Iterator<Item = &'j CareJob> {
        self.0.iter().copied().filter(move |job| has_found(job) && !self.is_repaired(job))
    }

    /// Those that found damage which is repaired, and do not say so yet. What was read since goes once they do.
    pub(super) fn repaired_prunes(&self) -> impl Iterator<Item = &'j CareJob> {
        let prunes = self.0.iter().copied().filter(|job| job.work == CareWork::Prune);
        prunes.filter(move |job| has_found(job) && self.is_repaired(job))
    }

    /// Whether what a Job met was read since, and is whole: the part that a check read; else, as a prune tells none, all
    /// parts.
    fn is_repaired(&self, job: &CareJob) -> bool {
        let since = || self.0.iter().filter(|check| check.work == CareWork::Check && check.made > job.made);
        let whole = || since().filter(|check| check.found().is_some_and(|found| found.is_empty()));
        if job.work == CareWork::Check && job.part.is_some() && whole().any(|check| check.part == job.part) {
            return true;
        }
        let mut read: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for part in whole().filter_map(|check| check.part) {
            read.entry(part.of).or_default().insert(part.at);
        }
        read.iter().any(|(of, parts)| u32::try_from(parts.len()).is_ok_and(|count| count == *of))
    }

    /// What is damaged, in words.
    fn damage(&self) -> Option<String> {
        let job = self.damaged().next()?;
        let (name, found) = (&job.seen.name, job.found()?);
        Some(match (job.work, job.part) {
            (CareWork::Check, Some(part)) => format!("Job {name} found in part {part}: {found}"),
            _ => format!("Job {name} met: {found}; it is told until all parts were read since and are whole"),
        })
    }

    /// How the repository is. `untimely`: why it is never its turn.
    pub(super) fn state(&self, cared: &Cared, untimely: Option<&Problem>) -> RepositoryState {
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

fn has_found(job: &CareJob) -> bool {
    matches!(job.work, CareWork::Check | CareWork::Prune) && job.found().is_some_and(|found| !found.is_empty())
}
