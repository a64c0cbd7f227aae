//! Pod Security *baseline* for every container, *restricted* for all but the listed ones.

use serde_json::Value;

use crate::engine::lookup::items;
use crate::fault::Problem;
use crate::rule::Rule;

/// Volume types that *restricted* allows and a package needs.
const VOLUME_TYPES: [&str; 6] =
    ["configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI"];

/// Sysctls that Kubernetes calls safe.
const SAFE_SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];

/// Capabilities that *baseline* lets a container add.
const BASELINE_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What the pod as a whole must keep to; no exception lifts this.
pub(crate) fn pod(pod: &Value, field: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for forbidden in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod.get(forbidden).is_some_and(|value| value != &Value::Bool(false)) {
            problems.push(Problem::new(
                Rule::Baseline,
                format!("{field}.{forbidden}"),
                "not allowed by Pod Security baseline",
            ));
        }
    }
    for volume in items(pod, "/volumes") {
        let kinds = volume.as_object().into_iter().flat_map(serde_json::Map::keys).filter(|key| *key != "name");
        for kind in kinds.filter(|kind| !VOLUME_TYPES.contains(&kind.as_str())) {
            problems.push(Problem::new(
                if kind == "hostPath" { Rule::Baseline } else { Rule::VolumeType },
                format!("{field}.volumes.{kind}"),
                format!("not an allowed volume type; allowed: {}", VOLUME_TYPES.join(", ")),
            ));
        }
    }
    for sysctl in items(pod, "/securityContext/sysctls") {
        if !sysctl.get("name").and_then(Value::as_str).is_some_and(|name| SAFE_SYSCTLS.contains(&name)) {
            problems.push(Problem::new(
                Rule::Baseline,
                format!("{field}.securityContext.sysctls"),
                format!("not a safe one; safe: {}", SAFE_SYSCTLS.join(", ")),
            ));
        }
    }
    problems.extend(context_rules(pod.get("securityContext"), &format!("{field}.securityContext")));
    problems
}

/// What one container must keep to. `excepted`: the package lists it, so *baseline* is enough.
pub(crate) fn container(pod: &Value, container: &Value, field: &str, excepted: bool) -> Vec<Problem> {
    let context = container.get("securityContext");
    let mut problems = Vec::new();
    if items(container, "/ports").iter().any(|port| port.get("hostPort").is_some()) {
        problems.push(Problem::new(
            Rule::Baseline,
            format!("{field}.ports.hostPort"),
            "not allowed by Pod Security baseline",
        ));
    }
    let field = format!("{field}.securityContext");
    problems.extend(context_rules(context, &field));
    let added = context.map_or(&[][..], |context| items(context, "/capabilities/add"));
    let may_add: &[&str] = if excepted { &BASELINE_CAPABILITIES } else { &["NET_BIND_SERVICE"] };
    if added.iter().any(|capability| !capability.as_str().is_some_and(|name| may_add.contains(&name))) {
        let rule = if excepted { Rule::Baseline } else { Rule::Restricted };
        problems.push(Problem::new(
            rule,
            format!("{field}.capabilities.add"),
            format!("may add {}", may_add.join(", ")),
        ));
    }
    if !excepted {
        problems.extend(restricted(pod, context, &field));
    }
    problems
}

/// What *baseline* asks of a pod's or a container's security context.
fn context_rules(context: Option<&Value>, field: &str) -> Vec<Problem> {
    let Some(context) = context else { return Vec::new() };
    let mut problems = Vec::new();
    let at = |path: &str| context.pointer(path);
    if at("/privileged").is_some_and(|value| value != &Value::Bool(false)) {
        problems.push(Problem::new(
            Rule::Baseline,
            format!("{field}.privileged"),
            "not allowed by Pod Security baseline",
        ));
    }
    for path in ["/seLinuxOptions", "/windowsOptions"] {
        if at(path).is_some() {
            problems.push(Problem::new(
                Rule::Baseline,
                format!("{field}{}", path.replace('/', ".")),
                "not for packages",
            ));
        }
    }
    if at("/procMount").is_some_and(|value| value != "Default") {
        problems.push(Problem::new(Rule::Baseline, format!("{field}.procMount"), "must be Default"));
    }
    for path in ["/seccompProfile/type", "/appArmorProfile/type"] {
        if at(path).is_some_and(|value| value != "RuntimeDefault") {
            problems.push(Problem::new(
                Rule::Baseline,
                format!("{field}{}", path.replace('/', ".")),
                "must be RuntimeDefault",
            ));
        }
    }
    problems
}

fn restricted(pod: &Value, context: Option<&Value>, field: &str) -> Vec<Problem> {
    let own = |path: &str| context.and_then(|context| context.pointer(path));
    let either = |path: &str| own(path).or_else(|| pod.pointer(&format!("/securityContext{path}")));
    let mut problems = Vec::new();
    if either("/runAsNonRoot") != Some(&Value::Bool(true)) {
        problems.push(Problem::new(
            Rule::Restricted,
            format!("{field}.runAsNonRoot"),
            "must be true, here or on the pod (Pod Security restricted)",
        ));
    }
    if either("/runAsUser").is_none_or(|user| user == 0) {
        problems.push(Problem::new(
            Rule::Restricted,
            format!("{field}.runAsUser"),
            "must be given and not 0, here or on the pod, so that an image cannot change it",
        ));
    }
    if either("/seccompProfile/type").is_none() {
        problems.push(Problem::new(
            Rule::Restricted,
            format!("{field}.seccompProfile"),
            "must be {type: RuntimeDefault}, here or on the pod (Pod Security restricted)",
        ));
    }
    if own("/allowPrivilegeEscalation") != Some(&Value::Bool(false)) {
        problems.push(Problem::new(
            Rule::Restricted,
            format!("{field}.allowPrivilegeEscalation"),
            "must be false (Pod Security restricted)",
        ));
    }
    if !own("/capabilities/drop").and_then(Value::as_array).is_some_and(|drop| drop.iter().any(|name| name == "ALL")) {
        problems.push(Problem::new(
            Rule::Restricted,
            format!("{field}.capabilities"),
            "must be {drop: [ALL]} (Pod Security restricted)",
        ));
    }
    problems
}
