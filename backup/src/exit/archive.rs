//! A tar that is written file by file, each of a size that is known before it comes, and read again by anybody's tar.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use super::entries::BLOCK;
use super::hashed::{Written, hex};

/// The largest number of the digits of a header's size.
const LARGEST_OCTAL: u64 = 0o777_7777_7777;

/// A tar on its way.
pub(super) struct Archive<W: Write> {
    into: W,
    /// When its files were written, in seconds since 1970.
    made: u64,
}

/// A file of it that is being written.
pub(super) struct Content<'a, W: Write> {
    archive: &'a mut Archive<W>,
    size: u64,
    written: u64,
    hash: Sha256,
}

impl<W: Write> Archive<W> {
    pub(super) const fn new(into: W, made: u64) -> Self {
        Self { into, made }
    }

    /// Begins a file of so many bytes.
    ///
    /// # Errors
    /// When its name does not fit a header, or nobody reads.
    pub(super) fn file(&mut self, path: &str, size: u64) -> io::Result<Content<'_, W>> {
        let header = header(path, size, self.made)?;
        self.into.write_all(&header)?;
        Ok(Content { archive: self, size, written: 0, hash: Sha256::new() })
    }

    /// A file that is there as a whole.
    ///
    /// # Errors
    /// As of [`Self::file`].
    pub(super) fn place(&mut self, path: &str, text: &str) -> io::Result<Written> {
        let mut content = self.file(path, text.len() as u64)?;
        content.write_all(text.as_bytes())?;
        content.end()
    }

    /// The end of it, and into what it was written.
    ///
    /// # Errors
    /// When nobody reads.
    pub(super) fn end(mut self) -> io::Result<W> {
        self.into.write_all(&[0; 2 * BLOCK])?;
        Ok(self.into)
    }
}

impl<W: Write> Write for Content<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.size - self.written {
            return Err(other(format!("it has more than the {} bytes that it had", self.size)));
        }
        let written = self.archive.into.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.archive.into.flush()
    }
}

impl<W: Write> Content<'_, W> {
    /// The end of the file.
    ///
    /// # Errors
    /// When it is shorter than was said, or nobody reads.
    pub(super) fn end(self) -> io::Result<Written> {
        if self.written < self.size {
            return Err(other(format!("it ended after {} of the {} bytes that it had", self.written, self.size)));
        }
        let padding = usize::try_from(self.size.next_multiple_of(BLOCK as u64) - self.size).unwrap_or_default();
        self.archive.into.write_all(&[0; BLOCK][..padding])?;
        Ok(Written { bytes: self.written, sha256: hex(&self.hash.finalize()) })
    }
}

fn other(why: String) -> io::Error {
    io::Error::other(why)
}

/// A regular file of its owner alone, whoever unpacks it.
fn header(path: &str, size: u64, made: u64) -> io::Result<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let name = header.get_mut(..path.len()).filter(|_| path.len() <= 100);
    name.ok_or_else(|| other(format!("{path:?} is too long for a tar")))?.copy_from_slice(path.as_bytes());
    header[100..107].copy_from_slice(b"0000600");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    if size <= LARGEST_OCTAL {
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    } else {
        header[124] = 0x80;
        header[128..136].copy_from_slice(&size.to_be_bytes());
    }
    header[136..147].copy_from_slice(format!("{:011o}", made.min(LARGEST_OCTAL)).as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    header[154] = 0;
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::super::entries::each_file;
    use super::super::hashed::hash;
    use super::*;

    #[test]
    fn what_is_written_is_read_by_another_reader_of_tars_and_by_ours() {
        let mut archive = Archive::new(Vec::new(), 1_700_000_000);
        let long = "x".repeat(1000);
        let written = archive.place("wiki/dump.sql", &long).unwrap();
        assert_eq!(written, hash(long.as_bytes()).unwrap());
        archive.place("README.md", "").unwrap();
        let bytes = archive.end().unwrap();
        let mut theirs = Vec::new();
        for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            assert_eq!((entry.header().mode().unwrap(), entry.header().mtime().unwrap()), (0o600, 1_700_000_000));
            theirs.push((entry.path().unwrap().display().to_string(), text));
        }
        assert_eq!(theirs, [("wiki/dump.sql".to_owned(), long), ("README.md".to_owned(), String::new())]);
        let mut ours = Vec::new();
        each_file(&bytes[..], |entry, _| {
            ours.push((String::from_utf8_lossy(&entry.path).into_owned(), entry.size));
            Ok(())
        })
        .unwrap();
        assert_eq!(ours, [("wiki/dump.sql".to_owned(), 1000), ("README.md".to_owned(), 0)]);
    }

    #[test]
    fn a_size_beyond_the_digits_of_a_header_is_one_that_others_read() {
        for size in [0, 1, LARGEST_OCTAL, LARGEST_OCTAL + 1, 1 << 42] {
            let header = header("a", size, 0).unwrap();
            assert_eq!(tar::Header::from_byte_slice(&header).entry_size().unwrap(), size);
        }
    }

    #[test]
    fn a_file_that_is_not_as_long_as_was_said_is_none() {
        let mut archive = Archive::new(Vec::new(), 0);
        let mut content = archive.file("a", 3).unwrap();
        assert!(content.write_all(b"abcd").unwrap_err().to_string().contains("more than"));
        let mut content = archive.file("a", 3).unwrap();
        content.write_all(b"ab").unwrap();
        assert!(content.end().unwrap_err().to_string().contains("ended after 2"));
        assert!(archive.file(&"a".repeat(101), 3).is_err());
    }
}
