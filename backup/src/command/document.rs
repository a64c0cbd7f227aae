//! One document as a snapshot of its own, read back before anybody relies on it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::{HOST, Setting};
use commonscloud_backup::report::{Failure, FailureReason};
use commonscloud_backup::restic::{Call, Output, Summary};

/// Stores it as this file of a snapshot with these tags, and gives the snapshot's id.
pub async fn store(setting: &Setting, file: &str, content: &[u8], tags: &[String]) -> Result<String, Failure> {
    let scratch = std::env::var_os("RESTIC_CACHE_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let written = scratch.join(file);
    fs::write(&written, content).map_err(|error| told(&written, &error))?;
    let call = Call::new("backup")
        .args(["--no-scan", "--host", HOST])
        .args(tags.iter().flat_map(|tag| ["--tag", tag]))
        .args(["--stdin-filename", file, "--stdin-from-command", "--", "cat", "--"])
        .arg(&written);
    let Summary { snapshot_id, .. } = setting.run(call).await?.last("summary")?;
    let back = scratch.join(format!("{file}.back"));
    let output = File::create(&back).map_err(|error| told(&back, &error))?;
    let call = Call::new("dump").arg(&snapshot_id).arg(format!("/{file}")).output(Output::File(output));
    setting.run(call).await?;
    if fs::read(&back).map_err(|error| told(&back, &error))? == content {
        Ok(snapshot_id)
    } else {
        let message = format!("snapshot {snapshot_id}: {file} came back as something else");
        Err(Failure::new(FailureReason::Damaged, message))
    }
}

/// What happened to a file.
pub fn told(path: &Path, error: &std::io::Error) -> Failure {
    Failure::other(format!("{}: {error}", path.display()))
}
