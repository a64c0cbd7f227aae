//! An object as the API server has it, in canonical form.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{DynamicObject, TypeMeta};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::lazy::Lazy;
use crate::api::marks;
use crate::canonical::{canonicalize, digest};
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
        canonicalize(&mut value);
        // What is told of it is shown, and not compared.
        for (_, part) in value.as_object_mut().into_iter().flatten().filter(|(key, _)| *key != "status") {
            digest::shorten(part);
        }
        let content = content(&mut value);
        let text: Arc<str> = value.to_string().into();
        let metadata = Lazy::new(Arc::clone(&text), metadata);
        Self { kind: kind.to_owned(), metadata, value: Lazy::new(text, whole), owner, content }
    }

    /// An object of this very value.
    #[cfg(test)]
    pub(crate) fn with_value(kind: &str, mut value: Value) -> Self {
        let owner = Owner::of(&metadata(&value.to_string()));
        let content = content(&mut value);
        let text: Arc<str> = value.to_string().into();
        let metadata = Lazy::new(Arc::clone(&text), metadata);
        Self { kind: kind.to_owned(), metadata, value: Lazy::new(text, whole), owner, content }
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

fn content(value: &mut Value) -> [u8; 16] {
    let status = value.as_object_mut().and_then(|object| object.remove("status"));
    let version = value.pointer_mut("/metadata/resourceVersion").map(Value::take);
    let digest: [u8; 32] = Sha256::digest(value.to_string()).into();
    if let Some(status) = status {
        value["status"] = status;
    }
    if let Some(version) = version {
        value["metadata"]["resourceVersion"] = version;
    }
    let mut content = [0; 16];
    content.copy_from_slice(&digest[..16]);
    content
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
mod tests {
    use serde_json::json;

    use super::*;

    /// About what a tree of fields takes: nodes of a map hold up to eleven members.
    fn of_tree(value: &Value) -> usize {
        const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16;
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.len() * size_of::<Value>() + items.iter().map(of_tree).sum::<usize>(),
            Value::Object(members) => {
                let inside: usize = members.iter().map(|(key, value)| key.len() + of_tree(value)).sum();
                members.len().div_ceil(8) * NODE + inside
            }
            _ => 0,
        }
    }

    fn of_live(live: &Live) -> usize {
        let owner = &live.owner;
        let names = owner.name.len() + owner.namespace.len() + owner.instance.len();
        size_of::<Live>() + live.kind.len() + names + 40 * owner.uids.len() + format!("{:?}", live.value).len() + 16
    }

    /// The office as it is rendered, with what the API server adds to every object.
    fn office() -> Vec<DynamicObject> {
        let text = include_str!(
            "../../../package/src/tests/snapshots/commonscloud_package__tests__packages__office_full.snap"
        );
        let documents = text.split("---\n").skip(2);
        let objects = documents.map(|document| {
            let mut object: Value = serde_yaml::from_str(document).unwrap();
            object["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000002");
            object["metadata"]["resourceVersion"] = json!("123456");
            object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
            object["metadata"]["generation"] = json!(1);
            serde_json::from_value(object).unwrap()
        });
        objects.collect()
    }

    #[test]
    fn an_object_takes_less_than_four_kilobytes() {
        let (mut before, mut after, mut count) = (0, 0, 0);
        for object in office() {
            let kind = object.types.as_ref().unwrap().kind.clone();
            let mut value = serde_json::to_value(&object).unwrap();
            canonicalize(&mut value);
            before += of_tree(&value) + of_tree(&value["metadata"]) + size_of::<ObjectMeta>();
            after += of_live(&Live::of(&kind, object));
            count += 1;
        }
        assert!(count > 10, "{count} objects");
        let (before, after) = (before / count, after / count);
        assert!(after < 4096, "{after}, where trees take {before}");
    }

    #[test]
    fn what_is_read_of_an_object_does_not_stay_in_the_store() {
        let object = office().swap_remove(0);
        let stored = Arc::new(Live::of("ConfigMap", object));
        let read = stored.unread();
        assert!(read.value.pointer("/metadata/name").is_some() && read.metadata.uid.is_some());
        assert!(read.value.is_read() && !stored.value.is_read() && !stored.metadata.is_read());
        assert_eq!(read, stored);
    }

    #[test]
    fn messages_of_a_status_are_kept_whole() {
        let long = "x".repeat(300);
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "e"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "args": [long]}]}}},
            "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": long}]},
        });
        let live = Live::of("Deployment", serde_json::from_value(object).unwrap());
        assert_eq!(live.value.pointer("/status/conditions/0/message").unwrap(), &json!(long));
        let kept = live.value.pointer("/spec/template/spec/containers/0/args/0").and_then(Value::as_str).unwrap();
        assert!(kept.len() < 100 && digest::same_text(&long, kept));
    }
}
