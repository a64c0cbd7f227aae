//! What moves in, and how an exit package says it.

use std::path::{Path, PathBuf};

use commonscloud_backup::exit::{
    ExitFile, ExitFileKind, ExitManifest, ExitService, MANIFEST, SUMS, hash, open, unfinished, verify,
};
use commonscloud_cluster::command::Failure;

use super::nextcloud::Nextcloud;
use super::seen::{Seen, shown};
use crate::asked;

/// What moves in.
#[derive(Clone, Debug)]
pub(super) struct Brought {
    /// The folder, by its whole path.
    pub(super) folder: PathBuf,
    /// What it is, for people.
    pub(super) shown: String,
    /// The template that restores it.
    pub(super) template: String,
    /// The application's version.
    pub(super) application: String,
    /// The revision that it was made with, and the one whose operations were used. None: it was never ours.
    pub(super) revisions: Option<Revisions>,
    /// When the data was as it is here.
    pub(super) taken_at: k8s_openapi::jiff::Timestamp,
    /// The files of volumes.
    pub(super) trees: Vec<Tree>,
    /// The database.
    pub(super) dump: Option<Content>,
    /// What `verify` made of the database.
    pub(super) state: Option<Content>,
    /// What tells it from anything else: 64 of 0-9 and a-f.
    pub(super) fingerprint: String,
    /// The files that are sent as they were when they were judged.
    pub(super) seen: Seen,
    /// A Nextcloud that was never ours.
    pub(super) nextcloud: Option<Nextcloud>,
}

impl Brought {
    /// Whether the private key opens what is sealed: said before anything is asked or sent.
    ///
    /// # Errors
    /// Which file it does not open.
    pub(super) fn is_opened_by(&self, identity: Option<&str>) -> Result<(), Failure> {
        let of_tree = |tree: &Tree| match &tree.from {
            TreeFrom::Archive(file) => Some(file.clone()),
            TreeFrom::Below(_) | TreeFrom::LastBackup => None,
        };
        let of_content = |content: &Content| match content {
            Content::Packed(file) => Some(file.clone()),
            Content::Plain(_) | Content::Postgres { .. } => None,
        };
        let contents = self.dump.iter().chain(&self.state).filter_map(of_content);
        let mut files = self.trees.iter().filter_map(of_tree).chain(contents);
        Ok(files.try_for_each(|file| open(&self.folder, &file, identity).map(drop))?)
    }

    /// Whether what was sent is what was read before.
    ///
    /// # Errors
    /// What somebody changed meanwhile.
    pub(super) fn is_as_it_was(&self) -> Result<(), String> {
        let known = self.seen.files.iter().map(|file| file.path.as_path());
        let now = match &self.revisions {
            Some(_) => Seen::of(&self.folder, known)?,
            None => Seen::below(&self.folder)?,
        };
        let Some(path) = self.seen.changed(&now) else { return Ok(()) };
        Err(format!(
            "{}: somebody changed it while it was read, and nothing was asked for: have nobody write there, and give \
             the same command again",
            shown(&self.folder.join(path))
        ))
    }
}

/// With what a service was backed up.
#[derive(Clone, Debug)]
pub(super) struct Revisions {
    pub(super) service: String,
    pub(super) operations: String,
}

/// The files of a volume.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// The volume's name in the package.
    pub(super) volume: String,
    /// How much room they need, at least.
    pub(super) bytes: u64,
    pub(super) from: TreeFrom,
}

/// Where the files of a volume are.
#[derive(Clone, Debug)]
pub(super) enum TreeFrom {
    /// In the folder called like the volume, below this one.
    Below(PathBuf),
    /// In an archive of an exit package.
    Archive(ExitFile),
    /// As the service's last backup has them, with settings of the Nextcloud that moves in.
    LastBackup,
}

/// A text that is read as a stream.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A file of an exit package.
    Packed(ExitFile),
    /// A dump of MariaDB's own program, without the line that ours end with.
    Plain(PathBuf),
    /// One of `pg_dump`, without what ours begin and end with, and SQL that corrects what it holds.
    Postgres { path: PathBuf, correction: String },
}

/// Whether a folder is an exit package, be it one that is not whole.
pub(super) fn is_package(folder: &Path) -> bool {
    [MANIFEST, SUMS].iter().any(|name| folder.join(name).exists()) || unfinished(folder).is_some()
}

/// Reads all of a package, and chooses a service of it. `choice`: the one that is asked for, and the name of the service
/// that it moves into; `template`: the template of that one.
///
/// # Errors
/// When it is damaged, or has no such service.
pub(super) fn read(folder: &Path, choice: (Option<&str>, &str), template: &str) -> Result<Brought, Failure> {
    // Before anything is read: what changes from then on is seen at the end.
    let seen = Seen::below(folder)?;
    let verified = verify(folder)?;
    if !verified.damages.is_empty() {
        return Err(format!("{} is damaged:\n  {}", folder.display(), verified.damages.join("\n  ")).into());
    }
    let service = choose(&verified.manifest, choice, template)?;
    let sums = std::fs::read(folder.join(SUMS)).map_err(|error| format!("{}: {error}", folder.join(SUMS).display()))?;
    let text = [&*sums, &b"\0"[..], service.instance.name.as_bytes()].concat();
    let fingerprint = hash(&*text)?.sha256;
    let seen = seen.only(service.files.iter().map(|file| Path::new(&file.path)));
    Ok(Brought { seen, ..of(folder, &verified.manifest.entity.name, service, fingerprint) })
}

fn choose<'m>(
    manifest: &'m ExitManifest,
    (asked, into): (Option<&str>, &str),
    template: &str,
) -> Result<&'m ExitService, String> {
    let named = |name: &str| manifest.services.iter().find(|service| service.instance.name == name);
    let there: Vec<String> = manifest
        .services
        .iter()
        .map(|service| format!("{} ({})", service.instance.name, service.versions.template))
        .collect();
    let there = there.join(", ");
    if let Some(asked) = asked {
        return named(asked).ok_or_else(|| format!("--from: the package has no service {asked}; it has {there}"));
    }
    if let Some(same) = named(into).filter(|service| service.versions.template == template) {
        return Ok(same);
    }
    let mut fitting = manifest.services.iter().filter(|service| service.versions.template == template);
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(format!("the package has no service of template {template}; it has {there}")),
        (Some(_), Some(_)) => Err(format!("several services of the package fit: add --from with one of {there}")),
    }
}

fn of(folder: &Path, entity: &str, service: &ExitService, fingerprint: String) -> Brought {
    let files = |kind| service.files.iter().filter(move |file| file.kind == kind);
    let one = |kind| files(kind).next().cloned().map(Content::Packed);
    let tree = |file: &ExitFile| {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let volume = name.split('.').next().unwrap_or_default().to_owned();
        Tree { volume, bytes: file.bytes, from: TreeFrom::Archive(file.clone()) }
    };
    let versions = &service.versions;
    let (name, taken) = (&service.instance.name, asked::shown(service.taken_at));
    Brought {
        folder: folder.to_owned(),
        shown: format!("what {name} of {entity} held at {taken}"),
        template: versions.template.clone(),
        application: versions.application.clone(),
        revisions: Some(Revisions { service: versions.revision.clone(), operations: versions.operations.clone() }),
        taken_at: service.taken_at,
        trees: files(ExitFileKind::Files).map(tree).collect(),
        dump: one(ExitFileKind::Dump),
        state: one(ExitFileKind::State),
        fingerprint,
        seen: Seen::default(),
        nextcloud: None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    fn file(path: &str, kind: &str) -> serde_json::Value {
        json!({"path": path, "kind": kind, "bytes": 10, "sha256": "a".repeat(64)})
    }

    fn package(services: &[(&str, &str)]) -> ExitManifest {
        let service = |(name, template): &(&str, &str)| {
            let versions = json!({"template": template, "application": "1.39", "revision": "r-1", "operations": "r-1",
                "restic": "0.18.1", "operator": "0.1.0", "manifest": 1});
            json!({"instance": {"name": name, "kind": "DedicatedService", "uid": "u"},
                "takenAt": "2026-11-29T00:00:00Z", "versions": versions,
                "repository": {"path": format!("hort-0a1b2c3d.{name}"), "id": "r", "snapshot": "5"},
                "files": [file(&format!("{name}/files/data.tar.age"), "Files"),
                    file(&format!("{name}/files/data.sha256.age"), "Hashes"),
                    file(&format!("{name}/dump.sql.age"), "Dump"), file(&format!("{name}/state.txt.age"), "State")]})
        };
        let services: Vec<_> = services.iter().map(service).collect();
        serde_json::from_value(json!({"version": 1, "entity": {"name": "hort", "uid": "u"}, "release": "0.1.0",
            "exportedAt": "2026-11-30T00:00:00Z", "services": services}))
        .unwrap()
    }

    /// A wiki of an exit package.
    pub fn brought() -> Brought {
        let manifest = package(&[("wiki", "mediawiki")]);
        of(Path::new("/srv/exit"), "hort", &manifest.services[0], "f".repeat(64))
    }

    #[test]
    fn a_service_is_chosen_by_its_name_or_its_template() {
        let manifest = package(&[("wiki", "mediawiki"), ("agenda", "radicale"), ("contactes", "radicale")]);
        let chosen = |asked, into, template| {
            choose(&manifest, (asked, into), template).map(|service| service.instance.name.clone())
        };
        assert_eq!(chosen(None, "enciclopedia", "mediawiki").unwrap(), "wiki");
        assert_eq!(chosen(None, "agenda", "radicale").unwrap(), "agenda");
        assert_eq!(chosen(Some("contactes"), "agenda", "radicale").unwrap(), "contactes");
        assert!(chosen(None, "calendari", "radicale").unwrap_err().contains("--from"));
        assert!(chosen(None, "wiki", "radicale").unwrap_err().contains("agenda"), "its name is not enough");
        assert!(chosen(None, "office", "office").unwrap_err().contains("wiki (mediawiki)"));
        assert!(chosen(Some("office"), "wiki", "mediawiki").unwrap_err().contains("--from"));
    }

    #[test]
    fn what_is_sealed_is_told_before_anything_is_sent() {
        let at = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(at.path().join("wiki/files")).unwrap();
        std::fs::write(at.path().join("wiki/files/data.tar.age"), "sealed").unwrap();
        let brought = Brought { folder: at.path().to_owned(), ..brought() };
        let error = brought.is_opened_by(None).unwrap_err().to_string();
        assert!(error.contains("data.tar.age is sealed") && error.contains("--identity"), "{error}");
    }

    #[test]
    fn a_package_that_is_not_whole_is_one_and_says_what_is_missing() {
        let at = tempfile::tempdir().unwrap();
        assert!(!is_package(at.path()));
        std::fs::write(at.path().join(".unfinished.json"), "{}").unwrap();
        assert!(is_package(at.path()));
        let error = read(at.path(), (None, "wiki"), "mediawiki").unwrap_err().to_string();
        assert!(error.contains(".unfinished.json") && error.contains("`commonscloud export` again"), "{error}");
    }

    #[test]
    fn what_a_package_has_is_known_by_its_files() {
        let brought = brought();
        assert_eq!(brought.trees.len(), 1, "hashes are no files of a volume");
        assert_eq!((brought.trees[0].volume.as_str(), brought.trees[0].bytes), ("data", 10));
        assert!(brought.dump.is_some() && brought.state.is_some());
        assert!(brought.shown.contains("wiki of hort") && brought.shown.contains("2026-11-29"), "{}", brought.shown);
    }
}
