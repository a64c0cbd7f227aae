//! The manifest: written last, and only where all is there that it names.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Setting, backup, files, run_uid};
use commonscloud_backup::manifest::{MANIFEST_FILE, MANIFEST_TAG, Manifest};
use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use commonscloud_backup::restic::Summary;

pub async fn record(setting: &Setting, file: &Path) -> Result<Outcome, Failure> {
    let told = |error: &dyn std::fmt::Display| Failure::other(format!("--manifest-file {}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| told(&error))?;
    let manifest = Manifest::read(&text).map_err(|error| told(&error))?;
    run_uid(&manifest.run).map_err(|error| told(&format!("run: {error}")))?;
    let mut named: Vec<String> = manifest.parts.iter().map(|part| part.snapshot.clone()).collect();
    are_there(setting, &named).await?;
    let call = backup(&manifest.run, MANIFEST_TAG, MANIFEST_TAG)
        .args(["--stdin-filename", MANIFEST_FILE, "--stdin-from-command", "--", "cat", "--"])
        .arg(file);
    let Summary { snapshot_id: snapshot, .. } = setting.run(call).await?.last("summary")?;
    named.push(snapshot.clone());
    are_there(setting, &named).await?;
    Ok(Outcome::Recorded { snapshot })
}

async fn are_there(setting: &Setting, ids: &[String]) -> Result<(), Failure> {
    let found: BTreeSet<String> =
        files::snapshots(setting, ids).await?.into_iter().map(|snapshot| snapshot.id).collect();
    match ids.iter().find(|id| !found.contains(*id)) {
        None => Ok(()),
        Some(missing) => {
            let message = format!("snapshot {missing} is not at the target any more: the backup is not whole");
            Err(Failure::new(FailureReason::Damaged, message))
        }
    }
}
