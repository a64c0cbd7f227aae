//! One backup of the demo, of its smallest service, and the drill that proves it. Where there are no pods there is neither.

use std::time::Duration;

use commonscloud_cluster::Progress;
use commonscloud_cluster::command::Failure;
use commonscloud_cluster::progress::Phase;
use commonscloud_operator::api::{BackupPhase, ServiceBackup, ServiceRestore, marks};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;

use crate::asked;
use crate::drill;
use crate::operated::backups::{Key, TARGET, is_served};
use crate::operated::waiting::{Look, awaited};
use crate::services::{self, Health};

/// The smallest service of the demo.
const ENTITY: &str = "pamapam";
const KIND: &str = "DedicatedService";
const SERVICE: &str = "calendar";
/// How long a backup and a drill of next to nothing may take, all others starting beside them.
const PATIENCE: Duration = Duration::from_mins(5);

/// What was seen of the backup.
pub(super) struct Seen {
    /// The complete backup, or why there is none.
    pub(super) backup: Result<Backup, String>,
    /// When it was last restored, started and found equal, and by which drill; or why that is not known.
    pub(super) proven: Result<String, String>,
}

/// A complete backup.
pub(super) struct Backup {
    pub(super) taken_at: Timestamp,
    pub(super) size: String,
}

/// Asks for one backup where there is none, and waits until it is proven. What does not come is told, and fails nothing.
pub(super) async fn prove(client: &Client, patience: Duration, progress: &Progress) -> Seen {
    let phase = progress.phase("one backup, and the drill that proves it");
    let seen = look(client, patience, &phase).await;
    if seen.proven.is_ok() {
        phase.done();
    }
    seen
}

async fn look(client: &Client, patience: Duration, phase: &Phase) -> Seen {
    let begins = match awaited(patience, phase, async || is_ready(client).await).await {
        Ok(()) => awaited(PATIENCE, phase, async || is_served(client, TARGET).await).await,
        Err(why) => Err(why),
    };
    let backup = match begins {
        Ok(()) => match ask(client).await {
            Ok(()) => awaited(PATIENCE, phase, async || complete(client).await).await,
            Err(failure) => Err(failure.to_string()),
        },
        Err(why) => Err(why),
    };
    let proven = match &backup {
        Ok(_) => awaited(PATIENCE, phase, async || proof(client).await).await,
        Err(_) => Err("there is no backup that could be restored".to_owned()),
    };
    Seen { backup, proven }
}

async fn service(client: &Client) -> Result<Option<DynamicObject>, Failure> {
    let found = services::list(client, KIND).await?.into_iter().find(|object| {
        (object.metadata.namespace.as_deref(), object.metadata.name.as_deref()) == (Some(ENTITY), Some(SERVICE))
    });
    Ok(found)
}

async fn is_ready(client: &Client) -> Result<Look<()>, Failure> {
    Ok(match service(client).await?.as_ref().map(services::health) {
        Some(Health::Ready) => Look::Found(()),
        Some(Health::NotReady { reason, message }) => Look::NotYet(format!("{ENTITY}/{SERVICE}: {reason}: {message}")),
        None => Look::NotYet(format!("{ENTITY}/{SERVICE} is not there")),
    })
}

/// Asks for a backup, unless there is one or it is on its way.
async fn ask(client: &Client) -> Result<(), Failure> {
    let runs = asked::runs(client, ENTITY, Some(SERVICE)).await?;
    if runs.iter().any(|run| phase_of(run) != Some(BackupPhase::Failed)) {
        return Ok(());
    }
    asked::back_up(client, ENTITY, SERVICE, None).await.map(drop)
}

fn phase_of(run: &ServiceBackup) -> Option<BackupPhase> {
    run.status.as_ref().and_then(|status| status.phase)
}

async fn complete(client: &Client) -> Result<Look<Backup>, Failure> {
    Ok(backup_of(&asked::runs(client, ENTITY, Some(SERVICE)).await?))
}

/// The complete backup of these runs, the newest first. Once all of them have failed nobody makes another one.
fn backup_of(runs: &[ServiceBackup]) -> Look<Backup> {
    let complete = runs.iter().find_map(|run| Some((run, asked::snapshot(run)?.1)));
    if let Some((run, taken_at)) = complete {
        let size = run.status.as_ref().and_then(|status| status.size.clone());
        return Look::Found(Backup { taken_at, size: size.unwrap_or_else(|| "?".to_owned()) });
    }
    let Some(newest) = runs.first() else { return Look::NotYet("it has not begun".to_owned()) };
    let conditions = newest.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
    let why = ready.map(|ready| format!("{}: {}", ready.reason, ready.message));
    if runs.iter().all(|run| phase_of(run) == Some(BackupPhase::Failed)) {
        let name = newest.metadata.name.as_deref().unwrap_or_default();
        let why = why.unwrap_or_else(|| "its condition Ready does not say why".to_owned());
        return Look::Never(format!("run {ENTITY}/{name} has failed: {why}"));
    }
    Look::NotYet(why.unwrap_or_else(|| "it has not begun".to_owned()))
}

/// The service says it, as `kubectl get` shows it; else its newest drill, where that has failed.
async fn proof(client: &Client) -> Result<Look<String>, Failure> {
    let found = service(client).await?.map(|object| object.data["status"]["backup"].clone()).unwrap_or_default();
    let drills: Api<ServiceRestore> = Api::namespaced(client.clone(), marks::DRILLS);
    Ok(proof_of(&found, &drills.list(&ListParams::default()).await?.items))
}

/// `backup`: what the service says of its backups. Whose drill has failed is not drilled again before tomorrow.
fn proof_of(backup: &Value, drills: &[ServiceRestore]) -> Look<String> {
    let proven: Option<Timestamp> = backup["lastProvenRestore"].as_str().and_then(|time| time.parse().ok());
    match (proven, backup["lastProvenRestoreName"].as_str()) {
        (Some(time), Some(drill)) => return Look::Found(format!("{}, by drill {drill}", asked::shown(time))),
        (Some(time), None) => return Look::Found(asked::shown(time)),
        (None, _) => {}
    }
    let is_its = |drill: &&ServiceRestore| {
        let from = &drill.spec.from;
        from.entity.as_deref() == Some(ENTITY) && from.service == SERVICE
    };
    let newest = drills.iter().filter(is_its).max_by_key(|drill| drill.creation_timestamp().map(|made| made.0));
    match newest {
        Some(drill) if drill::has_failed(drill) => Look::Never(format!(
            "drill {}: {}; what it left: commonscloud drill list",
            drill.name_any(),
            drill::state(drill)
        )),
        Some(drill) => Look::NotYet(format!("drill {}: {}", drill.name_any(), drill::state(drill))),
        None => Look::NotYet("no drill has begun yet: commonscloud drill list".to_owned()),
    }
}

/// What the report says of it.
pub(super) fn text(key: &Key, seen: &Seen) -> String {
    let backup = match &seen.backup {
        Ok(Backup { taken_at, size }) => format!("as it was at {}, {size}", asked::shown(*taken_at)),
        Err(why) => format!("none: {why}"),
    };
    let lines = [
        ("backup", backup),
        ("last proven", seen.proven.clone().unwrap_or_else(|why| format!("not yet: {why}"))),
        ("kept in", format!("target {TARGET}, a volume of this cluster that is lost with it; yours is elsewhere")),
        (
            "private key",
            format!("{}, the demo's own; yours lies in a safe and never on the cluster's machine", key.file.display()),
        ),
    ];
    let lines: String = lines.iter().map(|(name, value)| format!("  {name:<12} {value}\n")).collect();
    format!("\nBackup of {ENTITY} / {SERVICE}, restored into a scratch namespace, started and compared\n{lines}")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    fn key() -> Key {
        Key { file: PathBuf::from("/demo/key"), recipient: "age1".to_owned() }
    }

    fn run(name: &str, phase: &str, reason: &str) -> ServiceBackup {
        let ready = json!([{"type": "Ready", "status": "False", "reason": reason, "message": "no answer",
            "lastTransitionTime": "2026-11-30T00:00:00Z"}]);
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceBackup", "metadata": {"name": name},
            "spec": {"service": SERVICE, "requestedBy": "anna"}, "status": {"phase": phase, "conditions": ready},
        }))
        .unwrap()
    }

    #[test]
    fn nobody_waits_for_a_run_that_has_failed() {
        let (failed, older) = (run("b", "Failed", "Unreachable"), run("a", "Failed", "TargetFull"));
        let Look::Never(why) = backup_of(&[failed.clone(), older]) else { panic!("it does not come any more") };
        assert!(why.contains("pamapam/b has failed: Unreachable: no answer"), "{why}");
        assert!(
            matches!(backup_of(&[run("c", "Waiting", "Queued"), failed]), Look::NotYet(why) if why.contains("Queued"))
        );
        assert!(matches!(backup_of(&[]), Look::NotYet(_)));
    }

    #[test]
    fn nobody_waits_for_a_drill_that_has_failed() {
        let drill = |name: &str, service: &str, made: &str, phase: &str| -> ServiceRestore {
            let ready = json!([{"type": "Ready", "status": "False", "reason": "RestoreDiffers", "message": "3 rows, not 4",
                "lastTransitionTime": "2026-11-30T00:00:00Z"}]);
            serde_json::from_value(json!({
                "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceRestore",
                "metadata": {"name": name, "creationTimestamp": made},
                "spec": {"from": {"entity": ENTITY, "service": service}, "into": {"kind": "Drill"}, "requestedBy": "o"},
                "status": {"phase": phase, "conditions": ready},
            }))
            .unwrap()
        };
        let others = drill("other", "office", "2026-11-30T03:00:00Z", "Failed");
        assert!(matches!(proof_of(&json!({}), std::slice::from_ref(&others)), Look::NotYet(_)));
        let failed = drill("first", SERVICE, "2026-11-30T01:00:00Z", "Failed");
        let Look::Never(why) = proof_of(&json!({}), &[others, failed.clone()]) else {
            panic!("it does not come any more")
        };
        assert!(why.contains("drill first: Failed: RestoreDiffers: 3 rows, not 4"), "{why}");
        let second = drill("second", SERVICE, "2026-11-30T02:00:00Z", "Verifying");
        let waits = proof_of(&json!({}), &[failed.clone(), second]);
        assert!(matches!(waits, Look::NotYet(why) if why.contains("second")));
        let proven = json!({"lastProvenRestore": "2026-11-30T02:00:00Z", "lastProvenRestoreName": "second"});
        assert!(matches!(proof_of(&proven, &[failed]), Look::Found(when) if when.contains("by drill second")));
    }

    #[test]
    fn what_did_not_come_is_told_and_not_left_out() {
        let seen = Seen { backup: Err("TargetUnreachable: no answer".into()), proven: Err("nothing".into()) };
        let said = text(&key(), &seen);
        assert!(said.contains("none: TargetUnreachable: no answer") && said.contains("not yet: nothing"), "{said}");
        let backup = Backup { taken_at: "2026-11-30T21:00:00Z".parse().unwrap(), size: "12Ki".to_owned() };
        let said = text(&key(), &Seen { backup: Ok(backup), proven: Ok("2026-11-30 21:02 UTC, by drill d".into()) });
        assert!(said.contains("2026-11-30 21:00 UTC, 12Ki") && said.contains("by drill d"), "{said}");
        assert!(said.contains("/demo/key"), "{said}");
    }
}
