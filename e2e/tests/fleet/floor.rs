//! What a bare client takes: objects that the operator made, copied under other names and applied as
//! they are, nothing computed, nothing watched, nothing reported.

use commonscloud_e2e::objects::forget_controllers;
use commonscloud_e2e::{Failure, Outcome, command, fleet};
use commonscloud_operator::api::marks;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use serde_json::{Map, Value, json};

use crate::bench::Bench;
use crate::ready::{self, LIMIT};
use crate::{clock, package};

/// Marks everything of the floor, so that neither the operator nor its policies look at it.
pub const MARK: &str = "floor.test";

/// What a client took, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Objects applied.
    pub objects: usize,
    /// Until the last apply was answered.
    pub applied: f64,
    /// Until all workloads were ready.
    pub ready: f64,
}

/// When the bare client began and ended, in Unix time.
#[derive(Debug, Clone, Copy)]
pub struct Applied {
    /// Before the first request.
    pub begun: f64,
    /// After the last answer.
    pub ended: f64,
}

/// Has the bare client apply each batch of objects after the one before it.
pub async fn apply(bench: &Bench, batches: &[Vec<Value>]) -> Outcome<Applied> {
    let input: Vec<String> = batches.iter().map(|batch| Value::from(batch.clone()).to_string()).collect();
    let kubeconfig = bench.cluster.facts.kubeconfig.to_string_lossy();
    let environment = [("KUBECONFIG", &*kubeconfig)];
    let words: [&str; 0] = [];
    let input = input.join("\n");
    let run = command::run(&bench.programs.floor, &words, &environment, Some(input.as_bytes()), LIMIT).await?;
    let told: Value = serde_json::from_str(&run.succeeded("commonscloud-floor")?)?;
    let at = |field: &str| told[field].as_f64().ok_or_else(|| Failure::new(format!("no {field} in {told}")));
    Ok(Applied { begun: at("begun")?, ended: at("ended")? })
}

/// Objects of one tenant, as a bare client sends them.
#[derive(Debug, Clone)]
pub struct Model {
    /// The name that stands for the tenant in them, and the namespace that they are in.
    name: String,
    /// The namespace first.
    objects: Vec<Value>,
}

impl Model {
    /// Everything that the operator made for an Entity with the typed services.
    pub async fn typed(bench: &Bench) -> Outcome<Self> {
        let entity = fleet::entities("model", 1).remove(0);
        let all = made(bench, &entity).await?;
        let sent = all.iter().map(|object| inert(object).unwrap_or_else(|| sendable(object)));
        Ok(Self::new(&entity, sent.collect()))
    }

    /// The objects of one instance of the package of 15, and a namespace for them.
    pub async fn fifteen(bench: &Bench) -> Outcome<Self> {
        let entity = package::entity("fifteen-0", 1, None);
        let all = made(bench, &entity).await?;
        let of_package = |object: &&Value| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            name.starts_with("s0-") && inert(object).is_none()
        };
        let objects: Vec<Value> = all.iter().filter(of_package).map(sendable).collect();
        let names: Vec<String> = objects.iter().map(|o| format!("{}/{}", o["kind"], o["metadata"]["name"])).collect();
        commonscloud_e2e::ensure!(objects.len() == package::OBJECTS, "{} objects: {names:?}", objects.len());
        Ok(Self::new(&entity, objects))
    }

    fn new(entity: &Value, objects: Vec<Value>) -> Self {
        let name = entity["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let labels = json!({"pod-security.kubernetes.io/enforce": "baseline"});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        Self { name, objects: std::iter::once(namespace).chain(objects).collect() }
    }

    /// How many Deployments and StatefulSets there are.
    pub fn workloads(&self) -> (usize, usize) {
        let of = |kind: &str| self.objects.iter().filter(|object| object["kind"] == kind).count();
        (of("Deployment"), of("StatefulSet"))
    }

    /// The same objects for another tenant, with a label that says whose fleet they are of.
    pub fn copy(&self, fleet: &str, number: usize) -> Outcome<Vec<Value>> {
        let copy = |object: &Value| {
            let text = object.to_string().replace(&self.name, &format!("{fleet}-{number}"));
            let text = text.replace("commonscloud.coop/", &format!("{MARK}/"));
            let text = text.replace("app.kubernetes.io/managed-by", &format!("{MARK}/managed-by"));
            let mut object: Value = serde_json::from_str(&text)?;
            if let Some(metadata) = object["metadata"].as_object_mut() {
                let labels = metadata.entry("labels").or_insert_with(|| json!({}));
                labels[format!("{MARK}/fleet")] = Value::from(fleet);
            }
            Ok(object)
        };
        self.objects.iter().map(copy).collect()
    }

    /// Applies `count` copies, and waits until all workloads are ready.
    pub async fn run(&self, bench: &Bench, fleet: &str, count: usize) -> Outcome<Taken> {
        let copies: Vec<Vec<Value>> = (0..count).map(|number| self.copy(fleet, number)).collect::<Outcome<_>>()?;
        let namespaces: Vec<Value> = copies.iter().flat_map(|copy| copy.iter().take(1)).cloned().collect();
        let rest: Vec<Value> = copies.iter().flat_map(|copy| copy.iter().skip(1)).cloned().collect();
        let (batches, objects) = ([namespaces, rest], copies.iter().map(Vec::len).sum());
        let ready = self.ready(bench, fleet, count);
        let (applied, ready) = futures::try_join!(apply(bench, &batches), ready)?;
        Ok(Taken { objects, applied: applied.ended - applied.begun, ready: ready - applied.begun })
    }

    /// Waits until the workloads of `count` copies are ready.
    pub async fn ready(&self, bench: &Bench, fleet: &str, count: usize) -> Outcome<f64> {
        let (deployments, sets) = self.workloads();
        let selector = format!("{MARK}/fleet={fleet}");
        ready::workloads(&bench.cluster.client, &selector, (count * deployments, count * sets)).await
    }
}

/// Has the operator make an Entity, and gives what it made in its namespace.
async fn made(bench: &Bench, entity: &Value) -> Outcome<Vec<Value>> {
    let client = &bench.cluster.client;
    let name = entity["metadata"]["name"].as_str().unwrap_or_default();
    apply(bench, &[vec![entity.clone()]]).await?;
    let prefix = name.trim_end_matches("-0");
    ready::entities(client, prefix, 1).await?;
    let all = bench.kinds.all(client, name).await?;
    // The kinds leave Jobs out, most of which the cluster makes.
    let jobs = Api::<Job>::namespaced(client.clone(), name).list(&ListParams::default()).await?;
    let jobs = jobs.into_iter().filter(|job| job.owner_references().iter().all(|owner| owner.kind != "CronJob"));
    let jobs = jobs.map(|job| {
        let mut job = serde_json::to_value(job)?;
        job["apiVersion"] = json!("batch/v1");
        job["kind"] = json!("Job");
        Ok(job)
    });
    let jobs: Vec<Value> = jobs.collect::<Outcome<_>>()?;
    let managed = |object: &Value| object["metadata"]["labels"][marks::MANAGED_BY] == marks::OPERATOR;
    Ok(all.into_values().chain(jobs).filter(managed).collect())
}

/// An object as a bare client would send it.
fn sendable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|field, _| matches!(field.as_str(), "name" | "namespace" | "labels" | "annotations"));
        forget_controllers(metadata);
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let given = ["clusterIPs", "volumeName", "finalizers", "ipFamilies", "ipFamilyPolicy"];
        let headless = spec.get("clusterIP").is_some_and(|address| address == "None");
        spec.retain(|field, _| !given.contains(&field.as_str()) && (field != "clusterIP" || headless));
    }
    if object["kind"] == "Job" {
        forget_job(&mut object);
    }
    without_nulls(&mut object);
    object
}

/// What the API server shows as null nobody sends.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The API server gives a Job a selector of its own uid.
fn forget_job(job: &mut Value) {
    if let Some(spec) = job["spec"].as_object_mut() {
        spec.remove("selector");
    }
    let given = |labels: Option<&mut Map<String, Value>>| {
        if let Some(labels) = labels {
            labels.retain(|key, _| !key.contains("controller-uid") && !key.contains("job-name"));
        }
    };
    given(job.pointer_mut("/metadata/labels").and_then(Value::as_object_mut));
    given(job.pointer_mut("/spec/template/metadata/labels").and_then(Value::as_object_mut));
}

/// What would change something for others becomes a ConfigMap of the same bytes: the project's own
/// kinds, which the operator would answer to, and quotas and rights.
fn inert(object: &Value) -> Option<Value> {
    let ours = object["apiVersion"].as_str().is_some_and(|version| version.starts_with("commonscloud.coop/"));
    if !ours && object["kind"] != "RoleBinding" && object["kind"] != "ResourceQuota" {
        return None;
    }
    let object = sendable(object);
    let name = format!("{}-{}", object["kind"], object["metadata"]["name"]).replace('"', "").to_lowercase();
    let name = name.replace(':', "-");
    let metadata = json!({"name": name, "namespace": object["metadata"]["namespace"]});
    Some(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"was": object.to_string()}}))
}

/// What was taken, for the report.
impl Taken {
    /// As JSON.
    pub fn told(self) -> Value {
        let per_second = clock::number(self.objects) / self.ready.max(0.001);
        json!({"objects": self.objects, "applied_s": self.applied, "ready_s": self.ready, "objects_per_s": per_second})
    }
}
