//! Building what clusters are made of, long before one is started.

use std::path::Path;

use super::error::UpError;
use super::{NodeKind, simulated};
use crate::images::{self, BuiltImage};
use crate::packages;
use crate::progress::Progress;
use crate::tools;

/// Builds and installs all that clusters of that kind are made of, and all images, so that the next
/// `up` builds nothing. Starts nothing.
///
/// # Errors
/// The first that cannot be built or installed.
pub async fn build(node: NodeKind, source: &Path, progress: &Progress) -> Result<Vec<BuiltImage>, UpError> {
    if node == NodeKind::Simulated {
        for tool in simulated::TOOLS {
            tools::ensure(tool, source, progress).await?;
        }
        return Ok(Vec::new());
    }
    let installed = async { packages::ensure(progress).await.map_err(UpError::from) };
    let built = async {
        // The compiler keeps all cores busy by itself: one tool after another.
        for tool in tools::names(source)? {
            tools::ensure(&tool, source, progress).await?;
        }
        Ok(())
    };
    let images = async { images::build(&[], source, progress).await.map_err(UpError::from) };
    let ((), (), images) = futures::try_join!(installed, built, images)?;
    Ok(images)
}
