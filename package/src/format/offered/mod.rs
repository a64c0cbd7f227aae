//! What a package is asked when it is offered, by the linter and as a ServiceTemplate: what works on one
//! cluster and not on the next, and what would be seen too late. A revision is not asked again: a rule of
//! a later release stops no service that runs.
//!
//! | module | what lives there |
//! |---|---|
//! | `fields` | images and figures, as the package has them |
//! | `network` | ports of Services, probes and NetworkPolicies; whom they lead to |
//! | `exposure` | Ingresses; labels and annotations that others take for orders |
//! | `pods` | scratch space, probes, Secrets of parameters |
//! | `texts` | what stands in scripts, settings, variables and arguments |

mod exposure;
mod fields;
mod network;
mod pods;
mod texts;

use serde_json::Value;

use crate::engine::lookup::{items, name_of};
use crate::engine::object::RenderedObject;
use crate::engine::place::line_of_field;
use crate::fault::{Fault, Problem};
use crate::plan::Plan;
use commonscloud_api::Manifest;

pub(crate) use fields::faults as of_fields;

/// Where a workload has its pods.
const PODS: [&str; 2] = ["/spec/template", "/spec/jobTemplate/spec/template"];

/// The faults of what one sample renders.
pub(crate) fn of_objects(plan: &Plan, objects: &[RenderedObject]) -> Vec<Fault> {
    let pods: Vec<Pod<'_>> = objects.iter().filter_map(Pod::of).collect();
    let of_one = |object: &RenderedObject| {
        let mut problems = network::problems(plan, object, objects, &pods);
        problems.extend(exposure::problems(plan, object));
        problems.extend(texts::of_config_map(plan, object));
        if let Some(pod) = Pod::of(object) {
            problems.extend(pods::problems(plan, &pod));
            problems.extend(texts::of_pod(plan, &pod));
        }
        problems.into_iter().map(|problem| located(plan, object, problem)).collect::<Vec<_>>()
    };
    objects.iter().flat_map(of_one).collect()
}

/// The pods of a workload.
pub(crate) struct Pod<'o> {
    /// The workload.
    object: &'o RenderedObject,
    labels: Option<&'o Value>,
    spec: &'o Value,
    /// Where the workload has `spec`.
    field: String,
}

impl<'o> Pod<'o> {
    fn of(object: &'o RenderedObject) -> Option<Self> {
        let (path, template) = PODS.iter().find_map(|path| Some((path, object.value.pointer(path)?)))?;
        let field = format!("{}.spec", path.trim_start_matches('/').replace('/', "."));
        Some(Self { object, labels: template.pointer("/metadata/labels"), spec: template.get("spec")?, field })
    }

    /// Whether its pods have all of these labels.
    fn is_selected_by(&self, selector: &Value) -> bool {
        let selector = selector.as_object().into_iter().flatten();
        let mut wanted = selector.map(|(key, value)| self.labels.and_then(|labels| labels.get(key)) == Some(value));
        wanted.all(|has| has)
    }

    /// Whether one of its containers has this port, by number or by name.
    fn has_port(&self, port: &Value) -> bool {
        let lists = ["/initContainers", "/containers"].into_iter();
        let mut containers = lists.flat_map(|list| items(self.spec, list));
        containers.any(|container| has_port(container, port))
    }
}

fn has_port(container: &Value, port: &Value) -> bool {
    let is_it = |known: &Value| match port {
        Value::String(name) => name_of(known) == name,
        number => known.get("containerPort") == Some(number),
    };
    items(container, "/ports").iter().any(is_it)
}

/// The fault at the object's line in the manifest that renders it.
fn located(plan: &Plan, object: &RenderedObject, problem: Problem) -> Fault {
    let Problem { rule, field, message } = problem;
    let declared = object.name.strip_prefix(&format!("{}-", plan.instance.name)).unwrap_or_default();
    let renders = |manifest: &&Manifest| manifest.objects.iter().any(|o| o.kind == object.kind && o.name == declared);
    let message = format!("{} {}: {field}: {message}", object.kind, object.name);
    match plan.package.spec().manifests.iter().find(renders) {
        Some(manifest) => {
            let line = line_of_field(manifest, &object.kind, declared, &field);
            Fault::manifest(rule, &manifest.name, line, message)
        }
        None => Fault::package(rule, "spec.manifests", message),
    }
}

/// A field of a list's entry, by the entry's name.
fn entry(list: &str, value: &Value) -> String {
    match name_of(value) {
        "" => list.to_owned(),
        name => format!("{list}[{name}]"),
    }
}

/// Shown in a message: `8080`, `http`.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
