//! Makes a package: each part of each backup is read once, from restic into its file.

use std::io::{self, BufWriter, PipeReader, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::entries::each_file;
use super::folder::{Folder, PART};
use super::guide;
use super::hashed::{Output, Tee, Written, hash, is_recipient};
use super::layout::{Engine, ExitFile, ExitFileKind, ExitManifest, is_service_name, path_of};
use crate::report::{Failure, StoredPart};
use crate::restic::{Call, Restic, streamed};
use commonscloud_api::SnapshotPartKind;

/// A part of a backup takes no longer.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// By how much of its beginning a dump is known.
const BEGINNING: u64 = 4096;

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
        let hashes = (kind == ExitFileKind::Files).then(|| format!("{service}/files/{}.sha256{end}", part.name));
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
        let received = streamed(restic, self.call(), LONGEST, move |reader| part.receive(reader));
        let told = |failure: Failure| Failure::new(failure.reason, format!("{}: {}", self.path, failure.message));
        let made = received.await.map_err(told)?;
        for file in &made.files {
            folder.finished(&file.path)?;
        }
        Ok(made)
    }

    fn call(&self) -> Call {
        let call = Call::reading("dump");
        let file = match self.part.kind {
            SnapshotPartKind::Files => return call.args(["--archive", "tar", self.part.snapshot.as_str(), "/"]),
            SnapshotPartKind::Dump => "/dump",
            SnapshotPartKind::State => "/state",
            SnapshotPartKind::Secrets => "/secrets.tar",
        };
        call.args([self.part.snapshot.as_str(), file])
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

/// Copies all of it, and says what its beginning is the dump of.
fn copied(mut from: impl Read, into: &mut Output) -> io::Result<Option<Engine>> {
    let mut beginning = Vec::new();
    from.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
    into.write_all(&beginning)?;
    io::copy(&mut from, into)?;
    Ok(Engine::of(&beginning))
}

/// Reads a tar to its end, and writes a line for each file of it, as `sha256sum` does.
fn hashes_of(from: impl Read, into: &mut Output) -> io::Result<()> {
    let mut list = BufWriter::new(into);
    each_file(from, |entry, content| {
        let Written { sha256, .. } = hash(content)?;
        list.write_all(&line(&sha256, &entry.path))
    })?;
    list.flush()
}

/// A line of `sha256sum`, which begins with `\` where the name has characters that would end it.
fn line(sha256: &str, path: &[u8]) -> Vec<u8> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let is_escaped = path.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
    let mut line = if is_escaped { b"\\".to_vec() } else { Vec::new() };
    line.extend_from_slice(sha256.as_bytes());
    line.extend_from_slice(b"  ");
    for byte in path {
        match byte {
            b'\\' => line.extend_from_slice(br"\\"),
            b'\n' => line.extend_from_slice(br"\n"),
            b'\r' => line.extend_from_slice(br"\r"),
            byte => line.push(*byte),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_whatever_the_name() {
        assert_eq!(line("aa", b"data/a b"), b"aa  data/a b\n");
        assert_eq!(line("aa", b"/data/a"), b"aa  data/a\n", "below the folder that it is unpacked in");
        assert_eq!(line("aa", b"data/a\nb\\c"), b"\\aa  data/a\\nb\\\\c\n");
    }

    #[test]
    fn hashes_are_of_the_files_of_a_tar_and_all_of_it_is_read() {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in [("data/a", "abc"), ("data/b", "")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        let archive = builder.into_inner().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (copy, list) = (folder.path().join("copy"), folder.path().join("list"));
        let mut output = Output::create(&copy, &[]).unwrap();
        let mut hashes = Output::create(&list, &[]).unwrap();
        hashes_of(Tee { from: &archive[..], into: &mut output }, &mut hashes).unwrap();
        output.end().unwrap();
        hashes.end().unwrap();
        assert_eq!(std::fs::read(copy).unwrap(), archive);
        let told = std::fs::read_to_string(list).unwrap();
        assert_eq!(told.lines().map(|line| &line[64..]).collect::<Vec<_>>(), ["  data/a", "  data/b"]);
        assert!(told.starts_with("ba7816bf8f01cfea"), "{told}");
    }

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
