//! The files of a tar as restic writes it, by Go's `archive/tar`: headers of ustar, records of PAX where those do not
//! hold a name or a size. Of ours, since names and attributes are whatever people chose: the crate `tar` ends a record
//! at a newline, where its length does.

use std::io::{self, Read};

pub(super) const BLOCK: usize = 512;
/// The longest records of one entry, in bytes: all its attributes.
const MOST_RECORDS: u64 = 16 << 20;

/// A file of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as bytes.
    pub path: Vec<u8>,
    /// Its bytes, which come next.
    pub size: u64,
}

/// Calls `each` for every regular file, with what is in it, and reads all to its end.
///
/// # Errors
/// When it ends half-way or is no tar; or that of `each`.
pub fn each_file(mut from: impl Read, mut each: impl FnMut(&Entry, &mut dyn Read) -> io::Result<()>) -> io::Result<()> {
    let mut records = Records::default();
    loop {
        let mut header = [0; BLOCK];
        from.read_exact(&mut header)?;
        if header.iter().all(|byte| *byte == 0) {
            // The second empty block, and what else fills the last one.
            return io::copy(&mut from, &mut io::sink()).map(drop);
        }
        has_its_sum(&header)?;
        let kind = header[156];
        let size = match (kind, records.size) {
            (b'x' | b'g', _) | (_, None) => number(&header[124..136])?,
            (_, Some(size)) => size,
        };
        let mut content = from.by_ref().take(size);
        match kind {
            b'x' if size > MOST_RECORDS => return Err(no_tar("records of an entry are too long")),
            b'x' => {
                let mut text = Vec::new();
                content.read_to_end(&mut text)?;
                records = Records::read(&text)?;
            }
            b'0' | 0 => {
                let path = records.path.take().unwrap_or_else(|| name(&header));
                each(&Entry { path, size }, &mut content)?;
                records = Records::default();
            }
            // Those of all entries that follow: nothing of them is asked.
            b'g' => {}
            _ => records = Records::default(),
        }
        io::copy(&mut content, &mut io::sink())?;
        if content.limit() > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the tar ends within a file"));
        }
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        io::copy(&mut from.by_ref().take(padding), &mut io::sink())?;
    }
}

/// What PAX says of the entry that follows.
#[derive(Default)]
struct Records {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Records {
    /// `LENGTH KEY=VALUE\n`, the length that of all of it, in decimal.
    fn read(mut text: &[u8]) -> io::Result<Self> {
        let mut records = Self::default();
        while !text.is_empty() {
            let (length, begin) = length(text).ok_or_else(|| no_tar("a record without its length"))?;
            let (record, rest) = text.split_at(length);
            let record = &record[begin..length - 1];
            let at = record.iter().position(|byte| *byte == b'=').ok_or_else(|| no_tar("a record without a value"))?;
            match (&record[..at], &record[at + 1..]) {
                (b"path", value) => records.path = Some(value.to_vec()),
                (b"size", value) => records.size = Some(decimal(value).ok_or_else(|| no_tar("a size that is none"))?),
                _ => {}
            }
            text = rest;
        }
        Ok(records)
    }
}

/// The length of the first record, and where its key begins.
fn length(text: &[u8]) -> Option<(usize, usize)> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&text[..space])?).ok()?;
    (length > space + 1 && length <= text.len() && text[length - 1] == b'\n').then_some((length, space + 1))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Octal digits, or with the highest bit set a number of base 256.
fn number(field: &[u8]) -> io::Result<u64> {
    if field[0] & 0x80 != 0 {
        let (first, rest) = (u64::from(field[0] & 0x7f), &field[1..]);
        let joined = rest.iter().try_fold(first, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
        return joined.ok_or_else(|| no_tar("a size that is too large"));
    }
    let text = String::from_utf8_lossy(field);
    let digits = text.trim_matches(|c: char| c == '\0' || c == ' ');
    if digits.is_empty() { Ok(0) } else { u64::from_str_radix(digits, 8).map_err(|_| no_tar("a size that is none")) }
}

fn name(header: &[u8; BLOCK]) -> Vec<u8> {
    let text = |field: &[u8]| field.iter().copied().take_while(|byte| *byte != 0).collect::<Vec<u8>>();
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    if prefix.is_empty() || &header[257..263] != b"ustar\0" { name } else { [&prefix[..], b"/", &name].concat() }
}

fn has_its_sum(header: &[u8; BLOCK]) -> io::Result<()> {
    let blank = |at: usize| (148..156).contains(&at);
    let sum: u64 = header.iter().enumerate().map(|(at, byte)| if blank(at) { 32 } else { u64::from(*byte) }).sum();
    if number(&header[148..156])? == sum { Ok(()) } else { Err(no_tar("a header that is damaged")) }
}

fn no_tar(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no tar: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry as it lies in a tar.
    fn entry(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
        let mut header = [0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        header[154] = 0;
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    fn record(key: &str, value: &str) -> String {
        let rest = format!(" {key}={value}\n");
        let length = (1..1000).find(|length: &usize| length.to_string().len() + rest.len() == *length).unwrap();
        format!("{length}{rest}")
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        each_file(bytes, |entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            found.push((String::from_utf8_lossy(&entry.path).into_owned(), text));
            Ok(())
        })?;
        Ok(found)
    }

    const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

    #[test]
    fn files_are_found_and_nothing_else() {
        let all = [entry(b'5', "data/", b""), entry(b'0', "data/a", b"abc"), entry(b'2', "data/l", b""), END.to_vec()];
        assert_eq!(read(&all.concat()).unwrap(), [("data/a".to_owned(), "abc".to_owned())]);
    }

    #[test]
    fn a_record_ends_where_its_length_does_whatever_people_wrote_in_it() {
        let hostile = record("SCHILY.xattr.user.x", "a\n12 size=9999\n11 path=b\n");
        let records = hostile + &record("path", "data/què\nés");
        let all = [
            entry(b'x', "pax", records.as_bytes()),
            entry(b'0', "data/qu", b"abc"),
            entry(b'0', "b", b""),
            END.to_vec(),
        ];
        let found = read(&all.concat()).unwrap();
        assert_eq!(found[0], ("data/què\nés".to_owned(), "abc".to_owned()));
        assert_eq!(found[1].0, "b", "the records are of one entry");
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let whole = [entry(b'0', "a", &[7; 700]), END.to_vec()].concat();
        read(&[entry(b'0', "a", b"abc"), END.to_vec()].concat()).unwrap();
        for length in [0, 100, 512, 600, 1211, 1536] {
            assert!(each_file(&whole[..length], |_, _| Ok(())).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn what_is_no_tar_is_an_error() {
        let mut damaged = [entry(b'0', "a", b"abc"), END.to_vec()].concat();
        damaged[3] ^= 1;
        assert!(read(&damaged).unwrap_err().to_string().contains("damaged"));
        for records in ["x", "5 a=b\n", "999 path=a\n", "2 \n", "8 pathb\n", "99999999999999999999 a=b\n"] {
            let all = [entry(b'x', "pax", records.as_bytes()), END.to_vec()].concat();
            assert!(read(&all).is_err(), "{records:?}");
        }
    }

    #[test]
    fn sizes_are_octal_or_of_base_256() {
        assert_eq!(number(b"00000000017\0").unwrap(), 15);
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0").unwrap(), 2 << 32);
        assert!(number(&[0xff; 12]).is_err() && number(b"9\0\0\0\0\0\0\0\0\0\0\0").is_err());
    }
}
