//! Repositories are pruned and checked by Jobs that a test ends: who waits for whom, and what a check found outlives the
//! operator.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::servers::much_later;
use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::backup::maintenance::{CARE, FOUND};
use serde_json::{Value, json};

use super::pods::{Ends, end_check};
use super::{PHASES, STEP, asked, complete, in_phase, nothing_before, passed, platform_with, prepared, seen};
use crate::tier::{ControlPlane, READY};

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    let name =
        "a repository is pruned and checked while no run is at work, and its damage is told until it is repaired";
    vec![Scenario::new(name, damaged).apart().slow()]
}

/// The window comes each minute, and somebody looks each half.
const WINDOW: Duration = Duration::from_mins(2);
const PACK: &str = "0a1b2c3d";

/// The names of the Jobs of a kind that have not ended, and of those that have.
async fn jobs(tier: &ControlPlane, kind: &str) -> Outcome<(Vec<String>, Vec<String>)> {
    let selector = format!("{CARE}={kind}");
    let listed = tier.cluster.kubectl.ok(&["get", "jobs", "-n", NAMESPACE, "-l", &selector, "-o", "json"]).await?;
    let listed: Value = serde_json::from_str(&listed)?;
    let jobs = listed["items"].as_array().cloned().unwrap_or_default();
    let (ended, at_work): (Vec<Value>, Vec<Value>) =
        jobs.into_iter().partition(|job| job["status"]["completionTime"].is_string());
    let names = |jobs: Vec<Value>| -> Vec<String> {
        jobs.iter().filter_map(|job| job["metadata"]["name"].as_str().map(str::to_owned)).collect()
    };
    Ok((names(at_work), names(ended)))
}

/// Waits until a check is at work, and ends it.
async fn checked(tier: &ControlPlane, damaged: &[&str]) -> Outcome<String> {
    eventually("a check is at work", WINDOW, async || {
        end_check(tier, damaged).await?.ok_or_else(|| Failure::new("there is no pod of one"))
    })
    .await
}

async fn office(tier: &ControlPlane, namespace: &str) -> Outcome<Value> {
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", namespace);
    Ok(serde_json::to_value(offices.get("office").await?)?)
}

async fn damaged(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    nothing_before(&tier).await?;
    let outcome = found(&tier).await;
    // Else a check begins in each minute from now on.
    tier.cluster.applied(&[platform_with(much_later())]).await?;
    outcome
}

async fn found(tier: &ControlPlane) -> Outcome {
    let name = "backup-care";
    prepared(tier, name).await?;
    asked(tier, name, "first").await?;
    for phase in PHASES {
        in_phase(tier, name, "first", phase).await?;
        passed(tier, name, "first", phase, Ends::Well).await?;
    }
    complete(tier, name, "first").await?;
    let care = json!({"cron": "* * * * *", "windowMinutes": 5, "pruneEveryDays": 1, "readWithinDays": 1});
    tier.cluster.applied(&[platform_with(care)]).await?;
    let checks = eventually("a check is at work", WINDOW, async || {
        let (at_work, _) = jobs(tier, "check").await?;
        ensure!(!at_work.is_empty(), "none is");
        Ok(at_work)
    })
    .await?;
    ensure_eq!(jobs(tier, "prune").await?.1.len(), 1, "prunes that ended before");
    waits(tier, name, &checks[0]).await?;

    tier.kill_operator().await?;
    let part = end_check(tier, &[PACK]).await;
    tier.forget_leader().await?;
    tier.start_operator().await?;
    ensure_eq!(part?, Some("1/256".to_owned()), "the part that was read");
    is_told(tier, name, &checks[0]).await?;
    // It goes on by itself, and nothing else begins at the repository.
    in_phase(tier, name, "second", "Preparing").await?;
    ensure_eq!(jobs(tier, "check").await?.0, Vec::<String>::new(), "checks beside a run");
    tier.cluster.kubectl.ok(&["delete", "servicebackup", "second", "-n", name, "--wait=false"]).await?;

    ensure_eq!(checked(tier, &[]).await?, "1/256", "what was damaged is read again");
    eventually("the repository is whole", STEP, async || {
        let office = office(tier, name).await?;
        ensure!(condition(&office, "RepositorySound").is_none(), "{}", conditions(&office));
        Ok(())
    })
    .await?;
    ensure_eq!(checked(tier, &[]).await?, "2/256", "the next part");
    Ok(())
}

/// A run that is asked for says which check it waits for.
async fn waits(tier: &ControlPlane, name: &str, check: &str) -> Outcome {
    asked(tier, name, "second").await?;
    eventually("a run says for whom it waits", READY, async || {
        let second = seen(tier, name, "second").await?;
        let ready = condition(&second, "Ready").cloned().unwrap_or_default();
        let message = ready["message"].as_str().unwrap_or_default();
        ensure!(ready["reason"] == "RepositoryInUse" && message.contains(check), "{ready}");
        Ok(())
    })
    .await
}

/// What a check found is on its Job, and a condition of the service, which is Ready as before.
async fn is_told(tier: &ControlPlane, name: &str, check: &str) -> Outcome {
    eventually("the damage is told", STEP + STEP, async || {
        let path = format!("jsonpath={{.metadata.annotations.{}}}", FOUND.replace('.', "\\."));
        let found = tier.cluster.kubectl.ok(&["get", "job", check, "-n", NAMESPACE, "-o", &path]).await?;
        ensure_eq!(found.trim(), PACK, "what is written onto {check}");
        let office = office(tier, name).await?;
        let sound = condition(&office, "RepositorySound").ok_or_else(|| Failure::new(conditions(&office)))?;
        let message = sound["message"].as_str().unwrap_or_default();
        ensure!(sound["status"] == "False" && sound["reason"] == "RepositoryDamaged", "{sound}");
        ensure!(message.contains(PACK) && message.contains("1/256"), "{message}");
        let ready = condition(&office, "Ready").cloned().unwrap_or_default();
        ensure_eq!(ready["status"], "True", "the office itself");
        Ok(())
    })
    .await
}
