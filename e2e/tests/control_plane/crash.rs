//! The operator killed after each of its writes goes on from where it was.
//!
//! How many writes one instance takes is counted in the API server's audit log. Then, for each
//! number up to it, an operator behind a gate is killed right after its n-th write for a new instance
//! reached the API server and before it learnt of the answer; a fresh one finishes the work, and is
//! the next to be killed. All of that on a cluster of its own, where nobody else needs an operator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::gate::Gate;
use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::objects::{Kinds, comparable, differences, treasures};
use commonscloud_e2e::operator::{HostOperator, client, redirected, tail};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use serde_json::Value;

use crate::tier::{ControlPlane, Purpose, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "the operator killed after each write of an instance leaves nothing doubled or lost",
            after_each_write,
        )
        .apart(),
    ]
}

/// How an operator ends that could not renew its Lease.
const LEASE_LOST: &str = "the Lease was lost";

/// What an undisturbed run leaves, and how many writes it takes.
struct Undisturbed {
    writes: u32,
    objects: BTreeMap<String, Value>,
    pods: usize,
}

async fn undisturbed(tier: &ControlPlane, kinds: &Kinds) -> Outcome<Undisturbed> {
    let name = "crash-00-a";
    let mark = tier.cluster.audit.mark()?;
    tier.running(&entity_with_office(name)).await?;
    let writes = u32::try_from(tier.cluster.audit.writes(mark, USER)?.len())?;
    let pods = settled_pods(tier, name, None).await?;
    let objects = comparable(&kinds.all(&tier.cluster.client, name).await?, name)?;
    Ok(Undisturbed { writes, objects, pods })
}

/// The number of pods, once it is `expected` or, without one, as it is.
async fn settled_pods(tier: &ControlPlane, namespace: &str, expected: Option<usize>) -> Outcome<usize> {
    eventually("the pods are as many as expected", Duration::from_secs(30), async || {
        let pods = tier
            .cluster
            .kubectl
            .ok(&["get", "pods", "-n", namespace, "-o", "name", "--field-selector=status.phase=Running"])
            .await?;
        let count = pods.lines().count();
        ensure!(expected.is_none_or(|expected| expected == count), "there are {count}: {pods}");
        Ok(count)
    })
    .await
}

async fn after_each_write(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.cluster_for(Purpose::Kills).await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let tier = &*tier;
    let reference = undisturbed(tier, &kinds).await?;
    ensure!(reference.writes >= 15, "an office took only {} writes", reference.writes);
    eprintln!("an entity with an office takes {} writes", reference.writes);
    tier.stop_operator().await?;
    let gate = Gate::open(client(&tier.kubeconfig()).await?).await?;
    let through_gate = tier.file("gate.kubeconfig");
    redirected(&tier.kubeconfig(), &gate.server(), &through_gate)?;
    let kills = Kills { tier, kinds, reference, gate, through_gate };
    let ended = after_all(&kills).await;
    tier.forget_leader().await?;
    tier.start_operator().await?;
    ended
}

async fn after_all(kills: &Kills<'_>) -> Outcome {
    let mut operator = kills.fresh().await?;
    for number in 1..=kills.reference.writes {
        let mut round = kills.after(number, &format!("crash-{number:02}-a"), operator).await;
        if round.as_ref().is_err_and(|failure| failure.to_string().contains(LEASE_LOST)) {
            // A machine too busy to renew a Lease in time says nothing about the kill: once more.
            round = kills.after(number, &format!("crash-{number:02}-b"), kills.fresh().await?).await;
        }
        let during =
            |failure: Failure| failure.during(&format!("killed after write {number} of {}", kills.reference.writes));
        let Some(fresh) = round.map_err(during)? else { break };
        operator = fresh;
    }
    Ok(())
}

/// What all rounds share.
struct Kills<'a> {
    tier: &'a ControlPlane,
    kinds: Kinds,
    reference: Undisturbed,
    gate: Gate,
    through_gate: PathBuf,
}

impl Kills<'_> {
    async fn fresh(&self) -> Outcome<HostOperator> {
        self.gate.release();
        self.tier.forget_leader().await?;
        HostOperator::start(&self.tier.cluster, &self.through_gate, &self.tier.log()).await
    }

    /// Kills `operator` after its `number`-th write for the Entity `name`, and has a fresh one go on,
    /// which is given; none when that many writes were not made: those of the status may fall together.
    async fn after(&self, number: u32, name: &str, mut operator: HostOperator) -> Outcome<Option<HostOperator>> {
        self.gate.set(name, number, operator.pid());
        self.tier.cluster.applied(&[entity_with_office(name)]).await?;
        let killed = tokio::select! {
            ended = operator.ended(READY) => ended.map(|()| true)?,
            done = self.done(name) => done.map(|()| false)?,
        };
        let passed = self.gate.passed();
        // Every object took a write at least.
        let least = if killed { number } else { u32::try_from(self.reference.objects.len())? };
        ensure!(passed >= least, "killed: {killed}; {passed} writes passed; {}", tail(&self.tier.log()));
        let kept = treasures(&self.kinds.all(&self.tier.cluster.client, name).await?);
        if !killed {
            self.finished(name, &kept).await?;
            return Ok(None);
        }
        let fresh = self.fresh().await?;
        self.finished(name, &kept).await?;
        Ok(Some(fresh))
    }

    /// Waits until the Entity is Ready and nothing more is written about it.
    async fn done(&self, name: &str) -> Outcome {
        ready(&self.tier.entities(), name, READY).await?;
        loop {
            let passed = self.gate.passed();
            // Not a wait for something: a moment in which nothing may be written.
            tokio::time::sleep(Duration::from_secs(2)).await;
            if self.gate.passed() == passed {
                return Ok(());
            }
        }
    }

    async fn finished(&self, name: &str, kept: &BTreeMap<String, Value>) -> Outcome {
        ready(&self.tier.entities(), name, READY).await?;
        settled_pods(self.tier, name, Some(self.reference.pods)).await?;
        let objects = self.kinds.all(&self.tier.cluster.client, name).await?;
        let lines = differences(&self.reference.objects, &comparable(&objects, name)?);
        ensure!(lines.is_empty(), "not the same objects as without a kill:\n{}", lines.join("\n"));
        let now = treasures(&objects);
        for (key, before) in kept {
            ensure_eq!(now.get(key), Some(before), "{key}, made before the kill");
        }
        Ok(())
    }
}
