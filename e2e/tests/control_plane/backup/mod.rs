//! Runs of backups whose Jobs a test ends: simulated pods read and write nothing.

mod care;
mod consent;
mod drills;
mod elsewhere;
mod pods;
mod records;
mod restores;
mod volumes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::servers::much_later;
use commonscloud_e2e::chart::{NAMESPACE, USER};
use commonscloud_e2e::manifests::{entity_with_office, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::api::marks::DRILLS;
use commonscloud_operator::backup::UNQUIESCE;
use kube::Api;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY, platform};
use pods::{Ends, SNAPSHOT, end_all, hold_pods};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    let mut scenarios = vec![
        Scenario::new("a run's phases with Jobs that a test ends", phases).apart(),
        Scenario::new("a run whose dump fails opens the service again, and is no backup", half).apart(),
        Scenario::new("a killed operator goes on in each phase", killed).apart(),
        Scenario::new("a second run of the same service waits", second).apart(),
    ];
    scenarios.extend(restores::scenarios());
    scenarios.extend(elsewhere::scenarios());
    scenarios.extend(consent::scenarios());
    scenarios.extend(care::scenarios());
    scenarios.extend(records::scenarios());
    scenarios.extend(drills::scenarios());
    scenarios.extend(volumes::scenarios());
    scenarios
}

/// The phases in which Jobs are at work, in their order.
const PHASES: [&str; 6] = ["Preparing", "FirstPass", "Quiescing", "SecondPass", "Unquiescing", "Recording"];
/// How long a step may take whose Jobs end at once.
const STEP: Duration = Duration::from_mins(1);
/// Copies are looked at again after a minute.
const UNUSED: Duration = Duration::from_secs(100);
const TARGET: &str = "offsite";
const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// A Platform that backs up, and an office to be backed up.
async fn prepared(tier: &ControlPlane, name: &str) -> Outcome {
    hold_pods(tier).await?;
    let credentials = json!({"username": "cloud", "password": "a password of the target"});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": TARGET, "namespace": NAMESPACE},
        "stringData": credentials,
    });
    tier.cluster.applied(&[secret, platform_with(much_later())]).await?;
    tier.running(&entity_with_office(name)).await.map(drop)
}

/// A Platform that backs up when it is asked for, and cares for repositories as this says.
fn platform_with(care: Value) -> Value {
    let mut platform = platform();
    let target = json!({"name": TARGET, "rest": {"url": "https://backup.example.org", "secretName": TARGET}});
    platform["spec"]["backup"] = json!({
        "targets": [target], "recipients": [RECIPIENT], "schedule": much_later(), "care": care,
        "drills": {"enabled": false},
    });
    platform
}

/// Takes away the runs and drills of former scenarios, whose repositories are cared for and drilled as well.
async fn nothing_before(tier: &ControlPlane) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    // What is the record of a snapshot nobody else may delete.
    let emptier = "--as=system:serviceaccount:kube-system:namespace-controller";
    kubectl.ok(&["delete", "servicebackups", "--all", "--all-namespaces", "--wait=false", emptier]).await?;
    kubectl.ok(&["delete", "servicerestores", "--all", "-n", DRILLS, "--wait=false"]).await?;
    eventually("no run and no drill is left", STEP, async || {
        let runs = kubectl.ok(&["get", "servicebackups", "--all-namespaces", "-o", "name"]).await?;
        let drills = kubectl.ok(&["get", "servicerestores", "-n", DRILLS, "-o", "name"]).await?;
        ensure!(runs.trim().is_empty() && drills.trim().is_empty(), "{runs}{drills}");
        Ok(())
    })
    .await
}

fn runs(tier: &ControlPlane, namespace: &str) -> Api<DynamicObject> {
    resources::ours_in(&tier.cluster.client, "ServiceBackup", namespace)
}

async fn asked(tier: &ControlPlane, namespace: &str, run: &str) -> Outcome {
    let spec = json!({"service": "office", "requestedBy": tier.cluster.user().await?});
    tier.cluster.applied(&[namespaced("ServiceBackup", namespace, run, spec)]).await
}

async fn seen(tier: &ControlPlane, namespace: &str, run: &str) -> Outcome<Value> {
    Ok(serde_json::to_value(runs(tier, namespace).get(run).await?)?)
}

/// Waits until a run is in a phase, and gives it.
async fn in_phase(tier: &ControlPlane, namespace: &str, run: &str, phase: &str) -> Outcome<Value> {
    eventually(&format!("{run} is {phase}"), STEP, async || {
        let seen = seen(tier, namespace, run).await?;
        ensure!(seen["status"]["phase"] == phase, "{}: {}", seen["status"]["phase"], conditions(&seen));
        Ok(seen)
    })
    .await
}

/// Ends the run's pods as they come until it has left a phase.
async fn passed(tier: &ControlPlane, namespace: &str, run: &str, phase: &str, ends: Ends) -> Outcome {
    eventually(&format!("{run} leaves {phase}"), STEP, async || {
        let seen = seen(tier, namespace, run).await?;
        if seen["status"]["phase"] != phase {
            return Ok(());
        }
        end_all(tier, namespace, phase, ends).await?;
        Err(Failure::new(conditions(&seen)))
    })
    .await
}

/// A run that is complete: all its parts, ready, and nothing that holds it.
async fn complete(tier: &ControlPlane, namespace: &str, run: &str) -> Outcome {
    let seen = in_phase(tier, namespace, run, "Succeeded").await?;
    is_ready(&seen)?;
    let status = &seen["status"];
    ensure_eq!(status["snapshot"], json!(SNAPSHOT), "the manifest's snapshot");
    let parts: Vec<&str> =
        status["contents"].as_array().into_iter().flatten().filter_map(|p| p["kind"].as_str()).collect();
    for kind in ["Files", "Dump", "State", "Secrets"] {
        ensure!(parts.contains(&kind), "no {kind} in {parts:?}");
    }
    ensure!(status["quietSeconds"].is_i64() && status["takenAt"].is_string(), "{status}");
    free(tier, namespace, run).await
}

async fn free(tier: &ControlPlane, namespace: &str, run: &str) -> Outcome {
    eventually(&format!("nothing holds {run}"), STEP, async || {
        let seen = seen(tier, namespace, run).await?;
        ensure!(seen["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty), "{}", seen["metadata"]);
        Ok(())
    })
    .await
}

fn is_held(run: &Value) -> bool {
    let mut finalizers = run["metadata"]["finalizers"].as_array().into_iter().flatten();
    finalizers.any(|finalizer| finalizer == UNQUIESCE)
}

/// The Secrets that a run needs in its namespace, as they are there.
async fn copies(tier: &ControlPlane, namespace: &str) -> Outcome<Vec<String>> {
    let listed = tier.cluster.kubectl.ok(&["get", "secrets", "-n", namespace, "-o", "name"]).await?;
    let names = listed.lines().filter_map(|line| line.strip_prefix("secret/"));
    Ok(names.filter(|name| *name == TARGET || name.starts_with("backup-key-")).map(str::to_owned).collect())
}

async fn phases(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name, run) = (&*tier, "backup-phases", "first");
    prepared(tier, name).await?;
    ensure_eq!(copies(tier, name).await?, Vec::<String>::new(), "copies before a run");
    asked(tier, name, run).await?;
    for phase in PHASES {
        let seen = in_phase(tier, name, run, phase).await?;
        ensure!(condition(&seen, "Reconciling").is_some(), "{}", conditions(&seen));
        if phase == "SecondPass" {
            ensure!(is_held(&seen), "nothing holds a run while its service is quiet: {}", seen["metadata"]);
        }
        if phase == "FirstPass" {
            ensure!(!is_held(&seen), "held before anything is quiet: {}", seen["metadata"]);
            ensure_eq!(copies(tier, name).await?.len(), 2, "copies while a run is at work");
        }
        passed(tier, name, run, phase, Ends::Well).await?;
    }
    complete(tier, name, run).await?;
    eventually("the copies go with the run", UNUSED, async || {
        ensure_eq!(copies(tier, name).await?, Vec::<String>::new(), "copies");
        Ok(())
    })
    .await
}

async fn half(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name, run) = (&*tier, "backup-half", "half");
    prepared(tier, name).await?;
    asked(tier, name, run).await?;
    for phase in &PHASES[..5] {
        in_phase(tier, name, run, phase).await?;
        let ends = if *phase == "SecondPass" { Ends::DumpFails } else { Ends::Well };
        passed(tier, name, run, phase, ends).await?;
    }
    let seen = in_phase(tier, name, run, "Failed").await?;
    let ready = condition(&seen, "Ready").cloned().unwrap_or_default();
    ensure!(ready["status"] == "False" && seen["status"]["snapshot"].is_null(), "{}", seen["status"]);
    ensure!(ready["message"].as_str().is_some_and(|message| message.contains(pods::NO_DATABASE)), "{ready}");
    let opened = ["get", "job", "office-unquiesce", "-n", name, "-o", "jsonpath={.status.succeeded}"];
    let opened = tier.cluster.kubectl.ok(&opened).await?;
    ensure_eq!(opened.trim(), "1", "pods of unquiesce that succeeded");
    free(tier, name, run).await
}

async fn killed(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name, run) = (&*tier, "backup-killed", "killed");
    prepared(tier, name).await?;
    let mark = tier.cluster.audit.mark()?;
    asked(tier, name, run).await?;
    for phase in PHASES {
        in_phase(tier, name, run, phase).await?;
        tier.kill_operator().await?;
        // What it began ends without it.
        let ended = end_all(tier, name, phase, Ends::Well).await;
        tier.forget_leader().await?;
        tier.start_operator().await?;
        ended?;
        passed(tier, name, run, phase, Ends::Well).await?;
    }
    complete(tier, name, run).await?;
    let mut made = BTreeMap::<String, usize>::new();
    for write in tier.cluster.audit.writes(mark, USER)? {
        let object = &write.object_ref;
        if write.verb == "create" && object.resource == "jobs" && object.namespace == name && write.succeeded() {
            *made.entry(object.name.clone()).or_default() += 1;
        }
    }
    ensure!(made.contains_key("office-quiesce") && made.contains_key("office-record"), "{made:?}");
    // Files are read twice: while people work, and what changed since.
    let most = |job: &str| if job.starts_with("office-files") { 2 } else { 1 };
    ensure!(made.iter().all(|(job, times)| *times <= most(job)), "Jobs that were made again: {made:?}");
    Ok(())
}

async fn second(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "backup-second");
    prepared(tier, name).await?;
    asked(tier, name, "earlier").await?;
    in_phase(tier, name, "earlier", "Preparing").await?;
    asked(tier, name, "later").await?;
    eventually("the second run says for whom it waits", READY, async || {
        let later = seen(tier, name, "later").await?;
        ensure!(later["status"]["phase"] == "Waiting", "{}", later["status"]);
        let waits = condition(&later, "Ready").cloned().unwrap_or_default();
        let message = waits["message"].as_str().unwrap_or_default();
        ensure!(waits["reason"] == "WaitsForTurn" && message.contains("ServiceBackup/earlier"), "{waits}");
        Ok(())
    })
    .await?;
    for run in ["earlier", "later"] {
        for phase in PHASES {
            in_phase(tier, name, run, phase).await?;
            passed(tier, name, run, phase, Ends::Well).await?;
        }
        complete(tier, name, run).await?;
    }
    let (earlier, later) = (seen(tier, name, "earlier").await?, seen(tier, name, "later").await?);
    let time = |run: &Value, field: &str| run["status"][field].as_str().unwrap_or_default().to_owned();
    ensure!(
        time(&earlier, "endedAt") <= time(&later, "startedAt"),
        "ended {}, and the other began {}",
        time(&earlier, "endedAt"),
        time(&later, "startedAt")
    );
    Ok(())
}
