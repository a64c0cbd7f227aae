//! The status of an Entity: its services, what they store and cost together.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;

use super::conditions::{Problem, Verdict, conditions};
use crate::api::{Condition, ConditionType, Entity, EntityServiceStatus, EntityStatus, InstanceStatus, Reason};
use crate::apply::Applied;
use crate::cache::Undecodable;
use crate::compare::ObjectTaken;
use crate::resolve::{EntityRefusal, Sale, total_price, total_storage};

/// What stops an Entity before anything is applied.
#[derive(Debug, thiserror::Error)]
pub enum EntityObstacle {
    /// There is no plan.
    #[error(transparent)]
    Refused(#[from] EntityRefusal),
    /// An object's name is an instance's.
    #[error(transparent)]
    ObjectTaken(#[from] ObjectTaken),
    /// What the Entity depends on is there, and cannot be read.
    #[error("{0}; what depends on it stays as it is until the field is corrected, or the release runs that wrote it")]
    Undecodable(Arc<Undecodable>),
}

impl EntityObstacle {
    /// How far the Entity is because of it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Refused(refusal) if refusal.waits() => {
                Verdict::Reconciling(Problem::new(refusal.reason(), self.to_string()))
            }
            Self::Refused(refusal) => Verdict::Stalled(Problem::new(refusal.reason(), self.to_string())),
            Self::ObjectTaken(_) => Verdict::Stalled(Problem::new(Reason::NameTaken, self.to_string())),
            Self::Undecodable(_) => Verdict::Stalled(Problem::new(Reason::Undecodable, self.to_string())),
        }
    }
}

/// One service of an Entity as it is now.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What it reported; none when it does not exist yet.
    pub status: Option<InstanceStatus>,
    /// Whether its status is about its current spec.
    pub current: bool,
    /// What the Entity's Tariff says of it; none when it does not, or is not there.
    pub sale: Option<Sale>,
}

impl Service {
    fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == kind.as_str())
    }

    /// Whether nothing goes on in it until somebody changes something.
    fn is_stalled(&self) -> bool {
        self.current && self.condition(ConditionType::Stalled).is_some_and(|c| c.status == "True")
    }

    fn reported(&self) -> EntityServiceStatus {
        let ready = self.condition(ConditionType::Ready);
        let is_ready = self.current && ready.is_some_and(|c| c.status == "True");
        EntityServiceStatus {
            name: self.name.clone(),
            kind: self.kind.clone(),
            ready: is_ready,
            url: self.status.as_ref().and_then(|status| status.url.clone()),
            message: if is_ready {
                None
            } else {
                ready.filter(|c| c.status != "True").map(|c| format!("{}: {}", c.reason, c.message))
            },
        }
    }
}

/// The status of an Entity after its own objects were applied.
///
/// `currency` is that of its Tariff, if that is there; `problem` is what stops the Entity itself.
pub fn entity_status(
    entity: &Entity,
    services: &[Service],
    currency: Option<&str>,
    problem: Option<Verdict>,
    now: Timestamp,
) -> EntityStatus {
    let before = entity.status.clone().unwrap_or_default();
    let generation = entity.metadata.generation.unwrap_or_default();
    let reported = reported(services);
    let verdict = problem.unwrap_or_else(|| verdict(services));
    let names = reported.iter().map(|service| service.name.as_str());
    let is_known = currency.is_some() || !services.is_empty();
    let sold: Vec<_> = names.zip(services).map(|(name, service)| (name, service.sale.as_ref())).collect();
    EntityStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, verdict.shown(), generation, now),
        namespace: entity.metadata.name.clone(),
        services_ready: Some(format!("{}/{}", reported.iter().filter(|s| s.ready).count(), reported.len())),
        storage: is_known.then(|| total_storage(&sold)),
        price: is_known.then(|| total_price(&sold, currency.unwrap_or_default())),
        services: reported,
    }
}

/// The list is keyed by name: of two kinds that share one, the later is named with its kind.
fn reported(services: &[Service]) -> Vec<EntityServiceStatus> {
    let mut all: Vec<EntityServiceStatus> = Vec::new();
    for mut service in services.iter().map(Service::reported) {
        if all.iter().any(|earlier| earlier.name == service.name) {
            service.name = format!("{}/{}", service.kind, service.name);
        }
        all.push(service);
    }
    all
}

/// Stalled services come first in the message; while another one still gets on, so does the Entity.
fn verdict(services: &[Service]) -> Verdict {
    let waiting = services.iter().map(|service| (service.is_stalled(), service.reported()));
    let mut waiting: Vec<_> = waiting.filter(|(_, reported)| !reported.ready).collect();
    let all_stalled = waiting.iter().all(|(stalled, _)| *stalled);
    waiting.sort_by_key(|(stalled, _)| !stalled);
    let Some((_, first)) = waiting.first() else {
        return Verdict::Ready(if services.is_empty() { "no services" } else { "all services are ready" }.to_owned());
    };
    let why = first.message.as_deref().unwrap_or("not reported yet");
    let more = if waiting.len() > 1 { format!("; and {} more", waiting.len() - 1) } else { String::new() };
    let problem = Problem::new(Reason::ServicesNotReady, format!("{} {}: {why}{more}", first.kind, first.name));
    if all_stalled { Verdict::Stalled(problem) } else { Verdict::Reconciling(problem) }
}

/// What stops an Entity whose own objects were not all taken.
pub fn entity_problem(applied: &Applied) -> Option<Verdict> {
    let failure = applied.worst()?;
    let problem = Problem::new(failure.kind.reason(), failure.to_string());
    Some(if failure.kind.is_transient() { Verdict::Reconciling(problem) } else { Verdict::Stalled(problem) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::ConditionUpdate;

    fn service(name: &str, verdict: &Verdict) -> Service {
        let shown: Vec<ConditionUpdate> = verdict.shown();
        let status = InstanceStatus {
            conditions: conditions(&[], shown, 1, Timestamp::UNIX_EPOCH),
            ..InstanceStatus::default()
        };
        let kind = "DedicatedService".to_owned();
        Service { kind, name: name.to_owned(), status: Some(status), current: true, sale: None }
    }

    fn ready(name: &str) -> Service {
        service(name, &Verdict::Ready("answers".to_owned()))
    }

    fn stalled(name: &str) -> Service {
        service(name, &Verdict::Stalled(Problem::new(Reason::ParametersInvalid, "relm")))
    }

    fn starting(name: &str) -> Service {
        service(name, &Verdict::Reconciling(Problem::new(Reason::Starting, "a pod")))
    }

    #[test]
    fn an_entity_whose_service_is_stalled_is_stalled_too() {
        let Verdict::Stalled(problem) = verdict(&[ready("office"), stalled("wiki")]) else { panic!("not Stalled") };
        assert!(problem.is(Reason::ServicesNotReady));
        assert_eq!(problem.message, "DedicatedService wiki: ParametersInvalid: relm");
    }

    #[test]
    fn an_entity_gets_on_while_a_service_does_and_names_first_what_does_not() {
        let services = [starting("office"), stalled("wiki"), starting("agora")];
        let Verdict::Reconciling(problem) = verdict(&services) else { panic!("not Reconciling") };
        assert_eq!(problem.message, "DedicatedService wiki: ParametersInvalid: relm; and 2 more");
        let Verdict::Reconciling(_) = verdict(&[Service { current: false, ..stalled("wiki") }]) else {
            panic!("what it said of an older spec does not count")
        };
    }

    #[test]
    fn two_services_of_one_name_are_both_in_the_list_and_in_the_totals() {
        let entity = serde_json::from_value(json!({
            "metadata": {"name": "coop", "generation": 1}, "spec": {"displayName": "Coop", "tariff": "t"},
        }));
        let office = Service { kind: "DedicatedOffice".to_owned(), ..ready("wiki") };
        let status =
            entity_status(&entity.unwrap(), &[ready("wiki"), office], Some("EUR"), None, Timestamp::UNIX_EPOCH);
        let names: Vec<&str> = status.services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["wiki", "DedicatedOffice/wiki"]);
        assert_eq!(status.services_ready.as_deref(), Some("2/2"));
        assert_eq!(status.price.as_deref(), Some("2 unknown (wiki, DedicatedOffice/wiki)"));
    }
}
