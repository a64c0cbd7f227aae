//! A Job of restic's containers in the operator's own namespace, beside no pods of a service.

use serde_json::{Value, json};

use super::jobs::USER;
use crate::api::marks;
use crate::template::operation::Companion;

/// What such a Job has of its own.
pub(super) struct HomeJob<'a> {
    /// The operator's namespace.
    pub(super) namespace: &'a str,
    /// Its name.
    pub(super) name: String,
    /// Labels of it and of its pod, beside those of all.
    pub(super) labels: &'a [(&'a str, &'a str)],
    /// Its one annotation: name and value.
    pub(super) annotation: (&'a str, String),
    /// How long it takes at most, in seconds.
    pub(super) seconds: u32,
    /// The Secrets with which its image is pulled.
    pub(super) image_pull_secrets: &'a [String],
    /// Its containers.
    pub(super) made: Companion,
}

/// What it gets beyond its own time: to be scheduled, and to pull its image.
const START_SECONDS: u32 = 120;

impl HomeJob<'_> {
    /// The object, which is tried once: whether and when again is the operator's to say.
    pub(super) fn object(self) -> Value {
        let mut labels =
            json!({"app.kubernetes.io/name": "commonscloud-operation", marks::MANAGED_BY: marks::OPERATOR});
        for (key, value) in self.labels {
            labels[*key] = Value::from(*value);
        }
        let (annotation, said) = self.annotation;
        let Companion { init_containers, containers, volumes, annotations, .. } = self.made;
        let secrets: Vec<Value> = self.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": self.name, "namespace": self.namespace, "labels": labels, "annotations": {annotation: said},
            },
            "spec": {
                "backoffLimit": 0, "completions": 1, "parallelism": 1, "podReplacementPolicy": "Failed",
                "activeDeadlineSeconds": self.seconds + START_SECONDS,
                "template": {
                    "metadata": {"labels": labels, "annotations": annotations},
                    "spec": {
                        "restartPolicy": "Never",
                        "automountServiceAccountToken": false,
                        "enableServiceLinks": false,
                        "securityContext": {
                            "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        "imagePullSecrets": secrets,
                        "initContainers": init_containers,
                        "containers": containers,
                        "volumes": volumes,
                    },
                },
            },
        })
    }
}
