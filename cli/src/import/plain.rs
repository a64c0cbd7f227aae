//! What a plain application has that was never ours, in the layout of `docs/operations/moving-in.md`.

use std::fs::{DirEntry, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use commonscloud_backup::exit::{Engine, hash};

use super::source::{Brought, Content, Tree, TreeFrom};
use super::{newest, nextcloud};
use crate::asked;

/// What the application says of its version.
const VERSION: &str = "version.txt";
/// Below it a folder for each volume.
pub(super) const FILES: &str = "files";
pub(super) const DUMP: &str = "dump.sql";
/// A version stands at the beginning.
const LONGEST_VERSION: usize = 4096;
/// By so much of its beginning a dump is known.
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
    let text = std::fs::read(folder.join(VERSION)).map_err(|error| told(VERSION, &error.to_string()))?;
    let application = version(&text).ok_or_else(|| told(VERSION, "it names no version, such as 1.39.13"))?;
    let files = folder.join(FILES);
    if let Some(other) = no_folder(folder, &Path::new(FILES).join(layout.folder)) {
        return Err(told(&other.to_string_lossy(), "it is no folder, and links are not followed"));
    }
    let path = folder.join(DUMP);
    if layout.has_dump {
        let opened = File::open(&path).map_err(|error| told(DUMP, &error.to_string()))?;
        of_mediawiki(BufReader::new(opened)).map_err(|why| told(DUMP, &why))?;
    } else if path.exists() {
        return Err(told(DUMP, &format!("{} has no database", layout.name)));
    }
    let seen = seen(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let trees = trees(&files, &seen.files).map_err(|error| format!("{}: {error}", files.display()))?;
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
        fingerprint: seen.fingerprint,
        nextcloud: None,
    })
}

/// What is wrong with something below the folder.
pub(super) fn told(folder: &Path, name: &str, why: &str) -> String {
    format!("{}: {why}; {GUIDE}", folder.join(name).display())
}

/// What is no folder of this path below the root, be it the one that it ends with or one above: a link is none, since
/// what it leads to would stay where it is.
pub(super) fn no_folder(root: &Path, path: &Path) -> Option<PathBuf> {
    let is_folder = |at: &Path| root.join(at).symlink_metadata().is_ok_and(|found| found.is_dir());
    path.ancestors().filter(|at| !at.as_os_str().is_empty()).find(|at| !is_folder(at)).map(Path::to_owned)
}

/// The first number of a text.
fn version(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text.get(..LONGEST_VERSION).unwrap_or(text)).into_owned();
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
    loop {
        line.clear();
        if dump.read_until(b'\n', &mut line).map_err(|error| error.to_string())? == 0 {
            break;
        }
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

/// All that is below the folder.
pub(super) struct Seen {
    pub(super) files: Vec<SeenFile>,
    pub(super) fingerprint: String,
}

/// What is no folder.
pub(super) struct SeenFile {
    /// Below the folder.
    pub(super) path: PathBuf,
    bytes: u64,
    pub(super) modified: SystemTime,
    pub(super) is_link: bool,
}

/// All that is below the folder, and what tells it from anything else: names, sizes and times.
pub(super) fn seen(folder: &Path) -> io::Result<Seen> {
    let mut files = Vec::new();
    below(folder, Path::new(""), &mut files)?;
    let mut text = folder.as_os_str().as_encoded_bytes().to_vec();
    for file in &files {
        let modified = file.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        text.push(0);
        text.extend_from_slice(file.path.as_os_str().as_encoded_bytes());
        text.extend_from_slice(format!("\0{} {modified}", file.bytes).as_bytes());
    }
    Ok(Seen { files, fingerprint: hash(&*text)?.sha256 })
}

/// Sorted; nothing is followed.
fn below(folder: &Path, at: &Path, files: &mut Vec<SeenFile>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder.join(at))?.collect::<io::Result<Vec<DirEntry>>>()?;
    entries.sort_by_key(DirEntry::file_name);
    for entry in entries {
        let (path, found) = (at.join(entry.file_name()), entry.metadata()?);
        if found.is_dir() {
            below(folder, &path, files)?;
        } else {
            let (bytes, modified) = (found.len(), found.modified()?);
            files.push(SeenFile { path, bytes, modified, is_link: found.is_symlink() });
        }
    }
    Ok(())
}

/// The volumes: each is a folder itself, no link to one.
pub(super) fn trees(files: &Path, seen: &[SeenFile]) -> io::Result<Vec<Tree>> {
    let mut trees = Vec::new();
    for entry in std::fs::read_dir(files)? {
        let entry = entry?;
        let volume = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type()?.is_dir() {
            return Err(io::Error::other(format!("{volume} is no folder of a volume")));
        }
        let own = Path::new(FILES).join(entry.file_name());
        let bytes = seen.iter().filter(|file| file.path.starts_with(&own)).map(|file| file.bytes).sum();
        trees.push(Tree { volume, bytes, from: TreeFrom::Below(files.to_owned()) });
    }
    trees.sort_by(|a, b| a.volume.cmp(&b.volume));
    Ok(trees)
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
