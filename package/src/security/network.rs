//! What Services, Ingresses and NetworkPolicies of a package may open: nothing by accident.

use serde_json::Value;

use crate::engine::labels::selector;
use crate::engine::lookup::items;
use crate::engine::object::RenderedObject;
use crate::fault::Problem;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::security::annotations;
use crate::security::peers::{self, Direction};

/// The rules that the object breaks.
pub(crate) fn problems(plan: &Plan, object: &RenderedObject) -> Vec<Problem> {
    match object.kind.as_str() {
        "Service" => service(&object.value),
        "Ingress" => ingress(plan, &object.value),
        "NetworkPolicy" => policy(plan, &object.value),
        _ => Vec::new(),
    }
}

/// A Service is reached inside the cluster only.
fn service(value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    if value.pointer("/spec/type").is_some_and(|kind| kind != "ClusterIP") {
        problems.push(Problem::new(
            Rule::ServiceInside,
            "spec.type",
            "must be ClusterIP; from outside a service is reached through its Ingress",
        ));
    }
    for field in ["externalIPs", "externalName", "loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges"] {
        if value.pointer(&format!("/spec/{field}")).is_some() {
            problems.push(Problem::new(Rule::ServiceInside, format!("spec.{field}"), "not for packages"));
        }
    }
    for port in items(value, "/spec/ports") {
        if port.get("nodePort").is_some() {
            problems.push(Problem::new(Rule::ServiceInside, "spec.ports.nodePort", "not for packages"));
        }
    }
    problems
}

/// An Ingress serves the instance's own host name and forwards to the instance's own Services.
fn ingress(plan: &Plan, value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let own_host = |host: &Value| host == plan.hostname.as_str();
    let own_service = |backend: Option<&Value>| {
        let name = backend.and_then(|backend| backend.pointer("/service/name")).and_then(Value::as_str);
        let mut declared = plan.package.declared_objects(&plan.instance.name).into_iter();
        name.is_some_and(|name| declared.any(|child| child.kind.kind == "Service" && child.name == name))
    };
    if value.pointer("/spec/defaultBackend").is_some() {
        problems.push(Problem::new(
            Rule::IngressHost,
            "spec.defaultBackend",
            "not for packages: it answers for every host name",
        ));
    }
    let rules = items(value, "/spec/rules");
    if rules.is_empty() {
        problems.push(Problem::new(Rule::IngressHost, "spec.rules", "needs a rule for {{ hostname }}"));
    }
    for rule in rules {
        if !rule.get("host").is_some_and(own_host) {
            problems.push(Problem::new(Rule::IngressHost, "spec.rules.host", "must be {{ hostname }}"));
        }
        if items(rule, "/http/paths").iter().any(|path| !own_service(path.get("backend"))) {
            problems.push(Problem::new(
                Rule::IngressBackend,
                "spec.rules.http.paths.backend",
                "must be a Service that the package declares",
            ));
        }
    }
    let tls = items(value, "/spec/tls");
    if tls.is_empty()
        || tls.iter().any(|entry| items(entry, "/hosts").is_empty() || !items(entry, "/hosts").iter().all(own_host))
    {
        problems.push(Problem::new(
            Rule::IngressTls,
            "spec.tls",
            "needs an entry with hosts: [{{ hostname }}] and no other host",
        ));
    }
    problems.extend(annotations::problems(plan, value));
    problems
}

/// A NetworkPolicy never opens more than it names: an empty list of peers means everybody.
fn policy(plan: &Plan, value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let types: Vec<_> = items(value, "/spec/policyTypes").iter().filter_map(Value::as_str).collect();
    for direction in [Direction::In, Direction::Out] {
        let (kind, rules, _) = direction.fields();
        let present = value.pointer(&format!("/spec/{rules}"));
        if present.is_some() != types.contains(&kind) {
            problems.push(Problem::new(
                Rule::PolicyTypes,
                "spec.policyTypes",
                format!("must list {kind} exactly when spec.{rules} is given; an empty list closes it"),
            ));
        }
        for rule in items(value, &format!("/spec/{rules}")) {
            problems.extend(policy_rule(plan, rule, direction));
        }
    }
    problems
}

fn policy_rule(plan: &Plan, rule: &Value, direction: Direction) -> Vec<Problem> {
    let (_, rules, list) = direction.fields();
    let field = format!("spec.{rules}.{list}");
    let mut problems = Vec::new();
    let named = items(rule, &format!("/{list}"));
    if named.is_empty() {
        problems.push(Problem::new(
            Rule::Peers,
            &field,
            "names nobody, which means everybody; leave the rule out when there is no peer",
        ));
    }
    let wrong = named.iter().filter_map(|peer| peers::wrong(plan, direction, rule, peer));
    problems.extend(wrong.map(|message| Problem::new(Rule::Peers, &field, message)));
    if items(rule, "/ports").is_empty() {
        problems.push(Problem::new(
            Rule::Ports,
            format!("spec.{rules}"),
            "a rule without ports opens all of them; name its ports",
        ));
    }
    problems
}

/// Whether this is the policy that closes every pod of the instance both ways.
pub(crate) fn closes(plan: &Plan, object: &RenderedObject) -> bool {
    let selects_all = object.value.pointer("/spec/podSelector/matchLabels") == Some(&Value::Object(selector(plan)));
    let types = items(&object.value, "/spec/policyTypes");
    let both = ["Ingress", "Egress"].iter().all(|direction| types.iter().any(|given| given == direction));
    let none = ["/spec/ingress", "/spec/egress"].iter().all(|rules| items(&object.value, rules).is_empty());
    object.kind == "NetworkPolicy" && selects_all && both && none
}
