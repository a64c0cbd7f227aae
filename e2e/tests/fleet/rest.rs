//! A thousand healthy instances: nothing happens, then the operator starts anew. `noop.*`, `memory.*`,
//! `restart.*`.

use std::time::{Duration, Instant};

use commonscloud_e2e::{Failure, Outcome, chart, fleet};
use serde_json::json;

use crate::bench::Bench;
use crate::cgroup::Cgroup;
use crate::clock::number;
use crate::plan::Plan;
use crate::report::Report;
use crate::requests::{self, Request};

/// After a fleet became Ready, and after a restart: what trails behind has come.
pub const SETTLES: Duration = Duration::from_secs(20);
/// Between two looks at the metrics.
const PAUSE: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_mins(5);

/// Watches the operator while nothing changes, and takes its memory.
pub async fn quiet(bench: &Bench, plan: &Plan, report: &mut Report) -> Outcome {
    tokio::time::sleep(SETTLES).await;
    let (mark, used) = (requests::mark(bench.audit_log())?, fleet::cpu(bench.pid()?)?);
    // Not a wait for something: a time in which nothing is to happen.
    tokio::time::sleep(plan.rest).await;
    let cpu = fleet::cpu(bench.pid()?)?.saturating_sub(used).as_secs_f64() / plan.rest.as_secs_f64();
    let requests = requests::since(bench.audit_log(), mark)?;
    let (beyond, apart) = requests::at_rest(&requests, plan.rest.as_secs_f64());
    report.measured("noop.requests_in_10_min", beyond);
    let all = requests::counts(&requests);
    report.detail("noop", json!({"seconds": plan.rest.as_secs(), "cpu_share": cpu, "all": all, "apart": apart}));
    let (resident, peak) = fleet::memory(bench.pid()?)?;
    report.measured("memory.rss_mib_1k", number(usize::try_from(resident)?));
    report.detail("memory", json!({"rss_mib": resident, "peak_mib": peak, "instances": plan.instances}));
    Ok(())
}

/// Starts the operator anew, held to the chart's memory limit, until it has judged every instance.
pub async fn restart(bench: &mut Bench, plan: &Plan, report: &mut Report) -> Outcome {
    // The last thing that was measured may have left something to report.
    tokio::time::sleep(SETTLES).await;
    let (_, peak_before) = fleet::memory(bench.pid()?)?;
    bench.stop().await?;
    let limit = chart::memory_limit(&bench.cluster.programs.source)?;
    let group = Cgroup::new("commonscloud-bench", limit);
    let mark = requests::mark(bench.audit_log())?;
    let begun = Instant::now();
    let judged = match judge(bench, plan.instances, group.as_ref().ok()).await {
        Ok(()) => begun.elapsed(),
        Err(failure) => {
            report.detail("restart.under_the_limit", json!({"failed": failure.to_string()}));
            // Whatever it was, the figures without the limit are of interest too, once its Lease is over.
            tokio::time::sleep(SETTLES).await;
            let begun = Instant::now();
            judge(bench, plan.instances, None).await?;
            begun.elapsed()
        }
    };
    report.measured("restart.seconds", judged.as_secs_f64());
    tokio::time::sleep(SETTLES).await;
    let requests = requests::since(bench.audit_log(), mark)?;
    let writes: Vec<&Request> = requests.iter().filter(|request| request.is_write()).collect();
    report.measured("restart.writes", number(writes.len()));
    let (resident, peak) = fleet::memory(bench.pid()?)?;
    let most = peak.max(peak_before);
    report.measured("memory.peak_share_of_limit", number(usize::try_from(most)?) / number(usize::try_from(limit)?));
    let held = group.as_ref().map_or_else(ToString::to_string, |_| "a control group".to_owned());
    report.detail(
        "restart",
        json!({
            "rss_mib": resident, "peak_mib": peak, "peak_before_mib": peak_before, "limit_mib": limit,
            "held_by": held, "peak_of_group_mib": group.ok().and_then(|group| group.peak()),
            "requests": requests::counts(&requests), "writes": requests::counts(writes),
        }),
    );
    Ok(())
}

async fn judge(bench: &mut Bench, instances: usize, memory: Option<&Cgroup>) -> Outcome {
    bench.operator = None;
    let mut operator = bench.replica("operator", memory).await?;
    let begun = Instant::now();
    loop {
        if !operator.runs() {
            return Err(Failure::new("the operator ended: was its memory too small?"));
        }
        // It listens a moment after it was started.
        let judged = operator.judged("DedicatedService").await.unwrap_or_default();
        if judged >= number(instances) {
            bench.operator = Some(operator);
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            return Err(Failure::new(format!("{judged} of {instances} instances were judged")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
