//! Two replicas, and the leader ends: `failover.*`.

use std::time::{Duration, Instant};

use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, chart, ensure, fleet};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams};
use kube::core::{ApiResource, DynamicObject};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::bench::Bench;
use crate::clock::number;
use crate::plan::Plan;
use crate::process::Operator;
use crate::report::Report;
use crate::requests;
use crate::sight::Sight;
use crate::{floor, ready};

/// Longer than a Lease holds.
const LIMIT: Duration = Duration::from_mins(1);
/// In which a leader that wakes up does whatever it still does.
const AWAKE: Duration = Duration::from_secs(10);

/// Ends the leader gracefully, kills it, and puts it to sleep in the middle of work.
pub async fn measure(bench: &mut Bench, prefix: &str, plan: &Plan, report: &mut Report) -> Outcome {
    let (mut graceful, mut crash) = (Vec::new(), Vec::new());
    for round in 0..plan.failovers {
        graceful.push(ends(bench, Signal::SIGTERM, &format!("{prefix}-0"), 2 * round).await?);
        crash.push(ends(bench, Signal::SIGKILL, &format!("{prefix}-0"), 2 * round + 1).await?);
    }
    let most = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    report.measured("failover.graceful_s", most(&graceful));
    report.measured("failover.crash_s", most(&crash));
    report.detail("failover", json!({"graceful_s": graceful, "crash_s": crash}));
    let stale = sleeps(bench).await?;
    report.measured("failover.stale_writes", number(stale));
    Ok(())
}

/// Seconds from a signal to the leader until the other replica has undone a deletion that followed.
async fn ends(bench: &mut Bench, signal: Signal, namespace: &str, round: usize) -> Outcome<f64> {
    let (mut leader, other) = replicas(bench, &format!("replica{round}")).await?;
    let maps = ApiResource::erase::<ConfigMap>(&());
    let maps: Api<DynamicObject> = Api::namespaced_with(bench.cluster.client.clone(), namespace, &maps);
    let mut sight = Sight::of(&maps, "s1-app").await?;
    let uid = sight.object["metadata"]["uid"].clone();
    let begun = Instant::now();
    leader.signal(signal)?;
    leader.gone().await?;
    maps.delete("s1-app", &DeleteParams::background()).await?;
    let undone = sight.until(|now| now["metadata"]["uid"] != uid).await?;
    bench.operator = Some(other);
    Ok(undone.saturating_duration_since(begun).as_secs_f64())
}

/// The operator that leads, and another that is ready to.
async fn replicas(bench: &mut Bench, name: &str) -> Outcome<(Operator, Operator)> {
    let leader = bench.operator.take().ok_or_else(|| Failure::new("the operator does not run"))?;
    let mut other = bench.replica(name, None).await?;
    other.ready().await?;
    let pid = format!("-{}", leader.pid);
    eventually("the first replica leads", LIMIT, async || {
        let holder = holder(bench).await?;
        ensure!(holder.ends_with(&pid), "{holder} leads");
        Ok(())
    })
    .await?;
    Ok((leader, other))
}

async fn holder(bench: &Bench) -> Outcome<String> {
    let leases: Api<Lease> = Api::namespaced(bench.cluster.client.clone(), chart::NAMESPACE);
    let lease = leases.get("commonscloud-operator").await?;
    Ok(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default())
}

/// Stops the leader's process in the middle of work until another leads, wakes it, and counts what it
/// still writes after the other has taken over.
async fn sleeps(bench: &mut Bench) -> Outcome<usize> {
    let (leader, other) = replicas(bench, "sleepless").await?;
    let mark = requests::mark(bench.audit_log())?;
    let entities = fleet::entities("slept", 6);
    let batches = [entities];
    let asleep = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        leader.signal(Signal::SIGSTOP)
    };
    futures::try_join!(floor::apply(bench, &batches), asleep)?;
    let pid = format!("-{}", other.pid);
    eventually("the other replica leads", LIMIT, async || {
        let holder = holder(bench).await?;
        ensure!(holder.ends_with(&pid), "{holder} leads");
        Ok(())
    })
    .await?;
    leader.signal(Signal::SIGCONT)?;
    ready::entities(&bench.cluster.client, "slept", 6).await?;
    tokio::time::sleep(AWAKE).await;
    let requests = requests::since(bench.audit_log(), mark)?;
    // Of one length and in one zone, times compare as text.
    let by_other = |r: &&requests::Request| {
        r.resource == "leases" && r.credential == other.credential && r.verb == "update" && r.code == 200
    };
    let taken = requests.iter().find(by_other).map(|request| request.received.clone());
    let taken = taken.ok_or_else(|| Failure::new("the audit log has no Lease of the other replica"))?;
    let late = requests.iter().filter(|r| r.is_write() && r.credential == leader.credential && r.received > taken);
    let late = late.count();
    drop(leader);
    bench.operator = Some(other);
    Ok(late)
}
