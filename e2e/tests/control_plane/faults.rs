//! A sample of what `make slow` does in full: faults at the n-th request of an operation. The seed is
//! printed; `COMMONSCLOUD_SEED` repeats the same sample.

use std::sync::Arc;

use commonscloud_e2e::faults::Fault;
use commonscloud_e2e::seed::{Seed, VARIABLE};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::sweep::{Case, Operation, Summary, Sweep};
use commonscloud_e2e::{Outcome, ensure};

use crate::tier::{ControlPlane, Purpose};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a refused, unanswered or cut request, a kill and a disturbed watch change nothing of what comes out",
            sampled,
        )
        .apart(),
    ]
}

/// Cases of each operation.
const OF_EACH: usize = 3;

async fn sampled(tier: Arc<ControlPlane>) -> Outcome {
    let mut seed = Seed::of_this_run()?;
    eprintln!("faults are sampled with {VARIABLE}={}", seed.first);
    let tier = tier.cluster_for(Purpose::Kills).await?;
    let mut sweep = Sweep::begin(&tier).await?;
    let mut summary = Summary::new(seed.first);
    let played = play(&mut sweep, &mut seed, &mut summary).await;
    let ended = sweep.end().await;
    played?;
    let failures = summary.failures();
    ensure!(failures.is_empty(), "{VARIABLE}={}\n{}", seed.first, failures.join("\n"));
    ended
}

async fn play(sweep: &mut Sweep<'_>, seed: &mut Seed, summary: &mut Summary) -> Outcome {
    let faults: Vec<Fault> = Fault::OF_REQUESTS.into_iter().chain([Fault::Kill]).collect();
    let count = u32::try_from(faults.len())?;
    let mut cases: Vec<Case> = Vec::new();
    sweep.learn(&Operation::ALL).await?;
    for operation in Operation::ALL {
        let requests = sweep.requests(operation);
        while cases.iter().filter(|case| case.operation == operation).count() < OF_EACH {
            let fault = faults[seed.below(count) as usize];
            let case = Case { operation, fault, at: 1 + seed.below(requests) };
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
    }
    sweep.play(&cases, summary).await?;
    // One watch of the operator is disturbed while all operations are made.
    let fault = Fault::OF_WATCHES[seed.below(3) as usize];
    let at = 1 + seed.below(sweep.watches());
    let cases = Operation::ALL.map(|operation| Case { operation, fault, at });
    sweep.play(&cases, summary).await
}
