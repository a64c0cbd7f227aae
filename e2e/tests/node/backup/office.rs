//! An office: files, and a PostgreSQL that knows each of them.

use std::sync::Arc;

use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::backup::office::Office;
use commonscloud_e2e::backup::runs::{Runs, snapshot, taken_at};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::backup::writer::{Moment, during};
use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure};

use super::{can_be_written, is_in_place, is_ready, is_whole, storage};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("an office of PostgreSQL and files comes back", comes_back).sampled()]
}

async fn comes_back(node: Arc<Node>) -> Outcome {
    let name = "oficina-torna";
    servers::ready(&node.cluster, servers::REST).await?;
    node.running(&entity_with_office(name)).await?;
    let (host, admin) = (node.host(name, "office"), node.administrator(name, "office").await?);
    let office = Office::at(&node.ingress, &host, &admin);
    office.write("memoria.txt", "La memòria de l'any.").await?;
    office.write("pressupost.txt", "Zero.").await?;
    let before = office.content().await?;
    let runs = Runs::of(&node.cluster, name).await?;
    let (written, run) = during(&office, "nota", runs.backed_up("abans", "office", servers::REST)).await;
    let run = run?;
    is_whole(&run, &["data", "app"], true)?;
    let moment = taken_at(&run)?;
    ensure!(written.acknowledged_until(moment) > 0, "nobody wrote before {moment}");
    ensure!(!written.refused().is_empty(), "people could write all the time: it was never quiet");
    ensure!(!office.is_in_maintenance().await?, "maintenance after the backup");

    office.write("memoria.txt", "Una altra.").await?;
    office.write("nova.txt", "Feta després.").await?;
    office.remove("pressupost.txt").await?;
    let claims = storage(&node, name).await?;
    let restore = runs.restored("enrere", "office", snapshot(&run)?).await?;
    is_ready(&node, name).await?;
    ensure!(!office.is_in_maintenance().await?, "maintenance after the restore");
    // Signed in with the password of before; each file as its row in PostgreSQL has it.
    written.is_in(&office.content().await?, &before, Moment::Exact(moment))?;
    is_in_place(&node, name, &restore, &claims).await?;
    can_be_written(&office, "despres.txt").await?;
    node.discard(name).await
}
