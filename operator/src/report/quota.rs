//! Whether the quota is what its volume holds.

use super::children::Children;
use super::conditions::ConditionUpdate;
use crate::api::{ConditionType, Platform, Reason};
use crate::compare::{capacity, requested};
use crate::core::{Bytes, least_above};
use crate::kinds;
use crate::plan::{Plan, PlannedVolume};

/// Condition `QuotaEnforced`.
pub(super) fn quota_enforced(plan: &Plan, children: &Children, platform: Option<&Platform>) -> Option<ConditionUpdate> {
    let kind = ConditionType::QuotaEnforced;
    let volume = plan.volumes.iter().find(|v| v.carries_quota)?;
    let Some(class) = &volume.storage_class else {
        return Some(ConditionUpdate::unknown(kind, Reason::ClassUnknown, "the Platform names no storage class"));
    };
    let facts = platform?.spec.storage_classes.iter().find(|facts| facts.name == *class);
    Some(match facts {
        Some(facts) if facts.enforces_size => match excess(volume, children) {
            Some((held, enough)) => ConditionUpdate::new(
                kind,
                false,
                Reason::VolumeLarger,
                format!(
                    "{} {} has {held}, and {enough} is enough for the quota of {}: more than that can be stored",
                    kinds::VOLUME.kind,
                    volume.claim,
                    plan.quota
                ),
            ),
            None => ConditionUpdate::new(
                kind,
                true,
                Reason::Enforced,
                format!("storage class {class} enforces the size of volumes"),
            ),
        },
        Some(_) => ConditionUpdate::new(
            kind,
            false,
            Reason::NotEnforced,
            format!("storage class {class} does not enforce the size of volumes: a full quota stops nothing"),
        ),
        None => ConditionUpdate::unknown(
            kind,
            Reason::ClassUnknown,
            format!("the Platform does not list storage class {class}"),
        ),
    })
}

/// Condition `PendingShrink`.
pub(super) fn pending_shrink(plan: &Plan, children: &Children) -> Option<ConditionUpdate> {
    let mut larger = plan.volumes.iter().filter_map(|volume| Some((volume, excess(volume, children)?)));
    let (volume, (held, enough)) = larger.next()?;
    let message = format!(
        "{} {} has {held}, {enough} is enough for the quota; volumes are never shrunk",
        kinds::VOLUME.kind,
        volume.claim
    );
    Some(ConditionUpdate::new(ConditionType::PendingShrink, true, Reason::VolumeLarger, message))
}

/// What a volume has and what would be enough, where it has more. What a claim requests and was not
/// given is nothing that it has; the little that a growth leaves when it is taken back does not count.
fn excess(volume: &PlannedVolume, children: &Children) -> Option<(Bytes, Bytes)> {
    let live = children.volumes.iter().find(|live| live.name() == volume.claim)?;
    let held = capacity(live).or_else(|| requested(live))?;
    let enough = volume.growth.map_or(volume.request, |growth| growth.maximum);
    (held > least_above(enough)?).then_some((held, enough))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    use super::super::{Pass, Reach, Usage, instance_status};
    use super::*;
    use crate::apply::Applied;
    use crate::cache::Live;
    use crate::resolve::fixtures::{facts, instance};
    use crate::resolve::resolve;

    fn claim(requested: &str, capacity: &str) -> Arc<Live> {
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "calendar-data", "namespace": "coop"},
            "spec": {"resources": {"requests": {"storage": requested}}},
            "status": {"phase": "Bound", "capacity": {"storage": capacity}},
        });
        Arc::new(Live::of("PersistentVolumeClaim", serde_json::from_value(claim).unwrap()))
    }

    /// Whether a claim of an instance of 1 GiB, which requests and has that much, is shown as larger;
    /// status and reason of `QuotaEnforced` as well.
    fn shown(requested: &str, capacity: &str) -> (Option<String>, String) {
        let facts = facts();
        let plan = resolve(&instance("tier: 1gb"), &facts).unwrap().plan;
        let children = Children { volumes: vec![claim(requested, capacity)], ..Children::default() };
        let words = |shown: ConditionUpdate| format!("{shown:?}");
        let enforced = quota_enforced(&plan, &children, facts.platform.as_deref()).map(words).unwrap();
        (pending_shrink(&plan, &children).map(words), enforced)
    }

    #[test]
    fn a_quota_that_the_volume_exceeds_is_not_called_enforced() {
        let (shrink, enforced) = shown("1025Mi", "1025Mi");
        assert!(shrink.is_none() && enforced.contains("\"True\"") && enforced.contains("Enforced"), "{enforced}");
        let (shrink, enforced) = shown("501Gi", "501Gi");
        assert!(shrink.unwrap().contains("calendar-data has 501Gi, 1025Mi is enough for the quota"));
        assert!(enforced.contains("\"False\"") && enforced.contains("VolumeLarger"), "{enforced}");
        assert!(enforced.contains("has 501Gi, and 1025Mi is enough for the quota of 1Gi"), "{enforced}");
    }

    #[test]
    fn a_service_whose_volume_has_what_its_quota_asks_for_is_ready_whatever_more_was_asked_for() {
        let verdict = |spec: &str| {
            let (instance, applied) = (instance(spec), Applied::default());
            let resolved = resolve(&instance, &facts()).unwrap();
            let children = Children { volumes: vec![claim("16385Mi", "1025Mi")], ..Children::default() };
            let status = instance_status(&Pass {
                instance: &instance,
                resolved: &resolved,
                applied: &applied,
                waiting: &[],
                children: &children,
                reach: Reach::NotAsked,
                usage: Usage::NotAsked,
                platform: None,
                now: Timestamp::UNIX_EPOCH,
            });
            status.condition(ConditionType::Ready).unwrap().reason.clone()
        };
        assert_eq!(verdict("tier: 1gb, extraBlocks: 3"), "VolumeGrowing");
        assert_eq!(verdict("tier: 1gb"), "Ready", "the growth is being taken back");
    }

    #[test]
    fn what_was_asked_for_and_never_given_is_nothing_that_a_volume_has() {
        let (shrink, enforced) = shown("1048577121Mi", "1025Mi");
        assert!(shrink.is_none() && enforced.contains("\"True\""), "{shrink:?} {enforced}");
        let (shrink, enforced) = shown("1026Mi", "1026Mi");
        assert!(shrink.is_none() && enforced.contains("\"True\""), "a growth that was taken back leaves 1 MiB");
    }
}
