//! What a bare client takes: the objects that the operator made for one Entity, copied under other
//! names and applied as they are, nothing computed, nothing watched, nothing reported.

use std::time::{Duration, Instant};

use commonscloud_e2e::cluster::Cluster;
use commonscloud_e2e::objects::forget_controllers;
use commonscloud_e2e::{Failure, Outcome, fleet};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

/// What the bare client took.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// Objects applied.
    pub objects: usize,
    /// Until the last apply was answered.
    pub applied: Duration,
    /// Until all workloads were ready.
    pub ready: Duration,
}

/// Marks everything of the floor, so that neither the operator nor its policies look at it.
const MARK: &str = "floor.test";
const LIMIT: Duration = Duration::from_mins(30);
const PAUSE: Duration = Duration::from_millis(250);

/// An object of the model as a bare client would send it. The project's own kinds become ConfigMaps
/// of the same bytes, since the operator would answer to them.
pub fn sendable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|field, _| matches!(field.as_str(), "name" | "namespace" | "labels" | "annotations"));
        forget_controllers(metadata);
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.retain(|field, _| !matches!(field.as_str(), "clusterIP" | "clusterIPs" | "volumeName" | "finalizers"));
    }
    let ours = object["apiVersion"].as_str().is_some_and(|version| version.starts_with("commonscloud.coop/"));
    if ours {
        let name = format!("{}-{}", object["kind"], object["metadata"]["name"]).replace('"', "").to_lowercase();
        let metadata = json!({"name": name, "namespace": object["metadata"]["namespace"]});
        object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"was": object.to_string()}});
    }
    object
}

/// Applies the model's objects `count` times, and waits until all workloads are ready.
///
/// # Errors
/// A refusal, or workloads that do not become ready.
pub async fn run(cluster: &Cluster, model: &Model, count: usize) -> Outcome<Floor> {
    let copies: Vec<Vec<Value>> =
        (0..count).map(|number| model.copy(&format!("floor{count}-{number}"))).collect::<Outcome<_>>()?;
    let begun = Instant::now();
    let namespaces: Vec<Value> = copies.iter().flat_map(|copy| copy.iter().take(1)).cloned().collect();
    let rest: Vec<Value> = copies.iter().flat_map(|copy| copy.iter().skip(1)).cloned().collect();
    fleet::apply(&cluster.client, &namespaces).await?;
    fleet::apply(&cluster.client, &rest).await?;
    let applied = begun.elapsed();
    ready(cluster, count * model.workloads(), &format!("{MARK}/size={count}"), begun).await?;
    Ok(Floor { objects: namespaces.len() + rest.len(), applied, ready: begun.elapsed() })
}

async fn ready(cluster: &Cluster, wanted: usize, selector: &str, begun: Instant) -> Outcome {
    let chosen = ListParams::default().labels(selector);
    loop {
        let deployments = Api::<Deployment>::all(cluster.client.clone()).list(&chosen).await?;
        let sets = Api::<StatefulSet>::all(cluster.client.clone()).list(&chosen).await?;
        let deployed = deployments.iter().filter(|one| {
            let replicas = one.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
            one.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default() >= replicas
        });
        let set = sets.iter().filter(|one| {
            let replicas = one.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
            one.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default() >= replicas
        });
        let ready = deployed.count() + set.count();
        if ready >= wanted {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            return Err(Failure::new(format!("{ready} of {wanted} workloads of the floor are ready")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One Entity's objects, the namespace first.
#[derive(Debug, Clone)]
pub struct Model {
    /// The Entity's name.
    pub entity: String,
    /// What a bare client sends for it.
    pub objects: Vec<Value>,
}

impl Model {
    fn workloads(&self) -> usize {
        self.objects.iter().filter(|object| object["kind"] == "Deployment" || object["kind"] == "StatefulSet").count()
    }

    /// The same objects for another Entity.
    fn copy(&self, name: &str) -> Outcome<Vec<Value>> {
        let size = name.split('-').next().unwrap_or_default().trim_start_matches("floor");
        let copy = |object: &Value| {
            let text = object.to_string().replace(&self.entity, name);
            let text = text.replace("commonscloud.coop/", &format!("{MARK}/"));
            let text = text.replace("app.kubernetes.io/managed-by", &format!("{MARK}/managed-by"));
            let mut object: Value = serde_json::from_str(&text)?;
            if let Some(metadata) = object["metadata"].as_object_mut() {
                let labels = metadata.entry("labels").or_insert_with(|| json!({}));
                labels[format!("{MARK}/size")] = Value::from(size);
            }
            Ok(object)
        };
        self.objects.iter().map(copy).collect()
    }
}
