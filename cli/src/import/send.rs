//! Brings all of it into the repository of the service: a snapshot of each part, then the manifest that names them, as
//! a run leaves it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use commonscloud_backup::exit::{ExitFile, open};
use commonscloud_backup::manifest::{MANIFEST_FILE, MANIFEST_TAG, Manifest};
use commonscloud_backup::report::StoredPart;
use commonscloud_backup::restic::{self, Call, OF_THE_FILE_SYSTEM, Restic, backup, literal, snapshots, stored};
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::SnapshotPartKind;

use super::fit;
use super::judge::is_compared;
use super::nextcloud;
use super::service::{Known, Service};
use super::source::{Brought, Content, TreeFrom};
use super::stage::Stage;
use crate::data::said;
use crate::stop::{Stop, Until, to_its_end};
use crate::target::{ANSWER, short};

/// A part takes no longer.
pub(super) const LONGEST: Duration = Duration::from_hours(7 * 24);
/// A dump of MariaDB's own program, ended as the loaders of packages ask for it. Its last line is a comment, which would
/// swallow what follows where somebody took its end away.
const WHOLE: &str = "cat -- \"$1\" && echo && echo \"SELECT 'whole';\"";
/// The same of PostgreSQL's, in one transaction with its correction. A setting that newer programs begin with is unknown
/// to an older server.
const WHOLE_OF_POSTGRES: &str = "echo 'BEGIN;' && sed '1,40{/^SET transaction_timeout = 0;$/d;}' \"$1\" && echo && \
    printf '%s\\n' \"$2\" 'COMMIT;' \"SELECT 'whole';\"";

/// By which tag the snapshots of an import are known. They are no run's.
pub(super) fn run_of(fingerprint: &str) -> String {
    format!("import-{}", fingerprint.get(..16).unwrap_or(fingerprint))
}

/// The id of the snapshot with the manifest, once all is there that it names. What was sent before a stop is not sent
/// again: restic looks for it piece by piece.
///
/// # Errors
/// When something cannot be read, or the target does not take it; the service is as it was.
pub(super) async fn send(
    service: &Service,
    brought: &Brought,
    stage: &Arc<Stage>,
    identity: Option<&str>,
    stop: &Stop,
) -> Result<String, Failure> {
    let sending = Sending { service, brought, stage, identity, stop, run: run_of(&brought.fingerprint) };
    let mut parts = Vec::new();
    for tree in &brought.trees {
        parts.push(sending.tree(&tree.volume, &tree.from).await?);
    }
    if let Some(dump) = &brought.dump {
        parts.push(sending.stream("dump", SnapshotPartKind::Dump, dump).await?);
    }
    if let Some(state) = brought.state.as_ref().filter(|_| is_compared(brought, &service.known)) {
        parts.push(sending.stream("state", SnapshotPartKind::State, state).await?);
    }
    sending.manifest(parts).await
}

struct Sending<'s> {
    service: &'s Service,
    brought: &'s Brought,
    stage: &'s Arc<Stage>,
    identity: Option<&'s str>,
    stop: &'s Stop,
    run: String,
}

impl Sending<'_> {
    fn restic(&self) -> &Restic {
        &self.service.restic
    }

    async fn tree(&self, volume: &str, from: &TreeFrom) -> Result<StoredPart, Failure> {
        let folder = match from {
            TreeFrom::Below(folder) => folder.clone(),
            TreeFrom::Archive(file) => {
                let folder = self.unpacked(volume, file).await?;
                self.fit(&folder)?;
                folder
            }
            TreeFrom::LastBackup => {
                nextcloud::prepared(self.service, self.brought.nextcloud.as_ref(), self.stage, volume).await?
            }
        };
        let mut call = backup(&self.run, "files", volume).arg("--force");
        for pattern in left_out(&self.service.known, &folder, volume) {
            call = call.arg("--exclude").arg(pattern);
        }
        let answer = self.restic().run(call.folder(folder).arg("--").arg(volume), LONGEST).await?;
        done(stored(volume, SnapshotPartKind::Files, &answer)?)
    }

    async fn unpacked(&self, volume: &str, file: &ExitFile) -> Result<PathBuf, Failure> {
        let (stage, volume, from) = (Arc::clone(self.stage), volume.to_owned(), self.opened(file)?);
        let unpacked = to_its_end(move || stage.unpack(&volume, from)).await?;
        unpacked.map_err(|why| format!("{}: {why}", file.path).into())
    }

    /// Once the volume with Nextcloud's settings is there.
    fn fit(&self, volumes: &Path) -> Result<(), Failure> {
        let path = volumes.join(fit::OFFICE_SETTINGS);
        // By links of the archive it would be a file of this machine.
        let is_there = path.is_file() && path.canonicalize().is_ok_and(|found| found == path);
        let account = self.service.account.as_ref().filter(|_| is_there && self.brought.template == "office");
        let Some(account) = account else { return Ok(()) };
        let host = format!("{}-db", self.service.known.manifest.instance.name);
        let settings = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let fitted = fit::office(&settings, &host, &account.user, &account.password)?;
        if fitted != settings {
            std::fs::write(&path, fitted).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    async fn stream(&self, name: &str, kind: SnapshotPartKind, content: &Content) -> Result<StoredPart, Failure> {
        let (path, script, correction) = match content {
            Content::Plain(path) => (path.clone(), WHOLE, None),
            Content::Postgres { path, correction } => (path.clone(), WHOLE_OF_POSTGRES, Some(correction)),
            Content::Packed(file) => (self.file(name, file).await?, "cat -- \"$1\"", None),
        };
        let call = of_command(backup(&self.run, name, name), name, &["sh", "-c", script, name]).arg(path);
        let call = call.args(correction);
        done(stored(name, kind, &self.restic().run(call, LONGEST).await?)?)
    }

    /// A file of a package as it is when it is open.
    async fn file(&self, name: &str, file: &ExitFile) -> Result<PathBuf, Failure> {
        if !file.is_sealed() {
            return Ok(self.brought.folder.join(&file.path));
        }
        let (stage, name, from) = (Arc::clone(self.stage), name.to_owned(), self.opened(file)?);
        let written = to_its_end(move || stage.write(&name, from)).await?;
        written.map_err(|why| format!("{}: {why}", file.path).into())
    }

    fn opened(&self, file: &ExitFile) -> Result<Until<Box<dyn Read + Send>>, Failure> {
        Ok(self.stop.until(open(&self.brought.folder, file, self.identity)?))
    }

    async fn manifest(&self, parts: Vec<StoredPart>) -> Result<String, Failure> {
        let manifest = manifest(&self.service.known.manifest, self.brought, &self.run, parts);
        let text = serde_json::to_string(&manifest)?;
        // As whoever restores it will read it.
        Manifest::read(&text)?;
        let path = self.stage.write(MANIFEST_FILE, text.as_bytes())?;
        let call = of_command(backup(&self.run, MANIFEST_TAG, MANIFEST_TAG), MANIFEST_FILE, &["cat", "--"]).arg(path);
        let answer = self.restic().run(call, LONGEST).await?;
        let restic::Summary { snapshot_id: snapshot, .. } = answer.last("summary")?;
        let named: Vec<String> =
            manifest.parts.iter().map(|part| part.snapshot.clone()).chain([snapshot.clone()]).collect();
        let there = snapshots(self.restic(), &named, ANSWER).await?;
        match named.iter().find(|id| !there.iter().any(|found| found.id == **id)) {
            None => Ok(snapshot),
            Some(missing) => {
                Err(format!("snapshot {missing} is not at the target any more: give the same command again").into())
            }
        }
    }
}

fn done(part: StoredPart) -> Result<StoredPart, Failure> {
    said(format!("{}: {} bytes, snapshot {}", part.name, part.bytes, short(&part.snapshot)))?;
    Ok(part)
}

/// A snapshot of what a command writes, in one file.
fn of_command(call: Call, file: &str, command: &[&str]) -> Call {
    call.args(["--stdin-filename", file, "--stdin-from-command", "--"]).args(command.iter().copied())
}

/// What is not taken of a volume, as of a run: what the package makes anew.
fn left_out(known: &Known, folder: &Path, volume: &str) -> Vec<PathBuf> {
    let tree = known.operations.files.iter().find(|tree| tree.volume == volume);
    let patterns = tree.into_iter().flat_map(|tree| tree.exclude.iter().map(String::as_str));
    let own = literal(&folder.join(volume));
    let below = |pattern: &str| own.join(pattern.trim_start_matches('/'));
    patterns.chain([OF_THE_FILE_SYSTEM]).map(below).collect()
}

/// The manifest of the service's last backup, with other parts.
fn manifest(own: &Manifest, brought: &Brought, run: &str, parts: Vec<StoredPart>) -> Manifest {
    Manifest { run: run.to_owned(), taken_at: brought.taken_at, parts, imported: true, ..own.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::judge::tests::known;
    use super::super::source::tests::brought;
    use super::*;

    #[test]
    fn the_manifest_is_the_services_own_with_what_was_brought() {
        let part = StoredPart {
            name: "dump".to_owned(),
            kind: SnapshotPartKind::Dump,
            snapshot: "a".repeat(64),
            bytes: 1,
            added: 1,
            files: 1,
        };
        let (known, brought) = (known(), brought());
        let made = manifest(&known.manifest, &brought, &run_of(&brought.fingerprint), vec![part]);
        assert_eq!((&made.instance, &made.versions), (&known.manifest.instance, &known.manifest.versions));
        assert!(made.imported && made.taken_at == brought.taken_at && made.run == "import-ffffffffffffffff");
        assert_eq!(Manifest::read(&serde_json::to_string(&made).unwrap()), Ok(made));
    }

    /// What a loader is given of a file.
    fn written(script: &str, dump: &str, correction: &str) -> String {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("dump.sql");
        std::fs::write(&path, dump).unwrap();
        let mut shell = std::process::Command::new("sh");
        let answer = shell.args(["-c", script, "dump"]).arg(path).arg(correction).output().unwrap();
        assert!(answer.status.success());
        String::from_utf8(answer.stdout).unwrap()
    }

    #[test]
    fn a_last_line_without_its_end_swallows_nothing() {
        assert_eq!(written(WHOLE, "-- Dump completed", ""), "-- Dump completed\nSELECT 'whole';\n");
        let own = "SET transaction_timeout = 0;\nSET x = 1;\n-- complete";
        let expected = "BEGIN;\nSET x = 1;\n-- complete\nUPDATE '%s\\n' $(x);\nCOMMIT;\nSELECT 'whole';\n";
        assert_eq!(written(WHOLE_OF_POSTGRES, own, "UPDATE '%s\\n' $(x);"), expected);
    }

    #[test]
    fn what_the_package_makes_anew_is_left_out_and_what_the_file_system_has() {
        let left = left_out(&known(), Path::new("/srv/wiki/files"), "data");
        assert_eq!(left, ["/srv/wiki/files/data/images/thumb", "/srv/wiki/files/data/lost+found"].map(PathBuf::from));
    }

    /// In restic's patterns a bracket would mean one of its signs, and nothing would be left out.
    #[test]
    fn what_the_folder_is_called_is_no_pattern() {
        let left = left_out(&known(), Path::new(r"/srv/[old] wiki*?\x/files"), "data");
        assert_eq!(left[0], Path::new(r"/srv/\[old\] wiki\*\?\\x/files/data/images/thumb"));
    }
}
