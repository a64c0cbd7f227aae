//! Packages of earlier releases, as instances that were made then have them: folders below `revisions`.

use serde_json::json;

use super::*;
use crate::operation::{Run, RunOwner, Writing, file_places, files_objects, operation_objects, operations_for};
use crate::security::pods;

/// Of commit 98b1c24: its scratch folders had no size, which no package is offered with any more.
#[test]
fn an_agora_of_an_earlier_release_goes_on_and_is_backed_up_by_what_came_later() {
    let offered = load_directory(&source("package/src/tests/revisions/agora")).unwrap();
    let refused = Package::compile("agora", &offered.spec).unwrap_err();
    assert!(refused.faults.iter().any(|fault| fault.rule == Rule::EmptyDir), "{refused:#?}");
    let old = Package::of_revision("agora", &offered.spec).unwrap_or_else(|error| panic!("{error:#?}"));
    assert_eq!(old.revision_name(), "agora-922c45e220");

    let new = compiled(&named("agora"));
    let source = operations_for(&old, [&new]).unwrap();
    assert_eq!(source.revision(), new.revision_name());
    let parameters = old.validate_parameters(&json!({})).unwrap();
    let plan = sample::plan(&old, &old.versions()[0], parameters, Surroundings::Full).unwrap();
    let objects = render(&plan).unwrap().objects;
    let owner = RunOwner { kind: "ServiceBackup".into(), name: "sample-1".into(), uid: "u-1".into() };
    let run = Run { name: "sample-run".into(), owner, beside_pods: true, ..Run::default() };
    for (kind, _) in source.operations.all() {
        for object in operation_objects(&plan, &objects, &source, &[kind], &run).unwrap() {
            assert_eq!(pods::problems(&plan, &object), [], "{kind}");
        }
    }
    let places = file_places(&plan, &objects, &source).unwrap();
    assert_eq!((places.len(), places[0].user), (1, 1000));
    assert!(["log", "tmp"].iter().all(|mounted| places[0].exclude.iter().any(|name| name == mounted)));
}

/// Its pods run as root: nobody else may write into a volume that is new.
#[test]
fn the_files_of_an_agora_are_read_as_they_are_and_fill_a_volume_of_their_users_group() {
    let package = compiled(&named("agora"));
    let parameters = package.validate_parameters(&json!({})).unwrap();
    let plan = sample::plan(&package, &package.versions()[0], parameters, Surroundings::Full).unwrap();
    let objects = render(&plan).unwrap().objects;
    let places = file_places(&plan, &objects, &package.operations().unwrap()).unwrap();
    let group = |writing: Writing| {
        let made = files_objects(&plan, &objects, &places, writing, 60, &Run::default()).unwrap();
        made.last().unwrap().value.pointer("/spec/template/spec/securityContext/fsGroup").cloned()
    };
    assert_eq!(group(Writing::Fills), Some(json!(1000)));
    assert_eq!((group(Writing::Nothing), group(Writing::Adds)), (None, None), "what is there changes no group");
}
