//! Forgets snapshots by their ids. restic ends well where the target refuses to remove anything, so it is looked at.

use super::{Setting, files, snapshot_id, without_stale_locks};
use commonscloud_backup::report::{Failure, FailureReason, MOST_FORGOTTEN, Outcome};
use commonscloud_backup::restic::{self, Call, Snapshot};

#[derive(Debug, clap::Args)]
pub struct Forget {
    /// Whole ids.
    #[arg(required_unless_present = "copied", value_name = "ID", value_parser = snapshot_id)]
    snapshots: Vec<String>,
    /// The manifest of what was copied out of another repository: it is forgotten with the copies that it names.
    #[arg(long, value_name = "ID", conflicts_with = "snapshots", value_parser = snapshot_id)]
    copied: Option<String>,
    /// Exit packages, in the repository beside it: whole ids. They go first.
    #[arg(long = "package", value_name = "ID", conflicts_with = "copied", value_parser = snapshot_id)]
    packages: Vec<String>,
}

pub async fn forget(setting: &Setting, wanted: Forget) -> Result<Outcome, Failure> {
    let count = wanted.snapshots.len() + wanted.packages.len();
    if count > MOST_FORGOTTEN {
        let message = format!("forget: {count} snapshots, allowed: at most {MOST_FORGOTTEN} at once");
        return Err(Failure::other(message));
    }
    let mut left = forget_packages(setting, &wanted.packages).await?;
    without_stale_locks(setting).await?;
    left.extend(match wanted.copied {
        Some(manifest) => forget_copy(setting, manifest).await?,
        None => forget_all(setting, &wanted.snapshots).await?,
    });
    Ok(left_of(left))
}

/// Where there is no repository of packages any more, none is left.
async fn forget_packages(setting: &Setting, packages: &[String]) -> Result<Vec<Snapshot>, Failure> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let setting = setting.packages();
    let forgotten = match without_stale_locks(&setting).await {
        Ok(()) => forget_all(&setting, packages).await,
        Err(failure) => Err(failure),
    };
    match forgotten {
        Err(failure) if failure.reason == FailureReason::NoRepository => Ok(Vec::new()),
        forgotten => forgotten,
    }
}

/// The manifest goes last: by it the others are found, should this be begun again.
async fn forget_copy(setting: &Setting, manifest: String) -> Result<Vec<Snapshot>, Failure> {
    let own = [manifest];
    if files::snapshots(setting, &own).await?.is_empty() {
        return Ok(Vec::new());
    }
    let [id] = &own;
    let parts = restic::manifest(&setting.restic, id, setting.left()).await?.parts;
    let named: Vec<String> = parts.into_iter().map(|part| part.snapshot).collect();
    let copies = copies(files::snapshots(setting, &named).await?);
    let left = if copies.is_empty() { Vec::new() } else { forget_all(setting, &copies).await? };
    if left.is_empty() { forget_all(setting, &own).await } else { Ok(left) }
}

/// Those that are copies. Any other was here before it came back from where it had been copied to.
fn copies(parts: Vec<Snapshot>) -> Vec<String> {
    parts.into_iter().filter(|part| part.original.is_some()).map(|part| part.id).collect()
}

/// Says which of them are there nevertheless.
async fn forget_all(setting: &Setting, snapshots: &[String]) -> Result<Vec<Snapshot>, Failure> {
    setting.run(Call::new("forget").args(snapshots)).await?;
    files::snapshots(setting, snapshots).await
}

/// As many as a report can tell of.
fn left_of(left: Vec<Snapshot>) -> Outcome {
    Outcome::Left { snapshots: left.into_iter().map(|snapshot| snapshot.id).take(MOST_FORGOTTEN).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_what_a_copied_manifest_names_the_copies_alone_are_forgotten() {
        let parts = [json!({"id": "a", "original": "1"}), json!({"id": "b"})];
        let parts = parts.into_iter().map(|part| serde_json::from_value(part).unwrap()).collect();
        assert_eq!(copies(parts), ["a"]);
    }
}
