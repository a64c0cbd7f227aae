//! The Dedicated resources of an Entity: one per service, called like its key.

use serde_json::{Value, json};

use super::object;
use crate::api::{Entity, GROUP, InstanceSpec, VERSION, marks};
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

impl Asked<'_> {
    /// The spec of its Dedicated resource.
    fn spec(&self) -> Value {
        let mut spec = json!(self.instance);
        spec["parameters"] = self.parameters.clone();
        if self.kind == "DedicatedService" {
            spec["template"] = Value::from(self.template);
        }
        spec
    }
}

/// The services that an Entity asks for.
pub fn asked(entity: &Entity) -> Vec<Asked<'_>> {
    let services = &entity.spec.services;
    let typed = |kind, name, instance, parameters| Asked { kind, name, template: name, instance, parameters };
    let office = services.office.as_ref();
    let agora = services.agora.as_ref();
    let projects = services.projects.as_ref();
    let others = services.others.iter().map(|other| Asked {
        kind: "DedicatedService",
        name: &other.name,
        template: &other.template,
        instance: &other.instance,
        parameters: if other.parameters.is_null() { json!({}) } else { other.parameters.clone() },
    });
    office
        .map(|office| typed("DedicatedOffice", "office", &office.instance, json!(office.parameters)))
        .into_iter()
        .chain(agora.map(|agora| typed("DedicatedAgora", "agora", &agora.instance, json!(agora.parameters))))
        .chain(
            projects
                .map(|projects| typed("DedicatedProjects", "projects", &projects.instance, json!(projects.parameters))),
        )
        .chain(others)
        .collect()
}

/// The Dedicated resources of an Entity.
pub fn dedicated(entity: &Entity) -> Vec<RenderedObject> {
    let api_version = format!("{GROUP}/{VERSION}");
    let resource = |asked: Asked<'_>| {
        let mut made = object(entity, asked.kind, &api_version, asked.name, true, json!({"spec": asked.spec()}));
        // It is there before anything that it protects, and costs no write of its own.
        made.value["metadata"]["finalizers"] = json!([marks::FINALIZER]);
        made
    };
    asked(entity).into_iter().map(resource).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(services: &Value) -> Entity {
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Entity", "metadata": {"name": "coop", "uid": "e1"},
            "spec": {"displayName": "Coop", "tariff": "t", "services": services},
        }))
        .unwrap()
    }

    /// `Kind name template` of each.
    fn made(services: &Value) -> Vec<String> {
        let entity = entity(services);
        let templates: Vec<String> = asked(&entity).iter().map(|asked| asked.template.to_owned()).collect();
        let made = dedicated(&entity);
        made.iter()
            .zip(templates)
            .map(|(object, template)| format!("{} {} {template}", object.kind, object.name))
            .collect()
    }

    #[test]
    fn each_service_becomes_the_resource_of_its_kind_called_like_its_key() {
        let tier = json!({"tier": "1gb"});
        let others = json!([{"name": "wiki", "template": "mediawiki", "tier": "5gb"}]);
        let all = [
            "DedicatedOffice office office",
            "DedicatedAgora agora agora",
            "DedicatedProjects projects projects",
            "DedicatedService wiki mediawiki",
        ];
        assert_eq!(made(&json!({"office": tier, "agora": tier, "projects": tier, "others": others})), all);
        assert_eq!(made(&json!({"agora": tier})), all[1..2], "one that is not asked for is not made");
        assert_eq!(made(&json!({"projects": tier, "others": others})), all[2..]);
        assert!(made(&json!({})).is_empty());
    }

    #[test]
    fn a_resource_says_what_the_entity_says_of_it() {
        let agora = json!({"tier": "1gb", "extraBlocks": 2, "parameters": {"contactMail": "agora@example.org"}});
        let others = json!([{"name": "wiki", "template": "mediawiki", "tier": "5gb"}]);
        let made = dedicated(&entity(&json!({"agora": agora, "others": others})));
        assert_eq!(made[0].value["spec"], agora);
        assert_eq!(made[0].value["metadata"]["ownerReferences"][0]["name"], "coop");
        assert_eq!(made[0].value["metadata"]["finalizers"], json!([marks::FINALIZER]));
        assert_eq!(made[1].value["spec"], json!({"template": "mediawiki", "tier": "5gb", "extraBlocks": 0}));
        let typed: crate::api::DedicatedAgora = serde_json::from_value(made[0].value.clone()).unwrap();
        assert_eq!(typed.spec.parameters.contact_mail.as_deref(), Some("agora@example.org"));
    }
}
