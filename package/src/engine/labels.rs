//! The labels of an instance's objects, and those that select its pods.

use serde_json::{Map, Value};

use crate::plan::Plan;
use commonscloud_api::marks;

/// The label that a component's pods are told by.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";

/// The labels of every object and pod of the instance.
pub(crate) fn labels(plan: &Plan) -> Map<String, Value> {
    let mut labels = selector(plan);
    labels.extend(marks_of(plan));
    labels
}

/// The labels that say whose an object is; they never change while the instance lives.
pub(crate) fn marks_of(plan: &Plan) -> Map<String, Value> {
    [
        (marks::MANAGED_BY, marks::OPERATOR),
        (marks::ENTITY, plan.entity.name.as_str()),
        (marks::INSTANCE, plan.instance.name.as_str()),
        (marks::INSTANCE_KIND, plan.instance.kind.as_str()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), Value::from(value)))
    .collect()
}

/// The labels that select every pod of the instance.
pub(crate) fn selector(plan: &Plan) -> Map<String, Value> {
    [("app.kubernetes.io/name", plan.package.name()), ("app.kubernetes.io/instance", plan.instance.name.as_str())]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), Value::from(value)))
        .collect()
}

/// Whether labels select pods of the instance by the three well-known labels only.
pub(crate) fn selects_instance(plan: &Plan, labels: Option<&Value>) -> bool {
    let Some(Value::Object(labels)) = labels else { return false };
    let own = selector(plan);
    own.iter().all(|(key, value)| labels.get(key) == Some(value))
        && labels.keys().all(|key| own.contains_key(key) || key == COMPONENT)
}
