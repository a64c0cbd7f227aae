//! Where images are kept, and the room in which one is made.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Error;

const DAY: Duration = Duration::from_hours(24);

/// How the names of sets of unpacked images begin.
const UNPACKED: &str = "unpacked-";

/// The folder of images below the user's cache.
pub(super) struct Cache {
    folder: PathBuf,
}

/// A folder for one build. It vanishes with the value; what a killed build left is removed by the
/// next one of the same name.
pub(super) struct Room {
    folder: tempfile::TempDir,
    started: SystemTime,
}

impl Room {
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// When the build began: what is newer was made by it and gets a constant time.
    pub(super) fn started(&self) -> SystemTime {
        self.started
    }
}

impl Cache {
    pub(super) fn open() -> Result<Self, Error> {
        let folder = crate::folders::cache()?.join("images");
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        Ok(Self { folder })
    }

    pub(super) fn image(&self, name: &str, digest: &str) -> PathBuf {
        self.folder.join(format!("{name}-{digest}.tar"))
    }

    pub(super) fn base(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("base-{digest}"))
    }

    pub(super) fn unpacked(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{UNPACKED}{digest}"))
    }

    /// A folder that outlives builds, such as the downloaded packages.
    pub(super) fn shared(&self, name: &str) -> Result<PathBuf, Error> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        Ok(folder)
    }

    /// Waits until no other process makes `name`. The lock ends with the returned file.
    pub(super) fn lock(&self, name: &str) -> Result<File, Error> {
        let path = self.folder.join(format!(".{name}.lock"));
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }

    /// A fresh room to make `name` in; its lock must be held.
    pub(super) fn room(&self, name: &str) -> Result<Room, Error> {
        let prefix = format!(".making-{name}-");
        // Another image's name may begin with this one's.
        let is_its = |path: &PathBuf| file_name(path).strip_prefix(&prefix).is_some_and(|rest| !rest.contains('-'));
        for left in self.entries()?.iter().filter(|path| is_its(path)) {
            std::fs::remove_dir_all(left).map_err(Error::io("remove", left))?;
        }
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&self.folder)
            .map_err(Error::io("create a folder in", &self.folder))?;
        Ok(Room { folder, started: SystemTime::now() })
    }

    /// Removes builds of the image `name` that are older than a day: each is as large as a root file
    /// system. Younger ones may belong to another checkout that is at work.
    pub(super) fn forget_old(&self, name: &str) {
        let Ok(entries) = self.entries() else { return };
        for path in entries.iter().filter(|path| is_build_of(name, path) && is_old(path)) {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "an old image stays in the cache");
            }
        }
    }

    /// Removes sets of unpacked images, but not the `kept` that were used last; their lock must be held.
    pub(super) fn forget_unpacked(&self, kept: usize) {
        let Ok(mut entries) = self.entries() else { return };
        entries.retain(|path| file_name(path).starts_with(UNPACKED));
        entries.sort_by_key(|path| std::cmp::Reverse(path.metadata().and_then(|metadata| metadata.modified()).ok()));
        for path in entries.iter().skip(kept) {
            if let Err(error) = std::fs::remove_dir_all(path) {
                tracing::warn!(path = %path.display(), %error, "an old set of unpacked images stays in the cache");
            }
        }
    }

    fn entries(&self) -> Result<Vec<PathBuf>, Error> {
        let entries = std::fs::read_dir(&self.folder).map_err(Error::io("read", &self.folder))?;
        Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_old(path: &Path) -> bool {
    let age = path.metadata().and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > DAY)
}

/// `NAME-DIGEST.tar`, the digest being hexadecimal: `nextcloud-old` is another image's name.
fn is_build_of(name: &str, path: &Path) -> bool {
    file_name(path)
        .strip_prefix(&format!("{name}-"))
        .and_then(|rest| rest.strip_suffix(".tar"))
        .is_some_and(|digest| digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_whose_name_begins_alike_is_not_an_older_build() {
        assert!(is_build_of("redis", Path::new("/c/redis-0123456789abcdef.tar")));
        assert!(!is_build_of("redis", Path::new("/c/redis-next-0123456789abcdef.tar")));
        assert!(!is_build_of("redis", Path::new("/c/redis-0123456789abcdef")));
    }

    #[test]
    fn the_sets_that_were_used_last_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache { folder: folder.path().to_path_buf() };
        for (age, digest) in ["newest", "second", "oldest"].iter().enumerate() {
            let path = cache.unpacked(digest);
            std::fs::create_dir(&path).unwrap();
            let used = SystemTime::now() - DAY * u32::try_from(age).unwrap();
            File::open(path).unwrap().set_modified(used).unwrap();
        }
        let other = cache.base("0");
        std::fs::create_dir(&other).unwrap();
        cache.forget_unpacked(2);
        let left = ["newest", "second", "oldest"].map(|digest| cache.unpacked(digest).exists());
        assert_eq!(left, [true, true, false]);
        assert!(other.exists());
    }

    #[test]
    fn a_new_room_removes_what_a_killed_build_left_and_only_that() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache { folder: folder.path().to_path_buf() };
        let left = folder.path().join(".making-redis-killed");
        let others = [".making-postgres-running", ".making-redis-next-running"].map(|name| folder.path().join(name));
        std::fs::create_dir(&left).unwrap();
        for other in &others {
            std::fs::create_dir(other).unwrap();
        }
        let room = cache.room("redis").unwrap();
        assert!(!left.exists());
        assert!(others.iter().all(|other| other.exists()));
        let path = room.path().to_path_buf();
        drop(room);
        assert!(!path.exists());
    }
}
