//! A deleted office leaves its data, and applied again serves the file uploaded before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::objects::{Kinds, treasures};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, gone, ready};
use commonscloud_e2e::{Outcome, ensure, ensure_eq, resources};
use serde_json::Value;

use crate::office::{dav, random_mebibyte, sha256};
use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new(
        "an office and its entity deleted and applied again serve the file uploaded before",
        served_again,
    )]
}

/// Every deletion ends within this.
const END: Duration = Duration::from_mins(1);

async fn data(node: &Node, kinds: &Kinds, namespace: &str) -> Outcome<BTreeMap<String, Value>> {
    Ok(treasures(&kinds.all(&node.cluster.client, namespace).await?))
}

async fn served_again(node: Arc<Node>) -> Outcome {
    let name = "torna";
    let manifest = entity_with_office(name);
    node.running(&manifest).await?;
    let (host, admin) = (node.host(name, "office"), node.administrator(name, "office").await?);
    let (bytes, path) = (random_mebibyte()?, dav(&admin, "acta.bin"));
    node.ingress.put(&host, &path, &admin, bytes.clone()).await?;
    let kinds = Kinds::discover(&node.cluster.client).await?;
    let before = data(&node, &kinds, name).await?;
    ensure!(before.len() >= 4, "an office has volumes and Secrets: {:?}", before.keys());
    let served = async || {
        let answer =
            eventually("the file is served again", READY, async || node.ingress.get(&host, &path, Some(&admin)).await);
        ensure_eq!(sha256(&answer.await?), sha256(&bytes), "sha256 of the file uploaded before");
        Ok(())
    };

    // The Entity makes the office anew by itself: its data is adopted at once.
    let began = Instant::now();
    let words = ["delete", "dedicatedoffice", "office", "-n", name, "--cascade=foreground", "--timeout=60s"];
    node.cluster.kubectl.ok(&words).await?;
    ensure!(began.elapsed() < END, "deleting the office took {:?}", began.elapsed());
    ready(&resources::ours_in(&node.cluster.client, "DedicatedOffice", name), "office", READY).await?;
    ensure_eq!(data(&node, &kinds, name).await?, before, "volumes and Secrets after the office was deleted");
    served().await?;

    let began = Instant::now();
    node.cluster.kubectl.ok(&["delete", "entity", name, "--timeout=60s"]).await?;
    gone(&node.entities(), name, END).await?;
    ensure!(began.elapsed() < END, "deleting the entity took {:?}", began.elapsed());
    ensure_eq!(data(&node, &kinds, name).await?, before, "volumes and Secrets after the entity was deleted");
    let answer = node.ingress.send("GET", &host, &path, Some(&admin), Vec::new()).await?;
    ensure!(!answer.status.is_success(), "a deleted office still answers {}", answer.status);

    node.running(&manifest).await?;
    ensure_eq!(data(&node, &kinds, name).await?, before, "volumes and Secrets after applying again");
    served().await
}
