//! Files of a volume, back from a snapshot: all of them into an empty volume, or a part beside what is there.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{OF_THE_FILE_SYSTEM, Setting, compare, snapshot_id};
use commonscloud_backup::manifest::is_part_name;
use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use commonscloud_backup::restic::{Call, Restored, literal};

/// Where a part is until it is whole.
const UNFINISHED: &str = ".commonscloud-restore";
/// It names the snapshot that a volume is being filled from.
const FILLING: &str = ".commonscloud-filling";
/// How many parts of one name may be restored in a day.
const MOST_OF_A_DAY: u32 = 1000;

#[derive(Debug, clap::Args)]
pub struct Restore {
    /// The snapshot of the volume's files.
    #[arg(long, value_parser = snapshot_id)]
    snapshot: String,
    /// The volume: its name in the package.
    #[arg(long, value_parser = volume_name)]
    volume: String,
    /// A file or folder of it, which comes back beside what is there.
    #[arg(long)]
    path: Option<PathBuf>,
}

fn volume_name(text: &str) -> Result<String, String> {
    if is_part_name(text) {
        Ok(text.to_owned())
    } else {
        Err("give the volume's name in the package: a-z, 0-9".to_owned())
    }
}

pub async fn restore(setting: &Setting, wanted: Restore) -> Result<Outcome, Failure> {
    let target = setting.places.volumes.join(&wanted.volume);
    if !target.is_dir() {
        return Err(Failure::other(format!("no volume is mounted at {}", target.display())));
    }
    let restored = match &wanted.path {
        None => whole(setting, &wanted, &target).await,
        Some(path) => part(setting, &wanted, path, &target).await,
    };
    restored.map_err(|failure| match failure.reason {
        // Not the target's: here it is the volume that is written.
        FailureReason::TargetFull | FailureReason::Other => {
            Failure::other(format!("volume {}: {}", wanted.volume, failure.message))
        }
        _ => failure,
    })
}

async fn whole(setting: &Setting, wanted: &Restore, target: &Path) -> Result<Outcome, Failure> {
    if let Begun::NotEmpty(message) = begin(target, &wanted.snapshot).map_err(Failure::other)? {
        // Another volume of the same Job was not restored to its end: this one was.
        let is_restored = compare::differences(setting, &wanted.snapshot, &wanted.volume).await?.is_empty();
        return if is_restored { Ok(Outcome::Restored { bytes: 0, files: 0 }) } else { Err(Failure::other(message)) };
    }
    let restored = into(setting, "--verify", source(wanted, Path::new("")), None, target).await?;
    let mark = target.join(FILLING);
    remove(&mark).map_err(|error| Failure::other(format!("{}: {error}", mark.display())))?;
    Ok(outcome(&restored))
}

#[derive(Debug, PartialEq, Eq)]
enum Begun {
    /// The volume is marked.
    Marked,
    /// Nobody marked what is in it.
    NotEmpty(String),
}

/// Marks a volume that has nothing but what its file system brought. One that has this mark goes on: whoever filled
/// it from this snapshot was killed.
fn begin(volume: &Path, snapshot: &str) -> Result<Begun, String> {
    let told = |error: io::Error| format!("{}: {error}", volume.display());
    let mark = volume.join(FILLING);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(volume).map_err(told)? {
        found.push(entry.map_err(told)?.file_name());
    }
    found.retain(|name| name != FILLING && name != OF_THE_FILE_SYSTEM);
    let Some(first) = found.iter().min() else {
        return std::fs::write(mark, snapshot).map(|()| Begun::Marked).map_err(told);
    };
    match std::fs::read_to_string(&mark) {
        Ok(of) if of == snapshot => Ok(Begun::Marked),
        Ok(of) => Err(format!("it is half filled from snapshot {of:?}: restore {snapshot} into a new volume")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let first = first.display().to_string();
            Ok(Begun::NotEmpty(format!("it is not empty, there is {first:?}: restore into a new volume")))
        }
        Err(error) => Err(told(error)),
    }
}

/// What is restored: a folder of the snapshot.
fn source(wanted: &Restore, folder: &Path) -> OsString {
    let mut source = OsString::from(format!("{}:/{}", wanted.snapshot, wanted.volume));
    for part in folder.components() {
        source.push("/");
        source.push(part);
    }
    source
}

/// `how`: `--verify`, or `--dry-run`, which writes nothing and counts the same.
async fn into(
    setting: &Setting,
    how: &str,
    source: OsString,
    only: Option<&OsStr>,
    target: &Path,
) -> Result<Restored, Failure> {
    // What only root may set would fail for everybody else.
    let mut call = Call::reading("restore").args([how, "--sparse", "--exclude-xattr", "security.*"]);
    if let Some(pattern) = only {
        call = call.arg("--include").arg(pattern);
    }
    let answer = setting.run(call.arg("--target").arg(target).arg("--").arg(source)).await?;
    answer.last("summary")
}

/// A volume that is full keeps everybody from writing: nothing begins that would fill it.
fn has_room(volume: &Path, needed: u64) -> Result<(), String> {
    let known = rustix::fs::statvfs(volume).map_err(|error| error.to_string())?;
    let left = known.f_bavail.saturating_mul(known.f_frsize);
    if needed < left {
        return Ok(());
    }
    Err(format!("it takes {needed} bytes, and {left} are left: raise the service's quota, or remove something first"))
}

async fn part(setting: &Setting, wanted: &Restore, path: &Path, volume: &Path) -> Result<Outcome, Failure> {
    let told = |error: &dyn std::fmt::Display| Failure::other(format!("--path {}: {error}", path.display()));
    let (folder, name) = split(path).ok_or_else(|| told(&"give a path below the volume, without .."))?;
    let unfinished = volume.join(UNFINISHED);
    // A run that was killed leaves this behind.
    remove(&unfinished).map_err(|error| told(&error))?;
    let mut only = OsString::from("/");
    if name.to_str().is_none() {
        return Err(Failure::other("--path: restic takes names in UTF-8 only; restore the folder"));
    }
    only.push(literal(name));
    let needed = into(setting, "--dry-run", source(wanted, folder), Some(&only), &unfinished).await?.bytes_restored;
    has_room(volume, needed).map_err(|why| {
        Failure::new(FailureReason::NoRoom, format!("volume {}, {}: {why}", wanted.volume, path.display()))
    })?;
    let restored = into(setting, "--verify", source(wanted, folder), Some(&only), &unfinished).await;
    let placed = match (&restored, unfinished.join(name).symlink_metadata()) {
        (Ok(_), Ok(_)) => place(volume, folder, name, &unfinished.join(name)).map_err(|error| told(&error)),
        (Ok(_), Err(_)) => Err(told(&"the snapshot has nothing of this name")),
        (Err(_), _) => Ok(()),
    };
    let removed = remove(&unfinished).map_err(|error| told(&error));
    restored.and_then(|restored| placed.and(removed).map(|()| outcome(&restored)))
}

const fn outcome(restored: &Restored) -> Outcome {
    Outcome::Restored { bytes: restored.bytes_restored, files: restored.files_restored }
}

/// The folder and the name, if the path stays where it begins.
fn split(path: &Path) -> Option<(&Path, &Path)> {
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    is_below.then(|| Some((path.parent()?, Path::new(path.file_name()?)))).flatten()
}

/// Beside what is there, under a name that nobody has.
fn place(volume: &Path, folder: &Path, name: &Path, restored: &Path) -> io::Result<()> {
    let mut at = volume.to_owned();
    for part in folder.components() {
        at.push(part);
        // Never through a link: it may lead out of the volume.
        match at.symlink_metadata().map(|found: Metadata| found.is_dir()) {
            Ok(true) => {}
            Ok(false) => return Err(io::Error::other(format!("{} is no folder any more", at.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir(&at)?,
            Err(error) => return Err(error),
        }
    }
    let day = Timestamp::now().to_zoned(TimeZone::UTC).date();
    for number in 1..=MOST_OF_A_DAY {
        let mut beside = name.as_os_str().to_owned();
        beside.push(if number == 1 { format!(" (restored {day})") } else { format!(" (restored {day}, {number})") });
        let beside = at.join(beside);
        if beside.symlink_metadata().is_err() {
            return std::fs::rename(restored, beside);
        }
    }
    Err(io::Error::other(format!("restored {MOST_OF_A_DAY} times today: remove some of them")))
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("a"; "a file")]
    #[test_case("a/b"; "a file of a folder")]
    fn a_part_is_below_the_volume(path: &str) {
        assert!(split(Path::new(path)).is_some());
    }

    #[test_case(""; "nothing")]
    #[test_case("/etc"; "from the root")]
    #[test_case("../x"; "above")]
    #[test_case("a/../../x"; "above by a detour")]
    fn a_path_that_leads_out_is_refused(path: &str) {
        assert!(split(Path::new(path)).is_none());
    }

    #[test]
    fn a_whole_volume_comes_into_an_empty_one() {
        let (volume, snapshot) = (tempfile::tempdir().unwrap(), "a".repeat(64));
        std::fs::create_dir(volume.path().join("lost+found")).unwrap();
        for snapshot in [&snapshot, &"b".repeat(64)] {
            assert_eq!(begin(volume.path(), snapshot), Ok(Begun::Marked));
        }
        std::fs::remove_file(volume.path().join(FILLING)).unwrap();
        std::fs::write(volume.path().join("essay"), "mine").unwrap();
        let Begun::NotEmpty(message) = begin(volume.path(), &snapshot).unwrap() else { panic!("it is not empty") };
        assert!(message.contains("essay"), "{message}");
        assert!(!volume.path().join(FILLING).exists());
    }

    #[test]
    fn a_restore_that_was_killed_goes_on_and_no_other_one_does() {
        let (volume, snapshot) = (tempfile::tempdir().unwrap(), "a".repeat(64));
        for text in ["half", "whole"] {
            assert_eq!(begin(volume.path(), &snapshot), Ok(Begun::Marked));
            std::fs::write(volume.path().join("essay"), text).unwrap();
        }
        assert!(begin(volume.path(), &"b".repeat(64)).unwrap_err().contains(&snapshot));
    }

    #[test]
    fn what_is_there_is_never_replaced() {
        let volume = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let restored = volume.path().join("new");
            std::fs::write(&restored, "x").unwrap();
            place(volume.path(), Path::new("a/b"), Path::new("c"), &restored).unwrap();
        }
        let names: Vec<_> = std::fs::read_dir(volume.path().join("a/b")).unwrap().collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn what_a_volume_has_no_room_for_is_not_begun() {
        let volume = tempfile::tempdir().unwrap();
        assert_eq!(has_room(volume.path(), 0), Ok(()));
        let refused = has_room(volume.path(), u64::MAX).unwrap_err();
        assert!(refused.contains("quota"), "{refused}");
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let (volume, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), volume.path().join("a")).unwrap();
        let restored = volume.path().join("new");
        std::fs::write(&restored, "x").unwrap();
        assert!(place(volume.path(), Path::new("a"), Path::new("c"), &restored).is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
