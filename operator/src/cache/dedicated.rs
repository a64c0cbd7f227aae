//! The Dedicated resources of all kinds, their kind forgotten.

use std::sync::Arc;

use super::Caches;
use crate::api::Dedicated;

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

fn any<D: Dedicated>(resources: Vec<Arc<D>>) -> Vec<AnyDedicated> {
    resources.into_iter().map(|resource| resource as AnyDedicated).collect()
}
