//! Uploads as people make them: over a slow line, in large pieces, many at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::https::{Answer, Zeros};
use commonscloud_e2e::manifests::{entity, entity_with_office};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::json;

use crate::office::dav;
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("200 MB at 1 MB/s arrive, three times as long as an ingress waits by itself", slow_line),
        Scenario::new("5 GiB in one request arrive at an office of 10 GiB", one_piece).slow(),
        Scenario::new("five uploads of 1 GiB at once arrive, and the neighbour notices nothing", many_at_once).slow(),
    ]
}

const GIB: u64 = 1 << 30;
/// How long between two looks of a neighbour.
const LOOK: Duration = Duration::from_secs(2);

/// Uploads a file, and asks how large it is there.
async fn arrives(node: &Node, entity: &str, file: &str, bytes: u64, zeros: Zeros) -> Outcome {
    let admin = node.administrator(entity, "office").await?;
    let (host, path) = (node.host(entity, "office"), dav(&admin, file));
    let Answer { status, body, .. } = node.ingress.upload(&host, &path, &admin, zeros).await?;
    let said = String::from_utf8_lossy(&body);
    ensure!(status.is_success(), "{file} of {bytes} bytes: {status} {said}");
    let pod = node.pod(entity, "office", "app").await?;
    let place = format!("/data/files/{}/files/{file}", admin.username);
    let size = node.cluster.kubectl.exec(entity, &pod, "nextcloud", &["stat", "-c", "%s", &place]).await?;
    let size = size.succeeded("stat")?;
    ensure_eq!(size.trim(), bytes.to_string(), "bytes of {file}");
    Ok(())
}

/// Uid and restarts of each pod of an Entity.
async fn pods(node: &Node, entity: &str) -> Outcome<BTreeMap<String, i32>> {
    let all = Api::<Pod>::namespaced(node.cluster.client.clone(), entity).list(&ListParams::default()).await?;
    let restarts = |pod: &Pod| {
        let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        statuses.map(|status| status.restart_count).sum()
    };
    Ok(all.iter().map(|pod| (pod.name_any() + &pod.uid().unwrap_or_default(), restarts(pod))).collect())
}

async fn slow_line(node: Arc<Node>) -> Outcome {
    let name = "slow-line";
    node.running(&entity_with_office(name)).await?;
    let before = pods(&node, name).await?;
    arrives(&node, name, "pellicula.bin", 200_000_000, Zeros::slow(200_000_000, 1_000_000)).await?;
    ensure_eq!(pods(&node, name).await?, before, "pods and restarts");
    node.discard(name).await
}

async fn one_piece(node: Arc<Node>) -> Outcome {
    let name = "one-piece";
    node.running(&entity(name, json!({"office": {"tier": "10gb"}}))).await?;
    let before = pods(&node, name).await?;
    arrives(&node, name, "arxiu.bin", 5 * GIB, Zeros::fast(5 * GIB)).await?;
    ensure_eq!(pods(&node, name).await?, before, "pods and restarts");
    node.discard(name).await
}

async fn many_at_once(node: Arc<Node>) -> Outcome {
    let (name, neighbour) = ("many-at-once", "neighbour");
    node.running(&entity(name, json!({"office": {"tier": "10gb"}}))).await?;
    node.running(&entity_with_office(neighbour)).await?;
    let before = (pods(&node, name).await?, pods(&node, neighbour).await?);
    let office = &*node;
    let upload =
        |number: u8| async move { arrives(office, name, &format!("{number}.bin"), GIB, Zeros::fast(GIB)).await };
    let uploads = try_join_all((1..=5).map(upload));
    let host = node.host(neighbour, "office");
    let mut answers = 0;
    let neighbour_works = async {
        loop {
            if let Err(failure) = node.ingress.get(&host, "/status.php", None).await {
                return failure;
            }
            answers += 1;
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        ended = uploads => drop(ended?),
        failure = neighbour_works => return Err(failure.during("the neighbour's page")),
    }
    ensure!(answers > 0, "the neighbour was not asked");
    ensure_eq!((pods(&node, name).await?, pods(&node, neighbour).await?), before, "pods and restarts");
    node.discard(neighbour).await?;
    node.discard(name).await
}
