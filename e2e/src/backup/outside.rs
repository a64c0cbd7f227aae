//! Somebody who is not in the cluster, with restic, a private key and a way to a target: who recovers, and who leaves.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use commonscloud_cluster::{Progress, tools};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::servers;
use crate::cluster::Cluster;
use crate::command::{self, Finished};
use crate::failure::{Failure, Outcome};
use crate::operator::free_port;

/// Somebody with the private key that backups are sealed to, at the REST server.
pub struct Outside {
    commonscloud: PathBuf,
    port: u16,
    identity: PathBuf,
    path: String,
    folder: tempfile::TempDir,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

impl Outside {
    /// Has what is needed.
    ///
    /// # Errors
    /// When restic cannot be built.
    pub async fn open(cluster: &Cluster) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let identity = folder.path().join("identity");
        std::fs::write(&identity, servers::IDENTITY)?;
        let restic = tools::ensure("restic", &cluster.programs.source, &Progress::silent()).await?;
        let restic = restic.program("restic");
        let folders = restic.parent().unwrap_or(Path::new("/")).display().to_string();
        let path = format!("{folders}:{}", std::env::var("PATH").unwrap_or_default());
        let commonscloud = cluster.programs.commonscloud.clone();
        let (kubectl, kubeconfig) = (cluster.facts.kubectl.clone(), cluster.facts.kubeconfig.clone());
        Ok(Self { commonscloud, port: free_port()?, identity, path, folder, kubectl, kubeconfig })
    }

    /// A folder of theirs, empty but for the private key, and removed afterwards.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `commonscloud` with these words, the target and the private key, at most for `limit`; then it is killed.
    ///
    /// # Errors
    /// When it cannot be started, or did not end by then.
    pub async fn run(&self, words: &[&str], environment: &[(&str, &str)], limit: Duration) -> Outcome<Finished> {
        let identity = self.identity.to_string_lossy();
        self.at_target(&[words, &["--identity", &*identity][..]].concat(), environment, limit).await
    }

    /// Has something move into the cluster, as its administrator: `commonscloud import` with these words and the target.
    ///
    /// # Errors
    /// When it cannot be started, or did not end by then.
    pub async fn import(&self, words: &[&str], limit: Duration) -> Outcome<Finished> {
        let kubeconfig = self.kubeconfig.to_string_lossy();
        self.at_target(&[&["import"][..], words].concat(), &[("KUBECONFIG", &kubeconfig)], limit).await
    }

    /// Brings a package that the cluster sealed, with these words and the target, and without the private key.
    ///
    /// # Errors
    /// When it cannot be started, or did not end by then.
    pub async fn fetch(&self, words: &[&str], limit: Duration) -> Outcome<Finished> {
        self.at_target(&[&["export", "fetch"][..], words].concat(), &[], limit).await
    }

    async fn at_target(&self, words: &[&str], environment: &[(&str, &str)], limit: Duration) -> Outcome<Finished> {
        // One for each: kubectl ends its way for good once somebody who was killed left a connection broken.
        let _way = self.forward().await?;
        let target = format!("rest:http://127.0.0.1:{}", self.port);
        let words = [words, &["--target", target.as_str()][..]].concat();
        let [user, password] = servers::rest_environment();
        let environment = [environment, &[("PATH", self.path.as_str()), user, password][..]].concat();
        command::run(&self.commonscloud, &words, &environment, None, limit).await
    }

    /// A way to the REST server from this machine, until it is dropped.
    async fn forward(&self) -> Outcome<Child> {
        let (pod, ports) = (format!("pod/{}", servers::REST), format!("{}:8000", self.port));
        let mut child = Command::new(&self.kubectl)
            .args(["port-forward", "-n", servers::NAMESPACE, "--address", "127.0.0.1", &pod, &ports])
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::new("kubectl has no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        lines.next_line().await?.ok_or_else(|| Failure::new("kubectl port-forward ended"))?;
        // With its output closed kubectl would end at its next word.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(child)
    }
}
