//! Re-binding a record: the claims and Secrets that are there now take the place of those that were
//! recorded, whose uids are kept as `formerUid`.

use serde_json::{Value, json};

use super::data::KnownData;
use super::parts::{Part, parts, volume_name};
use crate::api::ServiceDataSpec;
use crate::core::lifecycle::{Found, Recorded};

/// Why a record cannot be re-bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RebindError {
    /// There is no record.
    #[error("there is no ServiceData of that name")]
    NoRecord,
    /// Something that the record names is not there.
    #[error("not there: {0}; restore it first, or name it with --without to have it made empty")]
    Missing(String),
    /// Something that the record names is somebody else's.
    #[error("{object} belongs to {holder}; it needs the labels of this instance")]
    Foreign {
        /// Kind and name.
        object: String,
        /// Who has it.
        holder: String,
    },
    /// Something that is there is being deleted.
    #[error("{0} is being deleted; wait until it is gone, and restore it")]
    BeingDeleted(String),
    /// A Secret lacks keys that the application reads.
    #[error("Secret {secret} lacks the keys {keys}; restore it with them")]
    KeysMissing {
        /// The Secret.
        secret: String,
        /// The keys.
        keys: String,
    },
}

/// What a record says of its parts once it is re-bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebound {
    /// `spec.volumes`, `spec.secrets`, and no `spec.restoring`.
    pub spec: Value,
    /// What changes, one line each.
    pub lines: Vec<String>,
}

/// Binds the record to what is there. Objects named in `without` are taken out of the record: they are
/// made anew and empty.
///
/// # Errors
/// What is not there, or not as it has to be.
pub fn rebound(known: &KnownData, without: &[String]) -> Result<Rebound, RebindError> {
    let record = known.record.as_deref().ok_or(RebindError::NoRecord)?;
    let parts = parts(&record.spec, known);
    let taken: Vec<&Part<'_>> = parts.iter().filter(|part| !without.iter().any(|name| name == part.name)).collect();
    let missing: Vec<String> =
        taken.iter().filter(|part| part.found == Found::Nothing).map(ToString::to_string).collect();
    if !missing.is_empty() {
        return Err(RebindError::Missing(missing.join(", ")));
    }
    taken.iter().try_for_each(|part| is_usable(part))?;
    keys_are_there(&record.spec, known, without)?;
    let spec = bound(&record.spec, known, without);
    let lines = parts.iter().filter_map(|part| line(part, without)).collect();
    Ok(Rebound { spec: json!({"volumes": spec.volumes, "secrets": spec.secrets, "restoring": Value::Null}), lines })
}

fn is_usable(part: &Part<'_>) -> Result<(), RebindError> {
    match part.found {
        Found::Foreign => Err(RebindError::Foreign { object: part.to_string(), holder: part.holder.clone() }),
        Found::Ours { deleting: true, .. } => Err(RebindError::BeingDeleted(part.to_string())),
        Found::Ours { .. } | Found::Nothing => Ok(()),
    }
}

fn keys_are_there(spec: &ServiceDataSpec, known: &KnownData, without: &[String]) -> Result<(), RebindError> {
    let further =
        spec.secrets.iter().flat_map(|secret| &secret.further).map(|further| (&further.secret, &further.keys));
    let all = spec.secrets.iter().map(|secret| (&secret.secret, &secret.keys)).chain(further);
    for (secret, keys) in all.filter(|(secret, _)| !without.contains(secret)) {
        let live = known.secrets.get(secret).map(|live| live.keys.as_slice()).unwrap_or_default();
        let lacking: Vec<&str> = keys.iter().filter(|key| !live.contains(key)).map(String::as_str).collect();
        if !lacking.is_empty() {
            return Err(RebindError::KeysMissing { secret: secret.clone(), keys: lacking.join(", ") });
        }
    }
    Ok(())
}

fn bound(spec: &ServiceDataSpec, known: &KnownData, without: &[String]) -> ServiceDataSpec {
    let mut bound = spec.clone();
    bound.volumes.retain(|volume| !without.contains(&volume.claim));
    for volume in &mut bound.volumes {
        let Some(live) = known.volumes.iter().find(|live| live.name() == volume.claim) else { continue };
        replace(&mut volume.uid, &mut volume.former_uid, live.metadata.uid.as_deref());
        volume.volume_name = volume_name(live).map(str::to_owned);
    }
    bound.secrets.retain(|secret| !without.contains(&secret.secret));
    for secret in &mut bound.secrets {
        if let Some(live) = known.secrets.get(&secret.secret) {
            replace(&mut secret.uid, &mut secret.former_uid, Some(&live.uid));
            secret.keys.clone_from(&live.keys);
        }
        secret.further.retain(|further| !without.contains(&further.secret));
        for further in &mut secret.further {
            if let Some(live) = known.secrets.get(&further.secret) {
                replace(&mut further.uid, &mut further.former_uid, Some(&live.uid));
            }
        }
    }
    bound
}

fn replace(uid: &mut Option<String>, former: &mut Option<String>, live: Option<&str>) {
    if uid.as_deref() == live {
        return;
    }
    if let Some(before) = std::mem::replace(uid, live.map(str::to_owned)) {
        *former = Some(before);
    }
}

fn line(part: &Part<'_>, without: &[String]) -> Option<String> {
    if without.iter().any(|name| name == part.name) {
        return Some(format!("{part}: taken out of the record; it is made anew, empty"));
    }
    match (part.recorded, part.found) {
        (Recorded::Uid(recorded), Found::Ours { uid, .. }) if recorded == uid => None,
        (Recorded::Uid(recorded), Found::Ours { uid, .. }) => Some(format!("{part}: uid {uid}, formerly {recorded}")),
        (_, Found::Ours { uid, .. }) => Some(format!("{part}: uid {uid}")),
        _ => None,
    }
}
