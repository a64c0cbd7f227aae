//! A plain Nextcloud, in the layout of `docs/operations/moving-in.md`: its files and its database come in, and of its
//! settings what data and people are known by. Nextcloud itself stays what the service has.
//!
//! | module | what lives there |
//! |---|---|
//! | `settings` | what `config.php` says |
//! | `dump` | whether the package can take a dump |
//! | `own` | the volume with Nextcloud itself, from the service's last backup |

mod dump;
mod own;
mod settings;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use commonscloud_backup::report::one_line;
use commonscloud_backup::restic::OF_THE_FILE_SYSTEM;

pub(super) use self::own::prepared;
use self::settings::Settings;
use super::plain::{DUMP, FILES, no_folder, told, trees};
use super::seen::{Seen, SeenFile, opened};
use super::source::{Brought, Content, Tree, TreeFrom};
use super::{fit, newest};
use crate::asked;

const SETTINGS: &str = "config/config.php";
/// No such file of Nextcloud is longer.
const LONGEST_SETTINGS: u64 = 1 << 20;
/// Where the data directory is.
const DATA: &str = "files/data/files";
/// The volume that it is in.
const ABOVE: &str = "files/data";
/// By one of them Nextcloud knows its data directory.
const MARKS: [&str; 2] = [".ncdata", ".ocdata"];
/// The volume with the files, and that with Nextcloud itself.
const VOLUMES: [&str; 2] = ["data", "app"];
/// The data directory, as the package's pods have it.
const MOUNTED: &str = "/data/files";
const PREFIX: &str = "oc_";
/// A dump may have set others, and the correction is in UTF-8 and escapes nothing. psql looks at them line by line.
const PLAIN: &str = "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n";
/// So much is told of a text that whoever made the folder chose.
const LONGEST_TOLD: usize = 100;
/// What is refused of object storage.
const OBJECTS: &str = "its files are in an object storage (objectstore), and the package keeps them on a volume: \
    people bring them by WebDAV";
/// Settings that the service has of its own, or that come along.
const SETTLED: [&str; 22] = [
    "apps_paths",
    "datadirectory",
    "dbhost",
    "dbname",
    "dbpassword",
    "dbport",
    "dbtableprefix",
    "dbtype",
    "dbuser",
    "htaccess.RewriteBase",
    "installed",
    "logfile",
    "maintenance",
    "maintenance_window_start",
    "memcache.distributed",
    "memcache.local",
    "memcache.locking",
    "overwrite.cli.url",
    "overwriteprotocol",
    "redis",
    "trusted_domains",
    "trusted_proxies",
];

/// What of a Nextcloud's settings is asked for later.
#[derive(Clone, Default)]
pub(super) struct Nextcloud {
    /// What data and people are known by, with the version, by their keys.
    identity: Vec<(&'static str, String)>,
    /// The names of those that do not come along.
    left: Vec<String>,
}

/// Without the secrets.
impl fmt::Debug for Nextcloud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Nextcloud").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Nextcloud {
    /// What people are told of it, a line each.
    pub(super) fn told(&self) -> Vec<String> {
        let mut lines = vec![
            "instanceid, passwordsalt and secret come along: passwords, app passwords, stored credentials and previews \
             stay valid"
                .to_owned(),
            "apps do not come along but those of the service's last backup; what others keep in the database does"
                .to_owned(),
        ];
        if !self.left.is_empty() {
            // Whoever wrote them chose what a terminal would do.
            let left: Vec<String> = self.left.iter().map(|key| one_line(key, LONGEST_TOLD)).collect();
            lines.push(format!("of config.php these settings do not come along: {}", left.join(", ")));
        }
        lines
    }
}

/// Reads a folder. Nothing is written.
///
/// # Errors
/// What is missing or cannot be taken, in words.
pub(super) fn read(folder: &Path) -> Result<Brought, String> {
    let told = |name: &str, why: &str| told(folder, name, why);
    // Before anything is read: what changes from then on is seen at the end.
    let seen = Seen::below(folder)?;
    let settings = settings(folder).map_err(|why| told(SETTINGS, &why))?;
    let of_config = |why: String| told(SETTINGS, &why);
    can_be_served(&settings).map_err(of_config)?;
    let nextcloud = nextcloud(&settings).map_err(of_config)?;
    let application = version(&settings).map_err(of_config)?;
    let correction = correction(&settings).map_err(of_config)?;
    is_data_directory(folder)?;
    let dump = opened(folder, DUMP).map_err(|why| told(DUMP, &why))?;
    dump::check(BufReader::new(dump)).map_err(|why| told(DUMP, &why))?;
    let fingerprint = seen.fingerprint(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let trees = volumes(folder, &seen.files)?;
    let taken_at = newest(seen.files.iter().map(|file| file.modified)).unwrap_or_default();
    Ok(Brought {
        folder: folder.to_owned(),
        shown: format!("what a Nextcloud {application} held, last changed at {}", asked::shown(taken_at)),
        template: "office".to_owned(),
        application,
        revisions: None,
        taken_at,
        trees,
        dump: Some(Content::Postgres { path: folder.join(DUMP), correction }),
        state: None,
        fingerprint,
        seen,
        nextcloud: Some(nextcloud),
    })
}

fn is_data_directory(folder: &Path) -> Result<(), String> {
    if let Some(other) = no_folder(folder, Path::new(DATA)) {
        return Err(told(folder, &other.to_string_lossy(), "it is no folder, and links are not followed"));
    }
    if let Some(other) = beside_data(folder).map_err(|error| told(folder, ABOVE, &error.to_string()))? {
        let why = format!("beside the data directory, which is {DATA}, nothing is brought: take it away");
        return Err(told(folder, &format!("{ABOVE}/{}", other.to_string_lossy()), &why));
    }
    if MARKS.iter().any(|mark| folder.join(DATA).join(mark).is_file()) {
        return Ok(());
    }
    Err(told(folder, DATA, "it is no data directory of Nextcloud: there is no .ncdata in it"))
}

/// What lies beside the data directory. By a name there the package's start knows whether to make everything anew.
fn beside_data(folder: &Path) -> io::Result<Option<OsString>> {
    for entry in std::fs::read_dir(folder.join(ABOVE))? {
        let name = entry?.file_name();
        if name != "files" && name != OF_THE_FILE_SYSTEM {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// What is brought, and Nextcloud itself.
fn volumes(folder: &Path, files: &[SeenFile]) -> Result<Vec<Tree>, String> {
    if let Some(link) = files.iter().find(|file| file.is_link && file.path.starts_with(FILES)) {
        let why = "it is a link, and what it leads to would stay behind: put that in its place";
        return Err(told(folder, &link.path.to_string_lossy(), why));
    }
    let below = folder.join(FILES);
    let mut trees = trees(&below, files).map_err(|error| format!("{}: {error}", below.display()))?;
    let [data, app] = VOLUMES;
    if let Some(other) = trees.iter().find(|tree| tree.volume != data) {
        let name = format!("{FILES}/{}", other.volume);
        return Err(told(folder, &name, "of a Nextcloud the volume data alone is brought"));
    }
    trees.push(Tree { volume: app.to_owned(), bytes: 0, from: TreeFrom::LastBackup });
    Ok(trees)
}

/// Whether Nextcloud brings data of a version to that of the package, as it upgrades: never down, and by one major
/// version at most.
pub(super) fn is_upgradable(own: &str, package: &str) -> bool {
    let (own, package) = (numbers(own), numbers(package));
    let (Some(major), Some(into)) = (own.first(), package.first()) else { return false };
    // A package may name the beginning alone.
    (major == into && own[..own.len().min(package.len())] <= package[..]) || into.checked_sub(1) == Some(*major)
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|number| number.parse().ok()).collect()
}

fn settings(folder: &Path) -> Result<Settings, String> {
    if folder.join(SETTINGS).symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(
            "it is not there: the folder is no exit package, which has a manifest.json, and no Nextcloud".to_owned()
        );
    }
    if no_folder(folder, Path::new("config")).is_some() {
        return Err("it is no file, and links are not followed".to_owned());
    }
    let file = opened(folder, SETTINGS)?;
    let mut text = Vec::new();
    file.take(LONGEST_SETTINGS + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > LONGEST_SETTINGS) {
        return Err(format!("it is longer than {LONGEST_SETTINGS} bytes: not what Nextcloud writes"));
    }
    Settings::read(&String::from_utf8(text).map_err(|_| "it is not written in UTF-8".to_owned())?)
}

/// Whether the package can serve what it holds.
fn can_be_served(settings: &Settings) -> Result<(), String> {
    if ["objectstore", "objectstore_multibucket"].iter().any(|key| settings.has(key)) {
        return Err(OBJECTS.to_owned());
    }
    match settings.text("dbtype") {
        Some("pgsql") => {}
        Some(other) => return Err(format!("its database is {other:?} (dbtype): {}", dump::CONVERT)),
        None => return Err("it has no dbtype: Nextcloud is not installed".to_owned()),
    }
    match settings.text("dbtableprefix") {
        None if settings.has("dbtableprefix") => Err(format!(
            "its tables have no prefix (dbtableprefix), and the package's have {PREFIX}: rename them first"
        )),
        Some(other) if other != PREFIX => Err(format!(
            "its tables have the prefix {other:?} (dbtableprefix), and the package's have {PREFIX}: rename them first"
        )),
        _ => Ok(()),
    }
}

fn nextcloud(settings: &Settings) -> Result<Nextcloud, String> {
    let mut identity = Vec::new();
    for key in fit::IDENTITY {
        let value = settings.text(key).ok_or_else(|| format!("it has no {key}, or one that is no text"))?;
        identity.push((key, value.to_owned()));
    }
    identity.extend(settings.text(fit::FINGERPRINT).map(|value| (fit::FINGERPRINT, value.to_owned())));
    let is_settled = |key: &str| SETTLED.contains(&key) || fit::IDENTITY.contains(&key) || key == fit::FINGERPRINT;
    let left = settings.keys().filter(|key| !is_settled(key)).map(str::to_owned).collect();
    Ok(Nextcloud { identity, left })
}

/// As people say it: `34.0.1` of `34.0.1.2`.
fn version(settings: &Settings) -> Result<String, String> {
    let text = settings.text("version").unwrap_or_default();
    let numbers: Vec<&str> = text.split('.').collect();
    let is_number = |number: &&str| number.parse::<u32>().is_ok();
    match numbers.get(..3) {
        Some(first) if numbers.iter().all(is_number) => Ok(first.join(".")),
        _ => Err(format!("its version is {text:?}, and one such as 34.0.1.2 is expected")),
    }
}

/// SQL after which what is not a person's, such as previews, is found where the package has it: Nextcloud knows it by
/// the path of the data directory, or by the MD5 of that.
fn correction(settings: &Settings) -> Result<String, String> {
    let place = settings.text("datadirectory").ok_or("it has no datadirectory")?;
    let id = |place: &str| format!("'local::{}/'", place.trim_end_matches('/').replace('\'', "''"));
    let (former, new) = (id(place), id(MOUNTED));
    Ok(format!("{PLAIN}UPDATE public.oc_storages SET id = {new} WHERE id IN ({former}, md5({former}));"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
