//! An object as it comes from the API server: taken in as text, so that none can spoil a list.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::store::Identity;
use super::undecodable::{Undecodable, bounded};

/// An object that was listed or watched. Taking one in fails for no object: what its kind's type
/// cannot hold shows in [`Raw::typed`] only.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Identity, labels and generation, as far as they can be read.
    metadata: ObjectMeta,
    text: Box<RawValue>,
}

impl Raw {
    /// Which version of which object it is.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.metadata)
    }

    /// Its labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.metadata.labels.clone().unwrap_or_default()
    }

    /// Its namespace; empty when it has none.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Its resourceVersion.
    pub fn resource_version(&self) -> Option<&str> {
        self.metadata.resource_version.as_deref()
    }

    /// The object as JSON, without its managed fields.
    ///
    /// # Errors
    /// When it is nested too deeply, or no object.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_str(self.text.get()).map(|Object(value)| value)
    }

    /// The object as its kind's type.
    ///
    /// # Errors
    /// What keeps it from being read, with the field where it can be told.
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T, String> {
        let value = self.value().map_err(|error| error.to_string())?;
        T::deserialize(&value).map_err(|error| format!("{}{error}", place::<T>(&value, &error)))
    }

    /// What can be told of an object that does not decode.
    pub fn undecodable(&self, kind: &str, error: String) -> Undecodable {
        #[derive(Default, Deserialize)]
        struct Reported {
            #[serde(default, deserialize_with = "lenient")]
            status: Option<Value>,
        }
        let reported: Reported = serde_json::from_str(self.text.get()).unwrap_or_default();
        let identity = self.identity();
        Undecodable {
            kind: kind.to_owned(),
            namespace: identity.namespace,
            name: identity.name,
            uid: identity.uid,
            generation: self.metadata.generation.unwrap_or_default(),
            labels: self.labels(),
            error: bounded(error),
            status: reported.status,
        }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Text is skipped without recursion, however deeply it is nested.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let head: Head = serde_json::from_str(text.get()).unwrap_or_default();
        Ok(Self { metadata: head.metadata.unwrap_or_default().into(), text })
    }
}

impl kube::Resource for Raw {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[derive(Default, Deserialize)]
struct Head {
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<Metadata>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default, deserialize_with = "lenient")]
    namespace: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    uid: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    resource_version: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    generation: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    labels: Option<BTreeMap<String, String>>,
}

impl From<Metadata> for ObjectMeta {
    fn from(metadata: Metadata) -> Self {
        Self {
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            generation: metadata.generation,
            labels: metadata.labels,
            ..Self::default()
        }
    }
}

/// A field that counts as absent when it is not what it should be.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(text.get()).ok())
}

/// An object without its managed fields: who wrote which field is nothing that anybody here reads,
/// it is often the larger half, and whoever writes an object may put any date into it.
struct Object(Value);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Members { within: "" }.deserialize(deserializer).map(Self)
    }
}

/// The members of the object itself, or of its metadata.
struct Members {
    within: &'static str,
}

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            match (self.within, key.as_str()) {
                ("", "metadata") => {
                    let metadata = access.next_value_seed(Self { within: "metadata" })?;
                    members.insert(key, metadata);
                }
                ("metadata", "managedFields") => drop(access.next_value::<IgnoredAny>()?),
                _ => drop(members.insert(key, access.next_value()?)),
            }
        }
        Ok(Value::Object(members))
    }
}

/// `spec.keepUntil: `, the field without which another error or none is left; empty when there is
/// none. Only asked of what does not decode.
fn place<T: DeserializeOwned>(value: &Value, error: &serde_json::Error) -> String {
    let error = error.to_string();
    let mut path = Vec::new();
    let mut inside = value;
    while let Some(step) = steps(inside).into_iter().find(|step| {
        let without = without(value, &path, step);
        T::deserialize(&without).err().is_none_or(|other| other.to_string() != error)
    }) {
        inside = match &step {
            Step::Member(key) => &inside[key.as_str()],
            Step::Item(index) => &inside[*index],
        };
        path.push(step);
    }
    if path.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for step in path {
        match step {
            Step::Member(key) if text.is_empty() => text.push_str(&key),
            Step::Member(key) => text.push_str(&format!(".{key}")),
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text + ": "
}

#[derive(Clone)]
enum Step {
    Member(String),
    Item(usize),
}

fn steps(value: &Value) -> Vec<Step> {
    match value {
        Value::Object(members) => members.keys().cloned().map(Step::Member).collect(),
        Value::Array(items) => (0..items.len()).map(Step::Item).collect(),
        _ => Vec::new(),
    }
}

fn without(value: &Value, path: &[Step], last: &Step) -> Value {
    let mut copy = value.clone();
    let inside = path.iter().try_fold(&mut copy, |inside, step| match step {
        Step::Member(key) => inside.get_mut(key),
        Step::Item(index) => inside.get_mut(*index),
    });
    match (inside, last) {
        (Some(Value::Object(members)), Step::Member(key)) => drop(members.remove(key)),
        (Some(Value::Array(items)), Step::Item(index)) if *index < items.len() => drop(items.remove(*index)),
        _ => {}
    }
    copy
}
