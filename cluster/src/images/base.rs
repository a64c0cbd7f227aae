//! The root file system that all Debian images share, and its layer.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Error;
use super::apt::Sources;
use super::cache::Cache;
use super::layer::{self, Layer, hex};
use super::namespace::{self, checked};
use crate::packages;
use crate::progress::Progress;

const SCRIPT: &str = include_str!("base.sh");

/// A base root file system in the cache.
pub(super) struct Base {
    /// Its files.
    pub(super) root: PathBuf,
    /// The same as a layer.
    pub(super) layer: Layer,
    /// What packages of the images above it are installed from.
    pub(super) sources: Sources,
}

/// What is kept beside the layer, so that it is hashed once.
#[derive(Serialize, Deserialize)]
struct Record {
    digest: String,
    size: u64,
}

/// What the base is made from, as a digest: it is part of the digest of every image above it.
pub(super) fn digest(sources: &Sources) -> String {
    let mut hash = Sha256::new();
    hash.update(SCRIPT);
    for line in &sources.lines {
        hash.update(line);
    }
    hex(&hash.finalize()[..8])
}

/// The base from the cache, or a new one by debootstrap.
pub(super) fn ensure(cache: &Cache, progress: &Progress) -> Result<Base, Error> {
    let sources = Sources::of_this_machine()?;
    let folder = cache.base(&digest(&sources));
    if !folder.exists() {
        let _lock = cache.lock("base")?;
        if !folder.exists() {
            let phase = progress.phase("images: base root file system");
            build(&folder, &sources, cache)?;
            phase.done();
        }
    }
    let record = folder.join("layer.json");
    let text = std::fs::read_to_string(&record).map_err(Error::io("read", &record))?;
    let Record { digest, size } =
        serde_json::from_str(&text).map_err(|error| Error::io("read", &record)(error.into()))?;
    let layer = Layer { file: folder.join("layer.tar"), digest, size };
    Ok(Base { root: folder.join("root"), layer, sources })
}

fn build(folder: &Path, sources: &Sources, cache: &Cache) -> Result<(), Error> {
    if !is_root() {
        return Err(Error::NotRoot);
    }
    needs_program("debootstrap", "debootstrap")?;
    let room = cache.room("base")?;
    let made = room.path().join("base");
    let files = made.join("root");
    std::fs::create_dir(&made).map_err(Error::io("create", &made))?;
    let archives = cache.shared("packages")?;
    let lines = sources.lines.join("\n");
    let environment: [(&str, &OsStr); 6] = [
        ("ROOT", files.as_os_str()),
        ("ARCHIVES", archives.as_os_str()),
        ("SUITE", sources.suite.as_ref()),
        ("MIRROR", sources.mirror.as_ref()),
        ("SOURCES", lines.as_ref()),
        ("http_proxy", sources.proxy.as_ref()),
    ];
    namespace::run("the base root file system", SCRIPT, environment)?;
    let layer = layer::write(&files, &made.join("layer.tar"), room.started())?;
    let record = made.join("layer.json");
    let text = serde_json::to_vec(&Record { digest: layer.digest, size: layer.size })
        .map_err(|error| Error::io("write", &record)(error.into()))?;
    std::fs::write(&record, text).map_err(Error::io("write", &record))?;
    std::fs::rename(&made, folder).map_err(Error::io("rename", &made))
}

fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|process| process.uid() == 0)
}

/// Installs `package` when `program` is not in PATH.
pub(super) fn needs_program(program: &str, package: &str) -> Result<(), Error> {
    if packages::find(program).is_some() {
        return Ok(());
    }
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends", "--option", "DPkg::Lock::Timeout=300", package])
        .env("DEBIAN_FRONTEND", "noninteractive");
    checked(&format!("apt-get install {package}"), &mut install)?;
    if packages::find(program).is_none() {
        return Err(Error::MissingProgram { program: program.to_owned(), package: package.to_owned() });
    }
    Ok(())
}
