//! What is applied to try a package: itself, a Tariff, and an Entity with one instance of it.

use std::path::Path;

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::images;
use commonscloud_operator::api::{ImageOverride, ServiceTemplate};
use commonscloud_operator::resolve::{overridden, with_figures};
use commonscloud_operator::template::{Package, builtin};
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

/// The tariff of instances that are only tried.
const TARIFF: &str = "template-test";
/// What is sold to them.
const TIER: &str = "try";

/// A package with the name of one that is compiled in is tried under another: the operator holds
/// its own. The images and resources that the example Platform gives the name come along.
pub(super) fn as_third_party(
    mut template: ServiceTemplate,
    examples: &[DynamicObject],
) -> Result<ServiceTemplate, Failure> {
    let name = template.name_any();
    let platform = examples.iter().find(|object| object.types.as_ref().is_some_and(|types| types.kind == "Platform"));
    let spec = platform.map(|platform| platform.data["spec"].clone()).unwrap_or_default();
    let of_package = |list: &str| -> Vec<Value> {
        let entries = spec[list].as_array().cloned().unwrap_or_default();
        entries.into_iter().filter(|entry| entry["template"] == name.as_str()).collect()
    };
    let overrides: Vec<ImageOverride> = serde_json::from_value(Value::Array(of_package("images")))?;
    for version in &mut template.spec.versions {
        for image in &mut version.images {
            if let Some(by) = overrides.iter().find(|by| by.image == image.name) {
                image.reference = overridden(by, &image.reference, &version.name);
            }
        }
    }
    for component in &mut template.spec.components {
        let given = of_package("resources").into_iter().find(|entry| entry["component"] == component.name.as_str());
        if let Some(mut entry) = given {
            let given = serde_json::from_value(entry["resources"].take())?;
            component.resources = with_figures(std::mem::take(&mut component.resources), &given);
        }
    }
    if builtin().iter().any(|known| known.name_any() == name) {
        template.metadata.name = Some(format!("{name}-test"));
    }
    Ok(template)
}

/// Names of the images below `images/` that the newest version needs.
pub(super) fn local_images(template: &ServiceTemplate, source: &Path) -> Result<Vec<String>, Failure> {
    let newest = template.spec.versions.first();
    let references: Vec<&str> =
        newest.into_iter().flat_map(|version| &version.images).map(|image| image.reference.as_str()).collect();
    Ok(images::of_references(&references, source)?)
}

/// The package, and an Entity of this name with an instance of it.
pub(super) fn objects(
    template: &ServiceTemplate,
    package: &Package,
    entity: &str,
) -> Result<Vec<DynamicObject>, serde_json::Error> {
    let instance = entity_with(entity, &template.name_any(), &parameters(package));
    let all = [serde_json::to_value(template)?, tariff(), instance];
    all.into_iter().map(serde_json::from_value).collect()
}

/// No parameters where the package accepts that, else its first example.
fn parameters(package: &Package) -> Value {
    if package.validate_parameters(&json!({})).is_ok() {
        return json!({});
    }
    package.spec().parameters.pointer("/examples/0").cloned().unwrap_or_else(|| json!({}))
}

fn tariff() -> Value {
    json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Tariff", "metadata": {"name": TARIFF},
        "spec": {"currency": "EUR", "period": "Month", "tiers": [{"name": TIER, "storage": "1Gi"}]},
    })
}

fn entity_with(entity: &str, template: &str, parameters: &Value) -> Value {
    json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Entity", "metadata": {"name": entity},
        "spec": {
            "displayName": "L'Hort \"3\"", "tariff": TARIFF,
            "services": {"others": [{"name": template, "template": template, "tier": TIER, "parameters": parameters}]},
        },
    })
}

#[cfg(test)]
mod tests {
    use commonscloud_cluster::apply;

    use super::*;

    #[test]
    fn a_built_in_package_is_tried_under_another_name_with_the_images_of_this_machine() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let examples = apply::read(&source.join("examples/platform.yaml")).unwrap();
        let office = builtin().into_iter().find(|package| package.name_any() == "office").unwrap();
        let tried = as_third_party(office, &examples).unwrap();
        assert_eq!(tried.name_any(), "office-test");
        // The example names memory and processors; the disk stays the package's.
        assert!(tried.spec.components.iter().all(|part| {
            part.resources.limits.as_ref().is_some_and(|limits| limits.contains_key("ephemeral-storage"))
        }));
        let names = local_images(&tried, &source).unwrap();
        assert!(names.iter().any(|name| name == "nextcloud"), "{names:?}");
        for package in builtin() {
            for image in &as_third_party(package, &examples).unwrap().spec.versions[0].images {
                assert!(image.reference.starts_with("docker.io/local/"), "{image:?} is no image of this machine");
            }
        }
        let radicale =
            commonscloud_operator::template::load_directory(&source.join("examples/templates/radicale.yaml"));
        assert_eq!(as_third_party(radicale.unwrap(), &examples).unwrap().name_any(), "radicale");
    }
}
