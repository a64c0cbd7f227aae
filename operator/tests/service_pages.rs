//! docs/services: each package has its page, and the page says what the package has.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template::{builtin, load_directory};

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The packages that are compiled in, and those of examples/templates.
fn packages() -> Vec<ServiceTemplate> {
    let mut packages = builtin();
    for entry in fs::read_dir(source("examples/templates")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            packages.push(load_directory(&path).unwrap());
        }
    }
    packages
}

/// What the page of a package has to name: versions, images, volumes, parameters and guards.
fn named(package: &ServiceTemplate) -> Vec<String> {
    let spec = &package.spec;
    let mut named = vec![format!("version {}", spec.versions[0].name)];
    named.extend(spec.versions[0].images.iter().map(|image| format!("`{}`", image.reference)));
    named.extend(spec.volumes.iter().map(|volume| format!("`{}`", volume.name)));
    let parameters = spec.parameters["properties"].as_object();
    named.extend(parameters.into_iter().flatten().map(|(name, _)| format!("`{name}`")));
    let texts = spec.manifests.iter().map(|manifest| &manifest.template);
    for text in texts.chain(spec.files.iter().map(|file| &file.content)) {
        let guards = text.lines().filter_map(|line| line.split_once("guard: "));
        // A guard's name ends with the line, or with a full stop before its reason.
        let name = |guard: &str| guard.split([' ', '.']).next().unwrap_or_default().to_owned();
        named.extend(guards.map(|(_, guard)| format!("`{}`", name(guard))));
    }
    named
}

#[test]
fn each_page_names_what_its_package_has() {
    let mut missing = Vec::new();
    for package in packages() {
        let name = package.metadata.name.clone().unwrap();
        let page = fs::read_to_string(source(&format!("docs/services/{name}.md"))).unwrap_or_default();
        missing.extend(
            named(&package)
                .into_iter()
                .filter(|what| !page.contains(what))
                .map(|what| format!("docs/services/{name}.md: {what}")),
        );
    }
    assert!(missing.is_empty(), "the page does not name\n{}", missing.join("\n"));
}
