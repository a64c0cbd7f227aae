//! What an Entity gets: its namespace, its rights, limits and network policy, its Dedicated
//! resources. Pure.

mod dedicated;
mod namespace;
mod people;
mod plan;
mod quota;

pub use dedicated::{Asked, asked, dedicated};
pub use namespace::{
    OPERATOR_BINDING, ServiceAccount, manager_bindings, namespace, namespace_objects, operator_binding,
};
pub use people::{COLLECTIVE_RIGHTS, People, access_rights, rights, service_managers, user_of};
pub use plan::{EntityPlan, RenderedEntity, bindings, render};
pub use quota::{Needs, RESOURCE_QUOTA, resource_quota};

use serde_json::{Map, Value, json};

use crate::api::{Entity, GROUP, VERSION, marks};
use crate::canonical::canonicalize;
use crate::template::RenderedObject;

/// The labels of what belongs to an Entity and to no instance.
fn labels(entity: &Entity) -> Map<String, Value> {
    let mut labels = Map::new();
    labels.insert(marks::MANAGED_BY.to_owned(), Value::from(marks::OPERATOR));
    labels.insert(marks::ENTITY.to_owned(), Value::from(name(entity)));
    labels
}

fn name(entity: &Entity) -> &str {
    entity.metadata.name.as_deref().unwrap_or_default()
}

fn owner(entity: &Entity) -> Value {
    json!([{
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "Entity",
        "name": name(entity),
        "uid": entity.metadata.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// An object of an Entity in its namespace, canonical.
fn object(
    entity: &Entity,
    kind: &str,
    api_version: &str,
    object_name: &str,
    owned: bool,
    rest: Value,
) -> RenderedObject {
    let mut metadata = json!({"namespace": name(entity), "name": object_name, "labels": labels(entity)});
    if let (true, Value::Object(fields)) = (owned, &mut metadata) {
        fields.insert("ownerReferences".to_owned(), owner(entity));
    }
    let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
    if let (Value::Object(fields), Value::Object(rest)) = (&mut value, rest) {
        fields.extend(rest);
    }
    canonicalize(&mut value);
    RenderedObject {
        kind: kind.to_owned(),
        api_version: api_version.to_owned(),
        namespace: name(entity).to_owned(),
        name: object_name.to_owned(),
        value,
    }
}
