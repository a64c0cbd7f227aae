//! Collects what the caches know of the backups of services and when they run. No request is made here.

use std::sync::Arc;

use jiff::Timestamp;

use super::backup::is_waited_for;
use super::drill::proof;
use crate::api::{Dedicated, PlatformBackup, Reason, ServiceBackup};
use crate::backup::{Scheduled, Times, choice, shown};
use crate::cache::{Caches, Key, Kind, RepositoryState, restored_service};
use crate::drill::Drilled;
use crate::report::{BackedUp, Problem, Unsound};
use crate::resolve::edited_at;

/// What is known of the backups of one service.
#[derive(Clone, Debug)]
pub struct ServiceSchedule {
    /// The service.
    pub key: Key,
    /// When its runs begin; none where its schedule is none.
    pub scheduled: Option<Scheduled>,
    /// What it shows.
    pub shown: BackedUp,
    /// What is known of the proof of its backups.
    pub drilled: Drilled,
}

/// What is known of the backups of all services.
pub fn schedules(caches: &Caches, backup: &PlatformBackup, now: Timestamp) -> Vec<ServiceSchedule> {
    let all = caches.dedicated_all();
    all.iter().filter_map(|service| of(caches, backup, service.as_ref(), now)).collect()
}

/// What is known of the backups of one service; none where the Platform has none, or the service was never applied.
pub fn service_schedule(caches: &Caches, service: &dyn Dedicated, now: Timestamp) -> Option<ServiceSchedule> {
    let platform = caches.platform()?;
    of(caches, platform.spec.backup.as_ref()?, service, now)
}

fn of(caches: &Caches, backup: &PlatformBackup, service: &dyn Dedicated, now: Timestamp) -> Option<ServiceSchedule> {
    let metadata = service.metadata();
    let (namespace, name) = (metadata.namespace.as_deref()?, metadata.name.as_deref()?);
    let is_applied = service.status().is_some_and(|status| status.revision.is_some());
    if !is_applied || metadata.deletion_timestamp.is_some() {
        return None;
    }
    let entity = caches.entities.get("", namespace)?;
    let chosen = choice(backup, entity.spec.backup.as_ref(), service.instance().backup.as_ref(), &edited_at(service));
    let runs = runs(caches, namespace, name);
    let scheduled = chosen.schedule.as_ref().ok().map(|schedule| Scheduled {
        entity: namespace.to_owned(),
        service: name.to_owned(),
        since: metadata.creation_timestamp.as_ref().map_or(now, |time| time.0),
        times: Times::new(schedule.clone(), backup.schedule.window_minutes, namespace, name),
        runs: runs.clone(),
        held: chosen.target.as_ref().err().cloned().or_else(|| held(caches, service, namespace)),
        is_restored: is_restored(caches, namespace, name, now),
    });
    let drilled = proof(caches, backup, service, &runs, now);
    let mut shown = shown(&chosen, &runs, scheduled.as_ref(), now);
    shown.summary.last_proven_restore_name = drilled.proof();
    shown.unproven = drilled.unproven(&backup.drills, now);
    shown.unsound = unsound(caches.repositories.of(namespace, name));
    Some(ServiceSchedule {
        key: Key::new(Kind::dedicated(service.kind())?, namespace, name),
        scheduled,
        shown,
        drilled,
    })
}

/// What is damaged is said before anything else.
fn unsound(state: Option<RepositoryState>) -> Unsound {
    state.map_or(Unsound::Unknown, |state| Unsound::Known(state.damaged.or(state.neglected)))
}

fn runs(caches: &Caches, namespace: &str, service: &str) -> Vec<Arc<ServiceBackup>> {
    let all = caches.backups.in_namespace(namespace).into_iter();
    all.filter(|run| run.spec.service == service).collect()
}

/// Why no run of it begins.
fn held(caches: &Caches, service: &dyn Dedicated, namespace: &str) -> Option<Problem> {
    if service.instance().paused {
        return Some(Problem::new(Reason::Paused, "spec.paused is true: nothing of this instance is changed"));
    }
    // It may be the very run that would be made.
    let unknown = caches.backups.undecodable_in(namespace);
    unknown.first().map(|run| Problem::new(Reason::Undecodable, run.to_string()))
}

/// Whether a restore of a service, or from its backups, has begun or is about to.
pub(super) fn is_restored(caches: &Caches, namespace: &str, service: &str, now: Timestamp) -> bool {
    let restores = caches.restores.in_namespace(namespace);
    restores.iter().any(|restore| {
        is_waited_for(restore, now) && (restored_service(restore) == service || restore.spec.from.service == service)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{ConditionType, DedicatedOffice, InstanceStatus};
    use crate::cache::{Identity, Store};
    use crate::report::with_backups;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn put<T: serde::de::DeserializeOwned + kube::Resource>(store: &Store<T>, object: Value) {
        let object: T = serde_json::from_value(object).unwrap();
        store.put(&Identity::of(object.meta()), object);
    }

    /// A Platform with backups, Entity coop with this choice, and its office.
    fn caches(entity: Value, office: Value, status: Value) -> Caches {
        let caches = Caches::new();
        let s3 = json!({"endpoint": "https://s3.example.org", "bucket": "cloud", "secretName": "add"});
        let backup =
            json!({"targets": [{"name": "near", "s3": s3}, {"name": "far", "s3": s3}], "recipients": ["age1"]});
        let metadata = |name: &str, namespace: &str| {
            json!({
                "name": name, "namespace": namespace, "uid": name, "resourceVersion": "1",
                "creationTimestamp": "2026-01-01T12:00:00Z",
            })
        };
        put(
            &caches.platforms,
            json!({"metadata": metadata("default", ""), "spec": {"baseDomain": "example.org", "backup": backup}}),
        );
        put(
            &caches.entities,
            json!({
                "metadata": metadata("coop", ""), "spec": {"displayName": "Coop", "tariff": "t", "backup": entity},
            }),
        );
        let mut spec = json!({"tier": "1gb"});
        spec.as_object_mut().unwrap().extend(office.as_object().unwrap().clone());
        put(&caches.offices, json!({"metadata": metadata("office", "coop"), "spec": spec, "status": status}));
        caches
    }

    fn applied() -> Value {
        json!({"revision": "office-1"})
    }

    fn of(caches: &Caches, now: &str) -> Option<ServiceSchedule> {
        let office: Arc<DedicatedOffice> = caches.offices.get("coop", "office").unwrap();
        service_schedule(caches, office.as_ref(), at(now))
    }

    fn run(caches: &Caches, name: &str, status: Value) {
        let metadata = json!({
            "name": name, "namespace": "coop", "uid": name, "resourceVersion": "1", "creationTimestamp": "2026-11-30T01:30:00Z",
        });
        put(
            &caches.backups,
            json!({
                "metadata": metadata, "spec": {"service": "office", "requestedBy": "operator"}, "status": status,
            }),
        );
    }

    #[test]
    fn a_service_that_was_never_applied_has_no_backups_and_no_schedule() {
        assert!(of(&caches(json!({}), json!({}), json!({})), "2026-11-30T12:00:00Z").is_none());
        assert!(of(&caches(json!({}), json!({}), applied()), "2026-11-30T12:00:00Z").is_some());
    }

    #[test]
    fn a_service_shows_its_newest_backup_and_its_next_run_and_the_same_until_something_happens() {
        let caches = caches(json!({"target": "far"}), json!({}), applied());
        run(&caches, "by-anna", json!({"phase": "Succeeded", "snapshot": "s", "takenAt": "2026-11-30T00:10:00Z"}));
        run(
            &caches,
            "office-20261130-0100",
            json!({
                "phase": "Succeeded", "snapshot": "s", "takenAt": "2026-11-30T01:31:00Z", "endedAt": "2026-11-30T01:40:00Z",
            }),
        );
        let shown = of(&caches, "2026-11-30T12:00:00Z").unwrap().shown;
        assert_eq!((&shown.late, &shown.not_as_chosen), (&None, &None));
        assert_eq!(shown.summary.target.as_deref(), Some("far"));
        assert_eq!(shown.summary.last_backup_name.as_deref(), Some("office-20261130-0100"));
        let next = shown.summary.next_run.clone().unwrap().0;
        assert!(at("2026-12-01T01:00:00Z") <= next && next < at("2026-12-01T05:00:00Z"), "{next}");
        let status = with_backups(
            InstanceStatus::default(),
            &InstanceStatus::default(),
            Some(shown),
            at("2026-11-30T12:00:00Z"),
        );
        let read: InstanceStatus = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
        assert!(of(&caches, "2026-12-01T04:59:59Z").unwrap().shown.is_in(&read), "nothing to write all night");
        let late = of(&caches, "2026-12-01T05:00:00Z").unwrap().shown;
        assert!(!late.is_in(&read) && late.late.unwrap().is(Reason::BackupMissed));
    }

    #[test]
    fn a_late_service_says_what_its_newest_run_says() {
        let caches = caches(json!({}), json!({}), applied());
        let condition = json!({
            "type": ConditionType::Ready.as_str(), "status": "False", "reason": "TargetFull", "message": "no room",
            "lastTransitionTime": "2026-11-30T01:40:00Z",
        });
        run(&caches, "office-20261130-0100", json!({"phase": "Failed", "conditions": [condition]}));
        let late = of(&caches, "2026-11-30T12:00:00Z").unwrap().shown.late.unwrap();
        assert!(late.is(Reason::TargetFull));
        assert_eq!(late.message, "there is no backup: ServiceBackup office-20261130-0100 failed: no room");
    }

    #[test]
    fn nothing_begins_of_what_is_paused_or_has_no_target() {
        let paused = of(&caches(json!({}), json!({"paused": true}), applied()), "2026-11-30T12:00:00Z").unwrap();
        assert!(paused.scheduled.unwrap().held.unwrap().is(Reason::Paused));
        assert_eq!(paused.shown.summary.next_run, None);
        let lost = of(&caches(json!({"target": "gone"}), json!({}), applied()), "2026-11-30T12:00:00Z").unwrap();
        assert!(lost.scheduled.unwrap().held.unwrap().is(Reason::TargetNotFound));
        assert!(lost.shown.not_as_chosen.unwrap().is(Reason::TargetNotFound));
        assert!(lost.shown.late.unwrap().message.starts_with("there is no backup: spec.backup of the Entity: "));
    }
}
