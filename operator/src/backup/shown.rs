//! What a service shows of its backups.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::choice::Choice;
use super::turns::{Scheduled, is_backup, made_at, taken_at, taken_by};
use crate::api::{BackupPhase, BackupSummary, ConditionType, Reason, ServiceBackup};
use crate::report::{BackedUp, Problem};

/// What a service shows of its backups. `runs`: all of it; `scheduled`: none where the schedule is none.
pub fn shown(
    choice: &Choice<'_>,
    runs: &[Arc<ServiceBackup>],
    scheduled: Option<&Scheduled>,
    now: Timestamp,
) -> BackedUp {
    let last = runs.iter().filter(|run| is_backup(run)).max_by_key(|run| (taken_by(run, now), taken_at(run)));
    let proven = |run: &ServiceBackup| run.status.as_ref()?.proven_at.as_ref().map(|time| time.0);
    let outlook = scheduled.and_then(|scheduled| scheduled.outlook(now).ok());
    let is_held = choice.target.is_err() || scheduled.is_none_or(|scheduled| scheduled.held.is_some());
    let summary = BackupSummary {
        target: choice.target.as_ref().ok().map(|target| target.name.clone()),
        last_backup: last.and_then(|run| taken_at(run)).map(Time),
        last_backup_name: last.map(|run| run.name_any()),
        last_proven_restore: runs.iter().filter_map(|run| proven(run)).max().map(Time),
        next_run: outlook.as_ref().filter(|_| !is_held).map(|outlook| Time(outlook.next)),
        ..BackupSummary::default()
    };
    let is_late = outlook.is_none_or(|outlook| outlook.is_late);
    let since = last.and_then(|run| taken_at(run));
    let late = is_late.then(|| late(choice, scheduled, since));
    let not_as_chosen = choice.target.as_ref().err().or(choice.not_taken.as_ref()).cloned();
    BackedUp { summary, late, not_as_chosen, ..BackedUp::default() }
}

fn late(choice: &Choice<'_>, scheduled: Option<&Scheduled>, since: Option<Timestamp>) -> Problem {
    let since = since.map_or("there is no backup".to_owned(), |since| {
        format!("there is no backup since {}", since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    });
    let why = match (&choice.target, &choice.schedule, scheduled) {
        (Err(problem), ..) | (_, Err(problem), _) | (.., Some(Scheduled { held: Some(problem), .. })) => {
            problem.clone()
        }
        (.., Some(scheduled)) => newest(&scheduled.runs),
        _ => Problem::new(Reason::BackupMissed, "no run of it has begun"),
    };
    Problem { message: format!("{since}: {}", why.message), ..why }
}

/// What became of the newest run. Its progress is no news of the service's.
fn newest(runs: &[Arc<ServiceBackup>]) -> Problem {
    let Some(run) = runs.iter().max_by_key(|run| made_at(run)) else {
        return Problem::new(
            Reason::BackupMissed,
            "no run of it has begun; others are before it, or the operator was down",
        );
    };
    let (name, status) = (run.name_any(), run.status.clone().unwrap_or_default());
    let ready = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str());
    match (status.phase, ready) {
        (Some(BackupPhase::Failed), Some(ready)) => {
            Problem::quoted(&ready.reason, format!("ServiceBackup {name} failed: {}", ready.message))
        }
        (None | Some(BackupPhase::Waiting), Some(ready)) => {
            Problem::quoted(&ready.reason, format!("ServiceBackup {name} waits: {}", ready.message))
        }
        (Some(BackupPhase::Failed | BackupPhase::Succeeded), _) => Problem::new(
            Reason::BackupMissed,
            format!(
                "no run of it has begun since ServiceBackup {name}; others are before it, or the operator was down"
            ),
        ),
        _ => Problem::new(Reason::BackupMissed, format!("ServiceBackup {name} has not ended")),
    }
}
