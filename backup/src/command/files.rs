//! A snapshot of the files of each volume.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum;

use super::{OF_THE_FILE_SYSTEM, Setting, backup, run_uid, snapshot_id, stored};
use commonscloud_api::SnapshotPartKind;
use commonscloud_backup::manifest::is_part_name;
use commonscloud_backup::report::{Failure, MOST_TREES, Outcome, StoredPart};
use commonscloud_backup::restic::{self, INCOMPLETE, Snapshot};

#[derive(Debug, clap::Args)]
pub struct Files {
    /// The uid of the ServiceBackup.
    #[arg(long, value_parser = run_uid)]
    run: String,
    /// `first`: while people work; what changes meanwhile may be missing. `files`: whole, or it fails.
    #[arg(long)]
    tag: Pass,
    /// Snapshots of which files that did not change are taken, each for the volume that it is of. Never a snapshot
    /// that the operator did not record: who writes one chooses what is taken for unchanged.
    #[arg(long, value_parser = snapshot_id)]
    parent: Vec<String>,
    /// What is left out, below the volume.
    #[arg(long, value_name = "VOLUME=PATTERN")]
    exclude: Vec<Exclude>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pass {
    First,
    Files,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Exclude {
    volume: String,
    pattern: String,
}

impl FromStr for Exclude {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((volume, pattern)) if is_part_name(volume) && !pattern.is_empty() => {
                Ok(Self { volume: volume.to_owned(), pattern: pattern.to_owned() })
            }
            _ => Err("give VOLUME=PATTERN, for example data=cache/**".to_owned()),
        }
    }
}

pub async fn files(setting: &Setting, wanted: Files) -> Result<Outcome, Failure> {
    let volumes = volumes(&setting.places.volumes)?;
    let unknown = wanted.exclude.iter().find(|exclude| !volumes.contains(&exclude.volume));
    if let Some(Exclude { volume, .. }) = unknown {
        return Err(Failure::other(format!("--exclude: no volume {volume:?} is mounted; there are {volumes:?}")));
    }
    let parents = snapshots(setting, &wanted.parent).await?;
    let mut parts = Vec::new();
    for volume in &volumes {
        match tree(setting, &wanted, volume, &parents).await {
            Ok(part) => parts.push(part),
            Err(failure) => return Ok(Outcome::half(parts, failure)),
        }
    }
    Ok(Outcome::Stored { parts })
}

/// Those of these snapshots that are there.
pub async fn snapshots(setting: &Setting, ids: &[String]) -> Result<Vec<Snapshot>, Failure> {
    restic::snapshots(&setting.restic, ids, setting.left()).await
}

async fn tree(setting: &Setting, wanted: &Files, volume: &str, parents: &[Snapshot]) -> Result<StoredPart, Failure> {
    let folder = &setting.places.volumes;
    let tag = format!("part:{volume}");
    let parent = parents.iter().find(|parent| parent.tags.contains(&tag));
    let excluded = wanted.exclude.iter().filter(|exclude| exclude.volume == volume).map(|exclude| &*exclude.pattern);
    let mut call = match wanted.tag {
        Pass::First => backup(&wanted.run, "first", volume).tolerates(INCOMPLETE),
        Pass::Files => backup(&wanted.run, "files", volume),
    };
    call = match parent {
        Some(parent) => call.args(["--parent", &parent.id]),
        None => call.arg("--force"),
    };
    for pattern in excluded.chain([OF_THE_FILE_SYSTEM]) {
        call = call.arg("--exclude").arg(below(folder, volume, pattern));
    }
    let answer = setting.run(call.folder(folder).arg("--").arg(volume)).await?;
    if let Some(failure) = &answer.failure {
        eprintln!("{volume}, while people work: {failure}");
    }
    stored(volume, SnapshotPartKind::Files, &answer)
}

/// The pattern for this volume alone, whatever it begins with.
fn below(folder: &Path, volume: &str, pattern: &str) -> PathBuf {
    folder.join(volume).join(pattern.trim_start_matches('/'))
}

/// The volumes that are mounted, sorted.
pub fn volumes(folder: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error: std::io::Error| Failure::other(format!("{}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    if let Some(name) = names.iter().find(|name| !is_part_name(name)) {
        return Err(Failure::other(format!("{}: {name:?} is not the name of a volume", folder.display())));
    }
    match names.len() {
        1..=MOST_TREES => Ok(names),
        count => Err(Failure::other(format!("{}: {count} volumes, allowed: 1 to {MOST_TREES}", folder.display()))),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn an_exclusion_is_of_one_volume() {
        let exclude: Exclude = "data=a=b/**".parse().unwrap();
        assert_eq!((exclude.volume.as_str(), exclude.pattern.as_str()), ("data", "a=b/**"));
    }

    #[test_case("cache/**"; "no volume")]
    #[test_case("data="; "no pattern")]
    #[test_case("../data=x"; "a path")]
    fn an_exclusion_of_nothing_is_refused(text: &str) {
        assert!(text.parse::<Exclude>().unwrap_err().contains("VOLUME=PATTERN"));
    }

    #[test_case("cache/**"; "below")]
    #[test_case("/cache/**"; "from the volume's root")]
    fn a_pattern_stays_in_its_volume(pattern: &str) {
        assert_eq!(below(Path::new("/volumes"), "data", pattern), Path::new("/volumes/data/cache/**"));
    }

    #[test]
    fn a_negated_pattern_is_a_name() {
        assert_eq!(below(Path::new("/volumes"), "data", "!x"), Path::new("/volumes/data/!x"));
    }

    #[test]
    fn nothing_mounted_is_no_backup_of_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(volumes(folder.path()).unwrap_err().message.contains("0 volumes"));
        std::fs::create_dir(folder.path().join("data")).unwrap();
        assert_eq!(volumes(folder.path()).unwrap(), ["data"]);
    }
}
