//! OCI images for offline use, made from Debian packages without a container engine.
//!
//! Each folder `images/NAME/` of the source tree describes one image. The steps, one module each:
//!
//! ```text
//! image.yaml ─► description ─► recipe ─► (base ─► overlay) ─► layer ─► layout ─► NAME-DIGEST.tar ─► unpacked
//!               checked        digest    debootstrap, apt     tar      OCI                          for nodes
//! ```
//!
//! An image `from: debian` is an overlay on one shared base root file system, so all of them share
//! their first layer. An image `from: scratch` holds only its own files. The result is a tar that
//! `ctr images import` loads, kept in the cache under the digest of everything it was made from.

mod apt;
mod base;
mod binaries;
mod cache;
mod description;
mod error;
mod layer;
mod layout;
mod namespace;
mod overlay;
mod recipe;
mod unpacked;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::try_join_all;
use serde::Serialize;

use crate::cargo::Profile;
use crate::progress::Progress;
use cache::Cache;
pub use description::{Binary, Description, Origin, Provenance};
pub use error::Error;
use recipe::Recipe;
pub use unpacked::{Unpacked, unpack};

/// An image that is ready to be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuiltImage {
    /// Name of its folder below `images/`.
    pub name: String,
    /// The reference it is imported under, with registry host and tag.
    pub reference: String,
    /// An OCI layout in a tar, for `ctr -n k8s.io images import`.
    pub tar: PathBuf,
    /// Whether it came from the cache, nothing having been built.
    pub cached: bool,
}

/// The names of all images that `source` describes, sorted.
///
/// # Errors
/// When `source` has no readable folder `images`.
pub fn names(source: &Path) -> Result<Vec<String>, Error> {
    let folder = source.join("images");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(Error::io("read", &folder))? {
        let path = entry.map_err(Error::io("read", &folder))?.path();
        if let (true, Some(name)) = (path.join("image.yaml").is_file(), path.file_name()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The names of the images that are imported under one of these references.
///
/// # Errors
/// When `source` has no readable folder `images`, or a description in it cannot be read.
pub fn of_references(references: &[&str], source: &Path) -> Result<Vec<String>, Error> {
    described(source, |description| references.contains(&description.reference.as_str()))
}

/// The names of all images but those that only tests need.
///
/// # Errors
/// When `source` has no readable folder `images`, or a description in it cannot be read.
pub fn beyond_tests(source: &Path) -> Result<Vec<String>, Error> {
    described(source, |description| !description.tests_only)
}

/// The names of the images whose descriptions are wanted.
fn described(source: &Path, is_wanted: impl Fn(&Description) -> bool) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for name in names(source)? {
        if is_wanted(&Description::read(&source.join("images").join(&name).join("image.yaml"))?) {
            found.push(name);
        }
    }
    Ok(found)
}

/// Builds the named images of `source` (all of them when `names` is empty), side by side as far as
/// they let each other, with this workspace's programs compiled as `profile` says. What the cache holds
/// already is not built again.
///
/// # Errors
/// The first image that cannot be built: what is missing on this machine, or the step that failed
/// with its last lines of output.
pub async fn build(
    names: &[&str],
    profile: Profile,
    source: &Path,
    progress: &Progress,
) -> Result<Vec<BuiltImage>, Error> {
    let names: Vec<String> =
        if names.is_empty() { self::names(source)? } else { names.iter().map(ToString::to_string).collect() };
    let cache = Arc::new(Cache::open()?);
    let builds = names.into_iter().map(|name| {
        let (source, progress, cache) = (source.to_path_buf(), progress.clone(), Arc::clone(&cache));
        let build = tokio::task::spawn_blocking(move || build_one(&name, profile, &source, &cache, &progress));
        async { build.await.map_err(|_| Error::Interrupted)? }
    });
    // Collected first: all of them start, whichever is waited for.
    try_join_all(builds.collect::<Vec<_>>()).await
}

fn build_one(
    name: &str,
    profile: Profile,
    source: &Path,
    cache: &Cache,
    progress: &Progress,
) -> Result<BuiltImage, Error> {
    let recipe = Recipe::read(name, profile, source, progress)?;
    let tar = cache.image(name, &recipe.digest);
    let built = |cached| BuiltImage {
        name: name.to_owned(),
        reference: recipe.description.reference.clone(),
        tar: tar.clone(),
        cached,
    };
    if tar.is_file() {
        return Ok(built(true));
    }
    let _lock = cache.lock(name)?;
    if tar.is_file() {
        return Ok(built(true));
    }
    let room = cache.room(name)?;
    let stage = recipe.stage(room.path())?;
    let mut layers = Vec::new();
    let phase;
    let upper = match recipe.description.from {
        Origin::Scratch => {
            phase = progress.phase(format!("image {name}"));
            stage
        }
        Origin::Debian => {
            let base = base::ensure(cache, progress)?;
            phase = progress.phase(format!("image {name}"));
            let upper = overlay::build(&recipe, &base, cache, &stage, room.path())?;
            layers.push(base.layer);
            upper
        }
    };
    layers.push(layer::write(&upper, &room.path().join("layer.tar"), room.started())?);
    let unfinished = room.path().join("image.tar");
    layout::write(&recipe.description, &layers, &unfinished)?;
    std::fs::rename(&unfinished, &tar).map_err(Error::io("rename", &unfinished))?;
    cache.forget_old(name);
    phase.done();
    Ok(built(false))
}
