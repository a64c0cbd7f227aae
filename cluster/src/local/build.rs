//! Making what clusters are made of, long before one is started or just before.

use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use super::error::UpError;
use super::{real, simulated};
use crate::cargo::Profile;
use crate::images::{self, BuiltImage, Unpacked};
use crate::packages;
use crate::progress::Progress;
use crate::tools;

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Tools by name.
    pub tools: &'a [&'a str],
    /// Images by name, beside the node's own; none: all there are.
    pub images: &'a [&'a str],
    /// Images that are tars already.
    pub tars: &'a [PathBuf],
}

/// The images that were made.
#[derive(Debug)]
pub struct Built {
    /// Those by name, and the node's own.
    pub images: Vec<BuiltImage>,
    /// All of them, as a node takes them.
    pub unpacked: Unpacked,
}

/// Makes what real nodes are made of, side by side, and installs the Debian packages that they need.
/// The next `up` finds it all. Starts nothing.
///
/// # Errors
/// The first part that cannot be built, installed or unpacked.
pub async fn build(parts: Parts<'_>, source: &Path, progress: &Progress) -> Result<Built, UpError> {
    let (done, installed) = oneshot::channel();
    let packages = async {
        packages::ensure(progress).await?;
        // Nobody waits when the images have failed.
        let _ = done.send(());
        Ok::<(), UpError>(())
    };
    let images = async {
        let images = images::build(&with_own(parts.images), Profile::Release, source, progress).await?;
        // Without the packages, both end together.
        let _ = installed.await;
        let tars = images.iter().map(|image| image.tar.clone()).chain(parts.tars.iter().cloned()).collect();
        Ok(Built { unpacked: unpack(tars, progress).await?, images })
    };
    let ((), (), built) = futures::try_join!(packages, ensure_all(parts.tools, source, progress), images)?;
    Ok(built)
}

/// The tools of real nodes.
pub const REAL_TOOLS: &[&str] = &real::TOOLS;

/// The names with those of the node's own images; none stands for all, as before.
fn with_own<'a>(names: &[&'a str]) -> Vec<&'a str> {
    if names.is_empty() {
        return Vec::new();
    }
    let own = real::IMAGES.iter().filter(|own| !names.contains(own));
    names.iter().chain(own).copied().collect()
}

/// Makes what simulated clusters are made of.
///
/// # Errors
/// The first tool that cannot be built.
pub async fn build_simulated(source: &Path, progress: &Progress) -> Result<(), UpError> {
    ensure_all(&simulated::TOOLS, source, progress).await
}

async fn ensure_all(names: &[&str], source: &Path, progress: &Progress) -> Result<(), UpError> {
    for name in names {
        tools::ensure(name, source, progress).await?;
    }
    Ok(())
}

async fn unpack(tars: Vec<PathBuf>, progress: &Progress) -> Result<Unpacked, UpError> {
    let progress = progress.clone();
    let unpacked = tokio::task::spawn_blocking(move || images::unpack(&tars, &progress)).await;
    Ok(unpacked.map_err(|_| images::Error::Interrupted)??)
}
