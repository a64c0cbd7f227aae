//! Backups and restores, while people write: what was acknowledged comes back, and whatever is killed or broken, the
//! service goes on.

mod burnt;
mod calendar;
mod care;
mod consent;
mod credentials;
mod drills;
mod elsewhere;
mod exit;
mod faults;
mod import;
mod killed;
mod office;
mod records;
mod repository;
mod targets;
mod wiki;

use std::collections::BTreeSet;
use std::time::Duration;

use commonscloud_e2e::backup::calendar::Calendar;
use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{self, eventually};
use commonscloud_e2e::{Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::api::{
    RestoredVolume, ServiceBackupStatus, ServiceData, ServiceRestoreStatus, SnapshotPartKind,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ResourceQuota};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::json;

use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    let mut scenarios = wiki::scenarios();
    scenarios.extend(office::scenarios());
    scenarios.extend(killed::scenarios());
    scenarios.extend(repository::scenarios());
    scenarios.extend(faults::scenarios());
    scenarios.extend(calendar::scenarios());
    scenarios.extend(credentials::scenarios());
    scenarios.extend(care::scenarios());
    scenarios.extend(consent::scenarios());
    scenarios.extend(exit::scenarios());
    scenarios.extend(import::scenarios());
    scenarios.extend(burnt::scenarios());
    scenarios.extend(records::scenarios());
    scenarios.extend(drills::scenarios());
    scenarios.extend(targets::scenarios());
    scenarios.extend(elsewhere::scenarios());
    scenarios
}

/// What a controller of the cluster does is done by then.
const DONE: Duration = Duration::from_mins(1);
/// Nobody could write for longer: three Jobs begin and end in it, on a machine that does much else.
const QUIET: i64 = 120;

/// An Entity with these calendars, each made and with a first event.
async fn calendars(node: &Node, name: &str, services: &[&str]) -> Outcome<Vec<Calendar>> {
    let others = services.iter().map(|service| json!({"name": service, "template": "radicale", "tier": "1gb"}));
    node.running(&entity(name, json!({"others": others.collect::<Vec<_>>()}))).await?;
    let mut calendars = Vec::new();
    for service in services {
        let admin = node.administrator(name, service).await?;
        let calendar = Calendar::make(&node.ingress, &node.host(name, service), &admin).await?;
        calendar.write("assemblea", "Assemblea general").await?;
        calendars.push(calendar);
    }
    Ok(calendars)
}

/// What a run backed up, by kind.
fn parts(run: &ServiceBackupStatus, kind: SnapshotPartKind) -> BTreeSet<&str> {
    run.contents.iter().filter(|part| part.kind == kind).map(|part| part.name.as_str()).collect()
}

/// What each complete run has. `is_quiet`: whether the application is made quiet for it, and has a database.
fn has_all(run: &ServiceBackupStatus, volumes: &[&str], is_quiet: bool) -> Outcome {
    let one = |name| BTreeSet::from([name]);
    ensure_eq!(parts(run, SnapshotPartKind::Files), volumes.iter().copied().collect(), "volumes");
    ensure_eq!(parts(run, SnapshotPartKind::Secrets), one("secrets"), "generated Secrets");
    let database = if is_quiet { (one("dump"), one("state")) } else { (BTreeSet::new(), BTreeSet::new()) };
    let seen = (parts(run, SnapshotPartKind::Dump), parts(run, SnapshotPartKind::State));
    ensure_eq!(seen, database, "the dump, and what it came to");
    let counted = [run.bytes, run.bytes_added, run.files];
    ensure!(counted.iter().all(|number| number.is_some_and(|number| number > 0)), "counted: {counted:?}");
    ensure!(run.repository.is_some() && run.versions.is_some(), "{run:?}");
    Ok(())
}

/// The same of one that nothing happened to.
fn is_whole(run: &ServiceBackupStatus, volumes: &[&str], is_quiet: bool) -> Outcome {
    has_all(run, volumes, is_quiet)?;
    match run.quiet_seconds {
        Some(seconds) => ensure!(is_quiet && seconds <= QUIET, "{seconds} seconds quiet"),
        None => ensure!(!is_quiet, "it is not said for how long it was quiet"),
    }
    Ok(())
}

/// The claims of an Entity, and the storage that its quota allows.
async fn storage(node: &Node, entity: &str) -> Outcome<(BTreeSet<String>, BTreeSet<String>)> {
    let client = &node.cluster.client;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), entity);
    let claims = claims.list(&ListParams::default()).await?.iter().map(kube::ResourceExt::name_any).collect();
    let quotas: Api<ResourceQuota> = Api::namespaced(client.clone(), entity);
    let quotas = quotas.list(&ListParams::default()).await?;
    let hard = quotas.iter().flat_map(|quota| quota.spec.iter().flat_map(|spec| spec.hard.iter().flatten()));
    Ok((claims, hard.map(|(resource, amount)| format!("{resource}: {}", amount.0)).collect()))
}

/// What was restored runs on the claims that were made, the record names them, the former ones are gone, and the
/// quota is what it was.
async fn is_in_place(
    node: &Node,
    entity: &str,
    restore: &ServiceRestoreStatus,
    before: &(BTreeSet<String>, BTreeSet<String>),
) -> Outcome {
    let made: BTreeSet<String> = restore.volumes.iter().map(|volume| volume.claim.clone()).collect();
    let former: BTreeSet<String> = restore.volumes.iter().filter_map(|volume| volume.former_claim.clone()).collect();
    ensure!(!made.is_empty() && made.is_disjoint(&before.0), "made {made:?}, there were {:?}", before.0);
    ensure!(former.is_subset(&before.0) && former.len() == made.len(), "former {former:?} of {:?}", before.0);
    eventually("the former claims are gone, and the quota is back", DONE, async || {
        let now = storage(node, entity).await?;
        let expected: BTreeSet<String> = before.0.difference(&former).cloned().chain(made.iter().cloned()).collect();
        ensure_eq!(now, (expected, before.1.clone()), "claims, and the quota");
        Ok(())
    })
    .await?;
    is_recorded(node, entity, &restore.volumes).await
}

async fn is_recorded(node: &Node, entity: &str, made: &[RestoredVolume]) -> Outcome {
    let records: Api<ServiceData> = Api::namespaced(node.cluster.client.clone(), entity);
    let records = records.list(&ListParams::default()).await?;
    let recorded = records.iter().flat_map(|record| &record.spec.volumes);
    let recorded: BTreeSet<_> = recorded.map(|volume| (volume.claim.clone(), volume.uid.clone())).collect();
    for RestoredVolume { claim, uid, .. } in made {
        ensure!(uid.is_some() && recorded.contains(&(claim.clone(), uid.clone())), "{claim} is not in {recorded:?}");
    }
    Ok(())
}

/// Waits until an Entity with all its services is Ready.
async fn is_ready(node: &Node, entity: &str) -> Outcome {
    wait::ready(&node.entities(), entity, READY).await.map(drop)
}

/// People can write.
async fn can_be_written(application: &impl Application, name: &str) -> Outcome {
    eventually("people can write", DONE, async || application.write(name, "després").await).await?;
    ensure!(application.content().await?.get(name).is_some(), "{name} was taken, and is not there");
    Ok(())
}

/// Nobody holds a run any more, and nothing of it is at work.
async fn nothing_is_left(node: &Node, entity: &str, run: &str) -> Outcome {
    eventually(&format!("nothing of {run} is at work"), DONE, async || {
        let object = resources::ours_in(&node.cluster.client, "ServiceBackup", entity).get(run).await?;
        ensure!(object.finalizers().is_empty(), "finalizers {:?}", object.finalizers());
        let pods = node.cluster.kubectl.ok(&at_work(entity)).await?;
        ensure!(pods.trim().is_empty(), "pods {pods}");
        Ok(())
    })
    .await
}

/// The pods of operations that have not ended, a name a line.
fn at_work(entity: &str) -> [&str; 9] {
    let running = "--field-selector=status.phase!=Succeeded,status.phase!=Failed";
    let operations = "commonscloud.coop/operation-of";
    ["get", "pods", "-n", entity, "-l", operations, running, "-o", "name"]
}
