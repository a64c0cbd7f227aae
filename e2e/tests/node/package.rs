//! Packages, and copies of them from which a guard was taken.

use commonscloud_e2e::{Failure, Outcome, ensure};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template;
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde_json::{Value, json};

use crate::tier::Node;

/// The real third-party application's package, in the source tree.
pub const RADICALE: &str = "examples/templates/radicale.yaml";

/// The wiki's package, in the source tree.
pub const MEDIAWIKI: &str = "examples/templates/mediawiki.yaml";

/// Requests that let many services share a small machine.
pub fn small() -> Value {
    json!({"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}})
}

/// A package as it is compiled in.
///
/// # Errors
/// When there is none of this name.
pub fn builtin(name: &str) -> Outcome<ServiceTemplate> {
    let mut builtin = template::builtin().into_iter();
    let found = builtin.find(|package| package.metadata.name.as_deref() == Some(name));
    found.ok_or_else(|| Failure::new(format!("no package {name} is compiled in")))
}

/// The office package as it is compiled in.
///
/// # Errors
/// When there is none.
pub fn office() -> Outcome<ServiceTemplate> {
    builtin("office")
}

/// A copy of the office under another name, with small requests and the images of this node.
pub fn office_copy(node: &Node, name: &str) -> Outcome<ServiceTemplate> {
    node_copy(node, office()?, name)
}

/// A copy of a package under another name, with small requests and the images of this node.
///
/// # Errors
/// When the node has not got an image.
pub fn node_copy(node: &Node, package: ServiceTemplate, name: &str) -> Outcome<ServiceTemplate> {
    let mut copy = copy(package, name)?;
    for image in copy.spec.versions.iter_mut().flat_map(|version| &mut version.images) {
        node.image(&image.name)?.clone_into(&mut image.reference);
    }
    Ok(copy)
}

/// A copy of a package under another name, with small requests; its shares of the node's disk stay.
pub fn copy(mut package: ServiceTemplate, name: &str) -> Outcome<ServiceTemplate> {
    package.metadata.name = Some(name.to_owned());
    for component in &mut package.spec.components {
        let small: ResourceRequirements = serde_json::from_value(small())?;
        let own = &mut component.resources;
        own.requests.get_or_insert_default().extend(small.requests.unwrap_or_default());
        own.limits.get_or_insert_default().extend(small.limits.unwrap_or_default());
    }
    Ok(package)
}

/// Replaces a text that stands in the package's manifests and files exactly `times` times.
///
/// # Errors
/// When it stands there more or less often: then the package has changed, and what is taken away
/// here may not be the guard any more.
pub fn replace(package: &mut ServiceTemplate, times: usize, text: &str, by: &str) -> Outcome {
    let manifests = package.spec.manifests.iter_mut().map(|manifest| &mut manifest.template);
    let files = package.spec.files.iter_mut().map(|file| &mut file.content);
    let texts: Vec<&mut String> = manifests.chain(files).collect();
    let found: usize = texts.iter().map(|whole| whole.matches(text).count()).sum();
    ensure!(found == times, "{text:?} stands {found} times in the package, not {times}");
    for whole in texts {
        *whole = whole.replace(text, by);
    }
    Ok(())
}

/// Gives every generated key a value with a quotation mark in it.
pub fn quote_secrets(package: &mut ServiceTemplate) {
    for key in package.spec.secrets.iter_mut().flat_map(|secret| &mut secret.keys) {
        if key.length.take().is_some() {
            key.value = Some("it's o'clock".to_owned());
        }
    }
}
