//! An Entity with a collective, as tests see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::made::made;
use super::{Facts, Lingering};
use crate::api::{Access, AccessHistory, Collective, Entity, LeaveRequest, Manager};
use crate::compare::{Action, Change};

/// When it is in all of them.
pub(super) const NOW: &str = "2026-12-15T12:00:00Z";

pub(super) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

pub(super) fn manager(name: &str, mail: Option<&str>) -> Manager {
    Manager { name: name.to_owned(), mail: mail.map(str::to_owned), subject: None }
}

/// An Entity with these managers and nothing else.
pub(super) fn named(managers: &[Manager]) -> Facts {
    let mut entity: Entity = serde_json::from_value(json!({
        "metadata": {"name": "coop", "uid": "e1"}, "spec": {"displayName": "Coop", "tariff": "t"},
    }))
    .unwrap();
    entity.spec.managers = managers.to_vec();
    Facts {
        now: at(NOW),
        operator: "system:serviceaccount:system:operator".to_owned(),
        entity: entity.into(),
        identity: Some(serde_json::from_value(json!({"issuer": "https://id.example.org"})).unwrap()),
        collective: None,
        accesses: BTreeMap::new(),
        unreadable: Vec::new(),
        services: BTreeMap::new(),
        kept: BTreeSet::new(),
        histories: BTreeMap::new(),
        requests: Vec::new(),
        excess: BTreeMap::new(),
        rights: Vec::new(),
        provider: None,
        lingering: Lingering::Nowhere,
    }
}

/// The Collective that is made for it.
pub(super) fn collective_of(facts: &Facts) -> Collective {
    let facts = Facts { collective: None, ..facts.clone() };
    let Action::Create(object) = made(&facts).remove(0).action else { panic!("no Collective") };
    serde_json::from_value(object).unwrap()
}

/// The same with a Collective of nobody.
pub(super) fn facts() -> Facts {
    let facts = named(&[]);
    Facts { collective: Some(collective_of(&facts).into()), ..facts }
}

/// The same with a service whose Access is to be made.
pub(super) fn with_service(name: &str, managers: &[Manager]) -> Facts {
    let mut facts = facts();
    facts.services.insert(name.to_owned(), managers.to_vec());
    facts.kept.insert(name.to_owned());
    facts
}

/// A member in JSON, as somebody else invited them, who accepted as `person:NAME` where that is said.
pub(super) fn member(name: &str, accepted: bool) -> Value {
    let mut member = json!({"displayName": name, "by": "eva", "since": "2026-12-01T00:00:00Z"});
    if accepted {
        let user = format!("person:{name}");
        member["account"] = json!({"issuer": "https://id.example.org", "subject": name, "user": user});
    } else {
        member["mail"] = json!(format!("{name}@example.org"));
    }
    member
}

/// Facts that a Collective, the wiki's Access and nothing else are in.
pub(super) fn with(collective: &Value, people: &Value) -> Facts {
    let mut facts = with_service("wiki", &[]);
    let mut seen = Collective::clone(facts.collective.as_ref().unwrap());
    seen.spec = serde_json::from_value(collective.clone()).unwrap();
    facts.collective = Some(seen.into());
    let access: Access = serde_json::from_value(json!({
        "metadata": {"name": "wiki", "namespace": "coop", "uid": "a1"}, "spec": {"people": people},
    }))
    .unwrap();
    facts.accesses.insert("wiki".to_owned(), access.into());
    facts
}

pub(super) fn request(name: &str, user: &str) -> Arc<LeaveRequest> {
    let request: LeaveRequest = serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "coop", "uid": name}, "spec": {"user": user},
    }))
    .unwrap();
    request.into()
}

/// What becomes of the facts once all of these are written: what a merge patch or a creation does.
pub(super) fn written(facts: &Facts, changes: &[Change]) -> Facts {
    let mut after = facts.clone();
    for change in changes {
        match (&change.action, change.kind.as_str()) {
            (Action::Create(object), kind) => put(&mut after, kind, &change.name, object.clone()),
            (Action::Merge { patch, .. }, kind) => {
                let mut object = live(&after, kind, &change.name);
                json_patch::merge(&mut object, patch);
                put(&mut after, kind, &change.name, object);
            }
            (Action::Delete { .. } | Action::Discard { .. }, "LeaveRequest") => {
                after.requests.retain(|request| request.metadata.name.as_deref() != Some(&change.name));
            }
            (Action::Delete { .. } | Action::Discard { .. }, "AccessHistory") => {
                drop(after.histories.remove(&change.name));
            }
            (Action::Delete { .. } | Action::Discard { .. }, "Access") => drop(after.accesses.remove(&change.name)),
            other => panic!("{other:?}"),
        }
    }
    after
}

fn live(facts: &Facts, kind: &str, name: &str) -> Value {
    match kind {
        "Collective" => json!(facts.collective.as_deref()),
        "Access" => json!(facts.accesses[name].as_ref()),
        _ => json!(facts.histories[name].as_ref()),
    }
}

fn put(facts: &mut Facts, kind: &str, name: &str, object: Value) {
    match kind {
        "Collective" => facts.collective = Some(serde_json::from_value::<Collective>(object).unwrap().into()),
        "Access" => {
            let access: Access = serde_json::from_value(object).unwrap();
            facts.accesses.insert(name.to_owned(), access.into());
        }
        _ => {
            let history: AccessHistory = serde_json::from_value(object).unwrap();
            facts.histories.insert(name.to_owned(), history.into());
        }
    }
}
