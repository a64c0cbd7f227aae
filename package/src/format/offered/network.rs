//! Ports, and whom Services and NetworkPolicies lead to: what is misspelt there is closed, and nobody says so.

use serde_json::Value;

use super::{Pod, entry, has_port, shown};
use crate::engine::lookup::{items, name_of};
use crate::engine::network::network;
use crate::engine::object::RenderedObject;
use crate::fault::Problem;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::security::peers::Direction;
use crate::security::pods::containers;

/// What the Platform names with ports.
const NAMED: [&str; 4] = ["dns", "public", "identity_provider", "mail"];

/// What is wrong with the object's ports and with whom it selects.
pub(super) fn problems(
    plan: &Plan,
    object: &RenderedObject,
    objects: &[RenderedObject],
    pods: &[Pod<'_>],
) -> Vec<Problem> {
    match object.kind.as_str() {
        "Service" => service(&object.value, pods),
        "Ingress" => ingress(&object.value, objects),
        "NetworkPolicy" => policy(plan, &object.value, pods),
        _ => Pod::of(object).map(|pod| probes(&pod)).unwrap_or_default(),
    }
}

fn selected<'p, 'o>(selector: Option<&Value>, pods: &'p [Pod<'o>]) -> Vec<&'p Pod<'o>> {
    pods.iter().filter(|pod| selector.is_none_or(|selector| pod.is_selected_by(selector))).collect()
}

fn nobody(field: &str) -> Problem {
    Problem::new(
        Rule::ContainerPort,
        field,
        "selects no pod that the package renders: write the component that a workload's pods have",
    )
}

fn not_there(field: String, port: &Value, pods: &[&Pod<'_>]) -> Problem {
    let names: Vec<&str> = pods.iter().map(|pod| pod.object.name.as_str()).collect();
    let message = format!(
        "no container of {} has port {} in its `ports`; list it there, such as {{name: http, containerPort: 8080}}, or name one that is",
        names.join(", "),
        shown(port)
    );
    Problem::new(Rule::ContainerPort, field, message)
}

fn service(value: &Value, pods: &[Pod<'_>]) -> Vec<Problem> {
    let led_to = selected(value.pointer("/spec/selector"), pods);
    if led_to.is_empty() {
        return vec![nobody("spec.selector")];
    }
    let ports = items(value, "/spec/ports").iter().filter_map(|port| {
        let target = port.get("targetPort").or_else(|| port.get("port"))?;
        let field = format!("{}.targetPort", entry("spec.ports", port));
        (!led_to.iter().any(|pod| pod.has_port(target))).then(|| not_there(field, target, &led_to))
    });
    ports.collect()
}

/// An Ingress forwards to a port that the Service has.
fn ingress(value: &Value, objects: &[RenderedObject]) -> Vec<Problem> {
    let paths = items(value, "/spec/rules").iter().flat_map(|rule| items(rule, "/http/paths"));
    let wrong = paths.filter_map(|path| {
        let backend = path.pointer("/backend/service")?;
        let is_it = |object: &&RenderedObject| object.kind == "Service" && object.name == name_of(backend);
        let service = objects.iter().find(is_it)?;
        let wanted = backend.get("port")?;
        let (name, number) = (wanted.get("name"), wanted.get("number"));
        let has =
            |port: &Value| port.get("name") == name && name.is_some() || port.get("port") == number && number.is_some();
        (!items(&service.value, "/spec/ports").iter().any(has)).then(|| {
            let port = shown(name.or(number).unwrap_or(&Value::Null));
            let message = format!("Service {} has no port {port}; write the name of one that it has", service.name);
            Problem::new(Rule::IngressBackend, "spec.rules.http.paths.backend.service.port", message)
        })
    });
    wrong.collect()
}

fn probes(pod: &Pod<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, container, field) in containers(pod.spec, &pod.field) {
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            let port =
                ["httpGet", "tcpSocket", "grpc"].iter().find_map(|by| container.get(probe)?.get(by)?.get("port"));
            // A name is the container's own; by number any container of the pod is reached.
            let is_there = |port: &Value| if port.is_string() { has_port(container, port) } else { pod.has_port(port) };
            if let Some(port) = port.filter(|port| !is_there(port)) {
                let message = format!(
                    "asks at port {}, which {name} does not have in its `ports`; list it there, or name one that is",
                    shown(port)
                );
                problems.push(Problem::new(Rule::ContainerPort, format!("{field}.{probe}"), message));
            }
        }
    }
    problems
}

fn policy(plan: &Plan, value: &Value, pods: &[Pod<'_>]) -> Vec<Problem> {
    if pods.is_empty() {
        return Vec::new();
    }
    let own = selected(value.pointer("/spec/podSelector/matchLabels"), pods);
    if own.is_empty() {
        return vec![nobody("spec.podSelector")];
    }
    let mut problems = Vec::new();
    for rule in items(value, "/spec/ingress") {
        problems.extend(unselected(rule, Direction::In, pods));
        problems.extend(closed_ports(rule, "spec.ingress.ports", &own));
    }
    for rule in items(value, "/spec/egress") {
        problems.extend(unselected(rule, Direction::Out, pods));
        let peers = items(rule, "/to");
        let led_to: Vec<&Pod<'_>> =
            peers.iter().filter_map(own_pods).flat_map(|own| selected(Some(own), pods)).collect();
        if !led_to.is_empty() && peers.iter().all(|peer| own_pods(peer).is_some()) {
            problems.extend(closed_ports(rule, "spec.egress.ports", &led_to));
        }
        problems.extend(ports_of_the_platform(plan, rule));
    }
    problems
}

/// The labels of a peer that stands for pods of the instance.
fn own_pods(peer: &Value) -> Option<&Value> {
    peer.pointer("/podSelector/matchLabels").filter(|_| peer.get("namespaceSelector").is_none())
}

fn unselected(rule: &Value, direction: Direction, pods: &[Pod<'_>]) -> Option<Problem> {
    let (_, rules, list) = direction.fields();
    let mut own = items(rule, &format!("/{list}")).iter().filter_map(own_pods);
    own.any(|labels| selected(Some(labels), pods).is_empty()).then(|| nobody(&format!("spec.{rules}.{list}")))
}

/// The ports of a rule at which no container of these pods listens.
fn closed_ports(rule: &Value, field: &str, pods: &[&Pod<'_>]) -> Vec<Problem> {
    let single = items(rule, "/ports").iter().filter(|port| port.get("endPort").is_none());
    let ports = single.filter_map(|port| port.get("port"));
    ports
        .filter(|port| !pods.iter().any(|pod| pod.has_port(port)))
        .map(|port| not_there(field.to_owned(), port, pods))
        .collect()
}

/// What a package knows by number is another one where the cluster's pods listen elsewhere.
fn ports_of_the_platform(plan: &Plan, rule: &Value) -> Vec<Problem> {
    let Ok(known) = network(plan) else { return Vec::new() };
    let peers = items(rule, "/to");
    let named: Vec<&str> = NAMED
        .into_iter()
        .filter(|list| items(&known, &format!("/{list}")).iter().any(|peer| peers.contains(peer)))
        .collect();
    let Some(first) = named.first() else { return Vec::new() };
    let number = |port: &Value| port.get("port").cloned();
    let allowed: Vec<Option<Value>> =
        named.iter().flat_map(|list| items(&known, &format!("/ports/{list}"))).map(number).collect();
    let literal = items(rule, "/ports").iter().filter(|port| !allowed.contains(&number(port)));
    literal
        .map(|port| {
            let message = format!(
                "port {} is the package's own, and the Platform says at which ports these listen: write ports: {{{{ network.ports.{first} | json_encode }}}}",
                shown(port.get("port").unwrap_or(&Value::Null))
            );
            Problem::new(Rule::PlatformPorts, "spec.egress.ports", message)
        })
        .collect()
}
