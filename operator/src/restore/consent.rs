//! Whether another Entity lets this one restore a snapshot, and what a consent says of itself.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::copy::Foreign;
use crate::api::{Reason, RestoreConsent, RestoreConsentStatus, RestoreSource, ServiceRestore};
use crate::report::{Problem, Verdict, conditions};

/// What is known around a consent.
#[derive(Clone, Debug)]
pub struct SeenConsent {
    /// The consent.
    pub consent: Arc<RestoreConsent>,
    /// The operator's time.
    pub now: Timestamp,
    /// Whether a complete backup of the service has the snapshot.
    pub has_snapshot: bool,
    /// When the Entity that it names was made; none: there is none.
    pub entity_since: Option<Timestamp>,
    /// The restores of that Entity.
    pub restores: Vec<Arc<ServiceRestore>>,
}

/// Whether a consent is to this Entity, as it was when the consent was given: another one that has its name later
/// inherits nothing.
fn is_to(consent: &RestoreConsent, entity: &str, since: Option<Timestamp>) -> bool {
    let given = consent.creation_timestamp().map(|given| given.0);
    consent.spec.entity == entity && since.zip(given).is_some_and(|(since, given)| since <= given)
}

fn is_of(consent: &RestoreConsent, from: &RestoreSource) -> bool {
    consent.spec.service == from.service && Some(&consent.spec.snapshot) == from.snapshot.as_ref()
}

/// The consents that cover a restore, be it that they have run out.
fn covering<'f>(foreign: &'f Foreign, restore: &ServiceRestore) -> Vec<&'f RestoreConsent> {
    let entity = restore.namespace().unwrap_or_default();
    let given = foreign.consents.iter().map(AsRef::as_ref);
    given
        .filter(|consent| consent.metadata.deletion_timestamp.is_none())
        .filter(|consent| is_to(consent, &entity, foreign.since) && is_of(consent, &restore.spec.from))
        .collect()
}

/// Whether a copy may begin.
///
/// # Errors
/// What is missing: by it nobody learns what the other Entity has, or whom else it lets.
pub(super) fn given(foreign: &Foreign, restore: &ServiceRestore, now: Timestamp) -> Result<(), Problem> {
    let covering = covering(foreign, restore);
    let Some(last) = covering.iter().max_by_key(|consent| consent.spec.until.0) else {
        return Err(missing(foreign, restore, "there is none"));
    };
    if now <= last.spec.until.0 {
        return Ok(());
    }
    let message = format!(
        "the consent of {}, RestoreConsent {}, held until {}; its managers can make another",
        foreign.entity,
        last.name_any(),
        last.spec.until.0
    );
    Err(Problem::new(Reason::ConsentExpired, message))
}

/// Whether what has begun may be ended: nobody took the consent back. That it ran out meanwhile changes nothing.
///
/// # Errors
/// That it was taken back.
pub(super) fn stands(foreign: &Foreign, restore: &ServiceRestore) -> Result<(), Problem> {
    if covering(foreign, restore).is_empty() {
        return Err(missing(foreign, restore, "it was taken back before the copy was complete"));
    }
    Ok(())
}

fn missing(foreign: &Foreign, restore: &ServiceRestore, why: &str) -> Problem {
    let from = &restore.spec.from;
    let message = format!(
        "a consent of {entity} is needed, and {why}: a manager of {entity} makes a RestoreConsent in namespace {entity} with service {service}, snapshot {snapshot} and entity {own}",
        entity = foreign.entity,
        service = from.service,
        snapshot = from.snapshot.as_deref().unwrap_or_default(),
        own = restore.namespace().unwrap_or_default(),
    );
    Problem::new(Reason::ConsentMissing, message)
}

/// The status of a consent.
pub fn consent_status(seen: &SeenConsent) -> RestoreConsentStatus {
    let before = seen.consent.status.clone().unwrap_or_default();
    let used = last_use(seen);
    let (used_by, used_at) = match used {
        Some((by, at)) => (Some(by), Some(at)),
        None => (before.used_by.clone(), before.used_at.clone()),
    };
    let generation = seen.consent.metadata.generation.unwrap_or_default();
    let verdict = verdict(seen, used_by.as_deref());
    RestoreConsentStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, verdict.shown(), generation, seen.now),
        used_by,
        used_at,
    }
}

/// The restore that copied last, and when it had.
fn last_use(seen: &SeenConsent) -> Option<(String, Time)> {
    let namespace = seen.consent.namespace();
    let own = seen.restores.iter().filter(|restore| {
        let from = &restore.spec.from;
        from.entity == namespace && is_of(&seen.consent, from)
    });
    let copied = own.filter_map(|restore| {
        let at = restore.status.as_ref()?.copied_at.clone()?;
        Some((format!("{}/{}", restore.namespace()?, restore.name_any()), at))
    });
    let given = seen.consent.creation_timestamp().map(|given| given.0);
    copied.filter(|(_, at)| given.is_none_or(|given| given <= at.0)).max_by_key(|(_, at)| at.0)
}

fn verdict(seen: &SeenConsent, used_by: Option<&str>) -> Verdict {
    let spec = &seen.consent.spec;
    let until = spec.until.0;
    if let Some(restore) = used_by {
        let more =
            if seen.now > until { "nobody may copy it once more" } else { "deleting this ends that it may again" };
        return Verdict::Ready(format!(
            "ServiceRestore {restore} has copied the snapshot, which nothing takes back; {more}"
        ));
    }
    if seen.now > until {
        let message = format!("it held until {until}, and nobody has copied the snapshot");
        return Verdict::Stalled(Problem::new(Reason::ConsentExpired, message));
    }
    if !seen.has_snapshot {
        let message = format!(
            "spec.snapshot: no complete ServiceBackup of {} in this namespace has it; see kubectl get servicebackups",
            spec.service
        );
        return Verdict::Stalled(Problem::new(Reason::SnapshotNotFound, message));
    }
    if !is_to(&seen.consent, &spec.entity, seen.entity_since) {
        let message = match seen.entity_since {
            None => format!("spec.entity: there is no Entity {}", spec.entity),
            Some(since) => format!(
                "spec.entity: {} was made at {since}, after this was given, and may be another one: if it is meant, make another RestoreConsent",
                spec.entity
            ),
        };
        return Verdict::Stalled(Problem::new(Reason::ConsentMissing, message));
    }
    Verdict::Ready(format!("{} may restore it; a copy begins until {until}", spec.entity))
}

#[cfg(test)]
#[path = "consent_tests.rs"]
pub(super) mod tests;
