//! All four kinds of targets in one cluster; and what somebody can do who steals what a run has of the volume's.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::backup::runs::{Runs, phase, snapshot};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, chart, ensure, ensure_eq};
use commonscloud_operator::api::{BackupPhase, ServiceBackupStatus};
use commonscloud_operator::backup::key_name;
use serde_json::{Value, json};

use super::{calendars, can_be_written, is_ready, is_whole};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "four calendars go to a bucket, over SSH, to a server and to a volume, and one comes back",
            all_four,
        ),
        // What is kept is everybody's.
        Scenario::new(
            "who steals what a run has removes nothing, and what they add makes no forget drop a good one",
            stolen,
        )
        .alone()
        .slow(),
    ]
}

/// Four calendars, each with the target that it goes to.
const OF_TARGETS: [(&str, &str); 4] =
    [("cubell", servers::S3), ("compte", servers::SFTP), ("servidor", servers::REST), ("volum", servers::VOLUME)];
const SERVICE: &str = "site";
/// Somebody looks each half minute, and restic works for seconds.
const LOOKED: Duration = Duration::from_mins(6);
const THIEF: &str = "thief";

async fn all_four(node: Arc<Node>) -> Outcome {
    let (name, cluster) = ("quatre", &node.cluster);
    servers::let_in_by_ssh(cluster).await?;
    tokio::try_join!(
        servers::ready(cluster, servers::REST),
        servers::ready(cluster, servers::S3),
        servers::volume_ready(cluster)
    )?;
    let calendars = calendars(&node, name, &OF_TARGETS.map(|(service, _)| service)).await?;
    let runs = Runs::of(cluster, name).await?;
    let [cubell, compte, servidor, volum] = OF_TARGETS;
    let each = tokio::try_join!(
        runs.backed_up("al-cubell", cubell.0, cubell.1),
        runs.backed_up("al-compte", compte.0, compte.1),
        runs.backed_up("al-servidor", servidor.0, servidor.1),
        runs.backed_up("al-volum", volum.0, volum.1)
    )?;
    let each = [each.0, each.1, each.2, each.3];
    for ((_, target), run) in OF_TARGETS.iter().zip(&each) {
        is_whole(run, &["data"], false)?;
        is_there(&node, target, run).await?;
    }
    let [.., calendar] = calendars.as_slice() else { return Err(Failure::new("no calendar")) };
    let before = calendar.content().await?;
    calendar.remove("assemblea").await?;
    calendar.write("nova", "feta després").await?;
    runs.restored("enrere", volum.0, snapshot(&each[3])?).await?;
    is_ready(&node, name).await?;
    ensure_eq!(calendar.content().await?, before, "the calendar that came back from the volume");
    can_be_written(calendar, "despres").await?;
    node.discard(name).await
}

/// The repository of a run is where its target keeps it.
async fn is_there(node: &Node, target: &str, run: &ServiceBackupStatus) -> Outcome {
    let at = run.repository.as_ref().ok_or_else(|| Failure::new("no repository"))?;
    ensure_eq!(at.target.as_str(), target, "the target");
    let script = |folder: &str| format!("test -s {folder}/{}/config", at.path);
    let cluster = &node.cluster;
    let found = match target {
        servers::VOLUME => servers::volume_shell(cluster, &script("/data")).await,
        servers::REST => servers::shell(cluster, target, &script("/data")).await,
        _ => servers::shell(cluster, target, &script("/data/cloud")).await,
    };
    found.map(drop)
}

async fn stolen(node: Arc<Node>) -> Outcome {
    let outcome = with_a_thief(&node).await;
    node.change_platform(&json!({"backup": {"keep": null}})).await?;
    let words = ["delete", "pod", THIEF, "-n", chart::NAMESPACE, "--ignore-not-found", "--wait=false"];
    node.cluster.kubectl.ok(&words).await?;
    outcome?;
    node.discard("lladre").await
}

async fn with_a_thief(node: &Node) -> Outcome {
    let name = "lladre";
    servers::volume_ready(&node.cluster).await?;
    let calendar = calendars(node, name, &[SERVICE]).await?.remove(0);
    let runs = Runs::of(&node.cluster, name).await?;
    let first = runs.backed_up("primera", SERVICE, servers::VOLUME).await?;
    calendar.write("segona", "abans del lladre").await?;
    let good = calendar.content().await?;
    let second = runs.backed_up("segona", SERVICE, servers::VOLUME).await?;
    let path = first.repository.clone().map(|at| at.path).unwrap_or_default();
    let (of_first, of_second) = (snapshot(&first)?, snapshot(&second)?);

    let thief = Thief::break_in(node, &path).await?;
    thief.is_refused(of_first).await?;
    thief.forgets(&[of_first, of_second]).await?;
    thief.adds(&["2031-01-01 00:00:00", "2019-01-01 00:00:00"]).await?;
    let seen = thief.snapshots().await?;
    ensure!(seen.contains(of_first) && seen.contains(of_second), "the thief removed one: {seen}");

    calendar.remove("segona").await?;
    let third = runs.backed_up("tercera", SERVICE, servers::VOLUME).await?;
    let keep = json!({"last": 2, "daily": 0, "weekly": 0, "monthly": 0});
    node.change_platform(&json!({"backup": {"keep": keep}})).await?;
    eventually("the first backup is forgotten", LOOKED, async || {
        let run = serde_json::to_value(runs.backup("primera").await?)?;
        let gone = condition(&run, "SnapshotGone").ok_or_else(|| Failure::new(conditions(&run)))?;
        ensure!(gone["reason"] == "SnapshotForgotten", "{gone}");
        Ok(())
    })
    .await?;
    let left = thief.snapshots().await?;
    ensure!(!left.contains(of_first), "who cares for the volume removes nothing there: {left}");
    for (run, of_run) in [("segona", of_second), ("tercera", snapshot(&third)?)] {
        ensure!(left.contains(of_run), "{run} is gone, of which the thief had newer ones: {left}");
        ensure_eq!(phase(&runs.backup(run).await?), Some(BackupPhase::Succeeded), "what is recorded of it");
    }
    runs.restored("enrere", SERVICE, of_second).await?;
    is_ready(node, name).await?;
    ensure_eq!(calendar.content().await?, good, "the calendar as it was before the thief");
    Ok(())
}

/// Somebody with what a run has: the key of the Entity, and the account that adds. They stand where no policy keeps
/// them from the server's other port.
struct Thief<'n> {
    node: &'n Node,
    path: String,
}

impl<'n> Thief<'n> {
    async fn break_in(node: &'n Node, path: &str) -> Outcome<Self> {
        let folder = path.split('.').next().unwrap_or_default();
        node.cluster.applied(&[pod(node.image("backup")?, path, folder)]).await?;
        let words = ["wait", "--for=condition=Ready", "pod/thief", "-n", chart::NAMESPACE, "--timeout=1m"];
        node.cluster.kubectl.ok(&words).await?;
        Ok(Self { node, path: path.to_owned() })
    }

    async fn run(&self, script: &str) -> Outcome<String> {
        let words = ["/bin/bash", "-c", script];
        let ended = self.node.cluster.kubectl.exec(chart::NAMESPACE, THIEF, THIEF, &words).await?;
        ended.succeeded(script)
    }

    /// The status of the answer to a request with a body of three bytes.
    async fn asks(&self, method: &str, what: &str, port: u16) -> Outcome<u16> {
        let script = format!("{ASK}\nask {method} '/{}/{what}' {port}", self.path);
        Ok(self.run(&script).await?.trim().parse()?)
    }

    /// By the protocol itself nothing is removed or written over, and the other port knows no such account.
    async fn is_refused(&self, snapshot: &str) -> Outcome {
        let one = format!("snapshots/{snapshot}");
        let asked =
            [("DELETE", one.as_str()), ("POST", &one), ("DELETE", "config"), ("POST", "config"), ("DELETE", "")];
        for (method, what) in asked {
            let status = self.asks(method, what, 8000).await?;
            ensure!((400..500).contains(&status), "{method} {what}: {status}");
        }
        for method in ["GET", "DELETE"] {
            ensure_eq!(self.asks(method, "config", 8001).await?, 401, "at the other port");
        }
        ensure_eq!(self.asks("GET", "config", 8000).await?, 200, "what a run reads");
        Ok(())
    }

    /// Asks restic to; whether it ends well says nothing.
    async fn forgets(&self, snapshots: &[&str]) -> Outcome {
        let ids = snapshots.join(" ");
        let script = format!(
            "restic forget {ids}; restic prune --max-unused 0; restic forget --keep-last 1 --group-by '' --prune; true"
        );
        self.run(&script).await.map(drop)
    }

    /// Adds snapshots that look like a run's, of these times.
    async fn adds(&self, dates: &[&str]) -> Outcome {
        for date in dates {
            let ours = "--host commonscloud --tag files --tag part:data --tag manifest";
            self.run(&format!("restic backup {ours} --time '{date}' /etc/hostname")).await?;
        }
        Ok(())
    }

    /// What there is, as restic lists it.
    async fn snapshots(&self) -> Outcome<String> {
        self.run("restic snapshots --no-lock --json").await
    }
}

const ASK: &str = r#"set -e
ask() {
    exec 3<>"/dev/tcp/$SERVER/$3"
    account=$(printf '%s:%s' "$RESTIC_REST_USERNAME" "$RESTIC_REST_PASSWORD" | base64 -w0)
    printf '%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Length: 3\r\nConnection: close\r\n\r\nx\n\n' \
        "$1" "$2" "$SERVER" "$account" >&3
    read -r _ status _ <&3
    echo "$status"
}"#;

fn pod(image: &str, path: &str, folder: &str) -> Value {
    let account = |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": servers::VOLUME_SERVER, "key": key}}});
    let server = format!("{}.{}.svc.cluster.local", servers::VOLUME_SERVER, chart::NAMESPACE);
    let container = json!({
        "name": THIEF, "image": image, "command": ["/bin/bash", "-c", "exec sleep 3600"],
        "env": [
            {"name": "SERVER", "value": server},
            {"name": "RESTIC_REPOSITORY", "value": format!("rest:http://{server}:8000/{path}")},
            {"name": "RESTIC_PASSWORD_FILE", "value": "/key/password"},
            account("RESTIC_REST_USERNAME", "username"), account("RESTIC_REST_PASSWORD", "password"),
        ],
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "key", "mountPath": "/key", "readOnly": true}, {"name": "cache", "mountPath": "/cache"},
        ],
    });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": THIEF, "namespace": chart::NAMESPACE, "labels": {"app.kubernetes.io/name": "commonscloud-operation"},
        },
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [
                {"name": "key", "secret": {"secretName": key_name(folder), "defaultMode": 0o440}},
                {"name": "cache", "emptyDir": {}},
            ],
        },
    })
}
