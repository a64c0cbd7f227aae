//! Copies of the platform's Secrets that nobody uses any more: they go, and with them what they hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::change::{Action, Change};
use crate::cache::{Live, Sealed};
use crate::kinds;
use crate::template::operation::OPERATION_OF;
use crate::template::referred_secrets;

/// A copy is made before the object that refers to it: a younger one may be on its way into use.
const YOUNG: SignedDuration = SignedDuration::from_mins(1);
/// The kinds that refer to Secrets.
const REFERRING: [&str; 6] = ["Deployment", "StatefulSet", "Job", "CronJob", "ServiceAccount", "Ingress"];

/// What is known of the copies in an Entity's namespace.
#[derive(Clone, Copy, Debug)]
pub struct KnownCopies<'k> {
    /// The Entity's name, which is the namespace's.
    pub entity: &'k str,
    /// The copies.
    pub copies: &'k [Arc<Sealed>],
    /// The Secrets that the Platform names.
    pub named: &'k BTreeSet<String>,
    /// The written objects in the namespace.
    pub objects: &'k [Arc<Live>],
    /// The names of the instances that are not being deleted.
    pub instances: &'k BTreeSet<&'k str>,
    /// Those that runs of backups and restores need.
    pub runs: &'k NeededCopies,
}

/// The copies that runs of backups and restores need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeededCopies {
    /// By those that are at work: in use, whatever objects refer to them.
    pub in_use: BTreeSet<String>,
    /// By those that have not begun: one that was just made may be for them.
    pub awaited: BTreeSet<String>,
}

/// What becomes of the copies that are not in use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnusedCopies {
    /// Their deletions.
    pub changes: Vec<Change>,
    /// Whether one may go in a while, of which nobody hears.
    pub later: bool,
}

/// The copies that no object refers to any more. One that may be on its way into use, or whose name a pod
/// of before an update may still hold, waits.
pub fn compare_unused_copies(known: &KnownCopies<'_>, now: Timestamp) -> UnusedCopies {
    let mut unused = UnusedCopies::default();
    if known.copies.is_empty() {
        return unused;
    }
    // Jobs of runs and restores use theirs as long as those are at work.
    let is_run = |object: &Live| object.kind == "Job" && !object.label(OPERATION_OF).is_empty();
    let referring = known.objects.iter().filter(|object| REFERRING.contains(&object.kind.as_str()) && !is_run(object));
    let referred: Vec<_> = referring.map(|object| (object.instance(), referred_secrets(&object.value))).collect();
    let has_old_pods = known.objects.iter().any(|object| has_old_pods(object));
    for copy in known.copies.iter().filter(|copy| !copy.deleting && !known.runs.in_use.contains(&copy.name)) {
        let users: Vec<&str> = referred
            .iter()
            .filter(|(_, secrets)| secrets.contains(&copy.name))
            .map(|(instance, _)| *instance)
            .collect();
        let is_named = known.named.contains(&copy.name);
        if is_named && users.iter().any(|instance| known.instances.contains(instance)) {
            continue;
        }
        let is_wanted = is_named || known.runs.awaited.contains(&copy.name);
        let is_young = is_wanted && copy.created.is_none_or(|created| now.duration_since(created) < YOUNG);
        if is_young || has_old_pods || !users.is_empty() {
            unused.later = true;
        } else {
            unused.changes.push(Change {
                kind: kinds::SECRET.kind.to_owned(),
                namespace: known.entity.to_owned(),
                name: copy.name.clone(),
                action: Action::Delete { uid: copy.uid.clone() },
            });
        }
    }
    unused
}

/// Whether pods of an older template than the workload has now may run.
fn has_old_pods(object: &Live) -> bool {
    let number = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let text = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let is_behind = || number("/status/observedGeneration") < number("/metadata/generation");
    let all_are_updated = || number("/status/replicas") <= number("/status/updatedReplicas");
    match object.kind.as_str() {
        "Deployment" => is_behind() || !all_are_updated(),
        "StatefulSet" => {
            let is_one_revision = text("/status/currentRevision") == text("/status/updateRevision");
            is_behind() || !(is_one_revision || all_are_updated())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MADE: &str = "2026-11-30T10:00:00Z";

    fn copy(name: &str) -> Arc<Sealed> {
        let (uid, source) = (format!("of-{name}"), Some("r1".to_owned()));
        Arc::new(Sealed { name: name.to_owned(), uid, source, created: MADE.parse().ok(), ..Sealed::default() })
    }

    /// A Deployment of an instance that reads a Secret, with so many of two pods updated.
    fn workload(instance: &str, secret: &str, updated: u32) -> Arc<Live> {
        let variable = json!({"name": "P", "valueFrom": {"secretKeyRef": {"name": secret, "key": "password"}}});
        let object = json!({
            "metadata": {
                "name": format!("{instance}-app"), "namespace": "coop", "generation": 2,
                "labels": {"commonscloud.coop/instance": instance},
            },
            "spec": {"template": {"spec": {"containers": [{"name": "a", "env": [variable]}]}}},
            "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": updated},
        });
        Arc::new(Live::of("Deployment", serde_json::from_value(object).unwrap()))
    }

    /// What goes, and whether something may go later, so many seconds after the copies were made. The
    /// Platform names `smtp`; the wiki lives.
    fn after(seconds: i64, copies: &[&str], objects: &[Arc<Live>]) -> (Vec<String>, bool) {
        after_with(seconds, copies, objects, &NeededCopies::default())
    }

    fn after_with(seconds: i64, copies: &[&str], objects: &[Arc<Live>], runs: &NeededCopies) -> (Vec<String>, bool) {
        let copies: Vec<_> = copies.iter().map(|name| copy(name)).collect();
        let (named, instances) = (["smtp".to_owned()].into(), ["wiki"].into());
        let instances = &instances;
        let known = KnownCopies { entity: "coop", copies: &copies, named: &named, objects, instances, runs };
        let now = MADE.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds);
        let unused = compare_unused_copies(&known, now);
        (unused.changes.iter().map(ToString::to_string).collect(), unused.later)
    }

    #[test]
    fn a_copy_goes_once_the_platform_names_another_and_no_pod_is_left_that_reads_it() {
        let (old, new) = (workload("wiki", "mail", 2), workload("wiki", "smtp", 2));
        assert_eq!(after(99, &["mail"], &[old]), (vec![], true), "the workload is not written yet");
        let rolling = workload("wiki", "smtp", 1);
        assert_eq!(after(99, &["mail", "smtp"], &[rolling]), (vec![], true), "an old pod may start again");
        assert_eq!(after(1, &["mail", "smtp"], &[new]), (vec!["delete Secret/mail".to_owned()], false));
    }

    #[test]
    fn a_copy_goes_with_the_last_service_that_uses_it() {
        assert_eq!(after(99, &["smtp"], &[workload("wiki", "smtp", 2)]), (vec![], false));
        let of_another = workload("wiki", "wiki-admin", 2);
        let leaving = [Arc::clone(&of_another), workload("agora", "smtp", 2)];
        assert_eq!(after(99, &["smtp"], &leaving), (vec![], true), "its pods are still there");
        assert_eq!(after(99, &["smtp"], &[of_another]), (vec!["delete Secret/smtp".to_owned()], false));
        assert_eq!(after(99, &["smtp"], &[]), (vec!["delete Secret/smtp".to_owned()], false));
    }

    #[test]
    fn a_copy_that_a_run_needs_goes_with_its_end() {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let at_work = NeededCopies { in_use: of(&["offsite"]), ..NeededCopies::default() };
        assert_eq!(after_with(9999, &["offsite"], &[], &at_work), (vec![], false));
        let waits = NeededCopies { awaited: of(&["offsite"]), ..NeededCopies::default() };
        assert_eq!(after_with(59, &["offsite"], &[], &waits), (vec![], true), "it is about to begin");
        assert_eq!(after_with(60, &["offsite"], &[], &waits), (vec!["delete Secret/offsite".to_owned()], false));
        let object = json!({
            "metadata": {"name": "wiki-record", "namespace": "coop", "labels": {OPERATION_OF: "wiki"}},
            "spec": {"template": {"spec": {"volumes": [{"name": "key", "secret": {"secretName": "offsite"}}]}}},
        });
        let job = Arc::new(Live::of("Job", serde_json::from_value(object).unwrap()));
        let gone = (vec!["delete Secret/offsite".to_owned()], false);
        assert_eq!(after(0, &["offsite"], &[job]), gone, "it ended, and its Job is left");
    }

    #[test]
    fn a_copy_that_was_just_made_may_be_on_its_way_into_use() {
        assert_eq!(after(59, &["smtp"], &[]), (vec![], true));
    }
}
