//! The figures as Markdown.

use std::fmt;
use std::time::Duration;

use crate::floor::Floor;
use crate::measure::{Fairness, Fleet, Rest};

/// All that was measured.
#[derive(Debug, Default)]
pub struct Report {
    /// Floor and operator, by size.
    pub fleets: Vec<(Floor, Fleet)>,
    /// At rest, by size.
    pub rests: Vec<Rest>,
    /// With and without an Entity that fails for ever.
    pub fairness: Option<Fairness>,
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn ratio(of: Duration, to: Duration) -> String {
    format!("{:.2}", of.as_secs_f64() / to.as_secs_f64().max(0.001))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn per(count: usize, of: usize) -> String {
    format!("{:.1}", count as f64 / of.max(1) as f64)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| fleet | objects | floor: objects | floor: applied | floor: all ready | operator: accepted | operator: half Ready | operator: all Ready | ratio to the floor |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for (floor, fleet) in &self.fleets {
            writeln!(
                f,
                "| {} × 3 | {} | {} | {} | {} | {} | {} | {} | {} |",
                fleet.entities,
                fleet.cost.objects,
                floor.objects,
                seconds(floor.applied),
                seconds(floor.ready),
                seconds(fleet.accepted),
                seconds(fleet.half),
                seconds(fleet.ready),
                ratio(fleet.ready, floor.ready),
            )?;
        }
        writeln!(
            f,
            "\n| fleet | writes per instance | allowed | status writes per instance | operator's CPU | memory | most memory |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for (_, fleet) in &self.fleets {
            let cost = fleet.cost;
            writeln!(
                f,
                "| {} × 3 | {} | {} | {} | {} | {} MiB | {} MiB |",
                fleet.entities,
                per(cost.writes, cost.instances),
                per(cost.allowed(), cost.instances),
                per(cost.statuses, cost.instances),
                seconds(fleet.cpu),
                fleet.memory.0,
                fleet.memory.1,
            )?;
        }
        writeln!(
            f,
            "\n| at rest | CPU | writes in 20 s | start until ready | writes in 20 s after it | memory after it |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for rest in &self.rests {
            writeln!(
                f,
                "| {} × 3 | {:.1} % | {} | {} | {} | {} MiB |",
                rest.entities,
                rest.cpu * 100.0,
                rest.writes,
                seconds(rest.started),
                rest.writes_after_start,
                rest.memory.0,
            )?;
        }
        if let Some(Fairness { alone, beside }) = self.fairness {
            writeln!(f, "\n| 20 × 3 alone | beside an entity whose 20 services fail for ever | ratio |")?;
            writeln!(f, "|---|---|---|")?;
            writeln!(f, "| {} | {} | {} |", seconds(alone), seconds(beside), ratio(beside, alone))?;
        }
        Ok(())
    }
}
