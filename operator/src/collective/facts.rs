//! What one pass over the people of an Entity sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::provider::Lingering;
use crate::api::{
    Access, AccessEntry, AccessHistory, Account, Collective, CollectiveSpec, DataEntity, Entity, LeaveRequest, Manager,
    Member, PlatformIdentity, marks,
};
use crate::cache::{Provided, Undecodable};
use crate::compare::{Action, Change};
use crate::report::whole_seconds;
use crate::resolve::is_of;

/// What one pass sees. Every step reads this and no cache.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The time.
    pub now: Timestamp,
    /// The name by which the API server knows the operator.
    pub operator: String,
    /// The Entity.
    pub entity: Arc<Entity>,
    /// Who signs people in; none: nobody does.
    pub identity: Option<PlatformIdentity>,
    /// The Collective, if it was made.
    pub collective: Option<Arc<Collective>>,
    /// The Accesses by name.
    pub accesses: BTreeMap<String, Arc<Access>>,
    /// The Accesses and histories that cannot be read.
    pub unreadable: Vec<Arc<Undecodable>>,
    /// The services that stay, and whom each names as its managers.
    pub services: BTreeMap<String, Vec<Manager>>,
    /// The names of which there is a service or data.
    pub kept: BTreeSet<String>,
    /// The histories by month.
    pub histories: BTreeMap<String, Arc<AccessHistory>>,
    /// Who wants to leave, the first first.
    pub requests: Vec<Arc<LeaveRequest>>,
    /// By RoleBinding, the users who are bound by it and should not be (any more).
    pub excess: BTreeMap<String, BTreeSet<String>>,
    /// The writes that take such rights away, should the Entity's own pass be kept from it.
    pub rights: Vec<Change>,
    /// What is known of the identity provider; none: none is driven.
    pub provider: Option<Provided>,
    /// What it has of whoever is to have it no more.
    pub lingering: Lingering,
}

/// The Entity that a Collective was made for, where that was another than this one, which did not adopt it.
pub fn former_entity(collective: &Collective, entity: &Entity) -> Option<DataEntity> {
    let recorded = collective.annotations().get(marks::MADE_FOR)?;
    let recorded: DataEntity = serde_json::from_str(recorded).ok()?;
    (!is_of(&recorded, entity)).then_some(recorded)
}

impl Facts {
    /// Who belongs and who manages.
    pub(super) fn people(&self) -> CollectiveSpec {
        self.collective.as_ref().map(|collective| collective.spec.clone()).unwrap_or_default()
    }

    /// A member.
    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.collective.as_ref()?.spec.members.get(id)
    }

    /// The name that others see of whoever has this id, or the id where nobody has it any more.
    pub(super) fn display_name(&self, id: &str, entry: Option<&AccessEntry>) -> String {
        let guest = entry.and_then(|entry| entry.guest.as_ref()).map(|guest| guest.display_name.as_str());
        let member = self.member(id).map(|member| member.display_name.as_str());
        guest.or(member).unwrap_or(id).to_owned()
    }

    /// The time as it is written.
    pub(super) fn at(&self) -> Time {
        whole_seconds(self.now)
    }

    /// The namespace.
    pub(super) fn namespace(&self) -> String {
        self.entity.name_any()
    }

    /// Whether something of this kind cannot be read.
    pub(super) fn cannot_read(&self, kind: &str) -> bool {
        self.unreadable.iter().any(|object| object.kind == kind)
    }

    /// Whether somebody still has a right by one of these RoleBindings. None named: by any.
    pub(super) fn is_bound(&self, account: Option<&Account>, bindings: &[String]) -> bool {
        let Some(account) = account else { return false };
        let has = |users: &BTreeSet<String>| users.contains(&account.user);
        if bindings.is_empty() {
            return self.excess.values().any(has);
        }
        bindings.iter().filter_map(|binding| self.excess.get(binding)).any(has)
    }

    /// An object that is made once, with the operator's labels.
    pub(super) fn create(&self, kind: &str, name: &str, annotations: Value, spec: Value) -> Change {
        let entity = self.namespace();
        let labels = json!({marks::MANAGED_BY: marks::OPERATOR, marks::ENTITY: entity});
        let metadata = json!({"name": name, "namespace": entity, "labels": labels, "annotations": annotations});
        let api_version = format!("{}/{}", crate::api::GROUP, crate::api::VERSION);
        let object = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec});
        self.change(kind, name, Action::Create(object))
    }

    /// A patch of the version of an object that was seen: what somebody else wrote meanwhile is judged first.
    pub(super) fn merge(&self, kind: &str, seen: &ObjectMeta, mut patch: Value, because: String) -> Change {
        let name = seen.name.clone().unwrap_or_default();
        patch["metadata"]["uid"] = json!(seen.uid);
        patch["metadata"]["resourceVersion"] = json!(seen.resource_version);
        self.change(kind, &name, Action::Merge { patch, because })
    }

    /// A write in the namespace.
    pub(super) fn change(&self, kind: &str, name: &str, action: Action) -> Change {
        Change { kind: kind.to_owned(), namespace: self.namespace(), name: name.to_owned(), action }
    }
}
