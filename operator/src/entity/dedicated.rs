//! The Dedicated resources of an Entity: one per service, called like its key.

use serde_json::{Value, json};

use super::object;
use crate::api::{DedicatedOfficeSpec, DedicatedServiceSpec, Entity, GROUP, InstanceSpec, VERSION};
use crate::template::RenderedObject;

/// A service that an Entity asks for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The kind of its Dedicated resource.
    pub kind: &'static str,
    /// Its name.
    pub name: &'a str,
    /// Its template.
    pub template: &'a str,
    /// What all kinds have.
    pub instance: &'a InstanceSpec,
    /// Its parameters, an object.
    pub parameters: Value,
}

/// The services that an Entity asks for.
pub fn asked(entity: &Entity) -> Vec<Asked<'_>> {
    let services = &entity.spec.services;
    let office = services.office.as_ref().map(|office| Asked {
        kind: "DedicatedOffice",
        name: "office",
        template: "office",
        instance: &office.instance,
        parameters: json!(office.parameters),
    });
    let others = services.others.iter().map(|other| Asked {
        kind: "DedicatedService",
        name: &other.name,
        template: &other.template,
        instance: &other.instance,
        parameters: if other.parameters.is_null() { json!({}) } else { other.parameters.clone() },
    });
    office.into_iter().chain(others).collect()
}

/// The Dedicated resources of an Entity.
pub fn dedicated(entity: &Entity) -> Vec<RenderedObject> {
    let api_version = format!("{GROUP}/{VERSION}");
    let services = &entity.spec.services;
    let office = services.office.as_ref().map(|office| {
        let spec = DedicatedOfficeSpec { instance: office.instance.clone(), parameters: office.parameters.clone() };
        object(entity, "DedicatedOffice", &api_version, "office", true, json!({"spec": spec}))
    });
    let others = services.others.iter().map(|other| {
        let spec = DedicatedServiceSpec {
            template: other.template.clone(),
            instance: other.instance.clone(),
            parameters: other.parameters.clone(),
        };
        object(entity, "DedicatedService", &api_version, &other.name, true, json!({"spec": spec}))
    });
    office.into_iter().chain(others).collect()
}
