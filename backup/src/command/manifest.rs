//! Reads a manifest from the target.

use super::Setting;
use commonscloud_backup::manifest::Manifest;
use commonscloud_backup::report::Failure;
use commonscloud_backup::restic;

pub async fn read(setting: &Setting, snapshot: &str) -> Result<Manifest, Failure> {
    restic::manifest(&setting.restic, snapshot, setting.left()).await
}
