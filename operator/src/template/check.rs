//! What a rendered object must be, whatever its kind.

use serde_json::Value;

use super::fault::{Fault, Problem};
use super::kinds::{self, AllowedKind};
use super::labels::selects_instance;
use super::network;
use super::object::RenderedObject;
use super::place::{line_of, line_of_field, line_of_text};
use super::pods;
use super::typed;
use crate::api::{Manifest, marks};
use crate::plan::Plan;

/// Which declared object a document is.
pub(super) struct Place {
    pub(super) kind: &'static AllowedKind,
    /// `{instance}-{declared name}`.
    pub(super) name: String,
}

/// Which declared object this document is.
///
/// # Errors
/// When it is none, or says more of itself than a package may.
pub(super) fn identify(plan: &Plan, manifest: &Manifest, document: &Value) -> Result<Place, Fault> {
    let fault = |message: String| {
        let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
        Fault::manifest(&manifest.name, line_of(&manifest.template, &[&format!("kind: {kind}")]), message)
    };
    let text = |path: &str| document.pointer(path).and_then(Value::as_str);
    let (Some(kind), Some(name)) = (text("/kind"), text("/metadata/name")) else {
        return Err(fault("renders to a document without kind and metadata.name".to_owned()));
    };
    let Some((_, allowed)) = kinds::find(kind) else {
        return Err(fault(format!("the kind {kind} is not allowed; allowed: {}", allowed_names())));
    };
    if text("/apiVersion") != Some(&allowed.api_version()) {
        return Err(fault(format!("{kind}: apiVersion must be {}", allowed.api_version())));
    }
    let declared =
        manifest.objects.iter().find(|o| o.kind == kind && format!("{}-{}", plan.instance.name, o.name) == name);
    if declared.is_none() {
        return Err(fault(format!(
            "renders {kind} {name}, which the manifest's `objects` do not declare; a name is {{{{ instance.name ~ \"-NAME\" }}}}"
        )));
    }
    if document.pointer("/metadata/namespace").is_some_and(|namespace| namespace != plan.instance.namespace.as_str()) {
        return Err(fault(format!("{kind} {name}: metadata.namespace must be the instance's own; leave it out")));
    }
    surplus(document).map_or_else(
        || Ok(Place { kind: allowed, name: name.to_owned() }),
        |field| Err(fault(format!("{kind} {name}: {field} is not for packages; leave it out"))),
    )
}

/// The first field that only the API server or the operator may set.
fn surplus(document: &Value) -> Option<String> {
    const TOP: [&str; 9] = [
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "data",
        "binaryData",
        "immutable",
        "automountServiceAccountToken",
        "imagePullSecrets",
    ];
    const METADATA: [&str; 4] = ["name", "namespace", "labels", "annotations"];
    let unknown =
        |value: &Value, known: &[&str]| value.as_object()?.keys().find(|key| !known.contains(&key.as_str())).cloned();
    let marked = |path: &str| {
        let known = [marks::MANAGED_BY, marks::ENTITY, marks::INSTANCE, marks::INSTANCE_KIND];
        let keys = document.pointer(path)?.as_object()?.keys();
        keys.clone().find(|key| key.contains("commonscloud.coop/") && !known.contains(&key.as_str())).cloned()
    };
    unknown(document, &TOP)
        .or_else(|| Some(format!("metadata.{}", unknown(document.get("metadata")?, &METADATA)?)))
        .or_else(|| marked("/metadata/labels"))
        .or_else(|| marked("/metadata/annotations"))
}

/// Every declared object once, but the optional ones.
pub(super) fn complete(plan: &Plan, manifest: &Manifest, objects: &[RenderedObject]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for declared in &manifest.objects {
        let name = format!("{}-{}", plan.instance.name, declared.name);
        let count = objects.iter().filter(|object| object.kind == declared.kind && object.name == name).count();
        let line =
            line_of(&manifest.template, &[&format!("kind: {}", declared.kind), &format!("-{}\"", declared.name)]);
        match count {
            0 if !declared.optional => {
                faults.push(Fault::manifest(&manifest.name, line, format!("does not render {} {name}, which its `objects` declare; mark it optional if some parameters leave it out", declared.kind)));
            }
            0 | 1 => {}
            _ => faults.push(Fault::manifest(
                &manifest.name,
                line,
                format!("renders {} {name} {count} times", declared.kind),
            )),
        }
    }
    faults
}

/// Everything that a package must keep to in one object.
pub(super) fn object(plan: &Plan, manifest: &Manifest, object: &RenderedObject) -> Vec<Fault> {
    let mut problems = Vec::new();
    if let Err(problem) = typed::check(&object.kind, &object.value) {
        problems.push(problem);
    }
    problems.extend(selectors(plan, object));
    problems.extend(network::problems(plan, object));
    problems.extend(pods::problems(plan, object));
    let declared = object.name.strip_prefix(&format!("{}-", plan.instance.name)).unwrap_or_default();
    let line = |problem: &Problem| match problem.value.as_deref() {
        Some(value) => line_of_text(manifest, &object.kind, declared, value),
        None => line_of_field(manifest, &object.kind, declared, &problem.field),
    };
    problems
        .into_iter()
        .map(|problem| {
            let message = format!("{} {}: {}: {}", object.kind, object.name, problem.field, problem.message);
            Fault::manifest(&manifest.name, line(&problem), message)
        })
        .collect()
}

/// Selectors hold the three well-known labels and nothing else, and never reach past the instance.
fn selectors(plan: &Plan, object: &RenderedObject) -> Vec<Problem> {
    let (path, field) = match object.kind.as_str() {
        "Deployment" | "StatefulSet" | "PodDisruptionBudget" => {
            ("/spec/selector/matchLabels", "spec.selector.matchLabels")
        }
        "Service" => ("/spec/selector", "spec.selector"),
        "NetworkPolicy" => ("/spec/podSelector/matchLabels", "spec.podSelector.matchLabels"),
        _ => return Vec::new(),
    };
    let mut problems = Vec::new();
    let selector = object.value.pointer(path);
    if !selects_instance(plan, selector) {
        problems.push(Problem::new(
            field,
            "must be {{ selector(component=\"...\") }}: app.kubernetes.io/name, instance, component and nothing else",
        ));
    }
    if object
        .value
        .pointer("/spec/selector/matchExpressions")
        .or(object.value.pointer("/spec/podSelector/matchExpressions"))
        .is_some()
    {
        problems.push(Problem::new("matchExpressions", "not for packages; use {{ selector(component=\"...\") }}"));
    }
    if let ("Deployment" | "StatefulSet", Some(Value::Object(selector))) = (object.kind.as_str(), selector) {
        let labels = object.value.pointer("/spec/template/metadata/labels");
        if selector.iter().any(|(key, value)| labels.and_then(|labels| labels.get(key)) != Some(value)) {
            problems.push(Problem::new(
                "spec.template.metadata.labels",
                "must be {{ labels(component=\"...\") }} of the same component as the selector",
            ));
        }
    }
    problems
}

fn allowed_names() -> String {
    kinds::allowed_kinds().iter().map(|kind| kind.kind).collect::<Vec<_>>().join(", ")
}
