//! `commonscloud people`, as one person runs it.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::Kubeconfig;
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::command::{self, Finished};
use crate::failure::{Failure, Outcome};

/// No single command takes longer.
const LIMIT: Duration = Duration::from_mins(1);

/// The tool, with the kubeconfig of somebody.
pub struct People {
    program: PathBuf,
    /// With the kubeconfig in it.
    folder: TempDir,
}

impl People {
    /// The tool of a person whom the API server knows by this name.
    ///
    /// # Errors
    /// When the cluster's kubeconfig cannot be read, or theirs not be written.
    pub fn of(cluster: &Cluster, user: &str) -> Outcome<Self> {
        let mut config = Kubeconfig::read_from(&cluster.facts.kubeconfig)?;
        for known in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
            known.impersonate = Some(user.to_owned());
        }
        let tool = Self { program: cluster.programs.commonscloud.clone(), folder: tempfile::tempdir()? };
        std::fs::write(tool.kubeconfig(), serde_yaml::to_string(&config)?)?;
        Ok(tool)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Runs a subcommand.
    ///
    /// # Errors
    /// When it cannot be started, or does not end.
    pub async fn run(&self, words: &[&str]) -> Outcome<Finished> {
        let kubeconfig = self.kubeconfig();
        let kubeconfig = kubeconfig.to_string_lossy();
        let words = [&["people"][..], words].concat();
        command::run(&self.program, &words, &[("KUBECONFIG", &kubeconfig)], None, LIMIT).await
    }

    /// Runs a subcommand that is to be done, and gives what it said.
    ///
    /// # Errors
    /// What it said, when it is not.
    pub async fn ok(&self, words: &[&str]) -> Outcome<String> {
        self.run(words).await?.succeeded(&format!("commonscloud people {}", words.join(" ")))
    }

    /// Runs a subcommand that is to be refused, and gives the refusal.
    ///
    /// # Errors
    /// When it is done.
    pub async fn refused(&self, words: &[&str]) -> Outcome<String> {
        self.run(words).await?.refused(&format!("commonscloud people {}", words.join(" ")))
    }

    /// What a subcommand lists.
    ///
    /// # Errors
    /// What it said, when it fails.
    pub async fn listed(&self, words: &[&str]) -> Outcome<Vec<Value>> {
        let said = self.ok(&[words, &["--output", "json"]].concat()).await?;
        Ok(serde_json::from_str(&said)?)
    }
}

/// The one whom others see by this name in a list.
///
/// # Errors
/// When nobody there is called so.
pub fn named<'l>(list: &'l [Value], name: &str) -> Outcome<&'l Value> {
    let found = list.iter().find(|one| one["displayName"] == name);
    found.ok_or_else(|| Failure::new(format!("{name} is not in {list:?}")))
}
