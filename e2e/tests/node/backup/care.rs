//! A repository in a bucket: what was forgotten gives its room back, and what is damaged on the server's disk is found.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::backup::runs::{Runs, phase};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, chart, ensure, ensure_eq, resources};
use commonscloud_operator::api::{BackupPhase, BackupRepository, ServiceBackupStatus};
use commonscloud_operator::backup::label;
use commonscloud_operator::backup::maintenance::{CARE, FOUND, REPOSITORY};
use commonscloud_operator::core::schedule::offset;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::repository::damage;
use super::{calendars, can_be_written};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    // Everybody's backups are kept, forgotten and cared for as the Platform says.
    vec![
        Scenario::new("what is forgotten gives its room back, and a damaged bucket is found by the check", cared)
            .alone(),
    ]
}

const SERVICE: &str = "site";
const NAME: &str = "cura";
/// Somebody looks each half minute, and restic works for seconds.
const LOOKED: Duration = Duration::from_mins(6);
const WINDOW_MINUTES: i64 = 240;
/// Of an event that is forgotten, in KiB: half of it stays when it is compressed.
const NOISE: u32 = 1024;

async fn cared(node: Arc<Node>) -> Outcome {
    let outcome = with_care(&node).await;
    node.change_platform(&json!({"backup": {"keep": null, "care": servers::much_later()}})).await?;
    outcome?;
    node.discard(NAME).await
}

async fn with_care(node: &Node) -> Outcome {
    servers::ready(&node.cluster, servers::S3).await?;
    let calendar = calendars(node, NAME, &[SERVICE]).await?.remove(0);
    let runs = Runs::of(&node.cluster, NAME).await?;
    calendar.write("pesada", &digits()).await?;
    let first = runs.backed_up("primera", SERVICE, servers::S3).await?;
    calendar.remove("pesada").await?;
    runs.backed_up("segona", SERVICE, servers::S3).await?;
    let at = place(&first)?;
    let folder = format!("/data/cloud/{}", at.path);
    let checks = format!("{CARE}=check,{REPOSITORY}={}", label(&at));

    let full = kibibytes(node, &folder).await?;
    let keep = json!({"last": 1, "daily": 0, "weekly": 0, "monthly": 0});
    node.change_platform(&json!({"backup": {"keep": keep}})).await?;
    eventually("the first backup is forgotten", LOOKED, async || {
        let run = serde_json::to_value(runs.backup("primera").await?)?;
        let gone = condition(&run, "SnapshotGone").ok_or_else(|| Failure::new(conditions(&run)))?;
        ensure!(gone["reason"] == "SnapshotForgotten", "{gone}");
        Ok(())
    })
    .await?;
    node.change_platform(&json!({"backup": {"care": its_turn(&at)?}})).await?;
    ensure_eq!(checked(node, &checks).await?, "", "what is damaged in a repository that is whole");
    let left = kibibytes(node, &folder).await?;
    ensure!(left + i64::from(NOISE) / 3 < full, "{left} KiB of {full} are left after the prune");

    damage(node, servers::S3, &folder).await?;
    // Whoever has the record taken away has it read again.
    node.cluster.kubectl.ok(&["delete", "jobs", "-n", chart::NAMESPACE, "-l", &checks]).await?;
    is_told(node, &at.path).await?;
    ensure_eq!(phase(&runs.backup("segona").await?), Some(BackupPhase::Succeeded), "what is recorded of the backup");
    can_be_written(&calendar, "despres").await
}

/// Hexadecimal digits that repeat nowhere.
fn digits() -> String {
    (0..NOISE * 16).flat_map(|number| Sha256::digest(number.to_be_bytes())).map(|byte| format!("{byte:02x}")).collect()
}

fn place(run: &ServiceBackupStatus) -> Outcome<BackupRepository> {
    run.repository.clone().ok_or_else(|| Failure::new("no repository"))
}

/// What the server's disk holds of a repository.
async fn kibibytes(node: &Node, folder: &str) -> Outcome<i64> {
    let told = servers::shell(&node.cluster, servers::S3, &format!("du -sk {folder}/data | cut -f1")).await?;
    Ok(told.trim().parse()?)
}

/// A window of each day in which the turn of this repository has just come; the whole of it is read each time.
fn its_turn(at: &BackupRepository) -> Outcome<Value> {
    let offset = offset(SignedDuration::from_mins(WINDOW_MINUTES), &at.target, &at.path);
    let begin = Timestamp::now().checked_sub(offset)?.to_zoned(TimeZone::UTC);
    Ok(json!({
        "cron": begin.strftime("%-M %-H * * *").to_string(), "windowMinutes": WINDOW_MINUTES,
        "pruneEveryDays": 1, "readWithinDays": 1, "atOnce": 10,
    }))
}

/// Waits until a check is done, and gives what is written onto its Job.
async fn checked(node: &Node, selector: &str) -> Outcome<String> {
    eventually("a check is done", LOOKED, async || {
        let words = ["get", "jobs", "-n", chart::NAMESPACE, "-l", selector, "-o", "json"];
        let jobs: Value = serde_json::from_str(&node.cluster.kubectl.ok(&words).await?)?;
        let found = jobs["items"].as_array().into_iter().flatten();
        let mut found = found.filter_map(|job| job["metadata"]["annotations"][FOUND].as_str().map(str::to_owned));
        found.next().ok_or_else(|| Failure::new(jobs["items"].to_string()))
    })
    .await
}

/// The damage is a condition of the calendar, with the repository that it is in.
async fn is_told(node: &Node, path: &str) -> Outcome {
    let services = resources::ours_in(&node.cluster.client, "DedicatedService", NAME);
    eventually("the damage is told", LOOKED, async || {
        let service = serde_json::to_value(services.get(SERVICE).await?)?;
        let sound = condition(&service, "RepositorySound").ok_or_else(|| Failure::new(conditions(&service)))?;
        ensure!(sound["status"] == "False" && sound["reason"] == "RepositoryDamaged", "{sound}");
        ensure!(sound["message"].as_str().is_some_and(|message| message.contains(path)), "{sound}");
        Ok(())
    })
    .await
}
