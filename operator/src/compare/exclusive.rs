//! The fields that are exclusively ours: what others add there gives somebody more than we gave, and
//! is removed, since a forced apply leaves it standing.

use serde_json::Value;

use crate::template::is_ingress_annotation;

/// The fields of one kind that are exclusively ours.
#[derive(Clone, Copy, Debug)]
pub(super) enum ExclusiveFields {
    /// Everything below `spec` (network policies, limits, Dedicated resources) is ours alone.
    Spec,
    /// Everything below `spec`, and annotations that would lead elsewhere.
    Ingress,
    /// Who may do what (Role, RoleBinding).
    Rights,
    /// The figures of a ResourceQuota.
    Hard,
    /// The keys of a ConfigMap: each becomes a file or a variable.
    Data,
    /// Workloads: containers, volumes and variables of the pods.
    Pods,
    /// How a Service is reached, and which pods it leads to.
    Service,
    /// What a ServiceAccount gives its pods.
    Account,
    /// None.
    None,
}

/// Fields of a pod that give it more than we gave it.
const POD_FIELDS: [&str; 14] = [
    "securityContext",
    "nodeName",
    "dnsConfig",
    "initContainers",
    "ephemeralContainers",
    "volumes",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostAliases",
    "hostUsers",
    "shareProcessNamespace",
    "serviceAccountName",
    "runtimeClassName",
];
/// Fields of a container that give it more than we gave it.
const CONTAINER_FIELDS: [&str; 8] =
    ["securityContext", "env", "envFrom", "volumeMounts", "volumeDevices", "lifecycle", "command", "args"];
/// Where Rancher notes at which addresses an Ingress answers, again and again; nobody takes it for an order.
const BOOKKEEPING: &str = "field.cattle.io/";
/// Lists whose items give a pod more than we gave it.
const POD_LISTS: [&str; 6] = ["containers", "initContainers", "volumes", "env", "volumeMounts", "imagePullSecrets"];

impl ExclusiveFields {
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "NetworkPolicy"
            | "LimitRange"
            | "PodDisruptionBudget"
            | "DedicatedOffice"
            | "DedicatedAgora"
            | "DedicatedProjects"
            | "DedicatedService" => Self::Spec,
            "Ingress" => Self::Ingress,
            "Role" | "RoleBinding" => Self::Rights,
            "ResourceQuota" => Self::Hard,
            "ConfigMap" => Self::Data,
            // A Job is absent: its pods cannot be changed, and its controller labels them.
            "Deployment" | "StatefulSet" | "CronJob" => Self::Pods,
            "Service" => Self::Service,
            "ServiceAccount" => Self::Account,
            _ => Self::None,
        }
    }

    /// Whether a key that others add to the map at `path`, with this value, is ours alone.
    pub(super) fn has_key(self, path: &[String], key: &str, value: &Value) -> bool {
        let first = path.first().map(String::as_str);
        match self {
            // What the API server fills in itself is no addition.
            Self::Spec => first == Some("spec") && !matches!(key, "protocol" | "policyTypes" | "ingressClassName"),
            Self::Ingress if path == ["metadata", "annotations"] => {
                !is_ingress_annotation(key) && !key.starts_with(BOOKKEEPING)
            }
            Self::Ingress => Self::Spec.has_key(path, key, value),
            Self::Rights => path.is_empty() && matches!(key, "rules" | "subjects") || matches!(first, Some("rules")),
            Self::Hard => path == ["spec", "hard"] || path == ["spec"],
            Self::Data => first == Some("data") || path.is_empty() && matches!(key, "data" | "binaryData"),
            Self::Pods => is_exclusive_in_pod(path, key),
            Self::Service => {
                path == ["spec", "selector"]
                    || path == ["spec"] && matches!(key, "externalIPs" | "externalName" | "loadBalancerIP")
                    || path == ["spec"] && key == "type" && value != "ClusterIP"
            }
            Self::Account => path.is_empty() && matches!(key, "imagePullSecrets" | "secrets"),
            Self::None => false,
        }
    }

    /// Whether an item that others add to the keyed list at `path` is ours alone.
    pub(super) fn has_item(self, path: &[String]) -> bool {
        let last = path.last().map_or("", String::as_str);
        match self {
            Self::Spec | Self::Ingress => path.first().is_some_and(|first| first == "spec"),
            Self::Pods => POD_LISTS.contains(&last) && is_below_pod_template(path),
            Self::Service => path == ["spec", "ports"],
            Self::Account => path == ["imagePullSecrets"],
            _ => false,
        }
    }
}

fn is_below_pod_template(path: &[String]) -> bool {
    path.iter().any(|part| part == "template")
}

fn is_exclusive_in_pod(path: &[String], key: &str) -> bool {
    if !is_below_pod_template(path) {
        return false;
    }
    // A user, a capability, a privilege more, at any depth.
    if path.iter().any(|part| part == "securityContext") {
        return true;
    }
    let last = path.last().map_or("", String::as_str);
    let parent = path.len().checked_sub(2).and_then(|at| path.get(at)).map_or("", String::as_str);
    match (parent, last) {
        ("template", "spec") => POD_FIELDS.contains(&key),
        ("containers" | "initContainers", _) => CONTAINER_FIELDS.contains(&key),
        // A label more could let another service's traffic in.
        ("metadata", "labels") => true,
        _ => false,
    }
}
