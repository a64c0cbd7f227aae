//! Two operators on one cluster, each behind a proxy of its own, by which their writes are told apart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::faults::Faults;
use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::operator::{HostOperator, client, redirected};
use commonscloud_e2e::proxy::{Call, Judge, Proxy, Verdict};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("of two operators one writes, and a leader that is stopped hands over within seconds", graceful)
            .apart(),
        Scenario::new(
            "a leader that slept beyond its Lease in the middle of its work writes nothing more, and ends",
            slept,
        )
        .apart(),
    ]
}

/// A candidate looks every second; a busy machine takes its time.
const GRACEFUL: Duration = Duration::from_secs(5);
/// A Lease holds for 15 seconds, and a candidate looks every second.
const EXPIRED: Duration = Duration::from_secs(30);
/// A leader that finds its Lease gone ends within this.
const END: Duration = Duration::from_secs(20);

/// An operator behind a proxy.
struct Behind<J> {
    operator: HostOperator,
    proxy: Proxy,
    judge: Arc<J>,
}

impl<J: Judge> Behind<J> {
    async fn start(tier: &ControlPlane, name: &str, judge: J) -> Outcome<Self> {
        let judge = Arc::new(judge);
        let proxy = Proxy::open(client(&tier.kubeconfig()).await?, Arc::clone(&judge)).await?;
        let kubeconfig = tier.file(&format!("{name}.kubeconfig"));
        redirected(&tier.kubeconfig(), &proxy.server(), &kubeconfig)?;
        let operator = HostOperator::start(&tier.cluster, &kubeconfig, &tier.file(&format!("{name}.log"))).await?;
        Ok(Self { operator, proxy, judge })
    }

    fn writes(&self, since: Instant) -> Vec<String> {
        self.proxy.writes_since(since).iter().map(Call::shown).collect()
    }
}

/// Who holds the Lease; empty when nobody does.
async fn holder(tier: &ControlPlane) -> Outcome<String> {
    let leases: Api<Lease> = Api::namespaced(tier.cluster.client.clone(), NAMESPACE);
    let lease = leases.get("commonscloud-operator").await?;
    Ok(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default())
}

fn leads(holder: &str, pid: i32) -> bool {
    holder.ends_with(&format!("-{pid}"))
}

async fn leading(tier: &ControlPlane, pid: i32, limit: Duration) -> Outcome {
    eventually("the Lease changes hands", limit, async || {
        let holder = holder(tier).await?;
        ensure!(leads(&holder, pid), "it is held by {holder:?}, not by process {pid}");
        Ok(())
    })
    .await
}

/// With the tier's own operator out of the way, which comes back whatever happened.
async fn in_its_place(tier: &ControlPlane, scenario: impl Future<Output = Outcome>) -> Outcome {
    tier.stop_operator().await?;
    let ended = scenario.await;
    tier.forget_leader().await?;
    tier.start_operator().await?;
    ended
}

async fn graceful(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    in_its_place(&tier, hand_over(&tier)).await
}

async fn hand_over(tier: &ControlPlane) -> Outcome {
    let begun = Instant::now();
    let first = Behind::start(tier, "first", Faults::default()).await?;
    leading(tier, first.operator.pid(), EXPIRED).await?;
    let second = Behind::start(tier, "second", Faults::default()).await?;
    tier.running(&entity_with_office("two-operators")).await?;
    ensure!(!first.writes(begun).is_empty(), "the leader wrote nothing");
    ensure_eq!(second.writes(begun), Vec::<String>::new(), "writes of the operator that does not lead");

    let asked = Instant::now();
    let Behind { operator, proxy, .. } = first;
    operator.stop().await?;
    leading(tier, second.operator.pid(), GRACEFUL).await?;
    let handed_over = asked.elapsed();
    eprintln!("SIGTERM until the other operator leads: {:.1} s", handed_over.as_secs_f64());
    ensure!(handed_over <= GRACEFUL, "handed over after {:.1} s", handed_over.as_secs_f64());
    let taken = Instant::now();
    tier.running(&entity_with_office("handed-over")).await?;
    ensure_eq!(proxy.writes_since(taken).len(), 0, "writes of the operator that was stopped");
    ensure!(!second.writes(taken).is_empty(), "the new leader wrote nothing");
    second.operator.stop().await.map(drop)
}

/// Stops a process after its n-th write about an Entity reached the API server.
#[derive(Debug)]
struct Sleeper {
    entity: &'static str,
    plan: std::sync::Mutex<(u32, i32)>,
}

impl Judge for Sleeper {
    fn judge(&self, call: &Call) -> Verdict {
        let Ok(mut plan) = self.plan.lock() else { return Verdict::Pass };
        if plan.0 == 0 || !call.is_write() || !call.concerns(self.entity) {
            return Verdict::Pass;
        }
        plan.0 -= 1;
        if plan.0 > 0 { Verdict::Pass } else { Verdict::SignalAfter(Pid::from_raw(plan.1), Signal::SIGSTOP) }
    }
}

impl Sleeper {
    fn set(&self, writes: u32, pid: i32) -> Outcome {
        *self.plan.lock().map_err(|_| Failure::new("the plan is poisoned"))? = (writes, pid);
        Ok(())
    }
}

async fn slept(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    in_its_place(&tier, sleep_over(&tier)).await
}

async fn sleep_over(tier: &ControlPlane) -> Outcome {
    let name = "slept-over";
    let sleeper = Sleeper { entity: name, plan: std::sync::Mutex::default() };
    let mut first = Behind::start(tier, "sleeper", sleeper).await?;
    let pid = first.operator.pid();
    leading(tier, pid, EXPIRED).await?;
    let second = Behind::start(tier, "waking", Faults::default()).await?;
    first.judge.set(8, pid)?;
    tier.cluster.applied(&[entity_with_office(name)]).await?;
    let asleep = Instant::now();
    leading(tier, second.operator.pid(), EXPIRED).await?;
    eprintln!("SIGSTOP until the other operator leads: {:.1} s", asleep.elapsed().as_secs_f64());
    let taken = Instant::now();
    ready(&tier.entities(), name, READY).await?;
    ensure!(!second.writes(taken).is_empty(), "the new leader wrote nothing");

    let woken = Instant::now();
    kill(Pid::from_raw(pid), Signal::SIGCONT)?;
    first.operator.ended(END).await.map_err(|failure| failure.during("a leader without a Lease"))?;
    ensure_eq!(first.writes(woken), Vec::<String>::new(), "writes of the leader that slept beyond its Lease");
    ready(&tier.entities(), name, READY).await?;
    second.operator.stop().await.map(drop)
}
