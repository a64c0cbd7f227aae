//! An object as the API server has it, in canonical form.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{DynamicObject, TypeMeta};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::lazy::Lazy;
use crate::api::marks;
use crate::canonical::{canonicalize, digest as texts};
use crate::kinds;

/// On objects that `kubectl apply` wrote: the whole object once more.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object as the API server has it, in canonical form: without its managed fields, long texts but
/// those of its status by their digest. It is kept as text, and read by who looks at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Its kind.
    pub kind: String,
    /// Its metadata.
    pub metadata: Lazy<ObjectMeta>,
    /// The whole object.
    pub value: Lazy<Value>,
    /// What tells whose it is without reading the rest.
    owner: Owner,
    content: [u8; 16],
    status: [u8; 16],
}

#[derive(Clone, Debug, PartialEq)]
struct Owner {
    name: Box<str>,
    namespace: Box<str>,
    instance: Box<str>,
    uids: Box<[Box<str>]>,
}

impl Live {
    /// Takes an object of `kind` from the API server.
    pub fn of(kind: &str, mut object: DynamicObject) -> Self {
        object.metadata.managed_fields = None;
        if let Some(annotations) = &mut object.metadata.annotations {
            annotations.remove(LAST_APPLIED);
        }
        // In lists, items of built-in kinds come without them.
        object.types =
            kinds::resource(kind).map(|resource| TypeMeta { api_version: resource.api_version, kind: resource.kind });
        let owner = Owner::of(&object.metadata);
        let mut value = serde_json::to_value(object).unwrap_or_default();
        keep_what_is_read(kind, &mut value);
        canonicalize(&mut value);
        // What is told of it is shown, and not compared.
        for (_, part) in value.as_object_mut().into_iter().flatten().filter(|(key, _)| *key != "status") {
            texts::shorten(part);
        }
        Self::kept(kind, owner, value)
    }

    /// An object of this very value.
    #[cfg(test)]
    pub(crate) fn with_value(kind: &str, value: Value) -> Self {
        let owner = Owner::of(&metadata(&value.to_string()));
        Self::kept(kind, owner, value)
    }

    fn kept(kind: &str, owner: Owner, mut value: Value) -> Self {
        let (content, status) = digests(&mut value);
        let text: Arc<str> = value.to_string().into();
        let metadata = Lazy::new(Arc::clone(&text), metadata);
        Self { kind: kind.to_owned(), metadata, value: Lazy::new(text, whole), owner, content, status }
    }

    /// The same object, not read yet: what is read of it goes with who looked.
    pub(super) fn unread(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.owner.name
    }

    /// Its namespace; empty when it has none.
    pub fn namespace(&self) -> &str {
        &self.owner.namespace
    }

    /// The instance that its label names; empty when it has none.
    pub fn instance(&self) -> &str {
        &self.owner.instance
    }

    /// A digest of what is compared: all but status and version.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Whether nothing but its version is another than in `before`.
    pub fn is_as(&self, before: &Self) -> bool {
        self.content == before.content && self.status == before.status
    }

    /// A label; empty when it has none of that name.
    pub fn label(&self, key: &str) -> &str {
        if key == marks::INSTANCE {
            return self.instance();
        }
        self.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map_or("", String::as_str)
    }

    /// Whether the object with this uid owns it.
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.owner.uids.iter().any(|owner| **owner == *uid)
    }
}

/// What of a status is read: of most kinds nothing, while it changes with each pod.
fn read_of_status(kind: &str) -> &'static [&'static str] {
    match kind {
        "Deployment" => &["observedGeneration", "replicas", "updatedReplicas", "availableReplicas", "conditions"],
        "StatefulSet" => {
            &["observedGeneration", "replicas", "readyReplicas", "updatedReplicas", "currentRevision", "updateRevision"]
        }
        "Job" => &["conditions"],
        "Ingress" => &["loadBalancer"],
        "PersistentVolumeClaim" => &["phase", "capacity", "conditions", "allocatedResourceStatuses"],
        _ => &[],
    }
}

fn keep_what_is_read(kind: &str, value: &mut Value) {
    let Some(Value::Object(status)) = value.get_mut("status") else { return };
    let read = read_of_status(kind);
    status.retain(|field, _| read.contains(&field.as_str()));
    if kind == "Deployment"
        && let Some(Value::Array(conditions)) = status.get_mut("conditions")
    {
        conditions.retain(|condition| condition["type"] == "ReplicaFailure");
    }
    if status.is_empty()
        && let Some(object) = value.as_object_mut()
    {
        object.remove("status");
    }
}

/// Digests of what is compared, which is all but status and version, and of the status.
fn digests(value: &mut Value) -> ([u8; 16], [u8; 16]) {
    let status = value.as_object_mut().and_then(|object| object.remove("status"));
    let version = value.pointer_mut("/metadata/resourceVersion").map(Value::take);
    let (content, reported) = (digest(value), status.as_ref().map(digest).unwrap_or_default());
    if let Some(status) = status {
        value["status"] = status;
    }
    if let Some(version) = version {
        value["metadata"]["resourceVersion"] = version;
    }
    (content, reported)
}

fn digest(value: &Value) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(value.to_string()).into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

fn whole(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn metadata(text: &str) -> ObjectMeta {
    #[derive(Default, Deserialize)]
    struct Head {
        metadata: ObjectMeta,
    }
    serde_json::from_str(text).unwrap_or_else(|_| Head::default()).metadata
}

impl Owner {
    fn of(metadata: &ObjectMeta) -> Self {
        let text = |text: Option<&String>| text.map(String::as_str).unwrap_or_default().into();
        let labels = metadata.labels.as_ref();
        let owners = metadata.owner_references.iter().flatten();
        Self {
            name: text(metadata.name.as_ref()),
            namespace: text(metadata.namespace.as_ref()),
            instance: text(labels.and_then(|labels| labels.get(marks::INSTANCE))),
            uids: owners.map(|owner| owner.uid.as_str().into()).collect(),
        }
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
