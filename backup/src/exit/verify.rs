//! Whether a package is what was written: each file is read, and hashed anew.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use super::folder::PART;
use super::hashed::{Written, hash};
use super::layout::{AGAIN, ExitFile, ExitManifest, MANIFEST, SUMS};
use super::unfinished::unfinished;
use crate::report::Failure;

/// No manifest and no sums are longer, in bytes: they are read into memory.
const MOST: u64 = 64 << 20;

/// What came of looking at a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it holds.
    pub manifest: ExitManifest,
    /// The bytes that were read.
    pub bytes: u64,
    /// What is not as it was written, a line each. None: all is.
    pub damages: Vec<String>,
    /// Files beside it that nobody wrote for it, below its folder.
    pub others: Vec<String>,
}

/// Reads all of a package. It is proven against damage, not against somebody who changed it with its sums.
///
/// # Errors
/// When it is no whole package, or nobody can read it.
pub fn verify(folder: &Path) -> Result<Verified, Failure> {
    let told = |name: &str, why: String| Failure::other(format!("{}: {why}", folder.join(name).display()));
    if let Some(why) = unfinished(folder) {
        return Err(Failure::other(why));
    }
    let read = |name: &str| match text_of(&folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let why = "it is not there: no exit package, or one that is not whole; export again into the same folder";
            Err(told(name, why.to_owned()))
        }
        text => text.map_err(|error| told(name, error.to_string())),
    };
    let (sums, text) = (read(SUMS)?, read(MANIFEST)?);
    let manifest = ExitManifest::read(&text).map_err(|why| told(MANIFEST, why))?;
    let written = hash(text.as_bytes()).map_err(|error| told(MANIFEST, error.to_string()))?;
    let mut damages = Vec::new();
    if manifest.sums(&written.sha256) != sums {
        damages.push(format!("{MANIFEST} and {SUMS} do not agree: one of them was changed"));
    }
    let mut bytes = written.bytes;
    for file in manifest.files() {
        match damage(folder, file) {
            Some(why) => damages.push(format!("{}: {why}", file.path)),
            None => bytes += file.bytes,
        }
    }
    let known: BTreeSet<&str> = manifest.files().map(|file| &*file.path).chain([MANIFEST, SUMS]).collect();
    let mut others = Vec::new();
    beside(folder, "", &known, &mut others).map_err(|error| told("", error.to_string()))?;
    Ok(Verified { manifest, bytes, damages, others })
}

/// What a file holds that is no link, and nothing that is read for ever.
fn text_of(path: &Path) -> io::Result<String> {
    let found = path.symlink_metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file, and links are not followed"));
    }
    if found.len() > MOST {
        return Err(io::Error::other(format!("it has more than {MOST} bytes, and none that was written has")));
    }
    std::fs::read_to_string(path)
}

fn damage(folder: &Path, file: &ExitFile) -> Option<String> {
    let path = folder.join(&file.path);
    let mut above = Path::new(&file.path).ancestors().skip(1).filter(|at| !at.as_os_str().is_empty());
    if let Some(link) = above.find(|at| folder.join(at).is_symlink()) {
        return Some(format!("{} is a link, and links are not followed", link.display()));
    }
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let half = format!("{}{PART}", file.path);
            let is_half = folder.join(&half).symlink_metadata().is_ok();
            let half = if is_half { format!(", and {half} is only a part of it: {AGAIN}") } else { String::new() };
            return Some(format!("it is missing{half}"));
        }
        Err(error) => return Some(error.to_string()),
        Ok(found) if !found.is_file() => return Some("it is no file".to_owned()),
        Ok(found) if found.len() != file.bytes => {
            return Some(format!("it has {} bytes, and {} were written", found.len(), file.bytes));
        }
        Ok(_) => {}
    }
    match File::open(path).and_then(hash) {
        Ok(Written { sha256, .. }) if sha256 == file.sha256 => None,
        Ok(_) => Some("it has another content than was written".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// The files below `at` that nobody knows, sorted; nothing is followed.
fn beside(folder: &Path, at: &str, known: &BTreeSet<&str>, others: &mut Vec<String>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder.join(at))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if at.is_empty() { name } else { format!("{at}/{name}") };
        let is_folder = entry.file_type()?.is_dir();
        // Of what people unpacked its folder is told, not each file in it.
        let leads =
            is_folder && known.iter().any(|file| file.strip_prefix(&*path).is_some_and(|rest| rest.starts_with('/')));
        if leads {
            beside(folder, &path, known, others)?;
        } else if !known.contains(&*path) {
            others.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::super::folder::Folder;
    use super::super::layout::tests::manifest;
    use super::*;

    const ONE: &str = "wiki/files/data.tar";

    fn package() -> tempfile::TempDir {
        let at = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(at.path().join("wiki/files")).unwrap();
        std::fs::write(at.path().join(ONE), "x").unwrap();
        let sha256 = hash(&b"x"[..]).unwrap().sha256;
        Folder::open(at.path()).unwrap().complete(&manifest(&[(ONE, &sha256)])).unwrap();
        at
    }

    #[test]
    fn a_whole_package_has_no_damage() {
        let package = package();
        let verified = verify(package.path()).unwrap();
        assert!(verified.damages.is_empty() && verified.others.is_empty(), "{verified:?}");
        assert!(verified.bytes > 1);
    }

    fn linked(path: &Path) {
        std::fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", path).unwrap();
    }

    #[test_case(|path| std::fs::write(path, "y").unwrap(), "another content"; "a flipped bit")]
    #[test_case(|path| std::fs::write(path, "").unwrap(), "0 bytes"; "cut off")]
    #[test_case(|path| std::fs::remove_file(path).unwrap(), "missing"; "gone")]
    #[test_case(linked, "no file"; "a link")]
    fn each_damage_is_found(harm: fn(&Path), told: &str) {
        let package = package();
        harm(&package.path().join(ONE));
        let damages = verify(package.path()).unwrap().damages;
        assert!(damages.len() == 1 && damages[0].starts_with(ONE) && damages[0].contains(told), "{damages:?}");
    }

    #[test]
    fn a_folder_behind_a_link_is_damage() {
        let (package, elsewhere) = (package(), tempfile::tempdir().unwrap());
        let (here, there) = (package.path().join("wiki"), elsewhere.path().join("wiki"));
        std::fs::rename(&here, &there).unwrap();
        std::os::unix::fs::symlink(&there, &here).unwrap();
        let damages = verify(package.path()).unwrap().damages;
        assert!(damages.len() == 1 && damages[0].contains("wiki is a link"), "{damages:?}");
    }

    #[test]
    fn what_is_there_in_part_alone_is_told_as_such() {
        let package = package();
        let path = package.path().join(ONE);
        std::fs::rename(&path, path.with_extension("tar.part")).unwrap();
        let damages = verify(package.path()).unwrap().damages;
        assert!(damages[0].contains("data.tar.part") && damages[0].contains("commonscloud export"), "{damages:?}");
    }

    #[test]
    fn what_does_not_fit_into_memory_is_not_read() {
        let package = package();
        let file = File::options().write(true).open(package.path().join(MANIFEST)).unwrap();
        file.set_len(MOST + 1).unwrap();
        assert!(verify(package.path()).unwrap_err().message.contains("more than"));
    }

    #[test]
    fn a_link_is_no_manifest() {
        let package = package();
        let (path, elsewhere) = (package.path().join(MANIFEST), tempfile::tempdir().unwrap());
        std::fs::rename(&path, elsewhere.path().join(MANIFEST)).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join(MANIFEST), &path).unwrap();
        assert!(verify(package.path()).unwrap_err().message.contains("links are not followed"));
    }

    #[test]
    fn a_changed_manifest_is_found() {
        let package = package();
        let path = package.path().join(MANIFEST);
        let text = std::fs::read_to_string(&path).unwrap().replace("hort", "horta");
        std::fs::write(path, text).unwrap();
        assert_eq!(verify(package.path()).unwrap().damages.len(), 1);
    }

    #[test]
    fn what_is_beside_it_is_told_and_is_no_damage() {
        let package = package();
        std::fs::create_dir_all(package.path().join("wiki/files/data/deep")).unwrap();
        std::fs::write(package.path().join("wiki/files/data/deep/a"), "x").unwrap();
        std::fs::write(package.path().join("notes.txt"), "x").unwrap();
        let verified = verify(package.path()).unwrap();
        assert_eq!(verified.others, ["notes.txt", "wiki/files/data"]);
        assert!(verified.damages.is_empty());
    }

    #[test]
    fn an_unfinished_one_is_none() {
        let package = package();
        std::fs::remove_file(package.path().join(SUMS)).unwrap();
        assert!(verify(package.path()).unwrap_err().message.contains("export again"));
    }
}
