//! MediaWiki: a package in one file, for an application with a database.

use super::packages::{plan, text};
use super::*;

const VERSION: &str = "1.39";

#[test]
fn mediawiki() {
    let package = compiled(&example("mediawiki.yaml"));
    insta::assert_snapshot!("mediawiki", text(&plan(&package, VERSION, Surroundings::Full, true)));
}

#[test]
fn a_wiki_is_named_as_its_entity_unless_it_says_otherwise() {
    let package = compiled(&example("mediawiki.yaml"));
    let settings = |with_example: bool| {
        let objects = render(&plan(&package, VERSION, Surroundings::Bare, with_example)).unwrap().objects;
        let found = objects.into_iter().find(|object| object.name == "sample-settings").unwrap();
        ["site_name", "language", "private"].map(|key| found.value["data"][key].as_str().unwrap().to_owned())
    };
    assert_eq!(settings(true), ["L'Hort", "oc", "yes"]);
    assert_eq!(settings(false), [sample::HOSTILE, "ca", "no"]);
}
