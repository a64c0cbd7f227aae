//! The kinds that packages may render: the operator's rights are generated from the same list.

/// A kind that packages may render.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AllowedKind {
    /// API group; empty: the core group.
    pub group: &'static str,
    /// Version of the group.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The resource's name in URLs and rules.
    pub plural: &'static str,
}

impl AllowedKind {
    /// What `apiVersion` says, for example `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }
}

const fn kind(group: &'static str, kind: &'static str, plural: &'static str) -> AllowedKind {
    AllowedKind { group, version: "v1", kind, plural }
}

/// In the order in which objects are applied: what protects and configures comes before what runs.
static ALLOWED: [AllowedKind; 10] = [
    kind("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
    kind("", "ServiceAccount", "serviceaccounts"),
    kind("", "ConfigMap", "configmaps"),
    kind("", "Service", "services"),
    kind("apps", "StatefulSet", "statefulsets"),
    kind("apps", "Deployment", "deployments"),
    kind("batch", "Job", "jobs"),
    kind("batch", "CronJob", "cronjobs"),
    kind("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
    kind("networking.k8s.io", "Ingress", "ingresses"),
];

/// The kinds that packages may render, in the order in which their objects are applied.
pub fn allowed_kinds() -> &'static [AllowedKind] {
    &ALLOWED
}

/// The allowed kind of this name and its place in the order.
pub(crate) fn find(kind: &str) -> Option<(usize, &'static AllowedKind)> {
    ALLOWED.iter().enumerate().find(|(_, allowed)| allowed.kind == kind)
}

/// Why a kind is not allowed, and what to do instead.
pub(crate) fn why_not(kind: &str) -> String {
    let instead = match kind {
        "Secret" => "declare it in `secrets`, where it is generated once and kept",
        "PersistentVolumeClaim" => "declare it in `volumes`, where it is sized by the quota and kept",
        "Pod" | "ReplicaSet" | "DaemonSet" => "write a Deployment",
        "Namespace" | "ResourceQuota" | "LimitRange" | "Role" | "RoleBinding" => "the Entity has its own",
        _ if kind.starts_with("Cluster") || CLUSTER_WIDE.contains(&kind) => "it is cluster-wide",
        _ => "no package needs it",
    };
    let allowed = ALLOWED.iter().map(|kind| kind.kind).collect::<Vec<_>>().join(", ");
    format!("the kind {kind:?} is not allowed: {instead}; allowed: {allowed}")
}

const CLUSTER_WIDE: [&str; 8] = [
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "PersistentVolume",
    "PriorityClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
];

#[cfg(test)]
mod tests {
    use super::*;
    use commonscloud_api::crd_files;

    #[test]
    fn admission_allows_the_same_kinds() {
        let files = crd_files().unwrap();
        let schema = &files.iter().find(|file| file.name == "servicetemplates.yaml").unwrap().text;
        let words: Vec<&str> = schema.split_whitespace().collect();
        let schema = words.join(" ");
        let kinds: Vec<&str> = ALLOWED.iter().map(|kind| kind.kind).collect();
        assert!(schema.contains(&format!("self in ['{}']", kinds.join("', '"))), "the rule of objects[].kind");
        assert!(schema.contains(&format!("allowed: {}", kinds.join(", "))), "its message");
    }
}
