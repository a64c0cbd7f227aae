//! The files of one Debian image: packages and files installed over the base by an overlay, whose
//! upper folder becomes the image's own layer.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::Error;
use super::base::Base;
use super::cache::Cache;
use super::namespace;
use super::recipe::Recipe;

const SCRIPT: &str = include_str!("overlay.sh");

/// Builds in `room` and returns the upper folder. `stage` holds the files to copy over the packages.
pub(super) fn build(recipe: &Recipe, base: &Base, cache: &Cache, stage: &Path, room: &Path) -> Result<PathBuf, Error> {
    let upper = folder(room, "upper")?;
    let work = folder(room, "work")?;
    let merged = folder(room, "root")?;
    // Made before the packages are there: what lies in the upper folder is part of the image.
    for wanted in &recipe.description.folders {
        make(&upper, wanted)?;
    }
    let (archives, lists) = (cache.shared("packages")?, cache.shared("lists")?);
    let script = recipe.description.script.as_ref().map(|script| recipe.folder.join(script));
    let packages = recipe.description.packages.join(" ");
    // apt locks the folders that the images share, so one overlay is made at a time.
    let _lock = cache.lock("packages")?;
    let environment: [(&str, &OsStr); 10] = [
        ("BASE", base.root.as_os_str()),
        ("UPPER", upper.as_os_str()),
        ("WORK", work.as_os_str()),
        ("ROOT", merged.as_os_str()),
        ("ARCHIVES", archives.as_os_str()),
        ("LISTS", lists.as_os_str()),
        ("STAGE", stage.as_os_str()),
        ("SCRIPT", script.as_deref().map_or("".as_ref(), Path::as_os_str)),
        ("PACKAGES", packages.as_ref()),
        ("http_proxy", base.sources.proxy.as_ref()),
    ];
    namespace::run(&format!("image {}", recipe.name), SCRIPT, environment)?;
    Ok(upper)
}

/// Makes a folder of the image, and those above it, with plain modes.
fn make(upper: &Path, wanted: &Path) -> Result<(), Error> {
    let mut path = upper.to_path_buf();
    for part in wanted.components().filter(|part| matches!(part, Component::Normal(_))) {
        path.push(part);
        if !path.is_dir() {
            std::fs::create_dir(&path).map_err(Error::io("create", &path))?;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&path, mode).map_err(Error::io("change the mode of", &path))?;
        }
    }
    Ok(())
}

fn folder(room: &Path, name: &str) -> Result<PathBuf, Error> {
    let path = room.join(name);
    std::fs::create_dir(&path).map_err(Error::io("create", &path))?;
    // The upper folder's mode is the mode of `/` while packages are installed.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        .map_err(Error::io("change the mode of", &path))?;
    Ok(path)
}
