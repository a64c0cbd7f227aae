//! The operator killed after each write of a removal goes on from where it was, and tells each change once.
//!
//! In each round another member of one Entity is removed, who manages the collective and a service. A gate kills the
//! operator right after its n-th write about that Entity; a fresh one finishes, and is the next to be killed.

use std::path::PathBuf;
use std::sync::Arc;

use commonscloud_e2e::gate::Gate;
use commonscloud_e2e::operator::{HostOperator, client, redirected, tail};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Failure, Outcome, ensure};
use serde_json::{Map, Value, json};

use super::{
    COLLECTIVE, SITE, access, account, bound, collective, managed, patched, seen, signing_in, told, told_once, user,
};
use crate::tier::{ControlPlane, Purpose, READY};

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "the operator killed after each write of a removal takes every right first and tells each change once",
            after_each_write,
        )
        .apart(),
    ]
}

const NAME: &str = "people-killed";
/// So many rounds at the most; a removal takes fewer writes.
const ROUNDS: u32 = 24;

/// What is told of whoever is removed.
const TOLD: [&str; 3] = ["Dismissed", "UnmadeManager", "Removed"];

fn id(round: u32) -> String {
    format!("killed{round:04}")
}

fn name(round: u32) -> String {
    format!("killed-{round}")
}

/// By round, what one of them gets in a map.
fn each(of: impl Fn(u32) -> Value) -> Map<String, Value> {
    (1..=ROUNDS).map(|round| (id(round), of(round))).collect()
}

async fn after_each_write(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.cluster_for(Purpose::Kills).await?;
    let tier = &*tier;
    tier.running(&managed(NAME)).await?;
    signing_in(tier, async || {
        everybody_manages(tier).await?;
        tier.stop_operator().await?;
        let gate = Gate::open(client(&tier.kubeconfig()).await?).await?;
        let through_gate = tier.file("people.kubeconfig");
        redirected(&tier.kubeconfig(), &gate.server(), &through_gate)?;
        let ended = Kills { tier, gate, through_gate }.all().await;
        tier.forget_leader().await?;
        tier.start_operator().await?;
        ended
    })
    .await
}

/// Everybody who is to be removed belongs, manages the collective and manages the service.
async fn everybody_manages(tier: &ControlPlane) -> Outcome {
    let by = tier.cluster.user().await?;
    collective(tier, NAME, "it is there", |_| true).await?;
    access(tier, NAME, "it is there", |_| true).await?;
    let members = each(|round| json!({"displayName": name(round), "mail": "killed@people.example", "by": by}));
    patched(tier, "Collective", NAME, COLLECTIVE, &json!({"spec": {"members": members}})).await?;
    let accounts = each(|round| json!({"account": account(&name(round))}));
    patched(tier, "Collective", NAME, COLLECTIVE, &json!({"spec": {"members": accounts}})).await?;
    let managers = each(|_| json!({"by": by}));
    patched(tier, "Collective", NAME, COLLECTIVE, &json!({"spec": {"managers": managers}})).await?;
    let people = each(|_| json!({"role": "Manager", "by": by}));
    patched(tier, "Access", NAME, SITE, &json!({"spec": {"people": people}})).await?;
    // And pere, with whom it began.
    let all = u64::from(ROUNDS) + 1;
    access(tier, NAME, "all manage it", |seen| seen["status"]["managers"].as_u64() == Some(all)).await?;
    let accepted = |seen: &Value| {
        let members = seen["spec"]["members"].as_object();
        members
            .into_iter()
            .flatten()
            .filter(|(_, member)| member["account"].is_object() && member["mail"].is_null())
            .count()
    };
    collective(tier, NAME, "all accepted", |seen| accepted(seen) == ROUNDS as usize).await.map(drop)
}

struct Kills<'a> {
    tier: &'a ControlPlane,
    gate: Gate,
    through_gate: PathBuf,
}

impl Kills<'_> {
    async fn fresh(&self) -> Outcome<HostOperator> {
        self.gate.release();
        self.tier.forget_leader().await?;
        HostOperator::start(&self.tier.cluster, &self.through_gate, &self.tier.log()).await
    }

    async fn all(&self) -> Outcome {
        let mut operator = self.fresh().await?;
        for round in 1..=ROUNDS {
            let during = |failure: Failure| failure.during(&format!("killed after write {round} of a removal"));
            let Some(fresh) = self.round(round, operator).await.map_err(during)? else {
                ensure!(round > 6, "a removal took only {} writes", round - 1);
                eprintln!("a removal takes {} writes", round - 1);
                return Ok(());
            };
            operator = fresh;
        }
        Err(Failure::new(format!("a removal takes more than {ROUNDS} writes")))
    }

    /// Removes somebody, with the operator killed after its `round`-th write, and gives the one that finished; none
    /// when that many writes were not made.
    async fn round(&self, round: u32, mut operator: HostOperator) -> Outcome<Option<HostOperator>> {
        let (tier, id) = (self.tier, id(round));
        self.gate.set(NAME, round, operator.pid());
        let removal = json!({"spec": {"members": {id.as_str(): {"removed": {"by": tier.cluster.user().await?}}}}});
        patched(tier, "Collective", NAME, COLLECTIVE, &removal).await?;
        let killed = tokio::select! {
            ended = operator.ended(READY) => ended.map(|()| true)?,
            gone = self.gone(&id) => gone.map(|()| false)?,
        };
        self.nobody_has_who_is_told(round).await?;
        let passed = self.gate.passed();
        ensure!(!killed || passed == round, "{passed} writes passed; {}", tail(&tier.log()));
        if !killed {
            // It ends with this, if it was not killed by the very last write.
            drop(operator);
            self.finished(round).await?;
            return Ok(None);
        }
        let fresh = self.fresh().await?;
        self.gone(&id).await?;
        self.finished(round).await?;
        Ok(Some(fresh))
    }

    async fn gone(&self, id: &str) -> Outcome {
        collective(self.tier, NAME, "whoever was removed is gone", |seen| seen["spec"]["members"][id].is_null())
            .await
            .map(drop)
    }

    /// Whatever was told by now, the right was gone before it.
    async fn nobody_has_who_is_told(&self, round: u32) -> Outcome {
        let told = told(self.tier, NAME).await?;
        let is_told =
            |change: &str| told.iter().any(|(_, entry)| entry["person"] == id(round) && entry["change"] == change);
        let bound = bound(self.tier, NAME, &user(&name(round))).await?;
        ensure!(!is_told("Removed") || bound.is_empty(), "told gone, and bound by {bound:?}");
        let of_service = format!("commonscloud-access-{SITE}");
        ensure!(!is_told("Dismissed") || !bound.contains(&of_service), "told dismissed, and bound by {bound:?}");
        Ok(())
    }

    async fn finished(&self, round: u32) -> Outcome {
        let id = id(round);
        for change in TOLD {
            told_once(self.tier, NAME, &id, change).await?;
        }
        let bound = bound(self.tier, NAME, &user(&name(round))).await?;
        ensure!(bound.is_empty(), "gone, and bound by {bound:?}");
        let access = seen(self.tier, "Access", NAME, SITE).await?;
        ensure!(access["spec"]["people"][&id].is_null(), "gone, and in the Access: {}", access["spec"]["people"][&id]);
        Ok(())
    }
}
