//! The status of an Entity: its services, what they store and cost together.

use k8s_openapi::jiff::Timestamp;

use super::conditions::{Problem, Verdict, conditions};
use crate::api::{ConditionType, Entity, EntityServiceStatus, EntityStatus, InstanceStatus, Reason};
use crate::apply::Applied;
use crate::core::Bytes;
use crate::resolve::{Sale, total};

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
}

impl Service {
    fn reported(&self) -> EntityServiceStatus {
        let status = self.status.clone().unwrap_or_default();
        let ready = status.conditions.iter().find(|c| c.type_ == ConditionType::Ready.as_str());
        let is_ready = self.current && ready.is_some_and(|c| c.status == "True");
        EntityServiceStatus {
            name: self.name.clone(),
            kind: self.kind.clone(),
            ready: is_ready,
            url: status.url,
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
/// `sales` are what its Tariff says of each service; `problem` is what stops the Entity itself.
pub fn entity_status(
    entity: &Entity,
    services: &[Service],
    sales: Option<(&[Sale], &str)>,
    problem: Option<Verdict>,
    now: Timestamp,
) -> EntityStatus {
    let before = entity.status.clone().unwrap_or_default();
    let generation = entity.metadata.generation.unwrap_or_default();
    let reported: Vec<EntityServiceStatus> = services.iter().map(Service::reported).collect();
    let verdict = problem.unwrap_or_else(|| verdict(&reported));
    EntityStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, verdict.shown(), generation, now),
        namespace: entity.metadata.name.clone(),
        services_ready: Some(format!("{}/{}", reported.iter().filter(|s| s.ready).count(), reported.len())),
        storage: sales.map(|(sales, _)| storage(sales)),
        price: sales.map(|(sales, currency)| total(sales, currency)),
        services: reported,
    }
}

fn storage(sales: &[Sale]) -> String {
    sales.iter().try_fold(Bytes::ZERO, |sum, sale| sum.checked_add(sale.quota)).unwrap_or_default().to_string()
}

fn verdict(services: &[EntityServiceStatus]) -> Verdict {
    let waiting: Vec<&EntityServiceStatus> = services.iter().filter(|s| !s.ready).collect();
    match waiting.first() {
        None if services.is_empty() => Verdict::Ready("no services".to_owned()),
        None => Verdict::Ready("all services are ready".to_owned()),
        Some(first) => {
            let why = first.message.as_deref().unwrap_or("not reported yet");
            Verdict::Reconciling(Problem::new(
                Reason::ServicesNotReady,
                format!("{} {}: {why}", first.kind, first.name),
            ))
        }
    }
}

/// The status of an Entity that is being deleted: what was reported stays, but the conditions.
pub fn deleted_entity(entity: &Entity, verdict: &Verdict, now: Timestamp) -> EntityStatus {
    let before = entity.status.clone().unwrap_or_default();
    let generation = entity.metadata.generation.unwrap_or_default();
    EntityStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, verdict.shown(), generation, now),
        ..before
    }
}

/// What stops an Entity whose own objects were not all taken.
pub fn entity_problem(applied: &Applied) -> Option<Verdict> {
    let failure = applied.worst()?;
    let problem = Problem::new(failure.trouble.reason(), failure.to_string());
    Some(if failure.trouble.passes() { Verdict::Reconciling(problem) } else { Verdict::Stalled(problem) })
}
