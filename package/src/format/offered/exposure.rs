//! Ingresses as the Platform wants them; labels and annotations that others take for orders.

use serde_json::Value;

use crate::engine::context::exposure;
use crate::engine::lookup::items;
use crate::engine::object::RenderedObject;
use crate::fault::Problem;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::security::annotations::{BODY_SIZE, ISSUER};

/// The domains of labels and annotations that are nobody's orders.
const DOMAINS: [&str; 2] = ["app.kubernetes.io/", "commonscloud.coop/"];
/// Read by `kubectl logs`.
const HARMLESS: &str = "kubectl.kubernetes.io/default-container";

/// What is wrong with an object's metadata, and with an Ingress.
pub(super) fn problems(plan: &Plan, object: &RenderedObject) -> Vec<Problem> {
    let mut problems = Vec::new();
    if object.kind == "Ingress" {
        problems.extend(ingress(plan, &object.value));
        problems.extend(orders(&object.value, "", &["labels"]));
    } else {
        problems.extend(orders(&object.value, "", &["labels", "annotations"]));
    }
    for path in super::PODS {
        if let Some(template) = object.value.pointer(path) {
            let field = format!("{}.", path.trim_start_matches('/').replace('/', "."));
            problems.extend(orders(template, &field, &["labels", "annotations"]));
        }
    }
    problems
}

fn ingress(plan: &Plan, value: &Value) -> Vec<Problem> {
    let known = exposure(plan);
    let wanted = |name: &str| known.get(name).and_then(Value::as_str);
    let annotation = |key: &str| value.pointer("/metadata/annotations").and_then(|all| all.get(key));
    let mut problems = Vec::new();
    if value.pointer("/spec/ingressClassName").and_then(Value::as_str) != wanted("ingress_class") {
        problems.push(Problem::new(
            Rule::IngressClass,
            "spec.ingressClassName",
            "must be {{ exposure.ingress_class }}, and left out where the Platform names none",
        ));
    }
    let secret = wanted("tls_secret");
    if items(value, "/spec/tls").iter().any(|tls| tls.get("secretName").and_then(Value::as_str) != secret) {
        problems.push(Problem::new(
            Rule::IngressTls,
            "spec.tls.secretName",
            "must be {{ exposure.tls_secret }}, and left out where there is none: else people are shown another certificate",
        ));
    }
    if wanted("cluster_issuer").is_some() && annotation(ISSUER).is_none() {
        let message = format!(
            "needs {ISSUER}: {{{{ exposure.cluster_issuer }}}} where there is one: else nobody makes the certificate"
        );
        problems.push(Problem::new(Rule::IngressTls, "metadata.annotations", message));
    }
    if annotation(BODY_SIZE).is_none() {
        let message = format!(
            "needs {BODY_SIZE}, \"0\" for any size: without it ingress-nginx refuses what is above 1 MiB, whatever the quota"
        );
        problems.push(Problem::new(Rule::RequestSize, "metadata.annotations", message));
    }
    problems
}

/// Labels and annotations of other domains: a network plug-in, a DNS or a service mesh does what they say.
fn orders(value: &Value, field: &str, lists: &[&str]) -> Vec<Problem> {
    let keys = lists.iter().flat_map(|list| {
        let keys = value.pointer(&format!("/metadata/{list}")).and_then(Value::as_object).into_iter();
        keys.flat_map(serde_json::Map::keys).map(move |key| (*list, key))
    });
    let is_order =
        |key: &str| key.contains('/') && !DOMAINS.iter().any(|domain| key.starts_with(domain)) && key != HARMLESS;
    keys.filter(|(_, key)| is_order(key))
        .map(|(list, key)| {
            let message = format!(
                "{key} is for whoever watches that domain (a network plug-in, a DNS, a service mesh), and not for packages; allowed: names without a domain, {}, {HARMLESS}",
                DOMAINS.join(", ")
            );
            Problem::new(Rule::Orders, format!("{field}metadata.{list}"), message)
        })
        .collect()
}
