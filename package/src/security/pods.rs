//! What every pod of a package must keep to: images, resources, volumes, secrets, no token.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::engine::lookup::{items, name_of};
use crate::engine::object::RenderedObject;
use crate::fault::Problem;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::security::config_maps;
use crate::security::pod_security;
use crate::security::secrets::{self, secret_references};
use commonscloud_api::VolumeAccess;

/// The rules that the object's pods break.
pub(crate) fn problems(plan: &Plan, object: &RenderedObject) -> Vec<Problem> {
    let path = match object.kind.as_str() {
        "Deployment" | "StatefulSet" | "Job" => "/spec/template/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        "ServiceAccount" => return service_account(&object.value),
        _ => return Vec::new(),
    };
    let field = path.trim_start_matches('/').replace('/', ".");
    let Some(pod) = object.value.pointer(path).filter(|pod| pod.is_object()) else {
        return vec![Problem::new(Rule::Pod, field, "is missing")];
    };
    let mut problems = pod_rules(plan, pod, &field);
    if object.value.pointer("/spec/volumeClaimTemplates").is_some() {
        problems.push(Problem::new(
            Rule::Claim,
            "spec.volumeClaimTemplates",
            "not for packages: declare the volume in `volumes`, so that its data outlives the instance",
        ));
    }
    if items(pod, "/containers").is_empty() {
        problems.push(Problem::new(Rule::Pod, format!("{field}.containers"), "needs at least one container"));
    }
    problems.extend(one_writer(plan, object, pod));
    let workload = object.name.strip_prefix(&format!("{}-", plan.instance.name)).unwrap_or(&object.name);
    for (name, container, field) in containers(pod, &field) {
        problems.extend(container_rules(plan, container, &field));
        let known = format!("{workload}/{name}");
        let excepted = plan.package.spec().pod_security_exceptions.iter().any(|exception| exception.container == known);
        problems.extend(pod_security::container(pod, container, &field, excepted));
        let tells = || {
            let probe = container.get("livenessProbe").filter(|probe| probe.pointer("/exec/command").is_some());
            probe.is_some_and(|probe| probe.get("failureThreshold").and_then(Value::as_u64) == Some(NEVER))
        };
        if configures(plan, workload, container) && !tells() {
            let message = format!(
                "is of `configuredBy`, so it needs a livenessProbe with exec, which prints why settings are not applied, and failureThreshold: {NEVER}, so that it kills nothing"
            );
            problems.push(Problem::new(Rule::ConfiguredBy, field, message));
        }
    }
    problems
}

/// So often a probe may fail that tells and does not kill.
const NEVER: u64 = 1_000_000;

/// Whether the package says of this container that it applies settings.
fn configures(plan: &Plan, workload: &str, container: &Value) -> bool {
    let is_it = |known: &String| known.split_once('/') == Some((workload, name_of(container)));
    plan.package.spec().configured_by.iter().any(is_it)
}

/// Two pods must never write one volume: not for the moment of a roll-out either.
fn one_writer(plan: &Plan, object: &RenderedObject, pod: &Value) -> Option<Problem> {
    let single = |claim: &Value| {
        plan.volumes.iter().any(|known| claim == known.claim.as_str() && known.access == VolumeAccess::ReadWriteOnce)
    };
    let claims = items(pod, "/volumes").iter().filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName"));
    let mut claims = claims.filter(|claim| single(claim));
    claims.next()?;
    let at = |path: &str| object.value.pointer(path);
    if at("/spec/replicas").and_then(Value::as_u64).is_some_and(|replicas| replicas > 1) {
        return Some(Problem::new(Rule::OneWriter, "spec.replicas", "at most 1: its volume is ReadWriteOnce"));
    }
    let recreated = at("/spec/strategy/type").is_some_and(|kind| kind == "Recreate");
    (object.kind == "Deployment" && !recreated).then(|| {
        Problem::new(Rule::OneWriter, "spec.strategy", "must be {type: Recreate}: its volume is ReadWriteOnce")
    })
}

fn service_account(value: &Value) -> Vec<Problem> {
    if value.get("automountServiceAccountToken") == Some(&Value::Bool(false)) {
        return Vec::new();
    }
    vec![Problem::new(Rule::Token, "automountServiceAccountToken", "must be false: no service needs the cluster's API")]
}

/// `workload/container` of each container that the object has.
pub(crate) fn container_names(object: &RenderedObject) -> Vec<String> {
    let workload = object.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let workload = workload.split_once('-').map_or(workload, |(_, own)| own);
    let pods = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"].iter();
    pods.filter_map(|path| object.value.pointer(path))
        .flat_map(|pod| containers(pod, ""))
        .map(|(name, _, _)| format!("{workload}/{name}"))
        .collect()
}

/// Name, container and path of each container and init container.
pub(crate) fn containers<'p>(pod: &'p Value, field: &str) -> Vec<(&'p str, &'p Value, String)> {
    ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| {
            items(pod, &format!("/{list}")).iter().map(move |container| {
                let name = name_of(container);
                (name, container, format!("{field}.{list}[{name}]"))
            })
        })
        .collect()
}

fn pod_rules(plan: &Plan, pod: &Value, field: &str) -> Vec<Problem> {
    let mut problems = pod_security::pod(pod, field);
    if pod.get("automountServiceAccountToken") != Some(&Value::Bool(false)) {
        problems.push(Problem::new(
            Rule::Token,
            format!("{field}.automountServiceAccountToken"),
            "must be false: no service needs the cluster's API",
        ));
    }
    for forbidden in
        ["ephemeralContainers", "nodeName", "schedulerName", "priorityClassName", "priority", "runtimeClassName"]
    {
        if pod.get(forbidden).is_some() {
            problems.push(Problem::new(Rule::PodField, format!("{field}.{forbidden}"), "not for packages"));
        }
    }
    let account = pod.get("serviceAccountName").and_then(Value::as_str);
    let declared = plan.package.declared_objects(&plan.instance.name);
    if account
        .is_some_and(|name| !declared.iter().any(|child| child.kind.kind == "ServiceAccount" && child.name == name))
    {
        problems.push(Problem::new(
            Rule::ServiceAccount,
            format!("{field}.serviceAccountName"),
            "must be a ServiceAccount that the package declares, or absent",
        ));
    }
    for volume in items(pod, "/volumes") {
        if let Some(claim) = volume.pointer("/persistentVolumeClaim/claimName")
            && !plan.volumes.iter().any(|known| claim == known.claim.as_str())
        {
            problems.push(Problem::new(
                Rule::Claim,
                format!("{field}.volumes.persistentVolumeClaim"),
                "must be {{ volumes.NAME }}, a volume that the package declares",
            ));
        }
        if items(volume, "/projected/sources").iter().any(|source| source.get("serviceAccountToken").is_some()) {
            problems.push(Problem::new(
                Rule::Token,
                format!("{field}.volumes.projected"),
                "no service account token: no service needs the cluster's API",
            ));
        }
    }
    problems.extend(config_maps::problems(plan, pod, field));
    problems.extend(secrets(plan, pod, field));
    problems
}

/// Secrets are the generated ones, those that a parameter names, and the Platform's. Whether a parameter
/// may name one, only the cluster tells: the operator looks before it writes.
fn secrets(plan: &Plan, pod: &Value, field: &str) -> Option<Problem> {
    let mut referred = BTreeSet::new();
    secret_references(pod, &mut referred);
    let unknown = referred.into_iter().find(|name| {
        let of_platform = secrets::for_pods(plan).any(|of_platform| of_platform == name);
        !secrets::is_generated(plan, name) && !of_platform && !has_text(&plan.parameters, name)
    })?;
    Some(Problem::new(
        Rule::Secret,
        format!("{field}.secretKeyRef"),
        format!("the Secret {unknown} is not one of the package's: use {{{{ secrets.NAME }}}} or a parameter"),
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

fn container_rules(plan: &Plan, container: &Value, field: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !container
        .get("image")
        .and_then(Value::as_str)
        .is_some_and(|image| plan.images.values().any(|known| known == image))
    {
        problems.push(Problem::new(
            Rule::Image,
            format!("{field}.image"),
            "must be {{ images.NAME }}, an image of the package",
        ));
    }
    for path in ["requests/cpu", "requests/memory", "limits/memory"] {
        if container.pointer(&format!("/resources/{path}")).is_none() {
            problems.push(Problem::new(
                Rule::Resources,
                format!("{field}.resources"),
                format!("needs {}; write {{{{ resources.NAME | json_encode }}}}", path.replace('/', ".")),
            ));
        }
    }
    if container.get("livenessProbe").is_some() && container.get("startupProbe").is_none() {
        problems.push(Problem::new(
            Rule::Probes,
            format!("{field}.livenessProbe"),
            "needs a startupProbe beside it, as long as the longest start takes",
        ));
    }
    problems.extend(last_words(container, field));
    problems.extend(secrets_in_open(container, field));
    problems
}

/// A container that ends with an error leaves its last line where the status can show it.
fn last_words(container: &Value, field: &str) -> Option<Problem> {
    const POLICY: &str = "FallbackToLogsOnError";
    let (field, message) = match container.get("terminationMessagePolicy").and_then(Value::as_str) {
        Some(POLICY) => return None,
        Some(_) => (format!("{field}.terminationMessagePolicy"), format!("must be {POLICY}")),
        None => (field.to_owned(), format!("needs terminationMessagePolicy: {POLICY}")),
    };
    let why = "so that the status shows a failed container's last line";
    Some(Problem::new(Rule::TerminationMessage, field, format!("{message}, {why}")))
}

/// A secret is a file or an env variable from a Secret: arguments and plain values are readable by
/// whoever may read the pod.
fn secrets_in_open(container: &Value, field: &str) -> Vec<Problem> {
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
                Rule::SecretInOpen,
                format!("{field}.env[{name}]"),
                "a secret in the open: use valueFrom.secretKeyRef, or the path of a file",
            ));
        }
    }
    for list in ["command", "args"] {
        for argument in items(container, &format!("/{list}")).iter().filter_map(Value::as_str) {
            let Some(variable) = from_secret.iter().find(|variable| argument.contains(variable.as_str())) else {
                continue;
            };
            problems.push(Problem::new(
                Rule::SecretInArguments,
                format!("{field}.{list}"),
                format!("{variable} puts a secret into the process list: read it from the environment or a file"),
            ));
        }
    }
    problems
}
