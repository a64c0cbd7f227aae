//! What a deletion waits for, in the status while it lasts.

use k8s_openapi::jiff::Timestamp;

use super::conditions::{Problem, Verdict, conditions};
use crate::api::{Condition, ConditionType, Entity, EntityStatus, InstanceStatus, Reason};
use crate::resolve::Instance;

/// How many services are named.
const NAMED: usize = 5;

/// What a resource that is being deleted waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionWait {
    /// Finalizers of others; none: for nothing.
    Finalizers(Vec<String>),
    /// An Entity's services, which are deleted first.
    Services(Vec<ServiceDeletion>),
    /// A step was refused.
    Refused {
        /// Which, and the API server's words.
        message: String,
        /// Whether somebody has to change something.
        permanent: bool,
    },
}

/// A service of an Entity that is being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDeletion {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Whether somebody wrote it by hand.
    pub by_hand: bool,
    /// What keeps it; none: its deletion goes on.
    pub held: Option<String>,
    /// Whether nothing goes on until somebody changes something.
    pub blocked: bool,
}

impl DeletionWait {
    /// How far the deletion that began at `since` is; none: nothing is waited for.
    pub fn verdict(&self, since: Timestamp) -> Option<Verdict> {
        let (what, blocked) = match self {
            Self::Finalizers(finalizers) if finalizers.is_empty() => return None,
            Self::Finalizers(finalizers) => (waits_for(finalizers), false),
            Self::Services(services) => {
                (services_left(services), !services.is_empty() && services.iter().all(|service| service.blocked))
            }
            Self::Refused { message, permanent } => (message.clone(), *permanent),
        };
        let message = format!("being deleted since {since}: {what}");
        Some(if blocked {
            Verdict::Stalled(Problem::new(Reason::DeletionBlocked, message))
        } else {
            Verdict::Reconciling(Problem::new(Reason::Deleting, message))
        })
    }
}

/// The status of an instance that is being deleted: what was reported stays, but how far it is.
pub fn deleted_instance(instance: &Instance, verdict: &Verdict, now: Timestamp) -> InstanceStatus {
    let before = instance.status.clone();
    InstanceStatus {
        observed_generation: Some(instance.generation),
        conditions: of_deletion(&before.conditions, verdict, instance.generation, now),
        ..before
    }
}

/// The status of an Entity that is being deleted: what was reported stays, but how far it is.
pub fn deleted_entity(entity: &Entity, verdict: &Verdict, now: Timestamp) -> EntityStatus {
    let before = entity.status.clone().unwrap_or_default();
    let generation = entity.metadata.generation.unwrap_or_default();
    EntityStatus {
        observed_generation: Some(generation),
        conditions: of_deletion(&before.conditions, verdict, generation, now),
        ..before
    }
}

/// What is true of a volume whatever becomes of its service.
const KEPT: [ConditionType; 3] =
    [ConditionType::QuotaEnforced, ConditionType::UsageKnown, ConditionType::VolumeFilling];

fn of_deletion(before: &[Condition], verdict: &Verdict, generation: i64, now: Timestamp) -> Vec<Condition> {
    let is_kept = |condition: &&Condition| KEPT.iter().any(|kind| kind.as_str() == condition.type_);
    let mut all = conditions(before, verdict.shown(), generation, now);
    all.extend(before.iter().filter(is_kept).cloned());
    all.sort_by_key(|condition| (condition.type_ != "Ready", condition.type_.clone()));
    all
}

/// Kubernetes' own two are its garbage collector's.
fn waits_for(finalizers: &[String]) -> String {
    let one = |finalizer: &String| match finalizer.as_str() {
        "foregroundDeletion" => "its objects are deleted first (finalizer foregroundDeletion)".to_owned(),
        "orphan" => "its objects are released first (finalizer orphan)".to_owned(),
        other => format!("waiting for finalizer {other} to be removed by the tool that it belongs to"),
    };
    finalizers.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn services_left(services: &[ServiceDeletion]) -> String {
    let held: Vec<String> = services
        .iter()
        .filter_map(|service| Some(format!("{} {} ({})", service.kind, service.name, service.held.as_ref()?)))
        .collect();
    let waits = if held.is_empty() {
        "its services are deleted first".to_owned()
    } else {
        format!("waiting for {}", listed(&held))
    };
    let by_hand: Vec<String> =
        services.iter().filter(|s| s.by_hand).map(|service| format!("{} {}", service.kind, service.name)).collect();
    if by_hand.is_empty() {
        waits
    } else {
        format!("{waits}; services that were written by hand end with their Entity: {}", listed(&by_hand))
    }
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ConditionUpdate;

    fn service(name: &str, held: Option<&str>, blocked: bool) -> ServiceDeletion {
        let held = held.map(str::to_owned);
        ServiceDeletion { kind: "DedicatedService", name: name.to_owned(), by_hand: false, held, blocked }
    }

    fn shown(wait: &DeletionWait) -> (bool, String) {
        match wait.verdict(Timestamp::UNIX_EPOCH) {
            Some(Verdict::Stalled(problem)) => (true, problem.message),
            Some(Verdict::Reconciling(problem)) => (false, problem.message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_service_that_is_being_deleted_is_not_ready_and_no_longer_asked() {
        let mut before = Verdict::Ready("answers".to_owned()).shown();
        before.push(ConditionUpdate::new(ConditionType::Reachable, true, Reason::Answers, ""));
        before.push(ConditionUpdate::new(ConditionType::QuotaEnforced, true, Reason::Enforced, ""));
        let before = conditions(&[], before, 1, Timestamp::UNIX_EPOCH);
        let wait = DeletionWait::Finalizers(vec!["other.example/tool".into()]);
        let verdict = wait.verdict(Timestamp::UNIX_EPOCH).unwrap();
        let after = of_deletion(&before, &verdict, 2, Timestamp::UNIX_EPOCH);
        let shown: Vec<_> = after.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect();
        let expected = [
            ("Ready", "False", "Deleting"),
            ("QuotaEnforced", "True", "Enforced"),
            ("Reconciling", "True", "Deleting"),
        ];
        assert_eq!(shown, expected);
        assert_eq!(of_deletion(&after, &verdict, 2, Timestamp::UNIX_EPOCH), after, "written once");
    }

    #[test]
    fn a_deletion_that_another_tool_holds_names_its_finalizer_and_since_when() {
        let (stalled, message) = shown(&DeletionWait::Finalizers(vec!["other.example/tool".into()]));
        assert!(!stalled);
        let expected = "being deleted since 1970-01-01T00:00:00Z: waiting for finalizer other.example/tool to be removed by the tool that it belongs to";
        assert_eq!(message, expected);
    }

    #[test]
    fn an_entity_names_the_service_that_it_waits_for_and_goes_on_beside_one_that_is_blocked() {
        let blocked = service("wiki", Some("refused"), true);
        let (stalled, message) = shown(&DeletionWait::Services(vec![blocked.clone(), service("site", None, false)]));
        assert!(!stalled && message.ends_with("waiting for DedicatedService wiki (refused)"), "{message}");
        assert!(shown(&DeletionWait::Services(vec![blocked])).0);
    }

    #[test]
    fn services_that_were_written_by_hand_are_named() {
        let by_hand = ServiceDeletion { by_hand: true, ..service("byhand", None, false) };
        let (_, message) = shown(&DeletionWait::Services(vec![service("site", None, false), by_hand]));
        let expected = "its services are deleted first; services that were written by hand end with their Entity: DedicatedService byhand";
        assert!(message.ends_with(expected), "{message}");
    }
}
