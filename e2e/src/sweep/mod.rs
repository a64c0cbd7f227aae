//! Faults at the n-th request of an operation: afterwards there are the same objects as without one,
//! nothing is doubled or lost, and the operator asks for nothing any more.

mod check;
mod operation;
mod summary;
mod victim;

use std::collections::BTreeMap;
use std::fmt;
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
use crate::operator::{client, redirected};
use crate::proxy::Proxy;
use crate::resources;
use crate::wait::gone;
use victim::Victim;

pub use check::Undisturbed;
pub use operation::Operation;
pub use summary::{Summary, Tried};

/// An operation ends within this whatever fault it meets: one without an answer lasts longest.
const END: Duration = Duration::from_mins(3);
/// How long nothing is asked for before the operator counts as at rest.
const QUIET: Duration = Duration::from_secs(3);
/// It comes to rest within this.
const REST: Duration = Duration::from_mins(2);

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
    victim: Victim<'a>,
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
        let proxy = Proxy::open(client(&tier.kubeconfig()).await?, Arc::clone(&faults)).await?;
        let through_proxy = tier.file("proxy.kubeconfig");
        redirected(&tier.kubeconfig(), &proxy.server(), &through_proxy)?;
        let counted = faults.count(of_watches());
        let victim = Victim::start(tier, through_proxy, Arc::clone(&faults)).await?;
        let mut sweep = Self { tier, kinds, faults, proxy, victim, references: BTreeMap::new(), watches: 0 };
        sweep.rest().await?;
        sweep.watches = sweep.faults.seen(counted);
        Ok(sweep)
    }

    /// Gives the tier its own operator back.
    ///
    /// # Errors
    /// When an operator does not stop or start.
    pub async fn end(self) -> Outcome {
        self.victim.stop().await?;
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
        let cluster = &self.tier.cluster;
        let acting = join_all(cases.iter().map(async |case| -> Outcome<Duration> {
            let begun = Instant::now();
            case.operation.act(cluster, &case.name()).await?;
            case.operation.done(cluster, &case.name(), END).await?;
            Ok(begun.elapsed())
        }));
        let kills = kills(&self.faults, cases, &planned);
        self.victim.begin();
        let acted = self.victim.outlived(acting, &kills, summary).await?;
        let seen = check::Seen { tier: self.tier, kinds: &self.kinds, proxy: &self.proxy, begun };
        // The last kills strike when what was asked for is there already.
        let checking = async {
            let mut tried = Vec::new();
            for (index, (case, acted)) in cases.iter().zip(acted).enumerate() {
                let took = acted.as_ref().copied().unwrap_or_else(|_| begun.elapsed());
                let ended = match (&prepared[index], acted) {
                    (Err(failure), _) => Err(Failure::new(format!("before the fault: {failure}"))),
                    (Ok(()), Err(failure)) => Err(failure),
                    (Ok(()), Ok(_)) => seen.same(&self.references[&case.operation], &case.name(), &kept[index]).await,
                };
                let failure = ended.err().map(|failure| failure.to_string());
                tried.push(Tried { case: *case, struck: self.faults.struck(planned[index]), failure, took });
            }
            tried
        };
        let tried = self.victim.outlived(checking, &kills, summary).await?;
        for tried in tried {
            summary.add(tried);
        }
        let resting = self.victim.outlived(rest(self.tier), &kills, summary).await?;
        self.faults.lapse();
        if let (Err(failure), Some(first)) = (resting, cases.first()) {
            summary.failed(format!("after {first} and {} others: {failure}", cases.len() - 1));
        }
        Ok(())
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
        let disturbs = cases.iter().any(of_watch);
        if disturbs {
            self.victim.halt().await?;
        }
        let plan = |case: &Case| {
            let filter = if of_watch(case) { of_watches() } else { Filter::about(&case.name()) };
            self.faults.plan(filter, case.at, case.fault)
        };
        let planned = cases.iter().map(plan).collect();
        if disturbs {
            self.victim.replace().await?;
        }
        Ok(planned)
    }

    async fn treasures(&self, name: String) -> BTreeMap<String, serde_json::Value> {
        let objects = self.kinds.all(&self.tier.cluster.client, &name).await.unwrap_or_default();
        crate::objects::treasures(&objects)
    }

    async fn rest(&self) -> Outcome {
        rest(self.tier).await
    }
}

async fn rest(tier: &ControlPlane) -> Outcome {
    tier.cluster.audit.at_rest(USER, QUIET, REST, &AT_REST, |_| true).await
}

/// How many faults have killed an operator.
fn kills(faults: &Faults, cases: &[Case], planned: &[Planned]) -> impl Fn() -> usize {
    let is_kill = |(case, plan): &(&Case, &Planned)| case.fault == Fault::Kill && faults.struck(**plan).is_some();
    move || cases.iter().zip(planned).filter(is_kill).count()
}

fn of_watches() -> Filter {
    Filter { verbs: &["watch"], ..Filter::default() }
}

async fn rollout(tier: &ControlPlane, strategy: &str) -> Outcome {
    let platforms = resources::ours(&tier.cluster.client, "Platform");
    let patch = json!({"spec": {"rollout": {"strategy": strategy}}});
    platforms.patch("default", &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}
