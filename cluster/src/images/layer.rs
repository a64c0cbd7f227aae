//! A folder as one OCI layer: a sorted tar, with what overlayfs removed written as whiteouts.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use walkdir::WalkDir;

use super::Error;

/// A layer on disk. It is not compressed: it is imported on the machine that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) file: PathBuf,
    /// sha256 of the file, hexadecimal.
    pub(super) digest: String,
    /// In bytes.
    pub(super) size: u64,
}

/// Writes `folder`, which may be the upper folder of an overlay, as a layer to `file`. What changed
/// after `started` gets time 0, so that two builds of the same packages give the same layer; older
/// times are kept, as they are the packages' own (Python checks its compiled files by them).
pub(super) fn write(folder: &Path, file: &Path, started: SystemTime) -> Result<Layer, Error> {
    let output = File::create(file).map_err(Error::io("create", file))?;
    let started = started.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let mut writer = LayerWriter {
        tar: Builder::new(Hashing::new(BufWriter::with_capacity(1 << 20, output))),
        started,
        links: HashMap::new(),
    };
    for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| Error::io("read", folder)(error.into()))?;
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        writer.add(entry.path(), name).map_err(Error::io("pack", entry.path()))?;
    }
    let mut hashing = writer.tar.into_inner().map_err(Error::io("write", file))?;
    hashing.flush().map_err(Error::io("write", file))?;
    Ok(Layer { file: file.to_path_buf(), digest: hex(&hashing.hash.finalize()), size: hashing.written })
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

struct LayerWriter<W: Write> {
    tar: Builder<W>,
    started: u64,
    /// Where the first name of a file with several names went.
    links: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> LayerWriter<W> {
    fn add(&mut self, path: &Path, name: &Path) -> io::Result<()> {
        let metadata = path.symlink_metadata()?;
        let kind = metadata.file_type();
        if kind.is_char_device() && metadata.rdev() == 0 {
            return self.add_whiteout(name);
        }
        let mut header = self.header(&metadata);
        if kind.is_dir() {
            header.set_entry_type(EntryType::Directory);
            self.tar.append_data(&mut header, name, io::empty())?;
            if xattr::get(path, "trusted.overlay.opaque")?.is_some_and(|value| value == b"y") {
                self.add_empty(&name.join(".wh..wh..opq"))?;
            }
            Ok(())
        } else if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            self.tar.append_link(&mut header, name, std::fs::read_link(path)?)
        } else if kind.is_file() {
            self.add_file(path, name, &metadata, header)
        } else {
            // Sockets and devices mean nothing in an image: the runtime makes its own.
            Ok(())
        }
    }

    fn add_file(&mut self, path: &Path, name: &Path, metadata: &Metadata, mut header: Header) -> io::Result<()> {
        if metadata.nlink() > 1 {
            let inode = (metadata.dev(), metadata.ino());
            if let Some(first) = self.links.get(&inode) {
                header.set_entry_type(EntryType::Link);
                return self.tar.append_link(&mut header, name, first);
            }
            self.links.insert(inode, name.to_path_buf());
        }
        if let Some(capabilities) = xattr::get(path, "security.capability")? {
            let extension = ("SCHILY.xattr.security.capability", &capabilities[..]);
            self.tar.append_pax_extensions([extension])?;
        }
        header.set_entry_type(EntryType::Regular);
        header.set_size(metadata.len());
        self.tar.append_data(&mut header, name, File::open(path)?)
    }

    fn header(&self, metadata: &Metadata) -> Header {
        let mut header = Header::new_gnu();
        header.set_mode(metadata.mode() & 0o7777);
        header.set_uid(metadata.uid().into());
        header.set_gid(metadata.gid().into());
        let modified = u64::try_from(metadata.mtime()).unwrap_or(0);
        header.set_mtime(if modified < self.started { modified } else { 0 });
        header.set_size(0);
        header
    }

    fn add_whiteout(&mut self, name: &Path) -> io::Result<()> {
        let file = name.file_name().unwrap_or_default().to_string_lossy();
        self.add_empty(&name.with_file_name(format!(".wh.{file}")))
    }

    fn add_empty(&mut self, name: &Path) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        header.set_mtime(0);
        self.tar.append_data(&mut header, name, io::empty())
    }
}

/// Counts and hashes what passes through.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    written: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), written: 0 }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hash.update(&buffer[..count]);
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    /// Name → (type, mode, time, link target) of each entry.
    fn entries(layer: &Layer) -> BTreeMap<String, (EntryType, u32, u64, Option<String>)> {
        let mut archive = tar::Archive::new(File::open(&layer.file).unwrap());
        let read = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let link = entry.link_name().unwrap().map(|link| link.display().to_string());
            let name = entry.path().unwrap().display().to_string();
            (name, (header.entry_type(), header.mode().unwrap(), header.mtime().unwrap(), link))
        });
        read.collect()
    }

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_hours(1)
    }

    #[test]
    fn a_layer_holds_files_links_and_folders_but_not_its_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(root.join("a/first"), "text").unwrap();
        std::fs::hard_link(root.join("a/first"), root.join("a/second")).unwrap();
        symlink("first", root.join("a/symbolic")).unwrap();
        let layer = write(&root, &folder.path().join("layer.tar"), later()).unwrap();
        let entries = entries(&layer);
        let kinds: Vec<_> = entries.iter().map(|(name, entry)| (name.as_str(), entry.0)).collect();
        assert_eq!(
            kinds,
            [
                ("a", EntryType::Directory),
                ("a/first", EntryType::Regular),
                ("a/second", EntryType::Link),
                ("a/symbolic", EntryType::Symlink),
            ]
        );
        assert_eq!(entries["a/second"].3.as_deref(), Some("a/first"));
        assert_eq!(entries["a/symbolic"].3.as_deref(), Some("first"));
    }

    #[test]
    fn the_digest_is_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("file"), vec![7; 100_000]).unwrap();
        let layer = write(&root, &folder.path().join("layer.tar"), later()).unwrap();
        let bytes = std::fs::read(&layer.file).unwrap();
        assert_eq!(layer.size, bytes.len() as u64);
        assert_eq!(layer.digest, hex(&Sha256::digest(&bytes)));
    }

    #[test]
    fn what_the_build_made_gets_a_constant_time_and_the_rest_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let packaged = File::create(root.join("packaged")).unwrap();
        packaged.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
        std::fs::write(root.join("made"), "").unwrap();
        let started = SystemTime::now() - Duration::from_mins(1);
        let layer = write(&root, &folder.path().join("layer.tar"), started).unwrap();
        let entries = entries(&layer);
        assert_eq!(entries["packaged"].2, 1_000_000);
        assert_eq!(entries["made"].2, 0);
    }

    #[test]
    fn long_names_survive() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
        std::fs::create_dir_all(root.join(&long).parent().unwrap()).unwrap();
        std::fs::write(root.join(&long), "").unwrap();
        let layer = write(&root, &folder.path().join("layer.tar"), later()).unwrap();
        assert!(entries(&layer).contains_key(&long));
    }
}
