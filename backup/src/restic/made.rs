//! Snapshots as runs make them: told apart by tags, whoever makes them.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

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

/// A path as a pattern that fits nothing else: in restic's a bracket would mean one of its signs.
pub fn literal(path: &Path) -> PathBuf {
    let mut pattern = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if b"*?[]\\".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    OsString::from_vec(pattern).into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_no_pattern() {
        assert_eq!(literal(Path::new("/x/a*[b]?\\ \"\n")), Path::new("/x/a\\*\\[b\\]\\?\\\\ \"\n"));
        let plain = Path::new("/srv/L'Hort {x}/files");
        assert_eq!(literal(plain), plain);
    }
}
