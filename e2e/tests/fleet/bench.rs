//! A cluster with simulated nodes and the chart, the operator on it, and the programs that are measured.

use std::path::{Path, PathBuf};

use commonscloud_cluster::cargo::{self, Profile};
use commonscloud_e2e::cluster::{self, Cluster, Nodes};
use commonscloud_e2e::objects::Kinds;
use commonscloud_e2e::{Failure, Outcome, chart, fleet, manifests};
use serde_json::json;
use tempfile::TempDir;

use crate::cgroup::Cgroup;
use crate::package;
use crate::process::Operator;

/// The cluster's name.
pub const CLUSTER: &str = "bench";
/// The operator and the bare client.
const NAMES: [&str; 2] = ["commonscloud-operator", "commonscloud-floor"];

/// The programs that are measured.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The operator: as published, or the one that is given.
    pub operator: PathBuf,
    /// The bare client.
    pub floor: PathBuf,
    /// How the operator was compiled.
    pub profile: &'static str,
}

impl Programs {
    /// Builds both alike. `COMMONSCLOUD_OPERATOR` names another operator.
    pub async fn build(source: &Path, profile: Profile) -> Outcome<Self> {
        let source = source.to_path_buf();
        let built = tokio::task::spawn_blocking(move || match profile {
            // Both at once, so that what they depend on is compiled for both alike.
            Profile::Dist => cargo::dist(&NAMES, &source),
            Profile::Release => NAMES.iter().map(|name| cargo::release(name, &source)).collect(),
        });
        let built = built.await.map_err(|error| Failure::new(error.to_string()))??;
        let [operator, floor] = <[PathBuf; 2]>::try_from(built).map_err(|_| Failure::new("two programs were built"))?;
        Ok(match std::env::var_os("COMMONSCLOUD_OPERATOR") {
            Some(given) => Self { operator: given.into(), floor, profile: "given" },
            None => Self { operator, floor, profile: name(profile) },
        })
    }
}

/// What a profile is called in a report.
pub fn name(profile: Profile) -> &'static str {
    if profile == Profile::Dist { "dist" } else { "release" }
}

/// A cluster that things are measured on.
pub struct Bench {
    /// The cluster.
    pub cluster: Cluster,
    /// The kinds that it has.
    pub kinds: Kinds,
    /// What is measured.
    pub programs: Programs,
    /// The operator, if it runs.
    pub operator: Option<Operator>,
    folder: TempDir,
}

impl Bench {
    /// A new cluster with the chart, the packages, and the operator.
    pub async fn new(programs: Programs) -> Outcome<Self> {
        cluster::down(CLUSTER).await?;
        let cluster = Cluster::up(CLUSTER, Nodes::Simulated, &[]).await?;
        chart::install(&cluster, &json!({"replicas": 0})).await?;
        let platform = manifests::simulated_platform("bench.commonscloud.test");
        let tariff = manifests::tariff(manifests::TARIFF);
        cluster.applied(&[platform, tariff, package::package()?, fleet::broken_package()]).await?;
        let kinds = Kinds::discover(&cluster.client).await?;
        let mut bench = Self { cluster, kinds, programs, operator: None, folder: tempfile::tempdir()? };
        bench.start(None).await?;
        Ok(bench)
    }

    /// The same on an empty cluster, if that is asked for; else it stays as it is.
    pub async fn renewed(mut self, fresh: bool) -> Outcome<Self> {
        if !fresh {
            return Ok(self);
        }
        self.stop().await?;
        Self::new(self.programs.clone()).await
    }

    /// Another replica, which may not be ready yet.
    pub async fn replica(&self, name: &str, memory: Option<&Cgroup>) -> Outcome<Operator> {
        Operator::spawn(&self.programs.operator, &self.cluster, self.folder.path(), name, memory).await
    }

    /// Starts the operator, and waits until its caches are complete.
    pub async fn start(&mut self, memory: Option<&Cgroup>) -> Outcome {
        let mut operator = self.replica("operator", memory).await?;
        operator.ready().await?;
        self.operator = Some(operator);
        Ok(())
    }

    /// Stops it, if it runs.
    pub async fn stop(&mut self) -> Outcome {
        let Some(mut operator) = self.operator.take() else { return Ok(()) };
        if operator.runs() { operator.stop().await } else { Ok(()) }
    }

    /// The operator's process id.
    pub fn pid(&self) -> Outcome<i32> {
        self.operator.as_ref().map(|operator| operator.pid).ok_or_else(|| Failure::new("the operator does not run"))
    }

    /// Where the API server logs who asked for what.
    pub fn audit_log(&self) -> &Path {
        &self.cluster.facts.audit_log
    }

    /// A folder that goes with the bench.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
