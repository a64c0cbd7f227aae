//! Bringing images into a node's containerd.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::containers::socket;
use crate::local::state::{self, StateError};

/// An image that was not imported.
#[derive(Debug, thiserror::Error)]
#[error("importing image {tar}: {message}")]
pub struct ImportError {
    /// The tar.
    tar: PathBuf,
    /// What went wrong.
    message: String,
}

/// Imports the tars that were not imported before, several at once.
///
/// # Errors
/// The first that containerd refuses.
pub(in crate::local) async fn import(folder: &Path, node: i32, tars: &[PathBuf]) -> Result<(), ImportError> {
    let record = folder.join("images.json");
    let mut known: Vec<PathBuf> =
        std::fs::read(&record).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let new: Vec<PathBuf> = tars.iter().filter(|tar| !known.contains(tar)).cloned().collect();
    if new.is_empty() {
        return Ok(());
    }
    futures::future::try_join_all(new.iter().map(|tar| import_one(node, tar))).await?;
    known.extend(new);
    state::write_whole(&record, &known)
        .map_err(|error: StateError| ImportError { tar: record, message: error.to_string() })
}

async fn import_one(node: i32, tar: &Path) -> Result<(), ImportError> {
    let failed = |message: String| ImportError { tar: tar.to_path_buf(), message };
    let output = Command::new("nsenter")
        .args(["--target", &node.to_string(), "--mount", "--", "ctr", "--address"])
        .arg(socket())
        .args(["--namespace", "k8s.io", "images", "import", "--digests"])
        .arg(tar)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(format!("nsenter: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
