//! `commonscloud backup`: asks for a backup of a service, and lists those there are.

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{BackupPhase, ServiceBackup};
use commonscloud_operator::kinds;
use kube::{Api, Client, ResourceExt as _};

use crate::asked;
use crate::data::{parse, said};
use crate::status::aligned;

/// Ask for a backup of a service, or list those there are.
///
/// Needs the verb create on servicebackups.commonscloud.coop in the Entity's namespace, as its managers have it;
/// with --wait also get, and for the list list.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Which service, as ENTITY/SERVICE, for example `hort/office`.
    #[arg(value_parser = parse, required = true)]
    service: Option<(String, String)>,
    /// Name of a target of the Platform. Absent: the one that the service goes to.
    #[arg(long)]
    target: Option<String>,
    /// Wait until it has ended, and fail where it fails.
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
}

/// List the backups of an Entity or of one of its services, the newest first.
#[derive(Debug, clap::Args)]
struct List {
    /// Which, as ENTITY or ENTITY/SERVICE.
    of: String,
}

/// Runs the command.
///
/// # Errors
/// When the cluster refuses what is asked for; with `--wait`, when the run fails.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::try_default().await?;
    if let Some(Command::List(List { of })) = &arguments.command {
        let (entity, service) = of.split_once('/').map_or((of.as_str(), None), |(entity, of)| (entity, Some(of)));
        let runs = asked::runs(&client, entity, service).await?;
        return said(table(&runs).trim_end().to_owned());
    }
    let Some((entity, service)) = &arguments.service else { return Err("write ENTITY/SERVICE".into()) };
    let name = asked::back_up(&client, entity, service, arguments.target.clone()).await?;
    said(format!("ServiceBackup {entity}/{name} is asked for; it goes on whether somebody waits or not"))?;
    if !arguments.wait {
        return Ok(());
    }
    asked::until_ended(&client, &kinds::SERVICE_BACKUP, entity, &name).await?;
    let run = Api::<ServiceBackup>::namespaced(client, entity).get(&name).await?;
    let Some((snapshot, taken)) = asked::snapshot(&run) else {
        return Err(format!("ServiceBackup {entity}/{name} has ended, and names no snapshot that is there").into());
    };
    let size = run.status.as_ref().and_then(|status| status.size.as_deref()).unwrap_or("unknown size");
    said(format!("{entity}/{service} as it was at {}: {size}, snapshot {snapshot}", asked::shown(taken)))
}

/// How much of a snapshot's id is shown: enough to name it by.
const SHORT: usize = 12;

fn table(runs: &[ServiceBackup]) -> String {
    let mut rows = vec![["NAME", "SERVICE", "TAKEN", "SIZE", "SNAPSHOT", "STATE"].map(str::to_owned)];
    rows.extend(runs.iter().map(|run| {
        let unknown = || "-".to_owned();
        let found = asked::snapshot(run);
        [
            run.name_any(),
            run.spec.service.clone(),
            found.map_or_else(unknown, |(_, taken)| asked::shown(taken)),
            run.status.as_ref().and_then(|status| status.size.clone()).unwrap_or_else(unknown),
            found.map_or_else(unknown, |(snapshot, _)| snapshot.chars().take(SHORT).collect()),
            state(run),
        ]
    }));
    aligned(&rows)
}

/// The phase; of what has not succeeded with the reason.
fn state(run: &ServiceBackup) -> String {
    let Some(status) = &run.status else { return "not looked at yet".to_owned() };
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    match (status.phase, ready) {
        (None, _) => "not looked at yet".to_owned(),
        (Some(BackupPhase::Succeeded), Some(ready)) if ready.status == "True" => "Succeeded".to_owned(),
        (Some(phase), Some(ready)) => format!("{phase:?}: {}", ready.reason),
        (Some(phase), None) => format!("{phase:?}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::parsed::parsed;

    fn read(words: &[&str]) -> Result<Arguments, String> {
        parsed(words)
    }

    #[test]
    fn a_service_or_the_list_is_named_and_never_both() {
        let asked = read(&["hort/office", "--target", "offsite", "--wait"]).unwrap();
        assert_eq!(asked.service, Some(("hort".to_owned(), "office".to_owned())));
        assert!(asked.wait && asked.command.is_none());
        let list = read(&["list", "hort"]).unwrap();
        assert!(matches!(list.command, Some(Command::List(List { of })) if of == "hort"));
        assert!(read(&[]).is_err());
        assert!(read(&["office"]).unwrap_err().contains("ENTITY/INSTANCE"));
    }

    fn one(name: &str, status: &Value) -> ServiceBackup {
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceBackup", "metadata": {"name": name},
            "spec": {"service": "office", "requestedBy": "anna"}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn only_what_can_be_restored_has_a_snapshot_in_the_list() {
        let condition = |status: &str, reason: &str| {
            json!([{"type": "Ready", "status": status, "reason": reason, "message": "",
                "lastTransitionTime": "2026-11-30T00:00:00Z"}])
        };
        let id = "0123456789ab".to_owned() + &"0".repeat(52);
        let mut status = json!({"phase": "Succeeded", "takenAt": "2026-11-30T01:02:03Z", "size": "3.2Gi",
            "snapshot": id, "conditions": condition("True", "Ready")});
        let there = one("a", &status);
        status["conditions"] = condition("False", "SnapshotGone");
        let gone = one("b", &status);
        let failed = one("c", &json!({"phase": "Failed", "conditions": condition("False", "Unreachable")}));
        let text = table(&[there, gone, failed]);
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1][2..], ["2026-11-30", "01:02", "UTC", "3.2Gi", "0123456789ab", "Succeeded"]);
        assert_eq!(rows[2][2..], ["-", "3.2Gi", "-", "Succeeded:", "SnapshotGone"]);
        assert_eq!(rows[3][2..], ["-", "-", "-", "Failed:", "Unreachable"]);
    }
}
