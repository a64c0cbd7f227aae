//! A folder on this machine in which archives are unpacked: its owner's alone, and removed at the end.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use commonscloud_backup::exit::AGAIN;
use commonscloud_backup::report::one_line;
use commonscloud_cluster::command::Failure;

use crate::target::short;

/// Of what tar says so much is read.
const MOST_SAID: u64 = 64 << 10;
/// The longest line of it that is told.
const LONGEST: usize = 300;

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
        let own = path.join("volumes").symlink_metadata().map_err(told)?.uid();
        if path.symlink_metadata().map_err(told)?.uid() != own {
            return Err(
                format!("{}: somebody else made it, and could read what moves in; remove it", path.display()).into()
            );
        }
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
        let told = |error: io::Error| written(&path, &error);
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
        std::fs::create_dir(&into).map_err(|error| written(&into, &error))?;
        let mut tar = unpacking(&into, &log)?;
        let mut input = tar.stdin.take().ok_or("tar has no input")?;
        let copied = io::copy(&mut from, &mut input);
        drop(input);
        let is_unpacked = tar.wait()?.success();
        match copied {
            // Where tar ended before, it says why.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(format!("the archive of volume {volume} cannot be read: {error}").into());
            }
            Ok(_) if is_unpacked => {}
            _ => return Err(format!("the archive of volume {volume} cannot be unpacked: {}", why(&said(&log))).into()),
        }
        has_volume(&into, volume)?;
        Ok(into)
    }
}

/// tar, about to unpack what it is given into a folder.
fn unpacking(into: &Path, log: &Path) -> Result<Child, Failure> {
    let started = Command::new("tar")
        .args(["--extract", "--file=-", "--no-same-owner", "--preserve-permissions", "--delay-directory-restore"])
        .arg("--directory")
        .arg(into)
        // What it says is read here, and what its user is used to is not asked.
        .env("LC_ALL", "C.UTF-8")
        .env_remove("LANGUAGE")
        .env_remove("TAR_OPTIONS")
        // A terminal's Ctrl-C is for this program, which then closes what tar reads.
        .process_group(0)
        .stdin(Stdio::piped())
        // Nobody reads a pipe of it meanwhile.
        .stderr(File::create(log).map_err(|error| written(log, &error))?)
        .spawn();
    started.map_err(|error| format!("tar cannot be started: {error}").into())
}

fn said(log: &Path) -> String {
    let mut said = Vec::new();
    // Without it there is less to tell.
    let _ = File::open(log).and_then(|log| log.take(MOST_SAID).read_to_end(&mut said));
    String::from_utf8_lossy(&said).into_owned()
}

/// Why tar did not unpack something: what it says first, since it ends with giving up.
fn why(said: &str) -> String {
    let mut lines = said.lines().filter(|line| !line.contains(": Removing leading `"));
    let first = one_line(lines.next().unwrap_or("tar says nothing"), LONGEST);
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["No space left on device", "Disk quota exceeded"]) {
        format!("there is no room for it ({first}); --work names a folder with room")
    } else if says(&["Unexpected EOF", "does not look like a tar archive", "Skipping to next header"]) {
        format!("it is cut off, or no archive ({first}): {AGAIN}")
    } else {
        first
    }
}

/// A failure to write, with what to do where there is no room.
fn written(path: &Path, error: &io::Error) -> String {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let room = if is_full { "; --work names a folder with room" } else { "" };
    format!("{}: {error}{room}", path.display())
}

/// Whether the archive brought the folder of its volume.
fn has_volume(into: &Path, volume: &str) -> Result<(), Failure> {
    let is_folder = into.join(volume).symlink_metadata().is_ok_and(|found| found.is_dir());
    if is_folder { Ok(()) } else { Err(format!("the archive of volume {volume} has no folder {volume}").into()) }
}

fn remove(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return std::fs::remove_file(path);
    }
    // What is not ours to set is perhaps ours to remove.
    let _ = made_ours(path);
    std::fs::remove_dir_all(path)
}

/// Archives have folders that not even their owner may empty.
fn made_ours(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            made_ours(&entry.path())?;
        }
    }
    Ok(())
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
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

    /// What is sealed, where it was cut off.
    struct CutOff;

    impl Read for CutOff {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, "age file is truncated"))
        }
    }

    #[test]
    fn an_archive_that_is_cut_off_is_told_as_such_and_not_in_the_words_of_tar() {
        let work = tempfile::tempdir().unwrap();
        let stage = Stage::open(work.path(), &"a".repeat(64)).unwrap();
        let content = "x".repeat(5000);
        let whole = archive(&[("data/x", content.as_str())]);
        let error = stage.unpack("data", &whole[..2000]).unwrap_err().to_string();
        assert!(error.contains("cut off") && error.contains("commonscloud export"), "{error}");
        let begin = &whole[..1000];
        let error = stage.unpack("app", begin.chain(CutOff)).unwrap_err().to_string();
        assert!(error.contains("age file is truncated") && !error.contains("tar:"), "{error}");
    }

    #[test]
    fn a_terminal_ends_tar_by_this_program_alone() {
        let at = tempfile::tempdir().unwrap();
        let mut tar = unpacking(at.path(), &at.path().join("log")).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", tar.id())).unwrap();
        // Behind its name: state, parent, group.
        let group = stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap().to_owned();
        assert_eq!(group, tar.id().to_string());
        drop(tar.stdin.take());
        assert!(tar.wait().is_ok());
    }

    #[test]
    fn what_tar_says_last_is_not_why() {
        let full = "tar: Removing leading `/' from member names\ntar: data/x: Cannot write: No space left on device\n\
            tar: Exiting with failure status due to previous errors\n";
        let told = why(full);
        assert!(told.contains("data/x: Cannot write") && told.contains("--work"), "{told}");
        assert_eq!(
            why("tar: data/x: Cannot open: Permission denied\ntar: Exiting\n"),
            "tar: data/x: Cannot open: Permission denied"
        );
        assert!(why("").contains("nothing"));
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(written(Path::new("/srv/x"), &full).contains("--work"));
    }

    #[test]
    fn a_folder_that_its_owner_may_not_empty_is_emptied() {
        let at = tempfile::tempdir().unwrap();
        let closed = at.path().join("a/b");
        std::fs::create_dir_all(&closed).unwrap();
        std::fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
        made_ours(&at.path().join("a")).unwrap();
        assert_eq!(std::fs::metadata(&closed).unwrap().permissions().mode() & 0o777, 0o700);
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
