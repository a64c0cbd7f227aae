//! `commonscloud status`: the services of the cluster and what they wait for, in one screen.

use std::collections::BTreeMap;
use std::io::Write as _;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{Reason, ServiceBackup};
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client};

use crate::asked;
use crate::services::{self, Health, Service};

/// Show all services of the cluster of your kubeconfig. Fails when one is not Ready.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this Entity's.
    entity: Option<String>,
    /// Print what every reason means and what to do, as a table in Markdown, and ask no cluster.
    #[arg(long)]
    reasons: bool,
}

/// Runs the command.
///
/// # Errors
/// When the cluster cannot be read, or a service is not Ready.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.reasons {
        std::io::stdout().write_all(reasons().as_bytes())?;
        return Ok(());
    }
    let client = Client::try_default().await?;
    let mut services = services::all(&client).await?;
    services.retain(|service| arguments.entity.as_ref().is_none_or(|entity| *entity == service.entity));
    let backups = Api::<ServiceBackup>::all(client).list(&ListParams::default()).await;
    let backups = backups.ok().map(|runs| newest(&runs.items));
    std::io::stdout().write_all(table(&services, backups.as_ref()).as_bytes())?;
    let unready = services.iter().filter(|service| service.health != Health::Ready).count();
    if unready == 0 { Ok(()) } else { Err(format!("{unready} of {} services are not Ready", services.len()).into()) }
}

/// When the newest complete backup of each service was taken, by Entity and name.
type Backups = BTreeMap<(String, String), Timestamp>;

fn newest(runs: &[ServiceBackup]) -> Backups {
    let mut newest = Backups::new();
    for run in runs {
        let Some((_, taken)) = asked::snapshot(run) else { continue };
        let of = (run.metadata.namespace.clone().unwrap_or_default(), run.spec.service.clone());
        newest.entry(of).and_modify(|known| *known = taken.max(*known)).or_insert(taken);
    }
    newest
}

/// `backups`: none where they cannot be read.
fn table(services: &[Service], backups: Option<&Backups>) -> String {
    let titles = ["ENTITY", "SERVICE", "TIER", "QUOTA", "PRICE", "VERSION", "READY", "BACKUP", "URL"];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(services.iter().map(|service| {
        let ready = if service.health == Health::Ready { "yes" } else { "no" };
        let Service { entity, name, tier, quota, price, version, url, .. } = service.clone();
        let backup = match backups.map(|backups| backups.get(&(entity.clone(), name.clone()))) {
            None => "?".to_owned(),
            Some(None) => "never".to_owned(),
            Some(Some(taken)) => asked::shown(*taken),
        };
        [entity, name, tier, quota, price, version, ready.to_owned(), backup, url]
    }));
    let mut text = aligned(&rows);
    for service in services {
        if let Health::NotReady { reason, message } = &service.health {
            text += &format!("\n{}/{}: {reason}: {message}\n", service.entity, service.name);
            if let Some(reason) = Reason::named(reason) {
                text += &format!("  {}\n", reason.to_do());
            }
        }
    }
    text
}

/// Every reason as docs/operations.md lists them.
fn reasons() -> String {
    let rows = Reason::ALL.iter().map(|reason| format!("| `{reason}` | {} | {} |\n", reason.means(), reason.to_do()));
    format!("| reason | what it means | what to do |\n|---|---|---|\n{}", rows.collect::<String>())
}

/// A table with its columns below each other.
pub(crate) fn aligned<R: AsRef<[String]>>(rows: &[R]) -> String {
    let columns = rows.iter().map(|row| row.as_ref().len()).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.as_ref().get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &R| {
        let cells = row.as_ref().iter().zip(&widths);
        let cells: String = cells.map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        format!("{}\n", cells.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_blanks() {
        let rows = [["A", "LONG"], ["àbc", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "A    LONG\nàbc  x\n");
    }

    #[test]
    fn what_is_not_ready_says_what_to_do() {
        let unknown = || "-".to_owned();
        let service = Service {
            entity: "hort".into(),
            name: "office".into(),
            tier: "9gb".into(),
            quota: unknown(),
            price: unknown(),
            version: unknown(),
            url: unknown(),
            claim: unknown(),
            health: Health::NotReady { reason: "TierUnknown".into(), message: "9gb is not sold".into() },
        };
        let text = table(&[service], None);
        let expected = format!("hort/office: TierUnknown: 9gb is not sold\n  {}\n", Reason::TierUnknown.to_do());
        assert!(text.ends_with(&expected), "{text}");
    }

    #[test]
    fn the_newest_complete_backup_of_each_service_is_shown() {
        let run = |service: &str, taken: &str, ready: &str| -> ServiceBackup {
            let conditions = json!([{"type": "Ready", "status": ready, "reason": "R", "message": "",
                "lastTransitionTime": "2026-11-30T00:00:00Z"}]);
            serde_json::from_value(json!({
                "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceBackup",
                "metadata": {"name": "a", "namespace": "hort"}, "spec": {"service": service, "requestedBy": "anna"},
                "status": {"takenAt": taken, "snapshot": "a", "conditions": conditions},
            }))
            .unwrap()
        };
        let runs = [
            run("office", "2026-11-30T01:00:00Z", "True"),
            run("office", "2026-11-29T01:00:00Z", "True"),
            run("agora", "2026-11-29T01:00:00Z", "False"),
        ];
        let taken = "2026-11-30T01:00:00Z".parse().unwrap();
        assert_eq!(newest(&runs), [(("hort".to_owned(), "office".to_owned()), taken)].into());
    }

    #[test]
    fn the_page_on_operations_lists_every_reason_as_it_is() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&reasons()), "put into the page what `commonscloud status --reasons` prints");
    }
}
