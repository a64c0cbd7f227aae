//! Sets of images unpacked, as containerd keeps them: a node begins with a copy whose files are links,
//! which takes seconds where an import takes a minute.
//!
//! A container never writes to the files of its image (its writes go to an overlay), so that nodes
//! can share them. containerd's databases are written to, and are copied.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::cache::Cache;
use super::layer::hex;
use super::namespace::{self, checked};
use super::{Error, base};
use crate::progress::Progress;

const SCRIPT: &str = include_str!("unpack.sh");
/// What containerd only ever adds files to, or removes files from.
const LINKED: [&str; 2] =
    ["io.containerd.content.v1.content/blobs", "io.containerd.snapshotter.v1.overlayfs/snapshots"];
/// What it writes to in place.
const COPIED: [&str; 2] =
    ["io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db"];
/// So many sets are kept: each is as large as its images.
const KEPT: usize = 3;
/// The lock that whoever makes, copies or forgets a set holds.
const LOCK: &str = "unpacked";

/// A set of images, unpacked. No other process removes it meanwhile.
#[derive(Debug)]
pub struct Unpacked {
    root: PathBuf,
    tars: Vec<PathBuf>,
    _lock: File,
}

/// Unpacks the images with these tars, or finds them unpacked.
///
/// # Errors
/// When containerd refuses one of them, or the cache cannot be written to.
pub fn unpack(tars: &[PathBuf], progress: &Progress) -> Result<Unpacked, Error> {
    let cache = Cache::open()?;
    let mut tars = tars.to_vec();
    tars.sort_unstable();
    tars.dedup();
    let lock = cache.lock(LOCK)?;
    let folder = cache.unpacked(&digest(&tars)?);
    if !folder.is_dir() {
        let phase = progress.phase(format!("unpack {} images", tars.len()));
        let room = cache.room(LOCK)?;
        let list = tars.iter().map(|tar| tar.to_string_lossy()).collect::<Vec<_>>().join("\n");
        let environment: [(&str, &OsStr); 2] = [("ROOM", room.path().as_os_str()), ("IMAGES", list.as_ref())];
        namespace::run("unpacking images with containerd", SCRIPT, environment)?;
        let made = room.path().join("root");
        std::fs::rename(&made, &folder).map_err(Error::io("rename", &made))?;
        phase.done();
    }
    // The time of its last use.
    let used = File::open(&folder).and_then(|folder| folder.set_modified(SystemTime::now()));
    used.map_err(Error::io("change the time of", &folder))?;
    cache.forget_unpacked(KEPT);
    Ok(Unpacked { root: folder, tars, _lock: lock })
}

impl Unpacked {
    /// The tars that the images were unpacked from.
    pub fn tars(&self) -> &[PathBuf] {
        &self.tars
    }

    /// Makes `root`, which is not there yet, the root folder of a containerd that has these images.
    ///
    /// # Errors
    /// When a file cannot be linked or copied.
    pub fn lay_out(&self, root: &Path) -> Result<(), Error> {
        for (names, link) in [(LINKED, true), (COPIED, false)] {
            for name in names {
                let target = root.join(name);
                let parent = target.parent().unwrap_or(root);
                std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
                let mut copy = Command::new("cp");
                copy.arg("--archive").args(link.then_some("--link")).arg(self.root.join(name)).arg(parent);
                checked("copying unpacked images", &mut copy)?;
            }
        }
        Ok(())
    }
}

/// Of the tars' names, which have digests in them where they come from the cache, else their content's time;
/// and of the containerd that unpacked them.
fn digest(tars: &[PathBuf]) -> Result<String, Error> {
    let mut hash = Sha256::new();
    hash.update(SCRIPT);
    for tar in tars {
        let failed = Error::io("read", tar);
        let changed = tar.metadata().and_then(|file| file.modified()).map_err(failed)?;
        let since = changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        hash.update(format!("{}\0{}\0", tar.display(), since.as_nanos()));
    }
    base::needs_program("containerd", "containerd")?;
    hash.update(checked("asking containerd for its version", Command::new("containerd").arg("--version"))?.stdout);
    Ok(hex(&hash.finalize()[..8]))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn files_of_images_are_shared_and_databases_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, node) = (folder.path().join("kept"), folder.path().join("node"));
        let file =
            |root: &Path, name: &str| if COPIED.contains(&name) { root.join(name) } else { root.join(name).join("f") };
        for name in LINKED.into_iter().chain(COPIED) {
            let path = file(&kept, name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let lock = tempfile::tempfile().unwrap();
        Unpacked { root: kept.clone(), tars: Vec::new(), _lock: lock }.lay_out(&node).unwrap();
        for name in LINKED.into_iter().chain(COPIED) {
            let (kept, own) = (file(&kept, name), file(&node, name));
            assert_eq!(std::fs::read_to_string(&own).unwrap(), name);
            let same = kept.metadata().unwrap().ino() == own.metadata().unwrap().ino();
            assert_eq!(same, LINKED.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_tar_that_is_not_there_is_named() {
        let missing = PathBuf::from("/no/such/image.tar");
        let refusal = digest(&[missing]).unwrap_err().to_string();
        assert!(refusal.contains("/no/such/image.tar"), "{refusal}");
    }
}
