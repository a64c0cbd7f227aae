//! Writes objects: the only step that does. What it answers with is what was really applied.

mod contest;
mod copy;
mod generate;
mod server;
mod target;
mod trouble;

use futures::future::join_all;
use kube::core::DynamicObject;
use serde_json::Value;

pub use generate::RandomError;
pub use server::Server;
pub use target::Target;
pub use trouble::{Trouble, WriteError};

use crate::api::marks;
use crate::cache::{Key, Known, Live};
use crate::compare::{Action, Change, Difference, Fault, differences};
use crate::kinds;

/// What came of a set of changes.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// How many writes the API server took.
    pub writes: usize,
    /// What it did not take.
    pub failures: Vec<WriteError>,
}

impl Applied {
    /// The failure to report: the first that does not pass, else the first.
    pub fn worst(&self) -> Option<&WriteError> {
        self.failures.iter().find(|f| !f.trouble.passes()).or_else(|| self.failures.first())
    }
}

/// Makes changes in their order; those of one kind in a row at the same time. After a failure of
/// what holds data nothing else is written, since the rest builds on it.
pub async fn apply(server: &Server, known: &Known, by: &Key, changes: &[Change]) -> Applied {
    let mut applied = Applied::default();
    for group in changes.chunk_by(|a, b| a.kind == b.kind && is_parallel(a) && is_parallel(b)) {
        let results = join_all(group.iter().map(|change| make(server, known, by, change))).await;
        let of_data = group.iter().any(|change| kinds::DATA.contains(&change.kind.as_str()));
        for result in results {
            match result {
                Ok(()) => applied.writes += 1,
                Err(error) => applied.failures.push(error),
            }
        }
        let unreachable = applied
            .failures
            .iter()
            .any(|f| matches!(f.trouble, Trouble::Passing | Trouble::NotLeading | Trouble::Forbidden));
        if unreachable || (of_data && !applied.failures.is_empty()) {
            break;
        }
    }
    applied
}

/// Two writes to one object must not overtake each other; all others may.
fn is_parallel(change: &Change) -> bool {
    !matches!(change.action, Action::Strip { .. })
}

async fn make(server: &Server, known: &Known, by: &Key, change: &Change) -> Result<(), WriteError> {
    let target = Target { kind: &change.kind, namespace: &change.namespace, name: &change.name };
    not_contested(server, target, &change.action).await?;
    tracing::info!(change = %change, namespace = change.namespace, "writing");
    let answer = match &change.action {
        Action::Create(object) => create(server, target, object).await?,
        Action::Generate { secret, keys } => {
            let data = generate::data(keys).map_err(|error| WriteError {
                trouble: Trouble::Passing,
                object: format!("Secret/{}", change.name),
                message: error.to_string(),
            })?;
            let mut secret = secret.clone();
            if let Value::Object(fields) = &mut secret {
                fields.insert("data".to_owned(), data);
            }
            create(server, target, &secret).await?
        }
        Action::Copy { secret, because } => copy::copy(server, target, secret, !because.is_empty()).await?,
        Action::Apply { object, .. } => {
            let answer = server.apply(target, object).await?;
            if is_added_to(target, object, &answer)? {
                // What somebody added meanwhile the watch will bring as something known.
                known.again(by);
            }
            answer
        }
        Action::Merge { patch, .. } => server.merge(target, patch).await?,
        Action::Strip { patch, .. } => server.json_patch(target, patch).await?,
        Action::Delete { uid } => return server.delete(target, uid).await,
    };
    if !repairs(&change.action).is_empty() {
        server.contests().repaired(target, wanted(&change.action));
    }
    known.take_in(by, target.kind, answer);
    Ok(())
}

/// What a change sets right that somebody else changed; nothing where it makes an object.
fn repairs(action: &Action) -> &[Difference] {
    match action {
        Action::Apply { because, .. } | Action::Strip { because, .. } | Action::Copy { because, .. } => because,
        _ => &[],
    }
}

/// The object that a change asks for; none where it only takes something away.
fn wanted(action: &Action) -> Option<&Value> {
    match action {
        Action::Apply { object, .. } => Some(object),
        _ => None,
    }
}

/// A repair that somebody undid each time is not made again for a while; they are named.
async fn not_contested(server: &Server, target: Target<'_>, action: &Action) -> Result<(), WriteError> {
    let because = repairs(action);
    if because.is_empty() || server.contests().may_repair(target, wanted(action)) {
        return Ok(());
    }
    let live = server.get(target).await?;
    let fields = live.metadata.managed_fields.unwrap_or_default();
    let rival = contest::rival(&fields).unwrap_or("somebody");
    let paths: Vec<&str> = because.iter().map(|difference| difference.path.as_str()).collect();
    Err(WriteError {
        trouble: Trouble::Contested,
        object: format!("{}/{}", target.kind, target.name),
        message: format!("{rival} changes {} back each time; keep it from doing so", paths.join(", ")),
    })
}

/// Creates an object that holds data, or adopts the one that is there if it is ours.
async fn create(server: &Server, target: Target<'_>, object: &Value) -> Result<DynamicObject, WriteError> {
    match server.create(target, object).await {
        Err(error) if error.trouble == Trouble::Exists => {
            let found = server.get(target).await?;
            is_ours(target, object, &found)?;
            Ok(found)
        }
        other => other,
    }
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
        trouble: Trouble::Refused,
        object: format!("{}/{}", target.kind, target.name),
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
            trouble: Trouble::NotCanonical,
            object: format!("{}/{}", target.kind, target.name),
            message: format!("the API server answers with another value at {}", difference.path),
        }),
    }
}
