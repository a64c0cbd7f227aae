//! What rendering makes.

use std::collections::BTreeSet;

use serde_json::Value;

/// The objects of one instance, complete and canonical, in the order in which they are applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectSet {
    /// The objects; PersistentVolumeClaims and generated Secrets are not among them.
    pub objects: Vec<RenderedObject>,
    /// Secrets of the operator's namespace that the objects refer to: each is to be copied, under
    /// the same name, into the instance's namespace.
    pub platform_secrets: BTreeSet<String>,
    /// Secrets of the instance's namespace that its pods refer to because a parameter names them.
    pub named_secrets: BTreeSet<String>,
}

/// One object, complete and canonical.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderedObject {
    /// Its kind, one of [`allowed_kinds`](super::allowed_kinds).
    pub kind: String,
    /// Its apiVersion, for example `apps/v1`.
    pub api_version: String,
    /// Its namespace, always the instance's.
    pub namespace: String,
    /// Its name, `{instance}-{declared name}`.
    pub name: String,
    /// The whole object.
    pub value: Value,
}
