//! Volumes that are nearly full: that they grow, what keeps them from it, or that nothing lets them.

use super::conditions::{ConditionUpdate, Problem};
use super::pass::Pass;
use crate::api::{ConditionType, Reason};
use crate::apply::Applied;
use crate::cache::Live;
use crate::compare::requested;
use crate::kinds;
use crate::plan::{GrowthDecision, Plan, PlannedVolume};
use crate::resolve::UnfinishedRestore;

/// Whether a claim requests more than its quota asks for, because its volume filled up.
pub(super) fn has_grown(plan: &Plan, claim: &Live) -> bool {
    let volume = plan.volumes.iter().find(|volume| volume.claim == claim.name());
    volume.is_some_and(|volume| volume.growth.is_some() && requested(claim) > Some(volume.request))
}

/// Condition `VolumeFilling`, while there is something to say. What was not measured since the
/// operator started is as it was reported.
pub(super) fn volume_filling(pass: &Pass<'_>) -> Option<ConditionUpdate> {
    let plan = &pass.resolved.plan;
    let problems: Vec<Problem> = plan.volumes.iter().filter_map(|volume| problem(pass, volume)).collect();
    if let Some(first) = problems.first() {
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        let problem = Problem::quoted(&first.reason, messages.join("; "));
        return Some(ConditionUpdate::problem(ConditionType::VolumeFilling, true, &problem));
    }
    let unmeasured = |volume: &PlannedVolume| volume.filling == GrowthDecision::NotMeasured;
    let before = pass.instance.status.conditions.iter();
    let mut before =
        before.filter(|c| c.type_ == ConditionType::VolumeFilling.as_str() && c.reason != Reason::VolumeGrowing.name());
    let before = before.next().filter(|_| plan.volumes.iter().any(unmeasured))?;
    let problem = Problem::quoted(&before.reason, before.message.clone());
    Some(ConditionUpdate::problem(ConditionType::VolumeFilling, true, &problem))
}

fn problem(pass: &Pass<'_>, volume: &PlannedVolume) -> Option<Problem> {
    let live = pass.children.volumes.iter().find(|live| live.name() == volume.claim)?;
    if has_grown(&pass.resolved.plan, live)
        && let Some(problem) = pass.children.growth(live)
    {
        return Some(problem);
    }
    let requested = requested(live)?;
    let full = format!("{} {} is nearly full", kinds::VOLUME.kind, volume.claim);
    match volume.filling {
        GrowthDecision::NotMeasured | GrowthDecision::Nothing => None,
        GrowthDecision::Grow(size) if size <= requested => None,
        GrowthDecision::Grow(size) if pass.instance.spec.paused => {
            Some(Problem::new(Reason::Paused, format!("{full}; spec.paused keeps it from growing to {size}")))
        }
        GrowthDecision::Grow(size) if has_begun(pass) => Some(Problem::new(
            Reason::Restoring,
            format!("{full}; it grows to {size} once the ServiceRestore of the service has ended"),
        )),
        GrowthDecision::Grow(size) => {
            let why = refusal(pass.applied, &volume.claim).unwrap_or("not written yet");
            Some(Problem::new(Reason::VolumeNotGrown, format!("{full} and does not grow to {size}: {why}")))
        }
        GrowthDecision::AtMaximum => Some(Problem::new(
            Reason::VolumeAtMaximum,
            format!(
                "{full} at {requested}, the most that the package lets it grow to for this quota; remove data, or raise the quota"
            ),
        )),
        GrowthDecision::NotExpandable => {
            let class = volume.storage_class.as_deref().unwrap_or_default();
            let message =
                format!("{full} at {requested}, and storage class {class} lets no volume grow (allowVolumeExpansion)");
            Some(Problem::new(Reason::VolumeNotExpandable, message))
        }
        GrowthDecision::Fixed => Some(Problem::new(
            Reason::VolumeNearlyFull,
            format!(
                "{full} at {requested}, and does not grow: its package gives it no growth; remove data, or run a revision that gives it growth or a larger size"
            ),
        )),
    }
}

fn has_begun(pass: &Pass<'_>) -> bool {
    pass.resolved.restore.as_ref().is_some_and(UnfinishedRestore::has_begun)
}

/// What the API server said to the write of a claim.
fn refusal<'a>(applied: &'a Applied, claim: &str) -> Option<&'a str> {
    let object = format!("{}/{claim}", kinds::VOLUME.kind);
    applied.failures.iter().find(|failure| failure.object == object).map(|failure| failure.message.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::api::{Condition, InstanceStatus};
    use crate::apply::{ErrorKind, WriteError};
    use crate::core::Bytes;
    use crate::report::{Children, Reach, Usage, instance_status};
    use crate::resolve::fixtures::{fixed_facts, growing_facts, instance};
    use crate::resolve::{Facts, Instance, resolve};
    use crate::usage::{self, Measurement};

    /// A volume `db` that requests and has this much, of which so much is free; all in MiB.
    struct Case {
        requested: u64,
        capacity: u64,
        free: Option<u64>,
    }

    fn bytes(mebibytes: u64) -> Bytes {
        Bytes::new(mebibytes << 20)
    }

    fn claim(case: &Case) -> Arc<Live> {
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "calendar-db", "namespace": "coop"},
            "spec": {"resources": {"requests": {"storage": bytes(case.requested).to_string()}}},
            "status": {"phase": "Bound", "capacity": {"storage": bytes(case.capacity).to_string()}},
        });
        Arc::new(Live::of("PersistentVolumeClaim", serde_json::from_value(claim).unwrap()))
    }

    fn status(instance: &Instance, case: &Case, applied: &Applied) -> InstanceStatus {
        status_with(growing_facts, instance, case, applied)
    }

    fn status_with(
        facts: impl Fn(&str, Measurement) -> Facts,
        instance: &Instance,
        case: &Case,
        applied: &Applied,
    ) -> InstanceStatus {
        let measured = |free| usage::Usage { used: bytes(case.capacity - free), available: bytes(free), inodes: None };
        let known = case.free.map_or(Measurement::NotYet, |free| Measurement::Measured(measured(free)));
        let mut facts = facts("1Gi", known);
        let volume = facts.volumes.get_mut("calendar-db").unwrap();
        (volume.requested, volume.capacity) = (Some(bytes(case.requested)), Some(bytes(case.capacity)));
        let resolved = resolve(instance, &facts).unwrap();
        let children = Children { volumes: vec![claim(case)], ..Children::default() };
        instance_status(&Pass {
            instance,
            resolved: &resolved,
            applied,
            children: &children,
            waiting: &[],
            reach: Reach::NotAsked,
            usage: Usage::NotAsked,
            platform: None,
            now: Timestamp::UNIX_EPOCH,
        })
    }

    fn find<'a>(status: &'a InstanceStatus, kind: &str) -> Option<&'a Condition> {
        status.conditions.iter().find(|condition| condition.type_ == kind)
    }

    /// Reason and message of `VolumeFilling`; the instance is Ready all the time.
    fn said(case: &Case) -> Option<(String, String)> {
        let status = status(&instance("tier: 1gb"), case, &Applied::default());
        assert_eq!(find(&status, "Ready").unwrap().status, "True", "{status:?}");
        find(&status, "VolumeFilling").map(|condition| (condition.reason.clone(), condition.message.clone()))
    }

    #[test]
    fn a_volume_that_grows_says_so_until_it_has() {
        assert_eq!(said(&Case { requested: 2049, capacity: 2049, free: Some(1000) }), None);
        let (reason, message) = said(&Case { requested: 3074, capacity: 2049, free: Some(100) }).unwrap();
        assert_eq!(reason, "VolumeGrowing");
        assert_eq!(message, "PersistentVolumeClaim calendar-db grows from 2049Mi to 3074Mi");
        let grown = Case { requested: 3074, capacity: 3074, free: Some(1100) };
        assert_eq!(said(&grown), None);
        let status = status(&instance("tier: 1gb"), &grown, &Applied::default());
        assert_eq!(status.volumes[0].grown.as_deref(), Some("1025Mi"));
        assert!(find(&status, "PendingShrink").is_none(), "{status:?}");
    }

    #[test]
    fn a_volume_at_its_maximum_says_what_to_do() {
        let (reason, message) = said(&Case { requested: 8193, capacity: 8193, free: Some(100) }).unwrap();
        assert_eq!(reason, "VolumeAtMaximum");
        assert!(message.contains("calendar-db is nearly full at 8193Mi") && message.contains("raise the quota"));
    }

    #[test]
    fn a_volume_without_growth_that_fills_up_says_that_it_does_not_grow() {
        let of = |free| {
            let case = Case { requested: 2049, capacity: 2049, free };
            status_with(fixed_facts, &instance("tier: 1gb"), &case, &Applied::default())
        };
        assert_eq!(find(&of(Some(1000)), "VolumeFilling"), None);
        let mut full = instance("tier: 1gb");
        full.status = of(Some(100));
        assert_eq!(find(&full.status, "Ready").unwrap().status, "True");
        let condition = find(&full.status, "VolumeFilling").unwrap();
        assert_eq!(condition.reason, "VolumeNearlyFull");
        assert!(condition.message.contains("calendar-db is nearly full at 2049Mi, and does not grow"), "{condition:?}");
        let restarted = Case { requested: 2049, capacity: 2049, free: None };
        let shown = status_with(fixed_facts, &full, &restarted, &Applied::default());
        assert_eq!(shown, full.status, "not measured since the operator started");
    }

    #[test]
    fn a_growth_that_is_kept_from_happening_says_by_what() {
        let full = Case { requested: 2049, capacity: 2049, free: Some(100) };
        let mut paused = instance("tier: 1gb");
        paused.spec.paused = true;
        let shown = status(&paused, &full, &Applied::default());
        assert_eq!(find(&shown, "VolumeFilling").unwrap().reason, "Paused");
        let refused = WriteError {
            kind: ErrorKind::QuotaExceeded,
            object: "PersistentVolumeClaim/calendar-db".into(),
            message: "exceeded quota: entity".into(),
        };
        let applied = Applied { failures: vec![refused], ..Applied::default() };
        let shown = status(&instance("tier: 1gb"), &full, &applied);
        let condition = find(&shown, "VolumeFilling").unwrap();
        assert_eq!(condition.reason, "VolumeNotGrown");
        assert!(condition.message.ends_with("does not grow to 3074Mi: exceeded quota: entity"), "{condition:?}");
    }

    #[test]
    fn what_was_reported_stays_until_it_is_measured_again() {
        let mut before = instance("tier: 1gb");
        before.status =
            status(&before, &Case { requested: 8193, capacity: 8193, free: Some(100) }, &Applied::default());
        let after_restart = Case { requested: 8193, capacity: 8193, free: None };
        assert_eq!(status(&before, &after_restart, &Applied::default()), before.status);
        let emptied = Case { requested: 8193, capacity: 8193, free: Some(5000) };
        assert!(find(&status(&before, &emptied, &Applied::default()), "VolumeFilling").is_none());
    }
}
