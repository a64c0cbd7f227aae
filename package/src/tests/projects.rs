//! The package of the projects platform: what it renders, and what it never puts anywhere.

use serde_json::{Value, json};

use super::packages::{plan, text};
use super::*;
use crate::plan::Plan;
use commonscloud_api::ProjectsParameters;

const VERSION: &str = "2026.27";

#[test]
fn projects_with_all_that_they_can_have() {
    let package = compiled(&named("projects"));
    insta::assert_snapshot!("projects_full", text(&plan(&package, VERSION, Surroundings::Full, true)));
}

#[test]
fn projects_on_a_bare_platform() {
    let package = compiled(&named("projects"));
    insta::assert_snapshot!("projects_bare", text(&plan(&package, VERSION, Surroundings::Bare, false)));
}

#[test]
fn a_changed_quota_or_group_changes_no_pod() {
    let package = compiled(&named("projects"));
    let before = plan(&package, VERSION, Surroundings::Full, true);
    let mut after = before.clone();
    after.quota = "10Gi".parse().unwrap();
    after.parameters["oidc"]["allowedGroups"] = json!(["garden"]);
    let pods = |plan: &Plan| -> Vec<Value> {
        let objects = render(plan).unwrap().objects;
        objects.iter().filter_map(|object| object.value.pointer("/spec/template").cloned()).collect()
    };
    assert_eq!(pods(&before), pods(&after));
    assert_ne!(text(&before), text(&after), "the groups are somewhere");
}

#[test]
fn files_and_repositories_lie_on_the_one_volume_that_is_sold() {
    let package = compiled(&named("projects"));
    let sold: Vec<_> = package.volumes().iter().filter(|volume| volume.carries_quota).collect();
    assert_eq!(sold.iter().map(|volume| volume.name.as_str()).collect::<Vec<_>>(), ["data"]);
    let objects = render(&plan(&package, VERSION, Surroundings::Bare, false)).unwrap().objects;
    let app = objects.iter().find(|object| object.kind == "Deployment").unwrap();
    for container in app.value["spec"]["template"]["spec"]["containers"].as_array().unwrap() {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let of_data: Vec<_> = mounts.iter().filter(|mount| mount["name"] == "data").collect();
        assert_eq!(
            of_data.iter().map(|mount| &mount["mountPath"]).collect::<Vec<_>>(),
            ["/var/files", "/var/repo"],
            "{}",
            container["name"]
        );
    }
}

#[test]
fn what_dedicated_projects_can_say_is_what_the_package_takes() {
    let package = compiled(&named("projects"));
    let example = package.validate_parameters(&package.spec().parameters["examples"][0]).unwrap();
    let typed: ProjectsParameters = serde_json::from_value(example.clone()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), example, "no field of the package is lost in the type");
    for typed in [typed, ProjectsParameters::default()] {
        package.validate_parameters(&serde_json::to_value(typed).unwrap()).unwrap();
    }
}
