//! Reads a file of a package, sealed or not.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use age::{DecryptError, Decryptor};

use super::layout::{AGAIN, ExitFile};
use crate::escrow::identities;
use crate::report::Failure;

/// What a sealed file is called.
const SEALED: &str = ".age";

impl ExitFile {
    /// Whether it is sealed to recipients.
    pub fn is_sealed(&self) -> bool {
        self.path.ends_with(SEALED)
    }
}

/// What a file of the package in `folder` holds. `identity`: the text of a file of `age-keygen`, which a sealed one
/// asks for. What is sealed is authenticated piece by piece: one that was cut off or changed ends in an error.
///
/// # Errors
/// When it cannot be read, or the private key does not open it.
pub fn open(folder: &Path, file: &ExitFile, identity: Option<&str>) -> Result<Box<dyn Read + Send>, Failure> {
    let told = |error: io::Error| Failure::other(format!("{}: {error}", file.path));
    let opened = File::open(folder.join(&file.path)).map_err(told)?;
    if !file.is_sealed() {
        return Ok(Box::new(BufReader::new(opened)));
    }
    let sealed = || Failure::other(format!("{} is sealed: --identity names the private key that opens it", file.path));
    decrypted(opened, &file.path, identity.ok_or_else(sealed)?)
}

/// What a sealed file holds. `name`: what it is called, for people.
///
/// # Errors
/// When the private key does not open it.
pub(super) fn decrypted(
    sealed: impl Read + Send + 'static,
    name: &str,
    identity: &str,
) -> Result<Box<dyn Read + Send>, Failure> {
    let opened = BufReader::new(sealed);
    let keys = identities(identity).map_err(|error| Failure::other(error.to_string()))?;
    let refused = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys => {
            Failure::other(format!("{name} is sealed to others: --identity is of none of its recipients"))
        }
        DecryptError::Io(error) => Failure::other(format!("{name}: {}", cut_off(&error))),
        error => Failure::other(format!("{name}: it is cut off, or was changed ({error}): {AGAIN}")),
    };
    let decryptor = Decryptor::new_buffered(opened).map_err(refused)?;
    let reader = decryptor.decrypt(keys.iter().map(|key| key as &dyn age::Identity)).map_err(refused)?;
    Ok(Box::new(Sealed(reader)))
}

/// What is sealed, with errors that say what to do.
struct Sealed<R>(R);

impl<R: Read> Read for Sealed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes).map_err(|error| cut_off(&error))
    }
}

/// age tells one that was cut off or changed as one of the first two.
fn cut_off(error: &io::Error) -> io::Error {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) {
        return io::Error::new(kind, format!("it is cut off, or was changed ({error}): {AGAIN}"));
    }
    io::Error::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use age::secrecy::ExposeSecret as _;
    use age::x25519::Identity;

    use super::super::hashed::Output;
    use super::super::layout::tests::manifest;
    use super::*;

    fn read(folder: &Path, path: &str, identity: Option<&str>) -> Result<String, String> {
        let file = manifest(&[(path, "aa")]).services[0].files[0].clone();
        let mut text = String::new();
        let opened = open(folder, &file, identity).map_err(|failure| failure.message);
        opened?.read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn what_is_sealed_opens_for_its_recipient_alone_and_is_whole_or_an_error() {
        let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::generate());
        let private = identity.to_string().expose_secret().to_owned();
        let path = folder.path().join("dump.sql.age");
        let mut output = Output::create(&path, &[identity.to_public().to_string()]).unwrap();
        output.write_all(&vec![b'x'; 200_000]).unwrap();
        output.end().unwrap();
        assert_eq!(read(folder.path(), "dump.sql.age", Some(&private)).unwrap().len(), 200_000);
        assert!(read(folder.path(), "dump.sql.age", None).unwrap_err().contains("--identity"));
        let another = Identity::generate().to_string().expose_secret().to_owned();
        assert!(read(folder.path(), "dump.sql.age", Some(&another)).unwrap_err().contains("others"));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 70_000]).unwrap();
        let error = read(folder.path(), "dump.sql.age", Some(&private)).unwrap_err();
        assert!(error.contains("cut off") && error.contains("commonscloud export"), "{error}");
        std::fs::write(&path, &whole[..20]).unwrap();
        let error = read(folder.path(), "dump.sql.age", Some(&private)).unwrap_err();
        assert!(error.contains("dump.sql.age") && error.contains("cut off"), "{error}");
    }

    #[test]
    fn what_is_open_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("dump.sql"), "x").unwrap();
        assert_eq!(read(folder.path(), "dump.sql", None).unwrap(), "x");
        assert!(read(folder.path(), "gone.sql", None).is_err());
    }
}
