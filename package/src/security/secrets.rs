//! Which Secrets rendered objects refer to.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::engine::object::RenderedObject;
use crate::plan::Plan;

/// Secrets of the operator's namespace that the objects refer to.
pub(crate) fn platform_secrets(plan: &Plan, objects: &[RenderedObject]) -> BTreeSet<String> {
    let smtp = plan.smtp.as_ref().and_then(|smtp| smtp.secret_name.clone());
    let tls = plan.exposure.tls.as_ref().and_then(|tls| tls.secret_name.clone());
    let mut referred = BTreeSet::new();
    for object in objects {
        secret_references(&object.value, &mut referred);
    }
    let pull = plan.image_pull_secrets.iter().cloned();
    smtp.into_iter().chain(tls).chain(pull).filter(|name| referred.contains(name)).collect()
}

/// The Platform's Secrets that pods may use.
pub(crate) fn for_pods(plan: &Plan) -> impl Iterator<Item = &str> {
    let smtp = plan.smtp.as_ref().and_then(|smtp| smtp.secret_name.as_deref());
    smtp.into_iter().chain(plan.image_pull_secrets.iter().map(String::as_str))
}

/// Whether it is generated for the instance.
pub(crate) fn is_generated(plan: &Plan, name: &str) -> bool {
    plan.secrets.iter().any(|secret| secret.is_called(name))
}

/// Secrets that pods refer to and that are neither generated for the instance nor the Platform's: parameters
/// name them. A pod reads none of those that images are pulled with: who refers to one named it, too.
pub(crate) fn named_secrets(plan: &Plan, objects: &[RenderedObject]) -> BTreeSet<String> {
    const OF_PODS: [&str; 5] = ["Deployment", "StatefulSet", "Job", "CronJob", "ServiceAccount"];
    let smtp = plan.smtp.as_ref().and_then(|smtp| smtp.secret_name.as_ref());
    let (mut read, mut pulled_with) = (BTreeSet::new(), BTreeSet::new());
    for object in objects.iter().filter(|object| OF_PODS.contains(&object.kind.as_str())) {
        references(&object.value, &mut read, &mut pulled_with);
    }
    pulled_with.retain(|name| !plan.image_pull_secrets.contains(name));
    read.append(&mut pulled_with);
    read.retain(|name| !is_generated(plan, name) && smtp != Some(name));
    read
}

/// The revisions of the platform's Secrets that a pod reads, in the order of their names; none where it
/// reads none. What its images are pulled with is read by the kubelet, each time: what counts is the use,
/// since one Secret may have both.
pub(crate) fn revisions(plan: &Plan, pod: &Value) -> Option<String> {
    let (mut read, mut pulled_with) = (BTreeSet::new(), BTreeSet::new());
    references(pod, &mut read, &mut pulled_with);
    let known: Vec<&str> =
        plan.platform_secrets.iter().filter(|(name, _)| read.contains(*name)).map(|(_, of)| of.as_str()).collect();
    (!known.is_empty()).then(|| known.join("."))
}

/// Names of the Secrets that an object refers to.
pub fn referred_secrets(object: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    secret_references(object, &mut found);
    found
}

/// Names of the Secrets that an object refers to, by any field that Kubernetes has for it.
pub(crate) fn secret_references(value: &Value, found: &mut BTreeSet<String>) {
    let mut pulled_with = BTreeSet::new();
    references(value, found, &mut pulled_with);
    found.append(&mut pulled_with);
}

/// The same, those that images are pulled with apart from those that pods read.
fn references(value: &Value, read: &mut BTreeSet<String>, pulled_with: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, read, pulled_with)),
        Value::Object(map) => {
            for (key, value) in map {
                if let ("imagePullSecrets", Value::Array(items)) = (key.as_str(), value) {
                    pulled_with.extend(items.iter().filter_map(|item| Some(item.get("name")?.as_str()?.to_owned())));
                }
                let name = match (key.as_str(), value) {
                    ("secretName", Value::String(name)) => Some(name.as_str()),
                    ("secretKeyRef" | "secretRef" | "secret", Value::Object(_)) => {
                        value.get("name").and_then(Value::as_str)
                    }
                    _ => None,
                };
                read.extend(name.map(str::to_owned));
                references(value, read, pulled_with);
            }
        }
        _ => {}
    }
}
