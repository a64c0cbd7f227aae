//! Makes the drill whose turn has come, and removes those that nobody needs any longer. One look in each round of the
//! schedule of backups.

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::backup_schedule::{by, requester};
use super::context::Context;
use crate::api::{GROUP, PlatformBackup, ServiceRestore, VERSION, marks};
use crate::apply::{ErrorKind, Target, WriteError};
use crate::drill::{DrillTurn, Drilled, drill_turns};
use crate::entity::ServiceAccount;
use crate::gather::ServiceSchedule;
use crate::kinds;

/// One look.
///
/// # Errors
/// The first request that failed; the others are made all the same.
pub(super) async fn round(
    context: &Context,
    backup: &PlatformBackup,
    services: &[ServiceSchedule],
    now: Timestamp,
) -> Result<(), WriteError> {
    let restores = &context.caches().restores;
    // It may be the very drill that is at work.
    if !restores.undecodable_in(marks::DRILLS).is_empty() {
        return Ok(());
    }
    let drilled: Vec<&Drilled> = services.iter().map(|service| &service.drilled).collect();
    let turns = drill_turns(&drilled, &restores.in_namespace(marks::DRILLS), &backup.drills, now);
    let mut outcome = Ok(());
    for drill in &turns.remove {
        let removed = remove(context, drill).await;
        outcome = outcome.and(removed);
    }
    match &turns.make {
        Some(turn) => outcome.and(make(context, turn).await),
        None => outcome,
    }
}

/// What it left goes with it.
async fn remove(context: &Context, drill: &ServiceRestore) -> Result<(), WriteError> {
    let name = drill.name_any();
    let target = Target { kind: kinds::SERVICE_RESTORE.kind, namespace: marks::DRILLS, name: &name };
    context.server.delete(target, &drill.uid().unwrap_or_default()).await
}

async fn make(context: &Context, turn: &DrillTurn) -> Result<(), WriteError> {
    let kind = kinds::SERVICE_RESTORE.kind;
    let target = Target { kind, namespace: marks::DRILLS, name: &turn.name };
    match context.server.create(target, &object(turn, &context.account)).await {
        Ok(answer) => {
            tracing::info!(namespace = turn.entity, service = turn.service, drill = turn.name, "a drill begins");
            context.known.take_in(&by(), kind, answer);
            Ok(())
        }
        // Another look made it; the watch brings it.
        Err(error) if error.kind == ErrorKind::Exists => Ok(()),
        Err(error) => Err(error),
    }
}

fn object(turn: &DrillTurn, account: &ServiceAccount) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": kinds::SERVICE_RESTORE.kind,
        "metadata": {
            "namespace": marks::DRILLS,
            "name": turn.name,
            "labels": {marks::MANAGED_BY: marks::OPERATOR},
        },
        "spec": {
            "from": {"entity": turn.entity, "service": turn.service, "snapshot": turn.snapshot},
            "into": {"kind": "Drill"},
            "requestedBy": requester(account),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RestoreDestinationKind;

    #[test]
    fn a_drill_says_what_it_is_of_and_that_the_operator_asks_for_it() {
        let turn = DrillTurn {
            entity: "coop".into(),
            service: "office".into(),
            snapshot: "a".repeat(64),
            name: "coop.office-20261130-0100".into(),
        };
        let account = ServiceAccount { namespace: "cloud".into(), name: "operator".into() };
        let drill: ServiceRestore = serde_json::from_value(object(&turn, &account)).unwrap();
        assert_eq!(drill.namespace().as_deref(), Some("commonscloud-drill-scratch-namespace"));
        let from = &drill.spec.from;
        assert_eq!((from.entity.as_deref(), from.service.as_str()), (Some("coop"), "office"));
        assert_eq!(from.snapshot.as_deref(), Some("a".repeat(64).as_str()));
        assert_eq!(drill.spec.into.kind, RestoreDestinationKind::Drill);
        assert_eq!(drill.spec.requested_by, "system:serviceaccount:cloud:operator");
    }

    #[test]
    fn no_entity_can_have_the_namespace_of_drills() {
        assert!(!crate::core::is_entity_name(marks::DRILLS));
    }
}
