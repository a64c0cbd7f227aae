//! Every fault at every request of every operation: `make slow`.
//!
//! `COMMONSCLOUD_SWEEP=create,delete` takes some operations only, `COMMONSCLOUD_SWEEP_EVERY=5` each
//! fifth request, the first of them chosen by `COMMONSCLOUD_SEED`. The summary is written after each
//! batch, so that one that is stopped has told what it did.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use commonscloud_e2e::control_plane::ControlPlane;
use commonscloud_e2e::faults::Fault;
use commonscloud_e2e::programs::Programs;
use commonscloud_e2e::seed::Seed;
use commonscloud_e2e::sweep::{Case, Operation, Summary, Sweep};
use commonscloud_e2e::{Failure, Outcome, cluster, ensure, operator};

/// The cluster's name.
const CLUSTER: &str = "slow";
/// Cases side by side.
const BATCH: usize = 24;

fn main() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let ended = runtime.block_on(async {
        let swept = tokio::select! {
            swept = run() => swept,
            _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted")),
        };
        operator::end_all();
        swept.and(cluster::down(CLUSTER).await)
    });
    Programs::forget();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome {
    let begun = Instant::now();
    let (mut seed, operations, every) = (Seed::of_this_run()?, operations()?, every()?);
    let tier = ControlPlane::on(CLUSTER).await?;
    let mut report = Report { begun, summary: Summary::new(seed.first), file: file(&tier)? };
    let mut sweep = Sweep::begin(&tier).await?;
    let swept = sweep_all(&mut sweep, &mut report, &operations, |seed_of| pick(seed_of, every, &mut seed)).await;
    report.write()?;
    writeln!(std::io::stdout(), "{}", report.summary)?;
    swept?;
    ensure!(report.summary.failures().is_empty(), "{} failures", report.summary.failures().len());
    Ok(())
}

/// What is written as the sweep goes on.
struct Report {
    begun: Instant,
    summary: Summary,
    file: PathBuf,
}

impl Report {
    fn write(&mut self) -> Outcome {
        self.summary.lasted = self.begun.elapsed();
        Ok(std::fs::write(&self.file, self.summary.to_string())?)
    }
}

async fn sweep_all(
    sweep: &mut Sweep<'_>,
    report: &mut Report,
    operations: &[Operation],
    mut pick: impl FnMut(u32) -> Vec<u32>,
) -> Outcome {
    sweep.learn(operations).await?;
    let mut cases = Vec::new();
    for operation in operations {
        let requests = sweep.requests(*operation);
        for fault in Fault::OF_REQUESTS {
            cases.extend(pick(requests).into_iter().map(|at| Case { operation: *operation, fault, at }));
        }
    }
    for batch in cases.chunks(BATCH) {
        one_batch(sweep, report, batch).await?;
    }
    // Of each operation one at a time: more kills would hit the others' ends.
    let most = operations.len();
    let mut kills: Vec<Case> = Vec::new();
    for operation in operations {
        let requests = sweep.requests(*operation);
        kills.extend(pick(requests).into_iter().map(|at| Case { operation: *operation, fault: Fault::Kill, at }));
    }
    kills.sort_by_key(|case| (case.at, case.operation));
    for batch in kills.chunks(most) {
        one_batch(sweep, report, batch).await?;
    }
    for fault in Fault::OF_WATCHES {
        for at in pick(sweep.watches()) {
            let batch: Vec<Case> =
                operations.iter().map(|operation| Case { operation: *operation, fault, at }).collect();
            one_batch(sweep, report, &batch).await?;
        }
    }
    Ok(())
}

async fn one_batch(sweep: &mut Sweep<'_>, report: &mut Report, batch: &[Case]) -> Outcome {
    sweep.play(batch, &mut report.summary).await?;
    if let Err(failure) = sweep.discard(batch).await {
        report.summary.failed(format!("cleaning up after {}: {failure}", batch[0]));
    }
    report.write()?;
    let (cases, failures) = (report.summary.count(), report.summary.failures());
    eprintln!(
        "{:>5.0} s: {cases} cases, {} failures; last {}",
        report.begun.elapsed().as_secs_f64(),
        failures.len(),
        batch[batch.len() - 1]
    );
    if let Some(last) = failures.last() {
        eprintln!("         {last}");
    }
    Ok(())
}

/// Each `every`-th number up to `most`.
fn pick(most: u32, every: u32, seed: &mut Seed) -> Vec<u32> {
    (1 + seed.below(every)..=most).step_by(every as usize).collect()
}

fn operations() -> Outcome<Vec<Operation>> {
    let Ok(given) = std::env::var("COMMONSCLOUD_SWEEP") else { return Ok(Operation::ALL.to_vec()) };
    let of_word = |word: &str| {
        let found = Operation::ALL.into_iter().find(|operation| operation.word() == word.trim());
        let known = Operation::ALL.map(Operation::word).join(", ");
        found.ok_or_else(|| Failure::new(format!("COMMONSCLOUD_SWEEP: {word} is none of {known}")))
    };
    given.split(',').map(of_word).collect()
}

fn every() -> Outcome<u32> {
    match std::env::var("COMMONSCLOUD_SWEEP_EVERY") {
        Ok(given) => Ok(given.trim().parse::<u32>()?.max(1)),
        Err(_) => Ok(1),
    }
}

fn file(tier: &ControlPlane) -> Outcome<PathBuf> {
    let folder = tier.cluster.programs.source.join("target/slow");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join("summary.md"))
}
