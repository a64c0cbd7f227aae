//! kro with the same 15 objects: a resource graph, and an instance of it in each namespace.

use std::process::Stdio;
use std::time::Duration;

use commonscloud_cluster::tools::Tool;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, resources};
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::bench::Bench;
use crate::floor::{Model, Taken, apply};
use crate::peers::prepare;
use crate::ready;

/// Workers, requests a second, and what else its authors let one turn up. Its own rate limit of 10 is for
/// one worker.
const ARGUMENTS: [&str; 5] = [
    "--dynamic-controller-concurrent-reconciles=32",
    "--client-qps=1000",
    "--client-burst=1000",
    "--dynamic-controller-rate-limiter-rate-limit=1000",
    "--dynamic-controller-rate-limiter-burst-limit=1000",
];
const API_VERSION: &str = "kro.run/v1alpha1";
const KIND: &str = "Fifteen";
const LIMIT: Duration = Duration::from_mins(2);

/// Installs and starts kro, and measures `count` instances. It ends with this.
pub async fn run(bench: &Bench, tool: &Tool, model: &Model, count: usize) -> Outcome<Taken> {
    let crds = tool.share("crds.yaml");
    bench.cluster.kubectl.ok(&["apply", "--server-side", "-f", &crds.to_string_lossy()]).await?;
    let words = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    bench.cluster.kubectl.ok(&words).await?;
    let log = std::fs::File::create(bench.folder().join("kro.log"))?;
    let _kro = Command::new(tool.program("kro"))
        .args(ARGUMENTS)
        .args(["--metrics-bind-address=0", "--health-probe-bind-address=0", "--pprof-bind-address="])
        .env("KUBECONFIG", &bench.cluster.facts.kubeconfig)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()?;
    let objects = prepare(bench, model, "kro", count).await?;
    graph(bench, &objects).await?;
    let instance = |number: usize| {
        let metadata = json!({"name": "site", "namespace": format!("kro-{number}")});
        json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {"note": "none"}})
    };
    let instances = [(0..count).map(instance).collect::<Vec<Value>>()];
    let api: Api<DynamicObject> = Api::all_with(bench.cluster.client.clone(), &resource());
    let active = |instance: &Value| {
        let state = &instance["status"]["state"];
        ensure!(state == "ACTIVE", "state {state}");
        Ok(())
    };
    let (applied, active, workloads) = futures::try_join!(
        apply(bench, &instances),
        ready::until(api, "", count, active),
        model.ready(bench, "kro", count)
    )?;
    let active = active.last().copied().unwrap_or_default();
    let ready = active.max(workloads) - applied.begun;
    Ok(Taken { objects: count * objects.len(), applied: active - applied.begun, ready })
}

/// Applies the graph, and waits until its kind can be used.
async fn graph(bench: &Bench, objects: &[Value]) -> Outcome {
    let resource = |(number, object): (usize, &Value)| json!({"id": format!("object{number}"), "template": object});
    let resources: Vec<Value> = objects.iter().enumerate().map(resource).collect();
    let schema = json!({"apiVersion": "v1alpha1", "kind": KIND, "spec": {"note": "string"}});
    let spec = json!({"schema": schema, "resources": resources});
    let metadata = json!({"name": "fifteen"});
    let graph =
        json!({"apiVersion": API_VERSION, "kind": "ResourceGraphDefinition", "metadata": metadata, "spec": spec});
    apply(bench, &[vec![graph]]).await?;
    let words = ["get", "resourcegraphdefinition", "fifteen", "--output", "json"];
    eventually("kro takes the graph", LIMIT, async || {
        let graph: Value = serde_json::from_str(&bench.cluster.kubectl.ok(&words).await?)?;
        ensure!(graph["status"]["state"] == "Active", "{}", graph["status"]);
        resources::any_in(&bench.cluster.client, "kro.run", "v1alpha1", KIND, "default").await.map(drop)
    })
    .await
}

fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("kro.run", "v1alpha1", KIND), "fifteens")
}
