//! `commonscloud drill`: the restores by which backups are proven.

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{RestorePhase, ServiceRestore, marks};
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};

use crate::asked;
use crate::data::{parse, said};
use crate::status::aligned;

/// List the drills that there are, or clear away those that failed.
///
/// Needs the verb list on servicerestores.commonscloud.coop in namespace commonscloud-drill-scratch-namespace, and
/// delete to clear.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the drills that there are, the newest first.
    List,
    Clear(Clear),
}

/// Remove failed drills with all that they left: volumes, pods, Jobs. Each service is drilled again as soon as it is
/// its turn.
#[derive(Debug, clap::Args)]
struct Clear {
    /// Of which service, as ENTITY/SERVICE, for example `hort/office`. Absent: of all.
    #[arg(value_parser = parse)]
    service: Option<(String, String)>,
}

/// Runs the command.
///
/// # Errors
/// When the cluster refuses what is asked for.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::try_default().await?;
    let api: Api<ServiceRestore> = Api::namespaced(client, marks::DRILLS);
    let mut drills = api.list(&ListParams::default()).await?.items;
    drills.sort_by_key(|drill| std::cmp::Reverse(drill.creation_timestamp().map(|made| made.0)));
    let clear = match &arguments.command {
        Command::List => return said(table(&drills).trim_end().to_owned()),
        Command::Clear(clear) => clear,
    };
    drills.retain(|drill| is_to_go(drill, clear));
    if drills.is_empty() {
        return said("there is no failed drill to clear away: commonscloud drill list".to_owned());
    }
    for drill in drills {
        let name = drill.name_any();
        let preconditions = Preconditions { uid: drill.uid(), ..Preconditions::default() };
        api.delete(&name, &DeleteParams::background().preconditions(preconditions)).await?;
        said(format!("{name} goes, and all that it left"))?;
    }
    Ok(())
}

/// One that failed, of the service that is named.
fn is_to_go(drill: &ServiceRestore, clear: &Clear) -> bool {
    let from = &drill.spec.from;
    let is_its =
        |(entity, service): &(String, String)| from.entity.as_ref() == Some(entity) && from.service == *service;
    has_failed(drill) && clear.service.as_ref().is_none_or(is_its)
}

/// Whether it has ended without its proof.
pub(crate) fn has_failed(drill: &ServiceRestore) -> bool {
    drill.status.as_ref().is_some_and(|status| status.phase == Some(RestorePhase::Failed))
}

fn table(drills: &[ServiceRestore]) -> String {
    let mut rows = vec![["SERVICE", "BEGAN", "BACKUP OF", "STATE"].map(str::to_owned)];
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), asked::shown);
    rows.extend(drills.iter().map(|drill| {
        let from = &drill.spec.from;
        let taken = drill.status.as_ref().and_then(|status| status.taken_at.as_ref()).map(|taken| taken.0);
        [
            format!("{}/{}", from.entity.as_deref().unwrap_or_default(), from.service),
            time(drill.creation_timestamp().map(|made| made.0)),
            time(taken),
            state(drill),
        ]
    }));
    aligned(&rows)
}

/// The phase; of what has not succeeded with the reason.
pub(crate) fn state(drill: &ServiceRestore) -> String {
    let Some(status) = &drill.status else { return "not looked at yet".to_owned() };
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    match (status.phase, ready) {
        (None, _) => "not looked at yet".to_owned(),
        (Some(RestorePhase::Succeeded), _) => "Succeeded".to_owned(),
        (Some(phase), Some(ready)) => format!("{phase:?}: {}: {}", ready.reason, ready.message),
        (Some(phase), None) => format!("{phase:?}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drill(entity: &str, phase: &str) -> ServiceRestore {
        let ready = json!({"type": "Ready", "status": "False", "reason": "RestoreDiffers", "message": "3 rows, not 4",
            "lastTransitionTime": "2026-11-30T00:00:00Z"});
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceRestore",
            "metadata": {"name": format!("{entity}.office-1"), "creationTimestamp": "2026-11-30T01:00:00Z"},
            "spec": {"from": {"entity": entity, "service": "office"}, "into": {"kind": "Drill"}, "requestedBy": "o"},
            "status": {"phase": phase, "takenAt": "2026-11-29T01:00:00Z", "conditions": [ready]},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_failed_is_cleared_away() {
        let all = Clear { service: None };
        let one = Clear { service: Some(("hort".to_owned(), "office".to_owned())) };
        for (phase, goes) in [("Failed", true), ("Succeeded", false), ("Verifying", false)] {
            assert_eq!(is_to_go(&drill("hort", phase), &all), goes, "{phase}");
        }
        assert!(is_to_go(&drill("hort", "Failed"), &one) && !is_to_go(&drill("coop", "Failed"), &one));
    }

    #[test]
    fn the_list_says_why_one_failed() {
        let table = table(&[drill("hort", "Failed"), drill("coop", "Succeeded")]);
        assert!(table.contains("hort/office") && table.contains("Failed: RestoreDiffers: 3 rows, not 4"), "{table}");
        assert!(table.contains("coop/office") && table.contains("Succeeded"), "{table}");
    }
}
