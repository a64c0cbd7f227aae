//! Snapshots as runs make them: told apart by tags, whoever makes them.

use super::{Answer, Call, Summary};
use crate::report::{Failure, StoredPart};
use commonscloud_api::SnapshotPartKind;

/// Snapshots are told apart by tags, never by the machine that made them.
pub const HOST: &str = "commonscloud";
/// What a file system has by itself, mostly for root alone.
pub const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// A snapshot that is to be made.
pub fn backup(run: &str, tag: &str, part: &str) -> Call {
    Call::new("backup").args(["--no-scan", "--host", HOST, "--tag", tag]).args([
        "--tag".to_owned(),
        format!("run:{run}"),
        "--tag".to_owned(),
        format!("part:{part}"),
    ])
}

/// The snapshot that was made.
///
/// # Errors
/// When restic says nothing of it.
pub fn stored(name: &str, kind: SnapshotPartKind, answer: &Answer) -> Result<StoredPart, Failure> {
    let summary: Summary = answer.last("summary")?;
    let (bytes, files) = (summary.total_bytes_processed, summary.total_files_processed);
    let added = summary.data_added_packed;
    Ok(StoredPart { name: name.to_owned(), kind, snapshot: summary.snapshot_id, bytes, added, files })
}
