//! Forgets snapshots by their ids. restic ends well where the target refuses to remove anything, so it is looked at.

use super::{Setting, files, snapshot_id, without_stale_locks};
use commonscloud_backup::report::{Failure, MOST_FORGOTTEN, Outcome};
use commonscloud_backup::restic::{Call, Snapshot};

#[derive(Debug, clap::Args)]
pub struct Forget {
    /// Whole ids.
    #[arg(required = true, value_name = "ID", value_parser = snapshot_id)]
    snapshots: Vec<String>,
}

pub async fn forget(setting: &Setting, wanted: Forget) -> Result<Outcome, Failure> {
    let count = wanted.snapshots.len();
    if count > MOST_FORGOTTEN {
        let message = format!("forget: {count} snapshots, allowed: at most {MOST_FORGOTTEN} at once");
        return Err(Failure::other(message));
    }
    without_stale_locks(setting).await?;
    setting.run(Call::new("forget").args(&wanted.snapshots)).await?;
    let left = files::snapshots(setting, &wanted.snapshots).await?;
    Ok(left_of(left))
}

/// As many as a report can tell of.
fn left_of(left: Vec<Snapshot>) -> Outcome {
    Outcome::Left { snapshots: left.into_iter().map(|snapshot| snapshot.id).take(MOST_FORGOTTEN).collect() }
}
