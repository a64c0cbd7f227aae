//! The Dedicated resources of all kinds, their kind forgotten.

use std::sync::Arc;

use super::Caches;
use crate::api::{ConditionType, Dedicated, InstanceStatus, Reason};
use crate::core::Hostname;

/// A Dedicated resource of any kind.
pub type AnyDedicated = Arc<dyn Dedicated>;

impl Caches {
    /// All Dedicated resources.
    pub fn dedicated_all(&self) -> Vec<AnyDedicated> {
        let mut all = any(self.offices.all());
        all.extend(any(self.agoras.all()));
        all.extend(any(self.projects.all()));
        all.extend(any(self.services.all()));
        all
    }

    /// Those that serve at a host name, or ask for it in their spec.
    pub fn dedicated_at(&self, hostname: &Hostname) -> Vec<AnyDedicated> {
        self.dedicated_by(&at(hostname.as_str()))
    }

    /// Those that were refused because another one has their host name or name.
    pub(super) fn dedicated_waiting_for_names(&self) -> Vec<AnyDedicated> {
        self.dedicated_by(WAITS)
    }

    /// Those of a template that a roll-out keeps waiting.
    pub(super) fn dedicated_waiting_for_turn(&self, template: &str) -> Vec<AnyDedicated> {
        self.dedicated_by(&turn(template))
    }

    /// Those that name a Tariff, template or revision that there is not.
    pub(super) fn dedicated_naming_what_is_not_there(&self) -> Vec<AnyDedicated> {
        self.dedicated_by(NAMES_NOTHING)
    }

    fn dedicated_by(&self, key: &str) -> Vec<AnyDedicated> {
        let mut found = any(self.offices.found_by(key));
        found.extend(any(self.agoras.found_by(key)));
        found.extend(any(self.projects.found_by(key)));
        found.extend(any(self.services.found_by(key)));
        found
    }

    /// Those of this name, of any kind.
    pub fn dedicated_named(&self, namespace: &str, name: &str) -> Vec<AnyDedicated> {
        let kinds = ["DedicatedOffice", "DedicatedAgora", "DedicatedProjects", "DedicatedService"];
        kinds.iter().filter_map(|kind| self.dedicated(kind, namespace, name)).collect()
    }

    /// The Dedicated resources of a namespace.
    pub fn dedicated_in(&self, namespace: &str) -> Vec<AnyDedicated> {
        let mut inside = any(self.offices.in_namespace(namespace));
        inside.extend(any(self.agoras.in_namespace(namespace)));
        inside.extend(any(self.projects.in_namespace(namespace)));
        inside.extend(any(self.services.in_namespace(namespace)));
        inside
    }

    /// One Dedicated resource.
    pub fn dedicated(&self, kind: &str, namespace: &str, name: &str) -> Option<AnyDedicated> {
        Some(match kind {
            "DedicatedOffice" => self.offices.get(namespace, name)?,
            "DedicatedAgora" => self.agoras.get(namespace, name)?,
            "DedicatedProjects" => self.projects.get(namespace, name)?,
            "DedicatedService" => self.services.get(namespace, name)?,
            _ => return None,
        })
    }
}

/// Under what a resource is found that waits for a name.
const WAITS: &str = "waits";
/// Under what a resource is found that names something that there is not.
const NAMES_NOTHING: &str = "names nothing";

fn turn(template: &str) -> String {
    format!("turn {template}")
}

fn at(hostname: &str) -> String {
    format!("at {hostname}")
}

/// What Dedicated resources are found by.
pub(super) fn keys<D: Dedicated>(resource: &D) -> Vec<String> {
    let status = resource.status();
    let held = status.and_then(|status| status.hostname.as_deref());
    let mut keys: Vec<String> = held.into_iter().chain(resource.instance().hostname.as_deref()).map(at).collect();
    if status.is_some_and(waits_for_name) {
        keys.push(WAITS.to_owned());
    }
    if status.is_some_and(names_nothing) {
        keys.push(NAMES_NOTHING.to_owned());
    }
    if status.is_some_and(waits_for_turn) {
        keys.push(turn(resource.template()));
    }
    keys
}

fn waits_for_name(status: &InstanceStatus) -> bool {
    says(status, &[Reason::HostnameTaken, Reason::NameTaken])
}

fn names_nothing(status: &InstanceStatus) -> bool {
    says(status, &[Reason::TariffNotFound, Reason::TemplateNotFound, Reason::RevisionNotFound])
}

fn says(status: &InstanceStatus, reasons: &[Reason]) -> bool {
    status.conditions.iter().any(|condition| reasons.iter().any(|reason| reason.name() == condition.reason))
}

fn waits_for_turn(status: &InstanceStatus) -> bool {
    status.is_true(ConditionType::RevisionPending).is_some()
}

/// Whether an instance says that it waits for what another has: its name, its host name, its turn.
pub fn waits_for_another(status: &InstanceStatus) -> bool {
    waits_for_name(status) || waits_for_turn(status)
}

fn any<D: Dedicated>(resources: Vec<Arc<D>>) -> Vec<AnyDedicated> {
    resources.into_iter().map(|resource| resource as AnyDedicated).collect()
}
