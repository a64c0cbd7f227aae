//! How much is measured.

use std::time::Duration;

/// The sizes of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is called in the report.
    pub name: &'static str,
    /// Entities with the three typed services, made by the bare client and by the operator.
    pub typed: usize,
    /// Instances of 15 objects, made by the bare client, the operator, Helm and kro.
    pub compared: usize,
    /// Healthy instances beside which all latencies are taken.
    pub instances: usize,
    /// How long nothing is to happen.
    pub rest: Duration,
    /// Edits.
    pub edits: usize,
    /// Rounds over every kind of child.
    pub drifts: usize,
    /// Children that fail.
    pub failures: usize,
    /// Times that the leader ends, in each way.
    pub failovers: usize,
    /// Whether each contestant finds an empty cluster.
    pub fresh: bool,
}

impl Plan {
    /// What `docs/performance.md` shows.
    pub fn full() -> Self {
        Self {
            name: "full",
            typed: 200,
            compared: 100,
            instances: 1000,
            rest: Duration::from_mins(10),
            edits: 200,
            drifts: 6,
            failures: 40,
            failovers: 3,
            fresh: true,
        }
    }

    /// The same in less than five minutes: whether it works, and whether something is far off.
    pub fn quick() -> Self {
        Self {
            name: "quick",
            typed: 6,
            compared: 10,
            instances: 40,
            rest: Duration::from_secs(30),
            edits: 20,
            drifts: 1,
            failures: 4,
            failovers: 1,
            fresh: false,
        }
    }

    /// No more than it takes to see that each part works.
    pub fn smoke() -> Self {
        let rest = Duration::from_secs(10);
        Self { name: "smoke", typed: 2, compared: 3, instances: 8, rest, edits: 5, failures: 2, ..Self::quick() }
    }
}
