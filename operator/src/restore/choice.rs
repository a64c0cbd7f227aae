//! What is restored, and whether there is room for it.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::observed::{ObservedRestore, Room};
use super::step::{Chosen, Step, failed};
use crate::api::{Reason, RestoreDestinationKind, RestoreSource, ServiceBackup, ServiceRestoreSpec, marks};
use crate::backup::{has_come, is_backup};
use crate::compare::{Action, Change};
use crate::core::{Bytes, Quantity};
use crate::report::Problem;

/// Refuses what is not built.
///
/// # Errors
/// When the restore asks for it.
pub(super) fn supported(spec: &ServiceRestoreSpec) -> Result<(), Problem> {
    let message = match spec.into.kind {
        RestoreDestinationKind::InPlace if spec.from.entity.is_some() => {
            "spec.from.entity: what another Entity gave becomes a new service: into.kind NewService".to_owned()
        }
        RestoreDestinationKind::NewService if spec.only.is_some() => {
            "spec.only: a part is restored beside what is there: into.kind InPlace".to_owned()
        }
        // No run says of which version it is.
        RestoreDestinationKind::NewService if spec.from.imported_to.is_some() => {
            "spec.from.importedTo: what was brought is restored into the service that it was brought for: into.kind InPlace"
                .to_owned()
        }
        RestoreDestinationKind::InPlace | RestoreDestinationKind::NewService => return Ok(()),
        RestoreDestinationKind::Drill => {
            format!("spec.into.kind: Drill is made by the operator alone, in namespace {}", marks::DRILLS)
        }
    };
    Err(Problem::new(Reason::RestoreNotSupported, message))
}

/// Whether it is this one's turn.
///
/// # Errors
/// The step that waits, or fails.
pub(super) fn turn(observed: &ObservedRestore) -> Result<(), Box<Step>> {
    // Which one is newest is known once whoever goes first has ended; that a snapshot is a stranger's, at once.
    if observed.restore.spec.from.snapshot.is_some() {
        chosen(observed)?;
    }
    order(observed)
}

/// Whether nobody of the same service comes first. Of one that waits itself, which may be for ever, it is told how to
/// end it.
///
/// # Errors
/// The step that waits.
pub(super) fn order(observed: &ObservedRestore) -> Result<(), Box<Step>> {
    let Some(first) = &observed.goes_first else { return Ok(()) };
    let end = observed.first_waits.as_ref().map(|why| {
        let (name, namespace) = (first.rsplit('/').next().unwrap_or(first), observed.restore.namespace());
        let namespace = namespace.unwrap_or_default();
        format!(
            "; it waits itself, and this begins without it after kubectl delete servicerestore {name} --namespace {namespace}; it says: {why}"
        )
    });
    let message = format!("{first} is of the same service and comes first{}", end.unwrap_or_default());
    Err(Box::new(Step::not_yet(observed, Problem::new(Reason::WaitsForTurn, message))))
}

/// The snapshot that is restored.
///
/// # Errors
/// The step that fails.
pub(super) fn chosen(observed: &ObservedRestore) -> Result<Chosen, Box<Step>> {
    choose(observed).map_err(|problem| Box::new(failed(observed, problem)))
}

/// The snapshot that is restored: the recorded one, else the one that is asked for, else the newest. Each is of a
/// run of this service in this namespace, so nobody can name another Entity's.
///
/// # Errors
/// When there is none.
pub(crate) fn choose(observed: &ObservedRestore) -> Result<Chosen, Problem> {
    let status = observed.status();
    if let Some(snapshot) = status.and_then(|status| status.snapshot.clone()) {
        return Ok(Chosen { snapshot, taken_at: status.and_then(|status| status.taken_at.clone()) });
    }
    let from = &observed.restore.spec.from;
    if from.imported_to.is_some() {
        return imported(from);
    }
    let complete = observed.runs.iter().filter_map(|run| complete(run, &from.service));
    let wanted = complete.filter(|chosen| from.snapshot.as_ref().is_none_or(|id| *id == chosen.snapshot));
    let before = |chosen: &Chosen| {
        let taken = chosen.taken_at.as_ref();
        from.before.as_ref().is_none_or(|before| taken.is_some_and(|taken| taken.0 < before.0))
    };
    // One of a time that has not come was taken while a clock was ahead.
    let age = |chosen: &Chosen| chosen.taken_at.as_ref().map(|taken| (has_come(taken.0, observed.now), taken.0));
    let newest = wanted.filter(before).max_by_key(age);
    newest.ok_or_else(|| {
        let service = &from.service;
        let message = match (&from.snapshot, &from.before) {
            (Some(snapshot), _) => format!(
                "spec.from.snapshot: no complete ServiceBackup of {service} in this namespace has status.snapshot {snapshot}; see kubectl get servicebackups"
            ),
            (None, Some(before)) => {
                format!("spec.from.before: no complete ServiceBackup of {service} was taken before {}", before.0)
            }
            (None, None) => format!("spec.from.service: {service} has no complete ServiceBackup; make one first"),
        };
        Problem::new(Reason::SnapshotNotFound, message)
    })
}

/// What `commonscloud import` brought: no run recorded it, and whoever made the restore vouches for it. Who may is a
/// policy's to say.
fn imported(from: &RestoreSource) -> Result<Chosen, Problem> {
    let snapshot = from.snapshot.clone().ok_or_else(|| {
        let message = "spec.from.importedTo: only beside spec.from.snapshot; `commonscloud import` writes both";
        Problem::new(Reason::SnapshotNotFound, message)
    })?;
    Ok(Chosen { snapshot, taken_at: None })
}

/// The snapshot that a run left.
fn complete(run: &Arc<ServiceBackup>, service: &str) -> Option<Chosen> {
    let status = run.status.as_ref().filter(|_| is_backup(run))?;
    let chosen = Chosen { snapshot: status.snapshot.clone()?, taken_at: status.taken_at.clone() };
    (run.spec.service == service && run.metadata.deletion_timestamp.is_none()).then_some(chosen)
}

/// Whether the namespace has room for these claims.
///
/// # Errors
/// When a quota has none: what it leaves, and what is needed.
pub(crate) fn room(quotas: &[Room], makes: &[Change]) -> Result<(), String> {
    let requests = makes.iter().filter_map(request);
    let needed = requests.fold(Bytes::ZERO, |sum, request| sum.checked_add(request).unwrap_or(Bytes::new(u64::MAX)));
    let count = makes.len() as u64;
    let full = quotas.iter().find_map(|room| {
        let lacks_storage = room.storage.filter(|left| *left < needed).map(|left| format!("{left} of storage"));
        let lacks_claims = room.claims.filter(|left| *left < count).map(|left| format!("{left} claims"));
        Some((&room.quota, lacks_storage.or(lacks_claims)?))
    });
    full.map_or(Ok(()), |(quota, left)| {
        Err(format!("ResourceQuota {quota} leaves {left}, and a restore needs {needed} in {count} claims"))
    })
}

fn request(change: &Change) -> Option<Bytes> {
    let Action::Create(claim) = &change.action else { return None };
    claim.pointer("/spec/resources/requests/storage")?.as_str()?.parse::<Quantity>().ok()?.bytes()
}

#[cfg(test)]
#[path = "begin_tests.rs"]
mod tests;
