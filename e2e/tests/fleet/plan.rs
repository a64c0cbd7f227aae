//! How much is measured.

use std::time::Duration;

use commonscloud_cluster::cargo::Profile;

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
    /// Megabytes that are backed up in large files.
    pub megabytes: usize,
    /// Small files that are backed up beside them.
    pub files: usize,
    /// Times that they are backed up and restored, by each program.
    pub backups: usize,
    /// Whether each contestant finds an empty cluster.
    pub fresh: bool,
    /// How operator and bare client are compiled.
    pub profile: Profile,
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
            megabytes: 1024,
            files: 20_000,
            backups: 3,
            fresh: true,
            profile: Profile::Dist,
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
            megabytes: 256,
            files: 2_000,
            backups: 1,
            fresh: false,
            profile: Profile::Dist,
        }
    }

    /// No more than it takes to see that each part of the benchmark works, with what CI has compiled.
    pub fn smoke() -> Self {
        Self {
            name: "smoke",
            typed: 2,
            compared: 3,
            instances: 8,
            rest: Duration::from_secs(10),
            edits: 5,
            failures: 2,
            megabytes: 32,
            files: 100,
            profile: Profile::Release,
            ..Self::quick()
        }
    }
}
