//! The operator as a process of this machine, for clusters whose nodes only simulate pods.
//!
//! It runs with a token of the chart's service account, so its rights are the chart's.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::chart::{RELEASE, Release};
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::wait::eventually;

/// Operators that run now; all are ended when the tier is.
static RUNNING: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// An operator that runs as a process of this machine.
#[derive(Debug)]
pub struct HostOperator {
    child: Child,
    pid: i32,
    log: PathBuf,
    port: u16,
}

/// A kubeconfig with a token of the chart's service account.
///
/// # Errors
/// When the API server gives no token.
pub async fn kubeconfig(cluster: &Cluster, path: &Path) -> Outcome {
    kubeconfig_of(cluster, RELEASE.namespace, RELEASE.service_account, path).await
}

/// A kubeconfig with a token of any service account.
///
/// # Errors
/// When the API server gives no token.
pub async fn kubeconfig_of(cluster: &Cluster, namespace: &str, account: &str, path: &Path) -> Outcome {
    let words = ["create", "token", account, "-n", namespace, "--duration=24h"];
    let token = cluster.kubectl.ok(&words).await?;
    let mut config = Kubeconfig::read_from(&cluster.facts.kubeconfig)?;
    let auth: AuthInfo = serde_json::from_value(serde_json::json!({"token": token.trim()}))?;
    for user in &mut config.auth_infos {
        user.auth_info = Some(auth.clone());
    }
    std::fs::write(path, serde_yaml::to_string(&config)?)?;
    Ok(())
}

/// A client with the identity of a kubeconfig that repeats no request by itself, for a proxy.
///
/// # Errors
/// When the kubeconfig cannot be read.
pub async fn client(kubeconfig: &Path) -> Outcome<Client> {
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &options).await?;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// A copy of a kubeconfig by which the API server is found at `server`, over plain HTTP.
///
/// # Errors
/// When one cannot be read or the other not be written.
pub fn redirected(kubeconfig: &Path, server: &str, path: &Path) -> Outcome {
    let mut config = Kubeconfig::read_from(kubeconfig)?;
    for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        cluster.server = Some(server.to_owned());
        cluster.certificate_authority_data = None;
        cluster.certificate_authority = None;
    }
    std::fs::write(path, serde_yaml::to_string(&config)?)?;
    Ok(())
}

/// The command of an operator of simulated nodes that answers at `port`, ends with this process, and adds what it
/// says to `log`.
///
/// # Errors
/// When its log cannot be opened.
pub fn command(program: &Path, release: Release, kubeconfig: &Path, log: &Path, port: u16) -> Outcome<Command> {
    let output = std::fs::File::options().create(true).append(true).open(log)?;
    let mut command = Command::new(program);
    command
        .args(["run", "--log-format", "human"])
        .args(["--namespace", release.namespace, "--service-account", release.service_account])
        // Nothing runs in simulated pods: there is no page to ask for.
        .arg("--no-reachability")
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"))
        .env("KUBECONFIG", kubeconfig)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true);
    Ok(command)
}

impl HostOperator {
    /// Starts it, and waits until it says it is ready.
    ///
    /// # Errors
    /// The end of its log, when it ends or is not ready within half a minute.
    pub async fn start(cluster: &Cluster, kubeconfig: &Path, log: &Path) -> Outcome<Self> {
        Self::start_as(cluster, RELEASE, kubeconfig, log).await
    }

    /// Starts the one of another release.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_as(cluster: &Cluster, release: Release, kubeconfig: &Path, log: &Path) -> Outcome<Self> {
        Self::start_with(cluster, release, kubeconfig, log, &["--no-usage"]).await
    }

    /// Starts one that asks the kubelets how full volumes are, though simulated nodes have none.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_measuring(cluster: &Cluster, kubeconfig: &Path, log: &Path) -> Outcome<Self> {
        Self::start_with(cluster, RELEASE, kubeconfig, log, &[]).await
    }

    /// Starts another program, for example that of an earlier release.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_other(program: &Path, kubeconfig: &Path, log: &Path) -> Outcome<Self> {
        let mut operator = Self::spawn(program, RELEASE, kubeconfig, log, &["--no-usage"])?;
        operator.ready().await?;
        Ok(operator)
    }

    async fn start_with(
        cluster: &Cluster,
        release: Release,
        kubeconfig: &Path,
        log: &Path,
        words: &[&str],
    ) -> Outcome<Self> {
        let program = &cluster.programs.operator;
        let mut operator = Self::spawn(program, release, kubeconfig, log, words)?;
        operator.ready().await?;
        Ok(operator)
    }

    fn spawn(program: &Path, release: Release, kubeconfig: &Path, log: &Path, words: &[&str]) -> Outcome<Self> {
        let port = free_port()?;
        let child = command(program, release, kubeconfig, log, port)?.args(words).spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(|| Failure::new("no pid"))?;
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
        Ok(Self { child, pid, log: log.to_path_buf(), port })
    }

    /// Waits until `/readyz` answers 200.
    async fn ready(&mut self) -> Outcome {
        let port = self.port;
        let ended = eventually("the operator becomes ready", Duration::from_secs(30), async || {
            if let Some(status) = self.child.try_wait()? {
                return Err(Failure::new(format!("it ended: {status}")));
            }
            http_status(port, "/readyz").await
        });
        let ended = ended.await;
        ended.map_err(|failure| Failure::new(format!("{failure}\n{}", tail(&self.log))))
    }

    /// SIGTERM, and waits until it is gone; gives how long that took.
    ///
    /// # Errors
    /// When it does not end by itself within half a minute.
    pub async fn stop(mut self) -> Outcome<Duration> {
        self.halt().await
    }

    /// The same, of an operator that another will take the place of.
    ///
    /// # Errors
    /// When it does not end by itself within half a minute.
    pub async fn halt(&mut self) -> Outcome<Duration> {
        let began = Instant::now();
        kill(Pid::from_raw(self.pid), Signal::SIGTERM)?;
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        let status = ended.map_err(|_| Failure::new("the operator did not end within 30 s of SIGTERM"))??;
        crate::ensure!(status.success(), "the operator ended with {status} after SIGTERM\n{}", tail(&self.log));
        Ok(began.elapsed())
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Outcome {
        Ok(self.child.kill().await?)
    }

    /// What it answers to a path, for example `/metrics`.
    ///
    /// # Errors
    /// When it does not answer 200.
    pub async fn get(&self, path: &str) -> Outcome<String> {
        http_get(self.port, path).await
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits until it has ended by itself or by somebody else's signal.
    ///
    /// # Errors
    /// When it goes on for longer than `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Outcome {
        let ended = tokio::time::timeout(limit, self.child.wait()).await;
        ended.map_err(|_| Failure::new(format!("the operator still runs after {} s", limit.as_secs())))??;
        Ok(())
    }
}

impl Drop for HostOperator {
    /// It is gone, or killed by now: another process may get its number.
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).retain(|pid| *pid != self.pid);
    }
}

/// Ends every operator that this process started, for good.
pub fn end_all() {
    for pid in RUNNING.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // Gone already is as good.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// The last lines of a log.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// A port of this machine that nobody listens on now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

async fn http_status(port: u16, path: &str) -> Outcome {
    http_get(port, path).await.map(drop)
}

async fn http_get(port: u16, path: &str) -> Outcome<String> {
    use http_body_util::{BodyExt as _, Empty};
    let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::get(path).header("host", "localhost").body(Empty::<hyper::body::Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    driver.abort();
    let text = String::from_utf8_lossy(&body).into_owned();
    crate::ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(text)
}
