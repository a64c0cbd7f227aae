//! A part of a backup as restic gives it, on its way into a package.

use std::io::{self, BufWriter, Read, Write};

use super::entries::each_file;
use super::hashed::{Written, hash};
use super::layout::Engine;
use crate::report::StoredPart;
use crate::restic::Call;
use commonscloud_api::SnapshotPartKind;

/// By how much of its beginning a dump is known.
const BEGINNING: u64 = 4096;

/// What has restic write it.
pub(super) fn dumped(part: &StoredPart) -> Call {
    let call = Call::reading("dump");
    let file = match part.kind {
        SnapshotPartKind::Files => return call.args(["--archive", "tar", part.snapshot.as_str(), "/"]),
        SnapshotPartKind::Dump => "/dump",
        SnapshotPartKind::State => "/state",
        SnapshotPartKind::Secrets => "/secrets.tar",
    };
    call.args([part.snapshot.as_str(), file])
}

/// Copies all of it, and says what its beginning is the dump of.
pub(super) fn copied(mut from: impl Read, into: &mut impl Write) -> io::Result<Option<Engine>> {
    let mut beginning = Vec::new();
    from.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
    into.write_all(&beginning)?;
    io::copy(&mut from, into)?;
    Ok(Engine::of(&beginning))
}

/// Reads a tar to its end, and writes a line for each file of it, as `sha256sum` does.
pub(super) fn hashes_of(from: impl Read, into: &mut impl Write) -> io::Result<()> {
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
    use super::super::hashed::{Output, Tee};
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
}
