//! What every pod of a package must keep to: images, resources, volumes, secrets, no token.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fault::Problem;
use super::lookup::items;
use super::object::RenderedObject;
use super::pod_security;
use super::secrets::secret_references;
use crate::plan::Plan;

/// The rules that the object's pods break.
pub(super) fn problems(plan: &Plan, object: &RenderedObject) -> Vec<Problem> {
    let path = match object.kind.as_str() {
        "Deployment" | "StatefulSet" | "Job" => "/spec/template/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        "ServiceAccount" => return service_account(&object.value),
        _ => return Vec::new(),
    };
    let field = path.trim_start_matches('/').replace('/', ".");
    let Some(pod) = object.value.pointer(path).filter(|pod| pod.is_object()) else {
        return vec![Problem::new(field, "is missing")];
    };
    let mut problems = pod_rules(plan, pod, &field);
    if object.value.pointer("/spec/volumeClaimTemplates").is_some() {
        problems.push(Problem::new(
            "spec.volumeClaimTemplates",
            "not for packages: declare the volume in `volumes`, so that its data outlives the instance",
        ));
    }
    let workload = object.name.strip_prefix(&format!("{}-", plan.instance.name)).unwrap_or(&object.name);
    for (name, container, field) in containers(pod, &field) {
        problems.extend(container_rules(plan, pod, container, &field));
        let known = format!("{workload}/{name}");
        let excepted = plan.package.spec().pod_security_exceptions.iter().any(|exception| exception.container == known);
        problems.extend(pod_security::container(pod, container, &field, excepted));
    }
    problems
}

fn service_account(value: &Value) -> Vec<Problem> {
    if value.get("automountServiceAccountToken") == Some(&Value::Bool(false)) {
        return Vec::new();
    }
    vec![Problem::new("automountServiceAccountToken", "must be false: no service needs the cluster's API")]
}

/// Name, container and path of each container and init container.
fn containers<'p>(pod: &'p Value, field: &str) -> Vec<(&'p str, &'p Value, String)> {
    ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| {
            items(pod, &format!("/{list}")).iter().map(move |container| {
                let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
                (name, container, format!("{field}.{list}[{name}]"))
            })
        })
        .collect()
}

fn pod_rules(plan: &Plan, pod: &Value, field: &str) -> Vec<Problem> {
    let mut problems = pod_security::pod(pod, field);
    if pod.get("automountServiceAccountToken") != Some(&Value::Bool(false)) {
        problems.push(Problem::new(
            format!("{field}.automountServiceAccountToken"),
            "must be false: no service needs the cluster's API",
        ));
    }
    for forbidden in
        ["ephemeralContainers", "nodeName", "schedulerName", "priorityClassName", "priority", "runtimeClassName"]
    {
        if pod.get(forbidden).is_some() {
            problems.push(Problem::new(format!("{field}.{forbidden}"), "not for packages"));
        }
    }
    let account = pod.get("serviceAccountName").and_then(Value::as_str);
    let declared = plan.package.declared_objects(&plan.instance.name);
    if account
        .is_some_and(|name| !declared.iter().any(|child| child.kind.kind == "ServiceAccount" && child.name == name))
    {
        problems.push(Problem::new(
            format!("{field}.serviceAccountName"),
            "must be a ServiceAccount that the package declares, or absent",
        ));
    }
    for volume in items(pod, "/volumes") {
        if let Some(claim) = volume.pointer("/persistentVolumeClaim/claimName")
            && !plan.volumes.iter().any(|known| claim == known.claim.as_str())
        {
            problems.push(Problem::new(
                format!("{field}.volumes.persistentVolumeClaim"),
                "must be {{ volumes.NAME }}, a volume that the package declares",
            ));
        }
        if let Some(map) = volume.pointer("/configMap/name").and_then(Value::as_str)
            && !declared.iter().any(|child| child.kind.kind == "ConfigMap" && child.name == map)
        {
            problems.push(Problem::new(
                format!("{field}.volumes.configMap"),
                "must be a ConfigMap that the package declares",
            ));
        }
        if items(volume, "/projected/sources").iter().any(|source| source.get("serviceAccountToken").is_some()) {
            problems.push(Problem::new(
                format!("{field}.volumes.projected"),
                "no service account token: no service needs the cluster's API",
            ));
        }
    }
    problems.extend(secrets(plan, pod, field));
    problems
}

/// Secrets are the generated ones, those that a parameter names, and the Platform's.
fn secrets(plan: &Plan, pod: &Value, field: &str) -> Option<Problem> {
    let mut referred = BTreeSet::new();
    secret_references(pod, &mut referred);
    let of_platform = plan.smtp.as_ref().and_then(|smtp| smtp.secret_name.as_deref());
    let unknown = referred.into_iter().find(|name| {
        let generated = plan.secrets.iter().any(|secret| secret.secret == *name);
        !generated && of_platform != Some(name) && !has_text(&plan.parameters, name)
    })?;
    Some(Problem::new(
        format!("{field}.secretKeyRef"),
        format!("the Secret {unknown} is none of the package's: use {{{{ secrets.NAME }}}} or a parameter"),
    ))
}

fn has_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(items) => items.iter().any(|item| has_text(item, text)),
        Value::Object(fields) => fields.values().any(|field| has_text(field, text)),
        _ => false,
    }
}

fn container_rules(plan: &Plan, pod: &Value, container: &Value, field: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !container
        .get("image")
        .and_then(Value::as_str)
        .is_some_and(|image| plan.images.values().any(|known| known == image))
    {
        problems.push(Problem::new(format!("{field}.image"), "must be {{ images.NAME }}, an image of the package"));
    }
    for path in ["requests/cpu", "requests/memory", "limits/memory"] {
        if container.pointer(&format!("/resources/{path}")).is_none() {
            problems.push(Problem::new(
                format!("{field}.resources"),
                format!("needs {}; write {{{{ resources.NAME | json_encode }}}}", path.replace('/', ".")),
            ));
        }
    }
    problems.extend(secrets_in_open(pod, container, field));
    problems
}

/// A secret is a file or an env variable from a Secret: arguments and plain values are readable by
/// whoever may read the pod.
fn secrets_in_open(_pod: &Value, container: &Value, field: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut from_secret = Vec::new();
    for variable in items(container, "/env") {
        let name = variable.get("name").and_then(Value::as_str).unwrap_or_default();
        if variable.pointer("/valueFrom/secretKeyRef").is_some() {
            from_secret.push(format!("$({name})"));
        }
        let sounds_secret = ["PASSWORD", "SECRET", "TOKEN", "APIKEY", "API_KEY"]
            .iter()
            .any(|word| name.to_ascii_uppercase().contains(word));
        let literal = variable.get("value").and_then(Value::as_str).is_some_and(|value| !value.starts_with('/'));
        if sounds_secret && literal {
            problems.push(Problem::new(
                format!("{field}.env[{name}]"),
                "a secret in the open: use valueFrom.secretKeyRef, or the path of a file",
            ));
        }
    }
    let arguments = items(container, "/args").iter().chain(items(container, "/command")).filter_map(Value::as_str);
    for argument in arguments {
        if let Some(variable) = from_secret.iter().find(|variable| argument.contains(variable.as_str())) {
            problems.push(Problem::new(
                format!("{field}.args"),
                format!("{variable} puts a secret into the process list: read it from the environment or a file"),
            ));
        }
    }
    problems
}
