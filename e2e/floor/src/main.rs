//! A bare client: applies the objects that it is given and nothing else. The benchmark takes its time
//! as the floor, so it is a program of its own, compiled exactly as the published operator is.
//!
//! Each line of its input is a JSON array of objects; a line begins when all before it are applied, with
//! 32 requests in flight. It prints how many objects it applied, when it began and ended (Unix time).

// The very client that the operator has, which speaks HTTP/2 too.
#[expect(dead_code)]
#[path = "../../../operator/src/client.rs"]
mod client;

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::SystemTime;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};

/// Requests in flight.
const IN_FLIGHT: usize = 32;

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// Its input is not there or is no JSON.
    #[error("the input: {0}")]
    Input(#[from] std::io::Error),
    /// A line is no array of objects.
    #[error("a line of the input: {0}")]
    Line(#[from] serde_json::Error),
    /// No way to the API server is configured.
    #[error("KUBECONFIG: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The API server refused.
    #[error("{what}: {source}")]
    Refused {
        /// Kind and name.
        what: String,
        /// Its words.
        source: kube::Error,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(line) if writeln!(std::io::stdout(), "{line}").is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("commonscloud-floor: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Value, Error> {
    let refused = |source| Error::Refused { what: "the API server".to_owned(), source };
    let client = client::client(&Config::infer().await?, client::Protocol::Http1).map_err(refused)?;
    let mut batches: Vec<Vec<Value>> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        batches.push(serde_json::from_str(&line?)?);
    }
    // Connected and told of all kinds beforehand, as the operator is.
    let resources = discover(&client, batches.iter().flatten()).await?;
    let count: usize = batches.iter().map(Vec::len).sum();
    let begun = now();
    for batch in batches {
        let applied = batch.into_iter().map(|object| apply(&client, &resources, object));
        futures::stream::iter(applied).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    }
    Ok(json!({"objects": count, "begun": begun, "ended": now()}))
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

type Resources = BTreeMap<(String, String), ApiResource>;

async fn discover(client: &Client, objects: impl Iterator<Item = &Value>) -> Result<Resources, Error> {
    let mut resources = Resources::new();
    for object in objects {
        let key = kind_of(object);
        if resources.contains_key(&key) {
            continue;
        }
        let (group, version) = key.0.split_once('/').unwrap_or(("", &key.0));
        let kind = GroupVersionKind::gvk(group, version, &key.1);
        let found = kube::discovery::pinned_kind(client, &kind).await;
        let (resource, _) = found.map_err(|source| Error::Refused { what: format!("kind {}", key.1), source })?;
        resources.insert(key, resource);
    }
    Ok(resources)
}

async fn apply(client: &Client, resources: &Resources, object: Value) -> Result<(), Error> {
    // Discovery went over the same objects.
    let Some(resource) = resources.get(&kind_of(&object)) else { return Ok(()) };
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let api: Api<DynamicObject> = match metadata["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let applied = api.patch(name, &PatchParams::apply("floor").force(), &Patch::Apply(&object)).await;
    applied.map(drop).map_err(|source| Error::Refused { what: format!("{} {name}", resource.kind), source })
}

fn kind_of(object: &Value) -> (String, String) {
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    (text("apiVersion"), text("kind"))
}
