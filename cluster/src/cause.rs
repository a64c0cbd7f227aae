//! Why a workload is not ready, as its pods tell it: the workload itself only counts them.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::Value;

use crate::apply::Applied;
use crate::readiness::{Readiness, judge};

/// What the first of its pods says that is not ready; none when there is no such pod, or when it is
/// no workload.
pub async fn of_pods(client: &Client, applied: &Applied) -> Option<String> {
    let namespace = applied.object.metadata.namespace.as_deref().filter(|_| applied.namespaced)?;
    let parameters = ListParams::default().labels(&selector(&applied.object)?);
    let pods = Api::<Pod>::namespaced(client.clone(), namespace).list(&parameters).await.ok()?;
    pods.items.iter().find_map(said)
}

/// The selector of a workload's pods. The API server puts one on Jobs as well.
fn selector(object: &DynamicObject) -> Option<String> {
    let kind = object.types.as_ref()?.kind.as_str();
    if !matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job") {
        return None;
    }
    let labels = object.data["spec"]["selector"]["matchLabels"].as_object().filter(|labels| !labels.is_empty())?;
    let terms = labels.iter().filter_map(|(label, value)| Some(format!("{label}={}", value.as_str()?)));
    Some(terms.collect::<Vec<_>>().join(","))
}

fn said(pod: &Pod) -> Option<String> {
    let mut object = DynamicObject::new(&pod.name_any(), &kube::core::ApiResource::erase::<Pod>(&()));
    object.metadata = pod.meta().clone();
    object.data = serde_json::json!({ "status": serde_json::to_value(&pod.status).unwrap_or(Value::Null) });
    match judge(&object, false) {
        Readiness::Ready => None,
        Readiness::Waiting(why) | Readiness::Failed(why) => Some(format!("Pod {}: {why}", pod.name_any())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, labels: &Value) -> DynamicObject {
        let spec = json!({"selector": {"matchLabels": labels}});
        serde_json::from_value(json!({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}))
            .unwrap()
    }

    #[test]
    fn only_workloads_select_pods_and_an_empty_selector_selects_none() {
        assert_eq!(selector(&object("Deployment", &json!({"a": "b", "c": "d"}))).unwrap(), "a=b,c=d");
        assert_eq!(selector(&object("Deployment", &json!({}))), None);
        assert_eq!(selector(&object("NetworkPolicy", &json!({"a": "b"}))), None);
    }

    #[test]
    fn a_pod_that_is_not_ready_says_why() {
        let pod = |status: Value| {
            serde_json::from_value::<Pod>(json!({"metadata": {"name": "app-1"}, "status": status})).unwrap()
        };
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
        let container =
            json!({"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": waiting});
        let stuck = pod(json!({"phase": "Pending", "containerStatuses": [container]}));
        assert_eq!(said(&stuck).unwrap(), "Pod app-1: ImagePullBackOff: no such image");
        let ready = json!([{"type": "Ready", "status": "True"}]);
        assert_eq!(said(&pod(json!({"phase": "Running", "conditions": ready}))), None);
    }
}
