//! A backup in another service, and a part of one beside what is there, while people write.

use std::sync::Arc;

use commonscloud_e2e::backup::calendar::Calendar;
use commonscloud_e2e::backup::content::{Application, Content};
use commonscloud_e2e::backup::runs::{Runs, snapshot, taken_at};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::backup::writer::during;
use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use commonscloud_operator::api::ServiceRestoreStatus;
use jiff::tz::TimeZone;
use serde_json::json;

use super::{calendars, can_be_written, is_ready, is_whole, storage};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("a new calendar begins with a backup of one that people go on writing to", begins),
        Scenario::new("a folder of a calendar comes back beside what people go on writing to", beside),
    ]
}

const SERVICE: &str = "site";
const COPY: &str = "copia";

/// Has the copy begin with a backup: the restore is there first, and waits for the service.
async fn begun(node: &Node, name: &str, runs: &Runs<'_>, snapshot: &str) -> Outcome<ServiceRestoreStatus> {
    runs.begin_new("comenca", (SERVICE, snapshot), COPY).await?;
    let waits = runs.told("ServiceRestore", "comenca", &["NotFound"]).await?;
    ensure!(waits.contains(COPY), "{waits}");
    let others = [SERVICE, COPY].map(|service| json!({"name": service, "template": "radicale", "tier": "1gb"}));
    node.cluster.applied(&[entity(name, json!({"others": others}))]).await?;
    runs.succeeded("comenca").await
}

async fn begins(node: Arc<Node>) -> Outcome {
    let name = "agenda-copia";
    servers::ready(&node.cluster, servers::REST).await?;
    let calendar = calendars(&node, name, &[SERVICE]).await?.remove(0);
    calendar.write("acta", "Acta de maig").await?;
    let before = calendar.content().await?;
    let runs = Runs::of(&node.cluster, name).await?;
    let run = runs.backed_up("abans", SERVICE, servers::REST).await?;
    is_whole(&run, &["data"], false)?;
    calendar.remove("acta").await?;

    let (written, restored) = during(&calendar, "reunio", begun(&node, name, &runs, snapshot(&run)?)).await;
    let restored = restored?;
    ensure_eq!(written.refused(), Vec::<&str>::new(), "what was refused while the copy was made");
    ensure!(restored.stopped_at.is_none() && restored.version.is_some(), "{restored:?}");
    is_ready(&node, name).await?;
    let (first, second) = (node.administrator(name, SERVICE).await?, node.administrator(name, COPY).await?);
    ensure!(first.username == second.username && first.password == second.password, "passwords differ");
    let copy = Calendar::at(&node.ingress, &node.host(name, COPY), &second);
    ensure_eq!(copy.content().await?, before, "the copy");
    let now = calendar.content().await?;
    ensure!(
        now.get("acta").is_none() && now.get("reunio-1").is_some(),
        "the first calendar is not what it was: {now:?}"
    );

    can_be_written(&copy, "de-la-copia").await?;
    can_be_written(&calendar, "de-la-primera").await?;
    ensure!(calendar.content().await?.get("de-la-copia").is_none(), "what is written to the copy is in the first one");
    ensure!(copy.content().await?.get("de-la-primera").is_none(), "what is written to the first one is in the copy");
    node.discard(name).await
}

async fn beside(node: Arc<Node>) -> Outcome {
    let name = "agenda-part";
    servers::ready(&node.cluster, servers::REST).await?;
    let calendar = calendars(&node, name, &[SERVICE]).await?.remove(0);
    calendar.write("acta", "Acta d'abril").await?;
    let before = calendar.content().await?;
    let runs = Runs::of(&node.cluster, name).await?;
    let run = runs.backed_up("abans", SERVICE, servers::REST).await?;
    calendar.remove("acta").await?;
    calendar.write("assemblea", "ajornada").await?;

    let there = storage(&node, name).await?;
    let who = node.administrator(name, SERVICE).await?.username;
    let folder = format!("collections/collection-root/{who}/cal");
    let part = runs.restored_part("part", (SERVICE, snapshot(&run)?), ("data", &folder));
    let (written, restored) = during(&calendar, "reunio", part).await;
    let restored = restored?;
    ensure_eq!(written.refused(), Vec::<&str>::new(), "what was refused while it came back");
    ensure!(restored.volumes.is_empty() && restored.stopped_at.is_none(), "{restored:?}");
    ensure!(restored.taken_at.as_ref().map(|at| at.0) == Some(taken_at(&run)?), "{restored:?}");
    ensure_eq!(storage(&node, name).await?, there, "claims, and the quota");

    let now = calendar.content().await?;
    ensure!(now.get("acta").is_none() && now.get("assemblea") != before.get("assemblea"), "something was overwritten");
    // It was written at one of the two.
    let ended = restored.ended_at.as_ref().map_or_else(jiff::Timestamp::now, |at| at.0);
    let days = [restored.started_at.as_ref().map_or(ended, |at| at.0), ended];
    let mut found = Vec::new();
    for day in days.map(|at| at.to_zoned(TimeZone::UTC).date()) {
        found.push(calendar.beside(&format!("cal%20(restored%20{day})")).content().await);
    }
    let is_it = |content: &Outcome<Content>| content.as_ref().is_ok_and(|content| *content == before);
    ensure!(found.iter().any(is_it), "what came back: {found:?}, before: {before:?}");
    can_be_written(&calendar, "despres").await?;
    node.discard(name).await
}
