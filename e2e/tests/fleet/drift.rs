//! From a change that somebody made to a child until it is as it was: `drift.*`.

use std::collections::BTreeMap;
use std::time::Instant;

use commonscloud_e2e::{Outcome, resources};
use commonscloud_operator::api::marks;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::clock::percentile;
use crate::package::SERVICES;
use crate::report::Report;
use crate::sight::{Sight, milliseconds};

/// What holds data is made once, left as it is, and guarded from deletion.
const DATA: [&str; 3] = ["Secret", "PersistentVolumeClaim", "ServiceData"];

/// How somebody strikes a child.
#[derive(Debug, Clone)]
enum Strike {
    /// Merges this into it.
    Change(&'static str, Value),
    /// Deletes it.
    Delete,
}

/// Strikes every kind of child, `rounds` times, each time of another service.
pub async fn measure(bench: &Bench, prefix: &str, entities: usize, rounds: usize, report: &mut Report) -> Outcome {
    let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut refused: BTreeMap<String, String> = BTreeMap::new();
    for round in 0..rounds {
        let namespace = format!("{prefix}-{}", (7 * round + 1) % entities);
        let service = format!("s{}-", round % SERVICES);
        for (kind, object) in children(bench, &namespace, &service).await? {
            for strike in strikes(&kind, &object) {
                let name = format!("{kind} {}", strike.name());
                match suffer(bench, &object, &strike).await {
                    Ok(took) => times.entry(name).or_default().push(took),
                    Err(failure) => drop(refused.insert(name, failure.to_string())),
                }
            }
        }
    }
    let all: Vec<f64> = times.values().flatten().copied().collect();
    report.of("drift.p99_ms", percentile(&all, 0.99));
    let worst: BTreeMap<&String, f64> =
        times.iter().map(|(name, of)| (name, of.iter().copied().fold(0.0, f64::max))).collect();
    let half = percentile(&all, 0.5);
    report.detail("drift", json!({"samples": all.len(), "p50_ms": half, "most_ms": worst, "not_undone": refused}));
    Ok(())
}

/// One child of each kind: of the service, or of the Entity itself.
async fn children(bench: &Bench, namespace: &str, service: &str) -> Outcome<BTreeMap<String, Value>> {
    let mut chosen = BTreeMap::new();
    for object in bench.kinds.all(&bench.cluster.client, namespace).await?.into_values() {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let managed = object["metadata"]["labels"][marks::MANAGED_BY] == marks::OPERATOR;
        // An instance is edited in its Entity, and its deletion is a story of its own.
        let drifts = managed && !kind.starts_with("Dedicated") && !DATA.contains(&kind.as_str());
        if drifts && (name.starts_with(service) || !name.starts_with('s')) {
            chosen.insert(kind, object);
        }
    }
    Ok(chosen)
}

fn strikes(kind: &str, object: &Value) -> Vec<Strike> {
    let labels = object["metadata"]["labels"].as_object();
    let label = labels.and_then(|labels| labels.keys().find(|key| *key != marks::MANAGED_BY));
    let label = label.map(|key| Strike::Change("label", json!({"metadata": {"labels": {key: "drifted"}}})));
    let field = field(kind).map(|change| Strike::Change("field", change));
    label.into_iter().chain(field).chain([Strike::Delete]).collect()
}

/// Another value for a field that matters.
fn field(kind: &str) -> Option<Value> {
    Some(match kind {
        "ConfigMap" => json!({"data": {"setting": "drifted"}}),
        "CronJob" => json!({"spec": {"schedule": "1 1 1 1 *"}}),
        "Deployment" | "StatefulSet" => json!({"spec": {"replicas": 3}}),
        "Ingress" => json!({"spec": {"defaultBackend": {"service": {"name": "door", "port": {"number": 80}}}}}),
        "NetworkPolicy" => json!({"spec": {"podSelector": {"matchLabels": {"nobody": "here"}}}}),
        "PodDisruptionBudget" => json!({"spec": {"maxUnavailable": 0}}),
        "ResourceQuota" => json!({"spec": {"hard": {"pods": "1000"}}}),
        "ServiceAccount" => json!({"automountServiceAccountToken": true}),
        "Service" => json!({"spec": {"selector": {"nobody": "here"}}}),
        _ => return None,
    })
}

/// Strikes, and gives the milliseconds from the answer until the child is as it was.
async fn suffer(bench: &Bench, object: &Value, strike: &Strike) -> Outcome<f64> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, name) = (text(&object["apiVersion"]), text(&object["metadata"]["name"]));
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    let (kind, namespace) = (text(&object["kind"]), text(&object["metadata"]["namespace"]));
    let api: Api<DynamicObject> = resources::any_in(&bench.cluster.client, group, version, &kind, &namespace).await?;
    let mut sight = Sight::of(&api, &name).await?;
    let before = sight.object.clone();
    match strike {
        Strike::Change(_, change) => {
            let leaves = leaves(change);
            api.patch(&name, &PatchParams::default(), &Patch::Merge(change)).await?;
            let answered = Instant::now();
            let drifted = std::cell::Cell::new(false);
            let undone = sight.until(|now| {
                let same = leaves.iter().all(|path| now.pointer(path) == before.pointer(path));
                // The first state that a watch shows may be the one before the strike.
                drifted.set(drifted.get() || !same);
                same && drifted.get()
            });
            Ok(milliseconds(answered, undone.await?))
        }
        Strike::Delete => {
            api.delete(&name, &DeleteParams::background()).await?;
            let answered = Instant::now();
            let uid = &before["metadata"]["uid"];
            Ok(milliseconds(answered, sight.until(|now| now["metadata"]["uid"] != *uid).await?))
        }
    }
}

/// JSON pointers to what a merge patch sets.
fn leaves(change: &Value) -> Vec<String> {
    let Some(fields) = change.as_object() else { return vec![String::new()] };
    let below = |(key, value): (&String, &Value)| {
        let key = key.replace('~', "~0").replace('/', "~1");
        leaves(value).into_iter().map(move |rest| format!("/{key}{rest}")).collect::<Vec<_>>()
    };
    fields.iter().flat_map(below).collect()
}

impl Strike {
    fn name(&self) -> &'static str {
        match self {
            Self::Change(name, _) => name,
            Self::Delete => "deleted",
        }
    }
}
