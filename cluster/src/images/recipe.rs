//! All that an image is made from, found and digested before anything is made.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use super::Error;
use super::apt::Sources;
use super::base;
use super::binaries::Program;
use super::description::{Description, Origin};
use super::layer::hex;
use crate::cargo::Profile;
use crate::progress::Progress;

/// Raised when the way images are made changes, so that the cached ones are made again.
const MAKING: &str = "1";

/// An image's description with its sources.
pub(super) struct Recipe {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) description: Description,
    /// Changes with anything that the image is made from.
    pub(super) digest: String,
    programs: Vec<(Program, PathBuf)>,
}

impl Recipe {
    /// Reads `images/NAME` of `source`; builds the programs it names, as their content counts.
    pub(super) fn read(name: &str, profile: Profile, source: &Path, progress: &Progress) -> Result<Self, Error> {
        let folder = source.join("images").join(name);
        let file = folder.join("image.yaml");
        if !file.is_file() {
            let known = super::names(source)?.join(", ");
            return Err(Error::Unknown { name: name.to_owned(), path: file, known });
        }
        let description = Description::read(&file)?;
        let mut programs = Vec::new();
        for binary in &description.binaries {
            let program = Program::resolve(&binary.from, &folder, profile, source, progress)?;
            programs.push((program, binary.to.clone()));
        }
        let digest = digest(&folder, &description, &programs)?;
        Ok(Self { name: name.to_owned(), folder, description, digest, programs })
    }

    /// Lays out `rootfs/` and the programs in a folder of `room`, with plain modes.
    pub(super) fn stage(&self, room: &Path) -> Result<PathBuf, Error> {
        let stage = room.join("stage");
        create_folder(&stage)?;
        let rootfs = self.folder.join("rootfs");
        if rootfs.is_dir() {
            for entry in WalkDir::new(&rootfs).min_depth(1).sort_by_file_name() {
                let entry = entry.map_err(|error| Error::io("read", &rootfs)(error.into()))?;
                let name = entry.path().strip_prefix(&rootfs).unwrap_or(entry.path());
                copy(entry.path(), &stage.join(name))?;
            }
        }
        for (program, to) in &self.programs {
            let target = stage.join(to.strip_prefix("/").unwrap_or(to));
            for parent in target.ancestors().skip(1).filter(|parent| !parent.exists()).collect::<Vec<_>>().iter().rev()
            {
                create_folder(parent)?;
            }
            program.install(&target)?;
            set_mode(&target, 0o755)?;
        }
        Ok(stage)
    }
}

fn digest(folder: &Path, description: &Description, programs: &[(Program, PathBuf)]) -> Result<String, Error> {
    let mut hash = Sha256::new();
    hash.update(MAKING);
    if description.from == Origin::Debian {
        hash.update(include_str!("overlay.sh"));
        hash.update(base::digest(&Sources::of_this_machine()?));
    }
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|error| Error::io("read", folder)(error.into()))?;
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            hash_file(&mut hash, &name.to_string_lossy(), entry.path())?;
        }
    }
    for (program, to) in programs {
        hash_file(&mut hash, &to.to_string_lossy(), program.source())?;
    }
    Ok(hex(&hash.finalize()[..8]))
}

fn hash_file(hash: &mut Sha256, name: &str, path: &Path) -> Result<(), Error> {
    let content = std::fs::read(path).map_err(Error::io("read", path))?;
    hash.update(name);
    hash.update([0, u8::from(is_executable(path)?)]);
    hash.update((content.len() as u64).to_le_bytes());
    hash.update(content);
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let metadata = from.symlink_metadata().map_err(Error::io("read", from))?;
    if metadata.is_dir() {
        create_folder(to)
    } else if metadata.is_symlink() {
        let target = std::fs::read_link(from).map_err(Error::io("read", from))?;
        std::os::unix::fs::symlink(target, to).map_err(Error::io("create", to))
    } else {
        std::fs::copy(from, to).map_err(Error::io("copy", from))?;
        set_mode(to, if is_executable(from)? { 0o755 } else { 0o644 })
    }
}

fn create_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir(path).map_err(Error::io("create", path))?;
    set_mode(path, 0o755)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).map_err(Error::io("change the mode of", path))
}

fn is_executable(path: &Path) -> Result<bool, Error> {
    let metadata = path.metadata().map_err(Error::io("read", path))?;
    Ok(metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> tempfile::TempDir {
        let source = tempfile::tempdir().unwrap();
        let folder = source.path().join("images/x");
        std::fs::create_dir_all(folder.join("rootfs/etc")).unwrap();
        let yaml = "reference: docker.io/local/x:1\nfrom: scratch\ncmd: [/bin/x]\n";
        std::fs::write(folder.join("image.yaml"), yaml).unwrap();
        std::fs::write(folder.join("rootfs/etc/x.conf"), "a").unwrap();
        source
    }

    fn read(source: &Path) -> Recipe {
        Recipe::read("x", Profile::Release, source, &Progress::silent()).unwrap()
    }

    #[test]
    fn the_digest_changes_with_content_and_with_the_executable_bit() {
        let source = source();
        let first = read(source.path()).digest;
        assert_eq!(read(source.path()).digest, first);
        let file = source.path().join("images/x/rootfs/etc/x.conf");
        set_mode(&file, 0o755).unwrap();
        let second = read(source.path()).digest;
        assert_ne!(second, first);
        std::fs::write(&file, "b").unwrap();
        assert_ne!(read(source.path()).digest, second);
    }

    #[test]
    fn staged_files_have_plain_modes_whatever_the_checkout_has() {
        let source = source();
        let file = source.path().join("images/x/rootfs/etc/x.conf");
        set_mode(&file, 0o600).unwrap();
        let room = tempfile::tempdir().unwrap();
        let stage = read(source.path()).stage(room.path()).unwrap();
        let mode = stage.join("etc/x.conf").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644);
    }

    #[test]
    fn an_unknown_image_is_refused_with_the_names_there_are() {
        let source = source();
        let error = Recipe::read("y", Profile::Release, source.path(), &Progress::silent()).err().unwrap().to_string();
        assert!(error.contains("no image is called y") && error.contains("there are: x"), "{error}");
    }
}
