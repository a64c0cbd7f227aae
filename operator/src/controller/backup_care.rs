//! Cares for the repositories of all services, and the platform's own: what is to be forgotten, pruned and checked. It
//! looks at the Jobs of the operator's namespace, which no cache has and which are the record, in rounds while the
//! operator leads.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use super::context::Context;
use super::{backup_forget, backup_records, backup_schedule, repository};
use crate::api::{Condition, ConditionType, Platform, PlatformBackup};
use crate::apply::{ErrorKind, Target, WriteError};
use crate::backup::Place;
use crate::backup::maintenance::{
    CareJob, Cared, FOUND, Holds, Maintenance, REPOSITORY, Work, maintenance, maintenance_job,
};
use crate::cache::{Caches, RepositoryStates};
use crate::gather::{self, KeptService};
use crate::report::{ConditionUpdate, Problem};

/// Between two looks while no Job is at work.
const IDLE: Duration = Duration::from_secs(30);
/// Between two looks while one is.
const AT_WORK: Duration = Duration::from_secs(5);

/// When somebody looked last, and what was at work then.
#[derive(Debug, Default)]
pub(super) struct Look {
    last: Option<(Instant, bool)>,
    /// The Jobs, since when nobody of this process has made or removed one and none was at work.
    resting: Option<Vec<CareJob>>,
}

impl Look {
    /// How long it is until the next one.
    pub(super) fn left(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |(at, is_at_work)| {
            let pause = if is_at_work { AT_WORK } else { IDLE };
            pause.saturating_sub(at.elapsed())
        })
    }
}

/// Looks, when it is time to, and does what is to be done now.
///
/// # Errors
/// The first request that failed; what other repositories need is done all the same.
pub(super) async fn round(
    context: &Context,
    platform: &Platform,
    look: &mut Look,
    now: Timestamp,
) -> Result<(), WriteError> {
    let Some(backup) = platform.spec.backup.as_ref().filter(|_| look.left().is_zero()) else { return Ok(()) };
    look.last = Some((Instant::now(), false));
    let services = gather::kept_services(context.caches(), now);
    // Nothing is asked for while nothing is due.
    if let Some(jobs) = look.resting.as_deref().filter(|_| backup_forget::is_at_rest(backup, &services, now)) {
        let (plan, has_all_own) = planned(context, backup, &services, jobs, now);
        if plan.is_at_rest() {
            put(context, plan.states, has_all_own);
            return Ok(());
        }
    }
    look.resting = None;
    let jobs = jobs(context, now).await?;
    let forgotten = backup_forget::round(context, platform, &services, &jobs, now).await;
    let cared = care(context, platform, backup, &services, &jobs, now).await;
    let has_begun = matches!((&forgotten, &cared), (Ok(true), _) | (_, Ok(true)));
    let is_at_work = has_begun || jobs.iter().any(|job| job.is_at_work() || job.seen.is_being_deleted);
    look.last = Some((Instant::now(), is_at_work));
    forgotten.and(cared)?;
    look.resting = (!is_at_work).then_some(jobs);
    Ok(())
}

/// What is to be written now, and whether it is of all of the platform's own repositories.
fn planned(
    context: &Context,
    backup: &PlatformBackup,
    services: &[KeptService],
    jobs: &[CareJob],
    now: Timestamp,
) -> (Maintenance, bool) {
    let caches = context.caches();
    // First: what becomes known meanwhile is not among them.
    let has_all_own = gather::knows_own_repositories(caches, backup);
    let own = gather::own_repositories(caches, backup, &context.own);
    let repositories: Vec<Cared> = gather::repositories(services).into_iter().chain(own).collect();
    let mut plan = maintenance(backup, &repositories, jobs, now);
    if !gather::knows_all_runs(caches) {
        plan.forsaken.clear();
    }
    (plan, has_all_own)
}

/// Shows how the repositories are: services look each round, the Platform when it is told to.
fn put(context: &Context, states: RepositoryStates, has_all_own: bool) {
    let (caches, home) = (context.caches(), &context.own.namespace);
    let told = || (own_problem(caches, home), caches.repositories.has_all_own());
    let before = told();
    caches.repositories.put(states, has_all_own);
    if told() != before {
        context.known.again(&backup_schedule::by());
    }
}

/// What is wrong with the platform's own repositories; damage before anything else.
fn own_problem(caches: &Caches, home: &str) -> Option<Problem> {
    let state = caches.repositories.all_in(home)?;
    state.damaged.or(state.neglected)
}

/// What the Platform says of its own repositories; what it said before, until somebody has looked at all of them.
pub(super) fn condition(caches: &Caches, home: &str, before: &[Condition]) -> Option<ConditionUpdate> {
    let kind = ConditionType::RepositorySound;
    caches.platform()?.spec.backup.as_ref()?;
    let said = || before.iter().find(|condition| condition.type_ == kind.as_str());
    let as_before = || said().filter(|_| !caches.repositories.has_all_own());
    let problem = own_problem(caches, home)
        .or_else(|| as_before().map(|said| Problem::quoted(&said.reason, said.message.clone())));
    problem.map(|problem| ConditionUpdate::problem(kind, false, &problem))
}

/// The Jobs that care for repositories, with what their pods said.
async fn jobs(context: &Context, now: Timestamp) -> Result<Vec<CareJob>, WriteError> {
    let home = context.server.home();
    let jobs = context.server.jobs(home, REPOSITORY).await?;
    let pods = if jobs.is_empty() { Vec::new() } else { context.server.pods(home, REPOSITORY).await? };
    Ok(gather::care_jobs(&jobs, &pods, now))
}

/// Says whether a Job was begun.
async fn care(
    context: &Context,
    platform: &Platform,
    backup: &PlatformBackup,
    services: &[KeptService],
    jobs: &[CareJob],
    now: Timestamp,
) -> Result<bool, WriteError> {
    let (plan, has_all_own) = planned(context, backup, services, jobs, now);
    let Maintenance { record, remove, forsaken, begin, free, states } = plan;
    put(context, states, has_all_own);
    for (name, found) in &record {
        // Nothing goes before it is written.
        note(context, name, found).await?;
    }
    let mut outcome = Ok(false);
    for (name, uid) in remove.iter().chain(&forsaken) {
        let target = Target { kind: "Job", namespace: context.server.home(), name };
        outcome = outcome.and(context.server.delete(target, uid).await.map(|()| false));
    }
    let mut made = 0;
    for (cared, work) in begin {
        if made == free {
            break;
        }
        let began = begin_one(context, platform, services, &cared, work, now).await;
        made += usize::from(began.as_ref().is_ok_and(|began| *began));
        outcome = outcome.and_then(|others| began.map(|began| began || others));
    }
    outcome
}

/// Writes onto a check what it found.
async fn note(context: &Context, name: &str, found: &str) -> Result<(), WriteError> {
    let target = Target { kind: "Job", namespace: context.server.home(), name };
    let patch = json!({"metadata": {"annotations": {FOUND: found}}});
    match context.server.merge(target, &patch).await {
        Ok(_) => {
            tracing::info!(job = name, damaged = found, "a part of a repository was read");
            Ok(())
        }
        Err(error) if error.kind == ErrorKind::Missing => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether nobody is at work at a repository, by a live look.
async fn is_idle(context: &Context, platform: &Platform, cared: &Cared) -> Result<bool, WriteError> {
    if cared.holds == Holds::Backups {
        return repository::is_idle(context, &cared.entity, &cared.service).await;
    }
    let target = |backup: &PlatformBackup| backup.target(Some(&cared.at.target)).cloned();
    let Some((backup, target)) = platform.spec.backup.as_ref().and_then(|backup| Some((backup, target(backup)?)))
    else {
        return Ok(false);
    };
    let place = Place::of_platform(platform, backup, &target, &cared.at.path, &context.own);
    backup_records::somebody_works(context, &place).await.map(|works| !works)
}

/// Begins a Job where a live look finds nobody at work.
async fn begin_one(
    context: &Context,
    platform: &Platform,
    services: &[KeptService],
    cared: &Cared,
    work: Work,
    now: Timestamp,
) -> Result<bool, WriteError> {
    let of = services.iter().find(|of| (&of.entity, &of.service) == (&cared.entity, &cared.service));
    let runs = of.map(|service| service.runs.as_slice()).unwrap_or_default();
    let has_time = work != Work::Prune || backup_forget::clocks_agree(context, runs).await;
    if !has_time || !is_idle(context, platform, cared).await? {
        return Ok(false);
    }
    // One that forgets may have been begun in this round.
    if repository::goes_first(context, &[&cared.at]).await?.is_some()
        || repository::is_copied(context, &cared.at).await?
    {
        return Ok(false);
    }
    let Some((name, job)) = maintenance_job(cared, work, platform, &context.own, now) else { return Ok(false) };
    let target = Target { kind: "Job", namespace: context.server.home(), name: &name };
    match context.server.create(target, &job).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind == ErrorKind::Exists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::Reason;
    use crate::cache::{Identity, RepositoryState};
    use crate::report::conditions;

    fn caches() -> Caches {
        let platform: Platform = serde_json::from_value(json!({
            "metadata": {"name": "default"},
            "spec": {"baseDomain": "example.org", "backup": {"targets": [], "recipients": ["age1"]}},
        }))
        .unwrap();
        let caches = Caches::new();
        caches.platforms.put(&Identity::of(&platform.metadata), platform);
        caches
    }

    fn shown(caches: &Caches, before: &[Condition]) -> Vec<Condition> {
        let shown = condition(caches, "cloud", before).into_iter().collect();
        conditions(before, shown, 1, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn after_a_restart_what_was_said_stays_until_all_of_the_platforms_own_are_known() {
        let damaged = Some(Problem::new(Reason::RepositoryDamaged, "pack 1"));
        let state = RepositoryState { damaged, ..RepositoryState::default() };
        let first = caches();
        assert_eq!(shown(&first, &[]), []);
        first.repositories.put([(("cloud".to_owned(), "platform".to_owned()), state)].into(), true);
        let before = shown(&first, &[]);
        assert_eq!((before.len(), before[0].reason.as_str()), (1, "RepositoryDamaged"));
        let restarted = caches();
        assert_eq!(shown(&restarted, &before), before, "nobody has looked");
        restarted.repositories.put(RepositoryStates::new(), false);
        assert_eq!(shown(&restarted, &before), before, "nobody has looked where the records went");
        restarted.repositories.put(RepositoryStates::new(), true);
        assert_eq!(shown(&restarted, &before), []);
    }
}
