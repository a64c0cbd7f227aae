//! A package as one file that only its recipients open: a tar, sealed as it is written. Nothing of it ever lies open
//! anywhere, so each file's size has to be known before it comes: what is not recorded is read once more.

use std::fs::File;
use std::io::{self, PipeReader, Write};
use std::time::Instant;

use age::stream::StreamWriter;

use super::archive::Archive;
use super::guide;
use super::hashed::{HashedFile, Tee, Written, sealing};
use super::layout::{
    Engine, ExitFile, ExitFileKind, ExitManifest, MANIFEST, SUMS, hashes_path_of, is_service_name, path_of,
};
use super::pack::Source;
use super::part::{copied, dumped, hashes_of};
use crate::report::{Failure, StoredPart};
use crate::restic::{Restic, streamed};

/// Hashes of a volume's files are kept in memory up to so many bytes; of more the volume is read a third time.
const MOST_KEPT: usize = 32 << 20;

/// What a package is written into.
type Sealed = Archive<StreamWriter<HashedFile>>;

/// Writes the package of one service, which `manifest` plans, into `to`, sealed to these public keys of age: what the
/// tar holds is the folder of a package that is open.
///
/// # Errors
/// What kept it from its end: what was written by then is no package.
pub async fn seal(
    to: File,
    mut manifest: ExitManifest,
    source: &Source,
    recipients: &[String],
    ends: Instant,
) -> Result<Written, Failure> {
    let [service] = &mut manifest.services[..] else {
        return Err(Failure::other("a sealed package is of one service"));
    };
    if !is_service_name(&source.service) || service.instance.name != source.service {
        return Err(Failure::other(format!("{:?} is no service of the package", source.service)));
    }
    let made = u64::try_from(manifest.exported_at.as_second()).unwrap_or_default();
    let mut archive = Archive::new(sealing(HashedFile::new(to), recipients)?, made);
    for part in &source.parts {
        let (path, kind) = path_of(&source.service, part);
        let told = |failure: Failure| Failure::new(failure.reason, format!("{path}: {}", failure.message));
        let reading = Reading { restic: &source.restic, part, ends };
        let file = |path: String, kind, Written { bytes, sha256 }| {
            let snapshot = Some(part.snapshot.clone());
            ExitFile { path, kind, snapshot, bytes, sha256 }
        };
        let Some(hashes) = hashes_path_of(&source.service, part) else {
            let (rest, written, engine) = reading.one(archive, &path, part.bytes).await.map_err(told)?;
            archive = rest;
            service.engine = service.engine.or(engine.filter(|_| kind == ExitFileKind::Dump));
            service.files.push(file(path.clone(), kind, written));
            continue;
        };
        let (rest, tar, list) = reading.volume(archive, &path, &hashes).await.map_err(told)?;
        archive = rest;
        service.files.extend([file(path.clone(), kind, tar), file(hashes.clone(), ExitFileKind::Hashes, list)]);
    }
    ended(archive, manifest).map_err(|error| Failure::other(error.to_string()))
}

/// What is for people, the manifest, then the sums of all.
fn ended(mut archive: Sealed, mut manifest: ExitManifest) -> io::Result<Written> {
    for (name, text) in guide::texts(&manifest) {
        let Written { bytes, sha256 } = archive.place(name, &text)?;
        let kind = ExitFileKind::Guide;
        manifest.guides.push(ExitFile { path: name.to_owned(), kind, snapshot: None, bytes, sha256 });
    }
    let Written { sha256, .. } = archive.place(MANIFEST, &manifest.text().map_err(io::Error::other)?)?;
    archive.place(SUMS, &manifest.sums(&sha256))?;
    archive.end()?.finish()?.end()
}

/// A part of a backup that is read.
struct Reading<'a> {
    restic: &'a Restic,
    part: &'a StoredPart,
    ends: Instant,
}

impl Reading<'_> {
    /// Reads it once.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(PipeReader) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let left = self.ends.saturating_duration_since(Instant::now());
        let told = |error: io::Error| Failure::other(error.to_string());
        streamed(self.restic, dumped(self.part), left, move |reader| read(reader).map_err(told)).await
    }

    /// As one file of this size.
    async fn one(
        &self,
        mut archive: Sealed,
        path: &str,
        size: u64,
    ) -> Result<(Sealed, Written, Option<Engine>), Failure> {
        let path = path.to_owned();
        self.read(move |reader| {
            let mut content = archive.file(&path, size)?;
            let engine = copied(reader, &mut content)?;
            let written = content.end()?;
            Ok((archive, written, engine))
        })
        .await
    }

    /// As the tar of a volume, and the hashes of its files.
    async fn volume(&self, archive: Sealed, path: &str, hashes: &str) -> Result<(Sealed, Written, Written), Failure> {
        let (size, list) = self.read(measured).await?;
        let (mut archive, tar, _) = self.one(archive, path, size).await?;
        let hashes = hashes.to_owned();
        if let Some(text) = list.text {
            let told = |error: io::Error| Failure::other(error.to_string());
            let placed = tokio::task::spawn_blocking(move || {
                let mut content = archive.file(&hashes, list.bytes)?;
                content.write_all(&text)?;
                let written = content.end()?;
                Ok::<_, io::Error>((archive, written))
            });
            let placed = placed.await.map_err(|error| Failure::other(format!("writing was broken off: {error}")))?;
            let (archive, written) = placed.map_err(told)?;
            return Ok((archive, tar, written));
        }
        let of_list = self.read(move |reader| {
            let mut content = archive.file(&hashes, list.bytes)?;
            hashes_of(reader, &mut content)?;
            let written = content.end()?;
            Ok((archive, written))
        });
        let (archive, written) = of_list.await?;
        Ok((archive, tar, written))
    }
}

/// How long the tar of a volume is, and the hashes of its files.
fn measured(reader: PipeReader) -> io::Result<(u64, Kept)> {
    let (mut tar, mut list) = (Kept::of_at_most(0), Kept::of_at_most(MOST_KEPT));
    hashes_of(Tee { from: reader, into: &mut tar }, &mut list)?;
    Ok((tar.bytes, list))
}

/// What is counted, and kept as long as it is not too much.
struct Kept {
    most: usize,
    bytes: u64,
    text: Option<Vec<u8>>,
}

impl Kept {
    const fn of_at_most(most: usize) -> Self {
        Self { most, bytes: 0, text: Some(Vec::new()) }
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        self.text = self.text.take().filter(|text| text.len() + bytes.len() <= self.most);
        if let Some(text) = &mut self.text {
            text.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
