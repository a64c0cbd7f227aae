//! Ten thousand instances: `make bench-10k`, a run of its own.

use std::time::Duration;

use commonscloud_e2e::{Outcome, fleet};
use serde_json::json;

use crate::bench::Bench;
use crate::clock::number;
use crate::create::make;
use crate::package;
use crate::report::Report;
use crate::rest::SETTLES;

/// The first part, whose pace the rest is compared with.
pub const FIRST: usize = 1000;
/// Instances in all, and where the machine cannot hold them.
const MANY: usize = 10_000;
const FEW: usize = 2000;
/// The memory that the whole cluster takes for each thousand instances, in MiB, and to begin with.
const MEMORY: (u64, u64) = (1400, 2500);
/// Instances that two cores make in a second, for the estimate before the first thousand is measured.
const PACE: f64 = 3.0;

/// How many instances this machine holds.
pub fn instances() -> usize {
    let many = MEMORY.1 + MEMORY.0 * u64::try_from(MANY / 1000).unwrap_or(u64::MAX);
    if available() >= many { MANY } else { FEW }
}

/// Memory that is free, in MiB.
fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// Says how long it will take, makes a thousand, says it again, and makes the rest.
pub async fn measure(bench: &Bench, instances: usize, report: &mut Report) -> Outcome {
    let first = FIRST.min(instances / 2);
    foretell(instances, PACE);
    if instances < MANY {
        eprintln!("{MANY} would take more memory than the {} MiB that are free", available());
    }
    let begun = make(bench, "first", package::fleet("first", first)).await?;
    report.detail("scale.first", begun.told());
    let each = begun.ready.1 / number(first);
    foretell(instances - first, 1.0 / each);
    let rest = make(bench, "rest", package::fleet("rest", instances - first)).await?;
    report.detail("scale.rest", rest.told());
    report.measured("scale.slope", rest.ready.1 / number(instances - first) / each);
    tokio::time::sleep(SETTLES).await;
    let (resident, peak) = fleet::memory(bench.pid()?)?;
    report.detail("scale.memory", json!({"instances": instances, "rss_mib": resident, "peak_mib": peak}));
    if instances == MANY {
        report.measured("memory.rss_mib_10k", number(usize::try_from(resident)?));
    } else {
        report.not_measured("memory.rss_mib_10k", &format!("{resident} MiB at {instances} instances"));
    }
    Ok(())
}

/// Says how long so many instances take at so many a second.
fn foretell(instances: usize, pace: f64) {
    let time = Duration::from_secs_f64(number(instances) / pace);
    eprintln!("{instances} instances of {} objects will take about {} min", package::OBJECTS, time.as_secs() / 60 + 1);
}
