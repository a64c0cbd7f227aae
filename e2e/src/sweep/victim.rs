//! The operator that faults may kill: whatever is waited for, another takes its place when it ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::summary::Summary;
use crate::control_plane::ControlPlane;
use crate::failure::{Failure, Outcome};
use crate::faults::Faults;
use crate::operator::{HostOperator, tail};

/// A signal has its effect within this.
const SIGNAL: Duration = Duration::from_secs(1);
/// Longer than anything that is waited for.
const FOREVER: Duration = Duration::from_hours(1);
/// So often an operator is started that ends before it is ready.
const STARTS: usize = 5;
/// How an operator ends that could not renew its Lease: a machine too busy says nothing of a fault.
const LEASE_LOST: &str = "the Lease was lost";

/// The operator behind the proxy.
pub(super) struct Victim<'a> {
    tier: &'a ControlPlane,
    kubeconfig: PathBuf,
    faults: Arc<Faults>,
    operator: HostOperator,
    /// How often it ended since the batch began.
    ends: usize,
}

impl<'a> Victim<'a> {
    pub(super) async fn start(tier: &'a ControlPlane, kubeconfig: PathBuf, faults: Arc<Faults>) -> Outcome<Self> {
        let operator = HostOperator::start(&tier.cluster, &kubeconfig, &tier.log()).await?;
        faults.victim(operator.pid());
        Ok(Self { tier, kubeconfig, faults, operator, ends: 0 })
    }

    /// Stops the one that is followed by another.
    pub(super) async fn halt(&mut self) -> Outcome {
        self.operator.halt().await.map(drop)
    }

    /// Starts another in the place of one that has ended.
    pub(super) async fn replace(&mut self) -> Outcome {
        self.operator = fresh(self.tier, &self.kubeconfig).await?;
        self.faults.victim(self.operator.pid());
        Ok(())
    }

    pub(super) async fn stop(self) -> Outcome {
        self.operator.stop().await.map(drop)
    }

    /// Waits for what is done, and starts another operator each time one ends, with the last thing that
    /// was done too. So many ends are expected as kills have struck.
    pub(super) async fn outlived<T>(
        &mut self,
        work: impl Future<Output = T>,
        kills: impl Fn() -> usize,
        summary: &mut Summary,
    ) -> Outcome<T> {
        let mut work = std::pin::pin!(work);
        let value = loop {
            tokio::select! {
                value = &mut work => break value,
                ended = self.operator.ended(FOREVER) => ended?,
            }
            self.follow(&kills, summary).await?;
        };
        for _ in 0..STARTS {
            if self.operator.ended(SIGNAL).await.is_err() {
                return Ok(value);
            }
            self.follow(&kills, summary).await?;
        }
        Err(Failure::new(format!("the operator ends each time it is started: {}", tail(&self.tier.log()))))
    }

    async fn follow(&mut self, kills: impl Fn() -> usize, summary: &mut Summary) -> Outcome {
        self.faults.victim(0);
        let words = tail(&self.tier.log());
        if !words.contains(LEASE_LOST) {
            self.ends += 1;
            if self.ends > kills() {
                summary.failed(format!("the operator ended by itself: {words}"));
            }
        }
        self.replace().await
    }

    /// The ends of an earlier batch count no more.
    pub(super) fn begin(&mut self) {
        self.ends = 0;
    }
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
