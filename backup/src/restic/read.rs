//! What is in a repository, read without a lock.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::Timestamp;

use super::{Call, Config, Restic, Snapshot};
use crate::manifest::{MANIFEST_FILE, Manifest, ManifestError};
use crate::report::{Failure, FailureReason};

/// The longest manifest, and the longest state that `verify` writes, in bytes: what is kept in memory.
pub const MOST_OF_A_DOCUMENT: usize = 4 << 20;

/// The repository's own id.
///
/// # Errors
/// When there is none, or it does not open.
pub async fn repository_id(restic: &Restic, deadline: Duration) -> Result<String, Failure> {
    let Config { id } = restic.run(Call::reading("cat").arg("config"), deadline).await?.document()?;
    Ok(id)
}

/// Those of these snapshots that are there.
///
/// # Errors
/// When the repository cannot be read.
pub async fn snapshots(restic: &Restic, ids: &[String], deadline: Duration) -> Result<Vec<Snapshot>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    restic.run(Call::reading("snapshots").args(ids), deadline).await?.document()
}

/// All snapshots with this tag, the newest first by the clocks of those who made them.
///
/// # Errors
/// When the repository cannot be read.
pub async fn tagged(restic: &Restic, tag: &str, deadline: Duration) -> Result<Vec<Snapshot>, Failure> {
    let call = Call::reading("snapshots").args(["--tag", tag]);
    let mut found: Vec<Snapshot> = restic.run(call, deadline).await?.document()?;
    found.sort_by_cached_key(|snapshot| Reverse(snapshot.time.parse::<Timestamp>().ok()));
    Ok(found)
}

/// The manifest in this snapshot.
///
/// # Errors
/// When it is not there, newer than this release, or something else.
pub async fn manifest(restic: &Restic, snapshot: &str, deadline: Duration) -> Result<Manifest, Failure> {
    let call = Call::reading("dump").arg(snapshot).arg(format!("/{MANIFEST_FILE}")).most(MOST_OF_A_DOCUMENT);
    let text = restic.run(call, deadline).await?.text();
    Manifest::read(&text).map_err(|error| {
        let reason = match error {
            ManifestError::TooNew(_) => FailureReason::FormatTooNew,
            ManifestError::NotAManifest(_) => FailureReason::Other,
        };
        Failure::new(reason, format!("snapshot {snapshot}: {error}"))
    })
}
