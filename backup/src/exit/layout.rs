//! What is in an exit package, and what its files are called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::{Manifest, ManifestEntity, ManifestInstance};
use crate::report::{StoredPart, one_line};
use commonscloud_api::{BackupVersions, SnapshotPartKind};

/// The version of this format.
pub const EXIT_VERSION: u32 = 1;
/// The file that says what there is.
pub const MANIFEST: &str = "manifest.json";
/// The file with the hashes of all others. Written last: without it a package is not whole.
pub const SUMS: &str = "SHA256SUMS";
/// What people do where a file of a package is not what was written.
pub const AGAIN: &str =
    "copy the package again from where it is whole, or make it again, with `commonscloud export` into a new folder";

/// What an exit package holds: `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitManifest {
    /// The version of this format.
    pub version: u32,
    /// Whose it is.
    pub entity: ManifestEntity,
    /// When it was begun, by the clock of whoever made it.
    pub exported_at: Timestamp,
    /// The release that made it, for example `0.1.0`.
    pub release: String,
    /// The public keys of age to which the services' files are sealed. Empty: they are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// Its services, by name.
    pub services: Vec<ExitService>,
    /// What tells people how to go on.
    #[serde(default)]
    pub guides: Vec<ExitFile>,
}

/// A service of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitService {
    /// Which one it is.
    pub instance: ManifestInstance,
    /// When its data was as it is here.
    pub taken_at: Timestamp,
    /// With what it was made.
    pub versions: BackupVersions,
    /// What reads its dump. Absent: it has none, or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// Its volumes, with the bytes that were asked for.
    #[serde(default)]
    pub volumes: BTreeMap<String, u64>,
    /// From where it was read.
    pub repository: ExitRepository,
    /// Its files, in the order in which they are made.
    #[serde(default)]
    pub files: Vec<ExitFile>,
}

/// The backup that a service was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitRepository {
    /// The repository's folder at the target, `{folder}.{service}`.
    pub path: String,
    /// Its own id.
    pub id: String,
    /// The snapshot of the backup's manifest.
    pub snapshot: String,
}

/// A database's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Engine {
    /// `psql` reads it.
    PostgreSQL,
    /// `mariadb` reads it.
    MariaDB,
}

impl Engine {
    /// By what a dump begins with.
    pub fn of(beginning: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(beginning);
        let is_mariadb = text.contains("MariaDB dump") || text.contains("MySQL dump");
        let other = is_mariadb.then_some(Self::MariaDB);
        if text.contains("PostgreSQL database dump") { Some(Self::PostgreSQL) } else { other }
    }
}

/// A file of the package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitFile {
    /// Below the package's folder, with `/`.
    pub path: String,
    /// What it is.
    pub kind: ExitFileKind,
    /// The snapshot that it was read from. Absent: it was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Its bytes, as they lie here.
    pub bytes: u64,
    /// Their SHA-256, 64 of 0-9 and a-f.
    pub sha256: String,
}

/// What a file of the package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitFileKind {
    /// The files of a volume, as tar.
    Files,
    /// The hashes of these files.
    Hashes,
    /// A database, as SQL.
    Dump,
    /// Passwords and keys, as tar.
    Secrets,
    /// Tables with counts and hashes.
    State,
    /// For people.
    Guide,
}

impl ExitManifest {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// When it is newer, something else, or names files elsewhere.
    pub fn read(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let told =
            |error: serde_json::Error| format!("no manifest of an exit package: {}", one_line(&error.to_string(), 300));
        let Versioned { version } = serde_json::from_str(text).map_err(told)?;
        if version > EXIT_VERSION {
            return Err(format!(
                "the package has version {version}, this release reads {EXIT_VERSION}: use a newer one"
            ));
        }
        let manifest: Self = serde_json::from_str(text).map_err(told)?;
        let mut seen = BTreeSet::new();
        for file in manifest.files() {
            let is_below = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
            if !is_below || file.path.is_empty() || file.path.contains(|sign: char| sign.is_control() || sign == '\\') {
                return Err(format!("files: {:?} is no path below the package's folder", one_line(&file.path, 100)));
            }
            if !seen.insert(&file.path) {
                return Err(format!("files: {} is there twice", file.path));
            }
        }
        if let Some(service) = manifest.services.iter().find(|service| !is_service_name(&service.instance.name)) {
            return Err(format!("services: {:?} is no name of one", one_line(&service.instance.name, 100)));
        }
        // They are shown to people, whose terminal would do what they say.
        let versions = manifest.services.iter().map(|service| &service.versions);
        let texts = versions.flat_map(|of| [&of.template, &of.application, &of.revision]);
        let from = manifest.services.iter().map(|service| &service.repository);
        let from = from.flat_map(|of| [&of.path, &of.id, &of.snapshot]);
        if let Some(text) = texts
            .chain(from)
            .chain(&manifest.recipients)
            .chain([&manifest.entity.name])
            .find(|text| text.contains(char::is_control))
        {
            return Err(format!("{:?} has control characters, and no name or version has", one_line(text, 100)));
        }
        Ok(manifest)
    }

    /// All files that it names.
    pub fn files(&self) -> impl Iterator<Item = &ExitFile> {
        self.guides.iter().chain(self.services.iter().flat_map(|service| &service.files))
    }

    /// The document.
    ///
    /// # Errors
    /// Never for one that was read or made here.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// `SHA256SUMS`. `manifest`: the hash of `manifest.json`.
    pub fn sums(&self, manifest: &str) -> String {
        let lines = self.files().map(|file| format!("{}  {}\n", file.sha256, file.path));
        lines.collect::<String>() + &format!("{manifest}  {MANIFEST}\n")
    }
}

/// Whether it can be the name of a service, and so of a folder here.
pub fn is_service_name(text: &str) -> bool {
    (1..=30).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl ExitService {
    /// A service as its backup's manifest says, of which nothing is in the package yet.
    pub fn of(manifest: &Manifest, repository: ExitRepository) -> Self {
        Self {
            instance: manifest.instance.clone(),
            taken_at: manifest.taken_at,
            versions: manifest.versions.clone(),
            engine: None,
            volumes: manifest.volumes.clone(),
            repository,
            files: Vec::new(),
        }
    }
}

impl ExitManifest {
    /// A package of these services, begun now.
    pub fn begun(entity: ManifestEntity, recipients: Vec<String>, services: Vec<ExitService>) -> Self {
        Self {
            version: EXIT_VERSION,
            entity,
            exported_at: Timestamp::now(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            recipients,
            services,
            guides: Vec::new(),
        }
    }
}

/// What a part of a backup is called here, without `.age`.
pub(super) fn path_of(service: &str, part: &StoredPart) -> (String, ExitFileKind) {
    match part.kind {
        SnapshotPartKind::Files => (format!("{service}/files/{}.tar", part.name), ExitFileKind::Files),
        SnapshotPartKind::Dump => (format!("{service}/dump.sql"), ExitFileKind::Dump),
        SnapshotPartKind::Secrets => (format!("{service}/secrets.tar"), ExitFileKind::Secrets),
        SnapshotPartKind::State => (format!("{service}/state.txt"), ExitFileKind::State),
    }
}

/// The same of the hashes of its files, where it is a volume.
pub(super) fn hashes_path_of(service: &str, part: &StoredPart) -> Option<String> {
    (part.kind == SnapshotPartKind::Files).then(|| format!("{service}/files/{}.sha256", part.name))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A package of one service with these files.
    pub fn manifest(files: &[(&str, &str)]) -> ExitManifest {
        let file = |(path, sha256): &(&str, &str)| json!({"path": path, "kind": "Dump", "bytes": 1, "sha256": sha256});
        serde_json::from_value(json!({
            "version": 1, "entity": {"name": "hort", "uid": "u"}, "exportedAt": "2026-11-30T01:02:03Z",
            "release": "0.1.0",
            "services": [{
                "instance": {"name": "wiki", "kind": "DedicatedService", "uid": "u"},
                "takenAt": "2026-11-29T01:02:03Z",
                "versions": BackupVersions::default(),
                "repository": {"path": "hort-1.wiki", "id": "r", "snapshot": "s"},
                "files": files.iter().map(file).collect::<Vec<_>>(),
            }],
        }))
        .unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let manifest = manifest(&[("wiki/dump.sql", "aa")]);
        assert_eq!(ExitManifest::read(&manifest.text().unwrap()), Ok(manifest));
    }

    #[test]
    fn a_manifest_names_no_file_elsewhere_and_none_twice() {
        for path in ["/etc/passwd", "../x", "wiki/../../x", "", "wiki/a\nb"] {
            let error = ExitManifest::read(&manifest(&[(path, "aa")]).text().unwrap()).unwrap_err();
            assert!(error.contains("is no path below"), "{path:?}: {error}");
        }
        let twice = manifest(&[("a", "aa"), ("a", "bb")]).text().unwrap();
        assert!(ExitManifest::read(&twice).unwrap_err().contains("twice"));
    }

    #[test]
    fn nothing_of_it_that_is_shown_reaches_a_terminal_as_more_than_text() {
        let mut shown = manifest(&[]);
        shown.services[0].versions.application = "1\u{1b}[2J".to_owned();
        assert!(ExitManifest::read(&shown.text().unwrap()).unwrap_err().contains("control characters"));
        let mut sealed = manifest(&[]);
        sealed.recipients = vec!["age1\u{1b}[2J".to_owned()];
        assert!(ExitManifest::read(&sealed.text().unwrap()).unwrap_err().contains("control characters"));
        let mut from = manifest(&[]);
        from.services[0].repository.path = "hort\u{1b}[2J".to_owned();
        assert!(ExitManifest::read(&from.text().unwrap()).unwrap_err().contains("control characters"));
        let path = manifest(&[("wiki/\u{1b}[2J", "aa")]).text().unwrap();
        assert!(ExitManifest::read(&path).unwrap_err().contains("is no path below"));
    }

    #[test]
    fn a_newer_one_is_refused() {
        let error = ExitManifest::read(r#"{"version": 2, "services": "elsewhere"}"#).unwrap_err();
        assert!(error.contains("newer"), "{error}");
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        assert_eq!(manifest(&[("wiki/dump.sql", "aa")]).sums("bb"), "aa  wiki/dump.sql\nbb  manifest.json\n");
    }

    #[test]
    fn an_engine_is_known_by_its_dump() {
        assert_eq!(Engine::of(b"BEGIN;\n--\n-- PostgreSQL database dump\n"), Some(Engine::PostgreSQL));
        assert_eq!(Engine::of(b"/*M!999999\\- x */\n-- MariaDB dump 10.19  Distrib"), Some(Engine::MariaDB));
        assert_eq!(Engine::of(b"\xff"), None);
    }

    #[test]
    fn a_folder_is_called_as_a_service_may_be() {
        assert!(is_service_name("wiki-2"));
        for wrong in ["", "..", "a/b", "Wiki", "2wiki", "a.b"] {
            assert!(!is_service_name(wrong), "{wrong:?}");
        }
    }
}
