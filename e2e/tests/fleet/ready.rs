//! Waiting for many objects at once by watching them: asking again and again would slow down what is measured.

use std::collections::BTreeMap;
use std::time::Duration;

use commonscloud_e2e::{Failure, Outcome, wait};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::api::Api;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Client, ResourceExt as _};
use serde_json::Value;

use crate::clock::now;

/// The longest that anything of the benchmark may take.
pub const LIMIT: Duration = Duration::from_mins(45);
/// What each object may take beyond that: an Entity with four services takes two cores a second and a half.
const EACH: Duration = Duration::from_secs(3);

/// Waits until `wanted` objects are as they should be, and gives when each was seen so, in order.
pub async fn until(
    api: Api<DynamicObject>,
    selector: &str,
    wanted: usize,
    ready: impl Fn(&Value) -> Outcome,
) -> Outcome<Vec<f64>> {
    let mut seen: BTreeMap<String, f64> = BTreeMap::new();
    let mut waiting = String::from("none was seen");
    let mut events = Box::pin(watch(api, watcher::Config::default().labels(selector)).default_backoff());
    let deadline = tokio::time::Instant::now() + LIMIT + EACH * u32::try_from(wanted)?;
    while seen.len() < wanted {
        let Ok(Some(event)) = tokio::time::timeout_at(deadline, events.next()).await else {
            return Err(Failure::new(format!("{} of {wanted} are ready; one of the others: {waiting}", seen.len())));
        };
        let Ok(Event::Apply(object) | Event::InitApply(object)) = event else { continue };
        let name = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
        match ready(&serde_json::to_value(object)?) {
            Ok(()) => drop(seen.entry(name).or_insert_with(now)),
            Err(reason) => waiting = format!("{name}: {reason}"),
        }
    }
    let mut times: Vec<f64> = seen.into_values().collect();
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Waits until all Entities `PREFIX-N` are Ready.
pub async fn entities(client: &Client, prefix: &str, wanted: usize) -> Outcome<Vec<f64>> {
    let ours = |entity: &Value| {
        let name = entity["metadata"]["name"].as_str().unwrap_or_default();
        let ours = name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('-'));
        commonscloud_e2e::ensure!(ours, "another one");
        wait::is_ready(entity)
    };
    until(commonscloud_e2e::resources::ours(client, "Entity"), "", wanted, ours).await
}

/// Waits until the Deployments and StatefulSets of a selector are ready, and gives when the last was.
pub async fn workloads(client: &Client, selector: &str, wanted: (usize, usize)) -> Outcome<f64> {
    let (deployments, sets) = (ApiResource::erase::<Deployment>(&()), ApiResource::erase::<StatefulSet>(&()));
    let deployments = until(Api::all_with(client.clone(), &deployments), selector, wanted.0, runs);
    let sets = until(Api::all_with(client.clone(), &sets), selector, wanted.1, runs);
    let (deployments, sets) = futures::try_join!(deployments, sets)?;
    Ok(deployments.into_iter().chain(sets).fold(0.0, f64::max))
}

fn runs(workload: &Value) -> Outcome {
    let wanted = workload["spec"]["replicas"].as_i64().unwrap_or(1);
    let ready = workload["status"]["readyReplicas"].as_i64().unwrap_or_default();
    commonscloud_e2e::ensure!(ready >= wanted, "{ready} of {wanted} replicas");
    Ok(())
}
