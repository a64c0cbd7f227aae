//! One write of a change, unless it was refused before or is contested.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::core::DynamicObject;
use serde_json::Value;

use super::conflicts::{Standing, other_manager};
use super::digest::{basis, digest};
use super::error::{ErrorKind, WriteError};
use super::server::Server;
use super::target::{ObjectKey, Target};
use super::{Written, asked, copy, generate, repairs, target};
use crate::api::{SecretKey, marks};
use crate::cache::{Key, Known, Live};
use crate::compare::{Action, Change, Difference, Fault, differences};
use crate::kinds;

/// Who writes, for which resource.
pub(super) struct Writer<'a> {
    pub(super) server: &'a Server,
    pub(super) known: &'a Known,
    pub(super) by: &'a Key,
}

/// What came of one change.
pub(super) enum Outcome {
    /// The API server took it.
    Taken,
    /// It did not, in a way that may pass.
    Failed(WriteError),
    /// It did not, or was not asked: only a change mends that. Tried again after this long.
    Waits(WriteError, Duration),
}

/// Whether it was a round of repairs: done, or a removal that lost a race against another manager.
/// A copy that loses one was repaired by another instance, which shares it.
pub(super) const fn is_round(action: &Action, outcome: &Outcome) -> bool {
    let lost = matches!(outcome, Outcome::Failed(WriteError { kind: ErrorKind::Conflict, .. }));
    matches!(outcome, Outcome::Taken) || (lost && matches!(action, Action::Remove { .. }))
}

/// What is contested, how people are told, and how long it waits.
pub(super) type Contested = BTreeMap<ObjectKey, (WriteError, Duration)>;

impl Writer<'_> {
    /// The objects that somebody changes back each time. Whoever does is looked for once in a contest.
    pub(super) async fn contested(&self, changes: &[Change]) -> Contested {
        let mut objects: BTreeMap<ObjectKey, Vec<&Change>> = BTreeMap::new();
        for change in changes.iter().filter(|change| !repairs(&change.action).is_empty()) {
            objects.entry(target(change).key()).or_default().push(change);
        }
        let mut contested = Contested::new();
        for (key, changes) in objects {
            let because: Vec<&Difference> = changes.iter().flat_map(|change| repairs(&change.action)).collect();
            let wanted = changes.iter().find_map(|change| asked(&change.action));
            let standing = self.server.conflicts().standing(&key, wanted, digest(&because));
            let (Standing::Contested { message, wait }, Some(change)) = (standing, changes.first()) else { continue };
            let message = match message {
                Some(message) => message,
                None => self.name(target(change), &because).await,
            };
            let error = WriteError { kind: ErrorKind::Contested, object: target(change).shown(), message };
            contested.insert(key, (error, wait));
        }
        contested
    }

    /// Says who contests an object; asks the API server, since the caches keep no managed fields.
    async fn name(&self, target: Target<'_>, because: &[&Difference]) -> String {
        let live = self.server.get(target).await.ok();
        let fields = live.and_then(|live| live.metadata.managed_fields).unwrap_or_default();
        let other = other_manager(&fields).unwrap_or("somebody");
        let paths: BTreeSet<&str> = because.iter().map(|difference| difference.path.as_str()).collect();
        let paths: Vec<&str> = paths.into_iter().collect();
        let message = format!(
            "{other} changes {} back each time; stop it: the object is repaired once it is left alone",
            paths.join(", ")
        );
        tracing::warn!(object = target.shown(), namespace = target.namespace, message, "contested");
        self.server.conflicts().name(&target.key(), &message);
        message
    }

    /// What came of a change, and the object as the API server has it by its answer, if there is one.
    pub(super) async fn write(&self, change: &Change, contested: &Contested) -> (Outcome, Option<Written>) {
        let key = target(change).key();
        if let Some((error, wait)) = contested.get(&key).filter(|_| !repairs(&change.action).is_empty()) {
            return (Outcome::Waits(error.clone(), *wait), None);
        }
        let basis = || basis(self.known.caches(), self.by, &change.action);
        let refusals = self.server.refusals();
        let write = (key, verb(&change.action), self.by.clone());
        if let Some((error, wait)) = refusals.of(&write, basis) {
            return (Outcome::Waits(error, wait), None);
        }
        let mut written = None;
        let outcome = match self.send(change, &mut written).await {
            Ok(()) => {
                refusals.taken(&write);
                Outcome::Taken
            }
            Err(error) if error.kind.is_transient() => Outcome::Failed(error),
            Err(error) => {
                let wait = refusals.refused(&write, basis(), &error);
                let words = self.known.caches().secrets.redact(&change.namespace, &error.to_string());
                tracing::warn!(
                    error = %words,
                    seconds = wait.as_secs(),
                    "refused; not sent again before something changes"
                );
                Outcome::Waits(error, wait)
            }
        };
        (outcome, written)
    }

    async fn send(&self, change: &Change, written: &mut Option<Written>) -> Result<(), WriteError> {
        let (server, target) = (self.server, target(change));
        tracing::info!(change = %change, namespace = change.namespace, "writing");
        let answer = match &change.action {
            Action::Create(object) => create(server, target, object).await?,
            Action::Generate { secret, keys } => create(server, target, &generated(target, secret, keys)?).await?,
            Action::Copy { from, secret, because } => {
                let from = match from {
                    Some(from) => Target { namespace: &from.namespace, name: &from.name, ..target },
                    None => Target { namespace: server.home(), ..target },
                };
                copy::copy(server, target, from, secret, !because.is_empty()).await?
            }
            Action::Apply { object, .. } => return self.apply(target, object, written).await,
            Action::Merge { patch, .. } => server.merge(target, patch).await?,
            Action::Remove { patch, because } => {
                let answer = self.remove(target, patch, because, written).await?;
                // A webhook may have put it back into the answer, which the watch brings as something known.
                self.known.again(self.by);
                answer
            }
            Action::Delete { uid } => return server.delete(target, uid).await,
            Action::Discard { uid, resource_version } => return server.discard(target, uid, resource_version).await,
        };
        *written = Some(self.taken_in(target, answer));
        Ok(())
    }

    fn taken_in(&self, target: Target<'_>, answer: DynamicObject) -> Written {
        let is_dedicated = kinds::DEDICATED.iter().any(|kind| kind.kind == target.kind);
        let status = is_dedicated.then(|| answer.data.get("status").cloned()).flatten();
        Written {
            kind: target.kind.to_owned(),
            name: target.name.to_owned(),
            generation: answer.metadata.generation,
            // One that cannot be read has reported nothing.
            status: status.and_then(|status| serde_json::from_value(status).ok()).map(Box::new),
            live: self.known.take_in(self.by, target.kind, answer),
        }
    }

    async fn apply(&self, target: Target<'_>, object: &Value, written: &mut Option<Written>) -> Result<(), WriteError> {
        let answer = self.server.apply(target, object).await?;
        let is_added_to = is_added_to(target, object, &answer);
        if is_added_to == Ok(true) {
            // What somebody added meanwhile the watch will bring as something known.
            self.known.again(self.by);
        }
        *written = Some(self.taken_in(target, answer));
        is_added_to.map(drop)
    }

    /// The API server answers the same to a patch of a version that is gone and to one that can never
    /// be applied: the object itself tells which it was.
    async fn remove(
        &self,
        target: Target<'_>,
        patch: &Value,
        because: &[Difference],
        written: &mut Option<Written>,
    ) -> Result<DynamicObject, WriteError> {
        let error = match self.server.json_patch(target, patch).await {
            Err(error) if error.kind == ErrorKind::Conflict => error,
            other => return other,
        };
        let live = self.server.get(target).await?;
        let tested = patch.pointer("/0/value").and_then(Value::as_str);
        if tested.is_some() && live.metadata.resource_version.as_deref() == tested {
            let paths: Vec<String> = because.iter().map(ToString::to_string).collect();
            let message = format!("cannot be set right: {}: {}; remove it by hand", paths.join(", "), error.message);
            return Err(WriteError { kind: ErrorKind::Refused, message, ..error });
        }
        *written = Some(self.taken_in(target, live));
        Err(error)
    }
}

const fn verb(action: &Action) -> &'static str {
    match action {
        Action::Create(_) | Action::Generate { .. } => "create",
        Action::Copy { .. } => "copy",
        Action::Apply { .. } => "apply",
        Action::Merge { .. } => "merge",
        Action::Remove { .. } => "remove",
        Action::Delete { .. } | Action::Discard { .. } => "delete",
    }
}

/// The Secret with its random values.
fn generated(target: Target<'_>, secret: &Value, keys: &[SecretKey]) -> Result<Value, WriteError> {
    let data = generate::data(keys).map_err(|error| WriteError {
        kind: ErrorKind::Transient,
        object: target.shown(),
        message: error.to_string(),
    })?;
    let mut secret = secret.clone();
    if let Value::Object(fields) = &mut secret {
        fields.insert("data".to_owned(), data);
    }
    Ok(secret)
}

/// Creates an object that holds data, or adopts the one that is there if it is ours.
async fn create(server: &Server, target: Target<'_>, object: &Value) -> Result<DynamicObject, WriteError> {
    match server.create(target, object).await {
        Err(error) if error.kind == ErrorKind::Exists => {
            let found = server.get(target).await?;
            is_ours(target, object, &found)?;
            is_not_held(target, object, &found)?;
            Ok(found)
        }
        other => other,
    }
}

/// A record that a restore holds is not the one that was to be made: what was planned with it would be empty.
fn is_not_held(target: Target<'_>, object: &Value, found: &DynamicObject) -> Result<(), WriteError> {
    let is_held = |of: &Value| of.pointer("/spec/restoring").is_some_and(|why| !why.is_null());
    if target.kind != kinds::SERVICE_DATA.kind || !is_held(&found.data) || is_held(object) {
        return Ok(());
    }
    let message = "exists already, and a restore holds it (spec.restoring)".to_owned();
    Err(WriteError { kind: ErrorKind::Conflict, object: target.shown(), message })
}

fn is_ours(target: Target<'_>, object: &Value, found: &DynamicObject) -> Result<(), WriteError> {
    let labels = found.metadata.labels.clone().unwrap_or_default();
    let wanted = |key: &str| object.pointer("/metadata/labels")?.get(key)?.as_str();
    let ours = [marks::ENTITY, marks::INSTANCE, marks::INSTANCE_KIND]
        .iter()
        .all(|key| labels.get(*key).map(String::as_str) == wanted(key));
    if ours {
        return Ok(());
    }
    Err(WriteError {
        kind: ErrorKind::Foreign,
        object: target.shown(),
        message: "exists already and does not carry the labels of this instance; remove it or choose another name"
            .to_owned(),
    })
}

/// The answer to an apply must be what was sent, or the next pass would send it again for ever. It
/// may hold more, where an addition opens a door: the next pass takes that away.
fn is_added_to(target: Target<'_>, object: &Value, answer: &DynamicObject) -> Result<bool, WriteError> {
    let live = Live::of(target.kind, answer.clone());
    let found = differences(target.kind, object, &live.value);
    match found.iter().find(|difference| difference.fault != Fault::Extra) {
        None => Ok(!found.is_empty()),
        Some(difference) => Err(WriteError {
            kind: ErrorKind::NotCanonical,
            object: target.shown(),
            message: format!("the API server answers with another value at {}", difference.path),
        }),
    }
}
