//! Image overrides of the Platform that are for nothing: a template, an image or a version that there is not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::there_are;
use crate::api::{ConditionType, ImageOverride, Reason};
use crate::cache::Caches;
use crate::report::ConditionUpdate;
use crate::resolve::tag;

/// The images of a template by name: the versions that have them, and their references.
type Images = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The entries that nothing uses, with what there is.
pub(super) fn condition(caches: &Caches, overrides: &[ImageOverride]) -> Option<ConditionUpdate> {
    if overrides.is_empty() {
        return None;
    }
    let known = known(caches);
    let unknown = |(at, by): (usize, &ImageOverride)| unknown(&known, by).map(|why| format!("spec.images[{at}]{why}"));
    let messages: Vec<String> = overrides.iter().enumerate().filter_map(unknown).collect();
    let told = |message| {
        ConditionUpdate::new(ConditionType::ImageOverridesFound, false, Reason::ImageOverrideUnknown, message)
    };
    (!messages.is_empty()).then(|| told(messages.join("; ")))
}

/// Of every template all that it and its revisions have: an instance may run any of those.
fn known(caches: &Caches) -> BTreeMap<String, Images> {
    let templates = caches.templates.all();
    let templates = templates
        .iter()
        .filter_map(|template| Some((template.metadata.name.clone()?, json!({"versions": template.spec.versions}))));
    let revisions = caches.revisions.all();
    let revisions = revisions.iter().map(|revision| (revision.spec.template.clone(), revision.spec.content.clone()));
    let mut known: BTreeMap<String, Images> = BTreeMap::new();
    for (template, content) in templates.chain(revisions) {
        let images = known.entry(template).or_default();
        for version in list(&content, "versions") {
            for image in list(version, "images") {
                let versions = images.entry(text(image, "name")).or_default();
                versions.entry(text(version, "name")).or_default().insert(text(image, "reference"));
            }
        }
    }
    known
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Which field is for nothing, and what there is.
fn unknown(known: &BTreeMap<String, Images>, by: &ImageOverride) -> Option<String> {
    let ImageOverride { template, image, .. } = by;
    let Some(images) = known.get(template) else {
        let there = there_are(known.keys().cloned());
        return Some(format!(".template: there is no ServiceTemplate {template} (yet); {there}"));
    };
    let Some(versions) = images.get(image) else {
        let there = there_are(images.keys().cloned());
        return Some(format!(".image: ServiceTemplate {template} has no image {image}; {there}"));
    };
    let nobodys: Vec<&str> =
        by.versions.iter().map(|of| of.name.as_str()).filter(|name| !versions.contains_key(*name)).collect();
    if !nobodys.is_empty() {
        let there = there_are(versions.keys().cloned());
        return Some(format!(".versions: ServiceTemplate {template} has no version {}; {there}", nobodys.join(", ")));
    }
    let reference = by.reference.as_ref()?;
    let own: BTreeSet<&String> = versions.values().flatten().collect();
    (!own.iter().any(|own| tag(own) == tag(reference))).then(|| {
        let there = there_are(own.into_iter().cloned());
        format!(".reference: no version of {template} has an image {image} of the tag of {reference}; {there}; set mirror, or name the version under versions")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ServiceTemplate;
    use crate::cache::Identity;
    use crate::resolve::fixtures;

    fn told(overrides: &str) -> Option<ConditionUpdate> {
        let caches = Caches::new();
        let template = ServiceTemplate::new("radicale", fixtures::template().spec);
        caches.templates.put(&Identity::of(&template.metadata), template);
        let images = json!([{"name": "radicale", "reference": "docker.io/local/radicale:2"}]);
        let content = json!({"versions": [{"name": "2", "images": images}]});
        let revision =
            json!({"metadata": {"name": "radicale-1"}, "spec": {"template": "radicale", "content": content}});
        let revision: crate::api::ServiceTemplateRevision = serde_json::from_value(revision).unwrap();
        caches.revisions.put(&Identity::of(&revision.metadata), revision);
        condition(&caches, &serde_yaml::from_str::<Vec<ImageOverride>>(overrides).unwrap())
    }

    #[test]
    fn what_an_instance_may_run_is_not_told() {
        for known in [
            "[{template: radicale, image: radicale, mirror: mirror/radicale}]",
            "[{template: radicale, image: radicale, reference: 'mirror/radicale:3'}]",
            "[{template: radicale, image: radicale, versions: [{name: '2', reference: 'mirror/radicale:2-1'}]}]",
            "[]",
        ] {
            assert_eq!(told(known), None, "{known}");
        }
    }

    #[test]
    fn each_entry_that_is_for_nothing_is_named_with_what_there_is() {
        let told = told(
            "[{template: radicle, image: radicale, mirror: m/r}, {template: radicale, image: app, mirror: m/r}, \
             {template: radicale, image: radicale, versions: [{name: '4', reference: 'm/r:4'}]}, \
             {template: radicale, image: radicale, reference: 'm/r:9'}]",
        );
        let message = "spec.images[0].template: there is no ServiceTemplate radicle (yet); there are: radicale; \
            spec.images[1].image: ServiceTemplate radicale has no image app; there are: radicale; \
            spec.images[2].versions: ServiceTemplate radicale has no version 4; there are: 2, 3; \
            spec.images[3].reference: no version of radicale has an image radicale of the tag of m/r:9; there are: docker.io/local/radicale:2, docker.io/local/radicale:3; set mirror, or name the version under versions";
        let reason = Reason::ImageOverrideUnknown;
        assert_eq!(told, Some(ConditionUpdate::new(ConditionType::ImageOverridesFound, false, reason, message)));
    }
}
