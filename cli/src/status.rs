//! `commonscloud status`: the services of the cluster and what they wait for, in one screen.

use std::io::Write as _;

use commonscloud_cluster::command::Failure;
use kube::Client;

use crate::services::{self, Health, Service};

/// Show all services of the cluster of your kubeconfig. Fails when one is not Ready.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this Entity's.
    entity: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the cluster cannot be read, or a service is not Ready.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::try_default().await?;
    let mut services = services::all(&client).await?;
    services.retain(|service| arguments.entity.as_ref().is_none_or(|entity| *entity == service.entity));
    std::io::stdout().write_all(table(&services).as_bytes())?;
    let unready = services.iter().filter(|service| service.health != Health::Ready).count();
    if unready == 0 { Ok(()) } else { Err(format!("{unready} of {} services are not Ready", services.len()).into()) }
}

fn table(services: &[Service]) -> String {
    let mut rows = vec![["ENTITY", "SERVICE", "TIER", "QUOTA", "PRICE", "VERSION", "READY", "URL"].map(str::to_owned)];
    rows.extend(services.iter().map(|service| {
        let ready = if service.health == Health::Ready { "yes" } else { "no" };
        let Service { entity, name, tier, quota, price, version, url, .. } = service.clone();
        [entity, name, tier, quota, price, version, ready.to_owned(), url]
    }));
    let mut text = aligned(&rows);
    for service in services {
        if let Health::NotReady { reason, message } = &service.health {
            text += &format!("\n{}/{}: {reason}: {message}\n", service.entity, service.name);
        }
    }
    text
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: String = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        format!("{}\n", cells.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_blanks() {
        let rows = [["A", "LONG"], ["àbc", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "A    LONG\nàbc  x\n");
    }
}
