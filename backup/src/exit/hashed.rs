//! A stream on its way into a file: hashed, and sealed where somebody is to open it.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use age::Encryptor;
use age::stream::StreamWriter;
use age::x25519::Recipient;
use sha2::{Digest, Sha256};

use crate::report::Failure;

/// What lies in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// A file that is hashed as it is written.
pub(super) struct HashedFile {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl HashedFile {
    /// A file, or a pipe.
    pub(super) fn new(file: File) -> Self {
        Self { file: BufWriter::new(file), hash: Sha256::new(), bytes: 0 }
    }

    /// Writes what is left to write.
    pub(super) fn end(mut self) -> io::Result<Written> {
        self.file.flush()?;
        Ok(Written { bytes: self.bytes, sha256: hex(&self.hash.finalize()) })
    }

    /// The same, down to the disk.
    fn synced(mut self) -> io::Result<Written> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        self.end()
    }
}

/// What is written into it reaches the file sealed to the recipients.
pub(super) fn sealing(into: HashedFile, recipients: &[String]) -> Result<StreamWriter<HashedFile>, Failure> {
    let recipients: Vec<Recipient> = recipients.iter().map(|text| recipient(text)).collect::<Result<_, _>>()?;
    let told = |why: &dyn std::fmt::Display| Failure::other(format!("sealing: {why}"));
    let sealed = Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient));
    sealed.map_err(|error| told(&error))?.wrap_output(into).map_err(|error| told(&error))
}

/// A file of the package that is being written; what it is called at its end is not there until then.
pub struct Output(Inner);

enum Inner {
    Plain(HashedFile),
    Sealed(Box<StreamWriter<HashedFile>>),
}

impl Output {
    /// A new file, readable for its owner alone; sealed to the recipients, unless there are none.
    ///
    /// # Errors
    /// When it cannot be made, or a recipient is none.
    pub fn create(path: &Path, recipients: &[String]) -> Result<Self, Failure> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let told = |error: io::Error| Failure::other(format!("{}: {error}", path.display()));
        let opened = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = HashedFile::new(opened.map_err(told)?);
        if recipients.is_empty() {
            return Ok(Self(Inner::Plain(file)));
        }
        Ok(Self(Inner::Sealed(Box::new(sealing(file, recipients)?))))
    }

    /// Writes what is left to write, down to the disk.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn end(self) -> io::Result<Written> {
        match self.0 {
            Inner::Plain(file) => file.synced(),
            Inner::Sealed(sealed) => sealed.finish()?.synced(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(file) => file.write(bytes),
            Inner::Sealed(sealed) => sealed.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Plain(file) => file.flush(),
            Inner::Sealed(sealed) => sealed.flush(),
        }
    }
}

fn recipient(text: &str) -> Result<Recipient, Failure> {
    text.parse::<Recipient>()
        .map_err(|why| Failure::other(format!("a recipient is no public key of age (age1...): {why}")))
}

/// Whether it is a public key of age.
pub fn is_recipient(text: &str) -> bool {
    recipient(text).is_ok()
}

/// What is read is written as well.
pub struct Tee<'o, R, W> {
    pub from: R,
    pub into: &'o mut W,
}

impl<R: Read, W: Write> Read for Tee<'_, R, W> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes)?;
        self.into.write_all(&bytes[..read])?;
        Ok(read)
    }
}

/// The SHA-256 of all that can be read, and how much it is.
///
/// # Errors
/// When it cannot be read.
pub fn hash(mut from: impl Read) -> io::Result<Written> {
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 64 << 10]);
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(Written { bytes, sha256: hex(&hash.finalize()) }),
            Ok(read) => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn what_is_written_is_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut output = Output::create(&path, &[]).unwrap();
        io::copy(&mut Tee { from: &b"abc"[..], into: &mut output }, &mut io::sink()).unwrap();
        let written = output.end().unwrap();
        assert_eq!(written, Written { bytes: 3, sha256: ABC.to_owned() });
        assert_eq!(hash(File::open(&path).unwrap()).unwrap(), written);
    }

    #[test]
    fn what_is_sealed_is_hashed_as_it_lies_there_and_opens_for_its_recipient() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.age");
        let identity = age::x25519::Identity::generate();
        let mut output = Output::create(&path, &[identity.to_public().to_string()]).unwrap();
        output.write_all(b"abc").unwrap();
        let written = output.end().unwrap();
        assert_eq!(hash(File::open(&path).unwrap()).unwrap(), written);
        let decryptor = age::Decryptor::new(File::open(&path).unwrap()).unwrap();
        let mut opened = String::new();
        decryptor
            .decrypt(std::iter::once(&identity as &dyn age::Identity))
            .unwrap()
            .read_to_string(&mut opened)
            .unwrap();
        assert_eq!(opened, "abc");
        let private = identity.to_string().expose_secret().to_owned();
        let error = Output::create(&path, std::slice::from_ref(&private)).err().unwrap().message;
        assert!(error.contains("age1...") && !error.contains(&private), "{error}");
    }
}
