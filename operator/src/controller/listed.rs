//! What there is that an Entity can name: of anything else admission warns, and a refusal lists it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt as _;
use serde_json::Value;

use crate::api::{ListedTariff, ListedTemplate, ServiceTemplateRevision};
use crate::cache::Caches;

/// The Tariffs. What an Entity names that cannot be read is not known: then all count as in use.
pub(super) fn tariffs(caches: &Caches) -> Vec<ListedTariff> {
    let used: BTreeSet<String> = caches.entities.all().iter().map(|entity| entity.spec.tariff.clone()).collect();
    let is_unknown = !caches.undecodable_of("Entity").is_empty();
    let names = in_order(caches.tariffs.all().iter().map(|tariff| tariff.name_any())).into_iter();
    names.map(|name| ListedTariff { in_use: is_unknown || used.contains(&name), name }).collect()
}

/// The templates that have a revision.
pub(super) fn templates(caches: &Caches) -> Vec<ListedTemplate> {
    let mut revisions: BTreeMap<String, Vec<Arc<ServiceTemplateRevision>>> = BTreeMap::new();
    for revision in caches.revisions.all() {
        if caches.templates.holds("", &revision.spec.template) {
            revisions.entry(revision.spec.template.clone()).or_default().push(revision);
        }
    }
    revisions.into_iter().map(|(name, revisions)| listed(name, &revisions)).collect()
}

fn listed(name: String, revisions: &[Arc<ServiceTemplateRevision>]) -> ListedTemplate {
    let contents = || revisions.iter().map(|revision| &revision.spec.content);
    let parameters: Option<Vec<Vec<String>>> = contents().map(parameters).collect();
    ListedTemplate {
        name,
        revisions: in_order(revisions.iter().map(|revision| revision.name_any())),
        versions: in_order(contents().flat_map(versions)),
        parameters: parameters.map(|all| in_order(all.into_iter().flatten())),
    }
}

fn versions(content: &Value) -> Vec<String> {
    let versions = content.get("versions").and_then(Value::as_array).into_iter().flatten();
    versions.filter_map(|version| Some(version.get("name")?.as_str()?.to_owned())).collect()
}

/// The parameters that a package takes; none where its schema takes any.
fn parameters(content: &Value) -> Option<Vec<String>> {
    let Some(schema) = content.get("parameters").filter(|schema| !schema.is_null()) else { return Some(Vec::new()) };
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let names = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    is_closed.then(|| names.map(|(name, _)| name.clone()).collect())
}

/// Each once, so that the status is the same for the same caches.
fn in_order(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{Entity, ServiceTemplate, Tariff};
    use crate::cache::Identity;
    use crate::resolve::fixtures;

    fn revision(name: &str, content: Value) -> ServiceTemplateRevision {
        let spec = json!({"template": "radicale", "content": content});
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    #[test]
    fn what_any_revision_has_can_be_named() {
        let caches = Caches::new();
        let closed = json!({"type": "object", "additionalProperties": false, "properties": {"realm": {}}});
        for revision in [
            revision("radicale-b", json!({"versions": [{"name": "3"}, {"name": "2"}], "parameters": closed})),
            revision("radicale-a", json!({"versions": [{"name": "2"}]})),
        ] {
            let _ = caches.revisions.put(&Identity::of(&revision.metadata), revision);
        }
        assert_eq!(templates(&caches), [], "nothing new is made from a template that is gone");
        let template: ServiceTemplate = ServiceTemplate::new("radicale", fixtures::template().spec);
        let _ = caches.templates.put(&Identity::of(&template.metadata), template);
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let radicale = ListedTemplate {
            name: "radicale".to_owned(),
            revisions: list(&["radicale-a", "radicale-b"]),
            versions: list(&["2", "3"]),
            parameters: Some(list(&["realm"])),
        };
        assert_eq!(templates(&caches), [radicale]);
        let open = revision("radicale-c", json!({"parameters": {"type": "object", "additionalProperties": true}}));
        let _ = caches.revisions.put(&Identity::of(&open.metadata), open);
        assert_eq!(templates(&caches)[0].parameters, None, "any");
    }

    #[test]
    fn tariffs_are_listed_in_order_and_those_in_use_are_marked() {
        let caches = Caches::new();
        for name in ["b", "a"] {
            let spec = json!({"currency": "EUR", "tiers": []});
            let tariff: Tariff = serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap();
            let _ = caches.tariffs.put(&Identity::of(&tariff.metadata), tariff);
        }
        let spec = json!({"displayName": "Coop", "tariff": "b"});
        let entity: Entity = serde_json::from_value(json!({"metadata": {"name": "coop"}, "spec": spec})).unwrap();
        let _ = caches.entities.put(&Identity::of(&entity.metadata), entity);
        let listed = |name: &str, in_use| ListedTariff { name: name.to_owned(), in_use };
        assert_eq!(tariffs(&caches), [listed("a", false), listed("b", true)]);
    }
}
