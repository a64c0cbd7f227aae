//! Whether what was restored is what was backed up: the state that `verify` writes, and the hashes that restic has of
//! each file.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Setting, Stream, files, manifest, pipes, receive};
use commonscloud_api::SnapshotPartKind;
use commonscloud_backup::manifest::Manifest;
use commonscloud_backup::report::{Failure, FailureReason, MOST_DIFFERENCES, Outcome, StoredPart};
use commonscloud_backup::restic::{Answer, Call, FileStatus, MOST_OF_A_DOCUMENT, Restored, Snapshot};

pub async fn compare(setting: &Setting, snapshot: &str) -> Result<Outcome, Failure> {
    let compared = compared(setting, snapshot).await;
    if compared.is_err() {
        // `verify` may not have opened its pipe yet, and would wait there.
        pipes::abandon(&setting.places.stream, Stream::Verify);
    }
    compared
}

async fn compared(setting: &Setting, snapshot: &str) -> Result<Outcome, Failure> {
    let manifest = manifest::read(setting, snapshot).await?;
    let mut differences = state(setting, &manifest).await?;
    if setting.places.volumes.is_dir() {
        for volume in files::volumes(&setting.places.volumes)? {
            differences.extend(tree(setting, &manifest, &volume).await?);
        }
    }
    differences.truncate(MOST_DIFFERENCES);
    Ok(Outcome::Compared { differences })
}

fn part<'m>(manifest: &'m Manifest, kind: SnapshotPartKind, name: &str) -> Option<&'m StoredPart> {
    manifest.parts.iter().find(|part| part.kind == kind && part.name == name)
}

async fn state(setting: &Setting, manifest: &Manifest) -> Result<Vec<String>, Failure> {
    let (name, kind) = Stream::Verify.part();
    let folder = setting.places.stream.clone();
    let recorded = match (part(manifest, kind, name), pipes::is_pipe(&Stream::Verify.pipe(&folder))) {
        (Some(recorded), true) => Some(recorded),
        // Nobody made one of it where it comes from; that `verify` can read all of it is shown.
        (None, true) if manifest.imported => None,
        (None, false) => return Ok(Vec::new()),
        // Nothing of a stream is in this pod: `verify` runs in another.
        (Some(_), false) if !folder.is_dir() => return Ok(Vec::new()),
        (Some(_), false) => return Err(Failure::other("the backup has a state, and no verify runs: there is no pipe")),
        (None, true) => return Err(Failure::other("verify runs, and the backup has no state to compare with")),
    };
    let reading = tokio::task::spawn_blocking(move || receive::read(&folder, Stream::Verify));
    let read = setting.wait("verify", reading).await?;
    let now = read.map_err(|error| error.to_string()).and_then(|read| read);
    let now = now.map_err(|error| Failure::new(FailureReason::HalfStream, format!("verify: {error}")))?;
    let Some(recorded) = recorded else { return Ok(Vec::new()) };
    let call = Call::reading("dump").arg(&recorded.snapshot).arg(format!("/{name}")).most(MOST_OF_A_DOCUMENT);
    let recorded = setting.run(call).await?.text();
    Ok(of_states(&recorded, &now))
}

/// What differs between two states, line by line and in whatever order.
fn of_states(recorded: &str, now: &str) -> Vec<String> {
    let mut lines: BTreeMap<&str, i64> = BTreeMap::new();
    for line in recorded.lines() {
        *lines.entry(line).or_default() += 1;
    }
    for line in now.lines() {
        *lines.entry(line).or_default() -= 1;
    }
    let mut differences = Vec::new();
    let mut unexpected: Vec<&str> = lines.iter().filter(|(_, count)| **count < 0).map(|(line, _)| *line).collect();
    for (line, _) in lines.iter().filter(|(_, count)| **count > 0) {
        let (name, value) = of_line(line);
        match unexpected.iter().position(|other| of_line(other).0 == name) {
            Some(at) => {
                let (_, other) = of_line(unexpected.remove(at));
                differences.push(format!("{}: {value} when backed up, {other} now", name.join(" ")));
            }
            None => differences.push(format!("missing: {line}")),
        }
    }
    differences.extend(unexpected.iter().map(|line| format!("not in the backup: {line}")));
    differences
}

/// `table page 1200 9f86d0…`: what it is about, and the rest.
fn of_line(line: &str) -> (Vec<&str>, String) {
    let mut words = line.splitn(3, ' ');
    let name: Vec<&str> = words.by_ref().take(2).collect();
    (name, words.next().unwrap_or_default().to_owned())
}

async fn tree(setting: &Setting, manifest: &Manifest, volume: &str) -> Result<Vec<String>, Failure> {
    let Some(recorded) = part(manifest, SnapshotPartKind::Files, volume) else {
        return Err(Failure::other(format!("volume {volume} is mounted, and the backup has no files of it")));
    };
    let told = differences(setting, &recorded.snapshot, volume).await?;
    Ok(told.into_iter().take(MOST_DIFFERENCES).map(|text| format!("volume {volume}: {text}")).collect())
}

/// What differs between a volume and a snapshot of it, the worst first: a restore that would write it, and does not.
pub async fn differences(setting: &Setting, id: &str, volume: &str) -> Result<Vec<String>, Failure> {
    let target = setting.places.volumes.join(volume);
    let snapshot = files::snapshots(setting, &[id.to_owned()]).await?.pop();
    let gone = || Failure::new(FailureReason::Damaged, format!("snapshot {id} of volume {volume} is gone"));
    let mut call = Call::reading("restore").args(["--dry-run", "--overwrite", "always", "--delete", "--verbose=2"]);
    for pattern in left_out(&snapshot.ok_or_else(gone)?) {
        call = call.arg("--exclude").arg(pattern);
    }
    let answer = setting.run(call.arg("--target").arg(&target).arg("--").arg(format!("{id}:/{volume}"))).await?;
    of_restore(&answer, &target)
}

/// That nothing differs is believed only when restic came to its end.
fn of_restore(answer: &Answer, target: &Path) -> Result<Vec<String>, Failure> {
    answer.last::<Restored>("summary")?;
    let told = answer.all::<FileStatus>("verbose_status").filter_map(|status| of_file(&status, target));
    let mut told: Vec<(Rank, String)> = told.collect();
    told.sort_by_key(|(rank, _)| *rank);
    Ok(told.into_iter().map(|(_, text)| text).collect())
}

/// What was not backed up, as patterns from the volume's root.
fn left_out(snapshot: &Snapshot) -> Vec<String> {
    let Some(root) = snapshot.paths.first() else { return Vec::new() };
    let below = snapshot.excludes.iter().filter_map(|pattern| pattern.strip_prefix(root.as_str()));
    below.filter(|pattern| pattern.starts_with('/')).map(str::to_owned).collect()
}

/// The worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Differs,
    Missing,
    Unexpected,
}

fn of_file(status: &FileStatus, volume: &Path) -> Option<(Rank, String)> {
    let item = status.item.as_str();
    if status.action == "deleted" {
        let item = Path::new(item).strip_prefix(volume).unwrap_or(Path::new(item));
        return Some((Rank::Unexpected, format!("{:?} was not there", item.display().to_string())));
    }
    let name = item.trim_start_matches('/');
    let found = volume.join(name).symlink_metadata().ok();
    // restic has no bytes for such a name in its words, and so nobody finds the file.
    let is_findable = !item.contains(char::REPLACEMENT_CHARACTER);
    match rank(status, found.as_ref(), is_findable)? {
        Rank::Missing => Some((Rank::Missing, format!("{name:?} is missing"))),
        rank => Some((rank, format!("{name:?} has another content"))),
    }
}

/// restic tells a folder, a link and a second name of a file as if it made each anew, without a size.
fn rank(status: &FileStatus, found: Option<&Metadata>, is_findable: bool) -> Option<Rank> {
    match (status.action.as_str(), found) {
        ("updated", _) => Some(Rank::Differs),
        ("restored", None) => (is_findable || status.size > 0).then_some(Rank::Missing),
        ("restored", Some(_)) if status.size > 0 => Some(Rank::Differs),
        ("restored", Some(found)) => {
            (found.is_file() && found.len() > 0 && found.nlink() == 1).then_some(Rank::Differs)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use test_case::test_case;
    use tokio::sync::watch;

    use super::super::Places;
    use super::*;
    use commonscloud_backup::restic::Restic;

    const STATE: &str = "table page 1200 9f86\ntable user 3 aa01\n";

    #[test_case(STATE; "the same")]
    #[test_case("table user 3 aa01\ntable page 1200 9f86"; "in another order")]
    fn equal_states_have_no_differences(now: &str) {
        assert_eq!(of_states(STATE, now), Vec::<String>::new());
    }

    #[test_case("table page 1201 77ab\ntable user 3 aa01\n", "table page: 1200 9f86 when backed up, 1201 77ab now"; "a changed row")]
    #[test_case("table user 3 aa01\n", "missing: table page 1200 9f86"; "a table that is gone")]
    #[test_case("table page 1200 9f86\ntable user 3 aa01\ntable x 0 00\n", "not in the backup: table x 0 00"; "a table more")]
    #[test_case("table page 1200 9f86\ntable user 3 aa01\ntable user 3 aa01\n", "not in the backup: table user 3 aa01"; "a line twice")]
    fn each_difference_is_told(now: &str, told: &str) {
        assert_eq!(of_states(STATE, now), [told]);
    }

    #[test]
    fn an_empty_state_is_not_equal_to_any() {
        assert_eq!(of_states(STATE, "").len(), 2);
    }

    fn status(action: &str, size: u64) -> FileStatus {
        FileStatus { action: action.to_owned(), item: "/x".to_owned(), size }
    }

    #[test]
    fn what_restic_would_do_says_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        std::fs::write(&file, "x").unwrap();
        let (file, folder) = (file.metadata().unwrap(), folder.path().metadata().unwrap());
        assert_eq!(rank(&status("updated", 1), Some(&file), true), Some(Rank::Differs));
        assert_eq!(rank(&status("restored", 1), Some(&file), true), Some(Rank::Differs));
        assert_eq!(rank(&status("restored", 0), Some(&file), true), Some(Rank::Differs), "it was empty");
        assert_eq!(rank(&status("restored", 0), Some(&folder), true), None);
        assert_eq!(rank(&status("restored", 0), None, true), Some(Rank::Missing));
        assert_eq!(rank(&status("restored", 0), None, false), None, "a name that is no UTF-8");
        assert_eq!(rank(&status("restored", 9), None, false), Some(Rank::Missing));
    }

    #[test]
    fn silence_is_no_equality() {
        let folder = tempfile::tempdir().unwrap();
        let summary = r#"{"message_type":"summary","total_files":1,"files_restored":0}"#;
        let gone = r#"{"message_type":"verbose_status","action":"restored","item":"/x","size":3}"#;
        let told = |lines: &[&str]| of_restore(&Answer::of(lines), folder.path());
        assert!(told(&[]).unwrap_err().message.contains("summary"));
        assert!(told(&[gone]).is_err());
        assert_eq!(told(&[summary]).unwrap(), Vec::<String>::new());
        assert_eq!(told(&[gone, summary]).unwrap(), [r#""x" is missing"#]);
    }

    #[tokio::test]
    async fn verify_never_waits_at_the_pipe_of_a_comparison_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        pipes::make(&path, &[Stream::Verify]).unwrap();
        let (_stop, stopped) = watch::channel(false);
        let setting = Setting {
            restic: Restic::new(stopped),
            // No manifest is read in no time.
            ends: Instant::now(),
            places: Places { volumes: path.clone(), stream: path.clone(), secrets: path.clone() },
        };
        assert!(compare(&setting, &"a".repeat(64)).await.is_err());
        assert!(!pipes::is_pipe(&Stream::Verify.pipe(&path)));
    }

    #[tokio::test]
    async fn what_was_imported_without_a_state_is_read_to_its_end_and_compared_with_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let (_stop, stopped) = watch::channel(false);
        let setting = Setting {
            restic: Restic::new(stopped),
            ends: Instant::now() + std::time::Duration::from_secs(30),
            places: Places { volumes: path.clone(), stream: path.clone(), secrets: path.clone() },
        };
        let text = r#"{"version":1,"run":"import-1","takenAt":"2026-11-30T00:00:00Z","entity":{"name":"e","uid":"e"},
            "instance":{"name":"i","kind":"DedicatedService","uid":"i"},"versions":{"template":"t","application":"1",
            "revision":"r","operations":"r","restic":"0","operator":"0","manifest":1},"parts":[],"volumes":{}}"#;
        let mut manifest: Manifest = serde_json::from_str(text).unwrap();
        pipes::make(&path, &[Stream::Verify]).unwrap();
        assert!(state(&setting, &manifest).await.is_err(), "a backup has one");
        manifest.imported = true;
        let (pipe, mark) = (Stream::Verify.pipe(&path), Stream::Verify.mark(&path, "done"));
        let verify = std::thread::spawn(move || {
            std::fs::write(pipe, "table page 1 9f86\n").unwrap();
            std::fs::write(mark, "").unwrap();
        });
        assert_eq!(state(&setting, &manifest).await.unwrap(), Vec::<String>::new());
        verify.join().unwrap();
    }

    #[test]
    fn what_was_left_out_is_no_difference() {
        let snapshot = Snapshot {
            time: String::new(),
            id: String::new(),
            paths: vec!["/volumes/data".to_owned()],
            tags: Vec::new(),
            excludes: vec!["/volumes/data/lost+found".to_owned(), "/volumes/database/x".to_owned()],
            tree: String::new(),
            original: None,
        };
        assert_eq!(left_out(&snapshot), ["/lost+found"]);
    }
}
