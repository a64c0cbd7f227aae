//! What lies in a folder, by names, sizes and times: what tells it from anything else, and whether somebody wrote.

use std::collections::BTreeSet;
use std::fs::{DirEntry, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use commonscloud_backup::exit::hash;

/// All that is below a folder and is none itself, sorted; nothing was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) files: Vec<SeenFile>,
}

/// A file as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenFile {
    /// Below the folder.
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
    /// It was not followed.
    pub(super) is_link: bool,
}

impl Seen {
    /// Looks at all of it.
    ///
    /// # Errors
    /// Which folder or file cannot be looked at.
    pub(super) fn below(folder: &Path) -> Result<Self, String> {
        let mut seen = Self::default();
        seen.look(folder, Path::new(""))?;
        Ok(seen)
    }

    fn look(&mut self, folder: &Path, at: &Path) -> Result<(), String> {
        let told = |path: &Path, error: io::Error| format!("{}: {error}", shown(&folder.join(path)));
        let entries = std::fs::read_dir(folder.join(at)).and_then(Iterator::collect::<io::Result<Vec<DirEntry>>>);
        let mut entries = entries.map_err(|error| told(at, error))?;
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            let path = at.join(entry.file_name());
            let found = entry.metadata().map_err(|error| told(&path, error))?;
            if found.is_dir() {
                self.look(folder, &path)?;
            } else {
                self.add(path.clone(), &found).map_err(|error| told(&path, error))?;
            }
        }
        Ok(())
    }

    /// Looks at these alone, sorted; what is gone is none.
    ///
    /// # Errors
    /// Which one cannot be looked at.
    pub(super) fn of<'p>(folder: &Path, paths: impl Iterator<Item = &'p Path>) -> Result<Self, String> {
        let mut seen = Self::default();
        for path in paths.collect::<BTreeSet<&Path>>() {
            let told = |error: io::Error| format!("{}: {error}", shown(&folder.join(path)));
            match folder.join(path).symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                found => seen.add(path.to_owned(), &found.map_err(told)?).map_err(told)?,
            }
        }
        Ok(seen)
    }

    /// These alone of what was seen, sorted as [`Seen::of`] has them.
    pub(super) fn only<'p>(mut self, paths: impl Iterator<Item = &'p Path>) -> Self {
        let paths: BTreeSet<&Path> = paths.collect();
        self.files.retain(|file| paths.contains(file.path.as_path()));
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self
    }

    fn add(&mut self, path: PathBuf, found: &Metadata) -> io::Result<()> {
        let (bytes, modified, is_link) = (found.len(), found.modified()?, found.is_symlink());
        self.files.push(SeenFile { path, bytes, modified, is_link });
        Ok(())
    }

    /// 64 of 0-9 and a-f that are others where anything is another.
    ///
    /// # Errors
    /// Never for what is in memory.
    pub(super) fn fingerprint(&self, folder: &Path) -> io::Result<String> {
        let mut text = folder.as_os_str().as_encoded_bytes().to_vec();
        for file in &self.files {
            let modified = file.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            text.push(0);
            text.extend_from_slice(file.path.as_os_str().as_encoded_bytes());
            text.extend_from_slice(format!("\0{} {modified}", file.bytes).as_bytes());
        }
        Ok(hash(&*text)?.sha256)
    }

    /// What is not any more as it was, is new or gone. None: all is as it was.
    pub(super) fn changed<'s>(&'s self, now: &'s Self) -> Option<&'s Path> {
        let longest = self.files.len().max(now.files.len());
        (0..longest).find_map(|at| match (self.files.get(at), now.files.get(at)) {
            (Some(before), Some(after)) if before == after => None,
            (before, after) => [before, after].into_iter().flatten().map(|file| file.path.as_path()).min(),
        })
    }
}

/// A path on one line: whoever made the folder chose its names, and a terminal would do what they say.
pub(super) fn shown(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// Opens a file of a folder: it itself, no link to one, and none that can be changed by another name.
///
/// # Errors
/// Why not.
pub(super) fn opened(folder: &Path, name: &str) -> Result<File, String> {
    let path = folder.join(name);
    let found = path.symlink_metadata().map_err(|error| error.to_string())?;
    if found.is_symlink() {
        return Err("it is a link, and links are not followed: put the file itself here".to_owned());
    }
    if !found.is_file() {
        return Err("it is no file".to_owned());
    }
    if found.nlink() > 1 {
        return Err("it is a hard link, and can be changed by its other name: put a copy here".to_owned());
    }
    File::open(path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_meanwhile_is_named() {
        let at = tempfile::tempdir().unwrap();
        std::fs::create_dir(at.path().join("b")).unwrap();
        for name in ["a", "b/x", "c"] {
            std::fs::write(at.path().join(name), name).unwrap();
        }
        let before = Seen::below(at.path()).unwrap();
        assert_eq!(before.changed(&Seen::below(at.path()).unwrap()), None);
        std::fs::write(at.path().join("b/x"), "longer than it was").unwrap();
        assert_eq!(before.changed(&Seen::below(at.path()).unwrap()), Some(Path::new("b/x")));
        std::fs::remove_file(at.path().join("a")).unwrap();
        assert_eq!(before.changed(&Seen::below(at.path()).unwrap()), Some(Path::new("a")));
        std::fs::write(at.path().join("Z"), "new").unwrap();
        assert_eq!(before.changed(&Seen::below(at.path()).unwrap()), Some(Path::new("Z")));
    }

    #[test]
    fn what_nobody_asks_for_may_change() {
        let at = tempfile::tempdir().unwrap();
        let look = || Seen::of(at.path(), [Path::new("b"), Path::new("a")].into_iter()).unwrap();
        std::fs::write(at.path().join("a"), "a").unwrap();
        let before = look();
        std::fs::write(at.path().join("notes.txt"), "x").unwrap();
        assert_eq!(before.changed(&look()), None);
        std::fs::write(at.path().join("b"), "b").unwrap();
        assert_eq!(before.changed(&look()), Some(Path::new("b")));
    }

    #[test]
    fn what_was_changed_since_the_first_look_is_named_whenever_it_is_known_what_is_asked_for() {
        let at = tempfile::tempdir().unwrap();
        std::fs::create_dir(at.path().join("b")).unwrap();
        for name in ["a", "b/x", "b.txt"] {
            std::fs::write(at.path().join(name), name).unwrap();
        }
        let first = Seen::below(at.path()).unwrap();
        std::fs::write(at.path().join("b/x"), "while it was read").unwrap();
        let asked = || ["b.txt", "b/x"].map(Path::new).into_iter();
        assert_eq!(first.clone().only(asked()).files.len(), 2);
        let now = Seen::of(at.path(), asked()).unwrap();
        assert_eq!(first.only(asked()).changed(&now), Some(Path::new("b/x")));
        assert_eq!(Seen::below(at.path()).unwrap().only(asked()).changed(&now), None, "in one order");
    }

    #[test]
    fn what_cannot_be_looked_at_is_named_on_one_line() {
        let error = Seen::below(Path::new("/nowhere/a\n\u{1b}[2J")).unwrap_err();
        assert!(error.contains("/nowhere/a\\n") && !error.contains(char::is_control), "{error:?}");
    }
}
