//! The operator beside a simulated cluster: a process of this machine with the chart's own rights.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::local::{self, Cluster};
use commonscloud_cluster::{Progress, cargo};
use serde_json::{Value, json};
use tokio::process::Command;

use super::install::NAMESPACE;

const PROGRAM: &str = "commonscloud-operator";
/// The environment variable with the path of an operator that is built already.
const GIVEN: &str = "COMMONSCLOUD_OPERATOR";
/// Below the cluster's folder: process id, credentials and log.
const FOLDER: &str = "operator";

/// Builds the operator, gives it a token of its service account, and starts it; it outlives this
/// command, and ends with the cluster.
pub(crate) async fn start(cluster: &Cluster, source: &Path, progress: &Progress) -> Result<(), Failure> {
    if running(&cluster.folder).is_some() {
        return Ok(());
    }
    let phase = progress.phase("start the operator beside the cluster");
    let program = program(source).await?;
    let folder = cluster.folder.join(FOLDER);
    fs::create_dir_all(&folder)?;
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, credentials(cluster).await?)?;
    let log = fs::File::create(folder.join("log"))?;
    let child = Process::new(program)
        .args(["run", "--namespace", NAMESPACE, "--log-format", "human", "--listen", "127.0.0.1:0"])
        // Nothing answers and nothing fills in simulated pods.
        .args(["--no-reachability", "--no-usage"])
        .env("KUBECONFIG", &kubeconfig)
        .env(local::MARK, &cluster.folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .map_err(|error| format!("{PROGRAM} cannot be started: {error}"))?;
    fs::write(folder.join("pid"), child.id().to_string())?;
    phase.done();
    Ok(())
}

/// The operator as a program of this machine: one that is given, else built.
async fn program(source: &Path) -> Result<PathBuf, Failure> {
    if let Some(given) = std::env::var_os(GIVEN) {
        return Ok(PathBuf::from(given));
    }
    let tree = source.to_path_buf();
    Ok(tokio::task::spawn_blocking(move || cargo::release(PROGRAM, &tree)).await??)
}

/// The process id, if the process that was started is there still and is the operator.
fn running(cluster: &Path) -> Option<i32> {
    let pid: i32 = fs::read_to_string(cluster.join(FOLDER).join("pid")).ok()?.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8_lossy(&command).contains(PROGRAM).then_some(pid)
}

/// The administrator's kubeconfig with a token of the chart's service account in the place of the
/// administrator's certificate.
async fn credentials(cluster: &Cluster) -> Result<String, Failure> {
    let mut command = Command::new(&cluster.kubectl);
    command.env("KUBECONFIG", &cluster.kubeconfig).stdin(Stdio::null());
    command.args(["create", "token", PROGRAM, "--namespace", NAMESPACE, "--duration", "24h"]);
    let output = command.output().await?;
    if !output.status.success() {
        return Err(format!("no token for the operator: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut config: Value = serde_yaml::from_str(&fs::read_to_string(&cluster.kubeconfig)?)?;
    for user in config["users"].as_array_mut().into_iter().flatten() {
        user["user"] = json!({"token": token});
    }
    Ok(serde_json::to_string_pretty(&config)?)
}
