//! The folder of a package while it is made: what is done is written down, and whoever comes again goes on.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::hashed::{Written, hash};
use super::layout::{ExitManifest, MANIFEST, SUMS};
use crate::report::Failure;

/// What is done so far, until the package is whole.
pub(super) const PROGRESS: &str = ".unfinished.json";
/// What a file is called while it is written.
pub(super) const PART: &str = ".part";

/// The folder of a package, for one program at a time.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Its lock ends with this program, however that ends.
    _lock: File,
}

/// What is in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Empty,
    /// A package that somebody began.
    Unfinished(Box<ExitManifest>),
    /// A whole one.
    Whole(Box<ExitManifest>),
}

impl Folder {
    /// Opens a folder, and makes it where it is not there: for its owner alone.
    ///
    /// # Errors
    /// When another program makes a package in it, or it cannot be made.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt as _;
        let told = |error: io::Error| Failure::other(format!("{}: {error}", path.display()));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(told)?;
        let lock = File::open(path).map_err(told)?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => {
                Failure::other(format!("{}: another export is writing into it: wait for its end", path.display()))
            }
            std::fs::TryLockError::Error(error) => told(error),
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    ///
    /// # Errors
    /// When it holds something else, which nobody writes over.
    pub fn found(&self) -> Result<Found, Failure> {
        let read = |name: &str| match std::fs::read_to_string(self.path.join(name)) {
            Ok(text) => ExitManifest::read(&text).map(Some).map_err(|why| self.told(name, why)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.told(name, error)),
        };
        if self.path.join(SUMS).exists() {
            return match read(MANIFEST)? {
                Some(manifest) => Ok(Found::Whole(Box::new(manifest))),
                None => Err(self.told(MANIFEST, "it is not there, and the package was whole: give another folder")),
            };
        }
        if let Some(manifest) = read(PROGRESS)? {
            return Ok(Found::Unfinished(Box::new(manifest)));
        }
        let mut inside = std::fs::read_dir(&self.path).map_err(|error| self.told("", error))?;
        // A first progress that was not written to its end.
        let is_ours = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name == format!("{PROGRESS}{PART}"));
        match inside.find(|entry| !entry.as_ref().is_ok_and(|entry| is_ours(&entry.file_name()))) {
            None => Ok(Found::Empty),
            Some(_) => Err(self.told("", "it holds something else than a package: give an empty folder, or a new one")),
        }
    }

    /// Writes down how far it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn progress(&self, manifest: &ExitManifest) -> Result<(), Failure> {
        let text = manifest.text().map_err(|error| self.told(PROGRESS, error))?;
        self.place(PROGRESS, &text).map(drop)
    }

    /// Makes it whole: the manifest, then the sums of all.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn complete(&self, manifest: &ExitManifest) -> Result<(), Failure> {
        let text = manifest.text().map_err(|error| self.told(MANIFEST, error))?;
        let Written { sha256, .. } = self.place(MANIFEST, &text)?;
        self.place(SUMS, &manifest.sums(&sha256))?;
        match std::fs::remove_file(self.path.join(PROGRESS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.told(PROGRESS, error)),
            _ => Ok(()),
        }
    }

    /// A text, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn place(&self, name: &str, text: &str) -> Result<Written, Failure> {
        let told = |error: io::Error| self.told(name, error);
        let unfinished = self.path.join(format!("{name}{PART}"));
        let mut file = File::create(&unfinished).map_err(told)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(told)?;
        self.finished(name)?;
        hash(text.as_bytes()).map_err(told)
    }

    /// What was written as `{path}.part` is called `path` from now on.
    ///
    /// # Errors
    /// When it cannot be called so.
    pub(super) fn finished(&self, path: &str) -> Result<(), Failure> {
        let end = self.path.join(path);
        let renamed = std::fs::rename(self.path.join(format!("{path}{PART}")), &end);
        // The name is there after a power cut as well.
        let folder = end.parent().unwrap_or(&self.path);
        let synced = renamed.and_then(|()| File::open(folder)?.sync_all());
        synced.map_err(|error| self.told(path, error))
    }

    /// A failure about something in it.
    pub(super) fn told(&self, name: &str, why: impl std::fmt::Display) -> Failure {
        let path = if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        Failure::other(format!("{}: {why}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::tests::manifest;
    use super::*;

    #[test]
    fn a_package_is_begun_gone_on_with_and_whole() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("exit");
        let folder = Folder::open(&path).unwrap();
        assert_eq!(folder.found().unwrap(), Found::Empty);
        let begun = manifest(&[]);
        folder.progress(&begun).unwrap();
        assert_eq!(folder.found().unwrap(), Found::Unfinished(Box::new(begun)));
        let whole = manifest(&[("wiki/dump.sql", "aa")]);
        folder.complete(&whole).unwrap();
        assert_eq!(folder.found().unwrap(), Found::Whole(Box::new(whole)));
        let mut left: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [SUMS, MANIFEST]);
    }

    #[test]
    fn two_do_not_write_into_one_folder() {
        let at = tempfile::tempdir().unwrap();
        let first = Folder::open(at.path()).unwrap();
        assert!(Folder::open(at.path()).unwrap_err().message.contains("another export"));
        drop(first);
        Folder::open(at.path()).unwrap();
    }

    #[test]
    fn what_is_something_else_is_not_written_over() {
        let at = tempfile::tempdir().unwrap();
        std::fs::write(at.path().join("photo.jpg"), "x").unwrap();
        let error = Folder::open(at.path()).unwrap().found().unwrap_err();
        assert!(error.message.contains("empty folder"), "{error}");
    }
}
