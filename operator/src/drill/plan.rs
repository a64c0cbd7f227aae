//! The service as it is drilled: its own plan in the namespace of drills. Nobody reaches it, it reaches nobody but
//! itself, and it does nothing by the clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::api::{DrillRule, GROUP, Reason, ServiceRestore, VERSION, marks};
use crate::cache::Live;
use crate::canonical::canonicalize;
use crate::compare::{Action, Change, Origin, requested};
use crate::core::Hostname;
use crate::kinds;
use crate::plan::{Plan, PlannedVolume, Stage};
use crate::report::Problem;
use crate::template::{RenderError, RenderedObject, referred_secrets, render};

/// What is left out: ways in, and what runs by the clock.
const LEFT_OUT: [&str; 2] = ["Ingress", "CronJob"];
/// The domain of its host names: nobody has it (RFC 6761).
const DOMAIN: &str = "drill.invalid";

/// The plan of a service as it is drilled. It sends no mail, and knows no editor. `claims`: those of the service's
/// namespace; each volume is as large as the service's own has become.
///
/// # Errors
/// When there is no host name for it.
pub fn scratch(plan: &Plan, stage: Stage, rule: &DrillRule, claims: &[Arc<Live>]) -> Result<Plan, Problem> {
    let instance = &plan.instance.name;
    let volume = |volume: &PlannedVolume| {
        let own = claims.iter().find(|live| live.name() == volume.claim).and_then(|live| requested(live));
        PlannedVolume {
            claim: format!("{instance}-{}", volume.name),
            request: own.map_or(volume.request, |own| own.max(volume.request)),
            storage_class: rule.storage_class.clone().or_else(|| volume.storage_class.clone()),
            ..volume.clone()
        }
    };
    let hostname = format!("{instance}.{DOMAIN}").parse::<Hostname>().map_err(|_| {
        let message = format!("{instance}.{DOMAIN}, the host name of its drill, is none");
        Problem::new(Reason::HostnameInvalid, message)
    })?;
    let mut scratch = Plan {
        hostname,
        smtp: None,
        editor: None,
        identity: None,
        stage,
        volumes: plan.volumes.iter().map(volume).collect(),
        ..plan.clone()
    };
    marks::DRILLS.clone_into(&mut scratch.instance.namespace);
    Ok(scratch)
}

/// The objects of a drill, which go with its ServiceRestore.
///
/// # Errors
/// When the plan cannot be rendered.
pub fn objects(plan: &Plan, restore: &ServiceRestore) -> Result<Vec<RenderedObject>, RenderError> {
    let mut objects = render(plan)?.objects;
    objects.retain(|object| !LEFT_OUT.contains(&object.kind.as_str()));
    let dns = serde_json::to_value(&plan.network.dns).unwrap_or_default();
    for object in &mut objects {
        object.value["metadata"]["ownerReferences"] = owner(restore);
        if object.kind == "NetworkPolicy" {
            close(&mut object.value, dns.as_array().map(Vec::as_slice).unwrap_or_default());
        }
        canonicalize(&mut object.value);
    }
    Ok(objects)
}

/// Leaves the ways between its own pods, and to who answers for names.
fn close(policy: &mut Value, dns: &[Value]) {
    let is_inside = |peer: &Value| {
        let fields = peer.as_object();
        fields.is_some_and(|fields| fields.len() == 1 && fields.contains_key("podSelector"))
    };
    for (direction, list, known) in [("/spec/ingress", "from", &[][..]), ("/spec/egress", "to", dns)] {
        let Some(rules) = policy.pointer_mut(direction).and_then(Value::as_array_mut) else { continue };
        // A rule that names no peer is about all there are.
        rules.retain_mut(|rule| match rule.get_mut(list).and_then(Value::as_array_mut) {
            Some(peers) => {
                peers.retain(|peer| is_inside(peer) || known.contains(peer));
                !peers.is_empty()
            }
            None => false,
        });
    }
}

fn owner(restore: &ServiceRestore) -> Value {
    json!([{
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": kinds::SERVICE_RESTORE.kind,
        "name": restore.name_any(),
        "uid": restore.uid().unwrap_or_default(),
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// A write of a drill: what it makes goes with its ServiceRestore, and none of it is data that is kept.
pub fn owned(mut change: Change, restore: &ServiceRestore) -> Change {
    match &mut change.action {
        Action::Copy { secret, .. } => {
            secret["metadata"]["ownerReferences"] = owner(restore);
            // What is known of a Secret are its labels.
            secret["metadata"]["labels"][marks::DRILL] = Value::from(restore.uid().unwrap_or_default());
        }
        Action::Create(claim) if change.kind == kinds::VOLUME.kind => {
            claim["metadata"]["ownerReferences"] = owner(restore);
            if let Some(labels) = claim["metadata"]["labels"].as_object_mut() {
                labels.remove(marks::DATA);
            }
        }
        _ => {}
    }
    change
}

/// Copies of the service's own Secrets that are still to be made: passwords in the data fit them, as they do when
/// it is restored in place. `own`: the names of the Secrets in the service's namespace; `there`: in that of drills.
pub fn copies(
    plan: &Plan,
    objects: &[RenderedObject],
    entity: &str,
    own: &BTreeSet<String>,
    there: &BTreeSet<String>,
) -> Vec<Change> {
    let mut wanted: BTreeSet<String> = objects.iter().flat_map(|object| referred_secrets(&object.value)).collect();
    for secret in &plan.secrets {
        wanted.insert(secret.secret.clone());
        wanted.extend(secret.further.iter().map(|further| further.secret.clone()));
    }
    wanted.extend(plan.image_pull_secrets.iter().cloned());
    let missing = wanted.into_iter().filter(|name| own.contains(name) && !there.contains(name));
    missing.map(|name| copy(entity, name)).collect()
}

fn copy(entity: &str, name: String) -> Change {
    let labels = json!({marks::MANAGED_BY: marks::OPERATOR, marks::ENTITY: marks::DRILLS});
    let secret = json!({
        "apiVersion": "v1", "kind": kinds::SECRET.kind,
        "metadata": {"namespace": marks::DRILLS, "name": name, "labels": labels},
    });
    let from = Origin { namespace: entity.to_owned(), name: name.clone() };
    Change {
        kind: kinds::SECRET.kind.to_owned(),
        namespace: marks::DRILLS.to_owned(),
        name,
        action: Action::Copy { from: Some(from), secret, because: Vec::new() },
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
