//! Faults at the n-th request of an operation: afterwards there are the same objects as without one,
//! nothing is doubled or lost, and the operator asks for nothing any more.

mod check;
mod operation;
mod seed;
mod summary;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{join_all, try_join_all};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::allowance::AT_REST;
use crate::chart::USER;
use crate::control_plane::ControlPlane;
use crate::failure::{Failure, Outcome};
use crate::faults::{Fault, Faults, Filter, Planned};
use crate::objects::Kinds;
use crate::operator::{self, HostOperator, redirected, tail};
use crate::proxy::Proxy;
use crate::resources;
use crate::wait::gone;

pub use check::Undisturbed;
pub use operation::Operation;
pub use seed::{Seed, VARIABLE};
pub use summary::{Summary, Tried};

/// An operation ends within this whatever fault it meets: one without an answer lasts longest.
const END: Duration = Duration::from_mins(3);
/// How long nothing is asked for before the operator counts as at rest.
const QUIET: Duration = Duration::from_secs(3);
/// It comes to rest within this.
const REST: Duration = Duration::from_mins(2);
/// A signal has its effect within this.
const SIGNAL: Duration = Duration::from_secs(1);
/// So often an operator is started that ends before it is ready.
const STARTS: usize = 5;
/// How an operator ends that could not renew its Lease: a machine too busy says nothing of a fault.
const LEASE_LOST: &str = "the Lease was lost";

/// One fault at one request of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// What is done.
    pub operation: Operation,
    /// What goes wrong.
    pub fault: Fault,
    /// At which request of the operation; of a fault of watches, at which watch of the operator.
    pub at: u32,
}

impl Case {
    /// The name of the Entity; all have the same length.
    fn name(self) -> String {
        format!("{}-{}{:03}", self.operation.word(), self.fault.letter(), self.at)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} at request {}", self.operation, self.fault, self.at)
    }
}

/// A cluster whose operator finds the API server behind a proxy.
pub struct Sweep<'a> {
    tier: &'a ControlPlane,
    kinds: Kinds,
    faults: Arc<Faults>,
    proxy: Proxy,
    through_proxy: PathBuf,
    operator: HostOperator,
    references: BTreeMap<Operation, Undisturbed>,
    watches: u32,
}

impl<'a> Sweep<'a> {
    /// Puts the proxy between the tier's operator and its API server, and lets revisions roll out by
    /// themselves.
    ///
    /// # Errors
    /// When the operator does not stop or start.
    pub async fn begin(tier: &'a ControlPlane) -> Outcome<Self> {
        let kinds = Kinds::discover(&tier.cluster.client).await?;
        rollout(tier, "Automatic").await?;
        // Down already after a scenario that failed is as good.
        let _ = tier.stop_operator().await;
        tier.forget_leader().await?;
        let faults = Arc::new(Faults::default());
        let proxy = Proxy::open(operator::client(&tier.kubeconfig()).await?, Arc::clone(&faults)).await?;
        let through_proxy = tier.file("proxy.kubeconfig");
        redirected(&tier.kubeconfig(), &proxy.server(), &through_proxy)?;
        let counted = faults.count(of_watches());
        let operator = HostOperator::start(&tier.cluster, &through_proxy, &tier.log()).await?;
        faults.victim(operator.pid());
        let mut sweep =
            Self { tier, kinds, faults, proxy, through_proxy, operator, references: BTreeMap::new(), watches: 0 };
        sweep.rest().await?;
        sweep.watches = sweep.faults.seen(counted);
        Ok(sweep)
    }

    /// Gives the tier its own operator back.
    ///
    /// # Errors
    /// When an operator does not stop or start.
    pub async fn end(self) -> Outcome {
        self.operator.stop().await?;
        rollout(self.tier, "Manual").await?;
        self.tier.start_operator().await
    }

    /// Learns what each operation leaves without a fault, and how many requests it takes.
    ///
    /// # Errors
    /// When one does not end.
    pub async fn learn(&mut self, operations: &[Operation]) -> Outcome {
        let cluster = &self.tier.cluster;
        let name = |operation: &Operation| format!("{}-u000", operation.word());
        try_join_all(operations.iter().map(async |one| one.prepare(cluster, &name(one), END).await)).await?;
        self.rest().await?;
        let counted: Vec<Planned> = operations.iter().map(|one| self.faults.count(Filter::about(&name(one)))).collect();
        let begun = Instant::now();
        try_join_all(operations.iter().map(async |one| {
            one.act(cluster, &name(one)).await?;
            one.done(cluster, &name(one), END).await
        }))
        .await?;
        self.rest().await?;
        let seen = check::Seen { tier: self.tier, kinds: &self.kinds, proxy: &self.proxy, begun };
        for (operation, counted) in operations.iter().zip(counted) {
            let left = seen.undisturbed(&name(operation), self.faults.seen(counted)).await?;
            eprintln!("{operation}: {} requests, {} objects", left.requests, left.objects.len());
            self.references.insert(*operation, left);
        }
        Ok(())
    }

    /// How many requests an operation takes that was learnt.
    pub fn requests(&self, operation: Operation) -> u32 {
        self.references.get(&operation).map_or(0, |reference| reference.requests)
    }

    /// How many watches the operator opens when it starts.
    pub fn watches(&self) -> u32 {
        self.watches
    }

    /// Plays cases of operations that were learnt side by side, each with an Entity of its own. Faults of watches strike an operator that is started for them.
    ///
    /// # Errors
    /// When the operator cannot be started again.
    pub async fn play(&mut self, cases: &[Case], summary: &mut Summary) -> Outcome {
        let prepared = join_all(
            cases.iter().map(async |case| case.operation.prepare(&self.tier.cluster, &case.name(), END).await),
        )
        .await;
        // What is still asked for is told after the cases.
        let _ = self.rest().await;
        let kept = join_all(cases.iter().map(|case| self.treasures(case.name()))).await;
        let begun = Instant::now();
        let planned = self.plan(cases).await?;
        let acted = self.act(cases, &planned, summary).await?;
        self.revive(cases, &planned, summary).await?;
        for (index, (case, acted)) in cases.iter().zip(acted).enumerate() {
            let took = acted.as_ref().copied().unwrap_or_else(|_| begun.elapsed());
            let seen = check::Seen { tier: self.tier, kinds: &self.kinds, proxy: &self.proxy, begun };
            let ended = match (&prepared[index], acted) {
                (Err(failure), _) => Err(Failure::new(format!("before the fault: {failure}"))),
                (Ok(()), Err(failure)) => Err(failure),
                (Ok(()), Ok(_)) => seen.same(&self.references[&case.operation], &case.name(), &kept[index]).await,
            };
            let failure = ended.err().map(|failure| failure.to_string());
            summary.add(Tried { case: *case, struck: self.faults.struck(planned[index]), failure, took });
        }
        self.revive(cases, &planned, summary).await?;
        if let (Err(failure), Some(first)) = (self.rest().await, cases.first()) {
            summary.failed(format!("after {first} and {} others: {failure}", cases.len() - 1));
        }
        Ok(())
    }

    /// All acts at once, until each has come to its end; an operator that ends meanwhile is followed by
    /// another. How long each took.
    async fn act(
        &mut self,
        cases: &[Case],
        planned: &[Planned],
        summary: &mut Summary,
    ) -> Outcome<Vec<Outcome<Duration>>> {
        let cluster = &self.tier.cluster;
        let acting = async |case: &Case| -> Outcome<Duration> {
            let begun = Instant::now();
            case.operation.act(cluster, &case.name()).await?;
            case.operation.done(cluster, &case.name(), END).await?;
            Ok(begun.elapsed())
        };
        let working = join_all(cases.iter().map(acting));
        tokio::pin!(working);
        loop {
            tokio::select! {
                ended = &mut working => return Ok(ended),
                died = self.operator.ended(Duration::from_hours(1)) => died?,
            }
            summary.failed_if(self.after_end(cases, planned));
            self.operator = fresh(self.tier, &self.through_proxy).await?;
            self.faults.victim(self.operator.pid());
        }
    }

    /// Another operator in the place of one that the last request of an operation was the end of.
    async fn revive(&mut self, cases: &[Case], planned: &[Planned], summary: &mut Summary) -> Outcome {
        if self.operator.ended(SIGNAL).await.is_ok() {
            summary.failed_if(self.after_end(cases, planned));
            self.operator = fresh(self.tier, &self.through_proxy).await?;
            self.faults.victim(self.operator.pid());
        }
        Ok(())
    }

    /// What is wrong with it that the operator ended: nothing when a fault killed it.
    fn after_end(&self, cases: &[Case], planned: &[Planned]) -> Option<String> {
        let words = tail(&self.tier.log());
        let of_kill =
            |(case, plan): (&Case, &Planned)| case.fault == Fault::Kill && self.faults.struck(*plan).is_some();
        let expected = cases.iter().zip(planned).any(of_kill) || words.contains(LEASE_LOST);
        (!expected).then(|| format!("the operator ended by itself: {words}"))
    }

    /// Deletes the Entities of cases, so that they never add up.
    ///
    /// # Errors
    /// When one does not go.
    pub async fn discard(&self, cases: &[Case]) -> Outcome {
        let api = resources::ours(&self.tier.cluster.client, "Entity");
        for case in cases {
            // Gone already is as good.
            let _ = api.delete(&case.name(), &DeleteParams::background()).await;
        }
        for case in cases {
            gone(&api, &case.name(), END).await?;
        }
        self.rest().await
    }

    async fn plan(&mut self, cases: &[Case]) -> Outcome<Vec<Planned>> {
        let of_watch = |case: &Case| Fault::OF_WATCHES.contains(&case.fault);
        if cases.iter().any(of_watch) {
            self.operator.halt().await?;
        }
        let plan = |case: &Case| {
            let filter = if of_watch(case) { of_watches() } else { Filter::about(&case.name()) };
            self.faults.plan(filter, case.at, case.fault)
        };
        let planned = cases.iter().map(plan).collect();
        if cases.iter().any(of_watch) {
            self.operator = fresh(self.tier, &self.through_proxy).await?;
            self.faults.victim(self.operator.pid());
        }
        Ok(planned)
    }

    async fn treasures(&self, name: String) -> BTreeMap<String, serde_json::Value> {
        let objects = self.kinds.all(&self.tier.cluster.client, &name).await.unwrap_or_default();
        crate::objects::treasures(&objects)
    }

    async fn rest(&self) -> Outcome {
        self.tier.cluster.audit.at_rest(USER, QUIET, REST, &AT_REST, |_| true).await
    }
}

fn of_watches() -> Filter {
    Filter { verbs: &["watch"], ..Filter::default() }
}

/// An operator behind the proxy after another that is gone; the next fault may kill it at once.
async fn fresh(tier: &ControlPlane, kubeconfig: &Path) -> Outcome<HostOperator> {
    let mut tries = 0;
    loop {
        tier.forget_leader().await?;
        tries += 1;
        match HostOperator::start(&tier.cluster, kubeconfig, &tier.log()).await {
            Err(_) if tries < STARTS => {}
            started => return started,
        }
    }
}

async fn rollout(tier: &ControlPlane, strategy: &str) -> Outcome {
    let platforms = resources::ours(&tier.cluster.client, "Platform");
    let patch = json!({"spec": {"rollout": {"strategy": strategy}}});
    platforms.patch("default", &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}
