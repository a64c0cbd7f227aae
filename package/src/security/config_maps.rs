//! Which ConfigMaps a pod reads: in volumes, among projected sources, and in variables.

use serde_json::Value;

use crate::engine::lookup::{items, name_of};
use crate::fault::Problem;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::security::pods::containers;

/// The places where a pod reads a ConfigMap that its package does not declare.
pub(crate) fn problems(plan: &Plan, pod: &Value, field: &str) -> Vec<Problem> {
    let declared = plan.package.declared_objects(&plan.instance.name);
    let is_declared = |name: &str| declared.iter().any(|child| child.kind.kind == "ConfigMap" && child.name == name);
    let foreign = read(pod, field).into_iter().filter(|(name, _)| !is_declared(name));
    foreign
        .map(|(_, field)| Problem::new(Rule::ConfigMap, field, "must be a ConfigMap that the package declares"))
        .collect()
}

/// Name and place of each ConfigMap that the pod reads.
fn read<'p>(pod: &'p Value, field: &str) -> Vec<(&'p str, String)> {
    let mut found = Vec::new();
    let mut note = |value: &'p Value, path: &str, field: String| {
        let name = value.pointer(path).map(|reference| reference.get("name").and_then(Value::as_str));
        found.extend(name.map(|name| (name.unwrap_or_default(), field)));
    };
    for volume in items(pod, "/volumes") {
        let field = format!("{field}.volumes[{}]", name_of(volume));
        note(volume, "/configMap", format!("{field}.configMap"));
        for source in items(volume, "/projected/sources") {
            note(source, "/configMap", format!("{field}.projected.sources.configMap"));
        }
    }
    for (_, container, field) in containers(pod, field) {
        for variable in items(container, "/env") {
            let field = format!("{field}.env[{}].valueFrom.configMapKeyRef", name_of(variable));
            note(variable, "/valueFrom/configMapKeyRef", field);
        }
        for source in items(container, "/envFrom") {
            note(source, "/configMapRef", format!("{field}.envFrom.configMapRef"));
        }
    }
    found
}
