//! Compiled packages, kept: a revision never changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt as _;

use crate::api::{ServiceTemplateRevision, ServiceTemplateSpec};
use crate::template::Package;

type Compiled = Result<Arc<Package>, String>;

/// Compiled packages by their revision's uid.
#[derive(Default)]
pub struct Packages {
    compiled: Mutex<HashMap<String, Compiled>>,
}

impl Packages {
    /// The package of a revision, compiled at most once.
    ///
    /// # Errors
    /// Every fault of it.
    pub fn compile(&self, revision: &ServiceTemplateRevision) -> Compiled {
        let uid = revision.uid().unwrap_or_default();
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.entry(uid).or_insert_with(|| compile(revision)).clone()
    }
}

fn compile(revision: &ServiceTemplateRevision) -> Compiled {
    let spec: ServiceTemplateSpec =
        serde_json::from_value(revision.spec.content.clone()).map_err(|error| error.to_string())?;
    Package::of_revision(&revision.spec.template, &spec).map(Arc::new).map_err(|error| error.to_string())
}
