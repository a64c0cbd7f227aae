//! `up` is killed when it has come to a certain point; then everything must go away, and come up.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use commonscloud_e2e::cluster::{Cluster, Nodes, down};
use commonscloud_e2e::programs::Programs;
use commonscloud_e2e::{Failure, Outcome, ensure, wait};
use serde_json::Value;
use tokio::process::Command;

use crate::machine;

const NAME: &str = "test-killed";
/// From cold every tool is built first.
const LIMIT: Duration = Duration::from_mins(40);

/// How far `up` has come, seen from outside.
enum Point {
    /// This file in the cluster's folder exists.
    File(&'static str),
    /// The supervisor says that this process is ready.
    Ready(&'static str),
    /// All processes are ready.
    AllReady,
}

impl Point {
    fn is_reached(&self, folder: &Path) -> bool {
        let text = std::fs::read(folder.join("report.json")).unwrap_or_default();
        let report: Value = serde_json::from_slice(&text).unwrap_or_default();
        let processes = report["processes"].as_array().cloned().unwrap_or_default();
        let ready = |process: &Value| process["ready"] == true;
        match self {
            Self::File(name) => folder.join(name).exists(),
            Self::Ready(name) => processes.iter().any(|process| process["name"] == *name && ready(process)),
            Self::AllReady => !processes.is_empty() && processes.iter().all(ready),
        }
    }
}

/// Starts `up`, kills it at that point, takes the cluster down, and looks for what is left.
async fn kill_at(point: &Point, what: &str, kind: &str) -> Outcome {
    let programs = Programs::build().await?;
    let folder = machine::folder(NAME)?;
    let mut up = Command::new(&programs.commonscloud)
        .args(["cluster", "up", "--node", kind, "--name", NAME])
        .env("COMMONSCLOUD_SOURCE", &programs.source)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    wait::eventually(what, LIMIT, async || {
        ensure!(point.is_reached(&folder), "not there yet");
        Ok(())
    })
    .await?;
    // It may have ended by itself a moment before: then this is an ordinary `down`.
    up.kill().await?;
    machine::down_without_a_trace(NAME).await.map_err(|failure| failure.during(&format!("killed at {what}")))
}

async fn all(points: &[(Point, &str)], kind: &str) -> Outcome {
    for (point, what) in points {
        kill_at(point, what, kind).await?;
    }
    Ok(())
}

pub async fn simulated() -> Outcome {
    let points = [
        (Point::File("cluster.json"), "the first record"),
        (Point::File("plan.json"), "the plan"),
        (Point::Ready("etcd"), "etcd"),
        (Point::Ready("kube-apiserver"), "the API server"),
        (Point::AllReady, "all processes"),
    ];
    all(&points, "simulated").await
}

pub async fn real() -> Outcome {
    let settings = machine::settings();
    let points = [
        (Point::File("cluster.json"), "the first record"),
        (Point::File("plan.json"), "the plan"),
        (Point::File("report.json"), "the supervisor's start"),
        (Point::Ready("containerd"), "containerd"),
        (Point::Ready("kube-apiserver"), "the API server"),
        (Point::Ready("kubelet"), "the kubelet"),
        (Point::AllReady, "all processes"),
    ];
    all(&points, "real").await?;
    ensure!(machine::settings() == settings, "the machine's settings changed: {:?}", machine::settings());
    Ok(())
}

pub async fn supervisor() -> Outcome {
    let outcome = supervisor_killed().await;
    down(NAME).await?;
    outcome
}

async fn supervisor_killed() -> Outcome {
    Cluster::up(NAME, Nodes::Simulated, &[]).await?;
    let record = machine::folder(NAME)?.join("cluster.json");
    let pid = |text: &[u8]| -> Outcome<i32> {
        let state: Value = serde_json::from_slice(text)?;
        let pid = state["supervisor"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        pid.ok_or_else(|| Failure::new("no supervisor is recorded"))
    };
    let first = pid(&std::fs::read(&record)?)?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), nix::sys::signal::Signal::SIGKILL)?;
    let again = Cluster::up(NAME, Nodes::Simulated, &[]).await?;
    again.client.apiserver_version().await?;
    ensure!(pid(&std::fs::read(&record)?)? != first, "nothing was made anew");
    Ok(())
}
