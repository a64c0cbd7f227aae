//! Scratch space, probes, and how a pod gets a Secret that a parameter names.

use serde_json::Value;

use super::Pod;
use crate::engine::lookup::{items, name_of};
use crate::fault::Problem;
use crate::plan::Plan;
use crate::rule::Rule;
use crate::security::pods::containers;
use crate::security::secrets;
use commonscloud_api::values::{Bytes, Quantity};

/// Figures of a node's disk.
const SCRATCH: &str = "ephemeral-storage";

/// What is wrong with the pods of a workload.
pub(super) fn problems(plan: &Plan, pod: &Pod<'_>) -> Vec<Problem> {
    let mut problems = unlimited(pod);
    if problems.is_empty() {
        problems.extend(scratch(pod));
    }
    let lasts = matches!(pod.object.kind.as_str(), "Deployment" | "StatefulSet");
    for container in items(pod.spec, "/containers").iter().filter(|_| lasts) {
        problems.extend(silent(container, &format!("{}.containers[{}]", pod.field, name_of(container))));
    }
    for (_, container, field) in containers(pod.spec, &pod.field) {
        problems.extend(named_secrets(plan, container, &field));
    }
    problems
}

/// What the package runs in the place of the image's own program, and nobody asks how it is.
fn silent(container: &Value, field: &str) -> Option<Problem> {
    let is_asked =
        ["startupProbe", "readinessProbe", "livenessProbe"].iter().any(|probe| container.get(probe).is_some());
    (container.get("command").is_some() && !is_asked).then(|| {
        Problem::new(
            Rule::Probes,
            field,
            "runs a command of the package's, so it needs a probe: else what fails in it is a line of a log; what applies settings is named in `configuredBy`",
        )
    })
}

/// A temporary folder without a limit fills the node. A limit of 0 is none.
fn unlimited(pod: &Pod<'_>) -> Vec<Problem> {
    let is_unlimited = |volume: &&Value| {
        volume.get("emptyDir").is_some_and(|empty| empty.get("sizeLimit").is_none_or(|limit| limit == "0"))
    };
    let unlimited = items(pod.spec, "/volumes").iter().filter(is_unlimited);
    let message = "needs a sizeLimit, such as {sizeLimit: 64Mi}: what is to grow lies on a volume of the package";
    unlimited
        .map(|volume| {
            Problem::new(Rule::EmptyDir, format!("{}.volumes[{}].emptyDir", pod.field, name_of(volume)), message)
        })
        .collect()
}

/// A node's disk is shared: whoever names no share of it is evicted first, or evicts others.
fn scratch(pod: &Pod<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (_, container, field) in containers(pod.spec, &pod.field) {
        for list in ["requests", "limits"] {
            if container.pointer(&format!("/resources/{list}/{SCRATCH}")).is_none() {
                let message = format!(
                    "needs {list}.{SCRATCH}, its share of the node's disk: name it in the component's resources, such as {SCRATCH}: 64Mi"
                );
                problems.push(Problem::new(Rule::Scratch, format!("{field}.resources"), message));
            }
        }
    }
    if !problems.is_empty() {
        return problems;
    }
    let on_disk = |volume: &&Value| volume.pointer("/emptyDir/medium").is_none_or(|medium| medium != "Memory");
    let volumes = items(pod.spec, "/volumes").iter().filter(on_disk);
    let held: u64 = volumes.filter_map(|volume| bytes(volume.pointer("/emptyDir/sizeLimit"))).sum();
    let limits = items(pod.spec, "/containers").iter();
    let most: u64 = limits.filter_map(|one| bytes(one.pointer(&format!("/resources/limits/{SCRATCH}")))).sum();
    if held >= most {
        let message = format!(
            "emptyDirs may hold {}, and the containers' limits of {SCRATCH} are {} together: the pod is evicted before they are full; raise the limits above it",
            Bytes::new(held),
            Bytes::new(most)
        );
        problems.push(Problem::new(Rule::Scratch, format!("{}.volumes", pod.field), message));
    }
    problems
}

fn bytes(figure: Option<&Value>) -> Option<u64> {
    figure?.as_str()?.parse::<Quantity>().ok()?.bytes().map(Bytes::get)
}

/// A variable is read once: a client secret that somebody changes never arrives.
fn named_secrets(plan: &Plan, container: &Value, field: &str) -> Vec<Problem> {
    let smtp = plan.smtp.as_ref().and_then(|smtp| smtp.secret_name.as_deref());
    let is_named = |name: &str| !secrets::is_generated(plan, name) && smtp != Some(name);
    let variables = items(container, "/env").iter().filter_map(|variable| {
        let name = variable.pointer("/valueFrom/secretKeyRef/name")?.as_str()?;
        Some((name, format!("{field}.env[{}]", name_of(variable))))
    });
    let sources = items(container, "/envFrom").iter().filter_map(|source| {
        let name = source.pointer("/secretRef/name")?.as_str()?;
        Some((name, format!("{field}.envFrom")))
    });
    let message = "a parameter names this Secret: mount it, as volume {secret: {secretName: ...}}, since a variable never follows a change of it";
    let named = variables.chain(sources).filter(|(name, _)| is_named(name));
    named.map(|(_, field)| Problem::new(Rule::NamedSecret, field, message)).collect()
}
