//! What somebody depends on that is there and does not decode: for "not there" it is never taken.

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::api::Entity;
use crate::cache::{Caches, Undecodable};
use crate::core::Hostname;
use crate::kinds;
use crate::resolve::{HostnameClaim, Instance};

/// The first object that an instance depends on and that does not decode.
pub fn undecodable(caches: &Caches, instance: &Instance) -> Option<Arc<Undecodable>> {
    let reference = &instance.reference;
    let namespace = &reference.namespace;
    caches
        .records
        .undecodable(namespace, &reference.name)
        // What it makes of the volumes and of what runs nobody knows.
        .or_else(|| caches.restores.undecodable_in(namespace).into_iter().next())
        .or_else(|| caches.entities.undecodable("", namespace))
        .or_else(|| caches.entities.get("", namespace).and_then(|entity| sold(caches, &entity)))
        .or_else(|| caches.templates.undecodable("", &instance.template))
        .or_else(|| revision(caches, instance))
        .or_else(|| {
            let inside = caches.undecodable_in(namespace).into_iter();
            let is_of_nobody =
                |object: &Undecodable| object.key().is_none() && object.kind != kinds::ACCESS_HISTORY.kind;
            let mut written = inside.filter(|object| kinds::resource(&object.kind).is_some() && is_of_nobody(object));
            written.find(|object| {
                object.kind == kinds::NAMESPACE.kind || object.may_belong_to(&reference.kind, &reference.name)
            })
        })
}

/// The first object that an Entity depends on and that does not decode.
pub fn undecodable_for_entity(caches: &Caches, entity: &Entity) -> Option<Arc<Undecodable>> {
    sold(caches, entity).or_else(|| {
        // A record is its instance's alone, a run or restore nobody else's; a pod is its workload's.
        let beside = [kinds::SERVICE_DATA.kind, kinds::SERVICE_BACKUP.kind, kinds::SERVICE_RESTORE.kind, "Pod"];
        // Of people the rights stay as they were given.
        let people = [kinds::COLLECTIVE, kinds::ACCESS, kinds::ACCESS_HISTORY, kinds::LEAVE_REQUEST];
        let is_beside = |kind: &str| beside.contains(&kind) || people.iter().any(|known| known.kind == kind);
        let mut inside = caches.undecodable_in(&entity.name_any()).into_iter();
        inside.find(|object| !is_beside(&object.kind))
    })
}

/// The first Dedicated resource of an Entity that does not decode: all that its deletion depends on.
pub fn undecodable_service(caches: &Caches, entity: &Entity) -> Option<Arc<Undecodable>> {
    let mut inside = caches.undecodable_in(&entity.name_any()).into_iter();
    inside.find(|object| kinds::DEDICATED.iter().any(|kind| kind.kind == object.kind))
}

fn sold(caches: &Caches, entity: &Entity) -> Option<Arc<Undecodable>> {
    caches
        .namespaces
        .undecodable("", &entity.name_any())
        .or_else(|| caches.platforms.undecodable("", "default"))
        .or_else(|| caches.tariffs.undecodable("", &entity.spec.tariff))
}

fn revision(caches: &Caches, instance: &Instance) -> Option<Arc<Undecodable>> {
    let newest = super::newest_revision(caches, &instance.template);
    let named = [instance.spec.revision.as_deref(), instance.status.revision.as_deref(), newest.as_deref()];
    named.into_iter().flatten().find_map(|name| caches.revisions.undecodable("", name))
}

/// The instances that hold a host name and do not decode: they keep it.
pub(super) fn claims(caches: &Caches, wanted: &Hostname) -> Vec<HostnameClaim> {
    let all = kinds::DEDICATED.iter().flat_map(|kind| caches.undecodable_of(kind.kind));
    let holders = all.filter(|instance| instance.hostname() == Some(wanted.as_str()));
    holders
        .map(|instance| HostnameClaim {
            hostname: wanted.clone(),
            holder: format!("{} {}/{}", instance.kind, instance.namespace, instance.name),
            holds: true,
            created: None,
            uid: instance.uid.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;
    use crate::api::marks;
    use crate::cache::{Identity, Kept, Origin, Store};
    use crate::controller::instance::decide;
    use crate::gather::{Observed, Packages, observe};
    use crate::report::Obstacle;
    use crate::resolve::fixtures;
    use crate::usage::Measurement;

    fn poison<T: PartialEq>(store: &Store<T>, kind: &str, namespace: &str, name: &str, instance: Option<&str>) {
        let labels = instance.map(|instance| (marks::INSTANCE.to_owned(), instance.to_owned()));
        let object = Undecodable {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
            uid: "poison".into(),
            labels: labels.into_iter().collect(),
            error: "spec.x: out of range".into(),
            ..Undecodable::default()
        };
        let identity = Identity { namespace: namespace.into(), name: name.into(), uid: "poison".into(), version: 9 };
        store.take(&identity, Kept::Undecodable(Arc::new(object)), Origin::List);
    }

    fn put<T>(store: &Store<T>, namespace: &str, name: &str, object: T) {
        store.put(&Identity { namespace: namespace.into(), name: name.into(), ..Identity::default() }, object);
    }

    /// What surrounds the instance `coop/calendar`, and that alone.
    fn surroundings() -> Caches {
        let caches = Caches::new();
        let facts = fixtures::facts();
        put(&caches.platforms, "", "default", crate::api::Platform::clone(facts.platform.as_deref().unwrap()));
        put(&caches.tariffs, "", "t", crate::api::Tariff::clone(facts.tariff.as_deref().unwrap()));
        put(&caches.entities, "", "coop", Entity::clone(facts.entity.as_deref().unwrap()));
        caches.secrets.none_in("coop");
        caches
    }

    /// What stops `coop/calendar`; what is written otherwise.
    fn stopped_by(caches: &Caches) -> Result<Vec<String>, String> {
        let instance = fixtures::instance("tier: 1gb");
        let seen = observe(caches, &Packages::default(), &instance, |_| Measurement::NotYet);
        match decide(&caches.settled, &instance, &Observed { facts: fixtures::facts(), ..seen }) {
            Ok((_, changes)) => Ok(changes.iter().map(|change| format!("{}/{}", change.kind, change.name)).collect()),
            Err(obstacle @ Obstacle::Undecodable(_)) => Err(obstacle.to_string()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test_case(|caches| poison(&caches.records, "ServiceData", "coop", "calendar", None), "ServiceData coop/calendar"; "its record")]
    #[test_case(|caches| poison(&caches.restores, "ServiceRestore", "coop", "may-4", None), "ServiceRestore coop/may-4"; "a restore beside it")]
    #[test_case(|caches| poison(&caches.entities, "Entity", "", "coop", None), "Entity coop"; "its entity")]
    #[test_case(|caches| poison(&caches.tariffs, "Tariff", "", "t", None), "Tariff t"; "its tariff")]
    #[test_case(|caches| poison(&caches.platforms, "Platform", "", "default", None), "Platform default"; "the platform")]
    #[test_case(|caches| poison(&caches.templates, "ServiceTemplate", "", "radicale", None), "ServiceTemplate radicale"; "its template")]
    #[test_case(|caches| poison(&caches.namespaces, "Namespace", "", "coop", None), "Namespace coop"; "its namespace")]
    #[test_case(|caches| poison(&caches.objects["PersistentVolumeClaim"], "PersistentVolumeClaim", "coop", "calendar-data", Some("calendar")), "PersistentVolumeClaim coop/calendar-data"; "its claim")]
    #[test_case(|caches| poison(&caches.objects["PersistentVolumeClaim"], "PersistentVolumeClaim", "coop", "calendar-data", None), "PersistentVolumeClaim coop/calendar-data"; "its claim without labels")]
    fn nothing_is_written_beside_what_cannot_be_read(spoil: fn(&Caches), named: &str) {
        let caches = surroundings();
        assert!(stopped_by(&caches).unwrap().contains(&"ServiceData/calendar".to_owned()), "what is made without it");
        spoil(&caches);
        let why = stopped_by(&caches).unwrap_err();
        assert!(why.starts_with(&format!("{named} cannot be read: spec.x: out of range;")), "{why}");
    }

    #[test]
    fn what_is_anothers_stops_nobody_else() {
        let caches = surroundings();
        let claims = &caches.objects["PersistentVolumeClaim"];
        poison(claims, "PersistentVolumeClaim", "coop", "calendar2-data", None);
        poison(claims, "PersistentVolumeClaim", "coop", "calendar-of-another", Some("another"));
        poison(&caches.records, "ServiceData", "coop", "another", None);
        poison(&caches.services, "DedicatedService", "coop", "another", None);
        poison(&caches.tariffs, "Tariff", "", "another", None);
        poison(&caches.collectives, "Collective", "coop", "collective", None);
        poison(&caches.accesses, "Access", "coop", "calendar", None);
        poison(&caches.histories, "AccessHistory", "coop", "2026-12", None);
        assert!(stopped_by(&caches).is_ok());
    }

    #[test]
    fn a_service_that_cannot_be_read_stops_its_entity_and_keeps_its_host_name() {
        let caches = surroundings();
        let entity = caches.entities.get("", "coop").unwrap();
        poison(&caches.backups, "ServiceBackup", "coop", "calendar-1", None);
        poison(&caches.collectives, "Collective", "coop", "collective", None);
        poison(&caches.accesses, "Access", "coop", "calendar", None);
        poison(&caches.histories, "AccessHistory", "coop", "2026-12", None);
        poison(&caches.leave_requests, "LeaveRequest", "coop", "anna", None);
        assert!(undecodable_for_entity(&caches, &entity).is_none());
        let identity = Identity { namespace: "coop".into(), name: "wiki".into(), uid: "w".into(), version: 1 };
        let holder = Undecodable {
            kind: "DedicatedService".into(),
            namespace: "coop".into(),
            name: "wiki".into(),
            status: Some(json!({"hostname": "wiki.coop.cat"})),
            ..Undecodable::default()
        };
        caches.services.take(&identity, Kept::Undecodable(Arc::new(holder)), Origin::List);
        assert!(undecodable_for_entity(&caches, &entity).is_some());
        let wanting = fixtures::instance("tier: 1gb, hostname: wiki.coop.cat");
        let facts = observe(&caches, &Packages::default(), &wanting, |_| Measurement::NotYet).facts;
        assert_eq!(facts.claims.len(), 1);
        assert!(facts.claims[0].holds);
    }
}
