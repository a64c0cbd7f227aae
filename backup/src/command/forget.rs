//! Forgets snapshots by their ids, or all of runs by the tag that each of theirs has. restic ends well where the target
//! refuses to remove anything, so it is looked at.

use super::{Setting, files, run_uid, snapshot_id, without_stale_locks};
use commonscloud_backup::report::{Failure, MOST_FORGOTTEN, Outcome};
use commonscloud_backup::restic::{Call, Snapshot};

#[derive(Debug, clap::Args)]
pub struct Forget {
    /// Whole ids.
    #[arg(required_unless_present = "run", value_name = "ID", value_parser = snapshot_id)]
    snapshots: Vec<String>,
    /// Uids of ServiceBackups that left no backup: whatever is tagged as theirs.
    #[arg(long, value_name = "UID", value_parser = run_uid, conflicts_with = "snapshots")]
    run: Vec<String>,
}

pub async fn forget(setting: &Setting, wanted: Forget) -> Result<Outcome, Failure> {
    let count = wanted.snapshots.len();
    if count > MOST_FORGOTTEN {
        let message = format!("forget: {count} snapshots, allowed: at most {MOST_FORGOTTEN} at once");
        return Err(Failure::other(message));
    }
    without_stale_locks(setting).await?;
    if !wanted.run.is_empty() {
        return forget_runs(setting, &wanted.run).await;
    }
    setting.run(Call::new("forget").args(&wanted.snapshots)).await?;
    let left = files::snapshots(setting, &wanted.snapshots).await?;
    Ok(left_of(left))
}

async fn forget_runs(setting: &Setting, runs: &[String]) -> Result<Outcome, Failure> {
    let found: Vec<String> = of_runs(setting, runs).await?.into_iter().map(|snapshot| snapshot.id).collect();
    for some in found.chunks(MOST_FORGOTTEN) {
        setting.run(Call::new("forget").args(some)).await?;
    }
    Ok(left_of(of_runs(setting, runs).await?))
}

/// The snapshots that are tagged as of one of these runs.
async fn of_runs(setting: &Setting, runs: &[String]) -> Result<Vec<Snapshot>, Failure> {
    let tags = runs.iter().flat_map(|run| ["--tag".to_owned(), format!("run:{run}")]);
    setting.run(Call::reading("snapshots").args(tags)).await?.document()
}

/// As many as a report can tell of.
fn left_of(left: Vec<Snapshot>) -> Outcome {
    Outcome::Left { snapshots: left.into_iter().map(|snapshot| snapshot.id).take(MOST_FORGOTTEN).collect() }
}
