//! The benchmark: fleets of Entities on simulated nodes, measured against a bare client that applies
//! the same objects in the same run on the same cluster. `make bench` runs it; nothing here fails for
//! being slow.

mod floor;
mod measure;
mod report;

use std::io::Write as _;
use std::process::ExitCode;

use commonscloud_e2e::{Outcome, cluster, operator};

use crate::measure::Bench;
use crate::report::Report;

/// The sizes, in Entities of three services each.
const SIZES: [usize; 2] = [20, 200];

fn main() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let mut report = Report::default();
    let ended = runtime.block_on(async {
        let measured = tokio::select! {
            measured = run(&mut report) => measured,
            _ = tokio::signal::ctrl_c() => Err(commonscloud_e2e::Failure::new("interrupted")),
        };
        operator::end_all();
        measured.and(cluster::down(measure::CLUSTER).await)
    });
    // What was measured before a failure was measured all the same.
    let printed = writeln!(std::io::stdout(), "{report}");
    match ended {
        Ok(()) if printed.is_ok() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(report: &mut Report) -> Outcome {
    let mut bench = Bench::bring_up().await?;
    let model = bench.model().await?;
    for size in sizes()? {
        eprintln!("{size} entities: the floor");
        let floor = floor::run(&bench.cluster, &model, size).await?;
        eprintln!("{size} entities: the operator");
        report.fleets.push((floor, bench.fleet(size).await?));
        eprintln!("{size} entities: at rest, and started anew");
        report.rests.push(bench.rest(size).await?);
    }
    eprintln!("fairness");
    report.fairness = Some(bench.fairness().await?);
    Ok(())
}

/// `COMMONSCLOUD_FLEETS=20,50` instead of the sizes above.
fn sizes() -> Outcome<Vec<usize>> {
    match std::env::var("COMMONSCLOUD_FLEETS") {
        Err(_) => Ok(SIZES.to_vec()),
        Ok(given) => given.split(',').map(|size| Ok(size.trim().parse()?)).collect(),
    }
}
