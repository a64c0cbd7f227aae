//! A folder on this machine in which archives are unpacked: its owner's alone, and removed at the end.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use commonscloud_cluster::command::Failure;

use crate::target::short;

/// The folder of one import, for one program at a time.
pub(super) struct Stage {
    path: PathBuf,
    /// Its lock ends with this program, however that ends.
    _lock: File,
}

impl Stage {
    /// An empty folder in `work`, called by what moves in: what one that was killed left there goes first.
    ///
    /// # Errors
    /// When another import of the same is at work, or it cannot be made.
    pub(super) fn open(work: &Path, fingerprint: &str) -> Result<Self, Failure> {
        let path = work.join(format!(".commonscloud-import-{}", short(fingerprint)));
        let told = |error: io::Error| format!("{}: {error}; --work names a folder with room", path.display());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(told)?;
        // One that somebody else made there is not ours to set, and a link leads to what is not ours to empty.
        if path.symlink_metadata().map_err(told)?.is_symlink() {
            return Err(format!("{}: it is a link; remove it", path.display()).into());
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(told)?;
        // Patterns of what is left out are of whole paths.
        let path = std::fs::canonicalize(&path).map_err(told)?;
        let told = |error: io::Error| format!("{}: {error}", path.display());
        let lock = File::open(&path).map_err(told)?;
        lock.try_lock()
            .map_err(|_| format!("{}: another import of the same is at work: wait for its end", path.display()))?;
        for entry in std::fs::read_dir(&path).map_err(told)? {
            remove(&entry.map_err(told)?.path()).map_err(told)?;
        }
        std::fs::create_dir(path.join("volumes")).map_err(told)?;
        Ok(Self { path, _lock: lock })
    }

    /// Below it a folder for each archive.
    fn volumes(&self) -> PathBuf {
        self.path.join("volumes")
    }

    /// Where a file of it is.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes all of it into a file, its owner's alone.
    ///
    /// # Errors
    /// When it cannot be read to its end, or not written.
    pub(super) fn write(&self, name: &str, mut from: impl Read) -> Result<PathBuf, Failure> {
        let path = self.file(name);
        let told = |error: io::Error| format!("{}: {error}", path.display());
        let mut file = File::create(&path).map_err(told)?;
        io::copy(&mut from, &mut file).map_err(told)?;
        Ok(path)
    }

    /// Unpacks the archive of a volume, as `VOLUME/…`, by tar itself: it strips what would lead elsewhere, and makes
    /// links last. Each has a folder of its own, so that no archive is unpacked through a link of another one. Gives that
    /// folder.
    ///
    /// # Errors
    /// When it is none, or has something else.
    pub(super) fn unpack(&self, volume: &str, mut from: impl Read) -> Result<PathBuf, Failure> {
        let (log, into) = (self.file("tar.log"), self.volumes().join(volume));
        std::fs::create_dir(&into).map_err(|error| format!("{}: {error}", into.display()))?;
        let mut tar = Command::new("tar")
            .args(["--extract", "--file=-", "--no-same-owner", "--preserve-permissions", "--delay-directory-restore"])
            .arg("--directory")
            .arg(&into)
            .stdin(Stdio::piped())
            // Nobody reads a pipe of it meanwhile.
            .stderr(File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?)
            .spawn()
            .map_err(|error| format!("tar cannot be started: {error}"))?;
        let mut input = tar.stdin.take().ok_or("tar has no input")?;
        let copied = io::copy(&mut from, &mut input);
        drop(input);
        if !tar.wait()?.success() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let said = said.lines().last().unwrap_or("it says nothing").to_owned();
            return Err(format!("the archive of volume {volume} cannot be unpacked: {said}").into());
        }
        copied.map_err(|error| format!("the archive of volume {volume} cannot be read: {error}"))?;
        has_volume(&into, volume)?;
        Ok(into)
    }
}

/// Whether the archive brought the folder of its volume.
fn has_volume(into: &Path, volume: &str) -> Result<(), Failure> {
    let is_folder = into.join(volume).symlink_metadata().is_ok_and(|found| found.is_dir());
    if is_folder { Ok(()) } else { Err(format!("the archive of volume {volume} has no folder {volume}").into()) }
}

fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A folder that its owner may not write would stay; the next import of the same begins anew all the same.
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("{}: {error}; remove it, it holds what moved in", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of these files.
    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o640);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_volume_is_unpacked_and_nothing_of_it_stays() {
        let work = tempfile::tempdir().unwrap();
        let stage = Stage::open(work.path(), &"a".repeat(64)).unwrap();
        let volume = stage.unpack("data", &*archive(&[("/data/collections/x", "x")])).unwrap();
        assert_eq!(std::fs::read_to_string(volume.join("data/collections/x")).unwrap(), "x");
        assert!(Stage::open(work.path(), &"a".repeat(64)).is_err(), "one at a time");
        drop(stage);
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_written_elsewhere() {
        let work = tempfile::tempdir().unwrap();
        let stage = Stage::open(work.path(), &"a".repeat(64)).unwrap();
        let _ = stage.unpack("data", &*archive(&[("../../../escaped", "x"), ("data/x", "x")]));
        assert!(!work.path().join("escaped").exists() && !work.path().join("../escaped").exists());
        assert!(stage.unpack("app", &*archive(&[("other/x", "x")])).unwrap_err().to_string().contains("no folder app"));
        assert!(stage.unpack("db", &b"no archive at all"[..]).is_err());
    }

    #[test]
    fn no_archive_is_unpacked_through_a_link_of_another_one() {
        let (work, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let stage = Stage::open(work.path(), &"a".repeat(64)).unwrap();
        let mut builder = tar::Builder::new(archive(&[("app/x", "x")])[..1024].to_vec());
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        builder.append_link(&mut link, "data", elsewhere.path()).unwrap();
        stage.unpack("app", &*builder.into_inner().unwrap()).unwrap();
        let volume = stage.unpack("data", &*archive(&[("data/x", "x")])).unwrap();
        assert_eq!(std::fs::read_to_string(volume.join("data/x")).unwrap(), "x");
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_that_somebody_put_there_is_not_followed() {
        let (work, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(elsewhere.path().join("theirs"), "x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), work.path().join(".commonscloud-import-aaaaaaaa")).unwrap();
        assert!(Stage::open(work.path(), &"a".repeat(64)).is_err_and(|error| error.to_string().contains("is a link")));
        assert!(elsewhere.path().join("theirs").exists());
    }

    #[test]
    fn what_one_that_was_killed_left_goes_first() {
        let work = tempfile::tempdir().unwrap();
        let left = work.path().join(".commonscloud-import-aaaaaaaa/volumes/data");
        std::fs::create_dir_all(&left).unwrap();
        std::fs::write(left.join("half"), "x").unwrap();
        let stage = Stage::open(work.path(), &"a".repeat(64)).unwrap();
        assert_eq!(std::fs::read_dir(stage.volumes()).unwrap().count(), 0);
    }
}
