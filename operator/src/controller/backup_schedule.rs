//! Makes the runs of backups whose turn has come, and removes those that nobody needs to remember; of drills as well.
//! It looks at the caches in rounds, while the operator leads: times pass without a change that anybody would hear of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::context::Context;
use super::workers::contained;
use super::{backup_care, drill_schedule};
use crate::api::{GROUP, PlatformBackup, ServiceBackup, VERSION, marks};
use crate::apply::{ErrorKind, Target, WriteError};
use crate::backup::{Scheduled, Turn, awaits_forgetting, old_runs, turns};
use crate::cache::{Caches, Key, Kind, has_ended};
use crate::entity::ServiceAccount;
use crate::gather;
use crate::kinds;

/// Between two looks after a write that was not taken.
const IDLE: Duration = Duration::from_mins(1);
/// Between two looks while the Platform has no backups: such a look costs nothing.
const ABSENT: Duration = Duration::from_secs(5);
/// Between any two looks.
const SHORTEST: Duration = Duration::from_secs(1);

/// Makes and removes runs for ever. Only a process that leads may call it.
pub async fn run(context: &Context) {
    let mut look = backup_care::Look::default();
    loop {
        let again = Box::pin(contained(round(context, &mut look))).await.unwrap_or_else(|words| {
            tracing::error!(panic = words, "the schedule of backups panicked; this is a fault of the operator");
            IDLE
        });
        tokio::time::sleep(again).await;
    }
}

/// One round; says when the next one is.
async fn round(context: &Context, look: &mut backup_care::Look) -> Duration {
    let caches = context.caches();
    let Some(platform) = caches.platform() else { return ABSENT };
    let Some(backup) = &platform.spec.backup else { return ABSENT };
    let now = context.now();
    let services = gather::schedules(caches, backup, now);
    for service in &services {
        let status = caches.dedicated(service.key.kind.as_str(), &service.key.namespace, &service.key.name);
        let status = status.and_then(|resource| resource.status().cloned()).unwrap_or_default();
        if !service.shown.is_in(&status) {
            context.known.again(&service.key);
        }
    }
    let mut failed = drill_schedule::round(context, backup, &services, now).await.is_err_and(|error| told(&error));
    let scheduled: Vec<Scheduled> = services.into_iter().filter_map(|service| service.scheduled).collect();
    let runs = caches.backups.all();
    let unfinished: Vec<_> = runs.iter().filter(|run| !has_ended(run)).cloned().collect();
    let turns = turns(&scheduled, &unfinished, backup.schedule.at_once, now);
    for turn in &turns.begin {
        failed |= make(context, turn).await.is_err_and(|error| told(&error));
    }
    failed |= backup_care::round(context, &platform, look, now).await.is_err_and(|error| told(&error));
    for run in old(&scheduled, caches, backup, now) {
        failed |= remove(context, &run).await.is_err_and(|error| told(&error));
    }
    if failed { IDLE } else { turns.again.min(look.left().max(SHORTEST)) }
}

fn told(error: &WriteError) -> bool {
    tracing::warn!(%error, "the schedule of backups is not done yet; trying again");
    true
}

/// By whom runs and drills are written.
pub(super) fn by() -> Key {
    Key::cluster(Kind::Platform, "default")
}

/// The operator, as whoever asks for a run.
pub(super) fn requester(account: &ServiceAccount) -> String {
    format!("system:serviceaccount:{}:{}", account.namespace, account.name)
}

async fn make(context: &Context, turn: &Turn) -> Result<(), WriteError> {
    let kind = kinds::SERVICE_BACKUP.kind;
    let target = Target { kind, namespace: &turn.entity, name: &turn.name };
    match context.server.create(target, &object(turn, &context.account)).await {
        Ok(answer) => {
            tracing::info!(namespace = turn.entity, service = turn.service, run = turn.name, "a backup begins");
            context.known.take_in(&by(), kind, answer);
            Ok(())
        }
        // Another look made it; the watch brings it.
        Err(error) if error.kind == ErrorKind::Exists => Ok(()),
        Err(error) => Err(error),
    }
}

fn object(turn: &Turn, account: &ServiceAccount) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": kinds::SERVICE_BACKUP.kind,
        "metadata": {
            "namespace": turn.entity,
            "name": turn.name,
            "labels": {marks::MANAGED_BY: marks::OPERATOR, marks::ENTITY: turn.entity},
        },
        "spec": {
            "service": turn.service,
            "reason": "Scheduled",
            "requestedBy": requester(account),
        },
    })
}

/// The runs that are not remembered any longer, of services that are gone as well.
fn old(scheduled: &[Scheduled], caches: &Caches, backup: &PlatformBackup, now: Timestamp) -> Vec<Arc<ServiceBackup>> {
    let mut all: BTreeMap<(String, String), Vec<Arc<ServiceBackup>>> = BTreeMap::new();
    for run in caches.backups.all() {
        all.entry((run.namespace().unwrap_or_default(), run.spec.service.clone())).or_default().push(run);
    }
    let since: BTreeMap<_, _> = scheduled
        .iter()
        .map(|service| ((service.entity.clone(), service.service.clone()), service.remembered_since(now)))
        .collect();
    let of = |(service, runs): (&(String, String), &Vec<_>)| {
        old_runs(runs, backup.history, since.get(service).copied().unwrap_or(now))
    };
    let goes =
        |run: &Arc<ServiceBackup>| run.metadata.deletion_timestamp.is_none() && !awaits_forgetting(run, backup, now);
    all.iter().flat_map(of).filter(goes).collect()
}

async fn remove(context: &Context, run: &ServiceBackup) -> Result<(), WriteError> {
    let (namespace, name) = (run.namespace().unwrap_or_default(), run.name_any());
    let target = Target { kind: kinds::SERVICE_BACKUP.kind, namespace: &namespace, name: &name };
    context.server.delete(target, &run.uid().unwrap_or_default()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BackupReason;

    #[test]
    fn a_run_says_that_the_operator_asks_for_it_on_its_schedule() {
        let turn = Turn { entity: "coop".into(), service: "office".into(), name: "office-20261130-0100".into() };
        let account = ServiceAccount { namespace: "cloud".into(), name: "operator".into() };
        let run: ServiceBackup = serde_json::from_value(object(&turn, &account)).unwrap();
        assert_eq!((run.namespace().as_deref(), run.name_any().as_str()), (Some("coop"), "office-20261130-0100"));
        assert_eq!((run.spec.service.as_str(), run.spec.reason), ("office", BackupReason::Scheduled));
        assert_eq!(run.spec.requested_by, "system:serviceaccount:cloud:operator");
        assert_eq!(run.spec.target, None, "the one that the service chose");
    }
}
