//! What is next of the servers of targets that are volumes, by what is there of them. Pure.
//!
//! A claim is made and grows; it is neither made smaller nor removed, whatever the Platform says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::Own;
use super::server::{SERVER, Server};
use crate::api::values::Quantity;
use crate::api::{ConditionType, Platform, Reason};
use crate::cache::Live;
use crate::compare::{Action, Change, capacity, compare_objects, growth_failed, requested};
use crate::kinds;
use crate::report::{ConditionUpdate, Problem};

/// What there is of servers in the operator's namespace.
#[derive(Clone, Debug, Default)]
pub struct ObservedServers {
    /// Everything with label [`SERVER`] but Secrets.
    pub objects: Vec<Arc<Live>>,
    /// The uids of Secrets, by name.
    pub secrets: BTreeMap<String, String>,
}

impl ObservedServers {
    fn find(&self, kind: &str, name: &str) -> Option<&Arc<Live>> {
        self.objects.iter().find(|live| live.kind == kind && live.name() == name)
    }
}

/// What is to be written of servers, and what is told of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Serving {
    /// What is to be written, of each target by itself.
    pub changes: Vec<Vec<Change>>,
    /// What is not as the Platform says.
    pub problems: Vec<Problem>,
    /// The claims of targets that it names no more.
    pub kept: Vec<String>,
}

impl Serving {
    /// Whether nothing is to be written, and each server answers.
    pub fn is_at_rest(&self) -> bool {
        self.changes.is_empty() && !self.problems.iter().any(|problem| problem.is(Reason::BackupServerNotReady))
    }

    /// As conditions of the Platform.
    pub fn shown(&self, home: &str) -> Vec<ConditionUpdate> {
        let messages =
            |problems: &[Problem]| problems.iter().map(|one| one.message.clone()).collect::<Vec<_>>().join("; ");
        let failing = self.problems.iter().min_by_key(|problem| !problem.is(Reason::BackupServerNotReady));
        let failing = failing.map(|first| {
            let problem = Problem { reason: first.reason.clone(), message: messages(&self.problems) };
            ConditionUpdate::problem(ConditionType::BackupVolumesServed, false, &problem)
        });
        let kept = (!self.kept.is_empty()).then(|| {
            let claims = self.kept.join(", ");
            let message = format!(
                "namespace {home}: {claims} holds the backups of a target that the Platform does not name; name it again as it was to use them, or give them up: kubectl annotate pvc NAME --namespace {home} commonscloud.coop/allow-deletion=true, then delete it"
            );
            ConditionUpdate::new(ConditionType::BackupVolumeKept, true, Reason::BackupVolumeKept, message)
        });
        failing.into_iter().chain(kept).collect()
    }
}

/// Whether the Platform names a volume as target.
pub fn has_volumes(platform: &Platform) -> bool {
    platform.spec.backup.iter().flat_map(|backup| &backup.targets).any(|target| target.volume.is_some())
}

/// That every backup is lost with the cluster, where it is.
pub fn off_site(platform: &Platform) -> Option<ConditionUpdate> {
    let targets = &platform.spec.backup.as_ref()?.targets;
    let is_lost = !targets.is_empty() && targets.iter().all(|target| target.volume.is_some());
    is_lost.then(|| {
        let message = "spec.backup.targets: all are volumes of this cluster, so backups are lost together with what they are of; add one that is elsewhere: s3, sftp or rest";
        ConditionUpdate::new(ConditionType::OffSite, false, Reason::BackupsNotOffSite, message)
    })
}

/// What is next.
pub fn serving(platform: &Platform, own: &Own, observed: &ObservedServers) -> Serving {
    let mut serving = Serving::default();
    let mut named = BTreeSet::new();
    for target in platform.spec.backup.iter().flat_map(|backup| &backup.targets) {
        let Some(volume) = &target.volume else { continue };
        named.insert(target.name.as_str());
        let (image_pull_secrets, uid) = (&platform.spec.image_pull_secrets, platform.metadata.uid.as_deref());
        let server = Server { target, volume, own, image_pull_secrets, platform: uid };
        let changes = of_server(&server, observed, &mut serving.problems);
        serving.changes.extend((!changes.is_empty()).then_some(changes));
    }
    let unnamed = observed.objects.iter().filter(|live| !named.contains(live.label(SERVER)));
    let unnamed: Vec<Arc<Live>> = unnamed.cloned().collect();
    let claims = unnamed.iter().filter(|live| live.kind == kinds::VOLUME.kind);
    serving.kept = claims.map(|claim| format!("PersistentVolumeClaim {}", claim.name())).collect();
    // What holds data is not among what is removed.
    let removed = compare_objects(&[], |_, _| None, &unnamed).unwrap_or_default();
    serving.changes.extend((!removed.is_empty()).then_some(removed));
    serving
}

fn of_server(server: &Server<'_>, observed: &ObservedServers, problems: &mut Vec<Problem>) -> Vec<Change> {
    let secrets = server.secrets();
    let uids: Vec<&String> = secrets.iter().filter_map(|secret| observed.secrets.get(&secret.name)).collect();
    let mut changes: Vec<Change> =
        secrets.iter().filter(|secret| !observed.secrets.contains_key(&secret.name)).cloned().collect();
    match observed.find(kinds::VOLUME.kind, &server.name()) {
        None => changes.push(server.claim()),
        Some(claim) => changes.extend(grown(server, claim, problems)),
    }
    // A server begins with the accounts that there are: those that are made now are seen in the next look.
    if let [run, care] = uids.as_slice() {
        let objects = server.objects(&format!("{run} {care}"));
        let live = |kind: &str, name: &str| observed.find(kind, name).cloned();
        match compare_objects(&objects, live, &[]) {
            Ok(writes) => changes.extend(writes),
            Err(taken) => problems.push(Problem::new(Reason::BackupServerNotReady, of(server, &taken.to_string()))),
        }
    }
    problems.extend(unready(server, observed));
    changes
}

fn of(server: &Server<'_>, what: &str) -> String {
    format!("target {:?}: {what}", server.target.name)
}

/// What a claim is to request, if it requests less; why it is left as it is, where it cannot be as the Platform says.
fn grown(server: &Server<'_>, claim: &Live, problems: &mut Vec<Problem>) -> Option<Change> {
    let name = claim.name();
    let mut tell = |reason: Reason, what: String| problems.push(Problem::new(reason, of(server, &what)));
    let class = claim.value.pointer("/spec/storageClassName").and_then(Value::as_str);
    if let (Some(wanted), Some(class)) = (server.volume.storage_class_name.as_deref(), class)
        && wanted != class
    {
        tell(
            Reason::BackupVolumeDiffers,
            format!(
                "PersistentVolumeClaim {name} is of storage class {class}, and stays; write volume.storageClassName: {class}, or name another target"
            ),
        );
    }
    let size = &server.volume.size;
    let wanted = size.parse::<Quantity>().ok().and_then(Quantity::bytes)?;
    let has = requested(claim)?;
    if wanted < has {
        tell(
            Reason::BackupVolumeDiffers,
            format!(
                "PersistentVolumeClaim {name} has {has}, and is never made smaller; write volume.size: {has} or more, or name another target"
            ),
        );
    }
    if growth_failed(claim) {
        let is = capacity(claim).map(|is| format!(" it is {is}")).unwrap_or_default();
        tell(
            Reason::VolumeGrowthFailed,
            format!("the storage cannot give PersistentVolumeClaim {name} {has};{is}; give the storage more room"),
        );
    }
    // The API server changes none that has no volume yet.
    let is_bound = claim.value.pointer("/status/phase").is_some_and(|phase| phase == "Bound");
    if wanted <= has || !is_bound || claim.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let patch = json!({
        "metadata": {"uid": claim.metadata.uid, "resourceVersion": claim.metadata.resource_version},
        "spec": {"resources": {"requests": {"storage": size}}},
    });
    Some(Change {
        kind: kinds::VOLUME.kind.to_owned(),
        namespace: claim.namespace().to_owned(),
        name: name.to_owned(),
        action: Action::Merge { patch, because: format!("grow from {has} to {wanted}") },
    })
}

/// Why nobody answers there.
fn unready(server: &Server<'_>, observed: &ObservedServers) -> Option<Problem> {
    let (name, home) = (server.name(), &server.own.namespace);
    let told = |what: String| Some(Problem::new(Reason::BackupServerNotReady, of(server, &what)));
    let claim = observed.find(kinds::VOLUME.kind, &name);
    if claim.is_some_and(|claim| claim.metadata.deletion_timestamp.is_some()) {
        return told(format!(
            "PersistentVolumeClaim {name} is being deleted: its backups go as soon as the server's pod does; copy them elsewhere now"
        ));
    }
    let Some(deployment) = observed.find("Deployment", &name) else {
        return told("its server is being made".to_owned());
    };
    let number = |pointer: &str| deployment.value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let is_current = number("/status/observedGeneration") >= number("/metadata/generation");
    if is_current && number("/status/availableReplicas") > 0 {
        return None;
    }
    let phase = claim.and_then(|claim| claim.value.pointer("/status/phase")?.as_str().map(str::to_owned));
    match phase.as_deref() {
        Some("Bound") => told(format!(
            "Deployment {name} of namespace {home} has no pod that answers: kubectl describe pods --namespace {home} --selector {SERVER}={}",
            server.target.name
        )),
        phase => told(format!(
            "PersistentVolumeClaim {name} of namespace {home} is {}: kubectl describe pvc {name} --namespace {home}",
            phase.unwrap_or("not there")
        )),
    }
}

#[cfg(test)]
#[path = "serving_tests.rs"]
mod tests;
