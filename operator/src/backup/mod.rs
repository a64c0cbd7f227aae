//! What is next of a run of a backup. Pure: what it needs comes in [`ObservedRun`], what is to be written goes
//! out in [`Step`].
//!
//! | module | what lives there |
//! |---|---|
//! | `choice` | where the backups of a service go and when they run |
//! | `turns`, `shown` | whose turn it is; what a service shows of its backups |
//! | `observed` | what one pass sees |
//! | `step` | what is next, by phase and Jobs: `begin` until nothing is quiet, `quiet` until it is open again, `record` |
//! | `exit` | of a run that ends in a package to leave with: for whom, and until it is there |
//! | `jobs` | the objects of each phase |
//! | `facts` | what the Jobs told, for the status |
//! | `status` | the status of a run |
//! | `failure` | why a Job failed, in words |
//! | `target` | where a repository is, and how its server is reached |
//! | `companion` | restic's containers |
//! | `server`, `serving` | the server of a volume that is a target: its objects; what is next of it |
//! | `home_job`, `place` | a Job in the operator's own namespace; where it works, and with what |
//! | `care` | what is forgotten at the target, and by which Job |
//! | `copy` | the Job that copies another Entity's backup |
//! | `copied` | what is forgotten of such copies |
//! | `remains` | what runs left that failed |
//! | `maintenance` | pruning and checking of repositories |
//! | `escrow` | the Job that leaves a key at the target, encrypted to the recipients |
//! | `records` | the platform's own kinds at each target: when, by which Job, what is given up |

mod begin;
mod care;
mod choice;
pub mod companion;
pub mod copied;
pub mod copy;
pub mod escrow;
mod exit;
mod facts;
pub(crate) mod failure;
mod home_job;
pub(crate) mod jobs;
pub mod maintenance;
mod observed;
mod place;
mod quiet;
mod record;
pub mod records;
mod remains;
pub mod server;
pub mod serving;
mod shown;
mod status;
mod step;
pub mod target;
mod turns;

#[cfg(test)]
mod exit_tests;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod quiet_tests;
#[cfg(test)]
mod step_tests;

use std::time::Duration;

pub use begin::needs_service;
pub use care::{CareWork, batch, forget_job, forget_name, given_up, label, marked, told};
pub use choice::{Choice, choice};
pub use facts::{Facts, facts};
pub use observed::{
    Former, JobState, KeyState, ObservedRun, Own, Said, SeenJob, Standing, Subject, key_name, own_folder,
};
pub use place::Place;
pub use remains::awaits_forgetting;
pub use shown::shown;
pub use status::backup_status;
pub use step::next;
pub use turns::{
    Outlook, Scheduled, Times, Turn, Turns, ahead, has_come, is_backup, old_runs, packages_ahead, packs, taken_at,
    taken_by, turns,
};

use crate::api::BackupPhase;
use crate::compare::Change;
use crate::report::Problem;

/// What is next of a run. The controller writes the status that it makes first, whatever the step is, then, if
/// the status that was *read* has the phase of the step, the changes: so what a phase names is never begun before
/// it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The phase in which the run is.
    pub phase: BackupPhase,
    /// What is to be written in it.
    pub changes: Vec<Change>,
    /// Whether the object is held by the finalizer [`UNQUIESCE`].
    pub is_held: bool,
    /// What it waits for, or why it ended without a snapshot.
    pub problem: Option<Problem>,
    /// Why people may still not be able to write: `unquiesce` failed, or could not begin.
    pub still_quiet: Option<String>,
    /// When to look again though nothing changes.
    pub again: Option<Duration>,
}

/// The finalizer of a run from `Quiescing` until its service is known to be open again.
pub const UNQUIESCE: &str = "commonscloud.coop/unquiesce";
