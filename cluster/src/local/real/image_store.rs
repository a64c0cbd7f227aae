//! Bringing images into a node's containerd.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::containers::{containerd_root, socket};
use crate::images::Unpacked;
use crate::local::error::UpError;
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

/// Gives the node, whose containerd has not started yet, these images.
///
/// # Errors
/// When they cannot be copied.
pub(in crate::local) fn lay_out(folder: &Path, images: Unpacked) -> Result<(), UpError> {
    images.lay_out(&containerd_root(folder))?;
    Ok(state::write_whole(&record(folder), &images.tars())?)
}

/// Imports the tars that were not imported before, several at once.
///
/// # Errors
/// The first that containerd refuses.
pub(in crate::local) async fn import(folder: &Path, node: i32, tars: &[PathBuf]) -> Result<(), ImportError> {
    let record = record(folder);
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

/// What the node has already.
fn record(folder: &Path) -> PathBuf {
    folder.join("images.json")
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
