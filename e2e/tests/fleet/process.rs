//! The operator as it is published, as a process of this machine with a token of the chart's account.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use commonscloud_e2e::chart::RELEASE;
use commonscloud_e2e::cluster::Cluster;
use commonscloud_e2e::operator::{command, free_port, kubeconfig, tail};
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

use crate::cgroup::Cgroup;

/// How long an operator may take to start or to end.
const LIMIT: Duration = Duration::from_mins(5);

/// An operator that runs. Dropped, it is killed.
pub struct Operator {
    child: Child,
    /// Its process id.
    pub pid: i32,
    port: u16,
    log: PathBuf,
    /// What tells its requests from another replica's in the audit log.
    pub credential: String,
}

impl Operator {
    /// Starts one, with at most the memory of `memory`, called `name` among the replicas.
    pub async fn spawn(
        program: &Path,
        cluster: &Cluster,
        folder: &Path,
        name: &str,
        memory: Option<&Cgroup>,
    ) -> Outcome<Self> {
        let (access, log) = (folder.join(format!("{name}.kubeconfig")), folder.join(format!("{name}.log")));
        kubeconfig(cluster, &access).await?;
        let credential = credential(&access)?;
        let port = free_port()?;
        // Kubelets are asked, in vain.
        let child = command(program, RELEASE, &access, &log, port)?.spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(|| Failure::new("no pid"))?;
        if let Some(memory) = memory {
            memory.take_in(pid)?;
        }
        Ok(Self { child, pid, port, log, credential })
    }

    /// Waits until it says that its caches are complete.
    pub async fn ready(&mut self) -> Outcome {
        let port = self.port;
        let ready = eventually("the operator becomes ready", LIMIT, async || {
            if let Some(status) = self.child.try_wait()? {
                return Err(Failure::new(format!("it ended: {status}")));
            }
            get(port, "/readyz").await.map(drop)
        });
        let ready = ready.await;
        ready.map_err(|failure| Failure::new(format!("{failure}\n{}", tail(&self.log))))
    }

    /// How often it looked at resources of a kind since it started, by its metrics.
    pub async fn judged(&self, kind: &str) -> Outcome<f64> {
        let metrics = get(self.port, "/metrics").await?;
        let lines = metrics.lines().filter(|line| line.contains("reconciles_total") && line.contains(kind));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Outcome {
        Ok(signal::kill(Pid::from_raw(self.pid), signal)?)
    }

    /// Waits until it is gone.
    pub async fn gone(&mut self) -> Outcome {
        let ended = tokio::time::timeout(LIMIT, self.child.wait()).await;
        ended.map_err(|_| Failure::new("the operator does not end"))??;
        Ok(())
    }

    /// SIGTERM, and waits until it is gone.
    pub async fn stop(mut self) -> Outcome {
        self.signal(Signal::SIGTERM)?;
        self.gone().await
    }
}

/// The id of the token in a kubeconfig, as the audit log tells it.
fn credential(kubeconfig: &Path) -> Outcome<String> {
    let config: Value = serde_yaml::from_str(&std::fs::read_to_string(kubeconfig)?)?;
    let token = config.pointer("/users/0/user/token").and_then(Value::as_str).unwrap_or_default();
    let claims = token.split('.').nth(1).unwrap_or_default();
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|error| Failure::new(format!("the token: {error}")))?;
    let claims: Value = serde_json::from_slice(&claims)?;
    Ok(format!("JTI={}", claims["jti"].as_str().unwrap_or_default()))
}

async fn get(port: u16, path: &str) -> Outcome<String> {
    let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    ensure!(head.contains(" 200 "), "{path}: {answer}");
    Ok(body.to_owned())
}
