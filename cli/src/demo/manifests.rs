//! Applies the manifests of `examples/`, with what only this machine knows filled in.

use std::path::Path;

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::{Progress, apply as manifests};

use crate::operated::backups::{self, Key};
use crate::operated::{Operated, platform};

/// Applies `examples/` and `examples/templates/`.
pub(super) async fn apply(
    operated: &Operated,
    source: &Path,
    key: Option<&Key>,
    progress: &Progress,
) -> Result<(), Failure> {
    let phase = progress.phase("apply examples/");
    let examples = source.join("examples");
    let mut objects = manifests::read(&examples)?;
    objects.extend(manifests::read(&examples.join("templates"))?);
    platform::fill_in(&mut objects, &operated.cluster)?;
    if let Some(key) = key {
        backups::fill_in(&mut objects, key, true);
    }
    manifests::apply(&operated.client, objects).await?;
    phase.done();
    Ok(())
}
