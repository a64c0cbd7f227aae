//! An object as the API server has it, in canonical form.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{DynamicObject, TypeMeta};
use serde_json::Value;

use crate::canonical::canonicalize;
use crate::kinds;

/// An object as the API server has it, in canonical form and without its managed fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Its kind.
    pub kind: String,
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// The whole object.
    pub value: Value,
}

impl Live {
    /// Takes an object of `kind` from the API server.
    pub fn of(kind: &str, mut object: DynamicObject) -> Self {
        object.metadata.managed_fields = None;
        if let Some(annotations) = &mut object.metadata.annotations {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        // In lists, items of built-in kinds come without them.
        object.types =
            kinds::resource(kind).map(|resource| TypeMeta { api_version: resource.api_version, kind: resource.kind });
        let metadata = object.metadata.clone();
        let mut value = serde_json::to_value(object).unwrap_or_default();
        canonicalize(&mut value);
        Self { kind: kind.to_owned(), metadata, value }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its namespace; empty when it has none.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// A label; empty when it has none of that name.
    pub fn label(&self, key: &str) -> &str {
        self.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map_or("", String::as_str)
    }

    /// Whether the object with this uid owns it.
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid)
    }
}
