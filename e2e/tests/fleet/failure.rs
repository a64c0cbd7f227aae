//! From a pod that fails to the reason in its service: `status.*`.

use std::time::Instant;

use commonscloud_e2e::wait::condition;
use commonscloud_e2e::{Failure, Outcome, resources};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::clock::percentile;
use crate::report::Report;
use crate::sight::{Sight, milliseconds};

const REASON: &str = "ImagePullBackOff";

/// Lets one pod after another fail.
pub async fn measure(bench: &Bench, prefix: &str, entities: usize, failures: usize, report: &mut Report) -> Outcome {
    let mut times = Vec::new();
    for number in 0..failures {
        times.push(fail(bench, &format!("{prefix}-{}", (3 * number + 2) % entities)).await?);
    }
    report.of("status.p99_ms", percentile(&times, 0.99));
    report.detail("status", json!({"failures": failures, "p50_ms": percentile(&times, 0.5)}));
    Ok(())
}

/// Says of the first service's pod, as a kubelet would, that its image cannot be pulled.
async fn fail(bench: &Bench, namespace: &str) -> Outcome<f64> {
    let client = &bench.cluster.client;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let all = pods.list(&ListParams::default()).await?;
    let pod = all.into_iter().find(|pod| pod.name_any().starts_with("s0-app-"));
    let pod = pod.ok_or_else(|| Failure::new(format!("{namespace} has no pod of s0-app")))?;
    let mut sight = Sight::of(&resources::ours_in(client, "DedicatedService", namespace), "s0").await?;
    let mut status = serde_json::to_value(&pod)?["status"].take();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
            condition["status"] = Value::from("False");
        }
    }
    for container in status["containerStatuses"].as_array_mut().into_iter().flatten() {
        container["ready"] = Value::from(false);
        container["state"] = json!({"waiting": {"reason": REASON, "message": "Back-off pulling image"}});
    }
    let patch = Patch::Merge(json!({"status": status}));
    pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await?;
    let answered = Instant::now();
    let says = |service: &Value| {
        condition(service, "Ready")
            .is_some_and(|ready| ready["status"] == "False" && ready.to_string().contains(REASON))
    };
    let said = sight.until(says).await?;
    // The next one is well.
    pods.delete(&pod.name_any(), &DeleteParams::default()).await?;
    Ok(milliseconds(answered, said))
}
