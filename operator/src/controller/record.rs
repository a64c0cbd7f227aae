//! The controller of ServiceData: completes a record from what is there, gives the one whose instance
//! is gone its date, and reports in which state the data is and what of it is missing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::clock;
use super::context::Context;
use super::queue::Next;
use crate::api::{DataEntity, Reason, Retention, ServiceData, marks};
use crate::apply::{ErrorKind, Target, WriteError};
use crate::cache::{Caches, Key, Sealed};
use crate::compare::{KnownData, Part, PartKind, compare_record, parts};
use crate::core::lifecycle::{ClocksDisagree, Facts, Found, Mark, State, agreed, keep_until, state};
use crate::gather;
use crate::kinds;
use crate::report::{Problem, record_status};

/// A first installation that takes longer is recorded and reported before it ends; a quicker one
/// costs one write of the record, and one of its status.
const SLOW: SignedDuration = SignedDuration::from_mins(5);
/// The longest time between two looks at a date.
const LONGEST: Duration = Duration::from_hours(24);
/// Between two looks at clocks that disagree.
const CLOCKS: Duration = Duration::from_hours(1);

/// One pass over a record.
///
/// # Errors
/// When a write fails.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let caches = context.caches();
    let Some(record) = caches.records.get(&key.namespace, &key.name) else { return Ok(Next::Wait) };
    let in_use = is_owned(caches, &record);
    let Some(known) = known(context, &record, in_use).await? else { return Ok(Next::Wait) };
    let now = context.now();
    let age = record.creation_timestamp().map_or(SLOW, |made| now.duration_since(made.0));
    let is_young = in_use && age < SLOW && record.spec.version.is_none() && !is_reported(&record);
    if let Some(patch) = compare_record(&known).filter(|_| !in_use || !is_young) {
        return write(context, key, &patch).await;
    }
    let mut waits = None;
    // What is brought back has its date from before, or its instance in a moment.
    let is_undated = record.spec.keep_until.is_none() && record.spec.restoring.is_none();
    if !in_use && is_undated && is_left(context, &record).await? {
        match context.retention() {
            Ok(retention) => return write(context, key, &dated(context, &record, retention)).await,
            Err(error) => waits = Some(Problem::new(error.kind.reason(), format!("it has no date yet: {error}"))),
        }
    }
    let parts = visible_parts(&record, &known, caches.secrets.of(&key.namespace).is_some());
    let date = date(context, &record, in_use).await;
    let facts = facts(&record, in_use, &parts);
    let state = state(&facts, date.as_ref().ok().copied().flatten());
    if is_young && matches!(state, State::Planned | State::Made) && parts.iter().all(|part| !part.fate.is_fault()) {
        return Ok(Next::After(Duration::try_from(SLOW - age).unwrap_or(CLOCKS)));
    }
    let disagree = |error| Problem::new(Reason::ClocksDisagree, format!("not judged due: {error}"));
    let waits = waits.or_else(|| date.as_ref().err().map(disagree));
    let status = record_status(&record, state, &parts, waits, now);
    context.report(key, &record.uid().unwrap_or_default(), record.status.as_ref(), &status).await?;
    Ok(next(&record, state, date.is_err(), now))
}

/// Whether its status is ours: the API server shows a negative generation where none is written.
fn is_reported(record: &ServiceData) -> bool {
    record.status.as_ref().and_then(|status| status.observed_generation).is_some_and(|generation| generation > 0)
}

/// Whether the instance that the record names as its owner is there, be it on its way out.
fn is_owned(caches: &Caches, record: &ServiceData) -> bool {
    let owner = &record.spec.owner;
    let namespace = record.namespace().unwrap_or_default();
    let instance = caches.dedicated(&owner.kind, &namespace, &owner.name);
    instance.is_some_and(|instance| instance.metadata().uid.as_deref() == Some(&owner.uid))
}

/// What is known of the data; none while the Secrets beside a living instance are not known yet.
/// Where nobody watches them, those that the record does not know by their uid are read once.
async fn known(context: &Context, record: &ServiceData, in_use: bool) -> Result<Option<KnownData>, WriteError> {
    let caches = context.caches();
    let namespace = record.namespace().unwrap_or_default();
    let mut known = gather::recorded(caches, &namespace, &record.name_any());
    if known.entity.is_none() {
        known.entity = former_entity(caches, &namespace);
    }
    match caches.secrets.of(&namespace) {
        Some(secrets) => known.secrets = secrets,
        None if in_use => return Ok(None),
        None => {
            for secret in record.spec.secrets.iter().filter(|secret| secret.uid.is_none()) {
                let target = Target { kind: kinds::SECRET.kind, namespace: &namespace, name: &secret.secret };
                match context.server.get(target).await {
                    Ok(found) => {
                        if let Ok(found) = found.try_parse() {
                            known.secrets.insert(secret.secret.clone(), Sealed::of(&found).into());
                        }
                    }
                    Err(error) if error.kind == ErrorKind::Missing => {}
                    // The operator has no rights there any more: nobody can tell.
                    Err(error) if error.kind == ErrorKind::Forbidden => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(Some(known))
}

/// What the namespace still says of an Entity that is gone.
fn former_entity(caches: &Caches, namespace: &str) -> Option<DataEntity> {
    let namespace = caches.namespaces.get("", namespace)?;
    let display_name = namespace.annotations().get(marks::DISPLAY_NAME)?.clone();
    Some(DataEntity { display_name, ..DataEntity::default() })
}

/// Of Secrets that nobody watches nothing is said, once they are recorded.
fn visible_parts<'a>(record: &'a ServiceData, known: &'a KnownData, watched: bool) -> Vec<Part<'a>> {
    let mut parts = parts(&record.spec, known);
    let is_complete = record.spec.has_uids();
    parts.retain(|part| watched || !is_complete || part.kind == PartKind::Volume);
    parts
}

/// The instance is gone by a live look too: a cache may lag.
async fn is_left(context: &Context, record: &ServiceData) -> Result<bool, WriteError> {
    let owner = &record.spec.owner;
    let namespace = record.namespace().unwrap_or_default();
    let target = Target { kind: &owner.kind, namespace: &namespace, name: &owner.name };
    match context.server.get(target).await {
        Ok(found) => Ok(found.metadata.uid.as_deref() != Some(&owner.uid)),
        Err(error) if error.kind == ErrorKind::Missing => Ok(true),
        Err(error) => Err(error),
    }
}

fn dated(context: &Context, record: &ServiceData, retention: Retention) -> Value {
    json!({
        "metadata": {"uid": record.metadata.uid, "resourceVersion": record.metadata.resource_version},
        "spec": {"keepUntil": Time(keep_until(context.now(), retention.days.into()))},
    })
}

/// Writes the record; the answer brings it up once more.
async fn write(context: &Context, key: &Key, patch: &Value) -> Result<Next, WriteError> {
    let target = Target { kind: kinds::SERVICE_DATA.kind, namespace: &key.namespace, name: &key.name };
    let answer = context.server.merge(target, patch).await?;
    context.known.take_in(key, kinds::SERVICE_DATA.kind, answer);
    context.known.again(key);
    Ok(Next::Wait)
}

/// The time on which all clocks agree, where the date has passed by the operator's own.
async fn date(context: &Context, record: &ServiceData, in_use: bool) -> Result<Option<Timestamp>, ClocksDisagree> {
    let has_passed = record.spec.keep_until.as_ref().is_some_and(|until| until.0 <= context.now());
    if in_use || !has_passed {
        return Ok(None);
    }
    let records = context.caches().records.all();
    let newest = records.iter().filter_map(|record| record.creation_timestamp()).map(|made| made.0).max();
    match clock::read(context.start, context.server.client(), newest).await {
        Some(clocks) => agreed(&clocks).map(Some),
        None => Ok(None),
    }
}

fn facts(record: &ServiceData, in_use: bool, parts: &[Part<'_>]) -> Facts {
    Facts {
        // Nothing is purged yet.
        mark: record.spec.restoring.is_some().then_some(Mark::Restoring),
        instance_exists: in_use,
        anything_exists: parts.iter().any(|part| matches!(part.found, Found::Ours { .. })),
        was_used: record.spec.version.is_some(),
        keep_until: record.spec.keep_until.as_ref().map(|until| until.0),
    }
}

fn next(record: &ServiceData, state: State, disagree: bool, now: Timestamp) -> Next {
    if disagree {
        return Next::After(CLOCKS);
    }
    match (&record.spec.keep_until, state) {
        (Some(until), State::KeptUntil) => {
            let left = Duration::try_from(until.0.duration_since(now)).unwrap_or(CLOCKS);
            Next::After(left.clamp(Duration::from_secs(1), LONGEST))
        }
        _ => Next::Wait,
    }
}
