//! A Dedicated resource of any kind, its kind forgotten: what the steps work on.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::api::{Dedicated, InstanceSpec, InstanceStatus};
use crate::plan::InstanceReference;

/// A Dedicated resource of any kind.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Kind, namespace, name and uid.
    pub reference: InstanceReference,
    /// The version that was read.
    pub resource_version: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The generation of its spec.
    pub generation: i64,
    /// Its finalizers.
    pub finalizers: Vec<String>,
    /// When somebody began to delete it.
    pub deletion_timestamp: Option<Timestamp>,
    /// The uid of the Entity that made it; none: it was written by hand.
    pub made_by: Option<String>,
    /// What all kinds have.
    pub spec: InstanceSpec,
    /// The template's name.
    pub template: String,
    /// The parameters, an object.
    pub parameters: Value,
    /// What was last reported.
    pub status: InstanceStatus,
}

impl Instance {
    /// The part of a Dedicated resource that the steps need.
    pub fn of(resource: &dyn Dedicated) -> Self {
        let metadata = resource.metadata().clone();
        Self {
            made_by: made_by(&metadata).map(str::to_owned),
            reference: InstanceReference {
                kind: resource.kind().to_owned(),
                namespace: metadata.namespace.unwrap_or_default(),
                name: metadata.name.unwrap_or_default(),
                uid: metadata.uid.unwrap_or_default(),
            },
            resource_version: metadata.resource_version.unwrap_or_default(),
            created: metadata.creation_timestamp.map(|time| time.0),
            generation: metadata.generation.unwrap_or_default(),
            finalizers: metadata.finalizers.unwrap_or_default(),
            deletion_timestamp: metadata.deletion_timestamp.as_ref().map(|time| time.0),
            spec: resource.instance().clone(),
            template: resource.template().to_owned(),
            parameters: resource.parameters(),
            status: resource.status().cloned().unwrap_or_default(),
        }
    }

    /// Where its spec is edited: in the Entity that made it, or in itself.
    pub fn edited_at(&self) -> String {
        place(self.made_by.is_some(), &self.reference.kind, &self.reference.name)
    }

    /// Whether it is being deleted.
    pub const fn is_being_deleted(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

/// The uid of the Entity that made it.
fn made_by(metadata: &ObjectMeta) -> Option<&str> {
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.kind == "Entity")?;
    Some(&owner.uid)
}

/// Where the spec of a Dedicated resource is edited: in the Entity that made it, or in itself.
pub fn edited_at(resource: &dyn Dedicated) -> String {
    let metadata = resource.metadata();
    place(made_by(metadata).is_some(), resource.kind(), metadata.name.as_deref().unwrap_or_default())
}

fn place(is_made: bool, kind: &str, name: &str) -> String {
    match (is_made, kind) {
        (false, _) => "spec".to_owned(),
        (true, "DedicatedService") => format!("spec.services.others[{name}]"),
        (true, _) => format!("spec.services.{name}"),
    }
}
