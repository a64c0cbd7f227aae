//! Opens a package that is one sealed file: the folder of a package comes of it, or nothing.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use super::entries::each_file;
use super::fetch::half_of;
use super::open::decrypted;
use crate::report::{Failure, one_line};

/// Makes the folder `to`, which is not there or empty, of the file `sealed`. `identity`: the text of a file of
/// `age-keygen`. What is cut off or changed ends in an error, and nothing is left of it.
///
/// # Errors
/// When the private key does not open it, it is no package, or there is no room.
pub fn unseal(sealed: &Path, identity: &str, to: &Path) -> Result<(), Failure> {
    let opened = File::open(sealed).map_err(|error| Failure::other(format!("{}: {error}", sealed.display())))?;
    unseal_from(opened, &sealed.display().to_string(), identity, to)
}

/// The same of what is read from somewhere. `name`: what it is called, for people.
///
/// # Errors
/// As of [`unseal`].
pub fn unseal_from(sealed: impl Read + Send + 'static, name: &str, identity: &str, to: &Path) -> Result<(), Failure> {
    let of_file = |error: io::Error| Failure::other(format!("{name}: {error}"));
    let of_folder = |error: io::Error| Failure::other(format!("{}: {error}", to.display()));
    let from = decrypted(sealed, name, identity)?;
    if to.symlink_metadata().is_ok() && fs::read_dir(to).map_err(of_folder)?.next().is_some() {
        return Err(Failure::other(format!("{} is not empty: give another folder", to.display())));
    }
    let half = half_of(to);
    let made = DirBuilder::new().mode(0o700).create(&half);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::other(format!(
            "{} is there, of one that was stopped before its end or is at work: remove it, and open the package again",
            half.display()
        )),
        _ => Failure::other(format!("{}: {error}", half.display())),
    })?;
    let opened = unpacked(from, &half).map_err(of_file);
    let placed = opened.and_then(|()| fs::rename(&half, to).map_err(of_folder));
    if placed.is_err() {
        let _ = fs::remove_dir_all(&half);
    }
    placed
}

/// Each file of the tar below the folder, for its owner alone. Nothing but regular files is made.
fn unpacked(from: impl Read, folder: &Path) -> io::Result<()> {
    each_file(from, |entry, content| {
        let path = folder.join(below(&entry.path)?);
        let parent = path.parent().unwrap_or(folder);
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        io::copy(content, &mut file)?;
        file.sync_all()
    })
}

/// A path that leads nowhere else.
fn below(path: &[u8]) -> io::Result<PathBuf> {
    let text = String::from_utf8_lossy(path);
    let is_below = Path::new(&*text).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_below || text.is_empty() || text.contains(char::is_control) {
        let shown = one_line(&text, 100);
        return Err(io::Error::other(format!("no exit package: {shown:?} is no path below its folder")));
    }
    Ok(PathBuf::from(&*text))
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;
    use age::x25519::Identity;
    use test_case::test_case;

    use super::super::archive::Archive;
    use super::super::hashed::{HashedFile, sealing};
    use super::*;

    fn sealed(at: &Path, files: &[&str], identity: &Identity) -> PathBuf {
        let path = at.join("package.tar.age");
        let into = HashedFile::new(File::create(&path).unwrap());
        let mut archive = Archive::new(sealing(into, &[identity.to_public().to_string()]).unwrap(), 0);
        for file in files {
            archive.place(file, &"x".repeat(100_000)).unwrap();
        }
        archive.end().unwrap().finish().unwrap().end().unwrap();
        path
    }

    fn text(identity: &Identity) -> String {
        identity.to_string().expose_secret().to_owned()
    }

    #[test]
    fn a_package_is_opened_by_its_recipient_alone_and_not_over_something_else() {
        let (at, identity) = (tempfile::tempdir().unwrap(), Identity::generate());
        let package = sealed(at.path(), &["wiki/dump.sql", "SHA256SUMS"], &identity);
        let to = at.path().join("hort");
        let other = unseal(&package, &text(&Identity::generate()), &to).unwrap_err().message;
        assert!(other.contains("sealed to others") && !to.exists(), "{other}");
        unseal(&package, &text(&identity), &to).unwrap();
        assert_eq!(fs::read(to.join("wiki/dump.sql")).unwrap().len(), 100_000);
        assert!(unseal(&package, &text(&identity), &to).unwrap_err().message.contains("not empty"));
    }

    #[test]
    fn nothing_is_left_of_one_that_was_cut_off() {
        let (at, identity) = (tempfile::tempdir().unwrap(), Identity::generate());
        let package = sealed(at.path(), &["wiki/dump.sql", "SHA256SUMS"], &identity);
        let whole = fs::read(&package).unwrap();
        let to = at.path().join("hort");
        for length in [30, 70_000, whole.len() - 1] {
            fs::write(&package, &whole[..length]).unwrap();
            let error = unseal(&package, &text(&identity), &to).unwrap_err();
            assert!(error.message.contains("cut off"), "{length}: {error}");
            assert_eq!(fs::read_dir(at.path()).unwrap().count(), 1, "{length}");
        }
    }

    #[test]
    fn nothing_is_left_open_of_one_that_somebody_stopped() {
        let (at, identity) = (tempfile::tempdir().unwrap(), Identity::generate());
        let package = sealed(at.path(), &["wiki/dump.sql", "wiki/secrets.tar"], &identity);
        let beginning = File::open(&package).unwrap().take(120_000);
        let stopped = beginning.chain(Stopped);
        let error = unseal_from(stopped, "leaving", &text(&identity), &at.path().join("hort")).unwrap_err();
        assert!(error.message.contains("asked to end"), "{error}");
        assert_eq!(fs::read_dir(at.path()).unwrap().count(), 1);
    }

    struct Stopped;

    impl Read for Stopped {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("asked to end"))
        }
    }

    #[test_case("../x"; "above")]
    #[test_case("/x"; "from the root")]
    #[test_case("a\u{1b}[2J"; "for a terminal")]
    fn what_leads_elsewhere_is_refused(path: &str) {
        let (at, identity) = (tempfile::tempdir().unwrap(), Identity::generate());
        let package = sealed(at.path(), &[path], &identity);
        let error = unseal(&package, &text(&identity), &at.path().join("hort")).unwrap_err();
        assert!(error.message.contains("no path below") && !error.message.contains('\u{1b}'), "{error}");
        assert!(!at.path().parent().unwrap().join("x").exists());
    }
}
