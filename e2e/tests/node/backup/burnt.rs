//! The machine burnt down: everything is back from the target and a private key alone. A second cluster would be too
//! much beside the first: all that is ours is taken out of this one, volumes and keys too, with its operator stopped.
//! The servers that backups go to are pods of the same cluster, and stand for the world outside.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::calendar::Calendar;
use commonscloud_e2e::backup::content::{Application, Content};
use commonscloud_e2e::backup::outside::Outside;
use commonscloud_e2e::backup::runs::Runs;
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::command::Finished;
use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, chart, ensure, ensure_eq};
use serde_json::{Value, json};

use super::wiki::{SERVICE as WIKI, begin, sign_in};
use super::{can_be_written, is_ready};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("the machine burnt down: all is back from a target and a private key alone", burnt)
            .alone()
            .slow(),
    ]
}

const NAME: &str = "cremada";
const CALENDAR: &str = "site";
/// The platform's records go to the target at most every ten minutes.
const RECORDED: Duration = Duration::from_mins(15);
/// How long the command may take.
const RECOVERED: Duration = Duration::from_mins(20);
const EMPTIED: &str = "--as=system:serviceaccount:kube-system:namespace-controller";
const DEPLOYMENT: &str = "deployment/commonscloud-operator";
const KEEP_NAMESPACE: &str = "validatingadmissionpolicybinding/commonscloud-keep-namespace";

/// What is to be as it was.
#[derive(Debug, PartialEq)]
struct State {
    wiki: Content,
    calendar: Content,
    passwords: Vec<String>,
}

async fn burnt(node: Arc<Node>) -> Outcome {
    servers::ready(&node.cluster, servers::REST).await?;
    begin(&node, NAME).await?;
    let services = json!([
        {"name": WIKI, "template": "mediawiki", "tier": "1gb"},
        {"name": CALENDAR, "template": "radicale", "tier": "1gb"},
    ]);
    node.running(&entity(NAME, json!({"others": services}))).await?;
    let admin = node.administrator(NAME, CALENDAR).await?;
    let calendar = Calendar::make(&node.ingress, &node.host(NAME, CALENDAR), &admin).await?;
    calendar.write("assemblea", "Assemblea general").await?;
    let before = state(&node).await?;
    let runs = Runs::of(&node.cluster, NAME).await?;
    for service in [WIKI, CALENDAR] {
        runs.backed_up(&format!("abans-{service}"), service, servers::REST).await?;
    }
    let backed_up = jiff::Timestamp::now();

    let outside = Outside::open(&node.cluster).await?;
    eventually("the records of the platform are at the target", RECORDED, async || {
        let text = recover(&outside, &node, &["--dry-run"]).await?.succeeded("recover --dry-run")?;
        let taken = recorded_at(&text)?;
        ensure!(taken > backed_up, "they are of {taken}, the backup of {backed_up}");
        Ok(())
    })
    .await?;
    calendar.write("massa-tard", "Feta després de la còpia").await?;
    burn(&node).await?;

    let told = recover(&outside, &node, &["--dry-run"]).await?.succeeded("recover --dry-run")?;
    for service in [WIKI, CALENDAR] {
        ensure!(told.lines().any(|line| line.starts_with(NAME) && line.contains(service)), "{service}: {told}");
    }
    ensure!(told.contains("RPO") && told.contains("RTO"), "{told}");
    // Killed once: the same command goes on.
    let killed = tokio::time::timeout(Duration::from_secs(15), recover(&outside, &node, &[])).await;
    ensure!(killed.is_err(), "it ended before it was killed: {killed:?}");
    let ended = recover(&outside, &node, &[]).await?;
    let told = format!("{}{}", ended.stdout, ended.stderr);
    ensure!(ended.stdout.contains("RPO") && ended.stdout.contains("RTO"), "{told}");
    // What other scenarios left and nobody backed up does not come back, and is named.
    let ours = format!("{NAME}/");
    ensure!(!ended.stderr.contains(&ours), "{told}");
    eprintln!("{}", ended.stdout);

    is_ready(&node, NAME).await?;
    ensure_eq!(state(&node).await?, before, "pages, events and passwords");
    can_be_written(&sign_in(&node, NAME).await?, "Després").await?;
    let after = Runs::of(&node.cluster, NAME).await?;
    let run = after.backed_up("despres", WIKI, servers::REST).await?;
    let path = run.repository.map(|repository| repository.path).unwrap_or_default();
    let former = after.backup(&format!("abans-{WIKI}")).await?.status.and_then(|status| status.repository);
    ensure_eq!(Some(path), former.map(|repository| repository.path), "the repository goes on");
    node.discard(NAME).await
}

async fn state(node: &Node) -> Outcome<State> {
    let admin = node.administrator(NAME, CALENDAR).await?;
    let calendar = Calendar::at(&node.ingress, &node.host(NAME, CALENDAR), &admin);
    Ok(State {
        wiki: sign_in(node, NAME).await?.content().await?,
        calendar: calendar.content().await?,
        passwords: vec![admin.password, node.administrator(NAME, WIKI).await?.password],
    })
}

/// `records ID of 2026-11-30T01:02:03Z, …`.
fn recorded_at(text: &str) -> Outcome<jiff::Timestamp> {
    let line = text.lines().find(|line| line.starts_with("records ")).unwrap_or_default();
    let time = line.split_whitespace().nth(3).map(|time| time.trim_end_matches(','));
    time.and_then(|time| time.parse().ok()).ok_or_else(|| Failure::new(format!("no records in: {text}")))
}

/// Nothing of ours is left but the chart.
async fn burn(node: &Node) -> Outcome {
    let kubectl = &node.cluster.kubectl;
    let home = ["-n", chart::NAMESPACE];
    kubectl.ok(&["scale", DEPLOYMENT, "--replicas=0", home[0], home[1]]).await?;
    let pods = "app.kubernetes.io/name=commonscloud-operator";
    kubectl.ok(&["wait", "--for=delete", "pod", "-l", pods, home[0], home[1], "--timeout=1m"]).await?;
    let kept: Value = serde_json::from_str(&kubectl.ok(&["get", KEEP_NAMESPACE, "-o", "json"]).await?)?;
    kubectl.ok(&["delete", KEEP_NAMESPACE]).await?;
    let of_entities =
        "dedicatedoffices,dedicatedagoras,dedicatedprojects,dedicatedservices,servicebackups,servicerestores";
    release(node, "entities", "").await?;
    for namespace in kubectl.ok(&["get", "namespaces", "-l", "commonscloud.coop/entity", "-o", "name"]).await?.lines() {
        let namespace = namespace.trim_start_matches("namespace/");
        release(node, of_entities, namespace).await?;
    }
    kubectl.ok(&["delete", "entities", "--all", "--wait=false"]).await?;
    kubectl.ok(&["delete", "namespaces", "-l", "commonscloud.coop/entity", "--wait=false"]).await?;
    eventually("the namespaces are gone, with their volumes", Duration::from_mins(5), async || {
        let left = kubectl.ok(&["get", "namespaces", "-l", "commonscloud.coop/entity", "-o", "name"]).await?;
        ensure!(left.trim().is_empty(), "{left}");
        Ok(())
    })
    .await?;
    for kind in ["platforms", "tariffs", "servicetemplates", "servicetemplaterevisions"] {
        kubectl.ok(&["delete", kind, "--all"]).await?;
    }
    for (kind, label) in [
        ("secrets", "commonscloud.coop/data"),
        ("configmaps", "app.kubernetes.io/managed-by=commonscloud"),
        ("jobs", "app.kubernetes.io/name=commonscloud-operation"),
    ] {
        kubectl.ok(&["delete", kind, "-l", label, home[0], home[1], EMPTIED]).await?;
    }
    let name = &kept["metadata"]["name"];
    let metadata =
        json!({"name": name, "labels": kept["metadata"]["labels"], "annotations": kept["metadata"]["annotations"]});
    let binding = json!({
        "apiVersion": kept["apiVersion"], "kind": kept["kind"], "metadata": metadata, "spec": kept["spec"],
    });
    kubectl.applied(&[binding]).await?;
    kubectl.ok(&["scale", DEPLOYMENT, "--replicas=1", home[0], home[1]]).await?;
    kubectl.ok(&["rollout", "status", DEPLOYMENT, home[0], home[1], "--timeout=100s"]).await.map(drop)
}

/// Takes the finalizers away: their operator does not run.
async fn release(node: &Node, kinds: &str, namespace: &str) -> Outcome {
    let kubectl = &node.cluster.kubectl;
    let mut words = vec!["get", kinds, "-o", "name"];
    if !namespace.is_empty() {
        words.extend(["-n", namespace]);
    }
    for object in kubectl.ok(&words).await?.lines() {
        let mut words = vec!["patch", object, "--type=merge", "--patch", r#"{"metadata":{"finalizers":null}}"#];
        if !namespace.is_empty() {
            words.extend(["-n", namespace]);
        }
        kubectl.ok(&words).await?;
    }
    Ok(())
}

/// Runs the command as somebody outside of the cluster who has its kubeconfig.
async fn recover(outside: &Outside, node: &Node, more: &[&str]) -> Outcome<Finished> {
    let kubeconfig = node.cluster.facts.kubeconfig.to_string_lossy();
    outside.run(&[&["recover"][..], more].concat(), &[("KUBECONFIG", &*kubeconfig)], RECOVERED).await
}
