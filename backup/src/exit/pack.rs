//! Makes a package: each part of each backup is read once, from restic into its file.

use std::io::{self, PipeReader};
use std::path::PathBuf;
use std::time::Duration;

use super::folder::{Folder, PART};
use super::guide;
use super::hashed::{Output, Tee, Written, is_recipient};
use super::layout::{Engine, ExitFile, ExitFileKind, ExitManifest, hashes_path_of, is_service_name, path_of};
use super::part::{copied, dumped, hashes_of};
use crate::report::{Failure, StoredPart};
use crate::restic::{Restic, streamed};

/// A part of a backup takes no longer.
pub(super) const LONGEST: Duration = Duration::from_hours(7 * 24);

/// From where a service is read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, that of one of the manifest's services.
    pub service: String,
    /// Its repository.
    pub restic: Restic,
    /// The parts of its backup.
    pub parts: Vec<StoredPart>,
}

/// Makes the package that `manifest` plans, or goes on with it: what it names already is there. `said` gets a line for
/// each file, for people.
///
/// # Errors
/// What kept it from its end; what is done by then stays done.
pub async fn pack(
    folder: &Folder,
    mut manifest: ExitManifest,
    sources: &[Source],
    said: impl Fn(&str),
) -> Result<ExitManifest, Failure> {
    if manifest.recipients.iter().any(|text| !is_recipient(text)) {
        return Err(Failure::other("a recipient is no public key of age: give one, as age-keygen shows it (age1...)"));
    }
    folder.progress(&manifest)?;
    for source in sources {
        let at = manifest.services.iter().position(|service| service.instance.name == source.service);
        let Some(at) = at.filter(|_| is_service_name(&source.service)) else {
            return Err(Failure::other(format!("{:?} is no service of the package", source.service)));
        };
        for part in &source.parts {
            let planned = Planned::new(folder, &source.service, part, &manifest.recipients);
            let files = &mut manifest.services[at].files;
            if planned.is_done(files) {
                said(&format!("{}: is there", planned.path));
                continue;
            }
            files.retain(|file| file.path != planned.path && Some(&file.path) != planned.hashes.as_ref());
            let made = planned.make(folder, &source.restic).await?;
            for file in &made.files {
                said(&format!("{}: {} bytes", file.path, file.bytes));
            }
            let service = &mut manifest.services[at];
            service.engine = service.engine.or(made.engine);
            service.files.extend(made.files);
            folder.progress(&manifest)?;
        }
    }
    manifest.guides = guides(folder, &manifest)?;
    folder.complete(&manifest)?;
    Ok(manifest)
}

fn guides(folder: &Folder, manifest: &ExitManifest) -> Result<Vec<ExitFile>, Failure> {
    let place = |(name, text): (&str, String)| -> Result<ExitFile, Failure> {
        let Written { bytes, sha256 } = folder.place(name, &text)?;
        Ok(ExitFile { path: name.to_owned(), kind: ExitFileKind::Guide, snapshot: None, bytes, sha256 })
    };
    guide::texts(manifest).into_iter().map(place).collect()
}

/// A part on its way.
#[derive(Clone, Debug)]
struct Planned {
    /// The package's folder.
    folder: PathBuf,
    part: StoredPart,
    /// What its file is called in the package.
    path: String,
    kind: ExitFileKind,
    /// The file with the hashes of a tar's files.
    hashes: Option<String>,
    recipients: Vec<String>,
}

struct Made {
    files: Vec<ExitFile>,
    engine: Option<Engine>,
}

impl Planned {
    fn new(folder: &Folder, service: &str, part: &StoredPart, recipients: &[String]) -> Self {
        let end = if recipients.is_empty() { "" } else { ".age" };
        let (path, kind) = path_of(service, part);
        let hashes = hashes_path_of(service, part).map(|path| format!("{path}{end}"));
        let (folder, recipients) = (folder.path().to_owned(), recipients.to_vec());
        Self { folder, part: part.clone(), path: format!("{path}{end}"), kind, hashes, recipients }
    }

    /// Whether its files are there, of the size that was written down.
    fn is_done(&self, files: &[ExitFile]) -> bool {
        let is_there = |path: &String| {
            let file = files.iter().find(|file| file.path == *path);
            let found = self.folder.join(path).symlink_metadata().ok();
            file.zip(found).is_some_and(|(file, found)| found.is_file() && found.len() == file.bytes)
        };
        is_there(&self.path) && self.hashes.iter().all(is_there)
    }

    async fn make(&self, folder: &Folder, restic: &Restic) -> Result<Made, Failure> {
        let end = self.folder.join(&self.path);
        let parent = end.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(parent).map_err(|error| folder.told(&self.path, error))?;
        let part = self.clone();
        let received = streamed(restic, dumped(&self.part), LONGEST, move |reader| part.receive(reader));
        let told = |failure: Failure| Failure::new(failure.reason, format!("{}: {}", self.path, failure.message));
        let made = received.await.map_err(told)?;
        for file in &made.files {
            folder.finished(&file.path)?;
        }
        Ok(made)
    }

    fn unfinished(&self, path: &str) -> PathBuf {
        self.folder.join(format!("{path}{PART}"))
    }

    fn receive(&self, reader: PipeReader) -> Result<Made, Failure> {
        let mut output = Output::create(&self.unfinished(&self.path), &self.recipients)?;
        let told = |error: io::Error| Failure::other(error.to_string());
        let mut engine = None;
        let mut hashes = None;
        if let Some(path) = &self.hashes {
            let mut list = Output::create(&self.unfinished(path), &self.recipients)?;
            hashes_of(Tee { from: reader, into: &mut output }, &mut list).map_err(told)?;
            hashes = Some((path.clone(), list.end().map_err(told)?));
        } else {
            engine = copied(reader, &mut output).map_err(told)?;
        }
        let file = |path: String, kind, written: Written| {
            let (snapshot, Written { bytes, sha256 }) = (Some(self.part.snapshot.clone()), written);
            ExitFile { path, kind, snapshot, bytes, sha256 }
        };
        let mut files = vec![file(self.path.clone(), self.kind, output.end().map_err(told)?)];
        files.extend(hashes.map(|(path, written)| file(path, ExitFileKind::Hashes, written)));
        Ok(Made { files, engine: engine.filter(|_| self.kind == ExitFileKind::Dump) })
    }
}

#[cfg(test)]
mod tests {
    use commonscloud_api::SnapshotPartKind;

    use super::*;

    #[test]
    fn what_is_done_is_of_the_size_that_was_written_down() {
        let at = tempfile::tempdir().unwrap();
        let folder = Folder::open(at.path()).unwrap();
        let part = StoredPart {
            name: "dump".to_owned(),
            kind: SnapshotPartKind::Dump,
            snapshot: "a".repeat(64),
            bytes: 0,
            added: 0,
            files: 1,
        };
        let planned = Planned::new(&folder, "wiki", &part, &[]);
        let file = super::super::layout::tests::manifest(&[("wiki/dump.sql", "aa")]).services[0].files[0].clone();
        let files = [ExitFile { bytes: 3, ..file }];
        assert!(!planned.is_done(&files), "not there");
        std::fs::create_dir(at.path().join("wiki")).unwrap();
        std::fs::write(at.path().join("wiki/dump.sql"), "ab").unwrap();
        assert!(!planned.is_done(&files), "cut off");
        std::fs::write(at.path().join("wiki/dump.sql"), "abc").unwrap();
        assert!(planned.is_done(&files) && !planned.is_done(&[]));
    }
}
