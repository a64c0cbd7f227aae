//! A database's volume grows before it is full, while the database runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::exact_quota::{answering_meanwhile, pods};
use crate::office::psql;
use crate::tier::Node;

/// The kubelet measures every 10 s, the operator asks every 30 s, the file system grows within 5 s.
const GROWS: Duration = Duration::from_secs(90);

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new(
        "the volume of an office's database grows before it is full, and PostgreSQL never stops",
        grows_before_it_is_full,
    )]
}

async fn grows_before_it_is_full(node: Arc<Node>) -> Outcome {
    let name = "puja";
    node.running(&entity_with_office(name)).await?;
    let before = pods(&node, name).await?;
    let database = node.pod(name, "office", "db").await?;
    psql(&node, name, &database, "create table beats (at timestamptz default now())").await?;
    let size = file_system(&node, name, &database, "size").await?;

    let fill_and_grow = async {
        // 15 % stays free: less than a fifth, and more than is written meanwhile.
        let free = file_system(&node, name, &database, "avail").await?;
        let file = "/var/lib/postgresql/data/fill";
        let script = format!("fallocate -l {} {file}", free - size * 15 / 100);
        run(&node, name, &database, &script).await?;
        let begun = Instant::now();
        let grown = eventually("the volume of the database has grown", GROWS, async || {
            let grown = file_system(&node, name, &database, "size").await?;
            ensure!(grown > size, "it has {grown} bytes as before");
            Ok(grown)
        });
        let grown = grown.await?;
        eprintln!("the volume of the database grew {:.0?} after it was filled", begun.elapsed());
        ensure!(grown >= size * 7 / 5, "from {size} to {grown} bytes: not by half of what was requested");
        Ok(())
    };
    answering_meanwhile(&node, name, &database, fill_and_grow).await?;
    ensure_eq!(pods(&node, name).await?, before, "pods, uids and restarts");
    said(&node, name).await
}

/// What the office says of it: larger by half, in an Event too, and Ready as before.
async fn said(node: &Node, entity: &str) -> Outcome {
    let offices = resources::ours_in(&node.cluster.client, "DedicatedOffice", entity);
    let office = eventually("the status tells of the growth", Duration::from_secs(30), async || {
        let office = serde_json::to_value(offices.get("office").await?)?;
        let conditions = office["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let filling = conditions.iter().find(|condition| condition["type"] == "VolumeFilling");
        ensure!(filling.is_none(), "{}", filling.unwrap_or(&Value::Null));
        Ok(office)
    });
    let office = office.await?;
    is_ready(&office)?;
    let volumes = office["status"]["volumes"].as_array().cloned().unwrap_or_default();
    let db = volumes.into_iter().find(|volume| volume["name"] == "db").ok_or_else(|| Failure::new("no volume db"))?;
    // 4 GiB and 97 MiB for the file system, and half as much again.
    let expected =
        json!({"name": "db", "claim": "office-db", "requested": "6290Mi", "capacity": "6290Mi", "grown": "2097Mi"});
    ensure_eq!(db, expected, "status.volumes of db");
    let selector = "--field-selector=reason=VolumeGrowing";
    let words = ["get", "events.v1.events.k8s.io", "-n", entity, selector, "-o", "jsonpath={.items[*].note}"];
    let news = node.cluster.kubectl.ok(&words).await?;
    ensure_eq!(news, "PersistentVolumeClaim office-db grows from 4193Mi to 6290Mi", "Events of the growth");
    Ok(())
}

/// What `df` says of the database's volume, in bytes.
async fn file_system(node: &Node, entity: &str, pod: &str, column: &str) -> Outcome<u64> {
    let said =
        run(node, entity, pod, &format!("df -B1 --output={column} /var/lib/postgresql/data | tail -n 1")).await?;
    said.trim().parse().map_err(|_| Failure::new(format!("df said {said}")))
}

async fn run(node: &Node, entity: &str, pod: &str, script: &str) -> Outcome<String> {
    node.cluster.kubectl.exec(entity, pod, "postgres", &["/bin/sh", "-c", script]).await?.succeeded(script)
}
