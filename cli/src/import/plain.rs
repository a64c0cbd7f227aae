//! What a plain application has that was never ours, in the layout of `docs/operations/moving-in.md`.

use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use commonscloud_backup::exit::Engine;
use commonscloud_backup::report::one_line;

use super::seen::{Seen, SeenFile, opened};
use super::source::{Brought, Content, Tree, TreeFrom};
use super::{newest, nextcloud};
use crate::asked;

/// What the application says of its version.
const VERSION: &str = "version.txt";
/// Below it a folder for each volume.
pub(super) const FILES: &str = "files";
pub(super) const DUMP: &str = "dump.sql";
/// A version stands at the beginning.
const LONGEST_VERSION: u64 = 4096;
/// By so much of its beginning a dump is known, and each line of it.
const BEGINNING: usize = 4096;

/// How an application is laid out.
struct Layout {
    template: &'static str,
    /// Its name, for people.
    name: &'static str,
    /// The folder that has to be there, below `files`.
    folder: &'static str,
    has_dump: bool,
}

const LAYOUTS: [Layout; 2] = [
    Layout { template: "mediawiki", name: "MediaWiki", folder: "data/images", has_dump: true },
    Layout { template: "radicale", name: "Radicale", folder: "data/collections/collection-root", has_dump: false },
];

/// No path is longer.
const LONGEST_PATH: usize = 4096;
const GUIDE: &str = "docs/operations/moving-in.md says how it is laid out";

/// Reads a folder for a service of this template. Nothing is written.
///
/// # Errors
/// What is missing or cannot be taken, in words.
pub(super) fn read(folder: &Path, template: &str) -> Result<Brought, String> {
    if template == "office" {
        return nextcloud::read(folder);
    }
    let layout = LAYOUTS.iter().find(|layout| layout.template == template).ok_or_else(|| {
        format!(
            "{}: it is no exit package, and of template {template} no plain layout is known: those of mediawiki, \
             office and radicale are",
            folder.display()
        )
    })?;
    let told = |name: &str, why: &str| told(folder, name, why);
    if folder.join(VERSION).symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        let why = "it is not there: the folder is no exit package, which has a manifest.json, and no plain application";
        return Err(told(VERSION, why));
    }
    let text = beginning(folder).map_err(|why| told(VERSION, &why))?;
    let application = version(&text).ok_or_else(|| told(VERSION, "it names no version, such as 1.39.13"))?;
    let files = folder.join(FILES);
    // Before anything is read: what changes from then on is seen at the end.
    let seen = Seen::below(folder)?;
    if let Some(other) = no_folder(folder, &Path::new(FILES).join(layout.folder)) {
        return Err(told(&other.to_string_lossy(), "it is no folder, and links are not followed"));
    }
    let path = folder.join(DUMP);
    if layout.has_dump {
        let dump = opened(folder, DUMP).map_err(|why| told(DUMP, &why))?;
        of_mediawiki(BufReader::new(dump)).map_err(|why| told(DUMP, &why))?;
    } else if path.symlink_metadata().is_ok() {
        return Err(told(DUMP, &format!("{} has no database", layout.name)));
    }
    let trees = trees(&files, &seen.files).map_err(|error| format!("{}: {error}", files.display()))?;
    let fingerprint = seen.fingerprint(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let taken_at = newest(seen.files.iter().map(|file| file.modified)).unwrap_or_default();
    Ok(Brought {
        folder: folder.to_owned(),
        shown: format!("what a {} {application} held, last changed at {}", layout.name, asked::shown(taken_at)),
        template: template.to_owned(),
        application,
        revisions: None,
        taken_at,
        trees,
        dump: layout.has_dump.then_some(Content::Plain(path)),
        state: None,
        fingerprint,
        seen,
        nextcloud: None,
    })
}

/// What is wrong with something below the folder: whoever made it chose its names, and a terminal would do what they say.
pub(super) fn told(folder: &Path, name: &str, why: &str) -> String {
    format!("{}: {why}; {GUIDE}", one_line(&folder.join(name).to_string_lossy(), LONGEST_PATH))
}

/// What is no folder of this path below the root, be it the one that it ends with or one above: a link is none, since
/// what it leads to would stay where it is.
pub(super) fn no_folder(root: &Path, path: &Path) -> Option<PathBuf> {
    let is_folder = |at: &Path| root.join(at).symlink_metadata().is_ok_and(|found| found.is_dir());
    path.ancestors().filter(|at| !at.as_os_str().is_empty()).find(|at| !is_folder(at)).map(Path::to_owned)
}

/// What the file with the version begins with.
fn beginning(folder: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = opened(folder, VERSION)?.take(LONGEST_VERSION).read_to_end(&mut text);
    read.map(|_| text).map_err(|error| error.to_string())
}

/// The first number of a text.
fn version(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let begin = text.find(|sign: char| sign.is_ascii_digit())?;
    let number: String = text[begin..].chars().take_while(|sign| sign.is_ascii_digit() || *sign == '.').collect();
    Some(number.trim_end_matches('.').to_owned())
}

/// Whether a dump is whole and of a MediaWiki in MariaDB, and goes into the one database that there is for it. Strings
/// in it have no ends of lines: a line is what it looks like.
fn of_mediawiki(mut dump: impl BufRead) -> Result<(), String> {
    let beginning = dump.fill_buf().map_err(|error| error.to_string())?;
    if Engine::of(beginning.get(..BEGINNING).unwrap_or(beginning)) != Some(Engine::MariaDB) {
        return Err("it is no dump of mariadb-dump: one of PostgreSQL or SQLite is not taken".to_owned());
    }
    let (mut line, mut last, mut tables) = (Vec::new(), Vec::new(), Vec::new());
    while next_line(&mut dump, BEGINNING, &mut line).map_err(|error| error.to_string())? {
        if line.starts_with(b"USE `") || line.starts_with(b"CREATE DATABASE") {
            return Err(
                "it names a database, and the package's has another name: dump it without --databases".to_owned()
            );
        }
        if let Some(rest) = line.strip_prefix(b"CREATE TABLE `") {
            tables.extend(String::from_utf8_lossy(rest).split('`').next().map(str::to_owned));
        }
        if !line.trim_ascii().is_empty() {
            last = line[..line.len().min(100)].to_vec();
        }
    }
    if !last.starts_with(b"-- Dump completed") {
        return Err("it does not end with `-- Dump completed`: it was cut off, or made with --skip-comments".to_owned());
    }
    if tables.iter().any(|table| table == "page") {
        return Ok(());
    }
    let prefix = tables.iter().find_map(|table| {
        let prefix = table.strip_suffix("page")?;
        tables.contains(&format!("{prefix}revision")).then_some(prefix)
    });
    Err(match prefix {
        Some(prefix) => format!(
            "its tables have the prefix {prefix:?} ($wgDBprefix), and the package's have none: rename them first"
        ),
        None => "it has no table page: no MediaWiki's".to_owned(),
    })
}

/// The next line without its end, and at most so many bytes of it: who made the dump chose how long it is. False: there
/// is none.
pub(super) fn next_line(dump: &mut impl BufRead, most: usize, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = dump.by_ref().take(most as u64).read_until(b'\n', line)?;
    if line.pop_if(|byte| *byte == b'\n').is_none() && read == most {
        dump.skip_until(b'\n')?;
    }
    Ok(read > 0)
}

/// The volumes: each is a folder itself, no link to one.
pub(super) fn trees(files: &Path, seen: &[SeenFile]) -> io::Result<Vec<Tree>> {
    let mut trees = Vec::new();
    for entry in std::fs::read_dir(files)? {
        let entry = entry?;
        let volume = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_dir() {
            return Err(io::Error::other(format!("{volume:?} is no folder of a volume")));
        }
        // It is shown, and part of a tag at the target.
        if !volume.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return Err(io::Error::other(format!("{volume:?} is no name of a volume")));
        }
        let own = Path::new(FILES).join(entry.file_name());
        let bytes = seen.iter().filter(|file| file.path.starts_with(&own)).map(|file| file.bytes);
        let bytes = bytes.fold(0, u64::saturating_add);
        trees.push(Tree { volume, bytes, from: TreeFrom::Below(files.to_owned()) });
    }
    trees.sort_by(|a, b| a.volume.cmp(&b.volume));
    Ok(trees)
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
