use super::*;

#[test]
fn radicale_compiles_and_renders() {
    let package = compiled(&radicale());
    let version = package.versions()[0].clone();
    let parameters = package.validate_parameters(&serde_json::json!({})).unwrap();
    let plan = sample::plan(&package, &version, parameters, Surroundings::Full).unwrap();
    let set = render(&plan).unwrap();
    let names: Vec<_> = set.objects.iter().map(|object| format!("{} {}", object.kind, object.name)).collect();
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn every_package_that_is_compiled_in_compiles() {
    let packages = builtin();
    assert_eq!(packages.iter().map(|p| p.metadata.name.as_deref().unwrap()).collect::<Vec<_>>(), ["office"]);
    for package in &packages {
        compiled(package);
        let folder = source("templates").join(package.metadata.name.as_deref().unwrap());
        assert_eq!(load_directory(&folder).unwrap().spec, package.spec, "PACKAGES lists every file of the folder");
    }
}

#[test]
#[ignore = "prints a rendering for a person to look at"]
fn show_the_office() {
    let package = compiled(&builtin()[0]);
    let example = package.validate_parameters(&package.spec().parameters["examples"][0]).unwrap();
    let plan = sample::plan(&package, &package.versions()[0].clone(), example, Surroundings::Full).unwrap();
    for object in render(&plan).unwrap().objects {
        println!("---\n{}", serde_yaml::to_string(&object.value).unwrap());
    }
}
