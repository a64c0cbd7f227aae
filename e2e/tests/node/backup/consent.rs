//! A calendar goes on in another Entity, which its own lets have it.

use std::sync::Arc;

use commonscloud_e2e::backup::calendar::Calendar;
use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::backup::runs::{Runs, snapshot};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::manifests::{entity, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, eventually};
use commonscloud_e2e::{Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use super::{DONE, calendars, can_be_written, is_ready};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("a calendar goes on in another entity, by consent, and its first one keeps its own", goes_on)]
}

/// Whose calendar it is, and who goes on with it.
const FROM: &str = "agenda-dona";
const INTO: &str = "agenda-rep";
const SERVICE: &str = "site";
const RESTORE: &str = "arriba";

fn with_calendar() -> Value {
    entity(INTO, json!({"others": [{"name": SERVICE, "template": "radicale", "tier": "1gb"}]}))
}

async fn goes_on(node: Arc<Node>) -> Outcome {
    servers::ready(&node.cluster, servers::REST).await?;
    let calendar = calendars(&node, FROM, &[SERVICE]).await?.remove(0);
    calendar.write("acord", "Acord de fusió").await?;
    let before = calendar.content().await?;
    let run = Runs::of(&node.cluster, FROM).await?.backed_up("per-donar", SERVICE, servers::REST).await?;
    calendar.write("nova", "feta després").await?;
    let after = calendar.content().await?;

    node.running(&entity(INTO, json!({}))).await?;
    let user = node.cluster.user().await?;
    let from = json!({"service": SERVICE, "entity": FROM, "snapshot": snapshot(&run)?});
    let spec = json!({"from": from, "into": {"kind": "NewService", "service": SERVICE}, "requestedBy": user});
    node.cluster.applied(&[namespaced("ServiceRestore", INTO, RESTORE, spec)]).await?;
    let runs = Runs::of(&node.cluster, INTO).await?;
    let said = runs.told("ServiceRestore", RESTORE, &["ConsentMissing"]).await?;
    ensure!(said.contains(FROM) && said.contains(snapshot(&run)?), "{said}");
    node.cluster.applied(&[with_calendar()]).await?;
    let services = resources::ours_in(&node.cluster.client, "DedicatedService", INTO);
    eventually("the calendar awaits its data", DONE, async || {
        let service = serde_json::to_value(services.get(SERVICE).await?)?;
        let ready = condition(&service, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == "DataRestoring", "{ready}");
        Ok(())
    })
    .await?;
    let claims = node.cluster.kubectl.ok(&["get", "persistentvolumeclaims", "-n", INTO, "-o", "name"]).await?;
    ensure_eq!(claims.trim(), "", "claims before there is a consent");

    let spec = json!({
        "service": SERVICE, "snapshot": snapshot(&run)?, "entity": INTO, "until": "2099-01-01T00:00:00Z",
        "requestedBy": user,
    });
    node.cluster.applied(&[namespaced("RestoreConsent", FROM, "a-la-rep", spec)]).await?;
    let status = runs.succeeded(RESTORE).await?;
    ensure!(status.copied_at.is_some() && status.snapshot.as_deref() != Some(snapshot(&run)?), "{status:?}");
    is_ready(&node, INTO).await?;

    let admin = node.administrator(INTO, SERVICE).await?;
    let theirs = Calendar::at(&node.ingress, &node.host(INTO, SERVICE), &admin);
    ensure_eq!(theirs.content().await?, before, "what goes on there");
    ensure_eq!(calendar.content().await?, after, "what its first Entity has");
    can_be_written(&theirs, "despres").await?;
    ensure_eq!(calendar.content().await?, after, "what its first Entity has after the other one wrote");
    key_stays_away(&node).await?;
    node.discard(INTO).await?;
    node.discard(FROM).await
}

/// The key of the first Entity's repositories is in the operator's namespace alone.
async fn key_stays_away(node: &Node) -> Outcome {
    let secrets = |namespace: &'static str| ["get", "secrets", "-n", namespace, "-o", "name"];
    let key = format!("secret/backup-key-{FROM}-");
    let theirs = node.cluster.kubectl.ok(&secrets(INTO)).await?;
    ensure!(!theirs.contains(&key), "it is in {INTO}: {theirs}");
    let home = node.cluster.kubectl.ok(&secrets(NAMESPACE)).await?;
    ensure!(home.contains(&key), "it is not in {NAMESPACE}: {home}");
    Ok(())
}
