//! The machine burnt down: everything is back from the target and a private key alone. A second cluster would be too
//! much beside the first: all that is ours is taken out of this one, volumes and keys too, with its operator stopped.
//! The servers that backups go to are pods of the same cluster, and stand for the world outside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::calendar::Calendar;
use commonscloud_e2e::backup::content::{Application, Content};
use commonscloud_e2e::backup::office::Office;
use commonscloud_e2e::backup::outside::Outside;
use commonscloud_e2e::backup::runs::{Runs, snapshot};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::command::Finished;
use commonscloud_e2e::manifests::{TARIFF, entity};
use commonscloud_e2e::seed::{Seed, VARIABLE};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, chart, ensure, ensure_eq, resources};
use commonscloud_operator::api::ServiceData;
use commonscloud_operator::backup::records::kept_name;
use kube::Api;
use serde_json::{Value, json};

use super::wiki::{SERVICE as WIKI, begin, sign_in};
use super::{DONE, calendars, can_be_written, is_ready};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("the machine burnt down: all is back from a target and a private key alone", burnt)
            .alone()
            .slow(),
    ]
}

/// An Entity with an office of PostgreSQL and a wiki of MariaDB ...
const FIRST: &str = "cremada";
const OFFICE: &str = "office";
/// ... and one with calendars, one of which was given up before.
const SECOND: &str = "cremada-dos";
const CALENDAR: &str = "site";
const FORMER: &str = "antic";
/// What comes back by itself.
const SERVICES: [(&str, &str); 3] = [(FIRST, OFFICE), (FIRST, WIKI), (SECOND, CALENDAR)];
/// The platform's records are stored soon after the operator begins and knows of none.
const RECORDED: Duration = Duration::from_mins(15);
/// How long the command may take.
const RECOVERED: Duration = Duration::from_mins(30);
/// So often the command is killed, each time within its first so many milliseconds: it has written the records then,
/// and waits for the first restores.
const KILLS: usize = 5;
const MOMENTS: u32 = 60_000;
const EMPTIED: &str = "--as=system:serviceaccount:kube-system:namespace-controller";
const DEPLOYMENT: &str = "deployment/commonscloud-operator";
const KEEP_NAMESPACE: &str = "validatingadmissionpolicybinding/commonscloud-keep-namespace";

/// What is to be as it was.
#[derive(Debug, PartialEq)]
struct State {
    contents: BTreeMap<String, Content>,
    passwords: BTreeMap<String, String>,
    prices: BTreeMap<String, Value>,
    tariff: Value,
    /// Until when the data stays of the calendar that was given up, and the password that it was made with.
    kept: (String, String),
}

async fn burnt(node: Arc<Node>) -> Outcome {
    servers::ready(&node.cluster, servers::REST).await?;
    let mut seed = Seed::of_this_run()?;
    let told = format!("moments of recoveries killed: {VARIABLE}={}", seed.first);
    eprintln!("{told}");
    let former = made(&node).await?;
    let snapshots = backed_up(&node).await?;
    given_up(&node).await?;
    let before = state(&node).await?;
    let outside = Outside::open(&node.cluster).await?;
    recorded(&outside, &node).await?;
    let admin = node.administrator(SECOND, CALENDAR).await?;
    let calendar = Calendar::at(&node.ingress, &node.host(SECOND, CALENDAR), &admin);
    calendar.write("massa-tard", "Feta després de la còpia").await?;
    burn(&node).await?;
    recovered(&outside, &node, &mut seed).await.map_err(|failure| failure.during(&told))?;
    for name in [FIRST, SECOND] {
        is_ready(&node, name).await?;
    }
    ensure_eq!(state(&node).await?, before, "contents, passwords, prices and dates");
    can_be_written(&sign_in(&node, FIRST).await?, "Després").await?;
    goes_on(&node).await?;
    comes_again(&node, &snapshots[FORMER], &former).await?;
    node.discard(FIRST).await?;
    node.discard(SECOND).await
}

/// Makes the services with something in each; what the calendar holds that is given up.
async fn made(node: &Node) -> Outcome<Content> {
    begin(node, FIRST).await?;
    let wiki = json!({"name": WIKI, "template": "mediawiki", "tier": "1gb"});
    node.running(&entity(FIRST, json!({"office": {"tier": "1gb"}, "others": [wiki]}))).await?;
    office(node).await?.write("memoria.txt", "La memòria de l'any.").await?;
    let calendars = calendars(node, SECOND, &[CALENDAR, FORMER]).await?;
    calendars[1].content().await
}

/// Backs up everything; the snapshots, by service.
async fn backed_up(node: &Node) -> Outcome<BTreeMap<String, String>> {
    let mut snapshots = BTreeMap::new();
    for (name, service) in SERVICES.into_iter().chain([(SECOND, FORMER)]) {
        let runs = Runs::of(&node.cluster, name).await?;
        let run = runs.backed_up(&format!("abans-{service}"), service, servers::REST).await?;
        snapshots.insert(service.to_owned(), snapshot(&run)?.to_owned());
    }
    Ok(snapshots)
}

/// One calendar leaves its Entity: its data is kept until a date.
async fn given_up(node: &Node) -> Outcome {
    node.running(&second(&[CALENDAR])).await?;
    eventually("the data has a date", DONE, async || {
        let record = record(node, FORMER).await?;
        ensure!(record.spec.keep_until.is_some(), "{:?}", record.status);
        Ok(())
    })
    .await
}

fn second(services: &[&str]) -> Value {
    let others = services.iter().map(|service| json!({"name": service, "template": "radicale", "tier": "1gb"}));
    entity(SECOND, json!({"others": others.collect::<Vec<_>>()}))
}

async fn record(node: &Node, service: &str) -> Outcome<ServiceData> {
    Ok(Api::namespaced(node.cluster.client.clone(), SECOND).get(service).await?)
}

async fn office(node: &Node) -> Outcome<Office> {
    let admin = node.administrator(FIRST, OFFICE).await?;
    Ok(Office::at(&node.ingress, &node.host(FIRST, OFFICE), &admin))
}

async fn state(node: &Node) -> Outcome<State> {
    let (mut contents, mut passwords, mut prices) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, service) in SERVICES {
        let admin = node.administrator(name, service).await?;
        let content = match service {
            OFFICE => office(node).await?.content().await?,
            WIKI => sign_in(node, name).await?.content().await?,
            _ => Calendar::at(&node.ingress, &node.host(name, service), &admin).content().await?,
        };
        contents.insert(service.to_owned(), content);
        passwords.insert(service.to_owned(), admin.password);
        prices.insert(name.to_owned(), node.entities().get(name).await?.data["status"]["price"].clone());
    }
    ensure!(prices.values().all(Value::is_string), "prices {prices:?}");
    let tariff = resources::ours(&node.cluster.client, "Tariff").get(TARIFF).await?;
    let until = record(node, FORMER).await?.spec.keep_until.map(|until| until.0.to_string()).unwrap_or_default();
    let kept = (until, node.administrator(SECOND, FORMER).await?.password);
    Ok(State { contents, passwords, prices, tariff: tariff.data["spec"].clone(), kept })
}

/// Waits until the platform's records of now are at the target. What is known to be there is forgotten, so that the
/// pause between two snapshots is not waited for.
async fn recorded(outside: &Outside, node: &Node) -> Outcome {
    let (kubectl, since) = (&node.cluster.kubectl, jiff::Timestamp::now());
    let home = ["-n", chart::NAMESPACE];
    stopped(node).await?;
    let known = kept_name(servers::REST);
    kubectl.ok(&["delete", "configmap", &known, "--ignore-not-found", home[0], home[1]]).await?;
    started(node).await?;
    eventually("the records of the platform are at the target", RECORDED, async || {
        let text = recover(outside, node, &["--dry-run"], RECOVERED).await?.succeeded("recover --dry-run")?;
        let taken = recorded_at(&text)?;
        ensure!(taken > since, "they are of {taken}, what happened is of {since}");
        Ok(())
    })
    .await
}

/// Recovers, killed at any moment, until it ends by itself.
async fn recovered(outside: &Outside, node: &Node, seed: &mut Seed) -> Outcome {
    let told = recover(outside, node, &["--dry-run"], RECOVERED).await?.succeeded("recover --dry-run")?;
    for (name, service) in SERVICES {
        ensure!(told.lines().any(|line| line.starts_with(name) && line.contains(service)), "{service}: {told}");
    }
    ensure!(told.contains("RPO") && told.contains("RTO"), "{told}");
    for _ in 0..KILLS {
        let after = Duration::from_millis(seed.below(MOMENTS).into());
        // With SIGKILL. One that ended before was as good as one that was not begun.
        let ended = recover(outside, node, &[], after).await;
        eprintln!("recover killed after {} ms: {}", after.as_millis(), ended.is_err());
    }
    let ended = recover(outside, node, &[], RECOVERED).await?;
    let told = format!("{}{}", ended.stdout, ended.stderr);
    ensure!(ended.stdout.contains("RPO") && ended.stdout.contains("RTO"), "{told}");
    ensure!(ended.stdout.contains(&format!("kept: {SECOND}/{FORMER}, ")), "{told}");
    // What other scenarios left and nobody backed up does not come back, and is named.
    for name in [FIRST, SECOND] {
        ensure!(!ended.stderr.contains(&format!("{name}/")), "{told}");
    }
    eprintln!("{}", ended.stdout);
    Ok(())
}

/// The next backup goes where the former ones are.
async fn goes_on(node: &Node) -> Outcome {
    let runs = Runs::of(&node.cluster, FIRST).await?;
    let run = runs.backed_up("despres", WIKI, servers::REST).await?;
    let path = run.repository.map(|repository| repository.path).unwrap_or_default();
    let former = runs.backup(&format!("abans-{WIKI}")).await?.status.and_then(|status| status.repository);
    ensure_eq!(Some(path), former.map(|repository| repository.path), "the repository goes on");
    Ok(())
}

/// The calendar that was given up is applied again, and its data comes with a restore.
async fn comes_again(node: &Node, snapshot: &str, content: &Content) -> Outcome {
    node.cluster.applied(&[second(&[CALENDAR, FORMER])]).await?;
    Runs::of(&node.cluster, SECOND).await?.restored("torna", FORMER, snapshot).await?;
    is_ready(node, SECOND).await?;
    let admin = node.administrator(SECOND, FORMER).await?;
    let calendar = Calendar::at(&node.ingress, &node.host(SECOND, FORMER), &admin);
    ensure_eq!(&calendar.content().await?, content, "the events of the calendar that was given up");
    ensure_eq!(record(node, FORMER).await?.spec.keep_until, None, "its date");
    Ok(())
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
    stopped(node).await?;
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
        // It may delete, and not watch what becomes of it.
        kubectl.ok(&["delete", kind, "-l", label, home[0], home[1], "--wait=false", EMPTIED]).await?;
    }
    let name = &kept["metadata"]["name"];
    let metadata =
        json!({"name": name, "labels": kept["metadata"]["labels"], "annotations": kept["metadata"]["annotations"]});
    let binding = json!({
        "apiVersion": kept["apiVersion"], "kind": kept["kind"], "metadata": metadata, "spec": kept["spec"],
    });
    kubectl.applied(&[binding]).await?;
    started(node).await
}

/// The operator does not run.
async fn stopped(node: &Node) -> Outcome {
    let (kubectl, home) = (&node.cluster.kubectl, ["-n", chart::NAMESPACE]);
    kubectl.ok(&["scale", DEPLOYMENT, "--replicas=0", home[0], home[1]]).await?;
    let pods = "app.kubernetes.io/name=commonscloud-operator";
    eventually("the operator has ended", DONE, async || {
        let left = kubectl.ok(&["get", "pods", "-l", pods, home[0], home[1], "-o", "name"]).await?;
        ensure!(left.trim().is_empty(), "{left}");
        Ok(())
    })
    .await
}

async fn started(node: &Node) -> Outcome {
    let (kubectl, home) = (&node.cluster.kubectl, ["-n", chart::NAMESPACE]);
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

/// Runs the command as somebody outside of the cluster who has its kubeconfig; killed after `limit`.
async fn recover(outside: &Outside, node: &Node, more: &[&str], limit: Duration) -> Outcome<Finished> {
    let kubeconfig = node.cluster.facts.kubeconfig.to_string_lossy();
    outside.run(&[&["recover"][..], more].concat(), &[("KUBECONFIG", &*kubeconfig)], limit).await
}
