//! Fleets made by the bare client and by the operator: `create.*`.

use commonscloud_e2e::{Outcome, fleet};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::clock::number;
use crate::floor::{self, Model};
use crate::plan::Plan;
use crate::report::Report;
use crate::requests::{self, Request};
use crate::{clock, ready};

/// Services of an Entity of `fleet::entities`.
const TYPED: usize = 3;

/// What the operator took for a fleet.
#[derive(Debug, Clone)]
pub struct Made {
    /// Until half of the Entities were Ready, and all, in seconds.
    pub ready: (f64, f64),
    /// What it asked for until then.
    pub requests: Vec<Request>,
    /// Its CPU time in seconds.
    pub cpu: f64,
    /// Its memory then, and at most, in MiB.
    pub memory: (u64, u64),
}

/// Applies Entities whose names begin with `prefix`, and waits until all are Ready.
pub async fn make(bench: &Bench, prefix: &str, entities: Vec<Value>) -> Outcome<Made> {
    let (pid, count) = (bench.pid()?, entities.len());
    let (mark, used) = (requests::mark(bench.audit_log())?, fleet::cpu(pid)?);
    let batches = [entities];
    let (applied, times) =
        futures::try_join!(floor::apply(bench, &batches), ready::entities(&bench.cluster.client, prefix, count))?;
    let cpu = fleet::cpu(pid)?.saturating_sub(used).as_secs_f64();
    let at = |index: usize| times.get(index).copied().unwrap_or_default() - applied.begun;
    let requests = requests::since(bench.audit_log(), mark)?;
    Ok(Made { ready: (at(count / 2), at(count - 1)), requests, cpu, memory: fleet::memory(pid)? })
}

impl Made {
    /// What it took and asked for, as JSON.
    pub fn told(&self) -> Value {
        json!({
            "half_ready_s": self.ready.0, "ready_s": self.ready.1, "cpu_s": self.cpu,
            "rss_mib": self.memory.0, "peak_mib": self.memory.1, "requests": requests::counts(&self.requests),
        })
    }

    /// Writes of an instance beyond its objects: of an Entity's and an instance's status the first only,
    /// since later ones follow what the cluster does.
    pub fn writes_beyond_objects(&self, entities: usize, instances: usize) -> f64 {
        let writes = self.requests.iter().filter(|request| request.is_write());
        let (statuses, writes): (Vec<_>, Vec<_>) = writes.partition(|request| request.resource.ends_with("/status"));
        let objects = writes.iter().filter(|request| request.code == 201).count();
        let first = statuses.len().min(entities + instances);
        number(writes.len() - objects + first) / number(instances.max(1))
    }
}

/// 200 Entities with three services: the floor, and the operator.
pub async fn measure(mut bench: Bench, plan: &Plan, report: &mut Report) -> Outcome<Bench> {
    let model = Model::typed(&bench).await?;
    bench = bench.renewed(plan.fresh).await?;
    eprintln!("{} entities with three services: the bare client", plan.typed);
    let floor = model.run(&bench, &format!("typed{}", plan.typed), plan.typed).await?;
    report.detail("create.floor", floor.told());
    bench = bench.renewed(plan.fresh).await?;
    eprintln!("{} entities with three services: the operator", plan.typed);
    let made = make(&bench, "typed", fleet::entities("typed", plan.typed)).await?;
    report.detail("create.operator", made.told());
    report.measured("create.ratio_to_floor", made.ready.1 / floor.ready);
    let instances = plan.typed * TYPED;
    let beyond = made.writes_beyond_objects(plan.typed, instances);
    report.measured("create.writes_per_instance_minus_objects", beyond);
    let reads: Vec<&Request> = made.requests.iter().filter(|request| request.is_read()).collect();
    report.measured("create.reads", number(reads.len()));
    let secrets = made.requests.iter().filter(|request| request.begins_secrets()).count();
    report.detail(
        "create.apart",
        json!({"reads": requests::counts(reads), "lists_of_secrets": secrets, "entities": plan.typed}),
    );
    Ok(bench)
}

/// The same fleet with and without an Entity whose 20 services are refused for ever, in turns.
pub async fn fairness(bench: &Bench, report: &mut Report) -> Outcome {
    let (mut alone, mut beside) = (f64::MAX, f64::MAX);
    for round in 0..3 {
        let prefix = format!("alone{round}");
        alone = alone.min(make(bench, &prefix, fleet::entities(&prefix, 20)).await?.ready.1);
        let failing = format!("failing{round}");
        floor::apply(bench, &[vec![fleet::broken_entity(&failing, 20)]]).await?;
        let prefix = format!("beside{round}");
        beside = beside.min(make(bench, &prefix, fleet::entities(&prefix, 20)).await?.ready.1);
        bench.cluster.kubectl.ok(&["delete", "entity", "--wait=false", &failing]).await?;
    }
    report.detail("create.fairness", json!({"alone_s": alone, "beside_failing_s": beside, "at": clock::now()}));
    Ok(())
}
