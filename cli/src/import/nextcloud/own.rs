//! The volume with Nextcloud itself: as the service's last backup has it, with settings by which what moves in is known.

use std::path::PathBuf;
use std::time::Duration;

use commonscloud_backup::restic::Call;
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::SnapshotPartKind;

use super::Nextcloud;
use crate::import::fit;
use crate::import::service::Service;
use crate::import::stage::Stage;

/// Nextcloud itself is read within.
const LONGEST: Duration = Duration::from_hours(6);

/// The folder in which the volume is, below the stage.
///
/// # Errors
/// When the backup has none, or its settings are not as Nextcloud writes them.
pub(in crate::import) async fn prepared(
    service: &Service,
    nextcloud: Option<&Nextcloud>,
    stage: &Stage,
    volume: &str,
) -> Result<PathBuf, Failure> {
    let nextcloud = nextcloud.ok_or("no settings of a Nextcloud came along")?;
    let parts = &service.known.manifest.parts;
    let is_it = |kind: SnapshotPartKind, name: &str| kind == SnapshotPartKind::Files && name == volume;
    let part = parts.iter().find(|part| is_it(part.kind, &part.name));
    let part = part.ok_or_else(|| format!("the service's last backup has no files of volume {volume}"))?;
    let into = stage.file("own");
    let call = Call::reading("restore")
        .args(["--sparse", "--exclude-xattr", "security.*", "--target"])
        .arg(into.join(volume))
        .arg("--")
        .arg(format!("{}:/{volume}", part.snapshot));
    service.restic.run(call, LONGEST).await?;
    let path = into.join(fit::OFFICE_SETTINGS);
    let told = |why: &dyn std::fmt::Display| format!("the service's last backup: {}: {why}", fit::OFFICE_SETTINGS);
    // By links of the volume it would be a file of this machine.
    if !path.is_file() || path.canonicalize().ok().as_ref() != Some(&path) {
        return Err(told(&"it is no file").into());
    }
    let settings = std::fs::read_to_string(&path).map_err(|error| told(&error))?;
    let fitted = fit::moved(&settings, &nextcloud.identity).map_err(|why| told(&why))?;
    std::fs::write(&path, fitted).map_err(|error| told(&error))?;
    Ok(into)
}
