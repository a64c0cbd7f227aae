//! Whether a backup fits the service as it is: judged before anything is touched.

use commonscloud_backup::manifest::{MANIFEST_VERSION, Manifest};
use commonscloud_backup::report::StoredPart;

use super::observed::ObservedRestore;
use crate::api::{Reason, RestorePart, SnapshotPartKind};
use crate::backup::{Subject, own_folder};
use crate::report::Problem;

/// Why a backup is not restored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A newer release wrote it.
    #[error("the backup has format {0}, this operator reads up to {MANIFEST_VERSION}: restore with a newer release")]
    FormatTooNew(u32),
    /// It is of something else.
    #[error("the backup is of {of}, not of {wanted}")]
    Another {
        /// What it is of.
        of: String,
        /// What is restored.
        wanted: String,
    },
    /// The service has another version.
    #[error(
        "the backup is of {template} {backup} on revision {backup_revision}, and the service has {service} on revision {revision}; restore a backup of that version, or bring the service back to it first"
    )]
    VersionsDiffer {
        /// The template.
        template: String,
        /// The application's version in the backup.
        backup: String,
        /// Its revision.
        backup_revision: String,
        /// The application's version of the data that is there.
        service: String,
        /// Its revision.
        revision: String,
    },
    /// The service is on its way to another version.
    #[error("the service is on its way to {version} on revision {revision}; restore once it has arrived")]
    Moving {
        /// The version.
        version: String,
        /// The revision.
        revision: String,
    },
    /// It lacks what the package restores from.
    #[error("the backup has no {0}, which the package restores from")]
    PartMissing(String),
}

impl Refusal {
    /// As it is told.
    pub fn problem(&self) -> Problem {
        Problem::new(Reason::VersionsDiffer, self.to_string())
    }
}

/// Whether the backup with this manifest can take the place of the service's data: the same Entity's, the same
/// instance's, of the version and revision that the data has.
///
/// # Errors
/// Why it cannot.
pub fn may_restore(manifest: &Manifest, observed: &ObservedRestore, subject: &Subject) -> Result<(), Refusal> {
    is_readable(manifest)?;
    belongs(manifest, observed, subject)?;
    has_version(manifest, subject)?;
    is_whole(manifest, subject)
}

/// Whether a part of the backup with this manifest can stand beside what is there, whichever version that is.
///
/// # Errors
/// Why it cannot.
pub fn may_add(
    manifest: &Manifest,
    observed: &ObservedRestore,
    subject: &Subject,
    part: &RestorePart,
) -> Result<(), Refusal> {
    is_readable(manifest)?;
    belongs(manifest, observed, subject)?;
    let is_it = |of: &StoredPart| of.kind == SnapshotPartKind::Files && of.name == part.volume;
    if manifest.parts.iter().any(is_it) {
        return Ok(());
    }
    Err(Refusal::PartMissing(format!("files of volume {}", part.volume)))
}

const fn is_readable(manifest: &Manifest) -> Result<(), Refusal> {
    if manifest.version > MANIFEST_VERSION { Err(Refusal::FormatTooNew(manifest.version)) } else { Ok(()) }
}

/// Of a new service the backup is another one's.
fn belongs(manifest: &Manifest, observed: &ObservedRestore, subject: &Subject) -> Result<(), Refusal> {
    let instance = &subject.plan.instance;
    let recorded = subject.record.spec.entity.as_ref().and_then(|entity| entity.uid.clone());
    let entity_uid = recorded.or_else(|| subject.entity.metadata.uid.clone()).unwrap_or_default();
    let of = |entity: &str, uid: &str, kind: &str, name: &str| format!("{kind} {entity}/{name} (Entity uid {uid})");
    let (entity, made) = (&manifest.entity, &manifest.instance);
    // Of an Entity that goes on with the repositories of an earlier one only the name is its own.
    let name = subject.entity.metadata.name.as_deref().unwrap_or_default();
    let goes_on = subject.folder != own_folder(name, subject.entity.metadata.uid.as_deref());
    let (name, is_theirs) = match &observed.foreign {
        // Its copy is of the snapshot that a run of that Entity recorded.
        Some(foreign) => (foreign.entity.as_str(), entity.name == foreign.entity),
        None => (name, entity.uid == entity_uid || (goes_on && entity.name == name)),
    };
    let from = &observed.restore.spec.from.service;
    let is_source = made.name == *from && (observed.new.is_some() || made.kind == instance.kind);
    let is_it = is_theirs && is_source;
    if is_it && manifest.versions.template == subject.record.spec.template {
        return Ok(());
    }
    let of_backup = of(&entity.name, &entity.uid, &made.kind, &made.name);
    let of_service = of(name, &entity_uid, &instance.kind, from);
    Err(Refusal::Another {
        of: format!("{of_backup} of template {}", manifest.versions.template),
        wanted: format!("{of_service} of template {}", subject.record.spec.template),
    })
}

fn has_version(manifest: &Manifest, subject: &Subject) -> Result<(), Refusal> {
    let (versions, record, plan) = (&manifest.versions, &subject.record.spec, &subject.plan);
    let of = |text: &Option<String>| text.clone().unwrap_or_else(|| "none yet".to_owned());
    let has = (record.version.as_deref(), record.revision.as_deref());
    if has != (Some(&versions.application), Some(&versions.revision)) {
        return Err(Refusal::VersionsDiffer {
            template: versions.template.clone(),
            backup: versions.application.clone(),
            backup_revision: versions.revision.clone(),
            service: of(&record.version),
            revision: of(&record.revision),
        });
    }
    if has != (Some(&plan.version), Some(&plan.revision)) {
        return Err(Refusal::Moving { version: plan.version.clone(), revision: plan.revision.clone() });
    }
    Ok(())
}

/// Whether it has all that the package restores from.
fn is_whole(manifest: &Manifest, subject: &Subject) -> Result<(), Refusal> {
    let has = |kind, name: &str| manifest.parts.iter().any(|part| part.kind == kind && part.name == name);
    let Some(source) = subject.operations.operations() else { return Ok(()) };
    let operations = source.operations;
    if let Some(tree) = operations.files.iter().find(|tree| !has(SnapshotPartKind::Files, &tree.volume)) {
        return Err(Refusal::PartMissing(format!("files of volume {}", tree.volume)));
    }
    if operations.load.is_some() && !has(SnapshotPartKind::Dump, "dump") {
        return Err(Refusal::PartMissing("dump".to_owned()));
    }
    let needs_state = operations.verify.is_some() && !manifest.imported;
    if needs_state && !has(SnapshotPartKind::State, "state") {
        return Err(Refusal::PartMissing("state (what `verify` wrote)".to_owned()));
    }
    Ok(())
}
