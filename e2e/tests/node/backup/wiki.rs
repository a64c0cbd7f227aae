//! The wiki, quiet for a moment, and back with everything that was acknowledged until then.

use std::sync::Arc;

use commonscloud_e2e::backup::content::{Application, Content};
use commonscloud_e2e::backup::runs::{Runs, snapshot, taken_at};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::backup::wiki::Wiki;
use commonscloud_e2e::backup::writer::{Moment, during};
use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use serde_json::json;

use super::{can_be_written, is_in_place, is_ready, is_whole, storage};
use crate::tier::Node;
use crate::wiki::upload;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("a wiki comes back as it was, and nobody's edit that was acknowledged is lost", comes_back)
            .sampled(),
    ]
}

pub const SERVICE: &str = "wiki";
const PAGES: [(&str, &str); 3] =
    [("Cooperativa", "Som una cooperativa."), ("Estatuts", "L'article 1, «el nom»"), ("Actes", "''cap''")];

/// Its first administrator.
pub async fn sign_in(node: &Node, name: &str) -> Outcome<Wiki> {
    let admin = node.administrator(name, SERVICE).await?;
    Wiki::sign_in(&node.ingress, &node.host(name, SERVICE), &admin).await
}

/// An Entity with a wiki of some pages and a file, made where it is not there, and what is in it.
pub async fn begin(node: &Node, name: &str) -> Outcome<(Wiki, Content)> {
    let service = json!({"name": SERVICE, "template": "mediawiki", "tier": "1gb"});
    node.running(&entity(name, json!({"others": [service]}))).await?;
    let wiki = sign_in(node, name).await?;
    if wiki.content().await?.get("Cooperativa").is_none() {
        for (title, text) in PAGES {
            wiki.write(title, text).await?;
        }
        upload(node, name, SERVICE).await?;
    }
    let content = wiki.content().await?;
    ensure!(content.len() >= 4 && content.get("File:Acta.txt").is_some(), "{content:?}");
    Ok((wiki, content))
}

async fn comes_back(node: Arc<Node>) -> Outcome {
    let name = "wiki-torna";
    servers::ready(&node.cluster, servers::REST).await?;
    let (wiki, before) = begin(&node, name).await?;
    let runs = Runs::of(&node.cluster, name).await?;
    let (written, run) = during(&wiki, "Escriptura", runs.backed_up("abans", SERVICE, servers::REST)).await;
    let run = run?;
    is_whole(&run, &["data"], true)?;
    let moment = taken_at(&run)?;
    ensure!(written.acknowledged_until(moment) > 0, "nobody wrote before {moment}");
    ensure!(!written.refused().is_empty(), "people could write all the time: it was never quiet");
    written
        .is_in(&wiki.content().await?, &before, Moment::AtLeast(moment))
        .map_err(|it| it.during("after the backup"))?;

    // By mistake, or by somebody who wishes no good.
    wiki.write("Cooperativa", "Res.").await?;
    wiki.write("Nova", "Feta després.").await?;
    wiki.remove("Estatuts").await?;
    wiki.remove("File:Acta.txt").await?;
    let (claims, admin) = (storage(&node, name).await?, node.administrator(name, SERVICE).await?);
    let restore = runs.restored("enrere", SERVICE, snapshot(&run)?).await?;
    is_ready(&node, name).await?;
    ensure_eq!(node.administrator(name, SERVICE).await?.password, admin.password, "the password");
    let wiki = sign_in(&node, name).await?;
    written.is_in(&wiki.content().await?, &before, Moment::Exact(moment))?;
    is_in_place(&node, name, &restore, &claims).await?;
    can_be_written(&wiki, "Després").await?;
    node.discard(name).await
}
