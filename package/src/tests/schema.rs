//! What the API server checks of a package: its kind's own schema.

use kube::CustomResourceExt as _;
use serde_json::json;

use super::*;

fn validator() -> jsonschema::Validator {
    let definition = serde_json::to_value(ServiceTemplate::crd()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    jsonschema::options().with_pattern_options(jsonschema::PatternOptions::regex()).build(schema).unwrap()
}

#[test]
fn every_package_that_is_shipped_passes() {
    let validator = validator();
    for package in builtin().into_iter().chain(["radicale.yaml", "mediawiki.yaml"].map(example)) {
        let spec = serde_json::to_value(&package.spec).unwrap();
        let problems: Vec<String> =
            validator.iter_errors(&spec).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(problems, Vec::<String>::new(), "{:?}", package.metadata.name);
    }
}

#[test]
fn the_page_that_tells_of_health_can_be_any_that_a_url_can_name() {
    let validator = validator();
    let mut spec = serde_json::to_value(named("office").spec).unwrap();
    for (path, allowed) in [
        ("/index.php/Special:BlankPage", true),
        ("/a/~b?c=d%20e&f=(g),*", true),
        ("/a b", false),
        ("status", false),
        ("/a#b", false),
        ("/a\nb", false),
    ] {
        spec["health"]["path"] = json!(path);
        assert_eq!(validator.is_valid(&spec), allowed, "{path:?}");
    }
}
