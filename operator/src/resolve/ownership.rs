//! Whose the data under a name is: a namespace is called like its Entity, so that another organisation
//! may come under an old name.

use super::facts::Facts;
use super::instance::Instance;
use super::refusal::Refusal;
use crate::api::{DataEntity, Entity};
use crate::core::lifecycle::{Organisation, is_same};

/// What a record says of the Entity that data belongs to.
pub fn recorded_entity(entity: &Entity) -> DataEntity {
    let sorted = |mut items: Vec<String>| {
        items.sort();
        Some(items)
    };
    DataEntity {
        uid: entity.metadata.uid.clone(),
        display_name: entity.spec.display_name.clone(),
        domains: sorted(entity.spec.domains.clone()),
        managers: sorted(entity.spec.managers.iter().map(|manager| manager.name.clone()).collect()),
    }
}

/// Whether what was made for an Entity that had the name is this one's: it is the same organisation, or was told to adopt
/// it.
pub fn is_of(recorded: &DataEntity, entity: &Entity) -> bool {
    let adopts = recorded.uid.as_ref().is_some_and(|uid| entity.spec.adopt.contains(uid));
    adopts || is_same(&organisation(recorded), &organisation(&recorded_entity(entity)))
}

/// The data under the instance's name is the Entity's: it made it, is the same organisation applied
/// again, or was told to adopt it. A record that names no Entity belongs to whoever applies the same
/// resource: its release promised so.
pub(super) fn is_theirs(instance: &Instance, facts: &Facts, entity: &Entity) -> Result<(), Refusal> {
    let Some(record) = &facts.record else { return Ok(()) };
    let Some(recorded) = &record.spec.entity else { return Ok(()) };
    let living = recorded_entity(entity);
    let uid = recorded.uid.as_ref().unwrap_or(&record.spec.owner.uid);
    if is_same(&organisation(recorded), &organisation(&living)) || entity.spec.adopt.contains(uid) {
        return Ok(());
    }
    Err(Refusal::DataOfAnother {
        name: instance.reference.name.clone(),
        former: format!("{:?}", recorded.display_name),
        uid: uid.clone(),
        differs: differing(recorded, &living),
        entity: instance.reference.namespace.clone(),
    })
}

fn organisation(entity: &DataEntity) -> Organisation<'_> {
    Organisation {
        uid: entity.uid.as_deref(),
        display_name: &entity.display_name,
        domains: entity.domains.as_deref(),
        managers: entity.managers.as_deref(),
    }
}

fn differing(recorded: &DataEntity, living: &DataEntity) -> String {
    let fields = [
        ("displayName", recorded.display_name != living.display_name),
        ("domains", recorded.domains.is_some() && recorded.domains != living.domains),
        ("managers", recorded.managers.is_some() && recorded.managers != living.managers),
    ];
    let named: Vec<&str> = fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect();
    named.join(", ")
}
