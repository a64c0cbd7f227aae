//! What the demo looks at, and what it prints at its end.

use std::io::Write as _;

use commonscloud_cluster::Progress;
use commonscloud_cluster::command::Failure;
use commonscloud_cluster::local::{Cluster, NodeKind};

use super::page::{self, Page};
use super::volume::{self, FileSystem};
use crate::services::{Health, Service};

/// What is said first when nodes are simulated.
pub(super) const SIMULATED: &str = "\
Not root, or --node simulated: the nodes are simulated. The operator, its objects, prices, quotas in
the API and every refusal are real. Not to be seen this way: pages through the ingress, files and
what a file system says of its size, a write past the quota, network policies, backups.";

/// What was seen of one service.
pub(super) struct Finding {
    page: Result<Page, String>,
    file_system: Result<FileSystem, String>,
}

/// What was seen of all of them.
pub(super) struct Findings {
    services: Vec<Finding>,
    overfill: Option<String>,
}

/// Fetches each page, asks each file system, and writes past one quota.
pub(super) async fn look(cluster: &Cluster, services: &[Service], progress: &Progress) -> Result<Findings, Failure> {
    let Some(address) = cluster.node_ip else { return Ok(Findings { services: Vec::new(), overfill: None }) };
    let phase = progress.phase("look at pages and volumes");
    let roots = page::trust(&cluster.ca_certificate)?;
    let mut findings = Vec::new();
    let mut overfill = None;
    for service in services {
        phase.at(&service.url);
        let page = page::fetch(&roots, address, &service.url).await.map_err(|error| error.to_string());
        let mount = volume::mount(cluster, service).await;
        let file_system = match &mount {
            Ok(mount) => volume::file_system(cluster, service, mount).await,
            Err(error) => Err(error.clone()),
        };
        let small = bytes(&service.quota).filter(|quota| *quota <= 2 << 30);
        if let (None, Ok(mount), Some(quota)) = (&overfill, &mount, small) {
            phase.at("write past the quota");
            let answer = volume::overfill(cluster, service, mount, quota).await.unwrap_or_else(|error| error);
            overfill = Some(format!("{}/{}: writing quota + 1 %: {answer}", service.entity, service.name));
        }
        findings.push(Finding { page, file_system });
    }
    phase.done();
    Ok(Findings { services: findings, overfill })
}

/// Prints everything to standard output.
pub(super) fn print(cluster: &Cluster, services: &[Service], findings: &Findings, backup: Option<&str>) {
    let mut text = String::new();
    for (index, service) in services.iter().enumerate() {
        text += &block(service, findings.services.get(index));
    }
    if let Some(overfill) = &findings.overfill {
        text += &format!("\nPast the quota\n  {overfill}\n");
    }
    text += backup.unwrap_or_default();
    text += &farewell(cluster);
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn block(service: &Service, finding: Option<&Finding>) -> String {
    let ready = match &service.health {
        Health::Ready => "yes".to_owned(),
        Health::NotReady { reason, message } => format!("no: {reason}: {message}"),
    };
    let mut lines = vec![
        ("URL", service.url.clone()),
        ("tier", service.tier.clone()),
        ("quota", service.quota.clone()),
        ("price", price(&service.price)),
        ("version", service.version.clone()),
        ("Ready", ready),
    ];
    if let Some(finding) = finding {
        lines.insert(3, ("file system", finding.file_system.as_ref().map_or_else(Clone::clone, file_system)));
        lines.insert(1, ("page", finding.page.as_ref().map_or_else(Clone::clone, page)));
    }
    let lines: String = lines.iter().map(|(name, value)| format!("  {name:<12} {value}\n")).collect();
    format!("\n{} / {}\n{lines}", service.entity, service.name)
}

fn page(page: &Page) -> String {
    format!("HTTP {} over TLS: {}", page.status, page.title)
}

fn price(price: &str) -> String {
    if price.chars().any(|c| c.is_ascii_digit()) { format!("{price} per month") } else { price.to_owned() }
}

fn file_system(found: &FileSystem) -> String {
    format!("{} used, {} available", mebibytes(found.used), mebibytes(found.available))
}

/// Bytes as people read them, exact to a tenth of a MiB.
fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// A quantity such as `5Gi`, in bytes.
fn bytes(quantity: &str) -> Option<u64> {
    let units = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let (digits, shift) = units
        .iter()
        .find_map(|(unit, shift)| quantity.strip_suffix(unit).map(|digits| (digits, *shift)))
        .unwrap_or((quantity, 0));
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn farewell(cluster: &Cluster) -> String {
    let name = &cluster.name;
    let mut text = format!(
        "
Go on from here
  {}
  kubectl get entities,dedicatedoffices,dedicatedagoras,dedicatedprojects,dedicatedservices --all-namespaces
  kubectl explain entity.spec.services
  kubectl edit entity pamapam      # try extraBlocks: 3
",
        cluster.shell_line()
    );
    if let (NodeKind::Real, Some(address)) = (cluster.node, cluster.node_ip) {
        text += &format!(
            "  curl --cacert {} --connect-to ::{address}: https://pamapam-calendar.{}/\n",
            cluster.ca_certificate.display(),
            cluster.base_domain
        );
    }
    text + &format!(
        "
Remove it all
  make demo-down      # or: commonscloud demo down --name {name}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_not_set_is_called_unpriced_and_not_given_a_period() {
        assert_eq!(price("unpriced"), "unpriced");
        assert_eq!(price("5.00 EUR"), "5.00 EUR per month");
    }

    #[test]
    fn sizes_are_read_and_shown() {
        assert_eq!(bytes("1Gi"), Some(1 << 30));
        assert_eq!(bytes("1536Mi"), Some(1536 << 20));
        assert_eq!(bytes("-"), None);
        assert_eq!(mebibytes((1 << 30) - 1), "1023.9 MiB");
    }
}
