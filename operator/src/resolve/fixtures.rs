//! An instance and what surrounds it, as YAML through the same door as production.

use std::sync::Arc;

use super::*;
use crate::api::{DedicatedService, ServiceTemplate, VolumeGrowth, VolumeTemplate};
use crate::usage::Measurement;

const TEMPLATE: &str = include_str!("../../../examples/templates/radicale.yaml");

pub(crate) fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_yaml::from_str(text).unwrap()
}

pub(crate) fn template() -> ServiceTemplate {
    read(TEMPLATE)
}

/// With a volume `db` of 2 GiB beside the one that is sold, which grows by halves up to 8 GiB.
pub(crate) fn growing_template() -> ServiceTemplate {
    let mut template = template();
    template.spec.volumes.push(VolumeTemplate {
        name: "db".into(),
        size: "2Gi".into(),
        growth: Some(VolumeGrowth {
            when_free_below_percent: 20,
            step_percent: 50,
            maximum: "max(8Gi, quota / 2)".into(),
        }),
        ..VolumeTemplate::default()
    });
    // They would have to say what becomes of it.
    template.spec.operations = None;
    template
}

pub(crate) fn package() -> (String, Arc<Package>) {
    compiled(&template())
}

/// The package of [`growing_template`].
pub(crate) fn growing_package() -> (String, Arc<Package>) {
    compiled(&growing_template())
}

fn compiled(template: &ServiceTemplate) -> (String, Arc<Package>) {
    let package = Package::compile("radicale", &template.spec).unwrap();
    (package.revision_name(), Arc::new(package))
}

pub(crate) fn instance(spec: &str) -> Instance {
    let head = "apiVersion: commonscloud.coop/v1alpha1\nkind: DedicatedService\nmetadata: {name: calendar, namespace: coop, uid: u1, generation: 1, creationTimestamp: '2026-01-02T00:00:00Z'}\n";
    let service: DedicatedService = read(&format!("{head}spec: {{template: radicale, {spec}}}"));
    Instance::of(&service)
}

pub(crate) fn facts() -> Facts {
    facts_with(&template())
}

/// Facts around an instance of [`growing_template`], whose `db` requests and has that much.
pub(crate) fn growing_facts(size: &str, usage: Measurement) -> Facts {
    facts_with_database(&growing_template(), size, usage)
}

/// The same, where the package lets `db` not grow.
pub(crate) fn fixed_facts(size: &str, usage: Measurement) -> Facts {
    let mut template = growing_template();
    template.spec.volumes.iter_mut().for_each(|volume| volume.growth = None);
    facts_with_database(&template, size, usage)
}

fn facts_with_database(template: &ServiceTemplate, size: &str, usage: Measurement) -> Facts {
    let mut facts = facts_with(template);
    let size = size.parse().ok();
    let volume =
        VolumeFacts { storage_class: Some("xfs".into()), expandable: true, requested: size, capacity: size, usage };
    facts.volumes.insert("calendar-db".into(), volume);
    facts
}

fn facts_with(template: &ServiceTemplate) -> Facts {
    let head = "apiVersion: commonscloud.coop/v1alpha1\n";
    let (revision, package) = compiled(template);
    Facts {
        platform: Some(Arc::new(read(&format!(
            "{head}kind: Platform\nmetadata: {{name: default}}\nspec: {{baseDomain: example.org, storageClasses: [{{name: xfs, overhead: {{bytes: 1048576}}}}], images: [{{template: radicale, image: radicale, reference: 'mirror/radicale:3'}}]}}"
        )))),
        namespace: NamespaceFacts { exists: true, entity: Some("coop".into()), writable: true },
        entity: Some(Arc::new(read(&format!(
            "{head}kind: Entity\nmetadata: {{name: coop, uid: e1}}\nspec: {{displayName: Coop, tariff: t, domains: [coop.cat]}}"
        )))),
        tariff: Some(Arc::new(read(&format!(
            "{head}kind: Tariff\nmetadata: {{name: t}}\nspec: {{currency: EUR, tiers: [{{name: 1gb, storage: 1Gi, price: '5.00'}}], extraBlock: {{storage: 5Gi, price: '5.00', maximum: 4}}}}"
        )))),
        newest_revision: Some(revision.clone()),
        packages: [(revision, Ok(package))].into(),
        ..Facts::default()
    }
}
