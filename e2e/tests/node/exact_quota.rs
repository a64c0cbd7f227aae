//! A quota is what the volume enforces: a file of that size fits, one of 1 % more does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::office::psql;
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "an office of 1 GiB takes exactly 1 GiB, grows by three blocks while it runs, and its database never stops",
            grows_while_it_runs,
        ),
        Scenario::new("a service of 10 GiB takes exactly 10 GiB", ten_gibibytes),
    ]
}

const GIB: u64 = 1 << 30;

/// Where the entity's files are, in which container.
struct Volume<'a> {
    node: &'a Node,
    entity: &'a str,
    service: &'a str,
    container: &'a str,
    path: &'a str,
}

impl Volume<'_> {
    async fn run(&self, words: &[&str]) -> Outcome<commonscloud_e2e::command::Finished> {
        let pod = self.node.pod(self.entity, self.service, "app").await?;
        self.node.cluster.kubectl.exec(self.entity, &pod, self.container, words).await
    }

    /// Bytes that one file can still take.
    async fn usable(&self) -> Outcome<u64> {
        let said = self.run(&["df", "-B1", "--output=avail", self.path]).await?.succeeded("df")?;
        let number = said.lines().last().unwrap_or_default().trim();
        number.parse().map_err(|_| Failure::new(format!("df said {said}")))
    }

    /// Makes a file of that many bytes, really allocated.
    async fn fill(&self, bytes: u64) -> Outcome<commonscloud_e2e::command::Finished> {
        let size = bytes.to_string();
        self.run(&["fallocate", "-l", &size, &format!("{}/fill", self.path)]).await
    }

    async fn empty(&self) -> Outcome {
        self.run(&["rm", "-f", &format!("{}/fill", self.path)]).await?.succeeded("rm").map(drop)
    }

    /// A file of the quota fits, one of 1 % more does not. Leaves the first one there.
    async fn holds_exactly(&self, quota: u64) -> Outcome {
        let refused = self.fill(quota + quota / 100).await?.refused("a file of quota + 1 %")?;
        ensure!(refused.contains("No space left on device"), "{refused}");
        self.empty().await?;
        let usable = self.usable().await?;
        let fits = self.fill(quota).await?;
        fits.succeeded(&format!("a file of {quota} bytes where {usable} are said to be free")).map(drop)
    }
}

/// Names, uids and restarts of all pods of an entity.
pub async fn pods(node: &Node, entity: &str) -> Outcome<BTreeMap<String, (String, i32)>> {
    let mut found = BTreeMap::new();
    for component in ["app", "db", "redis"] {
        for pod in node.pods(entity, "office", component).await? {
            let restarts = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
            let restarts = restarts.map(|status| status.restart_count).sum();
            found.insert(pod.name_any(), (pod.uid().unwrap_or_default(), restarts));
        }
    }
    Ok(found)
}

fn with_blocks(name: &str, blocks: u32) -> Value {
    entity(name, json!({"office": {"tier": "1gb", "extraBlocks": blocks}}))
}

async fn grows_while_it_runs(node: Arc<Node>) -> Outcome {
    let name = "creix";
    node.running(&with_blocks(name, 0)).await?;
    let volume = Volume { node: &node, entity: name, service: "office", container: "nextcloud", path: "/data/files" };
    let before = pods(&node, name).await?;
    let database = node.pod(name, "office", "db").await?;
    psql(&node, name, &database, "create table beats (at timestamptz default now())").await?;

    let fill_and_grow = async {
        volume.holds_exactly(GIB).await.map_err(|failure| failure.during("at 1 GiB"))?;
        volume.empty().await?;
        let usable = volume.usable().await?;
        node.running(&with_blocks(name, 3)).await?;
        let grown = eventually("the volume has grown", Duration::from_secs(90), async || {
            let grown = volume.usable().await? - usable;
            ensure!(grown > GIB, "by {grown} bytes");
            Ok(grown)
        })
        .await?;
        ensure!(grown.abs_diff(3 * GIB) <= 3 * GIB / 1000, "usable space grew by {grown}, not by {} ± 0.1 %", 3 * GIB);
        volume.holds_exactly(4 * GIB).await.map_err(|failure| failure.during("after three blocks more"))
    };
    answering_meanwhile(&node, name, &database, fill_and_grow).await?;
    // Still full: the database goes on.
    psql(&node, name, &database, "insert into beats default values").await?;
    ensure_eq!(pods(&node, name).await?, before, "pods, uids and restarts");
    volume.empty().await
}

/// Does `work` while PostgreSQL is asked for a row and written to, again and again.
pub async fn answering_meanwhile(node: &Node, entity: &str, pod: &str, work: impl Future<Output = Outcome>) -> Outcome {
    let mut answers = 0_u32;
    let beats = async {
        loop {
            if let Err(failure) = psql(node, entity, pod, "insert into beats default values returning 1").await {
                return failure;
            }
            answers += 1;
        }
    };
    tokio::select! {
        failure = beats => return Err(failure.during("PostgreSQL stopped answering")),
        ended = work => ended?,
    }
    ensure!(answers >= 3, "PostgreSQL was asked only {answers} times");
    Ok(())
}

async fn ten_gibibytes(node: Arc<Node>) -> Outcome {
    let name = "deu";
    let services = json!({"others": [{"name": "site", "template": "radicale", "tier": "10gb"}]});
    node.running(&entity(name, services)).await?;
    let volume = Volume { node: &node, entity: name, service: "site", container: "radicale", path: "/data" };
    volume.holds_exactly(10 * GIB).await
}
