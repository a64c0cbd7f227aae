//! Which image runs, by the Platform's overrides and by what the record says of earlier ones.

use std::sync::Arc;

use super::fixtures::{facts, instance, read, template};
use super::*;
use crate::api::{DataOwner, ServiceData, ServiceDataSpec};

/// The image that runs with these overrides and this record, and the reasons of what is said of it.
fn image(mut facts: Facts, images: &str, record: Option<ServiceData>) -> (String, Vec<&'static str>) {
    let mut platform = Platform::clone(facts.platform.as_deref().unwrap());
    platform.spec.images = read(images);
    facts.platform = Some(Arc::new(platform));
    facts.record = record.map(Arc::new);
    let resolved = resolve(&instance("tier: 1gb"), &facts).unwrap();
    let reasons = resolved.images.iter().map(|notice| notice.reason.name()).collect();
    (resolved.plan.images["radicale"].clone(), reasons)
}

/// The record of data that runs version 3, and these images besides.
fn running(images: Option<&str>) -> ServiceData {
    let spec = ServiceDataSpec {
        owner: DataOwner { kind: "DedicatedService".into(), name: "calendar".into(), uid: "u1".into() },
        template: "radicale".into(),
        version: Some("3".into()),
        revision: facts().newest_revision,
        images: images.map(read),
        ..ServiceDataSpec::default()
    };
    ServiceData::new("calendar", spec)
}

const OF_TAG_4: &str = "[{template: radicale, image: radicale, reference: 'mirror/radicale:4'}]";

#[test]
fn an_edit_of_the_platform_moves_nobody_to_another_version_of_an_image() {
    let own = "docker.io/local/radicale:3";
    let unused = (own.to_owned(), vec!["ImageOverrideUnused"]);
    assert_eq!(image(facts(), OF_TAG_4, None), unused);
    assert_eq!(image(facts(), OF_TAG_4, Some(running(Some("[]")))), unused, "it runs the version's own");
    let by = |how: &str| image(facts(), &format!("[{{template: radicale, image: radicale, {how}}}]"), None);
    let is = |reference: &str| (reference.to_owned(), Vec::new());
    assert_eq!(by("mirror: 'r:5000/m/radicale'"), is("r:5000/m/radicale:3"));
    assert_eq!(by("reference: 'mirror/radicale:3'"), is("mirror/radicale:3"));
    assert_eq!(by("versions: [{name: '3', reference: 'mirror/radicale:4'}]"), is("mirror/radicale:4"));
    assert_eq!(by("versions: [{name: '2', reference: 'mirror/radicale:2'}]"), is(own));
    let resolved = resolve(&instance("tier: 1gb"), &facts()).unwrap();
    assert_eq!(resolved.images, []);
}

#[test]
fn what_an_earlier_release_ran_by_an_override_of_another_tag_stays() {
    let stays = ("mirror/radicale:4".to_owned(), vec!["ImageKept"]);
    assert_eq!(image(facts(), OF_TAG_4, Some(running(None))), stays, "the upgrade of the operator");
    let recorded = || Some(running(Some("[{name: radicale, reference: 'mirror/radicale:4'}]")));
    let by = |how: &str| format!("[{{template: radicale, image: radicale, {how}}}]");
    for edited in [
        "[]".to_owned(),
        by("reference: 'mirror/radicale:5'"),
        by("reference: 'mirror/radicale:3'"),
        by("mirror: 'mirror/radicale'"),
        by("versions: [{name: '2', reference: 'mirror/radicale:2'}]"),
    ] {
        assert_eq!(image(facts(), &edited, recorded()), stays, "{edited}");
    }
    let named = by("versions: [{name: '3', reference: 'mirror/radicale:3'}]");
    assert_eq!(image(facts(), &named, recorded()), ("mirror/radicale:3".to_owned(), Vec::new()));
}

#[test]
fn a_version_that_is_asked_for_and_brings_another_image_takes_the_place_of_the_kept_one() {
    let mut template = template();
    let mut newer = template.spec.versions[0].clone();
    newer.name = "4".into();
    newer.upgrades_from = vec!["3".into()];
    newer.images[0].reference = "docker.io/local/radicale:4".into();
    template.spec.versions.insert(0, newer);
    let package = Package::compile("radicale", &template.spec).unwrap();
    let mut facts = facts();
    let revision = package.revision_name();
    facts.newest_revision = Some(revision.clone());
    facts.packages.insert(revision.clone(), Ok(Arc::new(package)));
    let mut runs = running(Some("[{name: radicale, reference: 'ours/radicale:3-ours'}]"));
    runs.spec.revision = Some(revision);
    facts.record = Some(Arc::new(runs));
    let image = |version: &str| {
        let resolved = resolve(&instance(&format!("tier: 1gb, version: '{version}'")), &facts).unwrap();
        resolved.plan.images["radicale"].clone()
    };
    assert_eq!(image("3"), "ours/radicale:3-ours");
    assert_eq!(image("4"), "docker.io/local/radicale:4");
}
