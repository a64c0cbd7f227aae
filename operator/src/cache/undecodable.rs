//! An object that does not decode: what is known of it, and whom it concerns.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Caches;
use super::key::{Key, Kind};
use crate::api::{Condition, marks};

/// The longest error that is kept; whoever writes an object decides how long one becomes.
const LONGEST: usize = 512;

/// An object that does not decode: it is there, and nothing may be put in its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Undecodable {
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty when it has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The generation of its spec; 0 when it has none.
    pub generation: i64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Why it does not decode.
    pub error: String,
    /// What was reported of it; none when it has no status, or that cannot be read either.
    pub status: Option<Value>,
}

/// An error as it is kept.
pub(super) fn bounded(mut error: String) -> String {
    if let Some((end, _)) = error.char_indices().find(|(at, _)| *at >= LONGEST) {
        error.truncate(end);
        error.push('…');
    }
    error
}

impl Undecodable {
    /// What can be told of an object in JSON that does not decode.
    pub(super) fn of(kind: &str, value: &Value, error: String) -> Self {
        let metadata = &value["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        let labels = metadata["labels"].as_object().into_iter().flatten();
        Self {
            kind: kind.to_owned(),
            namespace: text("namespace"),
            name: text("name"),
            uid: text("uid"),
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            labels: labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
            error: bounded(error),
            status: value.get("status").cloned(),
        }
    }

    /// The resource that it is, if its kind has a controller.
    pub fn key(&self) -> Option<Key> {
        Kind::named(&self.kind).map(|kind| Key::new(kind, &self.namespace, &self.name))
    }

    /// The host name that it holds.
    pub fn hostname(&self) -> Option<&str> {
        self.status.as_ref()?.get("hostname")?.as_str()
    }

    /// The conditions that were reported, those that can be read.
    pub fn conditions(&self) -> Vec<Condition> {
        let conditions = self.status.as_ref().and_then(|status| status.get("conditions")?.as_array());
        conditions
            .into_iter()
            .flatten()
            .filter_map(|condition| serde_json::from_value(condition.clone()).ok())
            .collect()
    }

    /// Whether it belongs to the instance of this kind and name, or may.
    pub fn may_belong_to(&self, kind: &str, instance: &str) -> bool {
        let label = |key: &str| self.labels.get(key).map(String::as_str);
        match (label(marks::INSTANCE), label(marks::INSTANCE_KIND)) {
            (Some(name), of) => name == instance && of.is_none_or(|of| of == kind),
            (None, _) => self.name.strip_prefix(instance).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
        }
    }

    /// Whom it concerns: itself, whoever reads it, and the Platform, which shows what has no status.
    pub(super) fn concerned(&self, caches: &Caches) -> Vec<Key> {
        let mut keys: Vec<Key> = self.key().into_iter().collect();
        keys.push(Key::cluster(Kind::Platform, "default"));
        match (self.kind.as_str(), self.namespace.as_str()) {
            ("Event", _) => return Vec::new(),
            ("Entity" | "Namespace", _) => keys.extend(caches.in_entity(&self.name)),
            ("Platform" | "Tariff" | "ServiceTemplate" | "ServiceTemplateRevision" | "StorageClass", _) => {
                keys.extend(caches.everything());
                keys.extend(caches.unfinished_everywhere());
            }
            (_, "") => {}
            (_, namespace) => keys.extend(caches.in_entity(namespace)),
        }
        keys
    }
}

/// `ServiceData coop/office cannot be read: spec.keepUntil: …`
impl std::fmt::Display for Undecodable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.namespace.is_empty() { String::new() } else { format!("{}/", self.namespace) };
        write!(f, "{} {place}{} cannot be read: {}", self.kind, self.name, self.error)
    }
}
