//! The parts of an instance's data, one by one: what the record says of each claim and Secret, what is
//! there, and what follows.

use std::fmt;

use super::data::KnownData;
use crate::api::{DataOwner, ServiceDataSpec, marks};
use crate::cache::{Live, Sealed};
use crate::core::lifecycle::{Fate, Found, Recorded, fate};
use crate::kinds;

/// What a part of the data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// A PersistentVolumeClaim.
    Volume,
    /// A generated Secret.
    Secret,
}

impl PartKind {
    /// The kind of the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Volume => kinds::VOLUME.kind,
            Self::Secret => kinds::SECRET.kind,
        }
    }
}

/// A claim or Secret that a record names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it is.
    pub kind: PartKind,
    /// The object's name.
    pub name: &'a str,
    /// What the record says of it.
    pub recorded: Recorded<'a>,
    /// What is there.
    pub found: Found<'a>,
    /// What follows.
    pub fate: Fate,
    /// Who has what is there, where that is not this instance.
    pub holder: String,
}

/// `PersistentVolumeClaim office-data`.
impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

impl Part<'_> {
    /// Whether it is the object of this kind and name.
    pub fn is(&self, kind: PartKind, name: &str) -> bool {
        self.kind == kind && self.name == name
    }

    /// Whether it is a volume that is there.
    pub fn is_volume_that_exists(&self) -> bool {
        self.kind == PartKind::Volume && matches!(self.found, Found::Ours { .. })
    }

    /// Whether nothing has its name, and the record knows no object that had it.
    pub fn is_nowhere(&self) -> bool {
        self.found == Found::Nothing && !matches!(self.recorded, Recorded::Uid(_))
    }

    /// What stands in the place of the recorded object.
    pub fn replaced(&self) -> String {
        let recorded = match self.recorded {
            Recorded::Uid(uid) => uid,
            _ => "?",
        };
        match self.found {
            Found::Ours { uid, .. } => format!("is not the one that was recorded (uid {uid}, recorded {recorded})"),
            _ => format!("belongs to {} now (recorded uid {recorded})", self.holder),
        }
    }
}

/// The claims and Secrets that a record is to name, volumes first. What `known.record` does not name
/// was never recorded.
pub fn parts<'a>(wanted: &'a ServiceDataSpec, known: &'a KnownData) -> Vec<Part<'a>> {
    let owner = &wanted.owner;
    let before = known.record.as_deref().map(|record| &record.spec);
    let mut parts: Vec<Part<'a>> = wanted
        .volumes
        .iter()
        .map(|volume| {
            let live = known.volumes.iter().find(|live| live.name() == volume.claim);
            let is_named = before.is_some_and(|before| before.volumes.iter().any(|v| v.claim == volume.claim));
            let unverified = before.is_some_and(|before| before.version.is_some() && !before.has_uids());
            let recorded = recorded(volume.uid.as_deref(), is_named, unverified);
            part(PartKind::Volume, &volume.claim, recorded, live.map(|live| claim(owner, live)))
        })
        .collect();
    let is_used = parts.iter().any(Part::is_volume_that_exists);
    for secret in &wanted.secrets {
        let further = secret.further.iter().map(|further| (&further.secret, &further.uid));
        for (name, uid) in std::iter::once((&secret.secret, &secret.uid)).chain(further) {
            let live = known.secrets.get(name).map(AsRef::as_ref);
            let (named, unverified) = match before {
                Some(before) => {
                    let named = before.secrets.iter().any(|s| is_named(s, name));
                    (named, !before.has_uids() && (before.version.is_some() || is_used))
                }
                // Without a record nobody can tell what the volumes were made with.
                None => (true, is_used),
            };
            let recorded = recorded(uid.as_deref(), named, unverified);
            parts.push(part(PartKind::Secret, name, recorded, live.map(|live| sealed(owner, live))));
        }
    }
    parts
}

fn is_named(secret: &crate::api::DataSecret, name: &str) -> bool {
    secret.secret == name || secret.further.iter().any(|further| further.secret == name)
}

fn recorded(uid: Option<&str>, named: bool, unverified: bool) -> Recorded<'_> {
    match (uid, named, unverified) {
        (Some(uid), _, _) => Recorded::Uid(uid),
        (None, true, true) => Recorded::Unverified,
        (None, true, false) => Recorded::Named,
        (None, false, _) => Recorded::Not,
    }
}

fn part<'a>(kind: PartKind, name: &'a str, recorded: Recorded<'a>, found: Option<(Found<'a>, String)>) -> Part<'a> {
    let (found, holder) = found.unwrap_or((Found::Nothing, String::new()));
    Part { kind, name, recorded, found, fate: fate(recorded, found), holder }
}

fn claim<'a>(owner: &DataOwner, live: &'a Live) -> (Found<'a>, String) {
    let is_bound = live.value.pointer("/status/phase").is_some_and(|phase| phase == "Bound");
    let found = Found::Ours {
        uid: live.metadata.uid.as_deref().unwrap_or_default(),
        settled: is_bound && volume_name(live).is_some(),
        deleting: live.metadata.deletion_timestamp.is_some(),
    };
    held(owner, live.label(marks::INSTANCE_KIND), live.label(marks::INSTANCE), found)
}

fn sealed<'a>(owner: &DataOwner, live: &'a Sealed) -> (Found<'a>, String) {
    let label = |key: &str| live.labels.get(key).map_or("", String::as_str);
    let found = Found::Ours { uid: &live.uid, settled: true, deleting: live.deleting };
    held(owner, label(marks::INSTANCE_KIND), label(marks::INSTANCE), found)
}

fn held<'a>(owner: &DataOwner, kind: &str, name: &str, found: Found<'a>) -> (Found<'a>, String) {
    if kind == owner.kind && name == owner.name {
        return (found, String::new());
    }
    let holder =
        if name.is_empty() { "something that is not an instance".to_owned() } else { format!("{kind} {name}") };
    (Found::Foreign, holder)
}

/// The PersistentVolume that a claim is bound to.
pub(crate) fn volume_name(live: &Live) -> Option<&str> {
    live.value.pointer("/spec/volumeName")?.as_str().filter(|name| !name.is_empty())
}
