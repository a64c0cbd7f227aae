//! The operator's part: convergence, memory, writes, rest, fairness.

use std::time::{Duration, Instant};

use commonscloud_e2e::chart::{self, USER};
use commonscloud_e2e::cluster::{Cluster, Nodes};
use commonscloud_e2e::fleet::{self, Cost, all_ready, apply, broken_entity, broken_package, entities};
use commonscloud_e2e::objects::Kinds;
use commonscloud_e2e::operator::{self, HostOperator};
use commonscloud_e2e::{Failure, Outcome, manifests};
use commonscloud_operator::api::marks;
use commonscloud_operator::template;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::floor::{Model, sendable};

/// The cluster's name.
pub const CLUSTER: &str = "bench";
const LIMIT: Duration = Duration::from_mins(30);
/// How long the operator is watched at rest.
const REST: Duration = Duration::from_secs(20);
/// Entities in each round of the fairness runs, and instances that fail beside them.
const FAIR: usize = 20;
const FAILING: usize = 20;
const ROUNDS: usize = 3;

/// The cluster with the operator.
pub struct Bench {
    /// The cluster.
    pub cluster: Cluster,
    operator: Option<HostOperator>,
    kinds: Kinds,
    folder: TempDir,
}

/// What the operator took for a fleet.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Entities of three services.
    pub entities: usize,
    /// Until all Entities were accepted.
    pub accepted: Duration,
    /// Until half of them were Ready.
    pub half: Duration,
    /// Until all were.
    pub ready: Duration,
    /// Objects and writes of all.
    pub cost: Cost,
    /// CPU time of the operator until then.
    pub cpu: Duration,
    /// Its memory then, and at most, in MiB.
    pub memory: (u64, u64),
}

/// The operator with nothing to do.
#[derive(Debug, Clone, Copy)]
pub struct Rest {
    /// Entities that it looks after in this fleet.
    pub entities: usize,
    /// CPU time in each second.
    pub cpu: f64,
    /// Its writes while it was watched.
    pub writes: usize,
    /// From its start until it is ready.
    pub started: Duration,
    /// Its writes after the start.
    pub writes_after_start: usize,
    /// Its memory after the start, and at most, in MiB.
    pub memory: (u64, u64),
}

/// Times of the same fleet with and without an Entity that fails for ever, least of all rounds.
#[derive(Debug, Clone, Copy)]
pub struct Fairness {
    /// Without.
    pub alone: Duration,
    /// With.
    pub beside: Duration,
}

impl Bench {
    /// A simulated cluster, the chart, the operator.
    ///
    /// # Errors
    /// When any of them does not come up.
    pub async fn bring_up() -> Outcome<Self> {
        let cluster = Cluster::up(CLUSTER, Nodes::Simulated, &[]).await?;
        chart::install(&cluster, &json!({"replicas": 0})).await?;
        let folder = tempfile::tempdir()?;
        operator::kubeconfig(&cluster, &folder.path().join("kubeconfig")).await?;
        let radicale = template::load_directory(&cluster.programs.source.join("examples/templates/radicale.yaml"))?;
        let platform = manifests::simulated_platform("bench.commonscloud.test");
        cluster.applied(&[platform, manifests::tariff(manifests::TARIFF), json!(radicale), broken_package()]).await?;
        let kinds = Kinds::discover(&cluster.client).await?;
        let mut bench = Self { cluster, operator: None, kinds, folder };
        bench.start().await?;
        Ok(bench)
    }

    async fn start(&mut self) -> Outcome {
        let (kubeconfig, log) = (self.folder.path().join("kubeconfig"), self.folder.path().join("operator.log"));
        self.operator = Some(HostOperator::start(&self.cluster, &kubeconfig, &log).await?);
        Ok(())
    }

    fn pid(&self) -> Outcome<i32> {
        self.operator.as_ref().map(HostOperator::pid).ok_or_else(|| Failure::new("the operator is down"))
    }

    /// One Entity made by the operator, whose objects the floor copies.
    ///
    /// # Errors
    /// When it does not become Ready.
    pub async fn model(&self) -> Outcome<Model> {
        let name = "model-0";
        apply(&self.cluster.client, &entities("model", 1)).await?;
        all_ready(&self.cluster.client, "model", 1, Instant::now(), LIMIT).await?;
        let objects = self.kinds.all(&self.cluster.client, name).await?;
        let managed =
            objects.values().filter(|object| object["metadata"]["labels"][marks::MANAGED_BY] == marks::OPERATOR);
        let labels = json!({"pod-security.kubernetes.io/enforce": "baseline"});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        // The operator's own rights are of no use to a bare client, and it has none to give.
        let sent =
            managed.map(sendable).filter(|object| object["kind"] != "RoleBinding" && object["kind"] != "ResourceQuota");
        let bindings = managed_bindings(&objects);
        let objects: Vec<Value> = std::iter::once(namespace).chain(sent).chain(bindings).collect();
        Ok(Model { entity: name.to_owned(), objects })
    }

    /// Applies `count` Entities, and waits until all are Ready.
    ///
    /// # Errors
    /// When they do not become so.
    pub async fn fleet(&self, count: usize) -> Outcome<Fleet> {
        let client = &self.cluster.client;
        let prefix = format!("fleet{count}");
        let mark = self.cluster.audit.mark()?;
        let (begun, used) = (Instant::now(), fleet::cpu(self.pid()?)?);
        apply(client, &entities(&prefix, count)).await?;
        let accepted = begun.elapsed();
        let times = all_ready(client, &prefix, count, begun, LIMIT).await?;
        let cpu = fleet::cpu(self.pid()?)?.saturating_sub(used);
        let memory = fleet::memory(self.pid()?)?;
        let writes = self.cluster.audit.writes(mark, USER)?;
        let mut cost = Cost::default();
        for number in 0..count {
            cost = cost.and(Cost::of(client, &self.kinds, &format!("{prefix}-{number}"), &writes).await?);
        }
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        Ok(Fleet { entities: count, accepted, half: at(count / 2), ready: at(count - 1), cost, cpu, memory })
    }

    /// The operator with nothing to do, then started anew.
    ///
    /// # Errors
    /// When it does not stop or start.
    pub async fn rest(&mut self, entities: usize) -> Outcome<Rest> {
        let (mark, used) = (self.cluster.audit.mark()?, fleet::cpu(self.pid()?)?);
        // Not a wait for something: a time in which nothing is to happen.
        tokio::time::sleep(REST).await;
        let cpu = fleet::cpu(self.pid()?)?.saturating_sub(used).as_secs_f64() / REST.as_secs_f64();
        let writes = self.cluster.audit.writes(mark, USER)?.len();
        if let Some(running) = self.operator.take() {
            running.stop().await?;
        }
        let (mark, begun) = (self.cluster.audit.mark()?, Instant::now());
        self.start().await?;
        let started = begun.elapsed();
        tokio::time::sleep(REST).await;
        let writes_after_start = self.cluster.audit.writes(mark, USER)?.len();
        Ok(Rest { entities, cpu, writes, started, writes_after_start, memory: fleet::memory(self.pid()?)? })
    }

    /// The same fleet with and without an Entity that fails for ever, in turns.
    ///
    /// # Errors
    /// When a fleet does not become Ready.
    pub async fn fairness(&self) -> Outcome<Fairness> {
        let (mut alone, mut beside) = (LIMIT, LIMIT);
        for round in 0..ROUNDS {
            alone = alone.min(self.round(&format!("alone{round}"), &[]).await?);
            let failing = broken_entity(&format!("failing{round}"), FAILING);
            beside = beside.min(self.round(&format!("beside{round}"), std::slice::from_ref(&failing)).await?);
            let name = failing["metadata"]["name"].as_str().unwrap_or_default();
            self.cluster.kubectl.ok(&["delete", "entity", "--wait=false", name]).await?;
        }
        Ok(Fairness { alone, beside })
    }

    async fn round(&self, prefix: &str, failing: &[Value]) -> Outcome<Duration> {
        let client = &self.cluster.client;
        apply(client, failing).await?;
        let begun = Instant::now();
        apply(client, &entities(prefix, FAIR)).await?;
        let times = all_ready(client, prefix, FAIR, begun, LIMIT).await?;
        Ok(times.last().copied().unwrap_or_default())
    }
}

/// The quota and the operator's binding as objects that change nothing for anybody.
fn managed_bindings(objects: &std::collections::BTreeMap<String, Value>) -> Vec<Value> {
    let kept = objects.iter().filter(|(key, _)| key.starts_with("RoleBinding/") || key.starts_with("ResourceQuota/"));
    let inert = |(key, object): (&String, &Value)| {
        let name = key.replace('/', "-").to_lowercase();
        let metadata = json!({"name": name, "namespace": object["metadata"]["namespace"]});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"was": object["metadata"]["name"]}})
    };
    kept.map(inert).collect()
}
