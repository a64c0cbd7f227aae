//! The operator killed after each of its writes goes on from where it was.
//!
//! How many writes one instance takes is counted in the API server's audit log. Then, for each
//! number up to it, an operator behind a gate is killed right after its n-th write reached the API
//! server and before it learnt of the answer; a fresh one finishes the work. All of that on a cluster
//! of its own, where nobody else needs an operator meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::gate::Gate;
use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::objects::{Kinds, comparable, differences, treasures};
use commonscloud_e2e::operator::{HostOperator, redirected, tail};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

use crate::tier::{ControlPlane, READY};

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

async fn after_each_write(_: Arc<ControlPlane>) -> Outcome {
    let tier = ControlPlane::for_kills().await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let reference = undisturbed(&tier, &kinds).await?;
    ensure!(reference.writes >= 15, "an office took only {} writes", reference.writes);
    eprintln!("an entity with an office takes {} writes", reference.writes);
    tier.stop_operator().await?;
    for number in 1..=reference.writes {
        let mut passed = killed_after(&tier, &kinds, &format!("crash-{number:02}-a"), number, &reference).await;
        if passed.as_ref().is_err_and(|failure| failure.to_string().contains(LEASE_LOST)) {
            // A machine too busy to renew a Lease in time says nothing about the kill: once more.
            passed = killed_after(&tier, &kinds, &format!("crash-{number:02}-b"), number, &reference).await;
        }
        let during = |failure: Failure| failure.during(&format!("killed after write {number} of {}", reference.writes));
        if passed.map_err(during)? < number {
            break;
        }
    }
    Ok(())
}

/// A client with the operator's identity, for the gate.
async fn as_operator(tier: &ControlPlane) -> Outcome<Client> {
    let config = Kubeconfig::read_from(tier.kubeconfig())?;
    Ok(Client::try_from(Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?)?)
}

/// Gives how many writes passed: fewer than `number` when the run was done before, since writes of
/// the status may fall together.
async fn killed_after(
    tier: &ControlPlane,
    kinds: &Kinds,
    name: &str,
    number: u32,
    reference: &Undisturbed,
) -> Outcome<u32> {
    tier.forget_leader().await?;
    let gate = Gate::open(as_operator(tier).await?, number).await?;
    let through_gate = tier.file("gate.kubeconfig");
    redirected(&tier.kubeconfig(), &gate.server(), &through_gate)?;
    let mut doomed = HostOperator::spawn(&tier.cluster, &through_gate, &tier.log())?;
    gate.aim(doomed.pid());
    doomed.ready().await?;
    tier.cluster.applied(&[entity_with_office(name)]).await?;
    let killed = doomed.ended(Duration::from_secs(45)).await;
    let passed = gate.passed();
    let enough = match &killed {
        Ok(()) => passed >= number,
        // Every object took a write at least.
        Err(_) => usize::try_from(passed)? >= reference.objects.len(),
    };
    ensure!(enough, "{killed:?}: {passed} writes passed; {}", tail(&tier.log()));
    let kept = treasures(&kinds.all(&tier.cluster.client, name).await?);

    tier.forget_leader().await?;
    let fresh = HostOperator::start(&tier.cluster, &tier.kubeconfig(), &tier.log()).await?;
    let finished = finished(tier, kinds, name, reference, &kept).await;
    fresh.kill().await?;
    finished?;
    Ok(passed)
}

async fn finished(
    tier: &ControlPlane,
    kinds: &Kinds,
    name: &str,
    reference: &Undisturbed,
    kept: &BTreeMap<String, Value>,
) -> Outcome {
    ready(&tier.entities(), name, READY).await?;
    settled_pods(tier, name, Some(reference.pods)).await?;
    let objects = kinds.all(&tier.cluster.client, name).await?;
    let lines = differences(&reference.objects, &comparable(&objects, name)?);
    ensure!(lines.is_empty(), "not the same objects as without a kill:\n{}", lines.join("\n"));
    let now = treasures(&objects);
    for (key, before) in kept {
        ensure_eq!(now.get(key), Some(before), "{key}, made before the kill");
    }
    Ok(())
}
