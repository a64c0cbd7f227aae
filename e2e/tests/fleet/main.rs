//! The benchmark: `make bench`, `make bench-quick`, `make bench-10k`. Each figure stands beside its target in
//! a report; nothing here fails for being slow.
//!
//! ```text
//! plan ─► backup ─► bench (cluster, operator) ─► create, peers ─► a fleet: rest, edit, drift, failure, failover ─► report ─► page
//! ```

mod backup;
mod bench;
mod cgroup;
mod chart;
mod clock;
mod create;
mod drift;
mod edit;
mod facts;
mod failover;
mod failure;
mod floor;
mod kro;
/// What the tests of backups write as well.
#[path = "../../../backup/tests/restic/noise.rs"]
mod noise;
mod package;
mod page;
mod peers;
mod plan;
mod process;
mod ready;
mod report;
mod requests;
mod rest;
mod scale;
mod sight;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use commonscloud_cluster::cargo::Profile;
use commonscloud_cluster::folders;
use commonscloud_e2e::{Failure, Outcome, cluster};

use crate::bench::{Bench, Programs};
use crate::plan::Plan;
use crate::report::{KEYS, KEYS_10K, Report};

/// What is asked for.
enum Asked {
    Plan(Plan, Part),
    TenThousand,
}

/// What of a plan is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Backup,
    Peers,
    Create,
    Fleet,
}

fn main() -> ExitCode {
    let Some(asked) = asked() else {
        eprintln!("fleet [--quick | --smoke | --10k] [backup | peers | create | fleet]");
        return ExitCode::FAILURE;
    };
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let ended = runtime.block_on(async {
        let measured = tokio::select! {
            measured = run(asked) => measured,
            _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted")),
        };
        let down = cluster::down(bench::CLUSTER).await;
        commonscloud_e2e::programs::Programs::forget();
        measured.and(down)
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn asked() -> Option<Asked> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (part, words) = match words[..] {
        [ref words @ .., "backup"] => (Part::Backup, words),
        [ref words @ .., "peers"] => (Part::Peers, words),
        [ref words @ .., "create"] => (Part::Create, words),
        [ref words @ .., "fleet"] => (Part::Fleet, words),
        ref words => (Part::Whole, words),
    };
    match (words, part) {
        ([], _) => Some(Asked::Plan(Plan::full(), part)),
        (["--quick"], _) => Some(Asked::Plan(Plan::quick(), part)),
        (["--smoke"], _) => Some(Asked::Plan(Plan::smoke(), part)),
        (["--10k"], Part::Whole) => Some(Asked::TenThousand),
        _ => None,
    }
}

async fn run(asked: Asked) -> Outcome {
    let source = folders::source(None)?;
    let (name, keys, title, profile) = match &asked {
        Asked::Plan(plan, _) => ("report", &KEYS[..], plan.name, plan.profile),
        Asked::TenThousand => ("report-10k", &KEYS_10K[..], "ten thousand", Profile::Dist),
    };
    let programs = if let Asked::Plan(_, Part::Backup) = &asked {
        None
    } else {
        eprintln!("compiling the operator and the bare client");
        Some(Programs::build(&source, profile).await?)
    };
    let begun = Instant::now();
    let compiled = programs.as_ref().map_or(bench::name(profile), |programs| programs.profile);
    let mut report = Report::new(keys, facts::of(&source, title, compiled));
    let ended = match (&asked, programs) {
        (Asked::Plan(plan, part), programs) => measure(programs, &source, plan, *part, &mut report).await,
        (Asked::TenThousand, Some(programs)) => ten_thousand(programs, &mut report).await,
        (Asked::TenThousand, None) => Ok(()),
    };
    if let Err(failure) = &ended {
        report.failed("", &failure.to_string());
    }
    report.fact("seconds", begun.elapsed().as_secs_f64().into());
    // What was measured before a failure was measured all the same.
    page::write(&report, &source, name)?;
    writeln!(std::io::stdout(), "{report}")?;
    if matches!(&asked, Asked::Plan(plan, Part::Whole) if plan.fresh) {
        page::publish(&report, &source)?;
    }
    ended
}

async fn measure(programs: Option<Programs>, source: &Path, plan: &Plan, part: Part, report: &mut Report) -> Outcome {
    if matches!(part, Part::Whole | Part::Backup)
        && let Err(failure) = backup::measure(source, plan, report).await
    {
        report.failed("backup.", &failure.to_string());
        report.failed("restore.", &failure.to_string());
    }
    let Some(programs) = programs else { return Ok(()) };
    let mut bench = Bench::new(programs.clone()).await?;
    if matches!(part, Part::Whole | Part::Peers) {
        bench = match peers::measure(bench, plan, report).await {
            Ok(bench) => bench.renewed(plan.fresh).await?,
            Err(failure) => {
                report.failed("create.times", &failure.to_string());
                Bench::new(programs.clone()).await?
            }
        };
    }
    if matches!(part, Part::Whole | Part::Create) {
        bench = match create::measure(bench, plan, report).await {
            Ok(bench) => {
                if plan.fresh {
                    create::fairness(&bench, report).await?;
                }
                bench.renewed(plan.fresh).await?
            }
            Err(failure) => {
                report.failed("create.", &failure.to_string());
                Bench::new(programs).await?
            }
        };
    }
    if matches!(part, Part::Whole | Part::Fleet) {
        return beside_a_fleet(bench, plan, report).await;
    }
    bench.stop().await
}

/// All that is measured beside many healthy instances. What fails leaves its keys without a figure.
async fn beside_a_fleet(mut bench: Bench, plan: &Plan, report: &mut Report) -> Outcome {
    const PREFIX: &str = "fleet";
    let fleet = package::fleet(PREFIX, plan.instances);
    let entities = fleet.len();
    eprintln!("{} instances of 15 objects in {entities} entities", plan.instances);
    let made = create::make(&bench, PREFIX, fleet).await?;
    report.detail("fleet", made.told());
    let note = |report: &mut Report, prefix: &str, ended: Outcome| {
        if let Err(failure) = ended {
            report.failed(prefix, &failure.to_string());
        }
    };
    eprintln!("at rest for {} s", plan.rest.as_secs());
    let ended = rest::quiet(&bench, plan, report).await;
    note(report, "noop.", ended);
    eprintln!("edits, drift, failures");
    let ended = edit::measure(&bench, PREFIX, entities, plan.edits, report).await;
    note(report, "edit.", ended);
    let ended = drift::measure(&bench, PREFIX, entities, plan.drifts, report).await;
    note(report, "drift.", ended);
    let ended = failure::measure(&bench, PREFIX, entities, plan.failures, report).await;
    note(report, "status.", ended);
    eprintln!("started anew");
    let ended = rest::restart(&mut bench, plan, report).await;
    note(report, "restart.", ended);
    eprintln!("two replicas");
    let ended = failover::measure(&mut bench, PREFIX, plan, report).await;
    note(report, "failover.", ended);
    bench.stop().await
}

async fn ten_thousand(programs: Programs, report: &mut Report) -> Outcome {
    let instances = scale::instances();
    let bench = Bench::new(programs).await?;
    scale::measure(&bench, instances, report).await
}
