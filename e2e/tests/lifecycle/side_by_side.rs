//! Several clusters at once.

use std::time::{Duration, Instant};

use commonscloud_e2e::cluster::{Cluster, Nodes, down};
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};

use crate::machine;

const FIRST: &str = "test-side-one";
const SECOND: &str = "test-side-two";

async fn two(first: Nodes) -> Outcome {
    let one = Cluster::up(FIRST, first, &[]).await?;
    let two = Cluster::up(SECOND, Nodes::Simulated, &[]).await?;
    ensure!(one.facts.kubeconfig != two.facts.kubeconfig, "both have one kubeconfig");
    // What is written to one is not in the other.
    let maps = |cluster: &Cluster| Api::<ConfigMap>::namespaced(cluster.client.clone(), "default");
    let mut map = ConfigMap::default();
    map.metadata.name = Some("only-here".to_owned());
    maps(&one).create(&PostParams::default(), &map).await?;
    ensure!(maps(&two).get_opt("only-here").await?.is_none(), "both clusters are one");
    for cluster in [&one, &two] {
        let nodes = Api::<Node>::all(cluster.client.clone()).list(&ListParams::default()).await?;
        let ready = |node: &Node| {
            let conditions = node.status.clone().and_then(|status| status.conditions).unwrap_or_default();
            conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        };
        let ill: Vec<String> = nodes.iter().filter(|node| !ready(node)).map(ResourceExt::name_any).collect();
        ensure!(!nodes.items.is_empty() && ill.is_empty(), "not Ready: {ill:?}");
    }
    // The quickest of some: other work on the machine slows down any one of them.
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        Cluster::up(FIRST, first, &[]).await?;
        quickest = quickest.min(began.elapsed());
    }
    ensure!(quickest < Duration::from_secs(1), "up again took {quickest:?} at best");
    machine::down_without_a_trace(FIRST).await?;
    // The other one goes on.
    maps(&two).list(&ListParams::default()).await?;
    machine::down_without_a_trace(SECOND).await
}

async fn cleaned(first: Nodes) -> Outcome {
    let outcome = two(first).await;
    for name in [FIRST, SECOND] {
        down(name).await?;
    }
    outcome
}

pub async fn two_simulated() -> Outcome {
    cleaned(Nodes::Simulated).await
}

pub async fn real_and_simulated() -> Outcome {
    let settings = machine::settings();
    cleaned(Nodes::Real).await?;
    ensure_eq!(machine::settings(), settings, "the machine's settings");
    Ok(())
}
