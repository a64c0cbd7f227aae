//! What a backup is made of: one JSON document, written last, in a snapshot of its own. A run without it is no backup.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::line::one_line;
use commonscloud_api::{BackupVersions, SnapshotPartKind};

/// The version of this format.
pub const MANIFEST_VERSION: u32 = 1;
/// The tag of its snapshot.
pub const MANIFEST_TAG: &str = "manifest";
/// The file in its snapshot.
pub const MANIFEST_FILE: &str = "manifest.json";

/// A snapshot that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPart {
    /// That of the volume, `dump`, `state` or `secrets`.
    pub name: String,
    /// What it is.
    pub kind: SnapshotPartKind,
    /// The id of the snapshot.
    pub snapshot: String,
    /// Bytes in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Bytes that it added at the target.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub added: u64,
    /// Files in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a backup is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The version of this format.
    pub version: u32,
    /// The uid of the ServiceBackup.
    pub run: String,
    /// When the data was as it is here: the operator's time.
    pub taken_at: Timestamp,
    /// Whose it is.
    pub entity: ManifestEntity,
    /// What it is of.
    pub instance: ManifestInstance,
    /// With what it was made, and can be restored.
    pub versions: BackupVersions,
    /// The snapshots.
    pub parts: Vec<StoredPart>,
    /// Whether `commonscloud import` made it, of data that no run read: it may have no state to compare with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// The volumes, by their names in the package, with the bytes that were asked for.
    #[serde(default)]
    pub volumes: BTreeMap<String, u64>,
}

/// The Entity of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestEntity {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// The instance of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestInstance {
    /// Its name.
    pub name: String,
    /// Its kind, for example `DedicatedOffice`.
    pub kind: String,
    /// Its uid.
    pub uid: String,
}

/// Why a document is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A newer release wrote it.
    #[error(
        "the manifest has version {0}, this release reads version {known}: restore with a newer release", known = MANIFEST_VERSION
    )]
    TooNew(u32),
    /// It is something else, or incomplete.
    #[error("no manifest: {0}")]
    NotAManifest(String),
}

impl Manifest {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is newer, incomplete, or names parts that cannot be.
    pub fn read(text: &str) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let no_manifest = |error: serde_json::Error| ManifestError::NotAManifest(one_line(&error.to_string(), 300));
        let Versioned { version } = serde_json::from_str(text).map_err(no_manifest)?;
        if version > MANIFEST_VERSION {
            return Err(ManifestError::TooNew(version));
        }
        let manifest: Self = serde_json::from_str(text).map_err(no_manifest)?;
        manifest.check().map_err(ManifestError::NotAManifest)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.parts.is_empty() {
            return Err("parts: it names none".to_owned());
        }
        let mut names = BTreeSet::new();
        for part in &self.parts {
            let name = one_line(&part.name, 60);
            if !is_part_name(&part.name) {
                return Err(format!(
                    "parts: the name {name:?} is not valid; allowed: a-z and 0-9, beginning with a letter"
                ));
            }
            if !is_snapshot_id(&part.snapshot) {
                return Err(format!("parts: the snapshot of {name:?} is no whole id (64 of 0-9 and a-f)"));
            }
            if !names.insert((part.kind as u8, &part.name)) {
                return Err(format!("parts: {name:?} is there twice"));
            }
        }
        Ok(())
    }

    /// The same without what only people want to know.
    #[must_use]
    pub fn essential(&self) -> Self {
        let part = |part: &StoredPart| StoredPart { bytes: 0, added: 0, files: 0, ..part.clone() };
        Self { parts: self.parts.iter().map(part).collect(), ..self.clone() }
    }
}

/// Whether it is the whole id of a snapshot: a part of one may be another's tomorrow.
pub fn is_snapshot_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether it can be the name of a volume of a package, or of another part.
pub fn is_part_name(text: &str) -> bool {
    text.len() <= 30
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;
    use crate::report::{LONGEST_REPORT, MOST_TREES, Outcome, Report};

    fn part(name: &str, kind: SnapshotPartKind) -> StoredPart {
        let snapshot = "0123456789abcdef".repeat(4);
        StoredPart { name: name.to_owned(), kind, snapshot, bytes: u64::MAX, added: u64::MAX, files: u64::MAX }
    }

    fn manifest() -> Manifest {
        Manifest {
            version: MANIFEST_VERSION,
            run: "00000000-0000-0000-0000-000000000000".to_owned(),
            taken_at: "2026-11-30T01:02:03Z".parse().unwrap(),
            entity: ManifestEntity { name: "garden".to_owned(), uid: "u-1".to_owned() },
            instance: ManifestInstance {
                name: "wiki".to_owned(),
                kind: "DedicatedService".to_owned(),
                uid: "u".to_owned(),
            },
            versions: BackupVersions::default(),
            parts: vec![part("dump", SnapshotPartKind::Dump)],
            imported: false,
            volumes: BTreeMap::new(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = serde_json::to_string(&manifest()).unwrap();
        assert_eq!(Manifest::read(&text), Ok(manifest()));
    }

    #[test]
    fn a_field_of_tomorrow_does_no_harm() {
        let text = serde_json::to_string(&manifest()).unwrap().replacen('{', r#"{"colour":"green","#, 1);
        assert_eq!(Manifest::read(&text), Ok(manifest()));
    }

    #[test]
    fn a_newer_one_is_refused_whatever_it_holds() {
        assert_eq!(Manifest::read(r#"{"version":2,"parts":"elsewhere"}"#), Err(ManifestError::TooNew(2)));
    }

    #[test]
    fn half_a_manifest_is_none() {
        let text = serde_json::to_string(&manifest()).unwrap();
        for end in 0..text.len() {
            assert!(matches!(Manifest::read(&text[..end]), Err(ManifestError::NotAManifest(_))), "{end}");
        }
    }

    #[test_case("../../etc", "the name"; "a path")]
    #[test_case("a\nb", "the name"; "two lines")]
    #[test_case("", "the name"; "nothing")]
    fn a_part_has_a_name(name: &str, told: &str) {
        let mut manifest = manifest();
        manifest.parts[0].name = name.to_owned();
        let error = Manifest::read(&serde_json::to_string(&manifest).unwrap()).unwrap_err().to_string();
        assert!(error.contains(told) && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_part_of_an_id_is_none() {
        let mut manifest = manifest();
        manifest.parts[0].snapshot.truncate(8);
        assert!(Manifest::read(&serde_json::to_string(&manifest).unwrap()).is_err());
        manifest.parts[0].snapshot = "latest".to_owned();
        assert!(Manifest::read(&serde_json::to_string(&manifest).unwrap()).is_err());
    }

    #[test]
    fn a_part_is_there_once() {
        let mut manifest = manifest();
        manifest.parts.push(manifest.parts[0].clone());
        assert!(Manifest::read(&serde_json::to_string(&manifest).unwrap()).is_err());
    }

    #[test]
    fn what_a_restore_needs_of_the_largest_one_fits_a_report() {
        let uid = "00000000-0000-0000-0000-000000000000";
        let name = |number: usize| format!("{number:a>30}");
        let mut manifest = manifest();
        manifest.entity = ManifestEntity { name: "e".repeat(30), uid: uid.to_owned() };
        manifest.instance =
            ManifestInstance { name: "i".repeat(30), kind: "DedicatedService".to_owned(), uid: uid.to_owned() };
        manifest.versions.revision = "r".repeat(63);
        manifest.versions.operations = "r".repeat(63);
        manifest.versions.template = "t".repeat(30);
        manifest.imported = true;
        manifest.parts.extend([part("state", SnapshotPartKind::State), part("secrets", SnapshotPartKind::Secrets)]);
        manifest.parts.extend((0..MOST_TREES).map(|number| part(&name(number), SnapshotPartKind::Files)));
        manifest.volumes = (0..MOST_TREES).map(|number| (name(number), 1 << 40)).collect();
        let text = Report::new(Outcome::Manifest { manifest: Box::new(manifest.clone()) }).write();
        assert!(text.len() <= LONGEST_REPORT);
        let essential = Outcome::Manifest { manifest: Box::new(manifest.essential()) };
        assert_eq!(Report::read(&text).unwrap().outcome, essential);
    }
}
