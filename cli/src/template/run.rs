//! An instance of a package on a local cluster: applied, waited for, removed.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::local::NodeKind;
use commonscloud_cluster::{Progress, apply, folders, images};
use commonscloud_operator::api::{Platform, ServiceTemplate};
use commonscloud_operator::template::{Package, builtin};
use kube::api::{DeleteParams, DynamicObject};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::print;
use super::test::Arguments;
use crate::operated::{self, Operated, Wanted, platform, waiting};
use crate::services::{self, Service};

/// The tariff of instances that are only tried.
const TARIFF: &str = "template-test";
/// What is sold to them.
const TIER: &str = "try";
/// The most seconds that removing them may take.
const REMOVAL: Duration = Duration::from_mins(1);

/// Brings an instance up and removes it.
///
/// # Errors
/// What the instance waits for, in the words of its status.
pub(super) async fn run(arguments: &Arguments, template: ServiceTemplate, package: &Package) -> Result<(), Failure> {
    let source = folders::source(arguments.source.as_deref())?;
    let node = operated::nodes(arguments.node);
    let progress = Progress::shown();
    if node == NodeKind::Simulated {
        progress.say("Simulated nodes: no container of the package runs; objects, quota and status are real.");
    }
    let examples = apply::read(&source.join("examples/platform.yaml"))?;
    let template = as_third_party(template, &examples)?;
    let names = local_images(&template, &source)?;
    let wanted = Wanted { name: &arguments.cluster, node, images: Some(names), source: &source };
    let operated = operated::up(&wanted, &progress).await?;
    let entity = format!("try-{}", seconds());
    let outcome = try_out(arguments, &operated, template, package, &entity, examples, &progress).await;
    if arguments.keep {
        let kubeconfig = operated.cluster.kubeconfig.display();
        print(&format!(
            "kept: export KUBECONFIG={kubeconfig}; kubectl get all --namespace {entity}; kubectl delete entity {entity}\n"
        ));
        return outcome;
    }
    let removed = remove(&operated.client, &entity, &progress).await;
    outcome.and(removed)
}

async fn try_out(
    arguments: &Arguments,
    operated: &Operated,
    template: ServiceTemplate,
    package: &Package,
    entity: &str,
    mut examples: Vec<DynamicObject>,
    progress: &Progress,
) -> Result<(), Failure> {
    let phase = progress.phase("apply the package and an Entity");
    let parameters = parameters(package);
    let name = template.name_any();
    let mut objects = Vec::new();
    // A Platform that is there is somebody's.
    if Api::<Platform>::all(operated.client.clone()).get_opt("default").await?.is_none() {
        platform::fill_in(&mut examples, &operated.cluster)?;
        objects.append(&mut examples);
    }
    objects.push(serde_json::from_value(serde_json::to_value(template)?)?);
    for object in [tariff(), entity_with(entity, &name, &parameters)] {
        objects.push(serde_json::from_value(object)?);
    }
    apply::apply(&operated.client, objects).await?;
    phase.done();
    let patience = Duration::from_secs(arguments.wait);
    waiting::until_ready(&operated.client, Some(entity), patience, progress).await.map_err(|error| {
        let kubeconfig = operated.cluster.kubeconfig.display();
        format!("{error}\nto look at it, add --keep, then: export KUBECONFIG={kubeconfig}; kubectl describe pods --namespace {entity}")
    })?;
    let services = services::all(&operated.client).await?;
    for Service { name, version, quota, url, .. } in services.iter().filter(|service| service.entity == entity) {
        print(&format!("{name}: Ready; version {version}, quota {quota}, {url}\n"));
    }
    Ok(())
}

/// Deletes the Entity, and waits until it is gone. What it stored is kept, as everywhere.
async fn remove(client: &Client, entity: &str, progress: &Progress) -> Result<(), Failure> {
    let phase = progress.phase("remove the instance");
    let entities: Api<commonscloud_operator::api::Entity> = Api::all(client.clone());
    if entities.get_opt(entity).await?.is_some() {
        entities.delete(entity, &DeleteParams::default()).await?;
    }
    let deadline = std::time::Instant::now() + REMOVAL;
    while entities.get_opt(entity).await?.is_some() {
        if std::time::Instant::now() > deadline {
            return Err(format!(
                "Entity {entity} is not gone after {} s: kubectl describe entity {entity}",
                REMOVAL.as_secs()
            )
            .into());
        }
        tokio::time::sleep(waiting::ASK).await;
    }
    phase.done();
    print(&format!(
        "removed; its volumes are kept in namespace {entity} until the cluster is: commonscloud cluster down\n"
    ));
    Ok(())
}

/// A package with the name of one that is compiled in is tried under another: the operator holds
/// its own. The images and resources that the example Platform gives the name come along.
fn as_third_party(mut template: ServiceTemplate, examples: &[DynamicObject]) -> Result<ServiceTemplate, Failure> {
    let name = template.name_any();
    let platform = examples.iter().find(|object| object.types.as_ref().is_some_and(|types| types.kind == "Platform"));
    let spec = platform.map(|platform| platform.data["spec"].clone()).unwrap_or_default();
    let of_package = |list: &str| -> Vec<Value> {
        let entries = spec[list].as_array().cloned().unwrap_or_default();
        entries.into_iter().filter(|entry| entry["template"] == name.as_str()).collect()
    };
    for image in template.spec.versions.iter_mut().flat_map(|version| &mut version.images) {
        let given = of_package("images").into_iter().find(|entry| entry["image"] == image.name.as_str());
        if let Some(reference) = given.as_ref().and_then(|entry| entry["reference"].as_str()) {
            reference.clone_into(&mut image.reference);
        }
    }
    for component in &mut template.spec.components {
        let given = of_package("resources").into_iter().find(|entry| entry["component"] == component.name.as_str());
        if let Some(mut entry) = given {
            component.resources = serde_json::from_value(entry["resources"].take())?;
        }
    }
    if builtin().iter().any(|known| known.name_any() == name) {
        template.metadata.name = Some(format!("{name}-test"));
    }
    Ok(template)
}

/// Names of the images below `images/` that the newest version needs.
fn local_images(template: &ServiceTemplate, source: &Path) -> Result<Vec<String>, Failure> {
    let newest = template.spec.versions.first();
    let references: Vec<&str> =
        newest.into_iter().flat_map(|version| &version.images).map(|image| image.reference.as_str()).collect();
    Ok(images::of_references(&references, source)?)
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

/// A name that was not used before: what an earlier instance stored is kept under its own.
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_in_package_is_tried_under_another_name_with_the_images_of_this_machine() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let examples = apply::read(&source.join("examples/platform.yaml")).unwrap();
        let office = builtin().into_iter().find(|package| package.name_any() == "office").unwrap();
        let tried = as_third_party(office, &examples).unwrap();
        assert_eq!(tried.name_any(), "office-test");
        let names = local_images(&tried, &source).unwrap();
        assert!(names.iter().any(|name| name == "nextcloud"), "{names:?}");
        let radicale =
            commonscloud_operator::template::load_directory(&source.join("examples/templates/radicale.yaml"));
        assert_eq!(as_third_party(radicale.unwrap(), &examples).unwrap().name_any(), "radicale");
    }
}
