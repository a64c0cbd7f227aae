//! The status of an instance, from what was really applied and what the caches saw.

use k8s_openapi::jiff::Timestamp;

use super::children::Children;
use super::conditions::{ConditionUpdate, Problem, Verdict, conditions};
use super::filling::{has_grown, volume_filling};
use super::images::image_differs;
use super::pass::{Pass, Reach, Usage};
use super::quota::{pending_shrink, quota_enforced};
use super::rollout::{rollout_condition, unapplied_condition};
use crate::api::{ConditionType, InstanceStatus, Reason, VolumeStatus};
use crate::cache::Live;
use crate::compare::{Change, capacity, requested};
use crate::core::Bytes;
use crate::plan::{Plan, PlannedVolume, Stage};
use crate::resolve::{Instance, Rollout};

/// What holds as it was reported while there is no plan.
const KEPT: [ConditionType; 5] = [
    ConditionType::Configured,
    ConditionType::QuotaEnforced,
    ConditionType::UsageKnown,
    ConditionType::VolumeFilling,
    ConditionType::ImageDiffers,
];

/// The status of an instance that has no plan: what was reported stays, but the conditions.
pub fn refused(instance: &Instance, rollout: &Rollout, verdict: &Verdict, now: Timestamp) -> InstanceStatus {
    let before = &instance.status;
    let mut shown = verdict.shown();
    shown.extend(kept(before, &KEPT));
    shown.extend(unapplied_condition(before, rollout, verdict.is_ready()));
    shown.extend(paused(instance, &[]));
    InstanceStatus {
        observed_generation: Some(instance.generation),
        conditions: conditions(&before.conditions, shown, instance.generation, now),
        ..before.clone()
    }
}

fn kept(before: &InstanceStatus, kinds: &[ConditionType]) -> Vec<ConditionUpdate> {
    let find = |kind: &ConditionType| before.conditions.iter().find(|c| c.type_ == kind.as_str()).map(|c| (*kind, c));
    kinds
        .iter()
        .filter_map(find)
        .map(|(kind, c)| {
            ConditionUpdate::problem(kind, c.status == "True", &Problem::quoted(&c.reason, c.message.clone()))
        })
        .collect()
}

/// The status of an instance after its plan was applied, or a part of it.
pub fn instance_status(pass: &Pass<'_>) -> InstanceStatus {
    let (instance, plan) = (pass.instance, &pass.resolved.plan);
    let verdict = verdict(pass);
    let mut shown = verdict.shown();
    shown.extend(reachable(&pass.reach));
    shown.extend(pass.children.configured());
    shown.extend(usage_known(pass.usage));
    shown.extend(quota_enforced(plan, pass.children, pass.platform));
    shown.extend(pending_shrink(plan, pass.children));
    shown.extend(volume_filling(pass));
    shown.extend(image_differs(&pass.resolved.images));
    let is_refused = pass.applied.worst().is_some_and(|failure| !failure.kind.is_transient());
    let rollout = if is_refused { unapplied_condition } else { rollout_condition };
    shown.extend(rollout(&instance.status, &pass.resolved.rollout, verdict.is_ready()));
    shown.extend(paused(instance, pass.waiting));
    let complete = pass.applied.failures.is_empty();
    let before = &instance.status;
    let first = before.revision.is_none();
    let is_as_planned = pass.waiting.is_empty() && (complete || first);
    let conditions = conditions(&before.conditions, shown, instance.generation, pass.now);
    let mut status = if is_as_planned { described(pass) } else { before.clone() };
    status.observed_generation = Some(instance.generation);
    status.conditions = conditions;
    status.components = pass.children.components();
    status.volumes = volumes(plan, pass.children);
    status.used = match pass.usage {
        Usage::Used(bytes) => Some(bytes.to_string()),
        Usage::Unknown | Usage::NotAsked => None,
    };
    status
}

/// What the plan says, once it is applied.
fn described(pass: &Pass<'_>) -> InstanceStatus {
    let plan = &pass.resolved.plan;
    let has_page = plan.package.health().is_some();
    InstanceStatus {
        url: has_page.then(|| format!("https://{}", plan.hostname)),
        hostname: Some(plan.hostname.to_string()),
        quota: Some(plan.quota.to_string()),
        price: Some(pass.resolved.sale.to_string()),
        version: Some(plan.version.clone()),
        revision: Some(plan.revision.clone()),
        engine: plan.volumes.iter().any(|v| !v.carries_quota).then(|| "Builtin".to_owned()),
        managers: pass.resolved.managers.clone(),
        admin_secret: plan.secrets.iter().find(|s| s.name == "admin").map(|s| s.secret.clone()),
        ..InstanceStatus::default()
    }
}

/// Failed writes first, then the children, then the way in.
fn verdict(pass: &Pass<'_>) -> Verdict {
    if let Some(failure) = pass.applied.worst() {
        let problem = Problem::new(failure.kind.reason(), failure.to_string());
        return if failure.kind.is_transient() { Verdict::Reconciling(problem) } else { Verdict::Stalled(problem) };
    }
    if let Some(problem) = restoring(pass) {
        return Verdict::Reconciling(problem);
    }
    if let Some(problem) = pass.children.problem(|claim| is_large_enough(&pass.resolved.plan, claim)) {
        return Verdict::Reconciling(problem);
    }
    if !pass.waiting.is_empty() {
        return Verdict::Reconciling(Problem::new(Reason::Paused, waits(pass.waiting)));
    }
    let url = format!("https://{}", pass.resolved.plan.hostname);
    match &pass.reach {
        Reach::NotAsked => Verdict::Ready("all workloads run".to_owned()),
        Reach::Answers => Verdict::Ready(format!("{url} answers")),
        Reach::Unknown => Verdict::Reconciling(Problem::new(Reason::NotAsked, format!("{url} is about to be asked"))),
        Reach::Fails(why) => Verdict::Reconciling(Problem::new(Reason::Unreachable, format!("{url}: {why}"))),
    }
}

/// While its data is being replaced it does not serve, whatever runs of it.
fn restoring(pass: &Pass<'_>) -> Option<Problem> {
    let Stage::Stopped { but } = &pass.resolved.plan.stage else { return None };
    let restore = pass.resolved.restore.as_ref();
    let name = restore.map(|restore| restore.name.as_str()).unwrap_or_default();
    let progress = restore.and_then(|restore| restore.progress.as_deref());
    let progress = progress.map(|progress| format!(" ({progress})")).unwrap_or_default();
    let runs = if but.is_empty() {
        "nothing of it runs".to_owned()
    } else {
        format!("of its components {} alone runs", but.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    let message = format!("ServiceRestore {name} replaces its data{progress}; {runs} until then");
    Some(Problem::new(Reason::Restoring, message))
}

/// A volume that grows on its own keeps nobody waiting: that has a condition of its own. Neither does
/// one that has what its quota asks for, whatever more its claim requests.
fn is_large_enough(plan: &Plan, claim: &Live) -> bool {
    let planned = plan.volumes.iter().find(|volume| volume.claim == claim.name());
    has_grown(plan, claim) || planned.is_some_and(|volume| capacity(claim) >= Some(volume.request))
}

/// How many of the objects that wait are named.
const NAMED: usize = 5;

fn waits(waiting: &[Change]) -> String {
    let mut names: Vec<String> = waiting.iter().map(|change| format!("{} {}", change.kind, change.name)).collect();
    names.dedup();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("spec.paused is true: not applied: {}{more}", names.join(", "))
}

fn paused(instance: &Instance, waiting: &[Change]) -> Option<ConditionUpdate> {
    let message = if waiting.is_empty() {
        "spec.paused is true: nothing of this instance is changed".to_owned()
    } else {
        waits(waiting)
    };
    instance.spec.paused.then(|| ConditionUpdate::new(ConditionType::Paused, true, Reason::Paused, message))
}

fn reachable(reach: &Reach) -> Option<ConditionUpdate> {
    let kind = ConditionType::Reachable;
    match reach {
        Reach::NotAsked => None,
        Reach::Unknown => Some(ConditionUpdate::unknown(kind, Reason::NotAsked, "asked once the pods are ready")),
        Reach::Answers => Some(ConditionUpdate::new(
            kind,
            true,
            Reason::Answers,
            "the page for health checks answers through the ingress",
        )),
        Reach::Fails(why) => Some(ConditionUpdate::new(kind, false, Reason::Unreachable, why.clone())),
    }
}

fn usage_known(usage: Usage) -> Option<ConditionUpdate> {
    let kind = ConditionType::UsageKnown;
    match usage {
        Usage::NotAsked => None,
        Usage::Unknown => Some(ConditionUpdate::new(
            kind,
            false,
            Reason::NotReported,
            "the kubelet reports no usage of this volume (yet)",
        )),
        Usage::Used(_) => {
            Some(ConditionUpdate::new(kind, true, Reason::Measured, "as the kubelet measures the volume"))
        }
    }
}

fn volumes(plan: &Plan, children: &Children) -> Vec<VolumeStatus> {
    let text = |live: &Live, pointer: &str| live.value.pointer(pointer).and_then(|v| v.as_str()).map(str::to_owned);
    plan.volumes
        .iter()
        .filter_map(|volume| {
            let live = children.volumes.iter().find(|live| live.name() == volume.claim)?;
            Some(VolumeStatus {
                name: volume.name.clone(),
                claim: volume.claim.clone(),
                requested: text(live, "/spec/resources/requests/storage"),
                capacity: text(live, "/status/capacity/storage"),
                grown: grown(plan, volume, live),
            })
        })
        .collect()
}

fn grown(plan: &Plan, volume: &PlannedVolume, live: &Live) -> Option<String> {
    let added = requested(live)?.get().checked_sub(volume.request.get())?;
    has_grown(plan, live).then(|| Bytes::new(added).to_string())
}
