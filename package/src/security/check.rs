//! What a rendered object must be, whatever its kind.

use serde_json::Value;

use crate::engine::labels::selects_instance;
use crate::engine::lookup::items;
use crate::engine::object::RenderedObject;
use crate::engine::place::{line_of, line_of_field};
use crate::engine::typed;
use crate::fault::{Fault, Problem};
use crate::kinds::{self, AllowedKind};
use crate::near;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::security::network;
use crate::security::pods;
use commonscloud_api::{Manifest, marks};

/// Where a workload has its pods' labels and spec.
const POD_TEMPLATES: [&str; 2] = ["/spec/template", "/spec/jobTemplate/spec/template"];

/// Which declared object a document is.
pub(crate) struct Place {
    pub(crate) kind: &'static AllowedKind,
    /// `{instance}-{declared name}`.
    pub(crate) name: String,
}

/// Which declared object this document is.
///
/// # Errors
/// When it is none, or says more of itself than a package may.
pub(crate) fn identify(plan: &Plan, manifest: &Manifest, document: &Value) -> Result<Place, Fault> {
    let at = |rule: Rule, field: &str, message: String| {
        let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
        let line = line_of(&manifest.template, &[&format!("kind: {kind}"), field]);
        Fault::manifest(rule, &manifest.name, line, message)
    };
    let fault = |rule: Rule, message: String| at(rule, "", message);
    let text = |path: &str| document.pointer(path).and_then(Value::as_str);
    let Some(kind) = text("/kind") else {
        return Err(at(Rule::RenderedYaml, "metadata:", format!("renders a document without kind; {}", has(document))));
    };
    let Some(name) = text("/metadata/name") else {
        let message = format!("renders a {kind} without metadata.name, a text; {}", has(document));
        return Err(fault(Rule::RenderedYaml, message));
    };
    let Some((_, allowed)) = kinds::find(kind) else {
        return Err(fault(Rule::Kind, kinds::why_not(kind)));
    };
    if text("/apiVersion") != Some(&allowed.api_version()) {
        return Err(fault(Rule::ApiVersion, format!("{kind}: apiVersion must be {}", allowed.api_version())));
    }
    let Some(own) = name.strip_prefix(&format!("{}-", plan.instance.name)) else {
        let message = format!("renders {kind} {name}; a name is {{{{ instance.name ~ \"-NAME\" }}}}");
        return Err(fault(Rule::NamePrefix, message));
    };
    if !manifest.objects.iter().any(|object| object.kind == kind && object.name == own) {
        let declared: Vec<String> = manifest.objects.iter().map(|o| format!("{} {}", o.kind, o.name)).collect();
        let declared = declared.join(", ");
        let message =
            format!("renders {kind} {own}, which the manifest's `objects` do not declare; they declare: {declared}");
        return Err(fault(Rule::Undeclared, message));
    }
    if document.pointer("/metadata/namespace").is_some_and(|namespace| namespace != plan.instance.namespace.as_str()) {
        let message = format!("{kind} {name}: metadata.namespace must be the instance's own; leave it out");
        return Err(at(Rule::Namespace, "namespace:", message));
    }
    surplus(document).map_or_else(
        || Ok(Place { kind: allowed, name: name.to_owned() }),
        |(rule, field)| {
            let key = field.rsplit(' ').next().unwrap_or_default();
            let why = match rule {
                Rule::UnknownField => format!("no such field; {}", near::meant(key, &TOP)),
                _ => "is not for packages; leave it out".to_owned(),
            };
            Err(at(rule, key, format!("{kind} {name}: {field}: {why}")))
        },
    )
}

/// What a document has in the place of what it lacks: a field that is not indented stands there.
fn has(document: &Value) -> String {
    match document.as_object() {
        Some(fields) => format!("it has: {}", fields.keys().cloned().collect::<Vec<_>>().join(", ")),
        None => "it is no map".to_owned(),
    }
}

/// The fields that a package may give an object.
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

/// The first field that only the API server or the operator may set.
fn surplus(document: &Value) -> Option<(Rule, String)> {
    const METADATA: [&str; 4] = ["name", "namespace", "labels", "annotations"];
    let unknown =
        |value: &Value, known: &[&str]| value.as_object()?.keys().find(|key| !known.contains(&key.as_str())).cloned();
    let marked = |path: &str| {
        let known = [marks::MANAGED_BY, marks::ENTITY, marks::INSTANCE, marks::INSTANCE_KIND];
        let keys = document.pointer(path)?.as_object()?.keys();
        keys.clone().find(|key| key.contains("commonscloud.coop/") && !known.contains(&key.as_str())).cloned()
    };
    // A status is set by others; what nobody knows is a slip of the pen.
    let rule_of = |field: &str| if field == "status" { Rule::Metadata } else { Rule::UnknownField };
    let top = unknown(document, &TOP).map(|field| (rule_of(&field), field));
    top.or_else(|| {
        unknown(document.get("metadata")?, &METADATA)
            .or_else(|| marked("/metadata/labels"))
            .or_else(|| marked("/metadata/annotations"))
            .map(|field| (Rule::Metadata, format!("metadata: {field}")))
    })
}

/// Every declared object once, but the optional ones. `field`: where the package has the manifest.
pub(crate) fn complete(plan: &Plan, manifest: &Manifest, field: &str, objects: &[RenderedObject]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, declared) in manifest.objects.iter().enumerate() {
        let name = format!("{}-{}", plan.instance.name, declared.name);
        let count = objects.iter().filter(|object| object.kind == declared.kind && object.name == name).count();
        let what = format!("{} {}", declared.kind, declared.name);
        let message = match count {
            0 if !declared.optional => format!(
                "does not render {what}, which its `objects` declare; mark it optional if some parameters leave it out"
            ),
            0 | 1 => continue,
            _ => format!("renders {what} {count} times"),
        };
        faults.push(Fault::declared(Rule::Unrendered, &manifest.name, format!("{field}.objects[{at}]"), message));
    }
    faults
}

/// Everything that a package must keep to in one object.
pub(crate) fn object(plan: &Plan, manifest: &Manifest, object: &RenderedObject) -> Vec<Fault> {
    let mut problems = typed::check(&object.kind, &object.value);
    problems.extend(selectors(plan, object));
    problems.extend(network::problems(plan, object));
    problems.extend(pods::problems(plan, object));
    let declared = object.name.strip_prefix(&format!("{}-", plan.instance.name)).unwrap_or_default();
    let line = |problem: &Problem| line_of_field(manifest, &object.kind, declared, &problem.field);
    problems
        .into_iter()
        .map(|problem| {
            let message = format!("{} {}: {}: {}", object.kind, object.name, problem.field, problem.message);
            Fault::manifest(problem.rule, &manifest.name, line(&problem), message)
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
            Rule::Selector,
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
        problems.push(Problem::new(
            Rule::Selector,
            "matchExpressions",
            "not for packages; use {{ selector(component=\"...\") }}",
        ));
    }
    if let ("Deployment" | "StatefulSet", Some(Value::Object(selector))) = (object.kind.as_str(), selector) {
        let labels = object.value.pointer("/spec/template/metadata/labels");
        if selector.iter().any(|(key, value)| labels.and_then(|labels| labels.get(key)) != Some(value)) {
            problems.push(Problem::new(
                Rule::PodLabels,
                "spec.template.metadata.labels",
                "must be {{ labels(component=\"...\") }} of the same component as the selector",
            ));
        }
    }
    problems
}

/// What a package's objects must keep to together.
pub(crate) fn together(plan: &Plan, objects: &[RenderedObject]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let pods: Vec<(&RenderedObject, &Value)> = objects
        .iter()
        .filter_map(|object| Some((object, POD_TEMPLATES.iter().find_map(|path| object.value.pointer(path))?)))
        .collect();
    if !pods.is_empty() && !objects.iter().any(|object| network::closes(plan, object)) {
        let message = "manifests: no NetworkPolicy closes the package's pods; render one with podSelector {matchLabels: {{ selector() }}}, policyTypes [Ingress, Egress], ingress [] and egress []";
        faults.push(Fault::package(Rule::Closed, "spec.manifests", message));
    }
    for service in objects.iter().filter(|object| object.kind == "Service") {
        let Some(selector) = service.value.pointer("/spec/selector").and_then(Value::as_object) else { continue };
        for (workload, pod) in &pods {
            let labels = pod.pointer("/metadata/labels");
            let led_to = selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value));
            let containers = pod.get("spec").map(|spec| items(spec, "/containers")).unwrap_or_default();
            if led_to && !containers.iter().any(|container| container.get("readinessProbe").is_some()) {
                faults.push(unready(plan, workload));
            }
        }
    }
    faults
}

/// A Service leads to pods of which nobody knows whether they can answer.
fn unready(plan: &Plan, workload: &RenderedObject) -> Fault {
    let declared = workload.name.strip_prefix(&format!("{}-", plan.instance.name)).unwrap_or_default();
    let of = |manifest: &&Manifest| manifest.objects.iter().any(|o| o.kind == workload.kind && o.name == declared);
    let message = format!(
        "{} {}: a Service leads to it, so one of its containers needs a readinessProbe",
        workload.kind, workload.name
    );
    match plan.package.spec().manifests.iter().find(of) {
        Some(manifest) => {
            let line = line_of_field(manifest, &workload.kind, declared, "spec.template.spec.containers");
            Fault::manifest(Rule::Probes, &manifest.name, line, message)
        }
        None => Fault::package(Rule::Probes, "spec.manifests", message),
    }
}
