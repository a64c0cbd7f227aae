//! Whose restore is proven next, and which services are not proven. Pure: what is known comes in [`Drilled`].

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use crate::api::{ConditionType, DrillRule, Reason, RestorePhase, ServiceRestore, marks};
use crate::cache::restore_has_ended;
use crate::report::Problem;

/// When a drill that failed is made again.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// A service is unproven once it was not proven for so many times as long as the Platform says.
const LATE: i32 = 2;

/// What is known of the proof of one service's backups.
#[derive(Clone, Debug)]
pub struct Drilled {
    /// Its Entity.
    pub entity: String,
    /// Its name.
    pub service: String,
    /// Since when it could have been proven: it, the namespace of drills and backups are there.
    pub since: Timestamp,
    /// The snapshot of its newest backup, where what it was made with is still there.
    pub newest: Option<String>,
    /// When a backup of it was last proven.
    pub proven_at: Option<Timestamp>,
    /// Its drills that are there.
    pub drills: Vec<Arc<ServiceRestore>>,
    /// Why it cannot be drilled at all.
    pub barred: Option<Problem>,
    /// Whether it is being backed up or restored.
    pub is_busy: bool,
}

/// A drill that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillTurn {
    /// The Entity.
    pub entity: String,
    /// The service.
    pub service: String,
    /// The snapshot.
    pub snapshot: String,
    /// What the ServiceRestore is called: two looks in one minute make one object.
    pub name: String,
}

/// What is to be done now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DrillTurns {
    /// The ServiceRestores that nobody needs any longer.
    pub remove: Vec<Arc<ServiceRestore>>,
    /// The drill to make.
    pub make: Option<DrillTurn>,
}

fn made_at(drill: &ServiceRestore) -> Timestamp {
    drill.creation_timestamp().map_or(Timestamp::MIN, |made| made.0)
}

fn has_failed(drill: &ServiceRestore) -> bool {
    drill.status.as_ref().is_some_and(|status| status.phase == Some(RestorePhase::Failed))
}

fn is_of(drill: &ServiceRestore, entity: &str, service: &str) -> bool {
    drill.spec.from.entity.as_deref() == Some(entity) && drill.spec.from.service == service
}

fn interval(rule: &DrillRule) -> SignedDuration {
    SignedDuration::from_hours(24) * i32::try_from(rule.every_days).unwrap_or(i32::MAX)
}

impl Drilled {
    fn latest(&self) -> Option<&ServiceRestore> {
        self.drills.iter().max_by_key(|drill| (made_at(drill), drill.name_any())).map(AsRef::as_ref)
    }

    /// The drill that proved a backup, while it is there.
    pub fn proof(&self) -> Option<String> {
        let has_succeeded = |drill: &&Arc<ServiceRestore>| restore_has_ended(drill) && !has_failed(drill);
        let newest = self.drills.iter().filter(has_succeeded).max_by_key(|drill| (made_at(drill), drill.name_any()));
        newest.map(|drill| drill.name_any())
    }

    /// When it was last tried.
    fn tried(&self) -> Option<Timestamp> {
        self.latest().map(made_at).max(self.proven_at)
    }

    /// Whether its next drill is due.
    fn is_due(&self, rule: &DrillRule, now: Timestamp) -> bool {
        let wait = if self.latest().is_some_and(has_failed) { AGAIN.min(interval(rule)) } else { interval(rule) };
        let is_time = self.tried().is_none_or(|tried| now.duration_since(tried) >= wait);
        is_time && self.barred.is_none() && !self.is_busy
    }

    /// Why nobody may rely on its backups: none of them was proven lately, or the newest drill failed. Nothing where
    /// the Platform has no drills.
    pub fn unproven(&self, rule: &DrillRule, now: Timestamp) -> Option<Problem> {
        if !rule.enabled {
            return None;
        }
        if let Some(failed) = self.latest().filter(|latest| has_failed(latest)) {
            return Some(told(failed));
        }
        if let Some(barred) = &self.barred {
            return Some(barred.clone());
        }
        let since = self.proven_at.unwrap_or(self.since).max(self.since);
        (now.duration_since(since) > interval(rule) * LATE).then(|| {
            let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
            Problem::new(Reason::RestoreUnproven, format!("no backup of it was restored and found equal since {since}"))
        })
    }
}

/// What a drill that failed says.
fn told(drill: &ServiceRestore) -> Problem {
    let conditions = drill.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str());
    let words = ready.map(|ready| format!("{}: {}", ready.reason, ready.message)).unwrap_or_default();
    let message = format!("ServiceRestore {} in namespace {}: {words}", drill.name_any(), marks::DRILLS);
    Problem::new(Reason::DrillFailed, message)
}

/// What is next. `services`: all that there are; `drills`: all that there are. One is at work at a time; who was not
/// tried for the longest time comes first. What a failed one left is not at work, and keeps nobody waiting.
pub fn drill_turns(
    services: &[&Drilled],
    drills: &[Arc<ServiceRestore>],
    rule: &DrillRule,
    now: Timestamp,
) -> DrillTurns {
    let make = next(services, drills, rule, now);
    let is_replaced = |drill: &ServiceRestore| {
        let newer = drills.iter().any(|other| {
            let of = &drill.spec.from;
            is_of(other, of.entity.as_deref().unwrap_or_default(), &of.service) && made_at(other) > made_at(drill)
        });
        newer || make.as_ref().is_some_and(|turn| is_of(drill, &turn.entity, &turn.service))
    };
    let is_orphan =
        |drill: &ServiceRestore| !services.iter().any(|service| is_of(drill, &service.entity, &service.service));
    let remove = drills.iter().filter(|drill| {
        let is_there = drill.metadata.deletion_timestamp.is_none();
        is_there && restore_has_ended(drill) && (is_replaced(drill) || is_orphan(drill))
    });
    DrillTurns { remove: remove.cloned().collect(), make }
}

fn next(services: &[&Drilled], drills: &[Arc<ServiceRestore>], rule: &DrillRule, now: Timestamp) -> Option<DrillTurn> {
    if !rule.enabled || drills.iter().any(|drill| !restore_has_ended(drill)) {
        return None;
    }
    let due = services.iter().filter(|service| service.is_due(rule, now));
    let due = due.filter_map(|service| Some((service, service.newest.as_ref()?)));
    let (service, snapshot) = due.min_by_key(|(service, _)| (service.tried(), &service.entity, &service.service))?;
    Some(DrillTurn {
        entity: service.entity.clone(),
        service: service.service.clone(),
        snapshot: snapshot.clone(),
        name: format!("{}.{}-{}", service.entity, service.service, now.strftime("%Y%m%d-%H%M")),
    })
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
